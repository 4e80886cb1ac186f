"""Stream sockets over a real server: paths, control messages, slow and rude clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.gateway.exchange import SECOND_NS, START_NS
from tests.gateway.streams.served import Served, ask, receive, serve
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from seawall.gateway.socket_protocol import MessageRate, Socket, text_frame
from seawall.gateway.streams import StreamError, StreamSession
from seawall.model import limits
from seawall.model.commands import Tick
from seawall.node.clock import ManualClock


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path) as opened:
        yield opened


PATHS = [
    ("/ws/btcusdt@trade", False),
    ("/ws/btcusdt@trade/ethusdt@trade", False),
    ("/stream?streams=btcusdt@trade/ethusdt@trade", True),
    ("/stream?streams=btcusdt@kline_1d@+08:00/btcusdt@trade", True),
    ("/stream/ws/btcusdt@trade", False),
    ("/ws/btcusdt@trade?timeUnit=MICROSECOND", False),
    ("/ws/0/btcusdt@trade", False),
]


async def test_paths(served: Served) -> None:
    await served.book()
    for path, wrapped in PATHS:
        async with served.connect(path) as socket:
            await served.trade()
            message = await receive(socket)
            while "kline" in str(message):
                message = await receive(socket)
        event = message["data"] if wrapped else message
        assert ("stream" in message) is wrapped, path
        assert (event["e"], event["p"]) == ("trade", "20001.00000000"), path
        assert len(str(event["T"])) == (16 if "MICROSECOND" in path else 13), path
        if wrapped:
            assert message["stream"] == "btcusdt@trade"


async def test_sockets_without_streams_wait_for_a_subscription(served: Served) -> None:
    await served.book()
    request = {"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}
    for path in ("/ws", "/ws/", "/stream", "/stream/ws/0", "/stream/ws/17"):
        async with served.connect(path) as socket:
            assert await ask(socket, request) == {"result": None, "id": 1}
            message = await receive(socket)
        event = message["data"] if path == "/stream" else message
        assert (event["b"], event["a"]) == ("20000.00000000", "20001.00000000"), path


async def test_other_paths_are_refused(served: Served) -> None:
    for path in ("/wsx", "/ws-api/v4", "/", "/api/v3/ping"):
        with pytest.raises(InvalidStatus) as refused:
            async with served.connect(path):
                pass
        assert refused.value.response.status_code == 404, path


_VARIANTS = (
    "expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`,"
    " `GET_PROPERTY` at line 1 column"
)
_NO_ID = "Invalid request: request ID must be an unsigned integer"


# fmt: off
UNREADABLE: list[tuple[str, int, str]] = [
    ("", 3, "Invalid JSON: expected value at line 1 column 1"),
    ("nonsense", 3, "Invalid JSON: expected value at line 1 column 1"),
    ('{"method":', 3, "Invalid JSON: expected value at line 1 column 11"),
    ("[" * 5_000, 3, "Invalid JSON: expected value at line 1 column"),
    ("\x00", 3, "Invalid JSON: expected value at line 1 column 1"),
    ("[]", 2, "Invalid request: expected an object"),
    ("NaN", 3, "Invalid JSON: expected value at line 1 column"),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade"]}', 2, _NO_ID),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}', 2, _NO_ID),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":true}', 2, _NO_ID),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":{}}', 2, _NO_ID),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":"%s"}' % ("x" * 37), 2, _NO_ID),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1e400}', 3, "Invalid JSON"),
    ('{"params":[],"id":1}', 2, "Invalid request: missing field `method` at line 1 column 20"),
    ('{"method":"BUY","id":1}', 2, "Invalid request: unknown variant `BUY`, " + _VARIANTS),
    ('{"method":5,"id":1}', 2, "Invalid request: unknown variant `5`, " + _VARIANTS),
    ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}', 2, "Invalid request: params must"),
    ('{"method":"SUBSCRIBE","params":[7],"id":1}', 2, "Invalid request: stream name must"),
    ('{"method":"SUBSCRIBE","params":["nosuch@trade"],"id":1}', 2, "Invalid request: invalid str"),
    ('{"method":"SUBSCRIBE","params":["btcusdt@nosuch"],"id":1}', 2, "Invalid request: invalid st"),
    ('{"method":"SUBSCRIBE","params":["btcusdt@trade",""],"id":1}', 2, "Invalid request: invalid"),
    ('{"method":"SUBSCRIBE","params":["%s"],"id":1}' % ("a" * 60), 2, "Invalid request: invalid"),
    ('{"method":"UNSUBSCRIBE","params":["what"],"id":1}', 2, "Invalid request: invalid stream"),
    ('{"method":"SET_PROPERTY","params":["speed",true],"id":1}', 0, "Unknown property"),
    ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, "Invalid value type: expected"),
    ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1, "Invalid value type: expected B"),
    ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "Invalid request: too ma"),
    ('{"method":"GET_PROPERTY","params":["combined",true],"id":1}', 2, "Invalid request: too many"),
    ('{"method":"GET_PROPERTY","params":[],"id":1}', 2, "Invalid request: property name must be"),
    ('{"method":"GET_PROPERTY","params":[3],"id":1}', 2, "Invalid request: property name must be"),
]
# fmt: on


async def test_what_cannot_be_read_is_refused_and_changes_nothing(served: Served) -> None:
    before = served.exchange.digests()
    for message, code, text in UNREADABLE:
        async with served.connect("/ws/btcusdt@trade") as socket:
            answer = await ask(socket, message)
            assert answer["error"]["code"] == code, message
            assert answer["error"]["msg"].startswith(text), message
            listed = await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert listed == {"result": ["btcusdt@trade"], "id": 2}, message
    assert served.exchange.digests() == before


async def test_subscriptions_come_and_go(served: Served) -> None:
    await served.book()
    async with served.connect("/ws") as socket:
        names = ["btcusdt@trade", "btcusdt@depth"]
        for request_id in (1, "a-text_id", None, -5):
            assert await ask(
                socket, {"method": "SUBSCRIBE", "params": names, "id": request_id}
            ) == {"result": None, "id": request_id}
        assert served.exchange.app.hub.publisher.topics == 2
    async with served.connect("/stream?streams=btcusdt@trade") as socket:
        assert await ask(socket, {"method": "GET_PROPERTY", "params": ["combined"], "id": 1}) == {
            "result": True, "id": 1,
        }  # fmt: skip
        await ask(socket, {"method": "SET_PROPERTY", "params": ["combined", False], "id": 2})
        await served.trade()
        assert (await receive(socket))["e"] == "trade"
        await ask(socket, {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 3})
        await served.trade()
        assert await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 4}) == {
            "result": [], "id": 4,
        }  # fmt: skip
    await settled(served)
    assert served.exchange.app.hub.publisher.topics == 0


async def test_one_socket_has_so_many_streams_and_no_more(served: Served) -> None:
    symbols = ("btcusdt", "ethusdt", "ltcusdt")
    zones = ("", "@+08:00")
    intervals = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
    names = [f"{s}@kline_{i}{z}" for s in symbols for i in intervals for z in zones]
    socket = Socket.__new__(Socket)
    hub = served.exchange.app.hub
    session = StreamSession(
        socket, hub.publisher, hub.feeds, combined=False, microseconds=False, now_ns=lambda: 0
    )
    session._subscribe(names)
    filler = {f"filler{number}": session._streams[names[0]] for number in range(1_000)}
    session._streams.update(list(filler.items())[: limits.WS_STREAMS_PER_SOCKET - len(names)])
    with pytest.raises(StreamError, match="too many subscriptions"):
        session._subscribe(["btcusdt@trade"])
    session.close()
    assert hub.publisher.topics == 0


async def test_a_local_book_from_diffs_is_the_exchanges(served: Served) -> None:
    """Follow the published recipe for a local order book through random trading."""
    random = Random(7)
    book = LocalBook()
    async with served.connect("/ws/btcusdt@depth@100ms") as socket:
        await served.book()
        for _ in range(3):
            await busy(served, random, 25)
            if not book.ready:
                snapshot = (await served.exchange.get("/api/v3/depth", symbol="BTCUSDT")).json()
                book.start(snapshot)
            await busy(served, random, 25)
        final = (await served.exchange.get("/api/v3/depth", symbol="BTCUSDT", limit=5_000)).json()
        while book.update_id < final["lastUpdateId"]:
            book.apply(await receive(socket))
    assert book.update_id == final["lastUpdateId"]
    assert book.side("bids") == final["bids"]
    assert book.side("asks") == final["asks"]
    assert book.diffs > 1


class LocalBook:
    """An order book as an independent client keeps it."""

    def __init__(self) -> None:
        self.ready = False
        self.update_id = 0
        self.diffs = 0
        self._sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}

    def start(self, snapshot: dict[str, Any]) -> None:
        self.ready = True
        self.update_id = snapshot["lastUpdateId"]
        for name, levels in self._sides.items():
            levels.update(dict(snapshot[name]))

    def apply(self, diff: dict[str, Any]) -> None:
        if diff["u"] <= self.update_id:
            return
        assert diff["U"] <= self.update_id + 1 <= diff["u"]
        if self.diffs:
            assert diff["U"] == self.update_id + 1
        self.diffs += 1
        self.update_id = diff["u"]
        for name, short in (("bids", "b"), ("asks", "a")):
            for price, size in diff[short]:
                if float(size) == 0:
                    self._sides[name].pop(price, None)
                else:
                    self._sides[name][price] = size

    def side(self, name: str) -> list[list[str]]:
        ordered = sorted(
            self._sides[name].items(), key=lambda level: float(level[0]), reverse=name == "bids"
        )
        return [list(level) for level in ordered]


async def busy(served: Served, random: Random, orders: int) -> None:
    """Trade at random around the middle."""
    for _ in range(orders):
        side = random.choice(("BUY", "SELL"))
        price = f"{20_000 + random.randint(-30, 30) / 10:.2f}"
        await served.exchange.limit(served.bob, side, f"0.0{random.randint(1, 9)}", price)
        if random.random() < 0.2:
            await served.trade("0.05")


async def test_who_never_reads_is_cut_off_with_bounded_memory(served: Served) -> None:
    async with (
        served.connect("/ws/btcusdt@trade", max_queue=1) as deaf,
        served.connect("/ws/btcusdt@trade") as listening,
    ):
        deaf_end, good_end = await both_ends(served, deaf, listening)
        frame = text_frame(b'"' + b"x" * 60_000 + b'"')
        most = 0
        while deaf_end.is_open:
            deaf_end.send_frame(frame)
            most = max(most, deaf_end.unsent_bytes)
            await asyncio.sleep(0)
        assert most <= limits.WS_QUEUE_BYTES
        await settled(served, left=1)
        assert good_end.is_open
        good_end.send_text(b'"still here"')
        assert await receive(listening) == "still here"
        await until_closed(deaf)
        assert deaf.close_code == 1006
    assert served.exchange.app.context.metrics.slow_subscribers == 1


async def both_ends(
    served: Served, first: ClientConnection, second: ClientConnection
) -> tuple[Socket, Socket]:
    """Return the server's ends of two connections."""
    ends: list[Socket] = []
    topic = served.exchange.app.hub.publisher._topics["btcusdt@trade"]
    for client in (first, second):
        address = client.local_address
        ends += [
            end
            for end in topic.groups[0][0]
            if end._protocol.transport.get_extra_info("peername") == address
        ]
    assert len(ends) == 2
    return ends[0], ends[1]


