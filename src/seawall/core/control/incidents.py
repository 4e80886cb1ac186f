"""Incidents: opened, joined, led to their end.  The rule: one trouble is one incident.

What shares its cause, its services or its first minutes with an open incident is part of it.
"""

from seawall.core.control.announcements import all_well, open_incidents, say
from seawall.core.control.look import SECOND, Look, runs
from seawall.core.control.patterns import matches
from seawall.core.control.wording import wrong_person, wrong_words
from seawall.lib.invariants import invariant
from seawall.model import limits
from seawall.model.control_commands import OpenIncident, ResolveIncident, UpdateIncident
from seawall.model.control_rows import Incident
from seawall.model.events import CommandRejected
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity
from seawall.model.rejections import Rejection
from seawall.model.signals import DECIDING
from seawall.model.watch_facts import TROUBLE

GRAVITY = (Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)


def begin(
    look: Look,
    *,
    kind: str,
    severity: Severity,
    facts: dict[str, str],
    services: list[str],
    dependencies: list[str] | None = None,
    person: str = "",
    titles: tuple[str, str] = ("", ""),
) -> Incident:
    """Open an incident, and say so."""
    book = look.book
    incident = Incident(
        number=book.next_incident,
        severity=severity,
        kind=kind,
        facts=facts,
        title_en=titles[0],
        title_ar=titles[1],
        services=list(services),
        dependencies=dependencies or [],
        person=person,
        opened_ns=look.now,
    )
    book.next_incident += 1
    book.incidents[incident.number] = incident
    say(look, incident, "opened", dict(facts), services=list(services), person=person)
    return incident


def begin_or_join(
    look: Look,
    *,
    kind: str,
    severity: Severity,
    facts: dict[str, str],
    services: list[str],
    dependency: str = "",
) -> Incident:
    """Return the open incident that this is part of, made graver if it is; or open one."""
    found = _find(look, services, dependency)
    if found is None:
        dependencies = [dependency] if dependency else []
        return begin(
            look,
            kind=kind,
            severity=severity,
            facts=facts,
            services=services,
            dependencies=dependencies,
        )
    known = dependency in found.dependencies or not dependency
    widen(found, services)
    if not known:
        found.dependencies.append(dependency)
        if found.phase is IncidentPhase.MONITORING:
            found.phase = IncidentPhase.IDENTIFIED
    if GRAVITY.index(severity) > GRAVITY.index(found.severity):
        found.severity = severity
        known = False
    if not known:
        say(look, found, "joined", {"kind": kind, **facts}, services=list(services))
    return found


def widen(incident: Incident, services: list[str]) -> None:
    """Let an incident concern these services too."""
    for name in services:
        if name not in incident.services:
            incident.services.append(name)


def _find(look: Look, services: list[str], dependency: str) -> Incident | None:
    """Return the open incident that shares cause, services or the first minutes; newest first."""
    newest = open_incidents(look)[::-1]
    for incident in newest:
        if dependency and _shares_cause(look, incident, dependency):
            return incident
    for incident in newest:
        if any(name in incident.services for name in services):
            return incident
    for incident in newest:
        if look.now - incident.opened_ns <= limits.INCIDENT_JOIN_S * SECOND:
            return incident
    return newest[0] if len(newest) >= limits.OPEN_INCIDENTS else None


def _shares_cause(look: Look, incident: Incident, dependency: str) -> bool:
    if dependency in incident.dependencies:
        return True
    return any(
        explains(look, other, dependency) or explains(look, dependency, other)
        for other in incident.dependencies
    )


def explains(look: Look, cause: str, dependency: str) -> bool:
    """Whether the runbook says that trouble of the cause explains the dependency's."""
    for terms in look.runbook.dependency:
        if matches(terms.name, dependency):
            return any(matches(pattern, cause) for pattern in terms.part_of)
    return False


# What people do


def open_incident(look: Look, command: OpenIncident) -> None:
    wrong = wrong_person(command.person) or wrong_words(command.title_en, command.title_ar)
    if wrong or not command.title_en.strip():
        look.events.append(CommandRejected(Rejection.INVALID_DEFINITION, wrong or "title_en"))
        return
    unknown = [name for name in command.services if name not in look.book.services]
    if unknown:
        look.events.append(CommandRejected(Rejection.UNKNOWN_SERVICE, unknown[0]))
        return
    if len(open_incidents(look)) >= limits.OPEN_INCIDENTS:
        look.events.append(CommandRejected(Rejection.BOOK_FULL, "open incidents"))
        return
    begin(
        look,
        kind="words",
        severity=command.severity,
        facts={},
        services=list(dict.fromkeys(command.services)),
        person=command.person,
        titles=(command.title_en, command.title_ar),
    )


