"""The WebSocket API over a real server: envelopes, log-on, user data, and REST's own answers."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.gateway.streams.served import Served, ask, receive, serve, signed
from websockets.asyncio.client import ClientConnection

from seawall.gateway.methods import WS_METHODS
from seawall.gateway.ws_api import SESSION_METHODS
from seawall.model import limits


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path) as opened:
        yield opened


async def call(socket: ClientConnection, method: str, **params: Any) -> Any:
    return await ask(socket, {"id": method, "method": method, "params": params})


OFFERED = """
    ping time exchangeInfo depth trades.recent trades.historical trades.aggregate klines uiKlines
    avgPrice ticker.24hr ticker.tradingDay ticker ticker.price ticker.book
    session.logon session.status session.logout session.subscriptions
    order.place order.test order.status order.cancel order.cancelReplace order.amend.keepPriority
    openOrders.status openOrders.cancelAll orderList.place orderList.place.oco orderList.place.oto
    orderList.place.otoco orderList.status orderList.cancel openOrderLists.status
    account.status account.rateLimits.orders account.commission allOrders allOrderLists myTrades
    myPreventedMatches
    userDataStream.start userDataStream.ping userDataStream.stop
    userDataStream.subscribe userDataStream.subscribe.signature userDataStream.unsubscribe
