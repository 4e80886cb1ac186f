"""What is said of incidents, and when.  The rule: a promised word is said, or counted as missed.

Facts are stored, never sentences: the status site has the words, in each of its languages.
"""

from seawall.core.control.look import SECOND, Look
from seawall.model import limits
from seawall.model.control_events import IncidentChanged, VerdictChanged
from seawall.model.control_rows import Incident, Plan, Update
from seawall.model.posture import IncidentPhase, Severity
from seawall.model.runbook import Cadence
from seawall.model.watch_facts import Health


def say(
    look: Look,
    incident: Incident,
    kind: str,
    facts: dict[str, str] | None = None,
    *,
    services: list[str] | None = None,
    words: tuple[str, str] = ("", ""),
    person: str = "",
) -> None:
    """Add to an incident's timeline; what is next to be said is due a cadence later.

    Whatever comes long after it was due, a promise was missed.
    """
    due_ns = incident.next_update_ns
    if due_ns and look.now > due_ns + limits.UPDATE_LATE_S * SECOND:
        incident.missed_updates += 1
    number = incident.updates[-1].number + 1 if incident.updates else 1
    update = Update(
        number=number,
        at_ns=look.now,
        phase=incident.phase,
        kind=kind,
        facts=facts or {},
        services=services or [],
        words_en=words[0],
        words_ar=words[1],
        person=person,
    )
    incident.updates.append(update)
    if len(incident.updates) > limits.INCIDENT_UPDATES:
        # How it began stays; what goes is the oldest of the rest.
        del incident.updates[1]
    incident.said_ns = look.now
    ended = incident.phase is IncidentPhase.RESOLVED
    incident.next_update_ns = 0 if ended else look.now + cadence_ns(look, incident.severity)
    look.events.append(IncidentChanged(incident, update))


def say_of_plan(
    look: Look, plan: Plan, kind: str, facts: dict[str, str], *, person: str = ""
) -> None:
    """Add to the timeline of a plan's incident, if that is still open."""
    incident = look.book.incidents.get(plan.incident)
    if incident is not None and incident.phase is not IncidentPhase.RESOLVED:
        named = {"plan": str(plan.plan_id), "ladder": plan.kind, **facts}
        say(look, incident, kind, named, services=list(plan.services), person=person)


def cadence_ns(look: Look, severity: Severity) -> int:
    """Return how long may pass before something is said again."""
    cadence: Cadence = look.runbook.cadence
    if severity is Severity.CRITICAL:
        return cadence.critical_s * SECOND
    return (cadence.major_s if severity is Severity.MAJOR else cadence.minor_s) * SECOND


def say_verdicts(look: Look) -> None:
    """Say how dependencies of open incidents have changed."""
    changed = [event for event in look.events if isinstance(event, VerdictChanged)]
    for event in changed:
        for incident in open_incidents(look):
            if event.dependency not in incident.dependencies:
                continue
            if all_well(look, incident):
                incident.phase = IncidentPhase.MONITORING
            elif incident.phase is IncidentPhase.MONITORING:
                incident.phase = IncidentPhase.IDENTIFIED
            facts = {"dependency": event.dependency, "health": event.health.value}
            say(look, incident, "verdict_changed", facts)


def keep_cadence(look: Look) -> None:
    """Say that all is as it was where a word is due and nobody had one."""
    for incident in open_incidents(look):
        if look.now >= incident.next_update_ns:
            say(look, incident, "still_the_same", _how_it_stands(look, incident))


def _how_it_stands(look: Look, incident: Incident) -> dict[str, str]:
    """Return the stage and the next gate of the plan that is furthest behind."""
    plans = [plan for plan in look.running() if plan.incident == incident.number]
    if not plans:
        return {}
    behind = min(plans, key=lambda plan: len(plan.stages))
    facts = {"plan": str(behind.plan_id), "stage": behind.stages[-1].stage.value}
    for gate in behind.gates:
        if not gate.passed:
            facts["next_gate"] = gate.gate
            break
    return facts


def open_incidents(look: Look) -> list[Incident]:
    """Return what is not resolved, oldest first."""
    return [
        each for each in look.book.incidents.values() if each.phase is not IncidentPhase.RESOLVED
    ]


def all_well(look: Look, incident: Incident) -> bool:
    """Whether all its dependencies are; one that nobody speaks of any more is not asked."""
    for name in incident.dependencies:
        verdict = look.book.verdicts.get(name)
        if verdict is not None and verdict.health is not Health.OK:
            return False
    return True
