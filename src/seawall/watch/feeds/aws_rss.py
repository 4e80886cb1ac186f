"""AWS's RSS.  The rule: its items are updates without an incident's name, so they are joined here.

All updates of one service and region are one incident, until one says that it is resolved or a
day passes without any.  What was left so for more than a day is unknown: nobody said it ended.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from seawall.model.watch_facts import Doubt, Health
from seawall.watch.feeds import rss
from seawall.watch.feeds.aws_events import PAGE, ZONE, regions, service
from seawall.watch.feeds.page import SECOND_NS, Draft

URL: Final = "https://status.aws.amazon.com/rss/all.rss"
GAP_NS: Final = 86_400 * SECOND_NS
# Longest first where one begins like another.
PREFIXES: Final = {
    "service is operating normally": Health.OK,
    "[resolved]": Health.OK,
    "informational message": Health.DEGRADED,
    "service degradation": Health.DEGRADED,
    "service impact": Health.DEGRADED,
    "performance issues": Health.DEGRADED,
    "service disruption": Health.DOWN,
}


def adapt(draft: Draft) -> None:
    by_key: dict[str, list[rss.Item]] = {}
    for item in reversed(rss.items(draft)):
        key = item.id.rpartition("#")[2].rpartition("_")[0]
        if not key:
            draft.doubt(Doubt.MALFORMED, f"no service in {item.id!r}")
            continue
        by_key.setdefault(key, []).append(item)
    for key, items in by_key.items():
        for incident in _incidents(items):
            _add(draft, key, incident)


def meaning(title: str) -> Health | None:
    """Return what an update's first words mean; None of words not known."""
    plain = title.strip().lower()
    if "[resolved]" in plain:
        return Health.OK
    return next((health for words, health in PREFIXES.items() if plain.startswith(words)), None)


def _incidents(items: list[rss.Item]) -> Iterator[list[rss.Item]]:
    """Cut one service's updates, oldest first, into incidents."""
    start = 0
    for number, (earlier, later) in enumerate(pairwise(items), start=1):
        if meaning(earlier.title) is Health.OK or later.at_ns - earlier.at_ns > GAP_NS:
            yield items[start:number]
            start = number
    yield items[start:]


def _add(draft: Draft, key: str, updates: list[rss.Item]) -> None:
    first, last = updates[0], updates[-1]
    health = meaning(last.title)
    if health is None:
        draft.doubt(Doubt.UNKNOWN_WORD, f"an update of {key}: {last.title!r}")
        health = Health.UNKNOWN
    elif health is not Health.OK and draft.answer.at_ns - last.at_ns > GAP_NS:
        draft.doubt(Doubt.STALE, f"{key}: the last word is over a day old, and not that it ended")
        health = Health.UNKNOWN
    draft.add(
        incident_id=f"{key}_{first.at_ns // SECOND_NS}",
        title=last.title,
        health=health,
        word=last.title.partition(":")[0],
        services=(service(key),),
        regions=regions(key),
        zones=tuple(sorted({zone for each in updates for zone in ZONE.findall(each.text)})),
        began_ns=first.at_ns,
        updated_ns=last.at_ns,
        ended_ns=last.at_ns if health is Health.OK else None,
        url=PAGE,
    )
