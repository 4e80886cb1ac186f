"""Times of the journal as dates.  The rule: UTC, and no number is too large to be shown."""

from datetime import UTC, datetime
from typing import Final

SECOND_NS: Final = 1_000_000_000
_LAST_S: Final = 253_402_300_799
"""The end of the year 9999."""


def moment(at_ns: int) -> datetime:
    """Return the moment; what no calendar holds becomes its first or last second."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    if seconds < 0:
        seconds, rest = 0, 0
    if seconds > _LAST_S:
        seconds, rest = _LAST_S, 0
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1_000)


def iso(at_ns: int) -> str:
    """Return `2026-05-07T10:15:32.123Z`, as feeds and `<time>` have it."""
    return moment(at_ns).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].rjust(23, "0") + "Z"
