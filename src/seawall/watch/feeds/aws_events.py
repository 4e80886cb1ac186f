"""AWS Health's public events.  The rule: 0 is over, 1 to 3 is trouble, any other code is a doubt.

The page is a flat array of JSON in UTF-16 with a byte order mark; an empty one is calm.
"""

import codecs
import re
from typing import Final

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import Doubt, Health
from seawall.watch.feeds.page import DoubtError, Draft, each, from_seconds, optional

URL: Final = "https://health.aws.amazon.com/public/currentevents"
PAGE: Final = "https://health.aws.amazon.com/health/status"
WORDS: Final = {
    "0": Health.OK,
    "1": Health.DEGRADED,
    "2": Health.DEGRADED,
    "3": Health.DOWN,
}
ZONE: Final = re.compile(r"\b[a-z]{3,4}\d-az\d\b")
REGION: Final = re.compile(r"\b[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d\b")


class Entry(Struct, frozen=True, kw_only=True):
    """One update of an event."""

    status: int
    timestamp: int | str
    summary: str = ""
    message: str = ""


class Event(Struct, frozen=True, kw_only=True):
    """One event, as far as it is read."""

    arn: str
    date: str | int
    service: str
    status: str | int
    summary: str
    event_log: list[Entry]
    end_time: str | int | None = None


def adapt(draft: Draft) -> None:
    events = each(draft, msgspec.json.decode(_utf8(draft), type=list[msgspec.Raw]), Event, "event")
    for event in events:
        with draft.record(event.arn):
            _add(draft, event)


def _utf8(draft: Draft) -> bytes:
    body = draft.answer.body
    if not body.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        raise DoubtError(Doubt.WRONG_ENCODING, "no UTF-16 byte order mark")
    return body.decode("utf-16").encode("utf-8")


def _add(draft: Draft, event: Event) -> None:
    word = str(event.status)
    health = draft.word(WORDS, word, f"the status of {event.arn}")
    for entry in event.event_log:
        draft.word(WORDS, str(entry.status), f"an update's status of {event.arn}")
    times = [from_seconds(entry.timestamp) for entry in event.event_log]
    began_ns = from_seconds(event.date)
    updated_ns = max([began_ns, *times])
    ended_ns = optional(from_seconds, event.end_time)
    last = event.event_log[times.index(max(times))] if event.event_log else None
    over_by_log = last is not None and last.status == 0
    if health is Health.OK and not over_by_log and ended_ns is None:
        draft.doubt(Doubt.CONTRADICTION, f"{event.arn} has status 0, and nothing says it ended")
        health = Health.UNKNOWN
    texts = " ".join([event.summary, *(f"{e.summary} {e.message}" for e in event.event_log)])
    draft.add(
        incident_id=event.arn or f"{event.service}/{event.date}",
        title=event.summary,
        health=health,
        word=word,
        services=(service(event.service),),
        regions=regions(event.arn, event.service),
        zones=tuple(sorted(set(ZONE.findall(texts)))),
        began_ns=began_ns,
        updated_ns=updated_ns,
        ended_ns=ended_ns,
        url=PAGE,
    )


def service(name: str) -> str:
    """Return `ec2` of `ec2-us-east-1`."""
    found = REGION.search(name)
    return name[: found.start()].rstrip("-") if found else name


def regions(*texts: str) -> tuple[str, ...]:
    """Return the regions that the texts name, the first text that names one deciding."""
    for text in texts:
        if found := REGION.findall(text):
            return tuple(dict.fromkeys(found))
    return ()
