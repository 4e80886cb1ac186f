"""The status document, from the state of three cells.  The rule: facts as they are now, no words.

What a service does is told as its own cell has it, not as it was ordered.  Withdrawals whose lease
has run out are told as paused, for they are.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from seawall.core.control.state import ControlState
from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.model.amounts import format_decimal
from seawall.model.control_rows import (
    ControlBook,
    GateResult,
    Incident,
    Maintenance,
    Plan,
    ServiceRow,
    Update,
)
from seawall.model.funding import ServiceStatus
from seawall.model.funding_rows import ListingState
from seawall.model.posture import (
    IncidentPhase,
    PlanStatus,
    Posture,
    ServiceKind,
    Stage,
    service_kind,
    withdrawal_service,
)
from seawall.model.runbook import Ladder, StageTerms
from seawall.model.status_document import (
    CandleLine,
    GateLine,
    IncidentLine,
    MaintenanceLine,
    PlanLine,
    QueueLine,
    ServiceLine,
    StatementLine,
    StatusDocument,
    UpdateLine,
)
from seawall.views.closed_days import HISTORY_DAYS, first_day, history
from seawall.views.interruptions import LASTING, Interruption
from seawall.views.periods import DAY_NS
from seawall.views.standings import Standing, standings

LEASE_RUN_OUT: Final = "lease_run_out"
CANDLES_SHOWN: Final = 50
_NOT_LISTED: Final = "not listed"
_ENDED: Final = (PlanStatus.DONE, PlanStatus.ABANDONED)
_GRAVER: Final = tuple(Posture)


class Sources(Struct, frozen=True):
    """What the document is made from; the states of one node, as they are at this moment."""

    control: ControlState
    spot: SpotState
    funding: FundingState
    interruptions: list[Interruption]


def build_document(sources: Sources, *, exchange: str, node: str, made_ns: int) -> StatusDocument:
    """Return all that the public status site says."""
    book = sources.control.book
    since_ns = book.at_ns - HISTORY_DAYS * DAY_NS
    found = standings(sources.spot, sources.funding)
    return StatusDocument(
        exchange=exchange,
        sequence=book.sequence,
        at_ns=book.at_ns,
        made_ns=made_ns,
        node=node,
        lease_until_ns=book.lease.until_ns,
        runbook=f"{sources.control.runbook.version} {book.runbook_hash}".strip(),
        services=tuple(
            _service(row, found.get(row.service, []), lease_over(sources.funding, made_ns))
            for row in book.services.values()
        ),
        incidents=tuple(
            incident_line(each)
            for each in reversed(book.incidents.values())
            if not each.resolved_ns or each.resolved_ns >= since_ns
        ),
        plans=tuple(
            _plan(sources.control, plan) for plan in book.plans.values() if _is_told(book, plan)
        ),
        maintenances=tuple(
            _maintenance(each, book.at_ns)
            for each in reversed(book.maintenances.values())
            if not each.completed_ns or each.completed_ns >= since_ns
        ),
        queues=tuple(queue_lines(sources, made_ns)),
        candles=tuple(_candles(sources.interruptions, made_ns)),
        history=history(book),
        history_from=first_day(book),
        statement=_statement(sources.control),
    )


def lease_over(funding: FundingState, now_ns: int) -> bool:
    """Whether withdrawals have stopped by themselves; a first lease was granted before."""
    return funding.book.lease_number > 0 and now_ns > funding.book.lease_until_ns


def _service(row: ServiceRow, found: list[Standing], stopped: bool) -> ServiceLine:
    kind = service_kind(row.service)
    posture, since_ns, reason = row.posture, row.since_ns, row.reason
    for standing in found:
        # Of two cells that a service runs in, the one that lets less through is what users meet.
        if standing is found[0] or _GRAVER.index(standing.posture) > _GRAVER.index(posture):
            posture, reason = standing.posture, standing.reason
            since_ns = standing.since_ns or since_ns
    if kind is ServiceKind.WITHDRAWAL and stopped and posture is not Posture.PAUSED:
        posture, reason = Posture.PAUSED, LEASE_RUN_OUT
    return ServiceLine(
        service=row.service,
        kind=kind,
        posture=posture,
        stage=row.stage,
        since_ns=since_ns,
        reason="" if posture is Posture.OPEN else reason,
        incident=row.incident,
    )


# Incidents


def incident_line(row: Incident) -> IncidentLine:
    return IncidentLine(
        number=row.number,
        severity=row.severity,
        phase=row.phase,
        kind=row.kind,
        facts=row.facts,
        title_en=row.title_en,
        title_ar=row.title_ar,
        services=tuple(row.services),
        dependencies=tuple(row.dependencies),
        opened_ns=row.opened_ns,
        resolved_ns=row.resolved_ns,
        next_update_ns=row.next_update_ns,
        missed_updates=row.missed_updates,
        updates=tuple(map(_update, row.updates)),
    )


def _update(row: Update) -> UpdateLine:
    return UpdateLine(
        number=row.number,
        at_ns=row.at_ns,
        phase=row.phase,
        kind=row.kind,
        facts=row.facts,
        services=tuple(row.services),
        words_en=row.words_en,
        words_ar=row.words_ar,
    )


def _maintenance(row: Maintenance, at_ns: int) -> MaintenanceLine:
    begun = "in_progress" if at_ns >= row.begins_ns else "scheduled"
    return MaintenanceLine(
        number=row.number,
        title_en=row.title_en,
        title_ar=row.title_ar,
        services=tuple(row.services),
        begins_ns=row.begins_ns,
        ends_ns=row.ends_ns,
        status="completed" if row.completed_ns else begun,
        updates=tuple(map(_update, row.updates)),
    )


# Plans


def _is_told(book: ControlBook, plan: Plan) -> bool:
    """Whether it runs, or belongs to an incident that lasts."""
    incident = book.incidents.get(plan.incident)
    lasts = incident is not None and incident.phase is not IncidentPhase.RESOLVED
    return plan.status not in _ENDED or lasts


def _plan(control: ControlState, plan: Plan) -> PlanLine:
    stage = plan.stages[-1]
    terms = _next_terms(_ladder(control, plan.kind), stage.stage)
    ended = plan.status in _ENDED
    return PlanLine(
        plan_id=plan.plan_id,
        incident=plan.incident,
        services=tuple(plan.services),
        status=plan.status,
        stage=stage.stage,
        stage_since_ns=stage.entered_ns,
        next_stage=None if ended or terms is None else terms.stage,
        gates=() if ended else tuple(map(_gate, plan.gates)),
        approvals=tuple(plan.approvals.values()),
        approvals_needed=0 if ended or terms is None else terms.approvals,
    )


def _gate(row: GateResult) -> GateLine:
    return GateLine(
        gate=row.gate,
        passed=row.passed,
        value=row.value,
        needs=row.needs,
        measured_ns=row.measured_ns,
        evidence=row.evidence,
    )


def _ladder(control: ControlState, kind: str) -> Ladder:
    runbook = control.runbook
    if kind == ServiceKind.MARKET:
        return runbook.market
    return runbook.withdrawal if kind == ServiceKind.WITHDRAWAL else runbook.other


def _next_terms(ladder: Ladder, stage: Stage) -> StageTerms | None:
    stages = [terms.stage for terms in ladder.stage]
    if stage not in stages or stages.index(stage) + 1 >= len(stages):
        return None
    return ladder.stage[stages.index(stage) + 1]


# Queues, candles, statement


def queue_lines(sources: Sources, now_ns: int) -> Iterable[QueueLine]:
    stopped = lease_over(sources.funding, now_ns)
    for listing in sources.funding.book.listings.values():
        yield _queue(sources, listing, stopped=stopped)


def _queue(sources: Sources, listing: ListingState, *, stopped: bool) -> QueueLine:
    book = sources.funding.book
    asset, network = listing.listing.asset, listing.listing.network
    decimals = book.assets[asset].decimals
    queued = [book.withdrawals[each] for each in listing.queue]
    row = sources.control.book.services.get(withdrawal_service(asset, network))
    state = listing.withdrawal
    limited = state.status is ServiceStatus.LIMITED
    most = (state.per_withdrawal or listing.listing.limited_max) if limited else 0
    silent = stopped and state.status is not ServiceStatus.PAUSED
    return QueueLine(
        asset=asset,
        network=network,
        posture=Posture.PAUSED if silent else Posture(state.status.value),
        stage=row.stage if row is not None else None,
        next_gate=_next_gate(sources.control, row),
        waiting=len(queued),
        waiting_amount=format_decimal(sum(each.atoms for each in queued), decimals),
        oldest_ns=min((each.requested_ns for each in queued), default=0),
        in_flight=sum(each.asset == asset for each in sources.funding.index.withdrawals(network)),
        per_withdrawal_max=format_decimal(most, decimals) if most else "",
        reason=LEASE_RUN_OUT if silent else state.reason if state.status != "open" else "",
    )


def _next_gate(control: ControlState, row: ServiceRow | None) -> str:
    """Return the first gate that the service's plan still waits for."""
    plan = control.book.plans.get(row.plan) if row is not None else None
    if plan is None or plan.status in _ENDED:
        return ""
    return next((gate.gate for gate in plan.gates if not gate.passed), "")


def _candles(interruptions: list[Interruption], now_ns: int) -> Iterable[CandleLine]:
    """Return what lasts, and what ended within a day; the newest of it."""
    recent = [
        each
        for each in interruptions
        if each.reason != _NOT_LISTED and (each.to_ns == LASTING or each.to_ns > now_ns - DAY_NS)
    ]
    recent.sort(key=lambda each: each.from_ns)
    for each in recent[-CANDLES_SHOWN:]:
        until_ns = 0 if each.to_ns == LASTING else each.to_ns
        yield CandleLine(
            market=each.symbol, from_ns=each.from_ns, until_ns=until_ns, reason=each.reason
        )


def _statement(control: ControlState) -> StatementLine | None:
    row = control.book.statement
    if row is None:
        return None
    return StatementLine(
        at_ns=row.measured_ns,
        statement=row.statement,
        signature=row.signature,
        public_key=row.public_key,
    )
