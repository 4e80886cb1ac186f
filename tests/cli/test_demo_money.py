"""Money in and out of a demo as its first user meets it, over a kill, and over dead helpers."""

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.demo import Demo, until

ETHER = 10**18
PAYEE = "0xabababababababababababababababababababab"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path / "data")
    running.start()
    yield running
    running.close()


def children(demo: Demo) -> list[int]:
    """Return the processes that the exchange has started."""
    pid = demo.started["pid"]
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie that nobody reaps yet is as dead.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def final(demo: Demo, path: str, status: int) -> Any:
    rows = demo.ask("GET", path)
    return rows[0] if rows and rows[0]["status"] == status else None


def open_again(demo: Demo) -> bool:
    """Whether users are told that money comes in and goes out, as it does once all answer."""
    coins = demo.ask("GET", "/sapi/v1/capital/config/getall")
    networks = [network for coin in coins for network in coin["networkList"]]
    return all(network["depositEnable"] and network["withdrawEnable"] for network in networks)


def free(demo: Demo, wallet: str) -> Decimal:
    if wallet == "funding":
        rows = demo.ask("POST", "/sapi/v1/asset/get-funding-asset", asset="ETH")
    else:
        rows = demo.ask("GET", "/api/v3/account")["balances"]
    return Decimal(next((row["free"] for row in rows if row["asset"] == "ETH"), "0"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_in_over_and_out_again_with_a_kill_in_between(demo: Demo) -> None:
    assert (demo.started["chain"], demo.started["no_chain"]) == ("Anvil", "")
    coins = demo.ask("GET", "/sapi/v1/capital/config/getall")
    listed = {coin["coin"]: coin["networkList"] for coin in coins if coin["networkList"]}
    assert set(listed) == {"ETH", "USDT"}
    (network,) = listed["USDT"]
    assert (network["depositEnable"], network["withdrawEnable"]) == (True, True)
    contract = network["contractAddress"]
    assert contract == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert demo.chain("eth_getCode", contract, "latest") != "0x"

    address = demo.ask("GET", "/sapi/v1/capital/deposit/address", coin="ETH")["address"]
    sent = demo.command("demo", "faucet", "demo", "eth", "1.5")
    assert sent["address"] == address
    path = "/sapi/v1/capital/deposit/hisrec"
    deposit = until(lambda: final(demo, path, 1))
    assert (deposit["txId"], deposit["amount"]) == (sent["txId"], "1.5")
    assert deposit["unlockConfirm"] == 3
    told = demo.command("demo", "transaction", sent["txId"])
    assert (told["pays"], told["status"], told["to"]) == ("1.5 ETH", "done", address.lower())
    assert told["confirmations"] >= 3

    assert free(demo, "funding") == Decimal("1.5")
    for kind in ("FUNDING_MAIN", "MAIN_FUNDING", "FUNDING_MAIN"):
        done = demo.ask("POST", "/sapi/v1/asset/transfer", type=kind, asset="ETH", amount="0.5")
        assert done["tranId"]
    until(lambda: free(demo, "funding") == 1)
    assert free(demo, "spot") == Decimal("200.5")

    order = {"coin": "ETH", "network": "ETH", "address": PAYEE, "amount": "0.8"}
    made = demo.ask("POST", "/sapi/v1/capital/withdraw/apply", **order, withdrawOrderId="w1")
    mine = children(demo)
    assert len(mine) == 2, "the chain and the signer"
    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: all(gone(pid) for pid in mine))

    demo.start()
    assert demo.started["chain"] == "Anvil", demo.started
    again = demo.ask("POST", "/sapi/v1/capital/withdraw/apply", **order, withdrawOrderId="w1")
    assert again == made
    path = "/sapi/v1/capital/withdraw/history"
    paid = until(lambda: final(demo, path, 6))
    assert (paid["amount"], paid["transactionFee"]) == ("0.799", "0.001")
    assert int(demo.chain("eth_getBalance", PAYEE, "latest"), 16) == 799 * ETHER // 1_000
    told = demo.command("demo", "transaction", made["id"])
    assert (told["transaction"], told["to"]) == (paid["txId"], PAYEE)
    assert told["pays"] == "0.799 ETH"
    compared = demo.command("funding", "reconcile", "--now")["listings"]
    assert {row["difference"].strip("0.") for row in compared} == {""}
    assert all(row["reconciledBlock"] > 0 for row in compared)
    assert demo.end() == 0
    assert demo.command("journal", "verify")["ok"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_chain_and_signer_come_back_and_a_chain_that_is_gone_is_told(demo: Demo) -> None:
    mine = children(demo)
    for pid in mine:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(children(demo)) == 2 and not set(children(demo)) & set(mine))
    until(lambda: open_again(demo))
    demo.command("demo", "withdraw", "USDT", "50", PAYEE)
    paid = until(lambda: final(demo, "/sapi/v1/capital/withdraw/history", 6))
    assert (paid["coin"], paid["amount"]) == ("USDT", "48")
    refused = demo.command("demo", "faucet", "nobody", "ETH", "1", code=4)
    assert "user" in refused["error"]
    demo.command("demo", "faucet", "demo", "BTC", "1", code=2)
    demo.command("demo", "transaction", "0x" + "0" * 64, code=4)
    assert demo.end() == 0
    demo.command("demo", "faucet", "demo", "ETH", "1", code=3)
    (demo.data / "demo" / "chain" / "state.hex").unlink()
    demo.start()
    assert demo.started["chain"] == ""
    assert "its play money is gone" in demo.started["no_chain"]
    coins = demo.ask("GET", "/sapi/v1/capital/config/getall")
    (network,) = next(coin["networkList"] for coin in coins if coin["coin"] == "ETH")
    assert (network["depositEnable"], network["withdrawEnable"]) == (False, False)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "100"}
    assert demo.ask("POST", "/api/v3/order", **order)["status"] == "FILLED"
