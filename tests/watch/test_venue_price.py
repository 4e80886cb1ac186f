"""What other venues ask for the same thing."""

import time

import pytest

from seawall.watch.venue_looks import VenueWatch
from seawall.watch.venues import VenueSettings


@pytest.mark.parametrize(
    "closes, price",
    [([100.0, 101.0, 500.0], 101.0), ([100.0, 102.0], 101.0), ([None, 7.0], 7.0), ([None], None)],
)
def test_the_median_of_those_that_tell_is_the_price(
    closes: list[float | None], price: float | None
) -> None:
    rows = [
        VenueSettings(name=f"v{place}", party="P", ccxt="none", symbol="BTC/USDT")
        for place in range(len(closes))
    ]
    other = VenueSettings(name="other", party="P", ccxt="none", symbol="ETH/USDT")
    watch = VenueWatch([*rows, other], now_ns=time.time_ns)
    for venue, close in zip(watch._venues, [*closes, 9.0], strict=True):
        venue.bars = [] if close is None else [[0, close, close, close, close, 1.0]]
    assert watch.price("BTCUSDT") == price
    assert watch.price("LTCUSDT") is None
