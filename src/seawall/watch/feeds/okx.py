"""OKX's system status.  The rule: its list holds what is planned and what goes on, word by word."""

from typing import Final

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import Doubt, Health
from seawall.watch.feeds.page import DoubtError, Draft, each, from_milliseconds, json, optional

URL: Final = "https://www.okx.com/api/v5/system/status"
STATES: Final = {
    "scheduled": Health.MAINTENANCE,
    "ongoing": Health.MAINTENANCE,
    # Cancels, post-only orders and transfers in; nothing trades.
    "pre_open": Health.MAINTENANCE,
    "completed": Health.OK,
    "canceled": Health.OK,
}
TYPES: Final = {
    "": Health.MAINTENANCE,
    "1": Health.MAINTENANCE,
    "2": Health.DOWN,  # not planned
    "3": Health.DOWN,  # a disruption
}
SERVICES: Final = {
    "0": "websocket",
    "5": "trading",
    "6": "block trading",
    "7": "trading bots",
    "8": "trading of some accounts",
    "9": "trading of some products",
    "10": "spread trading",
    "11": "copy trading",
    "99": "others",
}
DEMO: Final = "2"


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """One event."""

    title: str
    state: str
    begin: str
    end: str = ""
    service_type: str = ""
    maint_type: str = ""
    env: str = ""
    href: str = ""
    system: str = ""


class Document(Struct, frozen=True, kw_only=True):
    """The answer."""

    code: str
    data: list[msgspec.Raw]
    msg: str = ""


def adapt(draft: Draft) -> None:
    document = json(draft, Document)
    if document.code != "0":
        raise DoubtError(Doubt.REFUSED, f"{document.code}: {document.msg}")
    for event in each(draft, document.data, Event, "event"):
        if event.env != DEMO:
            with draft.record(event.title):
                _add(draft, event)


def _add(draft: Draft, event: Event) -> None:
    health = draft.word(STATES, event.state, f"the state of {event.title!r}")
    kind = draft.word(TYPES, event.maint_type, f"the kind of {event.title!r}")
    if event.state == "ongoing":
        health = kind
    end_ns = optional(from_milliseconds, event.end)
    draft.add(
        incident_id=f"{event.begin}/{event.service_type}/{event.system}",
        title=event.title,
        health=health,
        word=event.state,
        services=(SERVICES.get(event.service_type, f"service type {event.service_type}"),),
        began_ns=optional(from_milliseconds, event.begin),
        # A planned end is no end.
        ended_ns=end_ns if health is Health.OK else None,
        url=event.href,
    )
