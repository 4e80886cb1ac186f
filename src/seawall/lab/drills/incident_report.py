"""The incident drill's report.  The rule: seconds from the fault, and each gate with what it found.

Suspension is counted to the last withdrawal that was still taken or signed after the fault.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from seawall.lab.drills.base import DrillReport, Mark, Promise, Series, Span, Table, Timeline
from seawall.lab.drills.incident_audit import Record
from seawall.lab.drills.incident_scenarios import Scenario
from seawall.lab.drills.incident_seen import Seen
from seawall.lab.drills.incident_users import Notes
from seawall.lab.machine import describe_machine
from seawall.model.control_rows import Plan
from seawall.model.posture import PlanStatus, Posture, ServiceKind, Stage

NS: Final = 1_000_000_000
SUSPENSION_S: Final = 5.0
FIRST_POST_S: Final = 60.0
LADDER: Final = (Stage.VERIFY, Stage.CANARY, Stage.LIMITED, Stage.WIDER, Stage.OPEN)
TRADING: Final = (Stage.POST_ONLY, Stage.AUCTION, Stage.OPEN_COLLARED, Stage.OPEN)
WIDE: Final = (Stage.WIDER, Stage.OPEN)
PEOPLE: Final = 2
SAID: Final = 5
LIMITS: Final = (
    (
        "Three providers on one machine share its processors: what takes a second here takes less"
        " on machines of their own. The runbook has seconds where a real one has minutes."
    ),
    (
        "The two people who agree are programs of the drill. They agree at once, which people who"
        " look at the gates first do not."
    ),
    "The chain is a development chain with a second between blocks, of which three are final.",
)


class Happened(Struct, frozen=True, kw_only=True):
    """Something that the drill did."""

    at_s: float
    at_ns: int
    kind: str
    text: str


class Ran(Struct, frozen=True, kw_only=True):
    """All that a run saw."""

    scenario: Scenario
    seed: int
    started_at: str
    began_s: float
    ended_s: float
    hurt_s: float
    hurt_ns: int
    happened: tuple[Happened, ...]
    changes: tuple[Seen, ...]
    posted_s: Mapping[str, float]
    notes: Notes
    record: Record | None
    lost: tuple[str, ...]
    failure: str = ""


def incident_report(ran: Ran) -> DrillReport:
    """Return the report."""
    numbers = _numbers(ran)
    return DrillReport(
        drill="incident",
        title=f"Incident drill: {ran.scenario.name}",
        about=(
            "Three providers served traders and savers, each watched from the two others, with"
            " withdrawals paid on a chain and a status site published to two places."
            f" {ran.scenario.about} From then on the drill only looked, and agreed where two people"
            " are asked."
        ),
        started_at=ran.started_at,
        seed=ran.seed,
        machine=describe_machine(),
        numbers=numbers,
        promises=_promises(ran, numbers),
        timeline=_timeline(ran),
        tables=_tables(ran),
        limits=LIMITS,
    )


def _numbers(ran: Ran) -> dict[str, Any]:
    record = ran.record
    orders = sum(len(names) for names in ran.notes.orders.values())
    return {
        "scenario": ran.scenario.name,
        "suspension_s": _suspension_s(ran),
        "first_post_s": _first_post_s(ran),
        "cancel_only_s": _first(ran, ServiceKind.MARKET, Posture.CANCEL_ONLY),
        "trading_s": _open_again(ran, ServiceKind.MARKET),
        "withdrawals_first_s": _first_signed_s(ran),
        "withdrawals_full_s": _open_again(ran, ServiceKind.WITHDRAWAL),
        "gates": _gates(ran),
        "lost": len(ran.lost),
        "signed_while_stopped": len(_signed_while_stopped(ran)),
        "orders": orders,
        "withdrawals": len(ran.notes.withdrawals),
        "entries": record.entries if record is not None else 0,
    }


def _gates(ran: Ran) -> list[dict[str, Any]]:
    if ran.record is None:
        return []
    return [
        {
            "plan": gate.plan,
            "services": list(gate.services),
            "stage": gate.stage,
            "gate": gate.gate,
            "passed": gate.passed,
            "value": gate.value,
            "evidence": gate.evidence,
            "at_s": _after(ran, gate.entered_ns),
        }
        for gate in ran.record.gates
        if gate.entered_ns >= ran.hurt_ns
    ]


# Times, in seconds from the fault


def _after(ran: Ran, at_ns: int) -> float:
    return round((at_ns - ran.hurt_ns) / NS, 3)


def _reopened_ns(ran: Ran) -> int:
    """Return when withdrawals were let begin again, by a plan or else by the heal."""
    if ran.record is not None:
        entered = [
            stage.entered_ns
            for plan in _plans(ran, "withdrawal")
            for stage in plan.stages
            if stage.stage is Stage.LIMITED and stage.entered_ns > ran.hurt_ns
        ]
        if entered:
            return min(entered)
    healed = [each.at_ns for each in ran.happened if each.kind == "heal"]
    return min(healed, default=ran.hurt_ns)


def _suspension_s(ran: Ran) -> float:
    """Return when the last withdrawal went through after the fault, taken or signed."""
    reopened_ns = _reopened_ns(ran)
    reopened_s = ran.hurt_s + (reopened_ns - ran.hurt_ns) / NS
    last = [
        moment.at_s - ran.hurt_s
        for moment in ran.notes.moments
        if moment.what == "withdraw" and moment.taken and ran.hurt_s < moment.at_s < reopened_s
    ]
    if ran.record is not None:
        last += [
            (signing.at_ns - ran.hurt_ns) / NS
            for signing in ran.record.signings
            if ran.hurt_ns < signing.at_ns < reopened_ns
        ]
    return round(max(last, default=0.0), 3)


def _signed_while_stopped(ran: Ran) -> list[int]:
    """Return withdrawals that were signed when nobody should have."""
    if ran.record is None:
        return []
    from_ns = ran.hurt_ns + int(SUSPENSION_S * NS)
    reopened_ns = _reopened_ns(ran)
    return [
        signing.withdrawal_id
        for signing in ran.record.signings
        if from_ns < signing.at_ns < reopened_ns or signing.at_ns > signing.lease_until_ns
    ]


def _first_signed_s(ran: Ran) -> float | None:
    if ran.record is None:
        return None
    reopened_ns = _reopened_ns(ran)
    after = [each.at_ns for each in ran.record.signings if each.at_ns >= reopened_ns]
    return _after(ran, min(after)) if after else None


def _first_post_s(ran: Ran) -> float | None:
    """Return when the last of the published targets had it."""
    if not ran.posted_s:
        return None
    return round(max(ran.posted_s.values()) - ran.hurt_s, 3)


def _first(ran: Ran, kind: ServiceKind, posture: Posture) -> float | None:
    found = [
        change.at_s - ran.hurt_s
        for change in ran.changes
        if change.kind is kind and change.posture is posture and change.at_s > ran.hurt_s
    ]
    return round(min(found), 3) if found else None


def _open_again(ran: Ran, kind: ServiceKind) -> float | None:
    """Return when the last service of the kind was open again; None if none was ever closed."""
    after = [each for each in ran.changes if each.kind is kind and each.at_s > ran.hurt_s]
    last = {each.service: each for each in after}
    if not last or any(each.posture is not Posture.OPEN for each in last.values()):
        return None
    opened = {each.service: each.at_s for each in reversed(after) if each.posture is Posture.OPEN}
    return round(max(opened.values()) - ran.hurt_s, 3)


def _plans(ran: Ran, kind: str) -> list[Plan]:
    if ran.record is None:
        return []
    return [
        plan
        for plan in ran.record.control.plans.values()
        if plan.kind == kind and any(each.entered_ns >= ran.hurt_ns for each in plan.stages)
    ]


# Promises


def _promises(ran: Ran, numbers: dict[str, Any]) -> tuple[Promise, ...]:
    posted = numbers["first_post_s"]
    suspended = numbers["suspension_s"]
    found = [
        Promise(
            name="Withdrawals stopped by themselves within five seconds",
            held=not ran.failure
            and suspended <= SUSPENSION_S
            and not numbers["signed_while_stopped"],
            evidence=f"The last one was taken or signed {suspended} s after the fault;"
            f" {numbers['signed_while_stopped']} were signed later than that, or without a lease.",
        ),
        Promise(
            name="What was acknowledged is there, and each withdrawal was paid once or waits",
            held=not ran.failure and ran.record is not None and not ran.lost,
            evidence=ran.failure
            or f"{numbers['orders']:,} orders and {numbers['withdrawals']:,} withdrawals were"
            f" acknowledged; {len(ran.lost)} are lost or wrong. {'; '.join(ran.lost[:SAID])}",
        ),
    ]
    if _told(ran):
        found.append(
            Promise(
                name="The public knew within a minute, and nobody had to write it",
                held=posted is not None and posted <= FIRST_POST_S,
                evidence="The incident was never published."
                if posted is None
                else f"Both places of the status site had it {posted} s after the fault.",
            )
        )
    if ran.scenario.trading:
        found.append(_ladder(ran, "market", TRADING, "Trading came back through its ladder"))
    if _plans(ran, "withdrawal") or ran.scenario.trading:
        name = "Withdrawals came back through every gate, and two people agreed to the wide ones"
        found.append(_ladder(ran, "withdrawal", LADDER, name))
    found.append(_all_back(ran))
    return tuple(found)


def _told(ran: Ran) -> bool:
    """Whether there was an incident to be told."""
    return ran.scenario.trading or bool(ran.record and ran.record.control.incidents)


def _ladder(ran: Ran, kind: str, rungs: Iterable[Stage], name: str) -> Promise:
    plans = [plan for plan in _plans(ran, kind) if plan.status is not PlanStatus.ABANDONED]
    problems = [] if plans else ["there was no plan"]
    for plan in plans:
        problems += _plan_problems(plan, tuple(rungs))
    gates = sum(len(stage.gates) for plan in plans for stage in plan.stages)
    steps = sum(plan.steps_back for plan in plans)
    return Promise(
        name=name,
        held=not problems,
        evidence="; ".join(problems[:SAID])
        or f"{len(plans)} plans, {gates} gates recorded as passed, {steps} steps back.",
    )


def _plan_problems(plan: Plan, rungs: tuple[Stage, ...]) -> list[str]:
    name = f"plan {plan.plan_id} ({', '.join(plan.services)})"
    found = []
    if plan.status is not PlanStatus.DONE:
        waits = [f"{gate.gate}: {gate.value}" for gate in plan.gates if not gate.passed]
        found.append(f"{name} is {plan.status.value}, for {', '.join(waits) or 'nothing'}")
    climbed = [stage for stage in plan.stages if stage.stage in rungs]
    last = tuple(stage.stage for stage in climbed[-len(rungs) :])
    if last != rungs:
        found.append(f"{name} went {', '.join(each.value for each in last)}")
    for stage in climbed:
        found += [
            f"{name} entered {stage.stage.value} though {gate.gate} had not passed"
            for gate in stage.gates
            if gate.passed is not True
        ]
        people = len({person.casefold() for person in stage.approvals})
        if plan.kind == "withdrawal" and stage.stage in WIDE and people < PEOPLE:
            found.append(f"{name} entered {stage.stage.value} with {people} people's word")
    return found


def _all_back(ran: Ran) -> Promise:
    end = next((each.text for each in ran.happened if each.kind == "end"), "it never ended")
    late = [each.text for each in ran.happened if each.kind == "late"]
    held = not ran.failure and end == "all services are open" and not late
    return Promise(
        name="It stopped, and all was open again in the end",
        held=held,
        evidence="; ".join(filter(None, [ran.failure, *late, end])),
    )


# What is shown


def _timeline(ran: Ran) -> Timeline:
    seconds = range(int(ran.ended_s - ran.began_s) + 1)
    taken: dict[str, Counter[int]] = {"orders": Counter(), "withdrawals": Counter()}
    for moment in ran.notes.moments:
        if moment.taken:
            what = "withdrawals" if moment.what == "withdraw" else "orders"
            taken[what][int(moment.at_s - ran.began_s)] += 1
    marks = [
        Mark(at_s=round(each.at_s - ran.began_s, 3), kind=each.kind, text=each.text)
        for each in ran.happened
    ]
    total = taken["orders"] + taken["withdrawals"]
    return Timeline(
        duration_s=round(ran.ended_s - ran.began_s, 2),
        per_second=tuple(total[second] for second in seconds),
        counted="orders, cancels and withdrawals taken per second",
        series=tuple(
            Series(name=name, per_second=tuple(counts[second] for second in seconds))
            for name, counts in taken.items()
        ),
        spans=tuple(_spans(ran)),
        marks=tuple(marks),
    )


def _spans(ran: Ran) -> Iterable[Span]:
    """Draw each service's time in each posture but open."""
    for service in dict.fromkeys(change.service for change in ran.changes):
        of_it = [change for change in ran.changes if change.service == service]
        for number, change in enumerate(of_it):
            if change.posture is Posture.OPEN:
                continue
            until_s = of_it[number + 1].at_s if number + 1 < len(of_it) else ran.ended_s
            stopped = change.posture in (Posture.PAUSED, Posture.HALTED, Posture.CANCEL_ONLY)
            yield Span(
                from_s=change.at_s - ran.began_s,
                to_s=until_s - ran.began_s,
                kind="down" if stopped else "recovering",
                text=f"{service}: {_where(change)}",
            )


