"""python-binance, unmodified but for its URLs: Client, AsyncClient, sockets and depth cache."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.exchange import Exchange

pytest.importorskip("binance")
from binance import AsyncClient, BinanceSocketManager, Client, DepthCacheManager
from binance.base_client import BaseClient
from binance.exceptions import BinanceAPIException

SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module", autouse=True)
def _urls(exchange: Exchange) -> Iterator[None]:
    """Point its classes at the exchange, for it takes no URL when it is made."""
    patch = pytest.MonkeyPatch()
    for of in (BaseClient, BinanceSocketManager):
        for name in dir(of):
            value = getattr(of, name)
            if name.endswith("_URL") and isinstance(value, str):
                value = re.sub(r"^https://[^/]+", exchange.url, value)
                value = re.sub(r"^wss://[^/]+", exchange.websocket_url, value)
                patch.setattr(of, name, value)
    yield
    patch.undo()


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[AsyncClient]:
    made = AsyncClient(exchange.account.api_key, exchange.account.secret_key)
    # How long its reader naps before it notices that it was closed.
    made.ws_api.TIMEOUT = 1
    yield made
    await made.close_connection()


@pytest.fixture
def classic(exchange: Exchange) -> Iterator[Client]:
    account = exchange.open_account("classic")
    made = Client(account.api_key, account.secret_key)
    made.ws_api.TIMEOUT = 1
    yield made
    # Its calls over WebSocket made a loop and a connection, and it closes neither.
    made.loop.run_until_complete(made.ws_api.close())
    made.loop.close()
    asyncio.set_event_loop(None)
    made.close_connection()


def test_session(classic: Client) -> None:
    client = classic
    assert abs(client.get_server_time()["serverTime"] - time.time() * 1000) < 60_000
    assert {each["symbol"] for each in client.get_exchange_info()["symbols"]} >= {SYMBOL, "LTCUSDT"}
    assert client.get_symbol_info(SYMBOL)["status"] == "TRADING"
    assert client.get_system_status()["status"] == 0
    book = client.get_order_book(symbol=SYMBOL)
    low = f"{float(book['bids'][0][0]) * 0.9:.2f}"
    assert float(client.get_symbol_ticker(symbol=SYMBOL)["price"]) > 0
    assert client.get_ticker(symbol=SYMBOL)["count"] > 0
    assert client.get_orderbook_ticker(symbol=SYMBOL)["bidPrice"] >= low
    assert client.get_recent_trades(symbol=SYMBOL)
    assert client.get_aggregate_trades(symbol=SYMBOL)
    assert client.get_klines(symbol=SYMBOL, interval="1m")
    assert client.get_historical_klines(SYMBOL, "1m", "1 hour ago UTC")
    assert client.get_avg_price(symbol=SYMBOL)["mins"] == 5

    assert client.get_asset_balance("USDT")["free"] == "100000000.00000000"
    client.create_test_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=low
    )
    order = client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=low)
    assert client.get_order(symbol=SYMBOL, orderId=order["orderId"])["status"] == "NEW"
    assert [each["orderId"] for each in client.get_open_orders(symbol=SYMBOL)] == [order["orderId"]]
    assert client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])["status"] == "CANCELED"
    client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=low)
    client.cancel_all_open_orders(symbol=SYMBOL)
    assert client.get_open_orders(symbol=SYMBOL) == []
    bought = client.order_market_buy(symbol=SYMBOL, quantity="0.01")
    assert (bought["status"], len(bought["fills"]) > 0) == ("FILLED", True)
    assert [each["orderId"] for each in client.get_my_trades(symbol=SYMBOL)][-1:] == [
        bought["orderId"]
    ]
    assert len(client.get_all_orders(symbol=SYMBOL)) == 3
    assert client.get_account()["canTrade"] is True
    with pytest.raises(BinanceAPIException) as refused:
        client.order_market_buy(symbol="NOSUCH", quantity="1")
    assert (refused.value.code, refused.value.message) == (-1121, "Invalid symbol.")
    assert client.ws_get_order_book(symbol=SYMBOL)["bids"]


async def test_async_session(client: AsyncClient) -> None:
    low = f"{float((await client.get_order_book(symbol=SYMBOL))['bids'][0][0]) * 0.9:.2f}"
    order = await client.create_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=low
    )
    over_socket = await client.ws_create_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=low
    )
    shown = await client.get_open_orders(symbol=SYMBOL)
    assert {each["orderId"] for each in shown} == {order["orderId"], over_socket["orderId"]}
    assert (await client.ws_get_order(symbol=SYMBOL, orderId=order["orderId"]))["status"] == "NEW"
    await client.ws_cancel_order(symbol=SYMBOL, orderId=over_socket["orderId"])
    await client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])
    assert await client.get_open_orders(symbol=SYMBOL) == []
    assert (await client.ws_get_account())["canTrade"] is True
    assert await client.get_klines(symbol=SYMBOL, interval="1s")


async def test_market_sockets(client: AsyncClient) -> None:
    manager = BinanceSocketManager(client)
    expected = {
        "trade": manager.trade_socket(SYMBOL),
        "aggTrade": manager.aggtrade_socket(SYMBOL),
        "kline": manager.kline_socket(SYMBOL, "1s"),
        "depthUpdate": manager.depth_socket(SYMBOL, interval=100),
        "24hrTicker": manager.symbol_ticker_socket(SYMBOL),
        "24hrMiniTicker": manager.symbol_miniticker_socket(SYMBOL),
    }
    shown = await asyncio.gather(*(first(socket) for socket in expected.values()))
    assert [message["e"] for message in shown] == list(expected)
    partial, best, tickers, both = await asyncio.gather(
        first(manager.depth_socket(SYMBOL, depth="5")),
        first(manager.symbol_book_ticker_socket(SYMBOL)),
        first(manager.ticker_socket()),
        first(manager.multiplex_socket(["btcusdt@trade", "ethusdt@trade"])),
    )
    assert len(partial["bids"]) == 5
    assert best["s"] == SYMBOL
    assert {each["e"] for each in tickers} == {"24hrTicker"}
    assert both["stream"] in ("btcusdt@trade", "ethusdt@trade")


async def first(socket: Any) -> Any:
    """Return a socket's first message."""
    socket.TIMEOUT = 10
    async with asyncio.timeout(30), socket:
        return await socket.recv()


async def test_user_socket(client: AsyncClient) -> None:
    seen: list[str] = []
    async with asyncio.timeout(30), BinanceSocketManager(client).user_socket() as socket:
        await client.order_market_buy(symbol=SYMBOL, quantity="0.01")
        while len(seen) < 3:
            message = await socket.recv()
            seen.append(f"{message['e']} {message.get('x', '')}".strip())
    assert seen == ["executionReport NEW", "executionReport TRADE", "outboundAccountPosition"]


async def test_depth_cache(client: AsyncClient) -> None:
    """Keep its own local book from a snapshot and diffs: it stays what REST says."""
    manager = DepthCacheManager(client, symbol=SYMBOL, ws_interval=100)
    async with asyncio.timeout(30), manager as caches:
        agreed = 0
        while agreed < 5:
            cache = await caches.recv()
            rest = await client.get_order_book(symbol=SYMBOL, limit=20)
            # The market moves between the two; the far levels of a quiet side do not.
            agreed += cache.get_bids()[5:15] == _numbers(rest["bids"])[5:15]
            assert cache.get_bids()[0][0] < cache.get_asks()[0][0]


def _numbers(levels: list[list[str]]) -> list[list[float]]:
    return [[float(price), float(size)] for price, size in levels]
