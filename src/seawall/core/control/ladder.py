"""One step on a ladder, up or back.  The rule: up one stage at a time, back to the first at once.

Every prefix of a ladder is a safe place to stand: a stage is entered in one entry of the journal,
with the record of what let it in, and whoever leads next goes on from there.
"""

from seawall.core.control.announcements import all_well, say_of_plan
from seawall.core.control.cover import limits_of
from seawall.core.control.look import SECOND, Look
from seawall.core.control.posture import order_posture
from seawall.core.control.ways import STAGE_POSTURES, WAYS, Way, is_less, towards_less
from seawall.model import limits
from seawall.model.control_events import StageEntered, SteppedBack
from seawall.model.control_rows import GateResult, Plan, ServiceRow, StageRow
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Stage, service_kind
from seawall.model.runbook import StageTerms


def terms_of(look: Look, plan: Plan) -> StageTerms | None:
    """Return the terms of the plan's present stage; None if the runbook has it no more."""
    for terms in look.ladder(plan.kind).stage:
        if terms.stage is plan.stages[-1].stage:
            return terms
    return None


def next_terms(look: Look, plan: Plan) -> StageTerms | None:
    """Return the terms of the stage after the present one; None at the top."""
    stages = look.ladder(plan.kind).stage
    for place, terms in enumerate(stages):
        if terms.stage is plan.stages[-1].stage:
            return stages[place + 1] if place + 1 < len(stages) else None
    return None


def at_first(look: Look, plan: Plan) -> bool:
    stages = look.ladder(plan.kind).stage
    return bool(stages) and plan.stages[-1].stage is stages[0].stage


def begun_ns(look: Look, plan: Plan) -> int:
    """Return when the plan last entered the first stage: its present way up begins there."""
    for row in reversed(plan.stages):
        if row.stage is look.ladder(plan.kind).stage[0].stage:
            return row.entered_ns
    return plan.stages[0].entered_ns


def lasts_ns(look: Look, plan: Plan) -> int:
    """Return how long the present stage lasts at the least: the longer the longer the outage."""
    terms = terms_of(look, plan)
    if terms is None:
        return 0
    lasts_s = terms.at_least_s
    for outage_s, stage_s in terms.by_outage:
        if plan.outage_ns >= outage_s * SECOND:
            lasts_s = stage_s
    return lasts_s * SECOND


def enter(look: Look, plan: Plan, terms: StageTerms, gates: list[GateResult]) -> None:
    """Enter the next stage, with the record of what let it in."""
    last = plan.stages[-1]
    last.left_ns = look.now
    row = StageRow(
        stage=terms.stage, entered_ns=look.now, gates=gates, approvals=list(plan.approvals)
    )
    _add(plan, row)
    plan.gates = []
    plan.approvals = {}
    for name in plan.services:
        service = look.book.services[name]
        _take_stage(look, plan, service, terms)
    look.events.append(StageEntered(plan, row))
    incident = look.book.incidents[plan.incident]
    if all_well(look, incident):
        incident.phase = IncidentPhase.MONITORING
    facts = {
        "stage": terms.stage.value,
        "previous": last.stage.value,
        "posture": STAGE_POSTURES[terms.stage].value,
    }
    say_of_plan(look, plan, "stage_entered", facts)


def _take_stage(look: Look, plan: Plan, service: ServiceRow, terms: StageTerms) -> None:
    posture = STAGE_POSTURES[terms.stage]
    kind = service_kind(service.service)
    service.canary = ""
    if terms.stage is Stage.CANARY:
        # A key of its own for every attempt: no older payment opens anything.
        service.canary = f"plan-{plan.plan_id}-{plan.steps_back + 1}"
    if terms.stage is Stage.OPEN:
        _order(look, plan, service, posture, terms)
    elif posture is Posture.LIMITED or terms.collar_bps:
        # Each such stage has a width of its own, though the posture may be the same.
        _order(look, plan, service, posture, terms)
    elif posture is service.posture or is_less(kind, posture, service.posture):
        # What a rule left standing higher is not taken down by its own way back.
        _label(service, plan, terms.stage)
    else:
        _order(look, plan, service, posture, terms)


