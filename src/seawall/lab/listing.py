"""The market that a capture is played into.  The rule: tick and lot come from the data.

Its filters are wide open: a real book holds orders that no filter of today would let in (bids at
a third of the price, remainders worth less than a cent), and a replay must hold them all.
"""

from math import gcd

from seawall.lab.capture import DECIMALS, Capture, Diff
from seawall.model.commands import ListAsset, ListMarket
from seawall.model.ids import AssetCode, Symbol
from seawall.model.instruments import Asset, Instrument

QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "EUR", "TRY", "BTC", "ETH", "BNB")
"""Quote assets that a symbol may end with; the longest that fits wins."""
WIDE_PPM = 1_000_000_000


def split_symbol(symbol: str) -> tuple[AssetCode, AssetCode]:
    """Return base and quote of a symbol such as BTCUSDT."""
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return AssetCode(symbol.removesuffix(quote)), AssetCode(quote)
    half = len(symbol) // 2
    return AssetCode(symbol[:half]), AssetCode(symbol[half:])


def listing(capture: Capture) -> tuple[ListAsset, ListAsset, ListMarket]:
    """Return the commands that list both assets and the market."""
    base, quote = split_symbol(capture.symbol)
    tick_price, lot_size = _units(capture)
    instrument = Instrument(
        symbol=Symbol(capture.symbol),
        base=base,
        quote=quote,
        base_decimals=DECIMALS,
        quote_decimals=DECIMALS,
        price_decimals=DECIMALS,
        tick_price=tick_price,
        lot_size=lot_size,
        min_price=tick_price,
        max_price=tick_price * 10**15,
        min_size=lot_size,
        max_size=lot_size * 10**15,
        max_market_size=lot_size * 10**15,
        min_notional=0,
        max_notional=10**30,
        bid_up_ppm=WIDE_PPM,
        bid_down_ppm=0,
        ask_up_ppm=WIDE_PPM,
        ask_down_ppm=0,
    )
    instrument.check()
    return (
        ListAsset(asset=Asset(code=base, name=base, decimals=DECIMALS)),
        ListAsset(asset=Asset(code=quote, name=quote, decimals=DECIMALS)),
        ListMarket(instrument=instrument),
    )


def _units(capture: Capture) -> tuple[int, int]:
    """Return the largest powers of ten that divide every price and every size."""
    prices, sizes = 0, 0
    snapshot = capture.snapshot
    for price, size in snapshot.bids + snapshot.asks:
        prices, sizes = gcd(prices, price), gcd(sizes, size)
    for event in capture.events:
        if isinstance(event, Diff):
            for price, size in event.bids + event.asks:
                prices, sizes = gcd(prices, price), gcd(sizes, size)
        else:
            prices, sizes = gcd(prices, event.price), gcd(sizes, event.size)
    return _power_of_ten(prices), _power_of_ten(sizes)


def _power_of_ten(divisor: int) -> int:
    power = 1
    while divisor and divisor % (power * 10) == 0:
        power *= 10
    return power
