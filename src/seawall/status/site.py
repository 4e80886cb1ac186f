"""The whole site from one document.  The rule: the same document and moment give the same bytes.

Nothing is read, fetched or kept here.  `site.json` lists every file with its hash, so that who
publishes knows what has changed, and who looks from outside knows whether a copy is whole.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct, structs

from seawall.model.status_document import IncidentLine, StatusDocument
from seawall.status import addresses, lines, statement, statuspage, syndication
from seawall.status.levels import (
    Level,
    age_s,
    bars,
    indicator,
    maintenance_status,
    open_incidents,
    parse_day,
    past_incidents,
)
from seawall.status.services import grouped
from seawall.status.text import Text, clean
from seawall.status.words import LANGUAGES, Words

MANIFEST: Final = "site.json"
DOCUMENT: Final = "document.json"
UPDATES_SHOWN: Final = 4
MILLISECOND_NS: Final = 1_000_000
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'"
)


class SiteSettings(Struct, frozen=True, kw_only=True):
    """What the site knows of itself."""

    name: str = ""
    """The exchange's, as customers know it; empty: as the document has it."""
    url: str = ""
    """Where readers find it; empty: links in feeds are relative."""
    stale_s: int = 120
    """Data older than this is out of date."""


class Manifest(Struct, frozen=True, kw_only=True, rename="camel"):
    """`site.json`."""

    exchange: str
    sequence: int
    at_ms: int
    made_ms: int
    """When the site was built."""
    facts: str
    """Hash of all that the document says, apart from its age."""
    files: dict[str, str]
    """SHA-256 by path."""


class Assets(Struct, frozen=True, kw_only=True):
    """Names of the files that pages need; each has its content's hash in it."""

    style: str
    script: str
    icon: str


def build(
    document: StatusDocument, now_ns: int, settings: SiteSettings | None = None
) -> dict[str, bytes]:
    """Return all files by path, the pages that lead to others last and `site.json` at the end."""
    told = settings or SiteSettings()
    document = named(document, told.name)
    stale = age_s(document, now_ns) > told.stale_s
    assets, found = _assets()
    if document.statement is not None:
        found |= statement.files(document.statement)
    pages = _Pages(document, now_ns, told, assets)
    for language in LANGUAGES:
        found |= pages.incidents(Words(language))
    found |= statuspage.files(document, told.url, stale=stale)
    found |= syndication.files(document, told.url)
    found[DOCUMENT] = msgspec.json.encode(document)
    for language in LANGUAGES:
        found |= pages.main(Words(language))
    manifest = Manifest(
        exchange=document.exchange,
        sequence=document.sequence,
        at_ms=document.at_ns // MILLISECOND_NS,
        made_ms=now_ns // MILLISECOND_NS,
        facts=facts_hash(document),
        files={path: hashlib.sha256(content).hexdigest() for path, content in found.items()},
    )
    return found | {MANIFEST: msgspec.json.encode(manifest)}


def named(document: StatusDocument, name: str) -> StatusDocument:
    """Return the document under the name that customers know."""
    return structs.replace(document, exchange=name) if name else document


def facts_hash(document: StatusDocument) -> str:
    """Return a hash that changes when something other than the document's age does."""
    timeless = structs.replace(
        document, sequence=0, at_ns=0, made_ns=0, node="", lease_until_ns=int(_leased(document))
    )
    return hashlib.sha256(msgspec.json.encode(timeless)).hexdigest()[:16]