"""


def test_all_methods_are_offered() -> None:
    offered = {*WS_METHODS, *SESSION_METHODS}
    assert set(OFFERED.split()) - offered == set()


async def test_market_data_is_what_rest_answers(served: Served) -> None:
    await served.book()
    await served.trade()
    table: list[tuple[str, dict[str, Any], str]] = [
        ("exchangeInfo", {}, "/api/v3/exchangeInfo"),
        ("depth", {"symbol": "BTCUSDT", "limit": 5}, "/api/v3/depth"),
        ("trades.recent", {"symbol": "BTCUSDT"}, "/api/v3/trades"),
        ("trades.historical", {"symbol": "BTCUSDT", "fromId": 0}, "/api/v3/historicalTrades"),
        ("trades.aggregate", {"symbol": "BTCUSDT"}, "/api/v3/aggTrades"),
        ("klines", {"symbol": "BTCUSDT", "interval": "1d"}, "/api/v3/klines"),
        ("uiKlines", {"symbol": "BTCUSDT", "interval": "1d"}, "/api/v3/uiKlines"),
        ("avgPrice", {"symbol": "BTCUSDT"}, "/api/v3/avgPrice"),
        ("ticker.price", {"symbol": "BTCUSDT"}, "/api/v3/ticker/price"),
        ("ticker.book", {"symbols": ["BTCUSDT", "ETHUSDT"]}, "/api/v3/ticker/bookTicker"),
    ]
    async with served.connect("/ws-api/v3") as socket:
        for method, params, path in table:
            sent = {
                name: json.dumps(value, separators=(",", ":")) if isinstance(value, list) else value
                for name, value in params.items()
            }
            rest = await served.exchange.client.get(path, params=sent, headers=served.alice.headers)
            answer = await call(socket, method, **params)
            assert (answer["status"], rest.status_code) == (200, 200), (answer, rest.text)
            expected = rest.json()
            if method == "exchangeInfo":
                expected["serverTime"] = answer["result"]["serverTime"]
            assert answer["result"] == expected, method
            assert answer["id"] == method


async def test_envelopes(served: Served) -> None:
    async with served.connect("/ws-api/v3") as socket:
        for request_id in (7, "text", None, 12345678901234567890):
            answer = await ask(socket, {"id": request_id, "method": "ping"})
            assert answer["id"] == request_id
            assert (answer["status"], answer["result"]) == (200, {})
            assert answer["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        assert "rateLimits" not in await call(socket, "ping", returnRateLimits=False)
        assert (await call(socket, "v3/time"))["status"] == 200
    async with served.connect("/ws-api/v3?returnRateLimits=false&timeUnit=microsecond") as socket:
        answer = await call(socket, "time")
        assert "rateLimits" not in answer
        assert len(str(answer["result"]["serverTime"])) == 16
        assert "rateLimits" in await call(socket, "time", returnRateLimits=True)


# fmt: off
BAD: list[tuple[str, Any, int]] = [
    ("nonsense", None, -1135),
    ("[1,2]", None, -1135),
    ("{" * 10_000, None, -1135),
    ('"text"', None, -1135),
    ('{"id":1}', 1, -1135),
    ('{"id":1,"method":5}', 1, -1135),
    ('{"id":1,"method":null}', 1, -1135),
    ('{"id":1,"method":"ping","params":[]}', 1, -1135),
    ('{"id":1,"method":"ping","params":7}', 1, -1135),
    ('{"id":[1],"method":"ping"}', None, -1135),
    ('{"id":true,"method":"ping"}', None, -1135),
    ('{"id":1,"method":"no.such"}', 1, -1000),
    ('{"id":1,"method":"depth"}', 1, -1102),
    ('{"id":1,"method":"depth","params":{"symbol":"NOSUCH"}}', 1, -1121),
    ('{"id":1,"method":"depth","params":{"symbol":"btc usdt"}}', 1, -1100),
    ('{"id":1,"method":"depth","params":{"symbol":null}}', 1, -1102),
    ('{"id":1,"method":"depth","params":{"symbol":{"a":1}}}', 1, -1130),
    ('{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":1e2}}', 1, -1100),
    ('{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":%s}}' % ("9" * 30), 1, -1100),
    ('{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":NaN}}', None, -1135),
    ('{"id":1,"method":"depth","params":{"symbol":"\\ud800"}}', None, -1135),
    ('{"id":1,"method":"ping","params":{"returnRateLimits":"maybe"}}', 1, -1130),
    ('{"id":1,"method":"ping","params":{"more":1}}', 1, -1101),
    ('{"id":1,"method":"ping","params":{"a b":1}}', 1, -1100),
    ('{"id":1,"method":"account.status"}', 1, -1102),
    ('{"id":1,"method":"account.status","params":{"apiKey":"x","timestamp":1}}', 1, -2014),
    ('{"id":1,"method":"userDataStream.subscribe"}', 1, -2015),
    ('{"id":1,"method":"userDataStream.unsubscribe","params":{"subscriptionId":3}}', 1, -2036),
    ('{"id":1,"method":"session.status","params":{"x":1}}', 1, -1101),
]
# fmt: on


async def test_bad_requests_are_answered_and_change_nothing(served: Served) -> None:
    before = served.exchange.digests()
    async with served.connect("/ws-api/v3") as socket:
        for message, request_id, code in BAD:
            answer = await ask(socket, message)
            assert answer["error"]["code"] == code, (message, answer)
            assert answer["id"] == request_id, message
            assert answer["status"] in (400, 401), message
        now = served.exchange.now_ms()
        forged = signed(served.alice, timestamp=now) | {"signature": "00" * 32}
        assert (await call(socket, "account.status", **forged))["error"]["code"] == -1022
        stale = signed(served.alice, timestamp=now - 60_000)
        assert (await call(socket, "account.status", **stale))["error"]["code"] == -1021
        assert (await call(socket, "ping"))["status"] == 200
    assert served.exchange.digests() == before


async def test_an_order_from_placing_to_cancel_with_its_events(served: Served) -> None:
    await served.book()
    async with served.connect("/ws-api/v3") as socket:

        async def trade(method: str, **params: Any) -> Any:
            stamped = signed(served.alice, timestamp=served.exchange.now_ms(), **params)
            return await call(socket, method, **stamped)

        subscribed = await trade("userDataStream.subscribe.signature")
        assert subscribed["result"] == {"subscriptionId": 0}
        again = await trade("userDataStream.subscribe.signature")
        assert again["error"]["code"] == -2035
        assert (await call(socket, "session.subscriptions"))["result"] == [{"subscriptionId": 0}]
        order = {
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.50", "price": "19000.00", "newClientOrderId": "mine",
        }  # fmt: skip
        assert (await trade("order.test", **order))["result"] == {}
        overheard: list[Any] = []
        events = asyncio.create_task(listen_in(served, overheard))
        await asyncio.sleep(0)
        placed = await trade("order.place", **order)
        assert placed["result"]["status"] == "NEW"
        assert {limit["rateLimitType"] for limit in placed["rateLimits"]} == {
            "ORDERS", "REQUEST_WEIGHT",
        }  # fmt: skip
        status = await trade("order.status", symbol="BTCUSDT", origClientOrderId="mine")
        assert status["result"]["origQty"] == "0.50000000"
        shown = await trade("openOrders.status", symbol="BTCUSDT")
        assert [each["clientOrderId"] for each in shown["result"]] == ["mine"]
        amended = await trade(
            "order.amend.keepPriority", symbol="BTCUSDT", origClientOrderId="mine", newQty="0.4"
        )
        assert amended["status"] == 200, amended
        canceled = await trade(
            "order.cancel", symbol="BTCUSDT", orderId=placed["result"]["orderId"]
        )
        assert canceled["result"]["status"] == "CANCELED"
        bought = await trade(
            "order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.1"
        )
        assert bought["result"]["status"] == "FILLED"
        assert (await trade("myTrades", symbol="BTCUSDT"))["result"][0]["qty"] == "0.10000000"
        refused = await trade(
            "order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="4999"
        )
        assert refused["status"] == 400
        assert refused["error"]["code"] in (-1013, -2010)
        events.cancel()
        assert overheard == []
        ended = await call(socket, "userDataStream.unsubscribe", subscriptionId=0)
        assert ended["result"] == {}
        assert (await call(socket, "session.subscriptions"))["result"] == []


async def listen_in(served: Served, seen: list[Any]) -> None:
    """Listen on a socket of one's own that subscribed to nothing; it hears nothing."""
    async with served.connect("/ws-api/v3") as socket:
        seen.append(await receive(socket))


