"""Unmodified clients on a real socket: one whole session each."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from tests.gateway.exchange import Exchange, RunningClock, User, open_exchange

from seawall.gateway.server import GatewayServer

with warnings.catch_warnings():
    # It still imports what its own WebSocket library has retired.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.base_client import BaseClient
    from binance.client import Client
    from binance.exceptions import BinanceAPIException


class Venue:
    """A served exchange with a funded user and somebody on the other side."""

    def __init__(self, exchange: Exchange, server: GatewayServer, alice: User, bob: User) -> None:
        self.exchange = exchange
        self.url = server.url
        self.alice = alice
        self.bob = bob


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    async with open_exchange(tmp_path, clock=RunningClock()) as exchange:
        alice = await exchange.add_user("alice", BTC="10", USDT="1000000")
        bob = await exchange.add_user("bob", BTC="10", USDT="1000000")
        await exchange.limit(bob, "SELL", "5", "50000")
        await exchange.limit(bob, "BUY", "5", "49000")
        server = GatewayServer(exchange.app)
        await server.start()
        yield Venue(exchange, server, alice, bob)
        await server.stop()


def ccxt_client(venue: Venue) -> Any:
    at = venue.url
    return ccxt.binance(
        {
            "apiKey": venue.alice.api_key,
            "secret": venue.alice.secret,
            "urls": {
                "api": {
                    "public": f"{at}/api/v3",
                    "private": f"{at}/api/v3",
                    "v1": f"{at}/api/v1",
                    "sapi": f"{at}/sapi/v1",
                    "sapiV2": f"{at}/sapi/v2",
                    "sapiV3": f"{at}/sapi/v3",
                    "sapiV4": f"{at}/sapi/v4",
                    "fapiPublic": f"{at}/fapi/v1",
                    "fapiPrivate": f"{at}/fapi/v1",
                    "dapiPublic": f"{at}/dapi/v1",
                    "dapiPrivate": f"{at}/dapi/v1",
                }
            },
        }
    )


def ccxt_session(venue: Venue) -> None:
    client = ccxt_client(venue)
    markets = client.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT", "LTC/USDT"}
    assert markets["BTC/USDT"]["precision"] == {
        "amount": 0.00001,
        "price": 0.01,
        "base": 1e-08,
        "quote": 1e-08,
    }
    assert abs(client.fetch_time() - client.milliseconds()) < 5_000
    assert client.fetch_status()["status"] == "ok"
    book = client.fetch_order_book("BTC/USDT")
    assert (book["bids"][0], book["asks"][0]) == ([49_000, 5], [50_000, 5])
    order = client.create_order("BTC/USDT", "limit", "buy", 1, 48_000)
    assert (order["status"], order["remaining"]) == ("open", 1)
    assert client.fetch_order(order["id"], "BTC/USDT")["price"] == 48_000
    assert [one["id"] for one in client.fetch_open_orders("BTC/USDT")] == [order["id"]]
    assert client.cancel_order(order["id"], "BTC/USDT")["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(order["id"], "BTC/USDT")
    taken = client.create_order("BTC/USDT", "market", "buy", 0.5)
    assert (taken["status"], taken["average"], taken["fee"]["currency"]) == (
        "closed",
        50_000,
        "BTC",
    )
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order("BTC/USDT", "limit", "buy", 100, 49_500)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order("BTC/USDT", "limit", "buy", 1, 51_000, {"postOnly": True})
    client.create_order("BTC/USDT", "limit", "sell", 1, 60_000)
    stop = client.create_order("BTC/USDT", "limit", "sell", 1, 44_900, {"stopLossPrice": 45_000})
    assert client.fetch_order(stop["id"], "BTC/USDT")["triggerPrice"] == 45_000
    assert len(client.cancel_all_orders("BTC/USDT")) == 2
    balance = client.fetch_balance()
    assert (balance["USDT"]["free"], balance["BTC"]["total"]) == (975_000, 10.4995)
    mine = client.fetch_my_trades("BTC/USDT")
    assert [(one["amount"], one["takerOrMaker"]) for one in mine] == [(0.5, "taker")]
    assert len(client.fetch_orders("BTC/USDT")) == 4
    assert client.fetch_ticker("BTC/USDT")["last"] == 50_000
    assert set(client.fetch_tickers()) == {"BTC/USDT", "ETH/USDT", "LTC/USDT"}
    assert client.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]["bid"] == 49_000
    assert client.fetch_trades("BTC/USDT")[0]["price"] == 50_000
    assert client.fetch_ohlcv("BTC/USDT", "1m")[-1][1] == 50_000
    assert client.fetch_trading_fee("BTC/USDT")["taker"] == 0.001
    assert set(client.fetch_currencies()) >= {"BTC", "USDT"}
    replaced = client.create_order("BTC/USDT", "limit", "buy", 1, 48_000)
    edited = client.edit_order(replaced["id"], "BTC/USDT", "limit", "buy", 1, 48_100)
    assert edited["price"] == 48_100


def binance_session(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseClient, "API_URL", f"{venue.url}/api")
    monkeypatch.setattr(BaseClient, "MARGIN_API_URL", f"{venue.url}/sapi")
    monkeypatch.setattr(BaseClient, "FUTURES_URL", f"{venue.url}/fapi")
    client = Client(venue.alice.api_key, venue.alice.secret)
    assert client.get_system_status() == {"status": 0, "msg": "normal"}
    assert client.get_symbol_info("BTCUSDT")["baseAsset"] == "BTC"
    order = client.order_limit_buy(symbol="BTCUSDT", quantity="1", price="48000")
    shown = client.get_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert (shown["status"], shown["price"]) == ("NEW", "48000.00000000")
    client.create_test_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="1", price="48000"
    )
    assert len(client.get_open_orders(symbol="BTCUSDT")) == 1
    assert client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])["status"] == "CANCELED"
    taken = client.order_market_buy(symbol="BTCUSDT", quantity="0.5")
    assert taken["fills"][0]["price"] == "50000.00000000"
    with pytest.raises(BinanceAPIException) as refused:
        client.order_limit_buy(symbol="BTCUSDT", quantity="1", price="0.001")
    assert (refused.value.code, refused.value.message) == (-1013, "Filter failure: PRICE_FILTER")
    client.create_oco_order(
        symbol="BTCUSDT",
        side="SELL",
        quantity="1",
        aboveType="LIMIT_MAKER",
        abovePrice="60000",
        belowType="STOP_LOSS",
        belowStopPrice="40000",
    )
    assert len(client.cancel_all_open_orders(symbol="BTCUSDT")) == 1
    assert client.get_asset_balance(asset="BTC")["free"] == "10.49950000"
    assert len(client.get_all_orders(symbol="BTCUSDT")) == 4
    assert client.get_my_trades(symbol="BTCUSDT")[0]["qty"] == "0.50000000"
    assert client.get_trade_fee(symbol="BTCUSDT")[0]["takerCommission"] == "0.001000"
    assert {coin["coin"] for coin in client.get_all_coins_info()} >= {"BTC", "USDT"}
    assert client.get_account_api_permissions()["enableReading"]
    assert client.get_order_book(symbol="BTCUSDT")["bids"][0] == ["49000.00000000", "5.00000000"]
    assert client.get_recent_trades(symbol="BTCUSDT")[0]["price"] == "50000.00000000"
    assert client.get_klines(symbol="BTCUSDT", interval="1m")[-1][4] == "50000.00000000"
    assert client.get_historical_klines("BTCUSDT", "1m", "1 hour ago UTC")
    assert client.get_avg_price(symbol="BTCUSDT")["mins"] == 5
    assert client.get_ticker(symbol="BTCUSDT")["lastPrice"] == "50000.00000000"
    key = client.stream_get_listen_key()
    client.stream_keepalive(key)
    client.stream_close(key)
    client.session.close()
    client.loop.close()


async def test_a_ccxt_session(venue: Venue) -> None:
    await asyncio.to_thread(ccxt_session, venue)


async def test_a_python_binance_session(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(binance_session, venue, monkeypatch)
