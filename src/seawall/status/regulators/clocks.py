"""When each report is due.  The rule: the strict moment; relief that was not read is not applied.

DORA, (EU) 2025/301 Art. 5: the initial notification within 4 hours from classification and at most
24 hours from awareness, or, where it was classified later than that, within 4 hours; the
intermediate report within 72 hours from the submission of the initial one, and again when regular
activities are back; the final report within one month from the latest intermediate one.  A month
later is the same day and time of the next month, or its last day, in UTC.
"""

import calendar
from datetime import MAXYEAR, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from seawall.model.status_document import IncidentLine
from seawall.status.moments import moment
from seawall.status.regulators.classify import Classification, Outcome
from seawall.status.regulators.conditions import Met
from seawall.status.regulators.duties import Duty
from seawall.status.regulators.facts import EPOCH, Facts, Kind, nanoseconds

HOUR_NS: Final = 3_600 * 10**9
INITIAL_NS: Final = 4 * HOUR_NS
AWARE_NS: Final = 24 * HOUR_NS
INTERMEDIATE_NS: Final = 72 * HOUR_NS
VARA_NS: Final = 72 * HOUR_NS
CYBER_NS: Final = 72 * HOUR_NS
EXTORTION_NS: Final = 24 * HOUR_NS
RTS: Final = "(EU) 2025/301 Art. 5"


class TimerState(StrEnum):
    DONE = "done"
    DONE_LATE = "done_late"
    RUNNING = "running"
    OVERDUE = "overdue"
    NO_LIMIT = "no_limit"
    """Due at once; the rule gives no number."""
    WAITING = "waiting"
    """What it runs from has not happened, or is not stated."""


class Timer(Struct, frozen=True, kw_only=True):
    """One clock."""

    name: str
    regime: str
    title: str
    source: str
    state: TimerState
    needed: Met
    """Whether it must be met at all; UNKNOWN while the facts leave it open."""
    from_ns: int = 0
    """What it runs from; 0 is unknown."""
    due_ns: int = 0
    left_ns: int = 0
    done_ns: int = 0
    projected: bool = False
    """Whether it runs from a report that is not handed in, as if that were on its last moment."""
    note: str = ""


def deadlines(
    incident: IncidentLine, facts: Facts, classification: Classification, now_ns: int
) -> tuple[Timer, ...]:
    """Return all clocks of an incident, DORA's first."""
    timers: list[Timer] = []
    if classification.under_dora is not Met.NO:
        timers += _dora(incident, facts, classification, now_ns)
    for duty in classification.duties:
        if duty.met is not Met.NO:
            timers.append(_of_duty(duty, incident, facts, now_ns))
    return tuple(timers)


def _dora(
    incident: IncidentLine, facts: Facts, classification: Classification, now_ns: int
) -> list[Timer]:
    needed = {
        Outcome.MAJOR: classification.under_dora,
        Outcome.CANNOT_TELL: Met.UNKNOWN,
        Outcome.NOT_MAJOR: Met.NO,
    }[classification.outcome]
    if needed is Met.NO and facts.moments.classified is not None:
        # It was reported as major: the clocks run until it is reclassified there.
        needed = Met.UNKNOWN
    if needed is Met.NO:
        return []
    initial = _initial(incident, facts, needed, now_ns)
    intermediate = _intermediate(facts, initial, needed, now_ns)
    timers = [initial, intermediate]
    recovered = facts.moments.recovered
    if recovered is not None:
        timers.append(_updated(facts, nanoseconds(recovered), needed))
    return [*timers, _final(facts, intermediate, needed, now_ns)]


def _initial(incident: IncidentLine, facts: Facts, needed: Met, now_ns: int) -> Timer:
    aware, classified = facts.moments.aware, facts.moments.classified
    aware_ns = incident.opened_ns if aware is None else nanoseconds(aware)
    notes = []
    if aware is None:
        notes.append("moments.aware is not stated: taken as when the incident was opened")
    if classified is not None:
        from_ns = nanoseconds(classified)
        due_ns = from_ns + INITIAL_NS
        if from_ns <= aware_ns + AWARE_NS:
            due_ns = min(due_ns, aware_ns + AWARE_NS)
        else:
            notes.append("classified later than 24 hours from awareness: Art. 5(2)")
    elif needed is Met.YES or now_ns <= aware_ns + AWARE_NS:
        from_ns, due_ns = aware_ns, aware_ns + AWARE_NS
        notes.append("moments.classified is not stated: 4 hours from it may be sooner")
    else:
        from_ns, due_ns = 0, 0
        notes.append("once it is classified as major: 4 hours from then")
    return _timer(
        "initial", "Initial notification", f"{RTS}(1)(a)", from_ns, due_ns,
        _done_ns(facts, Kind.INITIAL), needed, now_ns, note="; ".join(notes),
    )  # fmt: skip