async def test_events_are_wrapped_with_their_subscription(served: Served) -> None:
    await served.book()
    now = served.exchange.now_ms()
    async with served.connect("/ws-api/v3") as socket:
        for number, user in enumerate((served.alice, served.bob)):
            answer = await call(
                socket, "userDataStream.subscribe.signature", **signed(user, timestamp=now)
            )
            assert answer["result"] == {"subscriptionId": number}
        await served.trade()
        heard: dict[int, list[str]] = {0: [], 1: []}
        while len(heard[0]) < 3 or len(heard[1]) < 2:
            message = await receive(socket)
            event = message["event"]
            heard[message["subscriptionId"]].append(
                f"{event['e']} {event.get('x', '')} {event.get('X', '')}".strip()
            )
        assert heard == {
            0: ["executionReport NEW NEW", "executionReport TRADE FILLED",
                "outboundAccountPosition"],
            1: ["executionReport TRADE PARTIALLY_FILLED", "outboundAccountPosition"],
        }  # fmt: skip
        assert (await call(socket, "userDataStream.unsubscribe", subscriptionId=1))["result"] == {}
        await served.trade()
        assert (await receive(socket))["subscriptionId"] == 0


async def test_a_deleted_key_ends_what_it_opened(served: Served) -> None:
    now = served.exchange.now_ms()
    async with served.connect("/ws-api/v3") as socket:
        await call(
            socket, "userDataStream.subscribe.signature", **signed(served.alice, timestamp=now)
        )
        await call(socket, "session.logon", **signed(served.alice, timestamp=now))
        answer = await served.exchange.client.request(
            "DELETE", "/seawall/v1/operator/keys",
            json={"user": "alice", "apiKey": served.alice.api_key},
            headers=served.exchange.operator_headers,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        message = await receive(socket)
        assert message["subscriptionId"] == 0
        assert message["event"]["e"] == "eventStreamTerminated"
        refused = await call(socket, "account.status", timestamp=served.exchange.now_ms())
        assert refused["error"]["code"] == -2015


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
async def test_a_session_signs_once(served: Served, kind: str) -> None:
    now = served.exchange.now_ms()
    params: dict[str, Any]
    if kind == "hmac":
        params = signed(served.alice, timestamp=now)
    else:
        private = Ed25519PrivateKey.generate()
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        made = await served.exchange.operate(
            "keys", {"user": "alice", "kind": "ed25519", "publicKey": pem.decode()}
        )
        params = {"apiKey": made["apiKey"], "timestamp": now}
        payload = f"apiKey={made['apiKey']}&timestamp={now}"
        params["signature"] = b64encode(private.sign(payload.encode())).decode()
    async with served.connect("/ws-api/v3") as socket:
        nobody = await call(socket, "session.status")
        assert nobody["result"]["apiKey"] is None
        logged_on = await call(socket, "session.logon", **params)
        assert logged_on["result"]["apiKey"] == params["apiKey"]
        balances = await call(socket, "account.status", timestamp=served.exchange.now_ms())
        assert balances["result"]["canTrade"] is True
        unstamped = await call(socket, "account.status")
        assert unstamped["error"]["code"] == -1102
        subscribed = await call(socket, "userDataStream.subscribe")
        assert subscribed["result"] == {"subscriptionId": 0}
        await socket.send(json.dumps({"id": 9, "method": "session.logout"}))
        ended, answer = await receive(socket), await receive(socket)
        assert ended["event"]["e"] == "eventStreamTerminated"
        assert answer["result"]["apiKey"] is None
        refused = await call(socket, "account.status", timestamp=served.exchange.now_ms())
        assert refused["error"]["code"] == -1102


async def test_listen_keys_carry_the_same_events(served: Served) -> None:
    await served.book()
    client, headers = served.exchange.client, served.alice.headers
    key = (await client.post("/api/v3/userDataStream", headers=headers)).json()["listenKey"]
    async with (
        served.connect(f"/ws/{key}") as raw,
        served.connect(f"/stream?streams={key}") as combined,
        served.connect("/ws") as late,
    ):
        answer = await ask(late, {"method": "SUBSCRIBE", "params": [key], "id": 1})
        assert answer == {"result": None, "id": 1}
        await served.trade()
        plain = await receive(raw)
        assert (plain["e"], plain["x"]) == ("executionReport", "NEW")
        assert await receive(combined) == {"stream": key, "data": plain}
        assert await receive(late) == plain
        closed = await client.delete(
            "/api/v3/userDataStream", headers=headers, params={"listenKey": key}
        )
        assert closed.status_code == 200
    async with served.connect(f"/ws/{key}") as socket:
        message = await receive(socket)
        assert (message["e"], message["listenKey"]) == ("listenKeyExpired", key)


async def test_requests_run_side_by_side_and_orders_keep_their_order(served: Served) -> None:
    await served.book()
    count = 3 * limits.WS_PENDING_REQUESTS
    async with served.connect("/ws-api/v3") as socket:
        await call(
            socket, "session.logon", **signed(served.alice, timestamp=served.exchange.now_ms())
        )
        for number in range(count):
            await socket.send(json.dumps({
                "id": number, "method": "order.place",
                "params": {
                    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                    "quantity": "0.001", "price": "15000",
                    "timestamp": served.exchange.now_ms(),
                },
            }))  # fmt: skip
        answers = [await receive(socket) for _ in range(count)]
    assert sorted(answer["id"] for answer in answers) == list(range(count))
    placed = [answer for answer in answers if answer["status"] == 200]
    by_id = sorted(placed, key=lambda answer: int(answer["id"]))
    order_ids = [answer["result"]["orderId"] for answer in by_id]
    assert order_ids == sorted(order_ids)
    assert len(placed) >= limits.WS_PENDING_REQUESTS


async def test_who_does_not_read_answers_is_not_read_either(served: Served) -> None:
    """Unread answers pile up only as far as the requests under way; then the socket waits."""
    request = json.dumps({"id": "x" * 30_000, "method": "ping"})
    async with served.connect(
        "/ws-api/v3", max_queue=1, write_limit=30_000, close_timeout=0.1
    ) as socket:
        stalled = False
        for _ in range(3_000):
            try:
                async with asyncio.timeout(1):
                    await socket.send(request)
            except TimeoutError:
                stalled = True
                break
        assert stalled
        assert served.exchange.app.hub.connections == 1
        assert len((await receive(socket))["id"]) == 30_000
        socket.transport.abort()
