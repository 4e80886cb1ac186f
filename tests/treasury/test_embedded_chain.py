"""The embedded chain does what Anvil does: the same contract, the same stories, over it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.treasury import test_evm, test_scanner_evm, test_treasury_evm
from tests.treasury.chain_contract import ChainContract

from seawall.lab.devchain import (
    DevChain,
    DevChainError,
    EmbeddedDevChain,
    call_data,
    open_development_chain,
)

bench = test_evm.bench
chain = test_scanner_evm.chain


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Run one process for all tests: starting takes it longer than most of them take."""
    command = [sys.executable, "-m", "seawall.lab.ethchain_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline().rpartition(":")[2])
        process.terminate()


@pytest_asyncio.fixture
async def devchain(tmp_path: Path, port: int) -> AsyncIterator[DevChain]:
    made = EmbeddedDevChain(tmp_path / "chain", port=port)
    await made.connect()
    await made.rpc("anvil_reset")
    yield made
    await made.stop()


class TestEmbeddedChain(ChainContract):
    pass


test_tokens_arrive = test_evm.test_tokens_arrive_with_what_arrives
test_foretold = test_evm.test_what_would_fail_is_refused_before_it_is_signed
test_refusals = test_evm.test_refusals_of_a_real_node_are_told_apart
test_by_hand = test_evm.test_the_slot_of_a_hand_sent_transaction_is_found
test_fees = test_evm.test_fees_stay_below_the_cap
test_many_balances = test_evm.test_many_balances_of_coin_and_token_in_one_call
test_deposits = test_scanner_evm.test_deposits_from_block_to_credit
test_whole_treasury = test_treasury_evm.test_in_swept_reconciled_and_out_again


async def test_without_anvil_the_embedded_chain_serves_and_its_folder_stays_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAWALL_ANVIL", str(tmp_path / "nothing"))
    chain = await open_development_chain(tmp_path / "chain", keep_state=True)
    assert chain.program == "the embedded chain"
    token = await chain.deploy_token("USDT", 6, 10**15)
    paid = await chain.pay_token(token, chain.accounts[3], 77)
    lost = await chain.pay(chain.accounts[4], 5)
    await chain.mine()
    head = await chain.rpc("eth_getBlockByNumber", "latest", True)
    assert {one["hash"] for one in head["transactions"]} == {paid, lost}
    with pytest.raises(DevChainError, match="not reset"):
        await chain.rpc("anvil_reset")
    await chain.pay(chain.accounts[4], 5)
    await chain.kill()

    monkeypatch.delenv("SEAWALL_ANVIL")
    chain = await open_development_chain(tmp_path / "chain", keep_state=True)
    assert chain.program == "the embedded chain", "though Anvil may be had now"
    assert await chain.rpc("eth_getBlockByNumber", "latest", True) == head
    data = call_data("balanceOf(address)", chain.accounts[3])
    assert int(await chain.rpc("eth_call", {"to": token, "data": data}, "latest"), 16) == 77
    # What waited in the pool went with the process; the next one has its nonce.
    assert await chain.rpc("eth_getTransactionCount", chain.accounts[0], "pending") == "0x3"
    await chain.pay(chain.accounts[4], 6)
    await chain.mine()
    assert int(await chain.rpc("eth_getBalance", chain.accounts[4], "latest"), 16) % 100 == 11
    await chain.stop()


async def test_anvils_folder_is_not_given_to_another_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DevChain.state_name).write_text("{}")
    monkeypatch.setenv("SEAWALL_ANVIL", str(tmp_path / "nothing"))
    with pytest.raises(DevChainError, match="is no file"):
        await open_development_chain(tmp_path, keep_state=True)
    assert not (tmp_path / EmbeddedDevChain.log_name).exists(), "nothing was started"


async def test_a_block_comes_by_the_clock(tmp_path: Path) -> None:
    chain = EmbeddedDevChain(tmp_path, block_s=0.05)
    await chain.start()
    tx_id = await chain.pay(chain.accounts[1], 5)
    async with asyncio.timeout(60):
        while await chain.rpc("eth_getTransactionReceipt", tx_id) is None:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    await chain.stop()


async def test_broken_calls_are_told_what_is_wrong(devchain: DevChain) -> None:
    account = devchain.accounts[0]
    for code, call in (
        (-32600, {"id": 1}),
        (-32600, 7),
        (-32601, {"id": 1, "method": "eth_nothing"}),
        (-32602, {"id": 1, "method": "eth_getBalance", "params": []}),
        (-32602, {"id": 1, "method": "eth_getBalance", "params": ["0x12"]}),
        (-32602, {"id": 1, "method": "eth_getBalance", "params": {"who": account}}),
        (-32602, {"id": 1, "method": "anvil_mine", "params": ["0xffffff"]}),
        (-32602, {"id": 1, "method": "anvil_reorg", "params": [5, []]}),
        (-32000, {"id": 1, "method": "eth_getBalance", "params": [account, "0x99"]}),
        (-32000, {"id": 1, "method": "eth_getBalance", "params": [account, "0x" + "9" * 64]}),
        (-32000, {"id": 1, "method": "eth_sendRawTransaction", "params": ["0x02c0"]}),
    ):
        async with httpx.AsyncClient(base_url=devchain.url, trust_env=False) as client:
            reply = (await client.post("/", json=call)).json()
        assert reply["error"]["code"] == code, (call, reply)
    async with httpx.AsyncClient(base_url=devchain.url, trust_env=False) as client:
        assert (await client.post("/", content=b"{")).json()["error"]["code"] == -32700
        batch = [{"id": 1, "method": "eth_blockNumber"}, {"id": 2, "method": "eth_chainId"}]
        replies = (await client.post("/", json=batch)).json()
    assert [one["result"] for one in replies] == ["0x0", "0x7a69"]
