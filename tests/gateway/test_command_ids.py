"""A command id takes effect once: over both transports, across retries and restarts."""

from pathlib import Path
from typing import Any

import pytest
from tests.gateway.exchange import SECOND_NS, Exchange, RunningClock, User, open_exchange, picked
from tests.gateway.streams.served import Served, ask, serve, signed

LIMIT = {
    "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1",
    "price": "50000",
}  # fmt: skip


async def test_a_command_id_takes_effect_once(exchange: Exchange, alice: User) -> None:
    terms = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "50000",
    }
    header = {"X-Seawall-Command-Id": "retry-1"}
    first = await exchange.signed("POST", "/api/v3/order", alice, header, **terms)
    again = await exchange.signed("POST", "/api/v3/order", alice, header, **terms)
    assert again.status_code == 200
    assert again.json()["orderId"] == first.json()["orderId"]
    assert again.json()["clientOrderId"] == first.json()["clientOrderId"]
    assert len(exchange.node.spot.accounts[1].open_orders) == 1
    cancel = {"symbol": "BTCUSDT", "orderId": first.json()["orderId"]}
    header = {"X-Seawall-Command-Id": "retry-2"}
    for _ in range(2):
        answer = await exchange.signed("DELETE", "/api/v3/order", alice, header, **cancel)
        assert answer.json()["status"] == "CANCELED"
    # The order's first command id still answers, with what has become of the order.
    header = {"X-Seawall-Command-Id": "retry-1"}
    late = await exchange.signed("POST", "/api/v3/order", alice, header, **terms)
    assert late.json()["status"] == "CANCELED"
    other = await exchange.signed(
        "POST", "/api/v3/order", alice, header, **terms, newClientOrderId="different"
    )
    assert other.status_code == 409


async def test_a_command_id_is_remembered_across_a_restart(tmp_path: Path) -> None:
    header = {"X-Seawall-Command-Id": "before-the-crash"}
    terms = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1"}
    answers = []
    keys = ("", "")
    for attempt in range(2):
        async with open_exchange(tmp_path) as exchange:
            exchange.clock.advance(attempt * SECOND_NS)
            if attempt == 0:
                made = await exchange.add_user("alice", BTC="10")
                keys = (made.api_key, made.secret)
            alice = User("alice", *keys)
            answer = await exchange.signed(
                "POST", "/api/v3/order", alice, header, symbol="BTCUSDT", price="50000", **terms
            )
            answers.append(answer.json())
            assert len(exchange.node.spot.accounts[1].open_orders) == 1
    assert picked(answers[0], "orderId", "clientOrderId", "status") == picked(
        answers[1], "orderId", "clientOrderId", "status"
    )


async def over_socket(
    served: Served, user: User, method: str, command_id: Any, **params: Any
) -> Any:
    """Send one request on a socket of its own."""
    stamped = signed(user, timestamp=served.exchange.now_ms(), **params)
    async with served.connect("/ws-api/v3") as socket:
        return await ask(
            socket, {"id": 1, "method": method, "commandId": command_id, "params": stamped}
        )


async def test_sockets_and_rest_share_command_ids_across_a_restart(tmp_path: Path) -> None:
    async with serve(tmp_path) as served:
        alice = served.alice
        first = await over_socket(served, alice, "order.place", "once", **LIMIT)
        assert first["result"]["status"] == "NEW"
        again = await over_socket(served, alice, "order.place", "once", **LIMIT)
        rest = await served.exchange.signed(
            "POST", "/api/v3/order", alice, {"X-Seawall-Command-Id": "once"}, **LIMIT
        )
        other = await over_socket(served, alice, "order.place", "twice", **LIMIT)
        assert other["result"]["orderId"] != first["result"]["orderId"]
        # Another user's command of that id is another command.
        bobs = await over_socket(served, served.bob, "order.place", "once", **LIMIT)
    async with open_exchange(tmp_path, clock=RunningClock()) as exchange:
        late = await exchange.signed(
            "POST", "/api/v3/order", alice, {"X-Seawall-Command-Id": "once"}, **LIMIT
        )
        assert len(exchange.node.spot.accounts[1].open_orders) == 2
    for repeat in (again["result"], rest.json(), late.json()):
        assert picked(repeat, "orderId", "clientOrderId") == picked(
            first["result"], "orderId", "clientOrderId"
        )
    assert bobs["result"]["orderId"] != first["result"]["orderId"]


async def test_a_command_id_that_is_none_is_refused(tmp_path: Path) -> None:
    async with serve(tmp_path) as served:
        for command_id, code in (("x" * 45, -1130), ("caf\u00e9", -1130), (7, -1135)):
            answer = await over_socket(served, served.alice, "order.place", command_id, **LIMIT)
            assert (answer["status"], answer["error"]["code"]) == (400, code)
        for taken in ("x" * 44, None):
            answer = await over_socket(served, served.alice, "order.place", taken, **LIMIT)
            assert answer["status"] == 200, answer
        assert len(served.exchange.node.spot.accounts[1].open_orders) == 2


@pytest.mark.parametrize(
    "cancels, quantity, results",
    [
        (True, "1", ("SUCCESS", "SUCCESS")),
        (True, "100", ("SUCCESS", "FAILURE")),
        (False, "1", ("FAILURE", "SUCCESS")),
    ],
)
async def test_a_repeated_cancel_replace_says_what_the_first_did(
    exchange: Exchange, alice: User, cancels: bool, quantity: str, results: tuple[str, str]
) -> None:
    order = await exchange.limit(alice, "SELL", "1", "50000")
    bodies = []
    for _ in range(2):
        answer = await exchange.signed(
            "POST",
            "/api/v3/order/cancelReplace",
            alice,
            {"X-Seawall-Command-Id": "swap"},
            **{**LIMIT, "quantity": quantity},
            cancelReplaceMode="ALLOW_FAILURE",
            cancelOrderId=order["orderId"] if cancels else 999,
        )
        assert answer.status_code == (200 if results == ("SUCCESS", "SUCCESS") else 409)
        body = answer.json()
        bodies.append(body.get("data", body))
    for body in bodies:
        assert picked(body, "cancelResult", "newOrderResult") == results
    if results[1] == "SUCCESS":
        ids = [body["newOrderResponse"]["orderId"] for body in bodies]
        assert ids[0] == ids[1]


async def test_a_repeated_countdown_keeps_its_deadline(exchange: Exchange, alice: User) -> None:
    deadlines = []
    for _ in range(2):
        answer = await exchange.signed(
            "POST", "/seawall/v1/countdownCancelAll", alice, {"X-Seawall-Command-Id": "arm"},
            symbol="BTCUSDT", countdownTime=5000,
        )  # fmt: skip
        deadlines.append(answer.json()["deadline"])
        exchange.clock.advance(SECOND_NS)
    assert deadlines[0] == deadlines[1] > 0
