"""The site's data as Statuspage v2 has it.  The rule: its words only, so that its readers read us.

Components are in English, their ids stay the same for ever; what Statuspage cannot say (stages,
gates, queues) stands on the pages and in `document.json`.
"""

import hashlib
from typing import Any, Final

import msgspec

from seawall.model.status_document import (
    IncidentLine,
    MaintenanceLine,
    ServiceLine,
    StatusDocument,
    UpdateLine,
)
from seawall.status import addresses
from seawall.status.levels import (
    Indicator,
    Level,
    indicator,
    maintenance_status,
    open_incidents,
    past_incidents,
    service_level,
    worst,
)
from seawall.status.moments import iso
from seawall.status.services import grouped
from seawall.status.text import clean
from seawall.status.words import Words

INCIDENTS_MOST: Final = 50
DESCRIPTIONS: Final = {
    Indicator.NONE: "All Systems Operational",
    Indicator.MAINTENANCE: "Service Under Maintenance",
    Indicator.MINOR: "Partially Degraded Service",
    Indicator.MAJOR: "Partial System Outage",
    Indicator.CRITICAL: "Major System Outage",
}
STALE: Final = "Status unknown: the newest data is of {time}"
Json = dict[str, Any]


def files(document: StatusDocument, url: str, *, stale: bool) -> dict[str, bytes]:
    """Return all of the API's files."""
    feed = _Feed(document, url, stale=stale)
    incidents = [
        feed.incident(each)
        for each in (*open_incidents(document), *past_incidents(document))[:INCIDENTS_MOST]
    ]
    unresolved = [feed.incident(each) for each in open_incidents(document)]
    planned = [feed.maintenance(each) for each in document.maintenances]
    upcoming = [each for each in planned if each["status"] == "scheduled"]
    active = [each for each in planned if each["status"] in {"in_progress", "verifying"}]
    bodies: dict[str, Json] = {
        "summary.json": {
            "components": feed.components,
            "incidents": unresolved,
            "scheduled_maintenances": [*active, *upcoming],
            "status": feed.status,
        },
        "status.json": {"status": feed.status},
        "components.json": {"components": feed.components},
        "incidents.json": {"incidents": incidents},
        "incidents/unresolved.json": {"incidents": unresolved},
        "scheduled-maintenances.json": {"scheduled_maintenances": planned},
        "scheduled-maintenances/active.json": {"scheduled_maintenances": active},
        "scheduled-maintenances/upcoming.json": {"scheduled_maintenances": upcoming},
    }
    return {
        f"api/v2/{name}": msgspec.json.encode({"page": feed.page, **body})
        for name, body in bodies.items()
    }


def component_id(service: str) -> str:
    """Return an id that a service keeps for ever."""
    return hashlib.sha256(service.encode("utf-8", "replace")).hexdigest()[:12]


