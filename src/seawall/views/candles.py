"""Candles of every interval, as they form.  The rule: a candle is the sum of its trades, no more.

A trade touches one bar, of its second; that is added to the sixteen forming candles when the second
has passed or someone looks.  Only periods with trades are kept; reading fills the others with the
previous close and no volume, and says for each whether it is closed and complete.
"""

from collections.abc import Callable, Iterable, Iterator

from seawall.views.bars import Bar
from seawall.views.periods import INTERVALS, SECOND_NS, period_of
from seawall.views.rows import Candle


class FormingCandles:
    """One market's candles that trades may still change, and those not yet written down."""

    def __init__(self) -> None:
        self.first_trade_ns = -1
        self.second: Bar | None = None
        """Trades not yet added to the candles."""
        self.current: list[Bar] = []
        """The latest bar of each interval, in the order of INTERVALS; empty before any trade."""
        self.previous: list[Bar | None] = [None] * len(INTERVALS)
        """The bar of each interval before the current one, for streams that tell its close."""
        self.on_minute: Callable[[Bar], None] | None = None
        """Told of each minute's bar when a trade of a later minute comes."""
        self._ended: list[tuple[str, Bar]] = []
        self._touched = False

    def trade(
        self, at_ns: int, ticks: int, lots: int, quote: int, taker_is_buy: int, trade_id: int
    ) -> None:
        bar = self.second
        if bar is not None and at_ns >= bar.end_ns:
            self.settle()
            bar = None
        if bar is None:
            open_ns = at_ns // SECOND_NS * SECOND_NS
            buy_lots = lots if taker_is_buy else 0
            buy_quote = quote if taker_is_buy else 0
            self.second = Bar(
                open_ns, open_ns + SECOND_NS, ticks, ticks, ticks, ticks,
                lots, quote, 1, buy_lots, buy_quote, trade_id, trade_id,
            )  # fmt: skip
            return
        if ticks > bar.high_ticks:
            bar.high_ticks = ticks
        elif ticks < bar.low_ticks:
            bar.low_ticks = ticks
        bar.close_ticks = ticks
        bar.size_lots += lots
        bar.quote_atoms += quote
        bar.trade_count += 1
        if taker_is_buy:
            bar.taker_buy_lots += lots
            bar.taker_buy_quote += quote
        bar.last_trade_id = trade_id

    def settle(self) -> None:
        """Add the latest trades to every candle."""
        second = self.second
        if second is None:
            return
        self.second = None
        self._touched = True
        if not self.current:
            self.first_trade_ns = second.open_ns
            self.current = [second.over(*period_of(name, second.open_ns)) for name in INTERVALS]
            return
        for index, bar in enumerate(self.current):
            if second.open_ns < bar.end_ns:
                bar.add(second)
            else:
                self._end(index, bar)
                period = period_of(INTERVALS[index], second.open_ns)
                self.current[index] = second.over(*period)

    def take_changed(self) -> list[tuple[str, Bar]]:
        """Return (interval, bar) of each candle changed since the last call."""
        self.settle()
        if not self._touched:
            return []
        changed = [*self._ended, *zip(INTERVALS, self.current, strict=True)]
        self._ended = []
        self._touched = False
        return changed

    def at(self, interval: str, open_ns: int) -> Bar | None:
        """Return the bar of the period opening at `open_ns`, if it is one of the latest two."""
        self.settle()
        index = INTERVALS.index(interval)
        for bar in (self.current[index] if self.current else None, self.previous[index]):
            if bar is not None and bar.open_ns == open_ns:
                return bar
        return None

    def close_before(self, interval: str, open_ns: int) -> int | None:
        """Return the last price before `open_ns`, as far as the latest two bars tell it."""
        self.settle()
        index = INTERVALS.index(interval)
        for bar in (self.current[index] if self.current else None, self.previous[index]):
            if bar is not None and bar.end_ns <= open_ns:
                return bar.close_ticks
        return None

    def _end(self, index: int, bar: Bar) -> None:
        self.previous[index] = bar
        self._ended.append((INTERVALS[index], bar))
        if INTERVALS[index] == "1m" and self.on_minute is not None:
            self.on_minute(bar)


def fill(
    periods: Iterable[tuple[int, int]], bars: Iterator[Bar], close_before: int, entry_ns: int
) -> list[Candle]:
    """Return a candle for each period, from bars in order; those without trades carry the close.

    `close_before` is the last price before the first period, 0 if there was no trade before: then
    periods before the first bar are left out.  `entry_ns` is the latest journal entry's time.
    """
    candles = []
    close = close_before
    bar = next(bars, None)
    for open_ns, end_ns in periods:
        if bar is not None and bar.open_ns == open_ns:
            candles.append(candle(bar, entry_ns))
            close = bar.close_ticks
            bar = next(bars, None)
        elif close:
            candles.append(empty_candle(open_ns, end_ns, close, entry_ns))
    return candles


def candle(bar: Bar, entry_ns: int) -> Candle:
    return Candle(
        open_ns=bar.open_ns,
        close_ns=bar.end_ns - 1,
        open_ticks=bar.open_ticks,
        high_ticks=bar.high_ticks,
        low_ticks=bar.low_ticks,
        close_ticks=bar.close_ticks,
        size_lots=bar.size_lots,
        quote_atoms=bar.quote_atoms,
        trade_count=bar.trade_count,
        taker_buy_lots=bar.taker_buy_lots,
        taker_buy_quote=bar.taker_buy_quote,
        first_trade_id=bar.first_trade_id,
        last_trade_id=bar.last_trade_id,
        closed=entry_ns >= bar.end_ns,
    )


def empty_candle(open_ns: int, end_ns: int, close_ticks: int, entry_ns: int) -> Candle:
    return Candle(
        open_ns=open_ns,
        close_ns=end_ns - 1,
        open_ticks=close_ticks,
        high_ticks=close_ticks,
        low_ticks=close_ticks,
        close_ticks=close_ticks,
        size_lots=0,
        quote_atoms=0,
        trade_count=0,
        taker_buy_lots=0,
        taker_buy_quote=0,
        closed=entry_ns >= end_ns,
    )
