"""The sums that candles and tickers are made of.  The rule: adding up is associative.

A bar of a minute is the sum of its seconds' bars, whatever the grouping; so one trade touches one
bar, and the others are added up when a second ends or someone looks.
"""

from msgspec import Struct


class Bar(Struct, array_like=True, gc=False):
    """Trades of one period, [open_ns, end_ns); there is at least one."""

    open_ns: int
    end_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    size_lots: int
    quote_atoms: int
    trade_count: int
    taker_buy_lots: int
    taker_buy_quote: int
    first_trade_id: int
    last_trade_id: int

    def add(self, later: "Bar") -> None:
        """Take in the trades of `later`, all made after this bar's."""
        self.high_ticks = max(self.high_ticks, later.high_ticks)
        self.low_ticks = min(self.low_ticks, later.low_ticks)
        self.close_ticks = later.close_ticks
        self.size_lots += later.size_lots
        self.quote_atoms += later.quote_atoms
        self.trade_count += later.trade_count
        self.taker_buy_lots += later.taker_buy_lots
        self.taker_buy_quote += later.taker_buy_quote
        self.last_trade_id = later.last_trade_id

    def over(self, open_ns: int, end_ns: int) -> "Bar":
        """Return the same trades as a bar of another period."""
        return Bar(
            open_ns,
            end_ns,
            self.open_ticks,
            self.high_ticks,
            self.low_ticks,
            self.close_ticks,
            self.size_lots,
            self.quote_atoms,
            self.trade_count,
            self.taker_buy_lots,
            self.taker_buy_quote,
            self.first_trade_id,
            self.last_trade_id,
        )


def add_up(bars: list[Bar], open_ns: int, end_ns: int) -> Bar | None:
    """Return the sum of `bars`, earliest first, as one bar; None if there are none."""
    if not bars:
        return None
    total = bars[0].over(open_ns, end_ns)
    for bar in bars[1:]:
        total.add(bar)
    return total
