"""From verdicts to postures.  The rule: a rule answers once to each trouble, and only towards less.

What a rule closed does not stay closed because the trouble lasts: the ladder says what its services
need, and an exchange that has left a provider need not wait for it.
"""

from seawall.core.control import plans
from seawall.core.control.announcements import say
from seawall.core.control.incidents import begin, begin_or_join
from seawall.core.control.look import SECOND, Look
from seawall.core.control.patterns import matches
from seawall.core.control.posture import NO_PERSON, observe_posture, order_posture
from seawall.core.control.services import find
from seawall.core.control.ways import POSTURES, is_less, towards_less
from seawall.core.control.wording import wrong_person, wrong_words
from seawall.model.control_commands import ObservePosture, OrderPosture
from seawall.model.control_events import LeaseLapsed, ServicesDefined
from seawall.model.control_rows import Incident, ServiceRow
from seawall.model.events import CommandRejected
from seawall.model.posture import Posture, ServiceKind, Severity, service_kind
from seawall.model.rejections import Rejection
from seawall.model.runbook import Move, Rule
from seawall.model.watch_facts import Health


def apply(look: Look) -> None:
    """Let each rule answer to what has begun, and to services that have come since."""
    added: list[str] = []
    for event in look.events:
        if isinstance(event, LeaseLapsed):
            _lapsed(look, event)
        elif isinstance(event, ServicesDefined):
            added += event.added
    answered = look.book.answered
    in_force: dict[str, int] = {}
    for rule in look.runbook.rule:
        for dependency, verdict in list(look.book.verdicts.items()):
            if verdict.health not in rule.states or not matches(rule.when, dependency):
                continue
            key = _key(rule, dependency)
            if key not in answered:
                _answer(look, rule, dependency, verdict.health, _to_move(look, rule.move))
            elif added:
                moves = [each for each in _to_move(look, rule.move) if each[0].service in added]
                if moves:
                    _answer(look, rule, dependency, verdict.health, moves)
            in_force[key] = answered.get(key, look.now)
    look.book.answered = in_force


def _key(rule: Rule, dependency: str) -> str:
    """Return by what it is known that a rule has answered: one that moves otherwise is another."""
    moves = ",".join(f"{move.services}={move.to.value}" for move in rule.move)
    return f"{rule.name}|{dependency}|{moves}"


def _to_move(look: Look, moves: tuple[Move, ...]) -> list[tuple[ServiceRow, Posture]]:
    """Return the services that do more than the moves let them."""
    wanted: dict[str, tuple[ServiceRow, Posture]] = {}
    for move in moves:
        for row in find(look.state, move.services):
            kind = service_kind(row.service)
            if move.to not in POSTURES[kind]:
                continue
            now = wanted[row.service][1] if row.service in wanted else row.posture
            if is_less(kind, move.to, now):
                wanted[row.service] = (row, move.to)
    return list(wanted.values())


def _answer(
    look: Look,
    rule: Rule,
    dependency: str,
    health: Health,
    moves: list[tuple[ServiceRow, Posture]],
) -> None:
    facts = {"dependency": dependency, "health": health.value, "rule": rule.name}
    incident = begin_or_join(
        look,
        kind=rule.kind,
        severity=rule.severity,
        facts=facts,
        services=[row.service for row, _ in moves],
        dependency=dependency,
    )
    reason = f"{dependency} is {health.value}"
    move_down(look, incident, moves, reason=reason, facts={"dependency": dependency})
    plans.make(look, incident, [row.service for row, _ in moves])


def move_down(
    look: Look,
    incident: Incident,
    moves: list[tuple[ServiceRow, Posture]],
    *,
    reason: str,
    facts: dict[str, str],
    person: str = "",
) -> None:
    """Order services towards less, and say it once for all that move to the same posture."""
    said: dict[Posture, list[str]] = {}
    for row, posture in moves:
        target = towards_less(service_kind(row.service), row.posture, posture)
        if target is None:
            continue
        plan = look.plan_of(row)
        row.canary = ""
        event = order_posture(
            look.state,
            row,
            target,
            reason=reason,
            person=person,
            incident=incident.number,
            plan=plan.plan_id if plan else 0,
            # Out of its plan's stage: the plan sees it in this same look and steps back.
            stage=None,
        )
        look.events.append(event)
        said.setdefault(target, []).append(row.service)
    for posture, services in said.items():
        told = {"posture": posture.value, **facts}
        say(look, incident, "posture_changed", told, services=services, person=person)


