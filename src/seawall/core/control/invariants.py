"""What always holds in the control cell.  The rule: look at the whole state, trust no counter."""

from seawall.core.control.look import SECOND, ladder_kind, runs
from seawall.core.control.state import ControlState
from seawall.core.control.ways import POSTURES
from seawall.core.control.wording import same_name
from seawall.lib.invariants import invariant
from seawall.model import limits
from seawall.model.control_rows import Plan, ServiceRow
from seawall.model.posture import (
    IncidentPhase,
    PlanStatus,
    Posture,
    Stage,
    service_kind,
)


def check_control(state: ControlState) -> None:
    """Raise InvariantError if services, plans, incidents, times or limits disagree."""
    _check_services(state)
    _check_plans(state)
    _check_incidents(state)
    _check_history(state)
    _check_lease(state)
    _check_words(state)


def _check_services(state: ControlState) -> None:
    book = state.book
    orders = [row.order for row in book.services.values() if row.order]
    invariant(len(dict.fromkeys(orders)) == len(orders), "an order is one service's")
    for name, row in book.services.items():
        invariant(row.service == name, "a row stands under its service's name")
        invariant(row.posture in POSTURES[service_kind(name)], "a posture is one of its kind's")
        invariant(row.order < book.next_order, "orders are numbered below the next")
        invariant(row.since_ns <= book.at_ns, "nothing was ordered in the future")
        is_open = row.posture is Posture.OPEN
        invariant(is_open == (row.closed_since_ns == 0), "what is open is not closed since")
        invariant(row.incident == 0 or row.incident in book.incidents, "its incident is known")
        invariant(is_open or not row.collar_bps, "a collar is of what is open")
        if row.plan:
            _check_row_of_plan(state, row)
        else:
            invariant(row.stage is None, "a stage is a plan's")
            invariant(not row.canary, "a canary is a plan's")


def _check_row_of_plan(state: ControlState, row: ServiceRow) -> None:
    plan = state.book.plans.get(row.plan)
    invariant(plan is not None and runs(plan), "a service's plan runs")
    if plan is None:
        return
    invariant(row.service in plan.services, "a service's plan knows it")
    invariant(row.stage is plan.stages[-1].stage, "a service stands in its plan's stage")
    invariant(row.incident == plan.incident, "a service and its plan have one incident")
    canary = plan.stages[-1].stage is Stage.CANARY
    invariant(bool(row.canary) == canary, "a canary is asked for in its stage, and only there")


def _check_plans(state: ControlState) -> None:
    book = state.book
    led: dict[str, int] = {}
    for number, plan in book.plans.items():
        invariant(plan.plan_id == number < book.next_plan, "plans are numbered below the next")
        invariant(plan.incident in book.incidents, "a plan has an incident")
        invariant(bool(plan.stages), "a plan stands in a stage")
        invariant(len(plan.stages) <= limits.PLAN_STAGES, "a plan's stages are bounded")
        _check_stages(plan)
        names = [same_name(person) for person in plan.approvals]
        invariant(len(dict.fromkeys(names)) == len(names), "approvals are different people's")
        if not runs(plan):
            continue
        phase = book.incidents[plan.incident].phase
        invariant(phase is not IncidentPhase.RESOLVED, "an incident lasts as long as its plans")
        invariant(bool(plan.services), "a plan that runs leads something")
        invariant(
            plan.kind != "withdrawal" or len(plan.services) == 1, "assets do not wait for others"
        )
        for name in plan.services:
            invariant(ladder_kind(name) == plan.kind, "a plan's services share its ladder")
            invariant(name not in led, "a service has one plan")
            led[name] = number
            row = book.services.get(name)
            invariant(row is not None and row.plan == number, "a plan's service knows it")


def _check_stages(plan: Plan) -> None:
    """Hold that a stage follows the one before it on the ladder, or a step back."""
    order = list(Stage)
    for before, row in zip(plan.stages, plan.stages[1:], strict=False):
        invariant(row.entered_ns >= before.left_ns >= before.entered_ns, "stages follow in time")
        forward = order.index(row.stage) > order.index(before.stage)
        invariant(bool(before.why_left) != forward, "a way back up has no reason but its gates")
    for row in plan.stages:
        invariant(all(gate.passed for gate in row.gates), "a stage is entered by passed gates")
        names = [same_name(person) for person in row.approvals]
        invariant(len(dict.fromkeys(names)) == len(names), "approvals are different people's")
    ended = plan.status is PlanStatus.DONE
    invariant(ended == (plan.stages[-1].stage is Stage.OPEN), "a plan is done when it has opened")


def _check_incidents(state: ControlState) -> None:
    book = state.book
    for number, incident in book.incidents.items():
        invariant(incident.number == number < book.next_incident, "incidents are numbered so")
        invariant(bool(incident.updates), "something is said of every incident")
        invariant(len(incident.updates) <= limits.INCIDENT_UPDATES, "timelines are bounded")
        numbers = [update.number for update in incident.updates]
        invariant(numbers == sorted(dict.fromkeys(numbers)), "updates are numbered in order")
        resolved = incident.phase is IncidentPhase.RESOLVED
        invariant(resolved == bool(incident.resolved_ns), "what is resolved says when")
        if not resolved:
            due_ns = incident.next_update_ns
            invariant(due_ns > book.at_ns, "what was promised was said, and is promised again")
            invariant(incident.updates[-1].at_ns == incident.said_ns, "the last word is the newest")
        else:
            invariant(not incident.next_update_ns, "nothing is promised of what has ended")


def _check_history(state: ControlState) -> None:
    running: dict[str, bool] = {}
    for span in state.book.closed:
        if span.until_ns:
            invariant(span.until_ns >= span.from_ns, "a span ends after it begins")
        else:
            invariant(span.service not in running, "a service has one span that runs")
            running[span.service] = True
    for name, row in state.book.services.items():
        full = row.posture is Posture.OPEN and not row.collar_bps
        invariant(full != (name in running), "what is not open in full has a span that runs")


def _check_lease(state: ControlState) -> None:
    lease = state.book.lease
    longest_ns = state.runbook.lease.seconds * SECOND
    if not lease.refused:
        invariant(lease.until_ns <= state.at_ns + longest_ns, "no lease is longer than it may be")


def _check_words(state: ControlState) -> None:
    for verdict in state.book.verdicts.values():
        invariant(verdict.since_ns <= state.at_ns, "no verdict is of the future")
    for cover in state.book.covers.values():
        invariant(cover.hot_atoms >= 0, "a hot wallet pays no less than nothing")
        invariant(cover.top_up_atoms >= 0, "nobody is asked for less than nothing")
