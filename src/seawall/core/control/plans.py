"""Plans: the ways back.  The rule: a service has one at most, and nothing else makes it do more.

Markets of an incident come back together, each asset's withdrawals alone, all else together: assets
never wait for each other.
"""

from seawall.core.control import approvals, gates, ladder
from seawall.core.control.announcements import say_of_plan
from seawall.core.control.cover import ask_for_top_up
from seawall.core.control.incidents import begin, widen
from seawall.core.control.look import Look, ladder_kind, runs
from seawall.core.control.patterns import is_literal
from seawall.core.control.services import find
from seawall.core.control.wording import wrong_person, wrong_words
from seawall.model.control_commands import HoldPlan, StartPlan, StepBack
from seawall.model.control_events import PlanChanged
from seawall.model.control_rows import GateResult, Incident, Plan, ServiceRow, StageRow
from seawall.model.events import CommandRejected
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity, Stage
from seawall.model.rejections import Rejection
from seawall.model.runbook import GateName


def make(look: Look, incident: Incident, services: list[str], *, person: str = "") -> None:
    """Give each of the services a way back in this incident, in place of any older one."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in services:
        row = look.book.services[name]
        kind = ladder_kind(name)
        current = look.plan_of(row)
        if row.posture is Posture.OPEN or not look.ladder(kind).stage:
            continue
        if current is not None and current.incident == incident.number:
            continue
        if current is not None:
            release(look, current, name, "a newer incident leads it back")
        groups.setdefault((kind, name if kind == "withdrawal" else ""), []).append(name)
    for (kind, _), names in groups.items():
        joined = _joinable(look, incident, kind)
        if joined is not None:
            joined.services.extend(names)
            joined.stages[-1].entered_ns = look.now
            ladder.stand_first(look, joined)
            look.events.append(PlanChanged(joined))
        else:
            _begin(look, incident, kind, names, person)


def _joinable(look: Look, incident: Incident, kind: str) -> Plan | None:
    """Return the incident's plan that more services may join: one that has not begun to climb."""
    if kind == "withdrawal":
        return None
    for plan in look.running():
        same = plan.incident == incident.number and plan.kind == kind
        if same and ladder.at_first(look, plan) and not plan.held:
            return plan
    return None


def _begin(look: Look, incident: Incident, kind: str, names: list[str], person: str) -> None:
    book = look.book
    plan = Plan(
        plan_id=book.next_plan,
        incident=incident.number,
        services=names,
        kind=kind,
        person=person,
        begun_ns=look.now,
        stages=[StageRow(stage=look.ladder(kind).stage[0].stage, entered_ns=look.now)],
    )
    book.next_plan += 1
    book.plans[plan.plan_id] = plan
    _measure_outage(look, plan)
    ladder.stand_first(look, plan)
    look.events.append(PlanChanged(plan))
    say_of_plan(look, plan, "plan_made", {"stage": plan.stages[0].stage.value}, person=person)


def release(look: Look, plan: Plan, service: str, reason: str) -> None:
    """Let a plan go on without a service; without any it is over."""
    plan.services.remove(service)
    row = look.book.services.get(service)
    if row is not None and row.plan == plan.plan_id:
        row.plan = 0
        row.stage = None
        row.canary = ""
    if not plan.services:
        plan.status = PlanStatus.ABANDONED
        plan.stages[-1].left_ns = look.now
        plan.stages[-1].why_left = reason
        plan.gates = []
        plan.approvals = {}
    look.events.append(PlanChanged(plan))


# The look


def lead(look: Look) -> None:
    """Take each plan one step, if it is time for one."""
    for plan in look.running():
        for name in list(plan.services):
            row = look.book.services.get(name)
            if row is None:
                release(look, plan, name, "delisted")
            elif row.plan != plan.plan_id:
                release(look, plan, name, "moved from outside")
        if plan.services:
            _lead(look, plan)


def _lead(look: Look, plan: Plan) -> None:
    before = _picture(plan)
    if not look.ladder(plan.kind).stage:
        for name in list(plan.services):
            release(look, plan, name, "the runbook knows no way back")
        return
    if ladder.terms_of(look, plan) is None:
        ladder.step_back(look, plan, "the runbook has no such stage any more")
    healthy = gates.dependencies_healthy(look, plan)
    failed = _failed(look, plan, healthy)
    if failed is not None:
        ladder.step_back(look, plan, f"{failed.gate}: {failed.value}", failed)
    elif _fell_below(look, plan):
        ladder.step_back(look, plan, "a service was moved towards less")
    if ladder.at_first(look, plan):
        _stand(look, plan)
        _wait(look, plan, healthy)
    if plan.status is not PlanStatus.WAITING:
        _climb(look, plan, healthy)
    ask_for_top_up(look, plan)
    if _picture(plan) != before and runs(plan):
        look.events.append(PlanChanged(plan))


