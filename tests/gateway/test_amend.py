"""Amending orders, and asking later how they were amended."""

import asyncio
from typing import Any

from tests.gateway.exchange import Exchange, User, picked


async def amend(exchange: Exchange, user: User, quantity: str, **which: Any) -> dict[str, Any]:
    answer = await exchange.signed(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        user,
        symbol="BTCUSDT",
        newQty=quantity,
        **which,
    )
    found: dict[str, Any] = answer.json()
    return found


async def test_amending_keeps_the_order_and_shrinks_it(exchange: Exchange, alice: User) -> None:
    order = await exchange.limit(alice, "SELL", "2", "50000", newClientOrderId="big")
    answer = await amend(exchange, alice, "1.5", orderId=order["orderId"], newClientOrderId="small")
    assert picked(
        answer["amendedOrder"], "orderId", "origClientOrderId", "clientOrderId", "qty", "status"
    ) == (order["orderId"], "big", "small", "1.50000000", "NEW")
    assert await amend(exchange, alice, "3", orderId=order["orderId"]) == {
        "code": -2038,
        "msg": "Order amend (quantity increase) is not supported.",
    }


async def test_each_amendment_can_be_asked_for(exchange: Exchange, alice: User, bob: User) -> None:
    order = await exchange.limit(alice, "SELL", "2", "50000", newClientOrderId="big")
    first = await amend(exchange, alice, "1.5", origClientOrderId="big", newClientOrderId="small")
    second = await amend(exchange, alice, "1", origClientOrderId="small")
    path, named = "/api/v3/order/amendments", {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    told = (await exchange.signed("GET", path, alice, **named)).json()
    assert told == [
        {
            "symbol": "BTCUSDT",
            "orderId": order["orderId"],
            "executionId": answer["executionId"],
            "origClientOrderId": names[0],
            "newClientOrderId": names[1],
            "origQty": quantities[0],
            "newQty": quantities[1],
            "time": answer["transactTime"],
        }
        for answer, names, quantities in (
            (first, ("big", "small"), ("2.00000000", "1.50000000")),
            (second, ("small", "small"), ("1.50000000", "1.00000000")),
        )
    ]
    later = {"fromExecutionId": second["executionId"], "limit": 5}
    assert (await exchange.signed("GET", path, alice, **named, **later)).json() == told[1:]
    assert (await exchange.signed("GET", path, bob, **named)).json() == []


async def test_an_amendment_is_answered_as_of_its_own_moment(
    exchange: Exchange, alice: User, bob: User
) -> None:
    """Amendments, a fill and a cancel go into the journal as one batch."""
    await exchange.limit(bob, "BUY", "1", "50000")
    await exchange.order(alice, side="SELL", type="MARKET", quantity="0.1")
    pair: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "3",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "55000",
        "aboveClientOrderId": "above",
        "belowType": "STOP_LOSS",
        "belowStopPrice": "45000",
        "belowClientOrderId": "below",
    }
    await exchange.signed("POST", "/api/v3/orderList/oco", alice, **pair)

    by_above, by_below, _, last = await asyncio.gather(
        amend(exchange, alice, "2", origClientOrderId="above", newClientOrderId="above2"),
        amend(exchange, alice, "1.5", origClientOrderId="below", newClientOrderId="below2"),
        exchange.order(bob, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.5",
                       price="55000"),
        exchange.signed(
            "DELETE", "/api/v3/order", alice, symbol="BTCUSDT", origClientOrderId="above2"
        ),
    )  # fmt: skip
    first, second = by_above["amendedOrder"], by_below["amendedOrder"]
    shown = ("origClientOrderId", "clientOrderId", "type", "qty", "executedQty", "status")
    assert picked(first, *shown) == (
        "above", "above2", "LIMIT_MAKER", "2.00000000", "0.00000000", "NEW",
    )  # fmt: skip
    assert picked(second, *shown) == (
        "below", "below2", "STOP_LOSS", "1.50000000", "0.00000000", "NEW",
    )  # fmt: skip
    assert first["workingTime"] > 0
    assert second["workingTime"] == -1
    for answer, names in ((by_above, {"above2", "below"}), (by_below, {"above2", "below2"})):
        listed = answer["listStatus"]["orders"]
        assert {one["clientOrderId"] for one in listed} == names
    assert picked(last.json(), "status", "executedQty") == ("CANCELED", "0.50000000")
