"""Assets, instruments and fee tiers.  The rule: a fill's notional is a whole number of atoms.

A price is counted in ticks, a size in lots.  An instrument is valid only if one lot at one tick
is a whole number of quote atoms; then no trade ever rounds, and only fees do (down).
"""

from msgspec import Struct

from seawall.model.ids import AssetCode, Symbol
from seawall.model.trading import MarketStatus, OrderType, StpMode


class InstrumentError(ValueError):
    """The instrument contradicts itself; the message says how to mend it."""


class Asset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that is owned; `decimals` gives its smallest unit, the atom."""

    code: AssetCode
    name: str
    decimals: int


class Instrument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One spot market and its filters.

    Prices are integers in units of 10**-price_decimals of the quote asset per whole base unit
    (`_price`), sizes in base atoms (`_size`), notionals in quote atoms (`_notional`), rates in
    parts per million (`_ppm`), trailing deltas in basis points (`_bps`).
    """

    symbol: Symbol
    base: AssetCode
    quote: AssetCode
    base_decimals: int
    quote_decimals: int
    price_decimals: int = 8
    tick_price: int
    lot_size: int
    min_price: int
    max_price: int
    min_size: int
    max_size: int
    max_market_size: int
    min_notional: int
    max_notional: int
    bid_up_ppm: int = 5_000_000
    bid_down_ppm: int = 200_000
    ask_up_ppm: int = 5_000_000
    ask_down_ppm: int = 200_000
    """PERCENT_PRICE_BY_SIDE: a limit's bounds relative to the average price of five minutes."""
    max_orders: int = 200
    max_algo_orders: int = 5
    max_iceberg_orders: int = 200
    iceberg_parts: int = 100
    max_position: int = 0
    """Base atoms one account may own, holds and open buys included; 0 is no limit."""
    trailing_min_bps: int = 10
    trailing_max_bps: int = 2_000
    order_types: tuple[OrderType, ...] = tuple(OrderType)
    stp_modes: tuple[StpMode, ...] = tuple(StpMode)
    stp_default: StpMode = StpMode.EXPIRE_MAKER
    status: MarketStatus = MarketStatus.OPEN
    """The status a market is listed with; the present one is in the market's state."""

    @property
    def atoms_per_tick_lot(self) -> int:
        """Quote atoms that one lot costs per tick of its price."""
        quotient: int = self._numerator // self._denominator
        return quotient

    @property
    def _numerator(self) -> int:
        return self.tick_price * self.lot_size * int(10**self.quote_decimals)

    @property
    def _denominator(self) -> int:
        return int(10 ** (self.price_decimals + self.base_decimals))

    def check(self) -> None:
        """Raise InstrumentError if the instrument contradicts itself."""
        if self.base == self.quote:
            raise InstrumentError(f"{self.symbol}: base and quote must differ")
        if self.tick_price <= 0 or self.lot_size <= 0:
            raise InstrumentError(f"{self.symbol}: tick and lot must be positive")
        if self._numerator % self._denominator:
            raise InstrumentError(
                f"{self.symbol}: one lot at one tick is not a whole number of {self.quote} atoms;"
                " choose a larger tick or lot, or give the quote asset more decimals"
            )
        for name in ("min_price", "max_price"):
            if getattr(self, name) % self.tick_price:
                raise InstrumentError(f"{self.symbol}: {name} must be a multiple of the tick")
        for name in ("min_size", "max_size", "max_market_size"):
            if getattr(self, name) % self.lot_size:
                raise InstrumentError(f"{self.symbol}: {name} must be a multiple of the lot")
        if not 0 < self.min_price <= self.max_price or not 0 < self.min_size <= self.max_size:
            raise InstrumentError(f"{self.symbol}: a minimum must be positive, under its maximum")
        if self.stp_default not in self.stp_modes:
            raise InstrumentError(f"{self.symbol}: stp_default must be one of stp_modes")


class FeeTier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an account of this tier pays and may keep open.

    Fees are parts per million of what the trade gives the account, in that asset, rounded down:
    the exchange never takes more than the stated rate.
    """

    tier: int
    maker_ppm: int
    taker_ppm: int
    max_orders: int = 0
    """Open orders per market, in place of the instrument's limit where it is larger."""
