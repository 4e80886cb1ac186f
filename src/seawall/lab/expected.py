"""What a capture says the book and the candles must be.  The rule: no code shared with the core.

Built from the capture alone, with plain dictionaries, so that a mistake in Seawall's book or
candles cannot repeat itself here.
"""

from collections.abc import Iterable

from msgspec import Struct

from seawall.lab.capture import DECIMALS, Diff, Levels, Snapshot, Trade


class ExpectedBook:
    """Prices and sizes (10**-8) by absolute levels."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        _set(self.bids, snapshot.bids)
        _set(self.asks, snapshot.asks)

    def apply(self, diff: Diff) -> None:
        _set(self.bids, diff.bids)
        _set(self.asks, diff.asks)

    def best(self) -> tuple[int, int]:
        """Return the best bid and ask, 0 where there is none."""
        return max(self.bids, default=0), min(self.asks, default=0)


class ExpectedCandle(Struct, frozen=True, kw_only=True):
    """Prices and sizes of 10**-8; quote amounts of 10**-16, exact."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_buy_volume: int
    taker_buy_quote_volume: int


def expected_candles(trades: Iterable[Trade], interval_ms: int) -> dict[int, ExpectedCandle]:
    """Return the candles of the periods that have trades, by opening time."""
    periods: dict[int, list[Trade]] = {}
    for trade in trades:
        open_ms = trade.at_ms - trade.at_ms % interval_ms
        periods.setdefault(open_ms, []).append(trade)
    return {open_ms: _candle(open_ms, inside) for open_ms, inside in periods.items()}


QUOTE_DECIMALS = 2 * DECIMALS


def _candle(open_ms: int, trades: list[Trade]) -> ExpectedCandle:
    prices = [trade.price for trade in trades]
    bought = [trade for trade in trades if not trade.buyer_is_maker]
    return ExpectedCandle(
        open_ms=open_ms,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(trade.size for trade in trades),
        quote_volume=sum(trade.price * trade.size for trade in trades),
        trades=len(trades),
        taker_buy_volume=sum(trade.size for trade in bought),
        taker_buy_quote_volume=sum(trade.price * trade.size for trade in bought),
    )


def _set(side: dict[int, int], levels: Levels) -> None:
    for price, size in levels:
        if size == 0:
            side.pop(price, None)
        else:
            side[price] = size
