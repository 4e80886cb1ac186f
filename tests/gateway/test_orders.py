"""Orders through the API, from placing to history, as Binance's clients see them."""

from typing import Any

import pytest
from tests.gateway.exchange import SECOND_NS, Exchange, User, picked

from seawall.model.trading import MarketStatus

ORDER_KEYS = {
    "symbol", "orderId", "orderListId", "clientOrderId", "price", "origQty", "executedQty",
    "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "stopPrice", "icebergQty",
    "time", "updateTime", "isWorking", "workingTime", "origQuoteOrderQty",
    "selfTradePreventionMode",
}  # fmt: skip


async def test_a_resting_order_says_all_of_itself(exchange: Exchange, alice: User) -> None:
    rests = await exchange.limit(alice, "SELL", "1", "50000", newClientOrderId="offer")
    assert rests == {
        "symbol": "BTCUSDT",
        "orderId": 1,
        "orderListId": -1,
        "clientOrderId": "offer",
        "transactTime": rests["transactTime"],
        "price": "50000.00000000",
        "origQty": "1.00000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "SELL",
        "workingTime": rests["transactTime"],
        "fills": [],
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


async def test_a_fill_reaches_both_sides(exchange: Exchange, alice: User, bob: User) -> None:
    await exchange.limit(alice, "SELL", "1", "50000", newClientOrderId="offer")
    takes = await exchange.order(bob, side="BUY", type="MARKET", quoteOrderQty="1000")
    filled = takes.json()
    assert picked(filled, "status", "origQty", "executedQty", "cummulativeQuoteQty") == (
        "FILLED",
        "0.02000000",
        "0.02000000",
        "1000.00000000",
    )
    assert filled["fills"] == [
        {
            "price": "50000.00000000",
            "qty": "0.02000000",
            "commission": "0.00002000",
            "commissionAsset": "BTC",
            "tradeId": 1,
        }
    ]
    shown = (
        await exchange.signed(
            "GET", "/api/v3/order", alice, symbol="BTCUSDT", origClientOrderId="offer"
        )
    ).json()
    assert set(shown) == ORDER_KEYS
    assert picked(shown, "status", "executedQty", "isWorking") == (
        "PARTIALLY_FILLED",
        "0.02000000",
        True,
    )
    trades = (await exchange.signed("GET", "/api/v3/myTrades", alice, symbol="BTCUSDT")).json()
    assert picked(trades[0], "id", "commission", "commissionAsset", "isBuyer", "isMaker") == (
        1,
        "1.00000000",
        "USDT",
        False,
        True,
    )
    account = (await exchange.signed("GET", "/api/v3/account", alice)).json()
    found = {balance["asset"]: balance for balance in account["balances"]}
    assert found["BTC"] == {"asset": "BTC", "free": "9.00000000", "locked": "0.98000000"}
    assert found["USDT"]["free"] == "1000999.00000000"


async def test_response_types(exchange: Exchange, alice: User) -> None:
    sell = {
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "50000",
    }
    ack = (await exchange.order(alice, **sell, newOrderRespType="ACK")).json()
    assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    result = (await exchange.order(alice, **sell, newOrderRespType="RESULT")).json()
    assert "fills" not in result
    assert result["status"] == "NEW"
    maker = {"side": "SELL", "type": "LIMIT_MAKER", "quantity": "1", "price": "50000"}
    assert set((await exchange.order(alice, **maker)).json()) == set(ack)


async def test_the_ends_of_orders(exchange: Exchange, alice: User, bob: User) -> None:
    await exchange.limit(alice, "SELL", "1", "50000")
    await exchange.limit(alice, "SELL", "1", "50010")

    async def buy(**terms: str) -> tuple[Any, ...]:
        answer = await exchange.order(bob, side="BUY", newOrderRespType="RESULT", **terms)
        found = answer.json()
        if answer.status_code != 200:
            return answer.status_code, found["code"], found["msg"]
        return picked(found, "status", "executedQty")

    limit = {"type": "LIMIT", "quantity": "1.5", "price": "50000"}
    assert await buy(**limit, timeInForce="FOK") == ("EXPIRED", "0.00000000")
    assert await buy(**limit, timeInForce="IOC") == ("EXPIRED", "1.00000000")
    assert await buy(type="MARKET", quantity="2") == ("EXPIRED", "1.00000000")
    await exchange.limit(alice, "SELL", "1", "50000")
    assert await buy(type="LIMIT_MAKER", quantity="1", price="50000") == (
        400, -2010, "Order would immediately match and take.",
    )  # fmt: skip
    assert await buy(type="STOP_LOSS_LIMIT", timeInForce="GTC", quantity="1", price="51000",
                     stopPrice="49000") == (
        400, -2010, "Stop price would trigger immediately.",
    )  # fmt: skip


async def test_a_stop_waits_then_works(exchange: Exchange, alice: User, bob: User) -> None:
    await exchange.limit(alice, "SELL", "1", "50000")
    await exchange.order(bob, side="BUY", type="MARKET", quantity="0.1")
    stop = (
        await exchange.order(
            bob,
            side="BUY",
            type="STOP_LOSS_LIMIT",
            timeInForce="GTC",
            quantity="0.1",
            price="50100",
            stopPrice="50050",
            newOrderRespType="RESULT",
        )
    ).json()
    assert picked(stop, "status", "stopPrice", "workingTime") == ("NEW", "50050.00000000", -1)
    waiting = (await exchange.signed("GET", "/api/v3/openOrders", bob, symbol="BTCUSDT")).json()
    assert picked(waiting[0], "isWorking", "type") == (False, "STOP_LOSS_LIMIT")


async def test_cancels(exchange: Exchange, alice: User) -> None:
    first = await exchange.limit(alice, "SELL", "1", "50000", newClientOrderId="one")
    await exchange.limit(alice, "SELL", "2", "50000", newClientOrderId="two")
    canceled = (
        await exchange.signed(
            "DELETE", "/api/v3/order", alice, symbol="BTCUSDT", orderId=first["orderId"]
        )
    ).json()
    assert picked(canceled, "origClientOrderId", "orderId", "status", "origQty") == (
        "one",
        first["orderId"],
        "CANCELED",
        "1.00000000",
    )
    assert canceled["clientOrderId"] != "one"
    again = await exchange.signed(
        "DELETE", "/api/v3/order", alice, symbol="BTCUSDT", orderId=first["orderId"]
    )
    assert again.json() == {"code": -2011, "msg": "Unknown order sent."}
    rest = (await exchange.signed("DELETE", "/api/v3/openOrders", alice, symbol="BTCUSDT")).json()
    assert [picked(order, "origClientOrderId", "status") for order in rest] == [("two", "CANCELED")]


async def test_nobody_sees_or_cancels_anothers_orders(
    exchange: Exchange, alice: User, bob: User
) -> None:
    mine = await exchange.limit(alice, "SELL", "1", "50000", newClientOrderId="mine")
    for which in ({"orderId": mine["orderId"]}, {"origClientOrderId": "mine"}):
        shown = await exchange.signed("GET", "/api/v3/order", bob, symbol="BTCUSDT", **which)
        assert shown.json() == {"code": -2013, "msg": "Order does not exist."}
        canceled = await exchange.signed("DELETE", "/api/v3/order", bob, symbol="BTCUSDT", **which)
        assert canceled.json() == {"code": -2011, "msg": "Unknown order sent."}
    for path in ("openOrders", "allOrders", "myTrades"):
        answer = await exchange.signed("GET", f"/api/v3/{path}", bob, symbol="BTCUSDT")
        assert answer.json() == []


REPLACE: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "51000",
}


