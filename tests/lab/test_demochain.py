"""The demo's chain over kills: from its first answer on it is the chain that was there before."""

import gzip
from pathlib import Path

import pytest

from seawall.lab.demochain import KEPT, DemoChain
from seawall.lab.devchain import DevChainError

PAYEE = "0xabababababababababababababababababababab"


def made(folder: Path) -> DemoChain:
    return DemoChain(folder, chain_id=31337, block_ms=700, idle_block_ms=700, busy_blocks=5)


async def newest(chain: DemoChain) -> tuple[int, str]:
    head = await chain.node.rpc("eth_getBlockByNumber", "latest", False)
    return int(head["number"], 16), head["hash"]


async def test_a_killed_chain_is_never_seen_empty(tmp_path: Path) -> None:
    chain = made(tmp_path)
    await chain.open()
    try:
        assert chain.node.program == "Anvil"
        await chain.node.pay(PAYEE, 77)
        await chain.mine()
        before = await newest(chain)
        assert before[0] == 1
        await chain.node.kill()
        # The process alone, before anybody could mine or load anything by a call.
        await chain.node.start()
        assert await newest(chain) == before
        assert int(await chain.node.rpc("eth_getBalance", PAYEE, "latest"), 16) == 77
    finally:
        await chain.close()

    chain = made(tmp_path)
    await chain.open()
    try:
        number, _ = await newest(chain)
        assert number == before[0] + 5, "what was final before the kill can be asked about"
        block = await chain.node.rpc("eth_getBlockByNumber", hex(before[0]), False)
        assert block["hash"] == before[1]
    finally:
        await chain.close()


@pytest.mark.parametrize(
    "damaged", ["", "0xnothing", "0x12", "0x" + gzip.compress(b"{}", mtime=0).hex()[:30]]
)
async def test_a_damaged_chain_is_told_and_not_begun_anew(tmp_path: Path, damaged: str) -> None:
    (tmp_path / KEPT).write_text(damaged)
    chain = made(tmp_path)
    with pytest.raises(DevChainError):
        await chain.open()
    await chain.close()
    assert (tmp_path / KEPT).read_text() == damaged
