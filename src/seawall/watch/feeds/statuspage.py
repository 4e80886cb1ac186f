"""Statuspage v2, which Cloudflare, exchanges and many others speak.  The rule: every word counts.

The page's indicator, its components and its incidents tell the same thing three times.  Whichever
of them tells of trouble is believed; that they contradict each other is no reason for green.
"""

from typing import Final

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import TROUBLE, Doubt, Health
from seawall.watch.feeds.page import Draft, each, from_iso, json

INDICATORS: Final = {
    "none": Health.OK,
    "minor": Health.DEGRADED,
    "major": Health.DEGRADED,
    "critical": Health.DOWN,
    "maintenance": Health.MAINTENANCE,
}
COMPONENTS: Final = {
    "operational": Health.OK,
    "degraded_performance": Health.DEGRADED,
    "partial_outage": Health.DEGRADED,
    "major_outage": Health.DOWN,
    "under_maintenance": Health.MAINTENANCE,
}
IMPACTS: Final = {
    # What is posted without an impact is posted all the same.
    "none": Health.DEGRADED,
    "minor": Health.DEGRADED,
    "major": Health.DEGRADED,
    "critical": Health.DOWN,
    "maintenance": Health.MAINTENANCE,
}
OPEN: Final = {"investigating", "identified", "monitoring"}
OVER: Final = {"resolved", "postmortem"}
PLANNED: Final = {"scheduled", "in_progress", "verifying"}
DONE: Final = {"completed"}


class Page(Struct, frozen=True, kw_only=True):
    """Whose page, and of when."""

    id: str
    updated_at: str


class Status(Struct, frozen=True, kw_only=True):
    """The whole in one word."""

    indicator: str
    description: str


class Component(Struct, frozen=True, kw_only=True):
    """One service."""

    id: str
    name: str
    status: str
    updated_at: str
    group: bool = False


class Named(Struct, frozen=True, kw_only=True):
    """A component as an incident names it."""

    name: str
    status: str = ""


class Incident(Struct, frozen=True, kw_only=True):
    """One incident or maintenance."""

    id: str
    name: str
    status: str
    impact: str
    created_at: str
    updated_at: str | None = None
    started_at: str | None = None
    resolved_at: str | None = None
    scheduled_for: str | None = None
    scheduled_until: str | None = None
    shortlink: str | None = None
    components: list[Named] = []


class Summary(Struct, frozen=True, kw_only=True):
    """`summary.json`."""

    page: Page
    status: Status
    components: list[msgspec.Raw]
    incidents: list[msgspec.Raw]
    scheduled_maintenances: list[msgspec.Raw]


class Components(Struct, frozen=True, kw_only=True):
    """`components.json`."""

    page: Page
    components: list[msgspec.Raw]


class Incidents(Struct, frozen=True, kw_only=True):
    """`incidents.json`, `incidents/unresolved.json`."""

    page: Page
    incidents: list[msgspec.Raw]


def adapt_summary(draft: Draft) -> None:
    summary = json(draft, Summary)
    draft.told(from_iso(summary.page.updated_at))
    told = _incidents(draft, summary.incidents)
    told += _maintenances(draft, summary.scheduled_maintenances)
    told += _components(draft, summary.components)
    health = draft.word(INDICATORS, summary.status.indicator, "the page's indicator")
    if health is not Health.OK and not any(each_told in {health, *TROUBLE} for each_told in told):
        draft.add(
            incident_id="page",
            title=summary.status.description,
            health=health,
            word=summary.status.indicator,
        )


def adapt_components(draft: Draft) -> None:
    document = json(draft, Components)
    draft.told(from_iso(document.page.updated_at))
    if not document.components:
        draft.doubt(Doubt.CONTRADICTION, "a page without any component")
    _components(draft, document.components)


def adapt_incidents(draft: Draft) -> None:
    document = json(draft, Incidents)
    draft.told(from_iso(document.page.updated_at))
    _incidents(draft, document.incidents)


def _components(draft: Draft, records: list[msgspec.Raw]) -> list[Health]:
    told = []
    for component in each(draft, records, Component, "component"):
        with draft.record(component.name):
            health = draft.word(COMPONENTS, component.status, f"the component {component.name}")
            told.append(health)
            if health is not Health.OK and not component.group:
                draft.add(
                    incident_id=f"component/{component.id}",
                    title=component.name,
                    health=health,
                    word=component.status,
                    services=(component.name,),
                    updated_ns=from_iso(component.updated_at),
                )
    return told


def _incidents(draft: Draft, records: list[msgspec.Raw]) -> list[Health]:
    told = []
    for incident in each(draft, records, Incident, "incident"):
        with draft.record(incident.id):
            told.append(_incident(draft, incident))
    return told


def _incident(draft: Draft, incident: Incident) -> Health:
    health = draft.word(IMPACTS, incident.impact, f"the impact of {incident.id}")
    ended_ns = None if incident.resolved_at is None else from_iso(incident.resolved_at)
    if incident.status in OVER:
        health = Health.OK
        if ended_ns is None:
            draft.doubt(Doubt.CONTRADICTION, f"{incident.id} is over, and has no end")
            health = Health.UNKNOWN
    elif incident.status in OPEN:
        if ended_ns is not None:
            draft.doubt(Doubt.CONTRADICTION, f"{incident.id} goes on, and has an end")
            ended_ns = None
    else:
        draft.doubt(Doubt.UNKNOWN_WORD, f"the status of {incident.id}: {incident.status!r}")
        health, ended_ns = Health.UNKNOWN, None
    draft.add(
        incident_id=incident.id,
        title=incident.name,
        health=health,
        word=f"{incident.status}/{incident.impact}",
        services=tuple(dict.fromkeys(component.name for component in incident.components)),
        began_ns=from_iso(incident.started_at or incident.created_at),
        updated_ns=from_iso(incident.updated_at or incident.created_at),
        ended_ns=ended_ns,
        url=incident.shortlink or "",
    )
    return health


def _maintenances(draft: Draft, records: list[msgspec.Raw]) -> list[Health]:
    told = []
    for planned in each(draft, records, Incident, "maintenance"):
        with draft.record(planned.id):
            draft.word(IMPACTS, planned.impact, f"the impact of {planned.id}")
            health = Health.MAINTENANCE
            if planned.status in DONE:
                health = Health.OK
            elif planned.status not in PLANNED:
                draft.doubt(Doubt.UNKNOWN_WORD, f"the status of {planned.id}: {planned.status!r}")
                health = Health.UNKNOWN
            # One that has begun lasts until it is said to be over, whatever was planned.
            begins = planned.scheduled_for if planned.status == "scheduled" else planned.created_at
            draft.add(
                incident_id=planned.id,
                title=planned.name,
                health=health,
                word=planned.status,
                services=tuple(dict.fromkeys(component.name for component in planned.components)),
                began_ns=from_iso(begins or planned.created_at),
                updated_ns=from_iso(planned.updated_at or planned.created_at),
                url=planned.shortlink or "",
            )
            told.append(health)
    return told
