"""Google Cloud's incidents.json, an archive.  The rule: open is what has no end."""

import re
from typing import Final

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import Doubt, Health
from seawall.watch.feeds.page import DoubtError, Draft, each, from_iso, json

URL: Final = "https://status.cloud.google.com/incidents.json"
SITE: Final = "https://status.cloud.google.com/"
IMPACTS: Final = {
    "AVAILABLE_INFORMATION": Health.DEGRADED,
    "SERVICE_INFORMATION": Health.DEGRADED,
    "SERVICE_DISRUPTION": Health.DEGRADED,
    "SERVICE_OUTAGE": Health.DOWN,
}
AVAILABLE: Final = "AVAILABLE"
_ZONE: Final = re.compile(r"^[a-z]+-[a-z]+\d+-[a-z]$")


class Place(Struct, frozen=True, kw_only=True):
    """A location or a product."""

    id: str
    title: str = ""


class Update(Struct, frozen=True, kw_only=True):
    """The latest word."""

    when: str
    status: str


class Incident(Struct, frozen=True, kw_only=True):
    """One incident; `end` must stand there, be it null."""

    id: str
    begin: str
    end: str | None
    modified: str
    external_desc: str
    status_impact: str
    most_recent_update: Update
    affected_products: list[Place]
    currently_affected_locations: list[Place]
    previously_affected_locations: list[Place] = []
    uri: str = ""


def adapt(draft: Draft) -> None:
    records = json(draft, list[msgspec.Raw])
    if not records:
        raise DoubtError(Doubt.CONTRADICTION, "an archive without any incident")
    for incident in each(draft, records, Incident, "incident"):
        with draft.record(incident.id):
            _add(draft, incident)


def _add(draft: Draft, incident: Incident) -> None:
    health = draft.word(IMPACTS, incident.status_impact, f"the impact of {incident.id}")
    began_ns, modified_ns = from_iso(incident.begin), from_iso(incident.modified)
    ended_ns = None if incident.end is None else from_iso(incident.end)
    last = incident.most_recent_update.status
    if last != AVAILABLE:
        draft.word(IMPACTS, last, f"the latest status of {incident.id}")
    draft.told(modified_ns)
    now = incident.currently_affected_locations
    if ended_ns is not None and now and last != AVAILABLE:
        draft.doubt(Doubt.CONTRADICTION, f"{incident.id} has an end, and still affects places")
        health, ended_ns = Health.UNKNOWN, None
    places = [place.id for place in (now or incident.previously_affected_locations)]
    zones = tuple(place for place in places if _ZONE.match(place))
    of_zones = [zone.rpartition("-")[0] for zone in zones]
    regions = dict.fromkeys([*(p for p in places if p not in zones and p != "global"), *of_zones])
    draft.add(
        incident_id=incident.id,
        title=incident.external_desc,
        health=health,
        word=incident.status_impact,
        services=tuple(product.title or product.id for product in incident.affected_products),
        # One place of the world's many affected: anywhere.
        regions=() if "global" in places else tuple(regions),
        zones=() if "global" in places else zones,
        began_ns=began_ns,
        updated_ns=modified_ns,
        ended_ns=ended_ns,
        url=SITE + incident.uri.lstrip("/"),
    )
