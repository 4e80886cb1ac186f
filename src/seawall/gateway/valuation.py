"""What a balance is worth in bitcoin, for display.  The rule: nothing is decided by it.

Prices are those of the last trades, through one other asset at most; a balance that no market
leads to bitcoin from is worth "0", as Binance writes it.
"""

from collections.abc import Iterator
from fractions import Fraction

from seawall.gateway.context import Context
from seawall.gateway.params import Params

BITCOIN = "BTC"
_SATOSHIS = 10**8


def btc_valuation(context: Context, params: Params, code: str, atoms: int) -> str:
    """Return the worth of an amount, rounded down; "0" unless `needBtcValuation` is set."""
    if not params.flag("needBtcValuation"):
        return "0"
    rate = _rate(context, code)
    if rate is None:
        return "0"
    worth = Fraction(atoms, 10 ** context.node.spot.assets[code].decimals) * rate
    satoshis = worth.numerator * _SATOSHIS // worth.denominator
    return f"{satoshis // _SATOSHIS}.{satoshis % _SATOSHIS:08d}"


def _rate(context: Context, code: str) -> Fraction | None:
    """Return bitcoins for one unit of an asset."""
    if code == BITCOIN:
        return Fraction(1)
    around = dict(_prices(context, code))
    if BITCOIN in around:
        return around[BITCOIN]
    for other, price in around.items():
        for target, rate in _prices(context, other):
            if target == BITCOIN:
                return price * rate
    return None


def _prices(context: Context, code: str) -> Iterator[tuple[str, Fraction]]:
    """Yield what one unit of an asset last bought of each asset that it trades with."""
    for market in context.node.spot.markets.values():
        instrument = market.instrument
        if code not in (instrument.base, instrument.quote):
            continue
        last = context.node.views.last_trade(market.symbol)
        if last is None:
            continue
        price = Fraction(last.price_ticks * instrument.tick_price, 10**instrument.price_decimals)
        if code == instrument.base:
            yield instrument.quote, price
        else:
            yield instrument.base, 1 / price
