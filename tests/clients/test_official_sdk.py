"""Binance's own SDK, unmodified but for its base URLs, runs a whole session.

Its models are strict: an id that is no integer or a price that is no text fails.  Beyond that it is
looked at whether each field the models know is there, but for those that Binance shows only where
they apply.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any

import pytest
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError
from binance_sdk_spot.spot import Spot
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import BaseModel
from tests.exchange import Account, Exchange

AT = "BTCUSDT"
PATIENCE_MS = 30_000
"""The SDK gives up on a request after a second, which a busy machine may need."""

PEGGED = {"pegOffsetType", "pegOffsetValue", "pegPriceType", "peggedPrice"}
CONDITIONAL = PEGGED | {
    "expiryReason", "icebergQty", "preventedMatchId", "preventedQuantity", "stopPrice",
    "strategyId", "strategyType", "trailingDelta", "trailingTime", "usedSor", "workingFloor",
    "listStatus", "sors",
}  # fmt: skip
"""Shown where they apply; pegged orders, smart routing and reasons of expiry are not offered."""
BY_RESPONSE_TYPE = {
    "cummulativeQuoteQty", "executedQty", "fills", "origQty", "origQuoteOrderQty", "price",
    "selfTradePreventionMode", "side", "status", "timeInForce", "type", "workingTime",
}  # fmt: skip
"""An ACK has none of these."""
OF_LISTS = {
    "contingencyType", "listClientOrderId", "listOrderStatus", "listStatusType", "orderReports",
    "orders", "transactionTime", "clientOrderId", "origClientOrderId", "orderId", "transactTime",
}  # fmt: skip
"""The SDK has one model for orders and lists where an answer holds both."""
FILTERS = {"priceExponent", "qtyExponent", "multiplierExponent", "count"}
"""What the SDK reads of exchangeInfo's filters and limits that Binance does not send either."""


def lacking(found: Any) -> set[str]:
    """Return the fields that the models know and an answer has not."""
    if isinstance(found, list):
        return set().union(*(lacking(one) for one in found))
    if not isinstance(found, BaseModel):
        return set()
    one_of_several = getattr(found, "actual_instance", None)
    if one_of_several is not None:
        return lacking(one_of_several)
    names: set[str] = set()
    for name, field in type(found).model_fields.items():
        value = getattr(found, name)
        if name != "additional_properties":
            names |= {field.alias or name} if value is None else lacking(value)
    return names


def full(answer: Any, allowed: Collection[str] = ()) -> Any:
    """Return what an answer says, once the SDK's models have taken it."""
    data = answer.data()
    assert lacking(data) <= CONDITIONAL.union(allowed), data
    return data


@pytest.fixture
def account(exchange: Exchange, request: pytest.FixtureRequest) -> Account:
    """Give each test a user of its own."""
    return exchange.open_account(request.node.name)


@pytest.fixture
def rest(exchange: Exchange, account: Account) -> Iterator[Any]:
    client = Spot(
        config_rest_api=ConfigurationRestAPI(
            api_key=account.api_key,
            api_secret=account.secret_key,
            base_path=exchange.url,
            timeout=PATIENCE_MS,
        )
    ).rest_api
    yield client
    client._session.close()


def limit(rest: Any, price: float = 50_000.5) -> Any:
    return full(rest.new_order(AT, "BUY", "LIMIT", time_in_force="GTC", quantity=0.01, price=price))


def test_what_is_public(rest: Any) -> None:
    full(rest.ping())
    assert full(rest.time()).server_time > 1_700_000_000_000
    symbols = full(rest.exchange_info(), FILTERS).symbols
    assert {one.symbol for one in symbols} >= {AT, "ETHBTC"}
    assert len(full(rest.depth(AT, limit=5)).bids) == 5
    full(rest.get_trades(AT, limit=3))
    full(rest.historical_trades(AT, limit=3))
    full(rest.agg_trades(AT, limit=3))
    full(rest.avg_price(AT))
    for bars in (rest.klines(AT, "1m", limit=3), rest.ui_klines(AT, "1m", limit=3)):
        assert all(len(bar) == 12 for bar in full(bars))
    for which in ({"symbol": AT}, {"symbols": [AT, "ETHUSDT"]}):
        for ask in (
            rest.ticker, rest.ticker24hr, rest.ticker_trading_day, rest.ticker_price,
            rest.ticker_book_ticker,
        ):  # fmt: skip
            full(ask(**which))
    rest.ticker24hr(symbol=AT, type="MINI").data()