def _picture(plan: Plan) -> tuple[PlanStatus, int, list[tuple[str, bool | None]]]:
    """Return of a plan what is worth an event when it changes."""
    return plan.status, len(plan.approvals), [(gate.gate, gate.passed) for gate in plan.gates]


def _failed(look: Look, plan: Plan, healthy: GateResult) -> GateResult | None:
    """Return what fails while the plan is under way, if anything does."""
    if ladder.at_first(look, plan):
        return None
    if healthy.passed is False:
        return healthy
    terms = ladder.terms_of(look, plan)
    return gates.judge_keep(look, plan, terms) if terms is not None else None


def _fell_below(look: Look, plan: Plan) -> bool:
    """Whether a rule has taken one of its services below the stage that the plan is in."""
    stages = [terms.stage for terms in look.ladder(plan.kind).stage]
    here = plan.stages[-1].stage
    rows = [look.book.services[name] for name in plan.services]
    return here in stages[1:] and any(row.stage is not here for row in rows)


def _stand(look: Look, plan: Plan) -> None:
    """Begin the first stage anew when a service was moved outside of it.

    Such as a market that was halted again once it took cancels: that is a step back too.
    """
    if any(look.book.services[name].stage is None for name in plan.services):
        ladder.damp(look, plan)
        plan.stages[-1].entered_ns = look.now
        ladder.stand_first(look, plan)


def _wait(look: Look, plan: Plan, healthy: GateResult) -> None:
    """Wait at the first stage while what the services need is not well."""
    was_waiting = plan.status is PlanStatus.WAITING
    if healthy.passed is False or healthy.value.endswith(gates.DOUBT):
        plan.status = PlanStatus.WAITING
        plan.gates = [healthy]
        _measure_outage(look, plan)
    elif was_waiting:
        # The way back begins here: evidence from the outage itself proves nothing of its end.
        plan.status = PlanStatus.CHECKING
        plan.stages[-1].entered_ns = look.now
        _measure_outage(look, plan)


def _measure_outage(look: Look, plan: Plan) -> None:
    closed = [look.book.services[name].closed_since_ns for name in plan.services]
    since_ns = min((each for each in closed if each), default=look.now)
    plan.outage_ns = look.now - since_ns


def _climb(look: Look, plan: Plan, healthy: GateResult) -> None:
    """Enter the next stage if all that it takes is there; else say what is missing."""
    may = not plan.held and look.now >= plan.not_before_ns
    if ladder.needs_lift(look, plan) and ladder.at_first(look, plan):
        plan.gates = [healthy]
        plan.status = PlanStatus.CHECKING
        terms = ladder.terms_of(look, plan)
        if may and healthy.passed and terms is not None:
            ladder.lift(look, plan, terms, [healthy])
        return
    terms = ladder.next_terms(look, plan)
    if terms is None:
        return
    known = {gate.gate: gate.passed for gate in plan.gates}
    plan.gates = gates.judge(look, plan, terms)
    _note_failures(look, plan, known)
    if ladder.at_first(look, plan) and any(gate.passed is False for gate in plan.gates):
        _measure_outage(look, plan)
    if not all(gate.passed for gate in plan.gates):
        plan.status = PlanStatus.CHECKING
    elif not approvals.enough(plan, terms):
        plan.status = PlanStatus.APPROVAL
    elif may:
        ladder.enter(look, plan, terms, plan.gates)
        plan.status = PlanStatus.DONE if terms.stage is Stage.OPEN else PlanStatus.CHECKING
        if plan.status is PlanStatus.DONE:
            look.events.append(PlanChanged(plan))
    else:
        plan.status = PlanStatus.CHECKING


def _note_failures(look: Look, plan: Plan, known: dict[str, bool | None]) -> None:
    """Say which gate was measured to fail; people agreed to another picture."""
    for gate in plan.gates:
        if gate.passed is not False or known.get(gate.gate) is False:
            continue
        plan.approvals = {}
        incident = look.book.incidents.get(plan.incident)
        entered_ns = plan.stages[-1].entered_ns
        said = incident is not None and any(
            update.kind == "gate_failed"
            and update.at_ns >= entered_ns
            and update.facts.get("gate") == gate.gate
            and update.facts.get("plan") == str(plan.plan_id)
            for update in incident.updates
        )
        if not said and gate.gate != GateName.DEPENDENCIES_HEALTHY:
            facts = {"gate": gate.gate, "value": gate.value, "needs": gate.needs}
            say_of_plan(look, plan, "gate_failed", facts)


