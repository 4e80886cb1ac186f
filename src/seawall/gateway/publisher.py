"""Public streams.  The rule: a topic nobody listens to costs nothing; one message is encoded once.

Trades and best prices go out with the journal entry that made them; everything else at the speed
its name tells, by the wall clock, with contents from the views.  A candle is closed by journal
time: once the journal has passed its end, no trade can belong to it any more.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple, assert_never

from seawall.gateway import stream_payloads as payloads
from seawall.gateway.encode import encode_json
from seawall.gateway.metrics import Metrics
from seawall.gateway.past import MORE, SEQUENCE, CannotResumeError, Past
from seawall.gateway.socket_protocol import Socket, text_frame
from seawall.gateway.stream_names import WINDOWS_MINUTES, Stream, StreamKind
from seawall.gateway.stream_payloads import MICROSECOND_NS, MILLISECOND_NS
from seawall.model.events import Event, LevelChanged, Traded
from seawall.model.instruments import Instrument
from seawall.node.node import Node
from seawall.views.depth import DepthDiff
from seawall.views.rows import AggTradeRow, Best, Candle, DepthDiffRow, Ticker

_DAY_MINUTES: Final = 1440
_CANDLES: Final = 1_000
"""Candles sent at most after a pause of the clock."""
_SHIFTED: Final = frozenset({"6h", "12h", "1d", "3d", "1w", "1M"})
"""Intervals whose periods begin elsewhere by UTC+8 than by UTC."""

Make = Callable[[int], object]
"""Builds a payload, given the length of the unit of time in ns."""


class Topic:
    """One stream with those who listen to it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.groups: tuple[tuple[dict[Socket, None], dict[Socket, None]], ...] = (
            ({}, {}),
            ({}, {}),
        )
        """By unit (milliseconds, microseconds), then raw and combined."""
        self.backwards = False
        """Whether the latest subscriber was served first last time."""
        self.prefix = b'{"stream":"' + stream.name.encode() + b'","data":'
        self.fresh = True
        """Someone joined since the last message, and should not wait for a change."""
        self.slot = -1
        self.seen: object = None
        """What the last message held, where only changes are sent."""
        self.seen_by_market: dict[str, object] = {}
        self.open_ns = -1
        """Start of the oldest candle not yet sent as closed."""
        self.closes_ns = -1
        self.diff: DepthDiff | None = None
        self.last_agg_id = 0

    @property
    def is_empty(self) -> bool:
        return not any(group for unit in self.groups for group in unit)