def test_an_order_from_placing_to_cancel(rest: Any) -> None:
    order = limit(rest)
    which = {"order_id": order.order_id}
    assert full(rest.get_order(AT, **which)).status == "NEW"
    assert [one.order_id for one in full(rest.get_open_orders(AT))] == [order.order_id]
    amended = full(rest.order_amend_keep_priority(AT, 0.005, **which))
    assert amended.amended_order.qty == "0.00500000"
    (told,) = full(rest.order_amendments(AT, **which))
    assert (told.execution_id, told.orig_qty) == (amended.execution_id, "0.01000000")
    both = full(
        rest.order_cancel_replace(
            AT, "BUY", "LIMIT", "STOP_ON_FAILURE", time_in_force="GTC", quantity=0.01,
            price=50_001.0, cancel_order_id=order.order_id,
        )
    )  # fmt: skip
    new = both.new_order_response.order_id
    assert full(rest.delete_order(AT, order_id=new)).status == "CANCELED"
    assert {order.order_id, new} <= {one.order_id for one in full(rest.all_orders(AT))}
    with pytest.raises(BadRequestError) as refused:
        rest.delete_order(AT, order_id=new)
    assert refused.value.args[0] == -2011 or "Unknown order sent." in str(refused.value)


ORDERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("BUY", "LIMIT", {"time_in_force": "IOC", "price": 55_000.5, "new_order_resp_type": "RESULT"}),
    ("BUY", "LIMIT", {"time_in_force": "GTC", "price": 55_000.5, "new_order_resp_type": "ACK"}),
    ("SELL", "LIMIT_MAKER", {"price": 65_000.0}),
    ("SELL", "STOP_LOSS", {"stop_price": 50_000.0}),
    ("SELL", "STOP_LOSS", {"trailing_delta": 200, "new_order_resp_type": "FULL"}),
    ("SELL", "STOP_LOSS_LIMIT", {"time_in_force": "GTC", "stop_price": 50e3, "price": 49_900.0}),
    ("SELL", "TAKE_PROFIT", {"stop_price": 66_000.0}),
    (
        "SELL",
        "TAKE_PROFIT_LIMIT",
        {
            "time_in_force": "GTC",
            "stop_price": 66_000.0,
            "price": 66_000.0,
            "iceberg_qty": 0.005,
            "strategy_id": 3,
            "strategy_type": 1_000_001,
        },
    ),
)


def test_every_type_of_order(rest: Any) -> None:
    placed = [
        full(rest.new_order(AT, side, kind, quantity=0.01, **terms), BY_RESPONSE_TYPE).order_id
        for side, kind, terms in ORDERS
    ]
    waiting = {one.order_id: one for one in full(rest.get_open_orders(AT))}
    assert set(placed[1:]) == set(waiting)
    assert (waiting[placed[7]].strategy_id, waiting[placed[7]].iceberg_qty) == (3, "0.00500000")
    bought = [
        full(rest.new_order(AT, "BUY", "MARKET", quantity=0.01)),
        full(rest.new_order(AT, "BUY", "MARKET", quote_order_qty=500.0)),
    ]
    assert all(one.status == "FILLED" and one.fills for one in bought)
    trades = full(rest.my_trades(AT))
    assert {one.order_id for one in bought} <= {one.order_id for one in trades}
    rates = rest.order_test(AT, "BUY", "MARKET", quantity=0.01, compute_commission_rates=True)
    assert full(rates).standard_commission_for_order.taker == "0.00100000"


def test_order_lists(rest: Any) -> None:
    oco = full(
        rest.order_list_oco(
            AT, "SELL", 0.01, "LIMIT_MAKER", "STOP_LOSS_LIMIT", above_price=65_000.0,
            below_price=50_000.0, below_stop_price=50_100.0, below_time_in_force="GTC",
            new_order_resp_type="FULL",
        )
    )  # fmt: skip
    full(
        rest.order_list_oto(
            AT, "LIMIT", "BUY", 50_000.0, 0.01, "LIMIT_MAKER", "SELL", 0.01,
            working_time_in_force="GTC", pending_price=66_000.0,
        )
    )  # fmt: skip
    full(
        rest.order_list_otoco(
            AT, "LIMIT", "BUY", 50_000.0, 0.01, "SELL", 0.01, "LIMIT_MAKER",
            working_time_in_force="GTC", pending_above_price=66_000.0,
            pending_below_type="STOP_LOSS", pending_below_stop_price=45_000.0,
        )
    )  # fmt: skip
    full(
        rest.order_oco(
            AT, "SELL", 0.01, 65_000.0, 50_100.0, stop_limit_price=50_000.0,
            stop_limit_time_in_force="GTC",
        )
    )  # fmt: skip
    assert full(rest.get_order_list(order_list_id=oco.order_list_id)).contingency_type == "OCO"
    assert len(full(rest.all_order_list())) >= 4
    assert len(full(rest.open_order_list())) == 4
    ended = full(rest.delete_order_list(AT, order_list_id=oco.order_list_id))
    assert {one.status for one in ended.order_reports} == {"CANCELED"}
    full(rest.delete_open_orders(AT), OF_LISTS | BY_RESPONSE_TYPE | {"orderListId"})