# What people do


def start_plan(look: Look, command: StartPlan) -> None:
    """Lead services back because a person says so."""
    rows, refusal = _wanted(look, command)
    incident = look.book.incidents.get(command.incident)
    if refusal is None and command.incident and incident is None:
        refusal = CommandRejected(Rejection.UNKNOWN_INCIDENT, str(command.incident))
    elif refusal is None and incident is not None and incident.phase is IncidentPhase.RESOLVED:
        refusal = CommandRejected(Rejection.WRONG_STATE, "the incident is resolved")
    if refusal is not None:
        look.events.append(refusal)
        return
    # Nothing below may fail.
    names = [row.service for row in rows]
    for name in names:
        of_name = incident or _incident_of(look, look.book.services[name])
        if of_name is None:
            # One for all that is left: what is asked for next finds it on its row.
            left = [each for each in names if _incident_of(look, look.book.services[each]) is None]
            of_name = begin(
                look,
                kind="reopening",
                severity=Severity.MINOR,
                facts={},
                services=left,
                person=command.person,
            )
            for each in left:
                look.book.services[each].incident = of_name.number
    grouped: dict[int, list[str]] = {}
    for name in names:
        number = incident.number if incident else look.book.services[name].incident
        grouped.setdefault(number, []).append(name)
    for number, each_names in grouped.items():
        widen(look.book.incidents[number], each_names)
        make(look, look.book.incidents[number], each_names, person=command.person)


def _incident_of(look: Look, row: ServiceRow) -> Incident | None:
    found = look.book.incidents.get(row.incident)
    return found if found is not None and found.phase is not IncidentPhase.RESOLVED else None


def _wanted(look: Look, command: StartPlan) -> tuple[list[ServiceRow], CommandRejected | None]:
    """Return what is to be led back: named, not open, and not on its way already."""
    wrong = wrong_person(command.person)
    if wrong or not command.services:
        return [], CommandRejected(Rejection.INVALID_DEFINITION, wrong or "services")
    rows: dict[str, ServiceRow] = {}
    for pattern in command.services:
        found = find(look.state, pattern)
        if not found:
            return [], CommandRejected(Rejection.UNKNOWN_SERVICE, pattern)
        for row in found:
            plan = look.plan_of(row)
            if plan is None and row.posture is not Posture.OPEN:
                rows[row.service] = row
            elif is_literal(pattern) and plan is not None:
                return [], CommandRejected(Rejection.ALREADY_EXISTS, f"plan {plan.plan_id}")
    if not rows:
        return [], CommandRejected(Rejection.WRONG_STATE, "all of it is open, or on its way")
    return list(rows.values()), None


def hold_plan(look: Look, command: HoldPlan) -> None:
    """Let a plan go no further, or go on."""
    plan = _running(look, command.plan_id, command.person, command.reason)
    if plan is not None:
        plan.held = (command.reason.strip() or "held") if command.held else ""
        look.events.append(PlanChanged(plan))
        facts = {"reason": command.reason, "stage": plan.stages[-1].stage.value}
        kind = "plan_held" if command.held else "plan_goes_on"
        say_of_plan(look, plan, kind, facts, person=command.person)


def step_back(look: Look, command: StepBack) -> None:
    """Take a plan back to its first stage because a person says so."""
    plan = _running(look, command.plan_id, command.person, command.reason)
    if plan is None:
        return
    if ladder.at_first(look, plan):
        refusal = CommandRejected(Rejection.WRONG_STAGE, plan.stages[-1].stage.value)
        look.events.append(refusal)
        return
    ladder.step_back(look, plan, command.reason.strip() or "a person took it back")


def _running(look: Look, plan_id: int, person: str, reason: str) -> Plan | None:
    """Return the plan that a person means, or refuse."""
    plan = look.book.plans.get(plan_id)
    wrong = wrong_person(person) or wrong_words(reason)
    if plan is None:
        look.events.append(CommandRejected(Rejection.UNKNOWN_PLAN, str(plan_id)))
    elif wrong:
        look.events.append(CommandRejected(Rejection.INVALID_DEFINITION, wrong))
    elif not runs(plan):
        look.events.append(CommandRejected(Rejection.PLAN_ENDED, plan.status.value))
    else:
        return plan
    return None