def _leased(document: StatusDocument) -> bool:
    # The control cell's own time stands still when it does; the node's goes on.
    return document.lease_until_ns > max(document.at_ns, document.made_ns)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("seawall.status"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _read_assets() -> tuple[Assets, Mapping[str, bytes]]:
    folder = files("seawall.status").joinpath("assets")
    found: dict[str, bytes] = {}
    names = {}
    for part, stem, suffix in (
        ("style", "status", "css"), ("script", "status", "js"), ("icon", "icon", "svg"),
    ):  # fmt: skip
        content = folder.joinpath(f"{stem}.{suffix}").read_bytes()
        names[part] = f"assets/{stem}-{hashlib.sha256(content).hexdigest()[:10]}.{suffix}"
        found[names[part]] = content
    return Assets(**names), found


def _assets() -> tuple[Assets, dict[str, bytes]]:
    assets, found = _read_assets()
    return assets, dict(found)


class _Pages:
    """The HTML."""

    def __init__(
        self, document: StatusDocument, now_ns: int, settings: SiteSettings, assets: Assets
    ) -> None:
        self._document = document
        self._now_ns = now_ns
        self._settings = settings
        self._age_s = age_s(document, now_ns)
        self._stale = self._age_s > settings.stale_s
        self._common: dict[str, Any] = {
            "document": document,
            "exchange": clean(document.exchange),
            "node": clean(document.node),
            "runbook": clean(document.runbook),
            "assets": assets,
            "policy": POLICY,
            "stale": self._stale,
            "stale_s": settings.stale_s,
            "age_s": self._age_s,
            "at_ms": document.at_ns // MILLISECOND_NS,
            "facts_hash": facts_hash(document),
        }

    def main(self, w: Words) -> dict[str, bytes]:
        """Return history and the first page; the first page last, for it leads to all others."""
        return {
            addresses.page(addresses.HISTORY, w.language): self._history(w),
            addresses.page(addresses.INDEX, w.language): self._index(w),
        }

    def incidents(self, w: Words) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for line in self._document.incidents:
            path = addresses.incident(line.number, w.language)
            if path not in found:
                found[path] = self._incident(w, line, path)
        return found

    def _page(
        self, w: Words, template: str, path: str, title: str, *, dated: bool = True, **more: Any
    ) -> bytes:
        here = path.removeprefix(addresses.ROOTS[w.language])
        other = Words("ar" if w.language == "en" else "en")
        text = (
            _environment()
            .get_template(template)
            .render(
                self._common,
                w=w,
                other=other,
                here=here,
                title=title,
                dated=dated,
                link=lambda target: addresses.relative(target, path),
                page=lambda name: addresses.page(name, w.language),
                other_link=addresses.relative(addresses.page(here, other.language), path),
                **more,
            )
        )
        return text.encode("utf-8", "replace")

    def _index(self, w: Words) -> bytes:
        document = self._document
        headline = indicator(document).value
        if self._stale or not document.services:
            headline = "unknown"
        return self._page(
            w,
            "index.html.j2",
            addresses.page(addresses.INDEX, w.language),
            self._title(w),
            headline=headline,
            incidents=[lines.incident(w, each, self._now_ns) for each in open_incidents(document)],
            updates_shown=UPDATES_SHOWN,
            groups=lines.groups(w, document),
            queues=[lines.queue(w, each, self._now_ns) for each in document.queues],
            lease=self._lease(w),
            plans=[lines.plan(w, each, document) for each in document.plans],
            maintenances=[
                lines.maintenance(w, each, document.at_ns)
                for each in document.maintenances
                if maintenance_status(each, document.at_ns) != "completed"
            ],
            candles=[
                {
                    "told": lines.candle(w, each.market, each.from_ns, each.until_ns),
                    "reason": clean(each.reason),
                }
                for each in document.candles
            ],
            statement=self._statement(),
        )

    def _history(self, w: Words) -> bytes:
        document = self._document
        from_day = parse_day(document.history_from)
        return self._page(
            w,
            "history.html.j2",
            addresses.page(addresses.HISTORY, w.language),
            f"{w.book.phrases['history']} · {self._title(w)}",
            open=[lines.incident(w, each, self._now_ns) for each in open_incidents(document)],
            past=[lines.incident(w, each, self._now_ns) for each in past_incidents(document)],
            days=self._days(w),
            from_day=None if from_day is None else w.day(from_day),
        )

    def _incident(self, w: Words, line: IncidentLine, path: str) -> bytes:
        shown = lines.incident(w, line, self._now_ns)
        return self._page(
            w,
            "incident.html.j2",
            path,
            f"{shown.title.plain()} · {self._title(w)}",
            # What is over stays as it is: no age, and nothing to upload again.
            dated=not shown.ended_ns,
            line=shown,
        )

    def _title(self, w: Words) -> str:
        return w("site_title", exchange=self._document.exchange).plain()

    def _days(self, w: Words) -> list[dict[str, Any]]:
        known = {each.number for each in self._document.incidents}
        found = []
        for _, services in grouped(self._document.services):
            for service in services:
                days = [
                    {
                        "told": lines.day_told(w, bar),
                        "day": w.day(bar.day).text,
                        "incidents": [
                            {"number": n, "path": addresses.incident(n, w.language)}
                            for n in dict.fromkeys(bar.incidents)
                            if n in known
                        ],
                    }
                    for bar in reversed(bars(self._document, service.service))
                    if bar.level not in {None, Level.OPERATIONAL}
                ]
                if days:
                    found.append({"name": w.service(service.service), "days": days})
        return found

    def _lease(self, w: Words) -> Text:
        document = self._document
        if not document.lease_until_ns:
            return w("lease_none")
        key = "lease_told" if _leased(document) else "lease_over"
        return w(key, time=w.time(document.lease_until_ns))

    def _statement(self) -> dict[str, Any] | None:
        line = self._document.statement
        if line is None:
            return None
        return {
            "at_ns": line.at_ns,
            "right": statement.is_right(line),
            "public_key": clean(line.public_key),
            "files": list(statement.files(line)),
            "command": statement.COMMAND,
            "text": clean(line.statement),
        }
