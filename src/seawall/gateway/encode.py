"""How the exchange's integers are shown.  The rule: exact decimal text, never a float.

Prices, sizes and amounts show eight decimals, or as many as their asset has if those are more.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from seawall.model.instruments import Asset, Instrument
from seawall.model.trading import MarketStatus

SHOWN_DECIMALS = 8

encode_json = msgspec.json.Encoder().encode

ZERO = "0.00000000"

SYMBOL_STATUS: Mapping[MarketStatus, str] = {
    MarketStatus.OPEN: "TRADING",
    MarketStatus.POST_ONLY: "TRADING",
    MarketStatus.AUCTION: "BREAK",
    MarketStatus.CANCEL_ONLY: "CANCEL_ONLY",
    MarketStatus.HALTED: "HALT",
}


class Decimals:
    """Writes counts of one unit as decimal text."""

    __slots__ = ("_divisor", "_pattern", "_unit", "_zero", "decimals")

    def __init__(self, unit: int, decimals: int) -> None:
        self.decimals = max(decimals, SHOWN_DECIMALS)
        self._unit: int = unit * 10 ** (self.decimals - decimals)
        self._divisor: int = 10**self.decimals
        self._pattern = f"%d.%0{self.decimals}d"
        self._zero: str = self._pattern % (0, 0)

    def text(self, count: int) -> str:
        if count <= 0:
            return self._zero if count == 0 else "-" + self.text(-count)
        shown: str = self._pattern % divmod(count * self._unit, self._divisor)
        return shown


class Scale:
    """Writes the ticks, lots and atoms of one instrument."""

    __slots__ = ("base", "lots", "notional", "price", "prices", "quote", "size", "ticks")

    def __init__(self, instrument: Instrument) -> None:
        ticks = Decimals(instrument.tick_price, instrument.price_decimals)
        lots = Decimals(instrument.lot_size, instrument.base_decimals)
        quote = Decimals(1, instrument.quote_decimals)
        base = Decimals(1, instrument.base_decimals)
        prices = Decimals(1, instrument.price_decimals)
        self.price = ticks.text
        """Of ticks."""
        self.size = lots.text
        """Of lots."""
        self.quote = quote.text
        """Of quote atoms."""
        self.base = base.text
        """Of base atoms."""
        self.prices = prices.text
        """Of price units, which are finer than ticks."""
        self.ticks = ticks
        self.lots = lots
        self.notional = instrument.atoms_per_tick_lot


_scales: dict[str, tuple[Instrument, Scale]] = {}


def scale_of(instrument: Instrument) -> Scale:
    """Return the instrument's scale, made once."""
    kept = _scales.get(instrument.symbol)
    if kept is None or kept[0] is not instrument:
        kept = (instrument, Scale(instrument))
        _scales[instrument.symbol] = kept
    return kept[1]


@lru_cache(maxsize=256)
def _amounts(decimals: int) -> Decimals:
    return Decimals(1, decimals)


def amount_text(asset: Asset, atoms: int) -> str:
    return _amounts(asset.decimals).text(atoms)


def trimmed(text: str) -> str:
    """Return decimal text without needless zeros, as `withdrawFee` and the like show it."""
    return text.rstrip("0").rstrip(".") if "." in text else text
