"""ccxt moves money into, through and out of a demo with its own chain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from tests.clients.urls import ccxt_config
from tests.demo import Demo, until
from tests.exchange import Account

PAYEE = "0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path / "data")
    running.start()
    yield running
    running.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_deposit_transfer_and_withdraw(demo: Demo) -> None:
    keys = demo.keys
    config: dict[str, Any] = ccxt_config(demo, Account("demo", keys["apiKey"], keys["secretKey"]))
    config["options"]["fetchMarkets"] = {"types": ["spot"]}
    client = ccxt.binance(config)
    client.load_markets()
    tether = client.fetch_currencies()["USDT"]
    (network,) = tether["networks"].values()
    assert (network["deposit"], network["withdraw"]) == (True, True)
    assert (network["fee"], network["limits"]["withdraw"]["min"]) == (2, 10)
    assert tether["deposit"]
    assert tether["withdraw"]

    address = client.fetch_deposit_address("USDT")
    sent = demo.command("demo", "faucet", "demo", "USDT", "250")
    assert (address["address"], address["currency"]) == (sent["address"], "USDT")
    deposit = until(lambda: [each for each in client.fetch_deposits() if each["status"] == "ok"])[0]
    assert (deposit["txid"], deposit["amount"]) == (sent["txId"], 250)
    before = client.fetch_balance()["USDT"]["free"]
    moved = client.transfer("USDT", 100, "funding", "spot")
    assert moved["id"]
    until(lambda: client.fetch_balance()["USDT"]["free"] == before + 100)
    assert client.fetch_balance({"type": "funding"})["USDT"]["free"] == 150

    made = client.withdraw("USDT", 120, PAYEE, params={"network": "ETH"})
    paid = until(lambda: [each for each in client.fetch_withdrawals() if each["status"] == "ok"])[0]
    assert (paid["id"], paid["amount"], paid["fee"]["cost"]) == (made["id"], 118, 2)
    assert paid["txid"] == demo.command("demo", "transaction", made["id"])["transaction"]
    with pytest.raises(ccxt.ExchangeError, match="checksum"):
        client.withdraw("USDT", 20, PAYEE.replace("cd", "Cd", 1), params={"network": "ETH"})