def _where(change: Seen) -> str:
    if change.stage is None or change.stage.value == change.posture.value:
        return change.posture.value
    return f"{change.posture.value} ({change.stage.value})"


def _tables(ran: Ran) -> tuple[Table, ...]:
    days = sorted(
        [
            *((each.at_s, "drill", each.text) for each in ran.happened),
            *(
                (change.at_s, change.service, f"{_where(change)}: {change.reason}")
                for change in ran.changes
                if change.at_s > ran.hurt_s
            ),
            *((at_s, "status site", f"{name} is published") for name, at_s in ran.posted_s.items()),
        ]
    )
    course = Table(
        title="What happened",
        columns=("after", "what", "how"),
        rows=tuple((f"{at_s - ran.hurt_s:+.1f} s", what, text) for at_s, what, text in days),
        shown=True,
    )
    gates = Table(
        title="Gates",
        columns=("after", "services", "stage", "gate", "passed", "what was found", "evidence"),
        rows=tuple(
            (
                f"{gate['at_s']:+.1f} s",
                ", ".join(gate["services"]),
                gate["stage"],
                gate["gate"],
                "yes" if gate["passed"] else "no",
                gate["value"],
                gate["evidence"][:16],
            )
            for gate in _gates(ran)
        ),
        shown=True,
    )
    wrong = Table(
        title="What is wrong", columns=("what",), rows=tuple((each,) for each in ran.lost)
    )
    return (wrong, course, gates) if ran.lost else (course, gates)
