"""Public streams by a hand-turned clock: golden payloads, cadences, and what costs nothing."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import pytest_asyncio
from tests.gateway.streams.cell import START_NS, Cell, place

from seawall.gateway.metrics import Metrics
from seawall.gateway.publisher import Publisher
from seawall.gateway.socket_protocol import Socket
from seawall.gateway.stream_names import parse_stream
from seawall.model.commands import Tick
from seawall.node.node import Node
from seawall.views.views import Views

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
MS_NS = 10**6


class Listener(Socket):
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send_frame(self, frame: bytes) -> None:
        self.frames.append(frame)

    def take(self) -> list[Any]:
        """Return what came since the last call, decoded."""
        taken = []
        for frame in self.frames:
            head = 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10
            taken.append(msgspec.json.decode(frame[head:]))
        self.frames = []
        return taken


class Stage:
    """A cell with its views and a publisher over both, as a node has them."""

    def __init__(self, data: Path) -> None:
        self.views = Views.open(data)
        self.metrics = Metrics()
        self.publisher: Publisher | None = None
        self.cell = Cell(self._entry)
        self.spot = self.cell.state
        self.publisher = Publisher(cast("Node", self), self.metrics)

    def place(self, user_id: int, *args: str, **more: Any) -> None:
        self.cell.commit(place(user_id, *args, **more))

    def pass_time(self, at_ns: int) -> None:
        """Let the journal reach a moment, as the node's own ticks do."""
        self.cell.step_ns = at_ns - self.cell.at_ns
        self.cell.commit(Tick())
        self.cell.step_ns = SECOND_NS

    def listen(self, name: str, *, combined: bool = False, microseconds: bool = False) -> Listener:
        stream = parse_stream(name)
        assert stream is not None
        assert self.publisher is not None
        listener = Listener()
        self.publisher.subscribe(stream, listener, combined=combined, microseconds=microseconds)
        return listener

    async def tick(self, at_ns: int = 0) -> None:
        assert self.publisher is not None
        await self.publisher.tick(at_ns or self.cell.at_ns)

    def _entry(self, cell: Cell) -> None:
        self.views.on_commit(cell.sequence, cell.at_ns, cell.events)
        if self.publisher is not None:
            self.publisher.on_entry(cell.at_ns, cell.events)


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    yield made
    await made.views.close()


def book(stage: Stage) -> None:
    stage.place(1, "SELL", "LIMIT", "0.5", "20001", "ask")
    stage.place(1, "BUY", "LIMIT", "0.4", "20000", "bid")


async def test_trades_go_out_with_their_entry(stage: Stage) -> None:
    book(stage)
    trade = stage.listen("btcusdt@trade")
    whole = stage.listen("btcusdt@aggTrade")
    stage.place(1, "SELL", "LIMIT", "0.5", "20001", "ask2")
    stage.place(2, "BUY", "MARKET", "0.7", "-", "take")
    at = stage.cell.at_ns // MS_NS
    first, second = trade.take()
    assert first == {
        "e": "trade", "E": at, "s": "BTCUSDT", "t": 1, "p": "20001.00000000", "q": "0.50000000",
        "T": at, "m": False, "M": True,
    }  # fmt: skip
    assert (second["t"], second["q"]) == (2, "0.20000000")
    assert whole.take() == [{
        "e": "aggTrade", "E": at, "s": "BTCUSDT", "a": 1, "p": "20001.00000000", "q": "0.70000000",
        "f": 1, "l": 2, "T": at, "m": False, "M": True,
    }]  # fmt: skip
    stage.place(2, "SELL", "MARKET", "0.1", "-", "hit")
    assert [each["m"] for each in (*trade.take(), *whole.take())] == [True, True]


async def test_units_and_wrapping_are_each_listeners_own(stage: Stage) -> None:
    book(stage)
    raw = stage.listen("btcusdt@trade")
    combined = stage.listen("btcusdt@trade", combined=True)
    fine = stage.listen("btcusdt@trade", microseconds=True)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    (plain,) = raw.take()
    (wrapped,) = combined.take()
    (exact,) = fine.take()
    assert wrapped == {"stream": "btcusdt@trade", "data": plain}
    assert exact["T"] == stage.cell.at_ns // 1_000
    assert plain["T"] == exact["T"] // 1_000


