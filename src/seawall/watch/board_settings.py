"""What the ecosystem board looks at.  The rule: every name it uses is defined, and once.

A party is whoever may be in trouble.  What it runs on is what its owners or reporters have said,
written as `party` or `party/region`; common causes are looked for there and nowhere else.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from seawall.model.topology import Topology
from seawall.watch.feeds.feed import FeedSettings
from seawall.watch.feeds.kinds import KINDS
from seawall.watch.venues import VenueSettings

EVERY_LEAST_S: Final = 5
EVERY_MOST_S: Final = 86_400
Path = tuple[str | int, ...]


class Group(StrEnum):
    """What a party is."""

    CLOUD = "cloud"
    NETWORK = "network"
    EXCHANGE = "exchange"
    WALLET = "wallet"
    ANALYTICS = "analytics"


class PartySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party."""

    name: str
    group: Group
    runs_on: tuple[str, ...] = ()


class ProviderFeeds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which feeds speak of one provider of the topology."""

    name: str
    feeds: tuple[str, ...]


class BoardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole table."""

    party: tuple[PartySettings, ...]
    feed: tuple[FeedSettings, ...] = ()
    venue: tuple[VenueSettings, ...] = ()
    provider: tuple[ProviderFeeds, ...] = ()
    topology: str = ""
    """The topology's file, relative to this one; its providers need feeds."""
    keep: str = ""
    """The folder of raw answers, relative to this file; empty: none are kept."""


class BoardError(ValueError):
    """The table cannot be meant; `path` is where."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(what)
        self.path = path


def host_of(text: str) -> tuple[str, str]:
    """Return party and region of `AWS/us-east-1`; the region may be empty."""
    party, _, region = text.partition("/")
    return party, region


def check(settings: BoardSettings, topology: Topology | None = None) -> None:
    """Raise BoardError for the first thing that does not fit."""
    for what in ("party", "feed", "venue", "provider"):
        _once(what, (row.name for row in getattr(settings, what)))
    parties = {party.name for party in settings.party}
    for number, party in enumerate(settings.party):
        if "/" in party.name:
            raise BoardError(("party", number, "name"), "a party's name has no slash")
        for host in party.runs_on:
            name, _ = host_of(host)
            if name not in parties:
                raise BoardError(("party", number, "runs_on"), f"there is no party {name}")
            if name == party.name:
                raise BoardError(("party", number, "runs_on"), f"{name} runs on itself")
    if not settings.feed and not settings.venue:
        raise BoardError((), "there is neither a [[feed]] nor a [[venue]]")
    for number, feed in enumerate(settings.feed):
        _check_feed(("feed", number), feed, parties)
    names = {feed.name for feed in settings.feed}
    for number, venue in enumerate(settings.venue):
        _check_pace(("venue", number), venue.every_s)
        if venue.name in names or "/" in venue.name:
            raise BoardError(
                ("venue", number, "name"), f"{venue.name} is a feed's name, or has a slash"
            )
        if venue.party not in parties:
            raise BoardError(("venue", number, "party"), f"there is no party {venue.party}")
        if venue.url:
            _check_url(("venue", number, "url"), venue.url)
    _check_providers(settings, names, topology)


def _check_feed(path: Path, feed: FeedSettings, parties: set[str]) -> None:
    kind = KINDS.get(feed.kind)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise BoardError((*path, "kind"), f"there is no kind {feed.kind!r}; kinds are {known}")
    if not feed.url and not kind.url:
        raise BoardError(path, f"a {feed.kind} feed needs its url, such as https://status.example")
    if feed.url:
        _check_url((*path, "url"), feed.url)
    party = feed.party or kind.party
    if party not in parties:
        what = f"there is no party {party!r}" if party else f"a {feed.kind} feed needs its party"
        raise BoardError((*path, "party") if feed.party else path, what)
    if kind.signed and not (feed.key_file and feed.regions):
        raise BoardError(path, f"a {feed.kind} feed needs a key_file and its regions")
    if not kind.signed and feed.key_file:
        raise BoardError((*path, "key_file"), f"a {feed.kind} feed is public: it needs no key")
    if feed.every_s:
        _check_pace(path, feed.every_s)
    if feed.unchanged_s < 0:
        raise BoardError((*path, "unchanged_s"), "unchanged_s starts at 0, which is as usual")


def _check_pace(path: Path, every_s: int) -> None:
    if not EVERY_LEAST_S <= every_s <= EVERY_MOST_S:
        raise BoardError(
            (*path, "every_s"), f"every_s lies between {EVERY_LEAST_S} and {EVERY_MOST_S:,}"
        )


def _check_url(path: Path, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BoardError(path, "its url is no http or https address")


def _check_providers(settings: BoardSettings, feeds: set[str], topology: Topology | None) -> None:
    for number, row in enumerate(settings.provider):
        if not row.feeds:
            raise BoardError(("provider", number, "feeds"), f"{row.name} has no feeds")
        for name in row.feeds:
            if name not in feeds:
                raise BoardError(("provider", number, "feeds"), f"there is no feed {name}")
        if topology is not None and row.name not in {each.name for each in topology.provider}:
            raise BoardError(
                ("provider", number, "name"), f"the topology has no provider {row.name}"
            )
    if topology is not None:
        mapped = {row.name for row in settings.provider}
        for provider in topology.provider:
            if provider.name not in mapped:
                raise BoardError(
                    ("topology",),
                    f"the topology's provider {provider.name} has no feeds; add a [[provider]]",
                )


def _once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if not name or name in seen:
            raise BoardError((what, number, "name"), f"each [[{what}]] needs a name of its own")
        seen.add(name)
