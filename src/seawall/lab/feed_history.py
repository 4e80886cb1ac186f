"""Replays recorded histories of providers through the feeds.  The rule: labels come from the words.

What a page showed at a moment is made anew from the record, in its feed's form, and read by the
feed's own adapter.  Whether there was trouble then is told by the record's prose and its authors'
impact, not by the fields that the adapter reads.  Known outages are looked for by name.
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import TROUBLE, Health, Reading
from seawall.watch.feeds import aws_rss, statuspage
from seawall.watch.feeds.page import SECOND_NS, Adapter, Answer, Source, read

AFTER_S: Final = 7_200
BEFORE_S: Final = 60
LIMBO_S: Final = 86_400
"""So long nobody can say whether a record that never told its end still holds."""
PREFIXES: Final = {
    "0": "Informational message",
    "1": "Informational message",
    "2": "Service degradation",
    "3": "Service disruption",
}
_UPDATE: Final = re.compile(r"<div>(.*?)</div>", re.DOTALL)
_STAMP: Final = re.compile(
    r'yellowfg">\s*(?:([A-Z][a-z]{2})\s+(\d+),\s+)?(\d+):(\d+) (AM|PM) (PDT|PST)'
)
_TAGS: Final = re.compile(r"<[^>]*>")
_ENDED: Final = re.compile(
    r"resolved|operating normally|fully recovered|has recovered|have recovered|復旧|解決",
    re.IGNORECASE,
)


class Outage(Struct, frozen=True, kw_only=True):
    """One known outage that a history should show."""

    id: str
    history: str
    service: str
    """The key of AWS's feed, or empty."""
    began: datetime
    ended: datetime


class Update(Struct, frozen=True, kw_only=True):
    """One update of a record of AWS."""

    at_s: int
    text: str


class Look(Struct, frozen=True, kw_only=True):
    """What was labelled and what was read, at one moment."""

    trouble: bool
    told: Health


class Score(Struct, frozen=True, kw_only=True):
    """How the readings compare with the labels."""

    history: str
    records: int
    looks: int
    precision: float
    recall: float
    unknown: int
    """Looks at which the feed was not to be believed."""
    outages: tuple[str, ...]
    missed: tuple[str, ...]


def records(file: Path) -> list[dict[str, Any]]:
    """Return a recorded history."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def score(name: str, count: int, looks: Sequence[Look], found: dict[str, bool]) -> Score:
    hits = sum(look.trouble and look.told in TROUBLE for look in looks)
    told = sum(look.told in TROUBLE for look in looks)
    labelled = sum(look.trouble for look in looks)
    return Score(
        history=name,
        records=count,
        looks=len(looks),
        precision=round(hits / max(told, 1), 4),
        recall=round(hits / max(labelled, 1), 4),
        unknown=sum(look.told is Health.UNKNOWN for look in looks),
        outages=tuple(sorted(name for name, seen in found.items() if seen)),
        missed=tuple(sorted(name for name, seen in found.items() if not seen)),
    )


def score_aws(file: Path, outages: Sequence[Outage]) -> Score:
    """Replay each service's RSS, at each of its updates, just before and two hours after."""
    everything = records(file)
    by_service: dict[str, list[dict[str, Any]]] = {}
    for record in everything:
        by_service.setdefault(record["service"], []).append(record)
    looks: list[Look] = []
    for service, own in by_service.items():
        told = [(record, updates(record)) for record in own]
        moments = {at for _, each in told for at in _moments([update.at_s for update in each])}
        for at_s in sorted(moments):
            reading = aws_look(service, told, at_s)
            labels = {label(each, at_s) for _, each in told}
            if True in labels or None not in labels:
                looks.append(Look(trouble=True in labels, told=reading.health))
    found = {}
    for outage in outages:
        told = [(record, updates(record)) for record in by_service.get(outage.service, [])]
        found[outage.id] = any(
            aws_look(outage.service, told, at_s).health in TROUBLE for at_s in _within(outage)
        )
    return score(file.stem, len(everything), looks, found)


def updates(record: dict[str, Any]) -> list[Update]:
    """Return a record's updates with their times, which carry on from each other."""
    found: list[Update] = []
    last = datetime.fromtimestamp(int(record["date"]), UTC)
    for block in _UPDATE.findall(record["description"]):
        stamp = _STAMP.search(block)
        if stamp is not None:
            last = _at(stamp, last, first=not found)
            found.append(Update(at_s=int(last.timestamp()), text=_TAGS.sub(" ", block)))
    return found


def _at(stamp: re.Match[str], last: datetime, *, first: bool) -> datetime:
    month, day, hour, minute, half, zone = stamp.groups()
    local = last.astimezone(timezone(timedelta(hours=-7 if zone == "PDT" else -8)))
    at = local.replace(
        hour=int(hour) % 12 + (12 if half == "PM" else 0), minute=int(minute), second=0
    )
    if month is not None:
        number = datetime.strptime(month, "%b").month  # noqa: DTZ007 - only the month is taken
        return at.replace(month=number, day=int(day))
    if first:
        near = (at + timedelta(days=days) for days in (-1, 0, 1))
        return min(near, key=lambda each: abs(each - last))
    while at < last - timedelta(minutes=30):
        at += timedelta(days=1)
    return at


