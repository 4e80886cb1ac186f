"""Candle intervals and their periods.  The rule: every instant lies in exactly one period.

Periods are half-open, [open, end), in UTC or shifted by a fixed offset: periods of up to a day are
counted from midnight, three days from 1970-01-01, weeks begin on Monday, months on the first.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

LENGTHS_NS: Final = {
    "1s": SECOND_NS,
    "1m": MINUTE_NS,
    "3m": 3 * MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": HOUR_NS,
    "2h": 2 * HOUR_NS,
    "4h": 4 * HOUR_NS,
    "6h": 6 * HOUR_NS,
    "8h": 8 * HOUR_NS,
    "12h": 12 * HOUR_NS,
    "1d": DAY_NS,
    "3d": 3 * DAY_NS,
    "1w": 7 * DAY_NS,
}
"""All but the month, whose length varies."""

INTERVALS: Final = (*LENGTHS_NS, "1M")

_MONDAY_NS: Final = 4 * DAY_NS
"""1970-01-05, the first Monday after the epoch."""
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class UnknownIntervalError(ValueError):
    """There is no such candle interval."""


def period_of(interval: str, at_ns: int, offset_ns: int = 0) -> tuple[int, int]:
    """Return where the period that holds `at_ns` opens and ends, clocks being `offset_ns` ahead."""
    if interval == "1M":
        opened = _month(at_ns + offset_ns)
        ended = _month(opened + 31 * DAY_NS)
        return opened - offset_ns, ended - offset_ns
    length = LENGTHS_NS.get(interval)
    if length is None:
        raise UnknownIntervalError(interval)
    shift = offset_ns - (_MONDAY_NS if interval == "1w" else 0)
    opened = (at_ns + shift) // length * length - shift
    return opened, opened + length


def periods_from(interval: str, at_ns: int, offset_ns: int = 0) -> Iterator[tuple[int, int]]:
    """Yield periods for ever, the one that holds `at_ns` first."""
    opened, ended = period_of(interval, at_ns, offset_ns)
    while True:
        yield opened, ended
        opened, ended = period_of(interval, ended, offset_ns)


def open_before(interval: str, at_ns: int, count: int, offset_ns: int = 0) -> int:
    """Return where the period opens that lies `count` before the one that holds `at_ns`."""
    opened, ended = period_of(interval, at_ns, offset_ns)
    if interval != "1M":
        return opened - count * (ended - opened)
    for _ in range(count):
        opened, _ = period_of(interval, opened - 1, offset_ns)
    return opened


def base_interval(interval: str, offset_ns: int) -> str:
    """Return the longest interval whose UTC periods add up to the shifted ones of `interval`."""
    if offset_ns == 0 or interval == "1s":
        return interval
    longest = "1m"
    for name in ("3m", "5m", "15m", "30m", "1h"):
        length = LENGTHS_NS[name]
        if offset_ns % length == 0 and LENGTHS_NS.get(interval, DAY_NS) % length == 0:
            longest = name
    return longest


def _month(at_ns: int) -> int:
    """Return the first instant of the month that holds `at_ns`."""
    first = date.fromordinal(at_ns // DAY_NS + _EPOCH_ORDINAL).replace(day=1)
    return (first.toordinal() - _EPOCH_ORDINAL) * DAY_NS