@pytest.mark.parametrize(
    "mode, cancels, quantity, status, code, results",
    [
        ("STOP_ON_FAILURE", True, "1", 200, None, ("SUCCESS", "SUCCESS")),
        ("STOP_ON_FAILURE", False, "1", 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        ("STOP_ON_FAILURE", True, "100", 409, -2021, ("SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", False, "1", 409, -2021, ("FAILURE", "SUCCESS")),
        ("ALLOW_FAILURE", False, "100", 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
async def test_cancel_replace_says_what_happened_to_each_half(
    exchange: Exchange,
    alice: User,
    mode: str,
    cancels: bool,
    quantity: str,
    status: int,
    code: int | None,
    results: tuple[str, str],
) -> None:
    order = await exchange.limit(alice, "SELL", "1", "50000")
    answer = await exchange.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        alice,
        **{**REPLACE, "quantity": quantity},
        cancelReplaceMode=mode,
        cancelOrderId=order["orderId"] if cancels else 999,
    )
    assert answer.status_code == status
    body = answer.json()
    data = body if code is None else body["data"]
    assert body.get("code") == code
    assert picked(data, "cancelResult", "newOrderResult") == results
    if results[0] == "FAILURE":
        assert data["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}
    if results[1] == "FAILURE":
        assert data["newOrderResponse"]["code"] == -2010
    if results[1] == "NOT_ATTEMPTED":
        assert data["newOrderResponse"] is None
    if results[1] == "SUCCESS":
        assert data["newOrderResponse"]["status"] == "NEW"


async def test_order_lists(exchange: Exchange, alice: User, bob: User) -> None:
    await exchange.limit(bob, "BUY", "1", "50000")
    await exchange.order(alice, side="SELL", type="MARKET", quantity="0.1")
    pair: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "1",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "55000",
        "belowType": "STOP_LOSS_LIMIT",
        "belowStopPrice": "45000",
        "belowPrice": "44900",
        "belowTimeInForce": "GTC",
        "listClientOrderId": "pair",
    }
    placed = (await exchange.signed("POST", "/api/v3/orderList/oco", alice, **pair)).json()
    assert picked(placed, "contingencyType", "listStatusType", "listOrderStatus") == (
        "OCO",
        "EXEC_STARTED",
        "EXECUTING",
    )
    assert [picked(one, "type", "status") for one in placed["orderReports"]] == [
        ("LIMIT_MAKER", "NEW"),
        ("STOP_LOSS_LIMIT", "NEW"),
    ]
    open_lists = (await exchange.signed("GET", "/api/v3/openOrderList", alice)).json()
    assert [one["listClientOrderId"] for one in open_lists] == ["pair"]
    canceled = (
        await exchange.signed(
            "DELETE", "/api/v3/orderList", alice, symbol="BTCUSDT", listClientOrderId="pair"
        )
    ).json()
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert [one["status"] for one in canceled["orderReports"]] == ["CANCELED", "CANCELED"]


async def test_the_other_order_lists(exchange: Exchange, alice: User, bob: User) -> None:
    await exchange.limit(bob, "BUY", "1", "50000")
    await exchange.order(alice, side="SELL", type="MARKET", quantity="0.1")
    legacy = (
        await exchange.signed(
            "POST",
            "/api/v3/order/oco",
            alice,
            symbol="BTCUSDT",
            side="SELL",
            quantity="1",
            price="55000",
            stopPrice="45000",
        )
    ).json()
    assert [one["type"] for one in legacy["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
    oto = (
        await exchange.signed(
            "POST",
            "/api/v3/orderList/otoco",
            alice,
            symbol="BTCUSDT",
            workingType="LIMIT",
            workingSide="BUY",
            workingPrice="40000",
            workingQuantity="1",
            workingTimeInForce="GTC",
            pendingSide="SELL",
            pendingQuantity="1",
            pendingAboveType="LIMIT_MAKER",
            pendingAbovePrice="60000",
            pendingBelowType="STOP_LOSS",
            pendingBelowStopPrice="35000",
        )
    ).json()
    assert oto["contingencyType"] == "OTO"
    assert [one["status"] for one in oto["orderReports"]] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    everything = (
        await exchange.signed("DELETE", "/api/v3/openOrders", alice, symbol="BTCUSDT")
    ).json()
    assert [one["listOrderStatus"] for one in everything] == ["ALL_DONE", "ALL_DONE"]
    listed = (await exchange.signed("GET", "/api/v3/allOrderList", alice)).json()
    assert [one["listOrderStatus"] for one in listed] == ["ALL_DONE"] * 2


async def test_a_closed_market_says_so_and_still_cancels(exchange: Exchange, alice: User) -> None:
    order = await exchange.limit(alice, "SELL", "1", "50000")
    await exchange.operate(
        "markets/BTCUSDT/status", {"status": MarketStatus.CANCEL_ONLY, "reason": "drill"}
    )
    refused = await exchange.order(
        alice, side="SELL", type="LIMIT", timeInForce="GTC", quantity="1", price="50000"
    )
    assert refused.json() == {"code": -1013, "msg": "Market is closed."}
    markets = (await exchange.get("/seawall/v1/markets")).json()["markets"]
    found = next(market for market in markets if market["symbol"] == "BTCUSDT")
    assert picked(found, "status", "reason", "accepts") == ("cancel_only", "drill", ["cancel"])
    info = (await exchange.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).json()
    assert info["symbols"][0]["status"] == "CANCEL_ONLY"
    canceled = await exchange.signed(
        "DELETE", "/api/v3/order", alice, symbol="BTCUSDT", orderId=order["orderId"]
    )
    assert canceled.json()["status"] == "CANCELED"


async def test_silence_cancels_after_the_countdown(exchange: Exchange, alice: User) -> None:
    await exchange.limit(alice, "SELL", "1", "50000")
    armed = await exchange.signed(
        "POST", "/seawall/v1/countdownCancelAll", alice, symbol="BTCUSDT", countdownTime=5000
    )
    assert armed.json()["deadline"] > exchange.now_ms()
    exchange.clock.advance(6 * SECOND_NS)
    await exchange.limit(alice, "SELL", "1", "51000")
    shown = (await exchange.signed("GET", "/api/v3/openOrders", alice, symbol="BTCUSDT")).json()
    assert [order["price"] for order in shown] == ["51000.00000000"]


async def test_due_cancels_of_others_do_not_enter_an_answer(
    exchange: Exchange, alice: User, bob: User
) -> None:
    await exchange.limit(alice, "SELL", "1", "50000")
    await exchange.signed(
        "POST", "/seawall/v1/countdownCancelAll", alice, symbol="BTCUSDT", countdownTime=1000
    )
    await exchange.limit(bob, "SELL", "1", "50000", newClientOrderId="bobs")
    exchange.clock.advance(2 * SECOND_NS)
    canceled = (await exchange.signed("DELETE", "/api/v3/openOrders", bob, symbol="BTCUSDT")).json()
    assert [order["origClientOrderId"] for order in canceled] == ["bobs"]
    refused = await exchange.signed("DELETE", "/api/v3/order", bob, symbol="BTCUSDT", orderId=77)
    assert refused.json() == {"code": -2011, "msg": "Unknown order sent."}


async def test_order_limits_are_counted_and_shown(exchange: Exchange, alice: User) -> None:
    for count in (1, 2):
        answer = await exchange.order(
            alice, side="SELL", type="LIMIT", timeInForce="GTC", quantity="1", price="50000"
        )
        assert answer.headers["x-mbx-order-count-10s"] == str(count)
        assert answer.headers["x-mbx-order-count-1d"] == str(count)
        assert int(answer.headers["x-mbx-used-weight-1m"]) >= count
    limits = (await exchange.signed("GET", "/api/v3/rateLimit/order", alice)).json()
    assert [limit["count"] for limit in limits] == [2, 2]


async def test_an_orders_first_fill_is_given_back(
    exchange: Exchange, alice: User, bob: User
) -> None:
    async def counts(user: User) -> list[int]:
        limits = (await exchange.signed("GET", "/api/v3/rateLimit/order", user)).json()
        return [limit["count"] for limit in limits]

    await exchange.limit(alice, "SELL", "1", "50000")
    await exchange.limit(alice, "SELL", "1", "50001")
    assert await counts(alice) == [2, 2]
    await exchange.order(bob, side="BUY", type="MARKET", quantity="0.1")
    assert (await counts(alice), await counts(bob)) == ([1, 1], [0, 0])
    await exchange.order(bob, side="BUY", type="MARKET", quantity="0.1")
    assert await counts(alice) == [1, 1], "only the first fill of an order counts"