class _Feed:
    """What the files share."""

    def __init__(self, document: StatusDocument, url: str, *, stale: bool) -> None:
        self._document = document
        self._url = url
        self._words = Words("en")
        name = clean(document.exchange)
        self._page_id = component_id(f"page/{name}")
        self.page: Json = {
            "id": self._page_id,
            "name": name,
            "url": url,
            "time_zone": "Etc/UTC",
            "updated_at": iso(document.at_ns),
        }
        whole = indicator(document, stale=stale)
        description = DESCRIPTIONS[whole]
        if stale:
            description = STALE.format(time=self._words.plain_time(document.at_ns))
        elif not document.services:
            description = "Status unknown"
        self.status: Json = {"indicator": whole.value, "description": description}
        self._by_service: dict[str, Json] = {}
        self.components = self._components()

    def _components(self) -> list[Json]:
        found: list[Json] = []
        for group, lines in grouped(self._document.services):
            group_id = component_id(f"group/{group}")
            children = [self._component(line, group_id, place) for place, line in enumerate(lines)]
            if len(lines) == 1:
                # A group of one is the one.
                children[0] |= {"group_id": None, "position": len(found) + 1}
                found.append(children[0])
                continue
            whole = worst(service_level(line, self._document) for line in lines)
            since_ns = max(line.since_ns for line in lines)
            head = self._blank(group_id, self._words.group(group), whole, since_ns, len(found) + 1)
            head |= {"group": True, "components": [each["id"] for each in children]}
            found += [head, *children]
        return found

    def _component(self, line: ServiceLine, group_id: str, place: int) -> Json:
        made = self._blank(
            component_id(line.service),
            self._words.service(line.service).plain(),
            service_level(line, self._document),
            line.since_ns,
            place + 1,
        )
        told = self._words.posture(line.posture, line.service)
        made |= {"group_id": group_id, "description": told, "showcase": True}
        self._by_service[line.service] = made
        return made

    def _blank(self, key: str, name: str, level: Level, since_ns: int, place: int) -> Json:
        begun = self._document.history_from
        return {
            "id": key,
            "name": name,
            "status": level.value,
            "created_at": iso(since_ns),
            "updated_at": iso(since_ns),
            "position": place,
            "description": None,
            "showcase": False,
            "start_date": clean(begun) or None,
            "group_id": None,
            "page_id": self._page_id,
            "group": False,
            "only_show_if_degraded": False,
        }

    def incident(self, line: IncidentLine) -> Json:
        updates = [
            self._update(each, f"incident-{line.number}", each.phase.value)
            for each in newest_first(line.updates)
        ]
        monitoring = [each.at_ns for each in line.updates if each.phase == "monitoring"]
        resolved_ns = ended_ns(line)
        return {
            "id": f"incident-{line.number}",
            "name": self._words.title(line).plain(),
            "status": line.phase.value,
            "created_at": iso(line.opened_ns),
            "updated_at": iso(changed_ns(line)),
            "monitoring_at": iso(min(monitoring)) if monitoring else None,
            "resolved_at": iso(resolved_ns) if resolved_ns else None,
            "impact": line.severity.value,
            "shortlink": addresses.whole(self._url, addresses.incident(line.number)),
            "started_at": iso(line.opened_ns),
            "page_id": self._page_id,
            "incident_updates": updates,
            "components": self._named(line.services),
            "reminder_intervals": None,
        }

    def maintenance(self, line: MaintenanceLine) -> Json:
        key = f"maintenance-{line.number}"
        status = maintenance_status(line, self._document.at_ns)
        first_ns = min([each.at_ns for each in line.updates], default=line.begins_ns)
        last_ns = max([each.at_ns for each in line.updates], default=line.begins_ns)
        return {
            "id": key,
            "name": self._words.maintenance_title(line).plain(),
            "status": status,
            "created_at": iso(first_ns),
            "updated_at": iso(last_ns),
            "monitoring_at": None,
            "resolved_at": iso(last_ns) if status == "completed" else None,
            "impact": "maintenance",
            "shortlink": addresses.whole(self._url, "index.html#maintenance"),
            "started_at": iso(line.begins_ns),
            "page_id": self._page_id,
            "incident_updates": [
                self._update(each, key, status) for each in newest_first(line.updates)
            ],
            "components": self._named(line.services),
            "scheduled_for": iso(line.begins_ns),
            "scheduled_until": iso(line.ends_ns),
        }

    def _update(self, line: UpdateLine, incident: str, status: str) -> Json:
        body = said(self._words, line)
        return {
            "id": f"{incident}-update-{line.number}",
            "status": status,
            "body": body,
            "incident_id": incident,
            "created_at": iso(line.at_ns),
            "updated_at": iso(line.at_ns),
            "display_at": iso(line.at_ns),
            "affected_components": None,
            "deliver_notifications": True,
            "custom_tweet": None,
            "tweet_id": None,
        }

    def _named(self, services: tuple[str, ...]) -> list[Json]:
        return [self._by_service[each] for each in services if each in self._by_service]


def newest_first(updates: tuple[UpdateLine, ...]) -> list[UpdateLine]:
    return sorted(updates, key=lambda each: (-each.at_ns, -each.number))


def changed_ns(line: IncidentLine) -> int:
    """Return when an incident was last changed or spoken of."""
    return max([line.opened_ns, line.resolved_ns, *(each.at_ns for each in line.updates)])


def ended_ns(line: IncidentLine) -> int:
    """Return when an incident ended; 0 while it goes on."""
    if line.phase != "resolved":
        return 0
    return line.resolved_ns or changed_ns(line)


def said(words: Words, line: UpdateLine) -> str:
    """Return all of an update as plain text."""
    return "\n\n".join(text.plain() for text in (words.update(line), words.written(line)) if text)