def label(told: Sequence[Update], at_s: int) -> bool | None:
    """Return whether a record tells of trouble at that time; None where it does not say.

    Only its last update can tell the end: one that is followed by another was too early.
    """
    if not told or at_s < told[0].at_s:
        return False
    if at_s < told[-1].at_s:
        return True
    unsaid = not _ENDED.search(told[-1].text) and at_s < told[-1].at_s + LIMBO_S
    return None if unsaid else False


def aws_look(
    service: str, told: Sequence[tuple[dict[str, Any], Sequence[Update]]], at_s: int
) -> Reading:
    """Return what the service's RSS said at that time."""
    items = []
    for record, all_updates in told:
        over = "[RESOLVED]" in record["summary"]
        summary = record["summary"].replace("[RESOLVED]", "").strip()
        for number, update in enumerate(all_updates):
            if update.at_s > at_s:
                continue
            title = f"{PREFIXES[str(record['status'])]}: {summary}"
            if over and number == len(all_updates) - 1:
                title = f"Service is operating normally: [RESOLVED] {summary}"
            items.append((update.at_s, title, update.text))
    body = "".join(_item(service, *item) for item in sorted(items, reverse=True)[:500])
    return _read(aws_rss.adapt, _channel(body), at_s)


def _item(service: str, at_s: int, title: str, text: str) -> str:
    when = format_datetime(datetime.fromtimestamp(at_s, UTC))
    return (
        f"<item><title>{escape(_clean(title))}</title><pubDate>{when}</pubDate>"
        f"<guid>https://status.aws.amazon.com/#{service}_{at_s}</guid>"
        f"<description>{escape(_clean(text))}</description></item>"
    )


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _channel(body: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>s</title>'
    return f"{head}{body}</channel></rss>".encode()


def score_statuspage(file: Path, outages: Sequence[Outage]) -> Score:
    """Replay each record alone in its page: before it, at each update, and after it was gone."""
    everything = records(file)
    looks = []
    for record in everything:
        times = [_iso(record["created_at"])]
        times += [_iso(update["created_at"]) for update in record["incident_updates"]]
        gone_s = max(record["_last_seen"], *times)
        for at_s in _moments(times, last_s=gone_s):
            there = times[0] <= at_s <= gone_s
            told = statuspage_look([record] if there else [], at_s).health
            looks.append(Look(trouble=there and record["impact"] != "none", told=told))
    found = {
        outage.id: any(
            statuspage_look(_listed(everything, at_s), at_s).health in TROUBLE
            for at_s in _within(outage)
        )
        for outage in outages
    }
    return score(file.stem, len(everything), looks, found)


def _listed(everything: Sequence[dict[str, Any]], at_s: int) -> list[dict[str, Any]]:
    return [
        record
        for record in everything
        if _iso(record["created_at"]) <= at_s <= record["_last_seen"]
    ]


def statuspage_look(listed: Sequence[dict[str, Any]], at_s: int) -> Reading:
    """Return what `incidents/unresolved.json` said at that time."""
    at = datetime.fromtimestamp(at_s, UTC).isoformat()
    document = {
        "page": {"id": "p", "updated_at": at},
        "incidents": [_as_of(record, at_s) for record in listed],
    }
    return _read(statuspage.adapt_incidents, json.dumps(document).encode(), at_s)


def _as_of(record: dict[str, Any], at_s: int) -> dict[str, Any]:
    so_far = [each for each in record["incident_updates"] if _iso(each["created_at"]) <= at_s]
    newest = max(so_far, key=lambda each: _iso(each["created_at"]), default=None)
    return record | {"status": newest["status"] if newest else "investigating"}


def _read(adapter: Adapter, body: bytes, at_s: int) -> Reading:
    answer = Answer(at_ns=at_s * SECOND_NS, body=body)
    return read(adapter, Source(feed="replay", party="replay"), answer)


def _moments(times: Sequence[int], last_s: int | None = None) -> Iterator[int]:
    """Yield when to look: before all, a minute after each update, two hours after the last."""
    yield min(times) - BEFORE_S
    for at_s in times:
        yield at_s + BEFORE_S
    yield max(last_s or 0, *times) + AFTER_S


def _within(outage: Outage) -> range:
    return range(int(outage.began.timestamp()), int(outage.ended.timestamp()), 600)


def _iso(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def score_folder(folder: Path) -> list[Score]:
    """Return the scores of every history in a folder, with the outages of its `outages.json`."""
    outages = msgspec.json.decode((folder / "outages.json").read_bytes(), type=list[Outage])
    found = []
    for file in sorted(folder.glob("*.jsonl.gz")):
        own = [outage for outage in outages if file.name.startswith(outage.history)]
        found.append((score_aws if file.name.startswith("aws") else score_statuspage)(file, own))
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the scores as JSON lines; 1 if a known outage was missed."""
    scores = score_folder(Path(arguments[0]))
    for each in scores:
        sys.stdout.write(msgspec.json.encode(each).decode() + "\n")
    return int(any(each.missed for each in scores))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
