"""One captured market shown as another.  The rule: exact for the captured one, openly scaled else.

Prices and sizes become ticks and lots of the listed market.  A bid is rounded down and an ask up,
so that a scaled book never crosses; levels that fall on one tick are added up.
"""

from typing import Final

from msgspec import Struct

from seawall.core.spot_state import Market
from seawall.lab.capture import DECIMALS, Trade
from seawall.lab.expected import ExpectedBook

UNIT: Final = 10**DECIMALS
BILLION: Final = 10**9


class Scale(Struct, frozen=True, kw_only=True):
    """What one unit of the captured market is here, in billionths."""

    price_ppb: int = 1_000_000_000
    size_ppb: int = 1_000_000_000


Book = tuple[dict[int, int], dict[int, int]]
"""Bids and asks: lots by ticks."""


class Scaler:
    """Turns captured prices and sizes into one market's ticks and lots."""

    def __init__(self, market: Market, scale: Scale) -> None:
        instrument = market.instrument
        # ticks = price / 10**8 * ppb / 10**9 * 10**price_decimals / tick_price
        self._ticks: int = scale.price_ppb * 10**instrument.price_decimals
        self._ticks_unit = UNIT * BILLION * instrument.tick_price
        self._lots: int = scale.size_ppb * 10**instrument.base_decimals
        self._lots_unit = UNIT * BILLION * instrument.lot_size

    def book(self, captured: ExpectedBook, levels: int) -> Book:
        """Return the best `levels` of each side; one that is too thin for a lot shows none."""
        return (
            self._side(sorted(captured.bids.items(), reverse=True), levels, up=False),
            self._side(sorted(captured.asks.items()), levels, up=True),
        )

    def trade(self, trade: Trade) -> tuple[int, int]:
        """Return ticks and lots; the maker's side decides the rounding, as it did in the book."""
        ticks = self._to_ticks(trade.price, up=not trade.buyer_is_maker)
        return ticks, trade.size * self._lots // self._lots_unit

    def _side(self, best_first: list[tuple[int, int]], levels: int, *, up: bool) -> dict[int, int]:
        found: dict[int, int] = {}
        for price, size in best_first:
            ticks = self._to_ticks(price, up=up)
            if ticks not in found and len(found) == levels:
                break
            found[ticks] = found.get(ticks, 0) + size
        unit = self._lots_unit
        return {ticks: lots for ticks, size in found.items() if (lots := size * self._lots // unit)}

    def _to_ticks(self, price: int, *, up: bool) -> int:
        numerator = price * self._ticks
        return -(-numerator // self._ticks_unit) if up else numerator // self._ticks_unit
