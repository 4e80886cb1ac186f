"""Atom and RSS.  The rule: an id, once published, belongs to the same thing for ever.

`history.atom` has an entry for each incident, changed with every update; `history.rss` an item for
each update, for readers that show only what is new.
"""

import hashlib
from datetime import UTC
from email.utils import format_datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from seawall.model.status_document import IncidentLine, StatusDocument, UpdateLine
from seawall.status import addresses
from seawall.status.levels import open_incidents, past_incidents
from seawall.status.moments import iso, moment
from seawall.status.statuspage import changed_ns, newest_first, said
from seawall.status.text import clean
from seawall.status.words import Words

ATOM: Final = "http://www.w3.org/2005/Atom"
ENTRIES_MOST: Final = 50
ITEMS_MOST: Final = 100


def files(document: StatusDocument, url: str) -> dict[str, bytes]:
    """Return both feeds, in English; each entry's words of people are in their own language."""
    words = Words("en")
    incidents = [*open_incidents(document), *past_incidents(document)]
    incidents.sort(key=lambda each: (-changed_ns(each), -each.number))
    return {
        "history.atom": _atom(document, incidents[:ENTRIES_MOST], words, url),
        "history.rss": _rss(document, incidents, words, url),
    }


def feed_id(document: StatusDocument, *parts: object) -> str:
    """Return a URI that stays the same wherever the site moves."""
    whose = hashlib.sha256(document.exchange.encode("utf-8", "replace")).hexdigest()[:16]
    return ":".join(("urn:seawall:status", whose, *(str(part) for part in parts)))


def _atom(document: StatusDocument, incidents: list[IncidentLine], words: Words, url: str) -> bytes:
    feed = Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _add(feed, "id", feed_id(document))
    _add(feed, "title", words("site_title", exchange=document.exchange).plain())
    # Not the document's own moment, so that a feed without news stays as it is.
    updated_ns = max([changed_ns(each) for each in incidents], default=0)
    _add(feed, "updated", iso(updated_ns))
    SubElement(
        feed, "link", {"rel": "self", "href": addresses.whole(url, "history.atom"),
                       "type": "application/atom+xml"},
    )  # fmt: skip
    SubElement(feed, "link", {"rel": "alternate", "href": addresses.whole(url, addresses.INDEX)})
    _add(SubElement(feed, "author"), "name", document.exchange)
    for line in incidents:
        entry = SubElement(feed, "entry")
        _add(entry, "id", feed_id(document, "incident", line.number))
        _add(entry, "title", words.title(line).plain())
        _add(entry, "published", iso(line.opened_ns))
        _add(entry, "updated", iso(changed_ns(line)))
        link = addresses.whole(url, addresses.incident(line.number))
        SubElement(entry, "link", {"rel": "alternate", "href": link, "type": "text/html"})
        SubElement(entry, "category", {"term": line.severity.value})
        text = "\n\n".join(_told(words, each) for each in newest_first(line.updates))
        content = SubElement(entry, "content", {"type": "text"})
        content.text = clean(text)
    return bytes(tostring(feed, encoding="utf-8", xml_declaration=True))


def _rss(document: StatusDocument, incidents: list[IncidentLine], words: Words, url: str) -> bytes:
    rss = Element("rss", {"version": "2.0"})
    channel = SubElement(rss, "channel")
    title = words("site_title", exchange=document.exchange).plain()
    _add(channel, "title", title)
    _add(channel, "link", addresses.whole(url, addresses.INDEX))
    _add(channel, "description", title)
    _add(channel, "language", "en")
    said_of = [(line, each) for line in incidents for each in line.updates]
    said_of.sort(key=lambda pair: (-pair[1].at_ns, -pair[0].number, -pair[1].number))
    for line, update in said_of[:ITEMS_MOST]:
        item = SubElement(channel, "item")
        _add(item, "title", words.title(line).plain())
        _add(item, "link", addresses.whole(url, addresses.incident(line.number)))
        _add(item, "description", _told(words, update))
        _add(item, "pubDate", format_datetime(moment(update.at_ns).astimezone(UTC)))
        guid = SubElement(item, "guid", {"isPermaLink": "false"})
        guid.text = feed_id(document, "incident", line.number, "update", update.number)
    return bytes(tostring(rss, encoding="utf-8", xml_declaration=True))


def _told(words: Words, line: UpdateLine) -> str:
    phase = words.book.phases[line.phase]
    return f"{words.plain_time(line.at_ns)} · {phase}\n{said(words, line)}"


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = clean(text)
