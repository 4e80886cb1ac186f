"""Kraken's system status.  The rule: anything but online is not well."""

from typing import Final

from msgspec import Struct

from seawall.model.watch_facts import Doubt, Health
from seawall.watch.feeds.page import DoubtError, Draft, from_iso, json

URL: Final = "https://api.kraken.com/0/public/SystemStatus"
WORDS: Final = {
    "online": Health.OK,
    "cancel_only": Health.DEGRADED,
    "post_only": Health.DEGRADED,
    "limit_only": Health.DEGRADED,
    "maintenance": Health.MAINTENANCE,
}


class Result(Struct, frozen=True, kw_only=True):
    """The status."""

    status: str
    timestamp: str


class Document(Struct, frozen=True, kw_only=True):
    """The answer."""

    error: list[str]
    result: Result | None = None


def adapt(draft: Draft) -> None:
    document = json(draft, Document)
    if document.error or document.result is None:
        raise DoubtError(Doubt.REFUSED, ", ".join(document.error) or "no result")
    told_ns = from_iso(document.result.timestamp)
    draft.told(told_ns)
    word = document.result.status
    health = draft.word(WORDS, word, "the system's status")
    if health is not Health.OK:
        draft.add(
            incident_id="system",
            title=f"the exchange is {word}",
            health=health,
            word=word,
            updated_ns=told_ns,
        )
