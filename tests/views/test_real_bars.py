"""A real day: its seconds, put in as trades, must come out as the minutes and the day published."""

from pathlib import Path
from zipfile import ZipFile

from tests.views.flow import SMALL, Exchange

from seawall.model.amounts import parse_decimal
from seawall.views.candles import FormingCandles
from seawall.views.market_history import CandleQuery, find_candles
from seawall.views.periods import SECOND_NS
from seawall.views.views import Views

DATA = Path(__file__).parent / "data"
MIDNIGHT_NS = 1_475_971_200 * SECOND_NS
"""2016-10-09 00:00 UTC."""
DAY_NS = 86_400 * SECOND_NS

Bars = dict[int, tuple[int, int, int, int, int]]


def read_bars(name: str) -> Bars:
    """Return (open, high, low, close, volume) by opening time, in cents and satoshi."""
    with ZipFile(DATA / name) as archive:
        lines = archive.read(archive.namelist()[0]).decode().split()
    bars = {}
    for line in lines:
        at_ms, *prices, volume = line.split(",")
        opened, high, low, close = (parse_decimal(price, 2) for price in prices)
        bars[MIDNIGHT_NS + int(at_ms) * 1_000_000] = (
            opened, high, low, close, parse_decimal(volume, 8),
        )  # fmt: skip
    return bars


def put_in(forming: FormingCandles, bars: Bars) -> None:
    """Make four trades of each bar: its open, low, high and close."""
    trade_id = 0
    for open_ns, (opened, high, low, close, volume) in bars.items():
        lots = (volume - 3, 1, 1, 1)
        for number, ticks in enumerate((opened, low, high, close)):
            trade_id += 1
            at_ns = open_ns + number * 200_000_000
            forming.trade(at_ns, ticks, lots[number], ticks * lots[number], number % 2, trade_id)


async def test_seconds_add_up_to_the_minutes_and_the_day_published(tmp_path: Path) -> None:
    seconds, minutes = read_bars("second.zip"), read_bars("minute.zip")
    exchange = Exchange(Views.open(tmp_path))
    exchange.list_markets()
    views = exchange.followers()
    put_in(views._markets[SMALL.symbol].forming, seconds)
    await views.flush()

    async def stored(interval: str, limit: int, offset_minutes: int = 0) -> Bars:
        query = CandleQuery(
            symbol=SMALL.symbol, interval=interval, start_ns=MIDNIGHT_NS, end_ns=None,
            limit=limit, now_ns=MIDNIGHT_NS + DAY_NS - 1, entry_ns=MIDNIGHT_NS,
            offset_ns=offset_minutes * 60 * SECOND_NS,
        )  # fmt: skip
        found = views._history.read(find_candles, query, None).result()
        return {
            one.open_ns: (one.open_ticks, one.high_ticks, one.low_ticks, one.close_ticks,
                          one.size_lots)
            for one in found if one.trade_count
        }  # fmt: skip

    assert await stored("1s", 90_000) == seconds
    assert await stored("1m", 2_000) == minutes
    # The same day of clocks that are 0:30 behind begins half an hour in.
    ((_, published),) = (await stored("1d", 1)).items()
    assert published == (61_941, 61_959, 61_700, 61_742, 232_986_207_734)
    shifted = await stored("1h", 24, -30)
    assert next(iter(shifted)) == MIDNIGHT_NS + 1_800 * SECOND_NS
    first_hours = [bar for at_ns, bar in minutes.items() if at_ns < MIDNIGHT_NS + 1_800 * SECOND_NS]
    left_out = sum(bar[4] for bar in first_hours)
    assert sum(bar[4] for bar in shifted.values()) == 232_986_207_734 - left_out
    await views.close()