def _order(
    look: Look, plan: Plan, service: ServiceRow, posture: Posture, terms: StageTerms
) -> None:
    """Order a stage's posture, or the nearest below it that the table lets a stage reach."""
    kind = service_kind(service.service)
    ended = terms.stage is Stage.OPEN
    way = WAYS[kind].get((service.posture, posture))
    if posture is not service.posture and way not in {Way.STAGE, Way.LESS}:
        # A person has moved it to where only a person leads on; the look after this one sees it.
        _label(service, plan, terms.stage)
        return
    sized = service_kind(service.service).value == "withdrawal" and posture is Posture.LIMITED
    event = order_posture(
        look.state,
        service,
        posture,
        reason="reopened" if ended else f"stage_{terms.stage.value}",
        incident=0 if ended else plan.incident,
        plan=0 if ended else plan.plan_id,
        stage=None if ended else terms.stage,
        limits=limits_of(look, service.service, terms) if sized else None,
        collar_bps=terms.collar_bps,
    )
    look.events.append(event)


def _label(service: ServiceRow, plan: Plan, stage: Stage) -> None:
    """Let the service stand in a stage without an order: what it does stays the same."""
    service.stage = stage
    service.plan = plan.plan_id
    service.incident = plan.incident


def stand_first(look: Look, plan: Plan) -> None:
    """Let the services of a new plan stand on its ladder's first stage, as low as they are."""
    for name in plan.services:
        _label(look.book.services[name], plan, plan.stages[0].stage)


def needs_lift(look: Look, plan: Plan) -> bool:
    """Whether a service stands lower than the first stage, such as a halted market."""
    posture = STAGE_POSTURES[plan.stages[-1].stage]
    return any(
        is_less(service_kind(name), look.book.services[name].posture, posture)
        for name in plan.services
    )


def lift(look: Look, plan: Plan, terms: StageTerms, gates: list[GateResult]) -> None:
    """Bring the services up to the first stage, which begins only now."""
    row = plan.stages[-1]
    row.entered_ns = look.now
    row.gates = gates
    for name in plan.services:
        service = look.book.services[name]
        if is_less(service_kind(name), service.posture, STAGE_POSTURES[terms.stage]):
            _order(look, plan, service, STAGE_POSTURES[terms.stage], terms)
    look.events.append(StageEntered(plan, row))
    posture = STAGE_POSTURES[terms.stage].value
    facts = {"stage": terms.stage.value, "previous": terms.stage.value, "posture": posture}
    say_of_plan(look, plan, "stage_entered", facts)


def step_back(look: Look, plan: Plan, reason: str, gate: GateResult | None = None) -> None:
    """Take the plan back to its first stage, and let it wait longer than the time before."""
    stages = look.ladder(plan.kind).stage
    last = plan.stages[-1]
    last.left_ns = look.now
    last.why_left = reason
    first = stages[0].stage if stages else last.stage
    _add(plan, StageRow(stage=first, entered_ns=look.now))
    plan.gates = []
    plan.approvals = {}
    plan.status = PlanStatus.CHECKING
    damp(look, plan)
    for name in plan.services:
        _lower(look, plan, look.book.services[name], first, reason)
    look.events.append(SteppedBack(plan, gate, reason))
    facts = {"stage": last.stage.value, "reason": reason, "back_to": first.value}
    if gate is not None:
        failed = {"gate": gate.gate, "value": gate.value, "needs": gate.needs}
        say_of_plan(look, plan, "gate_failed", failed)
        facts["gate"] = gate.gate
    say_of_plan(look, plan, "stepped_back", facts)


def damp(look: Look, plan: Plan) -> None:
    """Let the plan wait before it goes on, twice as long as the time before."""
    doubled = limits.STEP_BACK_S << min(plan.steps_back, 16)
    plan.not_before_ns = look.now + min(doubled, limits.STEP_BACK_MAX_S) * SECOND
    plan.steps_back += 1


def _lower(look: Look, plan: Plan, service: ServiceRow, first: Stage, reason: str) -> None:
    kind = service_kind(service.service)
    service.canary = ""
    target = towards_less(kind, service.posture, STAGE_POSTURES[first])
    if target is None:
        _label(service, plan, first)
        return
    event = order_posture(
        look.state,
        service,
        target,
        reason=reason,
        incident=plan.incident,
        plan=plan.plan_id,
        stage=first,
    )
    look.events.append(event)


def _add(plan: Plan, row: StageRow) -> None:
    plan.stages.append(row)
    if len(plan.stages) > limits.PLAN_STAGES:
        del plan.stages[0]