def test_the_account(rest: Any) -> None:
    account = full(rest.get_account())
    assert {one.asset for one in account.balances} >= {"BTC", "USDT"}
    assert full(rest.account_commission(AT)).standard_commission.maker == "0.00100000"
    full(rest.rate_limit_order())
    own = full(
        rest.new_order(AT, "SELL", "LIMIT_MAKER", quantity=0.01, price=65_000.0), BY_RESPONSE_TYPE
    )
    assert full(rest.my_prevented_matches(AT, order_id=own.order_id)) == []
    assert full(rest.my_allocations(AT)) == []


@pytest.fixture
def sockets(exchange: Exchange, account: Account) -> Any:
    return Spot(
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=account.api_key,
            api_secret=account.secret_key,
            stream_url=f"{exchange.websocket_url}/ws-api/v3",
            timeout=PATIENCE_MS,
        ),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=exchange.websocket_url),
    )


async def test_orders_and_user_data_over_the_websocket_api(sockets: Any) -> None:
    api = sockets.websocket_api
    await api.create_connection()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    subscribed = await api.user_data_stream_subscribe_signature()
    subscribed.stream.on("message", heard.put_nowait)
    for asked in (
        api.ping(), api.time(), api.account_status(), api.account_commission(AT),
        api.account_rate_limits_orders(), api.depth(AT, limit=5), api.klines(AT, "1m", limit=3),
        api.avg_price(AT), api.trades_recent(AT, limit=3), api.trades_aggregate(AT, limit=3),
        api.ticker(symbol=AT), api.ticker24hr(symbol=AT), api.ticker_trading_day(symbol=AT),
        api.ticker_price(symbol=AT), api.ticker_book(symbol=AT),
    ):  # fmt: skip
        full(await asked)
    placed = await api.order_place(
        AT, "BUY", "LIMIT", time_in_force="GTC", quantity=0.01, price=50_000.5
    )
    order_id = full(placed).result.order_id
    assert full(await api.order_status(AT, order_id=order_id)).result.status == "NEW"
    full(await api.order_amend_keep_priority(AT, 0.005, order_id=order_id))
    full(await api.order_amendments(AT, order_id))
    full(await api.open_orders_status(AT))
    full(await api.order_cancel(AT, order_id=order_id), OF_LISTS)
    full(await api.order_place(AT, "BUY", "MARKET", quantity=0.01))
    full(await api.all_orders(AT))
    full(await api.my_trades(AT))
    seen: set[tuple[str, str]] = set()
    while ("TRADE", "FILLED") not in seen:
        event = (await heard.get()).actual_instance
        if type(event).__name__ == "ExecutionReport":
            seen.add((event.x, event.X))
    assert {("NEW", "NEW"), ("REPLACED", "NEW"), ("CANCELED", "CANCELED")} <= seen
    await api.close_connection()


async def test_a_session_with_an_ed25519_key(exchange: Exchange, account: Account) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made = exchange.operator(
        "keys", {"user": account.name, "kind": "ed25519", "publicKey": public.decode()}
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    api: Any = Spot(
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=made["apiKey"],
            private_key=private.decode(),
            stream_url=f"{exchange.websocket_url}/ws-api/v3",
            timeout=PATIENCE_MS,
        )
    ).websocket_api
    await api.create_connection()
    assert full(await api.session_logon()).result.api_key == made["apiKey"]
    full(await api.account_status())
    await api.user_data_stream_subscribe()
    order = full(await api.order_place(AT, "BUY", "MARKET", quantity=0.01)).result
    assert order.status == "FILLED"
    full(await api.session_logout(), {"apiKey", "authorizedSince"})
    await api.close_connection()


async def test_streams(sockets: Any) -> None:
    streams = sockets.websocket_streams
    await streams.create_connection()
    name = AT.lower()
    subscriptions: dict[str, Callable[[], Awaitable[Any]]] = {
        "trade": lambda: streams.trade(name),
        "aggTrade": lambda: streams.agg_trade(name),
        "kline": lambda: streams.kline(name, "1m"),
        "miniTicker": lambda: streams.mini_ticker(name),
        "all miniTickers": streams.all_mini_ticker,
        "ticker": lambda: streams.ticker(name),
        "window": lambda: streams.rolling_window_ticker(name, "1h"),
        "bookTicker": lambda: streams.book_ticker(name),
        "avgPrice": lambda: streams.avg_price(name),
        "partial depth": lambda: streams.partial_book_depth(name, 5),
        "depth": lambda: streams.diff_book_depth(name),
    }
    heard: dict[str, asyncio.Future[Any]] = {}

    def note(of: str, message: Any) -> None:
        if not heard[of].done():
            heard[of].set_result(message)

    for of, subscribe in subscriptions.items():
        heard[of] = asyncio.get_running_loop().create_future()
        (await subscribe()).on("message", lambda message, of=of: note(of, message))
    for of, first in heard.items():
        assert lacking(await first) == set(), of
    await streams.close_connection()
