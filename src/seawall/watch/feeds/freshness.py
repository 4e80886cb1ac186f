"""Whether an answer is today's.  The rule: a page of yesterday says nothing about now.

Three witnesses: the time of sending (`Date`, less what a cache admits with `Age`), the time that
the page gives for itself, and the looks before: a page never becomes older than it was.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from seawall.watch.feeds.page import SECOND_NS, from_http

SENT_S: Final = 600
"""How far the answer's time may lie from ours, either way: caches and clocks."""
BACK_S: Final = 120
"""How far behind an earlier look; servers behind one name differ a little."""


class Seen(Struct, frozen=True, kw_only=True):
    """The newest times that a feed has shown so far."""

    sent_ns: int = 0
    told_ns: int = 0
    modified_ns: int = 0


class Terms(Struct, frozen=True, kw_only=True):
    """How old an unchanged page may be; none: as old as it likes, for an archive is quiet."""

    unchanged_s: int | None = None


def judge(
    headers: Mapping[str, str], told_ns: int | None, at_ns: int, seen: Seen, terms: Terms
) -> tuple[str, Seen]:
    """Return what is wrong, or an empty text, and what has been seen by now."""
    sent_ns = from_http(headers.get("date", ""))
    if sent_ns is None:
        return "it has no Date", seen
    age = headers.get("age", "0").strip()
    if not age.isascii() or not age.isdigit() or len(age) > 9:
        return f"its Age is {age[:20]!r}", seen
    current_ns = sent_ns - (int(age) * SECOND_NS)
    if at_ns - current_ns > SENT_S * SECOND_NS:
        return f"it is {_span(at_ns - current_ns)} old", seen
    if sent_ns - at_ns > SENT_S * SECOND_NS:
        return f"it was sent {_span(sent_ns - at_ns)} from now", seen
    modified = headers.get("last-modified")
    modified_ns = None if modified is None else from_http(modified)
    if modified is not None and modified_ns is None:
        return f"its Last-Modified is {modified[:40]!r}", seen
    for what, time_ns in (("it gives its time as", told_ns), ("it was changed", modified_ns)):
        if time_ns is None:
            continue
        if time_ns - at_ns > SENT_S * SECOND_NS:
            return f"{what} {_span(time_ns - at_ns)} from now", seen
        if terms.unchanged_s is not None and at_ns - time_ns > terms.unchanged_s * SECOND_NS:
            return f"{what} {_span(at_ns - time_ns)} ago", seen
    now = Seen(sent_ns=sent_ns, told_ns=told_ns or 0, modified_ns=modified_ns or 0)
    for name in ("sent_ns", "told_ns", "modified_ns"):
        new, old = getattr(now, name), getattr(seen, name)
        if new and old - new > BACK_S * SECOND_NS:
            return f"it is {_span(old - new)} older than an earlier look", seen
    newest = Seen(
        sent_ns=max(seen.sent_ns, now.sent_ns),
        told_ns=max(seen.told_ns, now.told_ns),
        modified_ns=max(seen.modified_ns, now.modified_ns),
    )
    return "", newest


def _span(length_ns: int) -> str:
    seconds = length_ns // SECOND_NS
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