def _intermediate(facts: Facts, initial: Timer, needed: Met, now_ns: int) -> Timer:
    from_ns = initial.done_ns or initial.due_ns
    return _timer(
        "intermediate", "Intermediate report", f"{RTS}(1)(b)", from_ns,
        from_ns + INTERMEDIATE_NS if from_ns else 0, _done_ns(facts, Kind.INTERMEDIATE), needed,
        now_ns, projected=not initial.done_ns and from_ns > 0,
        note="72 hours from the submission of the initial notification",
    )  # fmt: skip


def _updated(facts: Facts, recovered_ns: int, needed: Met) -> Timer:
    done_ns = min(
        (at_ns for at_ns in _all_ns(facts, Kind.INTERMEDIATE) if at_ns >= recovered_ns), default=0
    )
    return Timer(
        name="updated", regime="dora", title="Updated intermediate report",
        source=f"{RTS}(1)(b)", state=TimerState.DONE if done_ns else TimerState.NO_LIMIT,
        needed=needed, from_ns=recovered_ns, done_ns=done_ns,
        note="without undue delay, since regular activities are back",
    )  # fmt: skip


def _final(facts: Facts, intermediate: Timer, needed: Met, now_ns: int) -> Timer:
    latest_ns = max(_all_ns(facts, Kind.INTERMEDIATE), default=0)
    from_ns = latest_ns or intermediate.due_ns
    return _timer(
        "final", "Final report", f"{RTS}(1)(c)", from_ns, month_later(from_ns) if from_ns else 0,
        _done_ns(facts, Kind.FINAL), needed, now_ns, projected=not latest_ns and from_ns > 0,
        note="one month from the latest intermediate report",
    )  # fmt: skip


def _of_duty(duty: Duty, incident: IncidentLine, facts: Facts, now_ns: int) -> Timer:
    moments = facts.moments
    detected = moments.detected
    from_ns, limit_ns, note = 0, 0, duty.limit
    if duty.name == "vara_notice":
        from_ns = incident.opened_ns if detected is None else nanoseconds(detected)
        limit_ns = VARA_NS
        if detected is None:
            note += "; moments.detected is not stated: taken as when the incident was opened"
    elif duty.name == "nydfs_cyber":
        determined = moments.cyber_determined
        from_ns = 0 if determined is None else nanoseconds(determined)
        limit_ns = CYBER_NS
        if determined is None:
            note += ", which is not stated: moments.cyber_determined"
    elif duty.name == "nydfs_extortion":
        paid = moments.extortion_paid
        from_ns = 0 if paid is None else nanoseconds(paid)
        limit_ns = EXTORTION_NS
    else:
        return Timer(
            name=duty.name, regime=duty.regime, title=duty.title, source=duty.source,
            state=TimerState.NO_LIMIT, needed=_needed(duty), note=note,
        )  # fmt: skip
    return _timer(
        duty.name, duty.title, duty.source, from_ns, from_ns + limit_ns if from_ns else 0, 0,
        _needed(duty), now_ns, regime=duty.regime, note=note,
    )  # fmt: skip


def _needed(duty: Duty) -> Met:
    return Met.YES if duty.met is Met.YES and duty.under is Met.YES else Met.UNKNOWN


def _timer(
    name: str,
    title: str,
    source: str,
    from_ns: int,
    due_ns: int,
    done_ns: int,
    needed: Met,
    now_ns: int,
    *,
    regime: str = "dora",
    projected: bool = False,
    note: str = "",
) -> Timer:
    if done_ns:
        state = TimerState.DONE_LATE if due_ns and done_ns > due_ns else TimerState.DONE
    elif not due_ns or projected:
        state = TimerState.WAITING
    else:
        state = TimerState.RUNNING if now_ns <= due_ns else TimerState.OVERDUE
    left_ns = max(due_ns - now_ns, 0) if due_ns and not done_ns else 0
    return Timer(
        name=name, regime=regime, title=title, source=source, state=state, needed=needed,
        from_ns=from_ns, due_ns=due_ns, left_ns=left_ns, done_ns=done_ns, projected=projected,
        note=note,
    )  # fmt: skip


def _all_ns(facts: Facts, kind: Kind) -> list[int]:
    return [nanoseconds(each.at) for each in facts.submitted if each.kind is kind]


def _done_ns(facts: Facts, kind: Kind) -> int:
    """Return when the first of a kind was handed in; 0 if none was."""
    return min(_all_ns(facts, kind), default=0)


def month_later(at_ns: int) -> int:
    """Return the same day and time of the next month, or that of its last day."""
    at = moment(at_ns)
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    if year > MAXYEAR:
        return at_ns
    day = min(at.day, calendar.monthrange(year, month)[1])
    later = at.replace(year=year, month=month, day=day)
    return (later - EPOCH) // timedelta(microseconds=1) * 1_000 + at_ns % 1_000