async def test_book_ticker_greets_and_then_tells_of_changes_only(stage: Stage) -> None:
    book(stage)
    best = stage.listen("btcusdt@bookTicker")
    await stage.tick()
    assert best.take() == [{
        "u": 2, "s": "BTCUSDT", "b": "20000.00000000", "B": "0.40000000", "a": "20001.00000000",
        "A": "0.50000000",
    }]  # fmt: skip
    stage.place(1, "BUY", "LIMIT", "0.4", "19000", "far")
    await stage.tick()
    assert best.take() == []
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    assert [each["A"] for each in best.take()] == ["0.40000000"]


async def test_depth_diffs_join_without_a_gap(stage: Stage) -> None:
    book(stage)
    diffs = stage.listen("btcusdt@depth@100ms")
    slow = stage.listen("btcusdt@depth")
    await stage.tick()
    assert diffs.take() == []
    stage.place(1, "BUY", "LIMIT", "0.4", "19000", "far")
    stage.place(1, "BUY", "LIMIT", "0.1", "19000", "more")
    await stage.tick()
    first = diffs.take()
    assert first == [{
        "e": "depthUpdate", "E": stage.cell.at_ns // MS_NS, "s": "BTCUSDT", "U": 3, "u": 4,
        "b": [["19000.00000000", "0.50000000"]], "a": [],
    }]  # fmt: skip
    stage.cell.cancel(1, "bid")
    await stage.tick(stage.cell.at_ns + 100 * MS_NS)
    (second,) = diffs.take()
    assert (second["U"], second["b"]) == (5, [["20000.00000000", "0.00000000"]])
    (both,) = slow.take()[:1]
    assert (both["U"], both["u"]) == (3, 4)


async def test_partial_depth_shows_the_best_levels_when_they_change(stage: Stage) -> None:
    book(stage)
    for number in range(7):
        stage.place(1, "BUY", "LIMIT", "0.4", str(19_990 - number), f"b{number}")
    top = stage.listen("btcusdt@depth5@100ms")
    await stage.tick()
    (shown,) = top.take()
    assert shown["lastUpdateId"] == 9
    assert len(shown["bids"]) == 5
    assert shown["asks"] == [["20001.00000000", "0.50000000"]]
    await stage.tick(stage.cell.at_ns + 100 * MS_NS)
    assert top.take() == []


