"""ccxt and python-binance at one gateway, while the provider that leads is cut off.

A bot's own habits are enough: it asks again when the library says that the exchange did not answer,
under the same client order id, and takes "duplicate order" for an answer.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import ccxt
import ccxt.pro
import pytest
from tests.clients.urls import ccxt_config
from tests.exchange import Account
from tests.tools import program

from seawall.lab.drills.provider_loss import CONFIGURATION, three_providers
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.netns import can_make_namespaces
from seawall.model.ids import SPOT

pytest.importorskip("binance")
from binance import AsyncClient
from binance.base_client import BaseClient
from binance.exceptions import BinanceAPIException

SYMBOL = "BTC/USDC"
MARKET = "BTCUSDC"
FUNDS = {"BTC": "10", "USDC": "1000000"}
LOW = 30_000
AFTER = 5
"""Orders that each library places and cancels after the cut."""
PATIENCE_S = 60


class Place:
    """One gateway, as the libraries' configurations want it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.websocket_url = url.replace("http", "ws", 1)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LocalCluster]:
    program("etcd")
    if not await can_make_namespaces():
        pytest.skip("a provider is cut off by network namespaces: they need root on Linux")
    cluster = LocalCluster(three_providers(), tmp_path, configuration=CONFIGURATION, demo=True)
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()


async def account(cluster: LocalCluster, name: str) -> Account:
    key = await cluster.fund(name, FUNDS)
    return Account(name, key.api_key, key.secret)


async def again(call: Callable[[], Awaitable[Any]], *errors: type[Exception]) -> Any:
    """Call until it is answered."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await call()
            except errors:
                await asyncio.sleep(0.2)


async def trade_by_ccxt(client: Any, number: int) -> str:
    """Place an order and cancel it; return its name."""
    name = f"ccxt{number}"
    with contextlib.suppress(ccxt.DuplicateOrderId):
        await again(
            lambda: client.create_order(
                SYMBOL, "limit", "buy", 0.001, LOW + number, {"newClientOrderId": name}
            ),
            ccxt.OperationFailed,
        )
    shown = await again(
        lambda: client.fetch_order(None, SYMBOL, {"origClientOrderId": name}),
        ccxt.OperationFailed,
    )
    assert shown["clientOrderId"] == name
    assert shown["status"] == "open"
    try:
        canceled = await again(
            lambda: client.cancel_order(shown["id"], SYMBOL), ccxt.OperationFailed
        )
        assert canceled["status"] == "canceled"
    except ccxt.OrderNotFound:
        # An earlier attempt was carried out, and its answer lost.
        left = await again(lambda: client.fetch_order(shown["id"], SYMBOL), ccxt.OperationFailed)
        assert left["status"] == "canceled"
    return name


async def trade_by_python_binance(client: AsyncClient, number: int) -> str:
    name = f"pb{number}"
    terms = {"symbol": MARKET, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    terms |= {"quantity": "0.001", "price": str(LOW - number), "newClientOrderId": name}
    which = {"symbol": MARKET, "origClientOrderId": name}

    async def until_told(call: Callable[[], Awaitable[Any]], done_code: int) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await call()
                except BinanceAPIException as error:
                    if error.code == done_code:
                        return None
                    if error.code not in (-1001, -1007):
                        raise
                except TimeoutError:
                    pass
                await asyncio.sleep(0.2)

    await until_told(lambda: client.create_order(**terms), -2010)
    assert (await until_told(lambda: client.get_order(**which), 0))["status"] == "NEW"
    await until_told(lambda: client.cancel_order(**which), -2011)
    assert (await until_told(lambda: client.get_order(**which), 0))["status"] == "CANCELED"
    return name


@pytest.mark.slow
async def test_libraries_go_on_at_a_gateway_that_is_left(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await cluster.leader(SPOT)
    here = Place(next(url for name, url in cluster.gateways.items() if name != lost))
    for name in dir(BaseClient):
        value = getattr(BaseClient, name)
        if name.endswith("_URL") and isinstance(value, str):
            value = re.sub(r"^https://[^/]+", here.url, value)
            monkeypatch.setattr(
                BaseClient, name, re.sub(r"^wss://[^/]+", here.websocket_url, value)
            )
    first, second = await account(cluster, "first"), await account(cluster, "second")
    config = ccxt_config(here, first)
    config["options"]["fetchMarkets"] = {"types": ["spot"]}
    by_ccxt = ccxt.pro.binance(config)
    by_binance = AsyncClient(second.api_key, second.secret_key)
    try:
        await by_ccxt.load_markets()
        placed = [await trade_by_ccxt(by_ccxt, 0), await trade_by_python_binance(by_binance, 0)]
        watching = asyncio.create_task(by_ccxt.watch_orders(SYMBOL))
        await cluster.provider(lost).cut()
        for number in range(1, AFTER + 1):
            placed += await asyncio.gather(
                trade_by_ccxt(by_ccxt, number), trade_by_python_binance(by_binance, number)
            )
        async with asyncio.timeout(PATIENCE_S):
            assert (await watching)[-1]["clientOrderId"] in placed
        await cluster.provider(lost).heal()
        await cluster.ready()
        for client, prefix in ((by_ccxt, "ccxt"), (None, "pb")):
            if client is not None:
                orders = await client.fetch_orders(SYMBOL)
                names = [order["clientOrderId"] for order in orders]
            else:
                orders = await by_binance.get_all_orders(symbol=MARKET)
                names = [order["clientOrderId"] for order in orders]
            assert names == [name for name in placed if name.startswith(prefix)]
    finally:
        await by_ccxt.close()
        await by_binance.close_connection()