class Publisher:
    """All public topics of one gateway."""

    def __init__(self, node: Node, metrics: Metrics, past: Past | None = None) -> None:
        self._node = node
        self._metrics = metrics
        self._past = past
        """What went out, in a cluster; there each message says of which entry it is."""
        self.current = True
        """Whether the books are the present ones; else the best prices, which say no time, wait."""
        self._now_ns = 0
        self._topics: dict[str, Topic] = {}
        self._at_once: dict[tuple[StreamKind, str], list[Topic]] = {}
        """Topics fed by journal entries, by kind and symbol."""

    @property
    def topics(self) -> int:
        return len(self._topics)

    def knows(self, stream: Stream) -> bool:
        """Whether the market that the stream names is listed."""
        return not stream.symbol or stream.symbol in self._node.spot.markets

    def check(self, stream: Stream, after: int) -> None:
        """Raise CannotResumeError unless the stream can go on after the entry."""
        if self._past is None:
            raise CannotResumeError(
                "this exchange is one node, and does not remember what it told: take a snapshot"
            )
        self._past.check(after)
        if stream.kind is StreamKind.AGG_TRADE:
            self._agg_trades_after(self._past, stream.symbol, after)

    def subscribe(
        self,
        stream: Stream,
        socket: Socket,
        *,
        combined: bool,
        microseconds: bool,
        after: int | None = None,
    ) -> None:
        """Begin to send; first all that came after an entry, if one is named and was checked."""
        topic = self._topics.get(stream.name)
        if topic is None:
            topic = self._topics[stream.name] = Topic(stream)
            self._follow(topic)
        if after is not None and self._past is not None:
            self._catch_up(topic, self._past, after, _One(socket, combined, microseconds))
        topic.fresh = True
        topic.groups[microseconds][combined][socket] = None

    def unsubscribe(self, stream: Stream, socket: Socket) -> None:
        topic = self._topics.get(stream.name)
        if topic is None:
            return
        for unit in topic.groups:
            for group in unit:
                group.pop(socket, None)
        if topic.is_empty:
            del self._topics[stream.name]
            self._forsake(topic)

    def _follow(self, topic: Topic) -> None:
        stream = topic.stream
        views = self._node.views
        if stream.kind is StreamKind.DEPTH:
            topic.diff = views.open_diff(stream.symbol)
        elif stream.kind is StreamKind.AGG_TRADE:
            told = views.recent_agg_trades(stream.symbol, 0)
            topic.last_agg_id = told[-1].agg_id if told else 0
        if stream.kind in _FED_BY_ENTRIES:
            self._at_once.setdefault((stream.kind, stream.symbol), []).append(topic)

    def _forsake(self, topic: Topic) -> None:
        stream = topic.stream
        if topic.diff is not None:
            self._node.views.close_diff(stream.symbol, topic.diff)
        if stream.kind in _FED_BY_ENTRIES:
            fed = self._at_once[stream.kind, stream.symbol]
            fed.remove(topic)
            if not fed:
                del self._at_once[stream.kind, stream.symbol]

    # Going on after an entry

    def _catch_up(self, topic: Topic, past: Past, after: int, one: "_One") -> None:
        """Send one socket what its stream told since; what only tells how things stand, does so."""
        match topic.stream.kind:
            case StreamKind.TRADE:
                for entry in past.after(after):
                    for make, more in _trades(self._made_trades(entry.events, entry.at_ns, topic)):
                        self._send_one(one, topic, make, entry.sequence, more)
            case StreamKind.AGG_TRADE:
                rows = self._agg_trades_after(past, topic.stream.symbol, after)
                for number, (sequence, row) in enumerate(rows):
                    more = sum(other == sequence for other, _ in rows[number + 1 :])
                    self._send_one(one, topic, self._made_agg_trade(topic, row), sequence, more)
            case StreamKind.DEPTH:
                self._catch_up_depth(topic, past, after, one)
            case _:
                """The next message replaces all before it."""

    def _catch_up_depth(self, topic: Topic, past: Past, after: int, one: "_One") -> None:
        """Join the socket to the others: they get what waits now, it gets all since the entry."""
        self._send_depth_diff(topic, self._now_ns or self._node.spot.at_ns)
        changes = [
            event
            for entry in past.after(after)
            for event in entry.events
            if isinstance(event, LevelChanged) and event.symbol == topic.stream.symbol
        ]
        if not changes:
            return
        diff = DepthDiff(changes[0].update_id - 1)
        for change in changes:
            diff.add(change)
        row = diff.drain()
        if row is not None:
            make = self._made_depth_diff(topic, row, self._now_ns or self._node.spot.at_ns)
            self._send_one(one, topic, make, self._node.spot.sequence, 0)

    def _agg_trades_after(
        self, past: Past, symbol: str, after: int
    ) -> list[tuple[int, AggTradeRow]]:
        """Return aggregate trades with their entries; raise if memory does not go back so far."""
        sequences: dict[int, int] = {}
        for entry in past.after(after):
            if any(isinstance(event, Traded) and event.symbol == symbol for event in entry.events):
                sequences[entry.at_ns] = entry.sequence
        if not sequences:
            return []
        rows = self._node.views.recent_agg_trades(symbol, 0)
        if not rows or rows[0].at_ns > next(iter(sequences)):
            raise CannotResumeError("too many trades since: take a snapshot over REST")
        return [(sequences[row.at_ns], row) for row in rows if row.at_ns in sequences]

    def _send_one(self, one: "_One", topic: Topic, make: Make, sequence: int, more: int) -> None:
        payload = make(_UNITS_NS[one.microseconds])
        if isinstance(payload, dict):
            payload[SEQUENCE], payload[MORE] = sequence, more
        text = encode_json(payload)
        self._metrics.stream_messages += 1
        one.socket.send_frame(text_frame(topic.prefix + text + b"}" if one.combined else text))

    # With journal entries

    def on_entry(self, at_ns: int, events: list[Event]) -> None:
        """Send what goes out at once."""
        if not self._at_once:
            return
        books: dict[str, None] = {}
        trades: dict[str, None] = {}
        for event in events:
            if isinstance(event, LevelChanged):
                books[event.symbol] = None
            elif isinstance(event, Traded):
                trades[event.symbol] = None
        for symbol in trades:
            for topic in self._at_once.get((StreamKind.TRADE, symbol), ()):
                for make, more in _trades(self._made_trades(events, at_ns, topic)):
                    self._send(topic, make, more)
        for symbol in trades:
            self._send_agg_trades(symbol)
        if self.current:
            for symbol in books:
                self._send_best(symbol)

    def _made_trades(self, events: list[Event], at_ns: int, topic: Topic) -> list[Make]:
        symbol = topic.stream.symbol
        instrument = self._instrument(symbol)
        return [
            partial(_trade, instrument, event, at_ns)
            for event in events
            if isinstance(event, Traded) and event.symbol == symbol
        ]

    def _send_agg_trades(self, symbol: str) -> None:
        for topic in self._at_once.get((StreamKind.AGG_TRADE, symbol), ()):
            rows = self._node.views.recent_agg_trades(symbol, topic.last_agg_id)
            for number, row in enumerate(rows, start=1):
                topic.last_agg_id = row.agg_id
                self._send(topic, self._made_agg_trade(topic, row), len(rows) - number)

    def _made_agg_trade(self, topic: Topic, row: AggTradeRow) -> Make:
        instrument = self._instrument(topic.stream.symbol)
        return lambda unit_ns: payloads.agg_trade(instrument, row, unit_ns)

    def _send_best(self, symbol: str) -> None:
        one = self._at_once.get((StreamKind.BOOK_TICKER, symbol), ())
        every = self._at_once.get((StreamKind.BOOK_TICKER, ""), ())
        if not one and not every:
            return
        best = self._node.views.best(symbol)
        shown = _shown(best)
        for topic in (*one, *every):
            if topic.seen_by_market.get(symbol) != shown:
                topic.seen_by_market[symbol] = shown
                self._send_book_ticker(topic, symbol, best)

    def _send_book_ticker(self, topic: Topic, symbol: str, best: Best) -> None:
        instrument = self._instrument(symbol)
        self._send(topic, lambda _unit_ns: payloads.book_ticker(instrument, best))

    # By the clock

    async def tick(self, now_ns: int) -> None:
        """Send what is due; called every 100 ms."""
        self._now_ns = now_ns
        for topic in list(self._topics.values()):
            stream = topic.stream
            if stream.speed_ms == 0:
                self._greet(topic)
                continue
            slot = now_ns // (stream.speed_ms * MILLISECOND_NS)
            ended = 0 <= topic.closes_ns < self._node.spot.at_ns
            if slot == topic.slot and not ended:
                continue
            topic.slot = slot
            await self._send_due(topic, now_ns)

    def _greet(self, topic: Topic) -> None:
        """Show a newcomer the best prices without waiting for them to change."""
        if not topic.fresh or topic.stream.kind is not StreamKind.BOOK_TICKER:
            return
        topic.fresh = False
        symbol = topic.stream.symbol
        for each in (symbol,) if symbol else tuple(self._node.spot.markets):
            best = self._node.views.best(each)
            topic.seen_by_market[each] = _shown(best)
            self._send_book_ticker(topic, each, best)

    async def _send_due(self, topic: Topic, now_ns: int) -> None:
        match topic.stream.kind:
            case StreamKind.DEPTH:
                self._send_depth_diff(topic, now_ns)
            case StreamKind.PARTIAL_DEPTH:
                self._send_partial_depth(topic)
            case StreamKind.KLINE:
                await self._send_klines(topic, now_ns)
            case StreamKind.AVG_PRICE:
                self._send_average(topic, now_ns)
            case StreamKind.MINI_TICKER | StreamKind.TICKER | StreamKind.WINDOW_TICKER:
                if topic.stream.symbol:
                    self._send_ticker(topic, now_ns)
                else:
                    self._send_all_tickers(topic, now_ns)
            case StreamKind.TRADE | StreamKind.AGG_TRADE | StreamKind.BOOK_TICKER:
                """They have no speed of their own."""
            case unknown:
                assert_never(unknown)

    def _send_depth_diff(self, topic: Topic, now_ns: int) -> None:
        diff = None if topic.diff is None else topic.diff.drain()
        if diff is None:
            return
        self._send(topic, self._made_depth_diff(topic, diff, now_ns))

    def _made_depth_diff(self, topic: Topic, diff: DepthDiffRow, now_ns: int) -> Make:
        instrument = self._instrument(topic.stream.symbol)
        return lambda unit_ns: payloads.depth_diff(instrument, diff, now_ns, unit_ns)

    def _send_partial_depth(self, topic: Topic) -> None:
        symbol = topic.stream.symbol
        if self._node.views.best(symbol).update_id == topic.seen and not topic.fresh:
            return
        depth = self._node.views.depth(symbol, topic.stream.levels)
        topic.seen = depth.update_id
        instrument = self._instrument(symbol)
        self._send(topic, lambda _unit_ns: payloads.partial_depth(instrument, depth))

    async def _send_klines(self, topic: Topic, now_ns: int) -> None:
        """Send the candle that forms, and before it those that ended since the last time."""
        for candle in await self._candles(topic):
            if candle.closed:
                topic.open_ns = candle.close_ns + 1
                topic.closes_ns = -1
            else:
                topic.open_ns = candle.open_ns
                topic.closes_ns = candle.close_ns
            if candle != topic.seen or topic.fresh:
                topic.seen = candle
                self._send_kline(topic, candle, now_ns)

    def _send_kline(self, topic: Topic, candle: Candle, now_ns: int) -> None:
        instrument = self._instrument(topic.stream.symbol)
        interval = topic.stream.interval
        self._send(
            topic,
            lambda unit_ns: payloads.kline(instrument, interval, candle, now_ns, unit_ns),
        )

    async def _candles(self, topic: Topic) -> list[Candle]:
        """Return the candles from the oldest not yet sent as closed to the one that forms."""
        stream = topic.stream
        views, at_ns = self._node.views, self._node.spot.at_ns
        if stream.offset_minutes == 0 or stream.interval not in _SHIFTED:
            found: list[Candle] = []
            for periods_back in (0, 1, 2):
                candle = views.live_candle(stream.symbol, stream.interval, at_ns, periods_back)
                if candle is None or candle.open_ns < topic.open_ns:
                    return found
                found.insert(0, candle)
                if topic.open_ns < 0 or candle.open_ns == topic.open_ns:
                    return found
        return await views.candles(
            stream.symbol,
            stream.interval,
            topic.open_ns if topic.open_ns >= 0 else None,
            None,
            _CANDLES if topic.open_ns >= 0 else 1,
            at_ns,
            stream.offset_minutes,
        )

    def _send_average(self, topic: Topic, now_ns: int) -> None:
        instrument = self._instrument(topic.stream.symbol)
        row = self._node.views.average_price(topic.stream.symbol)
        self._send(topic, lambda unit_ns: payloads.average_price(instrument, row, now_ns, unit_ns))

    def _send_ticker(self, topic: Topic, now_ns: int) -> None:
        row = self._ticker(topic.stream, topic.stream.symbol, now_ns)
        self._send(topic, lambda unit_ns: self._ticker_payload(topic.stream, row, now_ns, unit_ns))

    def _send_all_tickers(self, topic: Topic, now_ns: int) -> None:
        rows: list[Ticker] = []
        for symbol in self._node.spot.markets:
            row = self._ticker(topic.stream, symbol, now_ns)
            shown = _figures(topic.stream, row)
            if topic.fresh or topic.seen_by_market.get(symbol) != shown:
                topic.seen_by_market[symbol] = shown
                rows.append(row)
        if rows:
            self._send(
                topic,
                lambda unit_ns: [
                    self._ticker_payload(topic.stream, row, now_ns, unit_ns) for row in rows
                ],
            )

    def _ticker(self, stream: Stream, symbol: str, now_ns: int) -> Ticker:
        minutes = WINDOWS_MINUTES.get(stream.interval, _DAY_MINUTES)
        return self._node.views.ticker(symbol, minutes, now_ns)

    def _ticker_payload(
        self, stream: Stream, row: Ticker, now_ns: int, unit_ns: int
    ) -> dict[str, object]:
        instrument = self._instrument(row.symbol)
        if stream.kind is StreamKind.MINI_TICKER:
            return payloads.mini_ticker(instrument, row, now_ns, unit_ns)
        if stream.kind is StreamKind.TICKER:
            return payloads.ticker(instrument, row, now_ns, unit_ns)
        return payloads.window_ticker(instrument, stream.interval, row, now_ns, unit_ns)

    def _instrument(self, symbol: str) -> Instrument:
        return self._node.spot.markets[symbol].instrument

    def catch_up_best(self) -> None:
        """Show the best prices again that were held back while they were old."""
        for topic in self._topics.values():
            if topic.stream.kind is StreamKind.BOOK_TICKER:
                topic.fresh = True

    def _send(self, topic: Topic, make: Make, more: int = 0) -> None:
        """Encode once per unit of time, wrap once, and give all of a group the same bytes."""
        topic.fresh = False
        # Nobody is always first: of two sockets of one client the later might never be heard.
        topic.backwards = not topic.backwards
        for unit_ns, (raw, combined) in zip(_UNITS_NS, topic.groups, strict=True):
            if not raw and not combined:
                continue
            made = make(unit_ns)
            if self._past is not None and isinstance(made, dict):
                made[SEQUENCE], made[MORE] = self._node.spot.sequence, more
            payload = encode_json(made)
            self._metrics.stream_messages += 1
            if raw:
                frame = text_frame(payload)
                for socket in reversed(raw) if topic.backwards else raw:
                    socket.send_frame(frame)
            if combined:
                frame = text_frame(topic.prefix + payload + b"}")
                for socket in reversed(combined) if topic.backwards else combined:
                    socket.send_frame(frame)