async def test_a_candle_closes_by_time_alone(stage: Stage) -> None:
    book(stage)
    opened = -(-stage.cell.at_ns // MINUTE_NS) * MINUTE_NS
    stage.pass_time(opened + SECOND_NS)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    candles = stage.listen("btcusdt@kline_1m")
    await stage.tick()
    (forming,) = candles.take()
    assert forming["k"] == {
        "t": opened // MS_NS, "T": opened // MS_NS + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1,
        "L": 1, "o": "20001.00000000", "c": "20001.00000000", "h": "20001.00000000",
        "l": "20001.00000000", "v": "0.10000000", "n": 1, "x": False, "q": "2000.10000000",
        "V": "0.10000000", "Q": "2000.10000000", "B": "0",
    }  # fmt: skip
    # Nobody trades any more.  At the minute's end it is not closed yet: an entry of the last
    # moment may still be on its way.  Once the journal has passed the end, it is, at once.
    await stage.tick(opened + MINUTE_NS)
    assert [each["k"]["x"] for each in candles.take()] == []
    stage.pass_time(opened + MINUTE_NS + 1)
    await stage.tick(opened + MINUTE_NS + 100 * MS_NS)
    closed, following = candles.take()
    assert (closed["k"]["x"], closed["k"]["t"], closed["k"]["n"]) == (True, opened // MS_NS, 1)
    assert (following["k"]["x"], following["k"]["v"]) == (False, "0.00000000")
    assert following["k"]["o"] == following["k"]["c"] == "20001.00000000"
    await stage.tick(opened + MINUTE_NS + 200 * MS_NS)
    assert candles.take() == []


async def test_no_candle_is_left_out_after_a_pause(stage: Stage) -> None:
    book(stage)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    for name in ("btcusdt@kline_1m", "btcusdt@kline_1d@+08:00"):
        candles = stage.listen(name)
        await stage.tick()
        (first,) = candles.take()
        stage.pass_time(stage.cell.at_ns + 5 * (first["k"]["T"] + 1 - first["k"]["t"]) * MS_NS)
        await stage.tick()
        told = candles.take()
        assert [each["k"]["x"] for each in told] == [True] * 5 + [False]
        starts = [each["k"]["t"] for each in told]
        assert starts[0] == first["k"]["t"]
        assert [late - early for early, late in pairwise(starts)] == [
            first["k"]["T"] + 1 - first["k"]["t"]
        ] * 5


async def test_days_begin_where_the_zone_says(stage: Stage) -> None:
    book(stage)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    utc = stage.listen("btcusdt@kline_1d")
    east = stage.listen("btcusdt@kline_1d@+08:00")
    await stage.tick()
    day_ms = 86_400_000
    assert utc.take()[0]["k"]["t"] % day_ms == 0
    assert east.take()[0]["k"]["t"] % day_ms == day_ms - 8 * 3_600_000


async def test_tickers(stage: Stage) -> None:
    book(stage)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    traded = stage.cell.at_ns
    one = stage.listen("btcusdt@ticker")
    mini = stage.listen("btcusdt@miniTicker")
    hour = stage.listen("btcusdt@ticker_1h")
    every = stage.listen("!ticker@arr")
    minis = stage.listen("!miniTicker@arr")
    average = stage.listen("btcusdt@avgPrice")
    await stage.tick()
    (ticker,) = one.take()
    at = stage.cell.at_ns // MS_NS
    assert ticker == {
        "e": "24hrTicker", "E": at, "s": "BTCUSDT", "p": "0.00000000", "P": "0.000",
        "w": "20001.00000000", "x": ticker["x"], "c": "20001.00000000", "Q": "0.10000000",
        "b": "20000.00000000", "B": "0.40000000", "a": "20001.00000000", "A": "0.40000000",
        "o": "20001.00000000", "h": "20001.00000000", "l": "20001.00000000", "v": "0.10000000",
        "q": "2000.10000000", "O": ticker["O"], "C": at, "F": 1, "L": 1, "n": 1,
    }  # fmt: skip
    assert mini.take() == [{
        "e": "24hrMiniTicker", "E": at, "s": "BTCUSDT", "c": "20001.00000000",
        "o": "20001.00000000", "h": "20001.00000000", "l": "20001.00000000", "v": "0.10000000",
        "q": "2000.10000000",
    }]  # fmt: skip
    (window,) = hour.take()
    assert (window["e"], window["n"], window["O"] % 60_000) == ("1hTicker", 1, 0)
    assert average.take() == [{
        "e": "avgPrice", "E": at, "s": "BTCUSDT", "i": "5m", "w": "20001.00000000",
        "T": traded // MS_NS,
    }]  # fmt: skip
    assert [each["s"] for each in every.take()[0]] == ["BTCUSDT"]
    assert len(minis.take()) == 1
    # A second later nothing changed: single tickers still tell the time, arrays fall silent.
    await stage.tick(stage.cell.at_ns + SECOND_NS)
    assert len(one.take()) == len(mini.take()) == 1
    assert every.take() == minis.take() == []


@pytest.mark.parametrize(("first", "second", "shown"), [
    ("20001", "21001.05", "5.000"), ("20001", "19000.95", "-5.000"), ("20001", "20001", "0.000"),
])  # fmt: skip
async def test_the_change_is_in_percent(stage: Stage, first: str, second: str, shown: str) -> None:
    for number, price in enumerate((first, second)):
        stage.place(1, "SELL", "LIMIT", "0.1", price, f"ask{number}")
        stage.place(2, "BUY", "MARKET", "0.1", "-", f"take{number}")
    listener = stage.listen("btcusdt@ticker")
    await stage.tick()
    assert listener.take()[0]["P"] == shown


async def test_what_nobody_hears_is_never_encoded(stage: Stage) -> None:
    book(stage)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "take")
    await stage.tick()
    publisher = stage.publisher
    assert publisher is not None
    assert (publisher.topics, stage.metrics.stream_messages) == (0, 0)
    crowd = [stage.listen("btcusdt@trade") for _ in range(100)]
    stage.place(2, "BUY", "MARKET", "0.1", "-", "again")
    assert stage.metrics.stream_messages == 1
    assert all(len(each.take()) == 1 for each in crowd)
    stream = parse_stream("btcusdt@trade")
    assert stream is not None
    for each in crowd:
        publisher.unsubscribe(stream, each)
    stage.place(2, "BUY", "MARKET", "0.1", "-", "unheard")
    assert (publisher.topics, stage.metrics.stream_messages) == (0, 1)


async def test_the_clock_keeps_each_speed(stage: Stage) -> None:
    book(stage)
    fast = stage.listen("btcusdt@depth20@100ms")
    slow = stage.listen("btcusdt@depth20")
    begin = (START_NS // SECOND_NS + 1_000) * SECOND_NS
    for step in range(20):
        stage.place(1, "BUY", "LIMIT", "0.1", str(10_000 + step), f"s{step}")
        await stage.tick(begin + step * 100 * MS_NS)
        await asyncio.sleep(0)
    assert len(fast.take()) == 20
    assert len(slow.take()) == 2
