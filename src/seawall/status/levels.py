"""How well a service does, in five steps.  The rule: what is not surely open is not operational.

The steps are named as Statuspage names its components' states, so that page and feeds agree.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from seawall.model.posture import IncidentPhase, Posture, Severity, Stage
from seawall.model.status_document import (
    DayLine,
    IncidentLine,
    MaintenanceLine,
    ServiceLine,
    StatusDocument,
)
from seawall.status.moments import moment

DAYS: Final = 90
SECOND_NS: Final = 1_000_000_000


class Level(StrEnum):
    """From the best."""

    OPERATIONAL = "operational"
    MAINTENANCE = "under_maintenance"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    DOWN = "major_outage"


class Indicator(StrEnum):
    """The whole in one word, from the best."""

    NONE = "none"
    MAINTENANCE = "maintenance"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


_LEVELS: Final = tuple(Level)
_INDICATORS: Final = tuple(Indicator)
_SEVERITIES: Final = tuple(Severity)
OF_POSTURE: Final = {
    Posture.OPEN: Level.OPERATIONAL,
    Posture.LIMITED: Level.DEGRADED,
    Posture.POST_ONLY: Level.DEGRADED,
    Posture.AUCTION: Level.DEGRADED,
    Posture.CANCEL_ONLY: Level.PARTIAL,
    Posture.PAUSED: Level.DOWN,
    Posture.HALTED: Level.DOWN,
}
OF_LEVEL: Final = {
    Level.OPERATIONAL: Indicator.NONE,
    Level.MAINTENANCE: Indicator.MAINTENANCE,
    Level.DEGRADED: Indicator.MINOR,
    Level.PARTIAL: Indicator.MAJOR,
    Level.DOWN: Indicator.MAJOR,
}
OF_SEVERITY: Final = {
    Severity.MINOR: Indicator.MINOR,
    Severity.MAJOR: Indicator.MAJOR,
    Severity.CRITICAL: Indicator.CRITICAL,
}


def worst(levels: Iterable[Level]) -> Level:
    return max(levels, key=_LEVELS.index, default=Level.OPERATIONAL)


def service_level(line: ServiceLine, document: StatusDocument) -> Level:
    """Return how a service does; work that was announced explains a closure, and hides none."""
    found = OF_POSTURE[line.posture]
    if found is Level.OPERATIONAL:
        collared = line.stage not in {None, Stage.OPEN}
        return Level.DEGRADED if collared else found
    planned = any(
        line.service in each.services and maintenance_status(each, document.at_ns) == "in_progress"
        for each in document.maintenances
    )
    return Level.MAINTENANCE if planned and not line.incident else found


def indicator(document: StatusDocument, *, stale: bool = False) -> Indicator:
    """Return the whole in one word; of stale data nobody may say that all is well."""
    levels = [service_level(line, document) for line in document.services]
    told = [OF_LEVEL[level] for level in levels]
    told += [OF_SEVERITY[each.severity] for each in open_incidents(document)]
    if levels and all(level is Level.DOWN for level in levels):
        told.append(Indicator.CRITICAL)
    if stale or not levels:
        told.append(Indicator.MINOR)
    return max(told, key=_INDICATORS.index, default=Indicator.NONE)


def open_incidents(document: StatusDocument) -> list[IncidentLine]:
    """Return what is not resolved: the gravest first, of those the newest."""
    going_on = [each for each in document.incidents if each.phase is not IncidentPhase.RESOLVED]
    return sorted(
        going_on,
        key=lambda each: (-_SEVERITIES.index(each.severity), -each.opened_ns, -each.number),
    )


def past_incidents(document: StatusDocument) -> list[IncidentLine]:
    over = [each for each in document.incidents if each.phase is IncidentPhase.RESOLVED]
    return sorted(over, key=lambda each: (-each.opened_ns, -each.number))


def maintenance_status(line: MaintenanceLine, at_ns: int) -> str:
    """Return scheduled, in_progress, verifying or completed; by time where the word is unknown."""
    if line.status in {"scheduled", "in_progress", "verifying", "completed"}:
        return line.status
    if at_ns < line.begins_ns:
        return "scheduled"
    return "in_progress" if at_ns < line.ends_ns else "completed"


def age_s(document: StatusDocument, now_ns: int) -> int:
    return max((now_ns - document.at_ns) // SECOND_NS, 0)


class DayBar(Struct, frozen=True, kw_only=True):
    """One day of one service."""

    day: date
    level: Level | None
    """None where nothing is known of the day."""
    limited_s: int = 0
    closed_s: int = 0
    incidents: tuple[int, ...] = ()


def bars(document: StatusDocument, service: str) -> list[DayBar]:
    """Return the last 90 days of a service, the oldest first."""
    by_day: dict[str, DayLine] = {
        line.day: line for line in document.history if line.service == service
    }
    today = moment(document.at_ns).astimezone(UTC).date()
    begins = parse_day(document.history_from)
    found = []
    for back in range(min(DAYS, today.toordinal()) - 1, -1, -1):
        day = today - timedelta(days=back)
        line = by_day.get(day.isoformat())
        if line is not None:
            found.append(
                DayBar(
                    day=day,
                    level=_day_level(line),
                    limited_s=line.limited_s,
                    closed_s=line.closed_s,
                    incidents=line.incidents,
                )
            )
        else:
            known = begins is not None and begins <= day
            found.append(DayBar(day=day, level=Level.OPERATIONAL if known else None))
    return found


def parse_day(text: str) -> date | None:
    """Return the day that `YYYY-MM-DD` names; None if it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _day_level(line: DayLine) -> Level:
    if line.closed_s > 0:
        return Level.DOWN
    return Level.DEGRADED if line.limited_s > 0 else Level.OPERATIONAL
