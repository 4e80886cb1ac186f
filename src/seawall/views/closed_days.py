"""The history of ninety days: how long each service was not open.  The rule: days are UTC's.

What a day's spans sum to is whole seconds, rounded up: a halt of a moment is none of zero.
"""

from datetime import UTC, datetime
from typing import Final

from seawall.model.control_rows import ControlBook
from seawall.model.status_document import DayLine
from seawall.views.periods import DAY_NS

HISTORY_DAYS: Final = 90
_SECOND_NS: Final = 1_000_000_000


def history(book: ControlBook) -> tuple[DayLine, ...]:
    """Return each service's days on which it was not open all the time, oldest first."""
    oldest = book.at_ns // DAY_NS - HISTORY_DAYS + 1
    sums: dict[tuple[int, str], list[int]] = {}
    incidents: dict[tuple[int, str], list[int]] = {}
    for span in book.closed:
        until_ns = span.until_ns or book.at_ns
        for day in range(max(span.from_ns // DAY_NS, oldest), until_ns // DAY_NS + 1):
            part_ns = min(until_ns, (day + 1) * DAY_NS) - max(span.from_ns, day * DAY_NS)
            if part_ns <= 0:
                continue
            key = (day, span.service)
            sums.setdefault(key, [0, 0])[int(span.closed)] += part_ns
            known = incidents.setdefault(key, [])
            if span.incident and span.incident not in known:
                known.append(span.incident)
    return tuple(
        DayLine(
            service=service,
            day=day_name(day),
            limited_s=-(-limited_ns // _SECOND_NS),
            closed_s=-(-closed_ns // _SECOND_NS),
            incidents=tuple(incidents[day, service]),
        )
        for (day, service), (limited_ns, closed_ns) in sorted(sums.items())
    )


def first_day(book: ControlBook) -> str:
    """Return the day from which on the history is known; empty before there is one."""
    if not book.at_ns:
        return ""
    known = [row.since_ns for row in book.services.values() if row.since_ns]
    known += [span.from_ns for span in book.closed]
    known += [each.opened_ns for each in book.incidents.values()]
    since = min(known, default=book.at_ns) // DAY_NS
    return day_name(max(since, book.at_ns // DAY_NS - HISTORY_DAYS + 1))


def day_name(day: int) -> str:
    """Return the name of a day counted from the epoch."""
    return datetime.fromtimestamp(day * DAY_NS // _SECOND_NS, UTC).strftime("%Y-%m-%d")