_UNITS_NS: Final = (MILLISECOND_NS, MICROSECOND_NS)
_FED_BY_ENTRIES: Final = frozenset({StreamKind.TRADE, StreamKind.AGG_TRADE, StreamKind.BOOK_TICKER})


class _One(NamedTuple):
    """One socket that goes on, and how it wants its messages."""

    socket: Socket
    combined: bool
    microseconds: bool


def _trade(instrument: Instrument, event: Traded, at_ns: int, unit_ns: int) -> object:
    return payloads.trade(
        instrument,
        trade_id=event.trade_id,
        price_ticks=event.price_ticks,
        size_lots=event.size_lots,
        at_ns=at_ns,
        buyer_is_maker=event.maker.is_buy,
        unit_ns=unit_ns,
    )


def _trades(made: list[Make]) -> Iterator[tuple[Make, int]]:
    """Yield an entry's trades, each with how many follow."""
    for number, make in enumerate(made, start=1):
        yield make, len(made) - number


def _shown(best: Best) -> tuple[int, int, int, int]:
    return best.bid_ticks, best.bid_lots, best.ask_ticks, best.ask_lots


def _figures(stream: Stream, row: Ticker) -> tuple[int, ...]:
    """Return what must differ for a ticker to count as changed; time alone is no change."""
    traded = (
        row.open_ticks,
        row.high_ticks,
        row.low_ticks,
        row.last_ticks,
        row.size_lots,
        row.quote_atoms,
        row.last_trade_id,
    )
    if stream.kind is not StreamKind.TICKER:
        return traded
    return (*traded, row.bid_ticks, row.bid_lots, row.ask_ticks, row.ask_lots)
