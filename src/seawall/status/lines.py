"""What pages show of each part of the document.  The rule: what is shown is decided here.

Templates only place it; nothing in them computes.
"""

from msgspec import Struct

from seawall.model.posture import IncidentPhase, Posture, ServiceKind, Stage
from seawall.model.status_document import (
    GateLine,
    IncidentLine,
    MaintenanceLine,
    PlanLine,
    QueueLine,
    ServiceLine,
    StatusDocument,
    UpdateLine,
)
from seawall.status import addresses
from seawall.status.levels import (
    OF_POSTURE,
    SECOND_NS,
    DayBar,
    Level,
    bars,
    maintenance_status,
    service_level,
)
from seawall.status.moments import moment
from seawall.status.services import grouped
from seawall.status.statuspage import ended_ns, newest_first
from seawall.status.text import Text, clean
from seawall.status.words import Words

LATE_NS = 5 * SECOND_NS
"""What is due now may be on its way."""


class Shown(Struct, frozen=True, kw_only=True):
    """What all parts share: the way they are written."""


class ShownUpdate(Shown, frozen=True, kw_only=True):
    number: int
    at_ns: int
    phase: str
    phase_told: str
    text: Text
    written: Text


class ShownIncident(Shown, frozen=True, kw_only=True):
    number: int
    path: str
    title: Text
    severity: str
    severity_told: str
    phase_told: str
    opened_ns: int
    ended_ns: int
    lasted: str
    next_update_ns: int
    late: bool
    missed: Text
    services: Text
    updates: list[ShownUpdate]


class ShownDay(Shown, frozen=True, kw_only=True):
    x: int
    level: str
    told: str


class ShownHistory(Shown, frozen=True, kw_only=True):
    told: str
    unknown: int
    known: int
    days: list[ShownDay]


class ShownService(Shown, frozen=True, kw_only=True):
    name: Text
    level: str
    posture: str
    stage: str
    since_ns: int
    reason: str
    told: bool
    history: ShownHistory


class ShownGroup(Shown, frozen=True, kw_only=True):
    name: str
    named: bool
    """Whether the name says more than the service's own."""
    services: list[ShownService]


class ShownQueue(Shown, frozen=True, kw_only=True):
    name: Text
    level: str
    posture: str
    stage: str
    waiting: str | Text
    oldest_ns: int
    oldest_age: str
    in_flight: int
    per_withdrawal_max: Text
    next_gate: str
    reason: str


class ShownGate(Shown, frozen=True, kw_only=True):
    name: str
    state: str
    told: str
    value: str
    needs: str
    measured_ns: int
    evidence: str


class ShownPlan(Shown, frozen=True, kw_only=True):
    plan_id: int
    incident: int
    incident_path: str
    services: Text
    status: str
    stage: str
    stage_since_ns: int
    next_stage: str
    gates: list[ShownGate]
    approvals: list[str]
    approvals_needed: int


class ShownMaintenance(Shown, frozen=True, kw_only=True):
    number: int
    title: Text
    status: str
    begins_ns: int
    ends_ns: int
    services: Text
    updates: list[ShownUpdate]


def update(w: Words, line: UpdateLine, phase: str = "") -> ShownUpdate:
    told = phase or line.phase.value
    return ShownUpdate(
        number=line.number,
        at_ns=line.at_ns,
        phase=told,
        phase_told=w.book.phases.get(told, told),
        text=w.update(line),
        written=w.written(line),
    )