def _lapsed(look: Look, event: LeaseLapsed) -> None:
    """Let withdrawals come back in stages after a long silence of this cell."""
    if event.silent_ns < look.runbook.lease.lapse_s * SECOND:
        return
    moves = _to_move(look, (Move(services="withdrawal/*", to=Posture.PAUSED),))
    if not moves:
        return
    services = [row.service for row, _ in moves]
    facts = {"silent_s": str(event.silent_ns // SECOND)}
    incident = begin_or_join(
        look, kind="lease_lapsed", severity=Severity.MAJOR, facts=facts, services=services
    )
    move_down(look, incident, moves, reason="the control cell was silent", facts={})
    plans.make(look, incident, services)


# What people and other cells do


def order(look: Look, command: OrderPosture) -> None:
    """Move services towards less because a person says so; only a person leads them back."""
    wrong = wrong_person(command.person) or wrong_words(command.reason)
    if wrong or not command.services or not command.reason.strip():
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, wrong or "services and reason")
        look.events.append(refusal)
        return
    for pattern in command.services:
        rows = find(look.state, pattern)
        if not rows:
            look.events.append(CommandRejected(Rejection.UNKNOWN_SERVICE, pattern))
            return
        for row in rows:
            kinds = POSTURES[service_kind(row.service)]
            if command.posture not in kinds:
                refusal = CommandRejected(Rejection.INVALID_DEFINITION, f"{row.service}: posture")
                look.events.append(refusal)
                return
    moves = [Move(services=pattern, to=command.posture) for pattern in command.services]
    found = _to_move(look, tuple(moves))
    led = _led(look, command.services)
    if command.posture is Posture.OPEN or not (found or led):
        refusal = CommandRejected(Rejection.NOT_TOWARDS_LESS, command.posture.value)
        look.events.append(refusal)
        return
    # Nothing below may fail.
    incident = begin(
        look,
        kind="posture_ordered",
        severity=command.severity,
        facts={"posture": command.posture.value, "reason": command.reason},
        services=list(dict.fromkeys([*(row.service for row, _ in found), *led])),
        person=command.person,
    )
    for name in led:
        # What stands no higher already would else go on its way up all the same.
        row = look.book.services[name]
        _take_from_plan(look, row, "a person ordered it")
        row.incident = incident.number
    facts = {"reason": command.reason}
    move_down(look, incident, found, reason=command.reason, facts=facts, person=command.person)


def _led(look: Look, patterns: tuple[str, ...]) -> list[str]:
    """Return the services, of those that patterns mean, that a plan leads back."""
    rows = [row for pattern in patterns for row in find(look.state, pattern)]
    return list(dict.fromkeys(row.service for row in rows if look.plan_of(row) is not None))


def observe(look: Look, command: ObservePosture) -> None:
    """Adopt what was moved in a cell itself: by a person there, or by reconciliation."""
    row = look.book.services.get(command.service)
    before = row.posture if row is not None else Posture.OPEN
    events = observe_posture(look.state, command)
    look.events.extend(events)
    if row is None or not events or isinstance(events[0], CommandRejected):
        return
    kind = service_kind(row.service)
    if is_less(kind, row.posture, before):
        _observed_less(look, row, kind, command)
    elif is_less(kind, before, row.posture):
        # A person took it up himself, and answers for it.
        _take_from_plan(look, row, "a person moved it")
        row.incident = 0 if row.posture is Posture.OPEN else row.incident


def _observed_less(look: Look, row: ServiceRow, kind: ServiceKind, command: ObservePosture) -> None:
    facts = {"service": row.service, "posture": row.posture.value, "reason": command.reason}
    if kind is not ServiceKind.MARKET and "/" in row.service:
        facts["asset"] = row.service.split("/")[1]
    if command.by not in NO_PERSON:
        _take_from_plan(look, row, "a person moved it")
        incident = begin(
            look,
            kind="posture_ordered",
            severity=Severity.MAJOR,
            facts=facts,
            services=[row.service],
            person=command.by,
        )
        row.incident = incident.number
        return
    incident = begin_or_join(
        look,
        kind="reconciliation_difference" if command.by == "reconciliation" else "moved_by_its_cell",
        severity=Severity.MAJOR,
        facts=facts,
        services=[row.service],
    )
    row.incident = incident.number
    plans.make(look, incident, [row.service])


def _take_from_plan(look: Look, row: ServiceRow, reason: str) -> None:
    plan = look.plan_of(row)
    if plan is not None:
        plans.release(look, plan, row.service, reason)