def update_incident(look: Look, command: UpdateIncident) -> None:
    incident = look.book.incidents.get(command.incident)
    wrong = wrong_person(command.person) or wrong_words(command.words_en, command.words_ar)
    moves = command.phase is not None or command.severity is not None
    if incident is None:
        refusal = CommandRejected(Rejection.UNKNOWN_INCIDENT, str(command.incident))
    elif wrong or not (moves or command.words_en.strip() or command.words_ar.strip()):
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, wrong or "nothing is said")
    elif command.phase is IncidentPhase.RESOLVED:
        refusal = CommandRejected(Rejection.WRONG_STATE, "an end is a command of its own")
    elif moves and incident.phase is IncidentPhase.RESOLVED:
        refusal = CommandRejected(Rejection.WRONG_STATE, "it is resolved")
    else:
        # Nothing below may fail.
        incident.phase = command.phase or incident.phase
        incident.severity = command.severity or incident.severity
        words = (command.words_en, command.words_ar)
        say(look, incident, "words", words=words, person=command.person)
        return
    look.events.append(refusal)


def resolve_incident(look: Look, command: ResolveIncident) -> None:
    incident = look.book.incidents.get(command.incident)
    wrong = wrong_person(command.person) or wrong_words(command.words_en, command.words_ar)
    if incident is None:
        refusal = CommandRejected(Rejection.UNKNOWN_INCIDENT, str(command.incident))
    elif wrong:
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, wrong)
    elif incident.phase is IncidentPhase.RESOLVED:
        refusal = CommandRejected(Rejection.WRONG_STATE, "it is resolved")
    elif still := _still_closed(look, incident):
        refusal = CommandRejected(Rejection.STILL_CLOSED, still)
    else:
        _resolve(look, incident, (command.words_en, command.words_ar), command.person)
        return
    look.events.append(refusal)


def _still_closed(look: Look, incident: Incident) -> str:
    """Return what of an incident lasts: a service that is not open, or a plan; or nothing."""
    for name in incident.services:
        row = look.book.services.get(name)
        if row is not None and row.posture is not Posture.OPEN:
            return name
    for plan in look.running():
        if plan.incident == incident.number:
            return f"plan {plan.plan_id}"
    return ""


def _resolve(look: Look, incident: Incident, words: tuple[str, str], person: str) -> None:
    incident.phase = IncidentPhase.RESOLVED
    incident.resolved_ns = look.now
    facts = {"lasted_s": str((look.now - incident.opened_ns) // SECOND)}
    say(look, incident, "resolved", facts, words=words, person=person)


# What the cell does by itself


def settle(look: Look) -> None:
    """Find causes, and end what has ended."""
    for incident in open_incidents(look):
        if incident.phase is IncidentPhase.INVESTIGATING:
            _identify(look, incident)
        if _over(look, incident):
            _resolve(look, incident, ("", ""), "")


def _identify(look: Look, incident: Incident) -> None:
    """Say what explains it: a feed, a venue or a chain that tells of trouble there too."""
    oldest_ns = look.now - look.runbook.signals.fresh_s * SECOND
    for other, words in look.told(""):
        for key, word in words.items():
            if word.kind in DECIDING or word.health not in TROUBLE or word.at_ns < oldest_ns:
                continue
            if any(other == name or explains(look, other, name) for name in incident.dependencies):
                incident.phase = IncidentPhase.IDENTIFIED
                facts = {
                    "dependency": other,
                    "source": word.kind.value,
                    "health": word.health.value,
                    "watcher": key.partition("|")[0],
                }
                say(look, incident, "explained", facts)
                return


def _over(look: Look, incident: Incident) -> bool:
    """Whether all that it did and all that caused it is over."""
    if incident.kind == "words" and not any(
        plan.incident == incident.number and plan.status is PlanStatus.DONE
        for plan in look.book.plans.values()
    ):
        # What a person opened with words alone, a person ends.
        return False
    if _still_closed(look, incident) or not all_well(look, incident):
        return False
    # What flaps stays one incident: its dependencies must have been well for a while.
    quiet_ns = look.now - look.runbook.other.healthy_s * SECOND
    for name in incident.dependencies:
        verdict = look.book.verdicts.get(name)
        if verdict is not None and verdict.since_ns > quiet_ns:
            return False
    return True


def forget(look: Look) -> None:
    """Forget incidents that ended before the history begins, or are too many, and their plans."""
    hour_ns = 3_600 * SECOND
    if look.now // hour_ns == look.before_ns // hour_ns:
        return
    book = look.book
    oldest_ns = look.now - limits.CLOSED_DAYS * 86_400 * SECOND
    ended = [each for each in book.incidents.values() if each.phase is IncidentPhase.RESOLVED]
    surplus = len(ended) - limits.INCIDENTS
    for place, incident in enumerate(ended):
        if place < surplus or incident.resolved_ns < oldest_ns:
            del book.incidents[incident.number]
    for plan in list(book.plans.values()):
        if plan.incident not in book.incidents:
            invariant(not runs(plan), "an incident ends after its plans")
            del book.plans[plan.plan_id]
    for number, work in list(book.maintenances.items()):
        if work.completed_ns and work.completed_ns < oldest_ns:
            del book.maintenances[number]
