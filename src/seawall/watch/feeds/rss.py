"""RSS and Atom.  The rule: a document that is not well-formed, whole and plain is no feed.

Entities and document types of a stranger are refused before any parser sees them.
"""

import calendar
import io
import re
import time
from typing import Any, Final

import feedparser
from msgspec import Struct

from seawall.model.watch_facts import Doubt
from seawall.watch.feeds.page import SECOND_NS, DoubtError, Draft

BYTES_MOST: Final = 4 << 20
ITEMS_MOST: Final = 1_000
_DECLARED: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_WHOLE: Final = (b"</rss>", b"</feed>", b"</rdf:rdf>")
_TAGS: Final = re.compile(r"<[^>]*>")


class Item(Struct, frozen=True, kw_only=True):
    """One entry."""

    id: str
    title: str
    text: str
    at_ns: int
    link: str
    tags: tuple[str, ...]


def items(draft: Draft) -> list[Item]:
    """Return the feed's items, newest first; note the page's own time."""
    body = draft.answer.body
    if len(body) > BYTES_MOST:
        raise DoubtError(Doubt.TOO_LARGE, f"{len(body):,} bytes")
    if _DECLARED.search(body):
        raise DoubtError(Doubt.MALFORMED, "it declares a document type or entities")
    if not body.rstrip().lower().endswith(_WHOLE):
        raise DoubtError(Doubt.MALFORMED, "the document does not end as a feed does")
    # A stream and not text: feedparser must take it for no address and no file.
    parsed: Any = feedparser.parse(
        io.BytesIO(body), resolve_relative_uris=False, sanitize_html=False
    )
    if parsed.bozo or not parsed.version:
        reason = parsed.get("bozo_exception", "no feed")
        kind = Doubt.WRONG_ENCODING if "CharacterEncoding" in type(reason).__name__ else None
        raise DoubtError(kind or Doubt.MALFORMED, str(reason))
    if len(parsed.entries) > ITEMS_MOST:
        raise DoubtError(Doubt.TOO_LARGE, f"{len(parsed.entries):,} items")
    channel = parsed.feed
    draft.told(_time(channel.get("updated_parsed") or channel.get("published_parsed")))
    found: list[Item] = []
    for number, entry in enumerate(parsed.entries):
        with draft.record(f"item {number + 1}"):
            found.append(_item(entry))
    return sorted(found, key=lambda item: item.at_ns, reverse=True)


def _item(entry: Any) -> Item:
    at_ns = _time(entry.get("published_parsed") or entry.get("updated_parsed"))
    if at_ns is None:
        raise DoubtError(Doubt.MALFORMED, "it has no time")
    title = str(entry.get("title", ""))
    if not title.strip():
        raise DoubtError(Doubt.MALFORMED, "it has no title")
    return Item(
        id=str(entry.get("id") or entry.get("link") or ""),
        title=title,
        text=_TAGS.sub(" ", str(entry.get("summary", ""))),
        at_ns=at_ns,
        link=str(entry.get("link", "")),
        tags=tuple(str(tag.get("term") or "") for tag in entry.get("tags", [])),
    )


def _time(parsed: time.struct_time | None) -> int | None:
    return None if parsed is None else calendar.timegm(parsed) * SECOND_NS