async def test_too_many_messages_close_the_socket(served: Served) -> None:
    async with served.connect("/ws") as socket:
        for number in range(6):
            await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        await until_closed(socket)
        assert socket.close_code == 1008


def test_the_rate_is_of_any_one_second() -> None:
    rate = MessageRate(2)
    assert [rate.admit(at) for at in (0.0, 0.9, 0.95, 1.0, 1.96)] == [
        True, True, False, False, True,
    ]  # fmt: skip


async def test_too_large_a_message_closes_the_socket(served: Served) -> None:
    async with served.connect("/ws") as socket:
        await socket.send("x" * (limits.WS_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_pings_are_answered(served: Served) -> None:
    async with served.connect("/ws/btcusdt@trade") as socket:
        pong = await socket.ping(b"are you there")
        assert await asyncio.wait_for(pong, 60) >= 0


async def test_a_clean_stop_is_announced(tmp_path: Path) -> None:
    async with (
        serve(tmp_path) as served,
        served.connect("/ws/btcusdt@trade") as raw,
        served.connect("/stream?streams=btcusdt@trade") as combined,
        served.connect("/ws-api/v3") as api,
    ):
        await ask(api, {"id": 1, "method": "ping"})
        await asyncio.gather(
            ask(raw, {"method": "LIST_SUBSCRIPTIONS", "id": 1}),
            ask(combined, {"method": "LIST_SUBSCRIPTIONS", "id": 1}),
        )
        stopping = asyncio.create_task(served.server.stop())
        plain = await receive(raw)
        assert plain["e"] == "serverShutdown"
        wrapped = await receive(combined)
        assert (wrapped["stream"], wrapped["data"]["e"]) == ("!serverShutdown", plain["e"])
        assert (await receive(api))["event"]["e"] == "serverShutdown"
        for socket in (raw, combined, api):
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        await stopping


async def test_streams_do_not_fall_silent_behind_open_sockets(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in the publisher, its clients are told to come back, and may."""
    hub = served.exchange.app.hub

    async def fail(_now_ns: int) -> None:
        monkeypatch.undo()
        raise RuntimeError("made up")

    async with served.connect("/ws/btcusdt@ticker") as socket:
        await receive(socket)
        monkeypatch.setattr(hub.publisher, "tick", fail)
        await until_closed(socket)
        assert socket.close_code == 1011
    async with served.connect("/ws/btcusdt@ticker") as socket:
        assert (await receive(socket))["e"] == "24hrTicker"


async def test_a_listen_key_that_is_not_kept_alive_ends(tmp_path: Path) -> None:
    async with serve(tmp_path, clock=ManualClock(START_NS)) as served:
        exchange = served.exchange
        answer = await exchange.client.post("/api/v3/userDataStream", headers=served.alice.headers)
        key = answer.json()["listenKey"]
        async with served.connect(f"/ws/{key}") as socket:
            await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
            exchange.clock.advance((limits.LISTEN_KEY_S - 1) * SECOND_NS)
            await exchange.node.submit_identity(Tick())
            assert len(exchange.app.hub.feeds) == 1
            exchange.clock.advance(2 * SECOND_NS)
            await exchange.node.submit_identity(Tick())
            message = await receive(socket)
            assert (message["e"], message["listenKey"]) == ("listenKeyExpired", key)
            assert message["E"] == exchange.now_ms()
        assert len(exchange.app.hub.feeds) == 0


async def test_a_client_that_comes_back_goes_on(served: Served) -> None:
    await served.book()
    ids: list[int] = []
    for _ in range(3):
        async with served.connect("/ws/btcusdt@trade") as socket:
            await served.trade()
            ids.append((await receive(socket))["t"])
    assert ids == [1, 2, 3]


async def until_closed(socket: ClientConnection) -> None:
    """Read what is still on its way, until the server ends the connection."""
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass


async def settled(served: Served, left: int = 0) -> None:
    """Wait until the server has noticed that its clients are gone."""
    async with asyncio.timeout(60):
        while served.exchange.app.hub.connections > left:  # noqa: ASYNC110  # nothing tells it
            await asyncio.sleep(0.01)
