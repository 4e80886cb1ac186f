"""Candles against a computation that knows nothing of how they are kept."""

import asyncio
import calendar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.flow import GAPS_NS, SMALL, START_NS, Exchange, Step, flows

from seawall.core.fees import average_price
from seawall.model.commands import SetMarketStatus, Tick
from seawall.model.events import MarketListed, MarketStatusChanged, Traded
from seawall.model.trading import MarketStatus
from seawall.views.candles import FormingCandles
from seawall.views.interruptions import LASTING, Interruption
from seawall.views.periods import (
    INTERVALS,
    LENGTHS_NS,
    UnknownIntervalError,
    open_before,
    period_of,
)
from seawall.views.rows import Candle
from seawall.views.views import Views

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
SILENCE = 2_500_000_000


def bounded(flow: list[Step], interval: str) -> list[Step]:
    """Shorten long gaps: the naive computation walks through every period there is."""
    longest_ns = 20 * LENGTHS_NS.get(interval, 30 * DAY)
    longest = sum(gap_ns <= longest_ns for gap_ns in GAPS_NS) - 1
    return [(*step[:4], min(step[4], longest)) for step in flow]


def naive_period(interval: str, at_ns: int, offset_ns: int) -> tuple[int, int]:
    """By the calendar, not by arithmetic."""
    local = datetime.fromtimestamp((at_ns + offset_ns) // SECOND, UTC)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    number, unit = int(interval[:-1]), interval[-1]
    match unit:
        case "M":
            opened = midnight.replace(day=1)
            days = calendar.monthrange(opened.year, opened.month)[1]
            ended = opened + timedelta(days=days)
        case "w":
            opened = midnight - timedelta(days=midnight.weekday())
            ended = opened + timedelta(days=7)
        case "d":
            days = (midnight - datetime(1970, 1, 1, tzinfo=UTC)).days
            opened = midnight - timedelta(days=days % number)
            ended = opened + timedelta(days=number)
        case _:
            length = number * {"s": 1, "m": 60, "h": 3600}[unit]
            passed = int((local - midnight).total_seconds())
            opened = midnight + timedelta(seconds=passed - passed % length)
            ended = opened + timedelta(seconds=length)
    return (
        int(opened.timestamp()) * SECOND - offset_ns,
        int(ended.timestamp()) * SECOND - offset_ns,
    )


@given(
    st.sampled_from(INTERVALS),
    st.integers(0, 4 * 10**18),
    st.integers(-12 * 60, 14 * 60),
    st.integers(0, 30),
)
def test_periods_follow_the_calendar(interval: str, at_ns: int, minutes: int, back: int) -> None:
    offset_ns = minutes * 60 * SECOND
    opened, ended = period_of(interval, at_ns, offset_ns)
    assert (opened, ended) == naive_period(interval, at_ns, offset_ns)
    assert opened <= at_ns < ended
    earlier = opened
    for _ in range(back):
        earlier, _ = period_of(interval, earlier - 1, offset_ns)
    assert open_before(interval, at_ns, back, offset_ns) == earlier


def test_known_periods() -> None:
    leap_day = int(datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()) * SECOND
    opened = {name: datetime.fromtimestamp(period_of(name, leap_day)[0] // SECOND, UTC)
              for name in ("3d", "1w", "1M")}  # fmt: skip
    assert opened["1w"] == datetime(2024, 2, 26, tzinfo=UTC)
    assert opened["1M"] == datetime(2024, 2, 1, tzinfo=UTC)
    assert (opened["3d"] - datetime(1970, 1, 1, tzinfo=UTC)).days % 3 == 0
    with pytest.raises(UnknownIntervalError):
        period_of("7m", leap_day)


class NaiveMarket:
    """Trades and interruptions of one market, as an attentive reader would note them."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.trades: list[tuple[int, Traded]] = []
        self.dark: list[tuple[int, int]] = []
        self.not_open_since: int | None = 0
        self.last_ns = 0

    def watch(self, exchange: Exchange) -> None:
        at_ns = exchange.state.at_ns
        if self.last_ns and at_ns - self.last_ns > SILENCE:
            self.dark.append((self.last_ns, at_ns))
        self.last_ns = at_ns
        for event in exchange.events:
            match event:
                case MarketListed() if event.instrument.symbol == self.symbol:
                    self._set(at_ns, event.instrument.status)
                case MarketStatusChanged() if event.symbol == self.symbol:
                    self._set(at_ns, event.status)
                case Traded() if event.symbol == self.symbol:
                    self.trades.append((at_ns, event))

    def _set(self, at_ns: int, status: MarketStatus) -> None:
        if self.not_open_since is not None:
            self.dark.append((self.not_open_since, at_ns))
        self.not_open_since = None if status is MarketStatus.OPEN else at_ns

    def candles(self, interval: str, now_ns: int, offset_ns: int) -> list[Candle]:
        dark = list(self.dark)
        if self.not_open_since is not None:
            dark.append((self.not_open_since, now_ns + 10**18))
        if now_ns - self.last_ns > SILENCE:
            dark.append((self.last_ns, now_ns + 1))
        found: list[Candle] = []
        if not self.trades:
            return found
        opened, ended = naive_period(interval, self.trades[0][0], offset_ns)
        index = 0
        while opened <= now_ns:
            inside = []
            while index < len(self.trades) and self.trades[index][0] < ended:
                inside.append(self.trades[index][1])
                index += 1
            prices = [trade.price_ticks for trade in inside] or [found[-1].close_ticks]
            bought = [trade for trade in inside if trade.taker.is_buy]
            found.append(
                Candle(
                    open_ns=opened,
                    close_ns=ended - 1,
                    open_ticks=prices[0],
                    high_ticks=max(prices),
                    low_ticks=min(prices),
                    close_ticks=prices[-1],
                    size_lots=sum(trade.size_lots for trade in inside),
                    quote_atoms=sum(trade.quote_atoms for trade in inside),
                    trade_count=len(inside),
                    taker_buy_lots=sum(trade.size_lots for trade in bought),
                    taker_buy_quote=sum(trade.quote_atoms for trade in bought),
                    first_trade_id=inside[0].trade_id if inside else -1,
                    last_trade_id=inside[-1].trade_id if inside else -1,
                    closed=self.last_ns >= ended,
                    complete=not any(low < ended and opened < high for low, high in dark),
                )
            )
            opened, ended = naive_period(interval, ended, offset_ns)
        return found


async def check_candles(
    folder: Path, flow: list[Step], interval: str, minutes: int, look_after: int
) -> None:
    exchange = Exchange(Views.open(folder))
    views = exchange.followers()
    markets = {symbol: NaiveMarket(symbol) for symbol in ("AB", "CD")}
    exchange.list_markets()
    # The listing's events have gone by: both markets were listed open, at known times.
    for market in markets.values():
        market.dark.append((0, START_NS + SECOND))
        market.not_open_since = None
    exchange.commit(Tick(), SECOND)
    for number, step in enumerate(flow):
        for market in markets.values():
            market.last_ns = exchange.state.at_ns
        exchange.step(step)
        for market in markets.values():
            market.watch(exchange)
        if number % look_after == 0:
            await views.candles("AB", interval, None, None, 3, exchange.state.at_ns)
    now_ns = exchange.state.at_ns + look_after * SECOND // 3
    for market in markets.values():
        expected = market.candles(interval, now_ns, minutes * 60 * SECOND)
        args = (market.symbol, interval)
        assert await views.candles(*args, None, None, 1_000, now_ns, minutes) == expected[-1_000:]
        if minutes == 0:
            for back, candle in enumerate(expected[:-3:-1]):
                assert views.live_candle(*args, now_ns, back) == candle
        middle = expected[len(expected) // 2].open_ns + 1 if expected else START_NS
        found = await views.candles(*args, middle, None, 7, now_ns, minutes)
        assert found == [one for one in expected if one.open_ns >= middle][:7]
        found = await views.candles(*args, None, middle, 7, now_ns, minutes)
        assert found == [one for one in expected if one.open_ns <= middle][-7:]
        found = await views.candles(*args, START_NS, middle, 1_000, now_ns, minutes)
        assert found == [one for one in expected if START_NS <= one.open_ns <= middle][:1_000]
        core = exchange.state.markets[market.symbol]
        average = views.average_price(market.symbol)
        tick_lots, lots = average_price(core, exchange.state.at_ns)
        assert (average.tick_lots, average.size_lots) == (tick_lots, lots) or (
            (average.size_lots, lots, average.last_ticks) == (0, bool(lots), tick_lots)
        )
    await views.close()


@settings(deadline=None, max_examples=80)
@given(
    flows,
    st.sampled_from([name for name in INTERVALS if name != "1s"]),
    st.sampled_from([0, 0, 60, 330, -210, 7, 840]),
    st.integers(1, 12),
)
def test_candles_equal_a_naive_computation(
    flow: list[Step], interval: str, minutes: int, look_after: int
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(
            check_candles(Path(folder), bounded(flow, interval), interval, minutes, look_after)
        )


@settings(deadline=None, max_examples=25)
@given(flows)
def test_seconds_equal_a_naive_computation(flow: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check_candles(Path(folder), bounded(flow[:25], "1s"), "1s", 0, 5))


async def test_what_a_candle_says_of_silence_and_halts(tmp_path: Path) -> None:
    """Minutes: listed within, whole, silent within, halted within, without trades, lasting."""
    exchange = Exchange(Views.open(tmp_path))
    views = exchange.followers()
    minute = 60 * SECOND
    first_ns = (START_NS // minute + 1) * minute

    def until(at_ns: int) -> None:
        while exchange.state.at_ns < at_ns:
            exchange.commit(Tick(), min(SECOND, at_ns - exchange.state.at_ns))

    def trade(ticks: int) -> None:
        exchange.order(1, "SELL", ticks, 1)
        exchange.order(2, "BUY", ticks, 1)

    exchange.list_markets()
    trade(100)
    until(first_ns + 10 * SECOND)
    trade(103)
    until(first_ns + minute + SECOND)
    exchange.commit(Tick(), 3 * SECOND)
    until(first_ns + 2 * minute + SECOND)
    halted = SetMarketStatus(symbol=SMALL.symbol, status=MarketStatus.HALTED, reason="drill")
    exchange.commit(halted)
    opened = SetMarketStatus(symbol=SMALL.symbol, status=MarketStatus.OPEN, reason="over")
    exchange.commit(opened)
    until(first_ns + 4 * minute + SECOND)
    trade(99)
    now_ns = exchange.state.at_ns
    found = await views.candles("AB", "1m", None, None, 10, now_ns)
    shown = [(one.close_ticks, one.trade_count, one.closed, one.complete) for one in found]
    assert shown == [
        (100, 1, True, False),
        (103, 1, True, True),
        (103, 0, True, False),
        (103, 0, True, False),
        (103, 0, True, True),
        (99, 1, False, True),
    ]
    # The exchange stands still: the reader's clock alone says so.
    found = await views.candles("AB", "1m", None, None, 2, now_ns + 3 * SECOND)
    assert [one.complete for one in found] == [True, False]
    # Nor can it know that no trade of the minute waits: only a later entry closes a candle.
    found = await views.candles("AB", "1m", None, None, 2, now_ns + minute)
    assert [(one.close_ticks, one.trade_count, one.closed) for one in found] == [
        (99, 1, False),
        (99, 0, False),
    ]
    live = views.live_candle("AB", "1m", now_ns + 3 * SECOND)
    assert live is not None
    assert not live.complete
    assert views.live_candle("CD", "1m", now_ns) is None
    await views.close()


def test_a_candle_is_written_when_it_changed_and_not_again() -> None:
    forming = FormingCandles()
    assert forming.take_changed() == []
    forming.trade(START_NS, 100, 1, 100, 1, 1)
    assert len(forming.take_changed()) == len(INTERVALS)
    assert forming.take_changed() == []
    forming.trade(START_NS + SECOND, 101, 1, 101, 1, 2)
    changed = forming.take_changed()
    # The second that ended, and the candle that forms of each interval.
    assert [name for name, _ in changed] == ["1s", *INTERVALS]
    forming.trade(START_NS + SECOND, 102, 1, 102, 1, 3)
    assert [name for name, _ in forming.take_changed()] == list(INTERVALS)


def test_an_interruption_that_only_touches_a_period_takes_nothing_away() -> None:
    hole = Interruption("", 100, 200, "exchange down")
    lasting = Interruption("AB", 100, LASTING, "halted")
    periods = [(0, 100), (0, 101), (150, 160), (199, 300), (200, 300)]
    assert [hole.meets(*period) for period in periods] == [False, True, True, True, False]
    assert [lasting.meets(*period) for period in periods] == [False, True, True, True, True]
