"""ccxt, unmodified but for its URLs: a whole session each with sync, async and pro."""

import asyncio
import time
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest
from tests.clients.urls import ccxt_config
from tests.exchange import Account, Exchange

SYMBOL = "BTC/USDT"


def config(exchange: Exchange, account: Account) -> dict[str, Any]:
    made = ccxt_config(exchange, account)
    made["options"]["fetchMarkets"] = {"types": ["spot"]}
    return made


def test_sync_session(exchange: Exchange) -> None:
    client = ccxt.binance(config(exchange, exchange.open_account("sync")))
    markets = client.load_markets()
    assert {"BTC/USDT", "ETH/USDT", "LTC/USDT", "BNB/USDT", "ETH/BTC"} <= set(markets)
    assert markets[SYMBOL]["precision"]["price"] == 0.01
    assert abs(client.fetch_time() - time.time() * 1000) < 60_000
    assert client.fetch_status()["status"] == "ok"
    book = client.fetch_order_book(SYMBOL, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert client.fetch_ticker(SYMBOL)["last"] > 0
    assert set(client.fetch_tickers()) >= {"BTC/USDT", "ETH/USDT"}
    assert client.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0
    assert client.fetch_trades(SYMBOL, limit=5)
    candles = client.fetch_ohlcv(SYMBOL, "1m")
    assert candles
    assert all(low <= opened <= high for _, opened, high, low, _, _ in candles)
    assert client.fetch_trading_fee(SYMBOL)["maker"] == 0.001

    before = client.fetch_balance()
    assert before["USDT"]["free"] == 100_000_000
    low = round(book["bids"][0][0] * 0.9, 2)
    order = client.create_order(SYMBOL, "limit", "buy", 0.01, low)
    assert client.fetch_order(order["id"], SYMBOL)["status"] == "open"
    assert client.fetch_balance()["USDT"]["used"] == pytest.approx(low * 0.01)
    assert [each["id"] for each in client.fetch_open_orders(SYMBOL)] == [order["id"]]
    assert client.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
    for price in (low, low - 1):
        client.create_limit_buy_order(SYMBOL, 0.01, price)
    client.cancel_all_orders(SYMBOL)
    assert client.fetch_open_orders(SYMBOL) == []
    bought = client.create_market_buy_order(SYMBOL, 0.01)
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    spent = client.create_order(SYMBOL, "market", "buy", None, None, {"quoteOrderQty": 600})
    assert spent["cost"] <= 600
    trades = client.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} == {bought["id"], spent["id"]}
    assert [each["status"] for each in client.fetch_orders(SYMBOL)] == [
        "canceled", "canceled", "canceled", "closed", "closed",
    ]  # fmt: skip
    assert client.fetch_balance()["BTC"]["free"] > before["BTC"]["free"]


def test_its_errors_are_its_own(exchange: Exchange) -> None:
    poor = exchange.open_account("poor", {"USDT": "1000"})
    client = ccxt.binance(config(exchange, poor))
    client.load_markets()
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_limit_buy_order(SYMBOL, 140, 60_000)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("999999999", SYMBOL)
    with pytest.raises(ccxt.InvalidOrder):
        client.create_limit_buy_order(SYMBOL, 0.00001, 10)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 70_000, {"postOnly": True})
    with pytest.raises(ccxt.BadSymbol):
        client.public_get_depth({"symbol": "NOSUCH"})
    stranger = ccxt.binance(config(exchange, Account("x", "k" * 64, "s" * 64)))
    with pytest.raises(ccxt.AuthenticationError):
        stranger.fetch_balance()


async def test_async_session(exchange: Exchange) -> None:
    account = await asyncio.to_thread(exchange.open_account, "async")
    client = ccxt.async_support.binance(config(exchange, account))
    try:
        await client.load_markets()
        book, ticker, candles, trades = await asyncio.gather(
            client.fetch_order_book(SYMBOL),
            client.fetch_ticker(SYMBOL),
            client.fetch_ohlcv(SYMBOL, "1s"),
            client.fetch_trades(SYMBOL),
        )
        assert book["bids"]
        assert ticker["last"]
        assert candles
        assert trades
        low = round(book["bids"][0][0] * 0.9, 2)
        orders = await asyncio.gather(
            *(client.create_limit_buy_order(SYMBOL, 0.001, low - n) for n in range(10))
        )
        shown = await client.fetch_open_orders(SYMBOL)
        assert {each["id"] for each in shown} == {each["id"] for each in orders}
        await client.cancel_order(orders[0]["id"], SYMBOL)
        await client.cancel_all_orders(SYMBOL)
        sold = await client.create_market_sell_order(SYMBOL, 0.01)
        assert sold["status"] == "closed"
        assert (await client.fetch_balance())["BTC"]["total"] == pytest.approx(999.99)
        assert len(await client.fetch_my_trades(SYMBOL)) >= 1
        assert len(await client.fetch_orders(SYMBOL)) == 11
    finally:
        await client.close()