def incident(w: Words, line: IncidentLine, now_ns: int) -> ShownIncident:
    over_ns = ended_ns(line)
    missed = Text()
    if line.missed_updates == 1:
        missed = w("missed_once")
    elif line.missed_updates > 1:
        missed = w("missed", count=line.missed_updates)
    due_ns = 0 if line.phase is IncidentPhase.RESOLVED else line.next_update_ns
    return ShownIncident(
        number=line.number,
        path=addresses.incident(line.number, w.language),
        title=w.title(line),
        severity=line.severity.value,
        severity_told=w.book.severities[line.severity],
        phase_told=w.book.phases[line.phase],
        opened_ns=line.opened_ns,
        ended_ns=over_ns,
        lasted=w.duration((over_ns - line.opened_ns) // SECOND_NS) if over_ns else "",
        next_update_ns=due_ns,
        late=due_ns > 0 and due_ns + LATE_NS < now_ns,
        missed=missed,
        services=w.list([w.service(each) for each in line.services]),
        updates=[update(w, each) for each in newest_first(line.updates)],
    )


def groups(w: Words, document: StatusDocument) -> list[ShownGroup]:
    return [
        ShownGroup(
            name=w.group(name),
            named=name not in {ServiceKind.SIGN_IN, ServiceKind.TRANSFERS},
            services=[_service(w, line, document) for line in lines],
        )
        for name, lines in grouped(document.services)
    ]


def _service(w: Words, line: ServiceLine, document: StatusDocument) -> ShownService:
    level = service_level(line, document)
    name = w.service(line.service)
    stage = "" if line.stage in {None, Stage.OPEN} else w.stage(str(line.stage))
    posture = w.posture(line.posture, line.service)
    if stage and line.posture is Posture.OPEN:
        # Open, but not as usual: the stage says how.
        posture, stage = stage, ""
    return ShownService(
        name=name,
        level=level.value,
        posture=posture,
        stage=stage,
        since_ns=line.since_ns,
        reason=clean(line.reason),
        told=level is not Level.OPERATIONAL,
        history=_history(w, name, bars(document, line.service)),
    )


def day_told(w: Words, bar: DayBar) -> Text:
    """Return what happened on a day."""
    closed, limited = w.duration(bar.closed_s), w.duration(bar.limited_s)
    return w("day_told", day=w.day(bar.day), closed=closed, limited=limited)


def _history(w: Words, name: Text, days: list[DayBar]) -> ShownHistory:
    interrupted = [bar for bar in days if bar.level not in {None, Level.OPERATIONAL}]
    known_from = next((n for n, bar in enumerate(days) if bar.level is not None), len(days))
    if interrupted:
        told = w(
            "bar_told",
            service=name,
            days=len(interrupted),
            closed=w.duration(sum(bar.closed_s for bar in interrupted)),
            limited=w.duration(sum(bar.limited_s for bar in interrupted)),
        )
    else:
        told = w("bar_all_open" if known_from < len(days) else "bar_unknown", service=name)
    return ShownHistory(
        told=told.plain(),
        unknown=known_from,
        known=len(days) - known_from,
        days=[
            ShownDay(x=n * 10, level=bar.level.value, told=day_told(w, bar).plain())
            for n, bar in enumerate(days)
            if bar.level is not None and bar.level is not Level.OPERATIONAL
        ],
    )


def queue(w: Words, line: QueueLine, now_ns: int) -> ShownQueue:
    asset = clean(line.asset)
    waiting: str | Text = w("waiting_none").plain()
    if line.waiting:
        waiting = w(
            "waiting_told", count=line.waiting, amount=w.amount(line.waiting_amount), asset=asset
        )
    most = Text()
    if line.per_withdrawal_max:
        most = w("amount_of", amount=w.amount(line.per_withdrawal_max), asset=asset)
    name = f"withdrawal/{line.asset}/{line.network}"
    return ShownQueue(
        name=w.service(name),
        level=OF_POSTURE[line.posture].value,
        posture=w.posture(line.posture, name),
        stage="" if line.stage is None else w.stage(line.stage),
        waiting=waiting,
        oldest_ns=line.oldest_ns,
        oldest_age=w.duration((now_ns - line.oldest_ns) // SECOND_NS) if line.oldest_ns else "",
        in_flight=line.in_flight,
        per_withdrawal_max=most,
        next_gate=w.gate(line.next_gate) if line.next_gate else "",
        reason=clean(line.reason),
    )


def plan(w: Words, line: PlanLine, document: StatusDocument) -> ShownPlan:
    known = any(each.number == line.incident for each in document.incidents)
    return ShownPlan(
        plan_id=line.plan_id,
        incident=line.incident,
        incident_path=addresses.incident(line.incident, w.language) if known else "",
        services=w.list([w.service(each) for each in line.services]),
        status=w.book.plans[line.status],
        stage=w.stage(line.stage),
        stage_since_ns=line.stage_since_ns,
        next_stage="" if line.next_stage is None else w.stage(line.next_stage),
        gates=[_gate(w, each) for each in line.gates],
        approvals=[w.book.roles.get(each, clean(each)) for each in line.approvals],
        approvals_needed=line.approvals_needed,
    )


def _gate(w: Words, line: GateLine) -> ShownGate:
    state = {True: "passed", False: "failed", None: "unknown"}[line.passed]
    return ShownGate(
        name=w.gate(line.gate),
        state=state,
        told=w.book.phrases[f"gate_{state}"],
        value=clean(line.value),
        needs=clean(line.needs),
        measured_ns=line.measured_ns,
        evidence=clean(line.evidence),
    )


def maintenance(w: Words, line: MaintenanceLine, at_ns: int) -> ShownMaintenance:
    status = maintenance_status(line, at_ns)
    return ShownMaintenance(
        number=line.number,
        title=w.maintenance_title(line),
        status=w.book.maintenances[status],
        begins_ns=line.begins_ns,
        ends_ns=line.ends_ns,
        services=w.list([w.service(each) for each in line.services]),
        updates=[update(w, each, status) for each in newest_first(line.updates)],
    )


def candle(w: Words, market: str, from_ns: int, until_ns: int) -> Text:
    name = clean(market) or w.book.phrases["candles_all"]
    if not moment(until_ns).timestamp():
        return w("candle_going_on", market=name, begin=w.time(from_ns))
    return w("candle_told", market=name, begin=w.time(from_ns), end=w.time(until_ns))