async def test_pro_session(exchange: Exchange) -> None:
    account = await asyncio.to_thread(exchange.open_account, "pro")
    client = ccxt.pro.binance(config(exchange, account))
    try:
        await client.load_markets()
        async with asyncio.timeout(60):
            book, ticker, tickers, trades, candles, best = await asyncio.gather(
                client.watch_order_book(SYMBOL),
                client.watch_ticker(SYMBOL),
                client.watch_tickers([SYMBOL, "ETH/USDT"]),
                client.watch_trades(SYMBOL),
                client.watch_ohlcv(SYMBOL, "1m"),
                client.watch_bids_asks([SYMBOL]),
            )
            assert book["bids"][0][0] < book["asks"][0][0]
            assert ticker["last"]
            assert tickers
            assert trades[0]["price"]
            assert candles[0][4]
            assert best[SYMBOL]["ask"]
            await watch_own(client, book["bids"][0][0])
            await over_the_socket(client, book["bids"][0][0])
    finally:
        await client.close()


async def watch_own(client: Any, best_bid: float) -> None:
    """Orders, trades and balances arrive by themselves."""
    balances = asyncio.create_task(client.watch_balance())
    orders = asyncio.create_task(client.watch_orders(SYMBOL))
    trades = asyncio.create_task(client.watch_my_trades(SYMBOL))
    placed: list[Any] = []
    while not (balances.done() and orders.done() and trades.done()):
        # Its subscriptions are under way; events from before them are lost on every exchange.
        placed.append(await client.create_market_buy_order(SYMBOL, 0.001))
        await asyncio.wait({balances, orders, trades}, timeout=0.5)
    ids = {order["id"] for order in placed}
    assert orders.result()[-1]["id"] in ids
    assert trades.result()[-1]["order"] in ids
    assert balances.result()["USDT"]["free"] < 100_000_000
    resting = asyncio.create_task(client.watch_orders(SYMBOL))
    order = await client.create_limit_buy_order(SYMBOL, 0.001, round(best_bid * 0.9, 2))
    while not any(each["id"] == order["id"] for each in await resting):
        resting = asyncio.create_task(client.watch_orders(SYMBOL))
    canceling = asyncio.create_task(client.watch_orders(SYMBOL))
    await client.cancel_order(order["id"], SYMBOL)
    while not any(each["status"] == "canceled" for each in await canceling):
        canceling = asyncio.create_task(client.watch_orders(SYMBOL))


async def over_the_socket(client: Any, best_bid: float) -> None:
    """Do the same over the WebSocket API."""
    low = round(best_bid * 0.9, 2)
    order = await client.create_order_ws(SYMBOL, "limit", "buy", 0.001, low)
    assert order["status"] == "open"
    assert (await client.fetch_order_ws(order["id"], SYMBOL))["id"] == order["id"]
    shown = await client.fetch_open_orders_ws(SYMBOL)
    assert order["id"] in {each["id"] for each in shown}
    edited = await client.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 0.002, low - 1)
    canceled = await client.cancel_order_ws(edited["id"], SYMBOL)
    assert canceled["status"] == "canceled"
    await client.create_order_ws(SYMBOL, "limit", "buy", 0.001, low)
    await client.cancel_all_orders_ws(SYMBOL)
    assert await client.fetch_open_orders_ws(SYMBOL) == []
    # Of a spot account over this transport ccxt leaves the balances as they came.
    told = (await client.fetch_balance_ws())["info"]["balances"]
    assert {each["asset"] for each in told} >= {"BTC", "USDT"}
    assert await client.fetch_my_trades_ws(SYMBOL)
    assert (await client.fetch_ohlcv_ws(SYMBOL, "1m"))[-1][4]
