"""The ecosystem board: who is in trouble together, since when, and why perhaps.

The rule: a cause is named only by a stated rule, with its confidence in words; what is unknown
counts neither as trouble nor as calm.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct, structs

from seawall.model.watch_facts import (
    TROUBLE,
    Doubt,
    Fact,
    Health,
    Reading,
    Uncertain,
    gravest,
)
from seawall.watch.board_settings import BoardSettings, Group, PartySettings, host_of

MINUTE_NS: Final = 60_000_000_000
NEAR_NS: Final = 60 * MINUTE_NS
"""Troubles that begin within this of each other may be one."""
LATE_NS: Final = 60 * MINUTE_NS
"""How much later than its customers a provider may tell of its trouble."""
AFTER_NS: Final = 6 * 60 * MINUTE_NS
"""How long after its provider's trouble a party's may begin, and still be due to it."""
SUSPECTED_LEAST: Final = 3
"""Two that fall ill within an hour are often chance."""
SEEN_MOST: Final = 10_000


class Confidence(StrEnum):
    """How sure a cause is; the words say which rule named it."""

    LIKELY = "likely"
    """The provider tells of trouble there, and two or more who run on it are in trouble since."""
    POSSIBLE = "possible"
    """The provider tells of trouble there, and one who runs on it is in trouble since."""
    SUSPECTED = "suspected"
    """The provider tells nothing, but three or more, and most, of those that run on it fell
    ill within an hour."""
    NONE = "none"
    """They fell ill within an hour of each other, and nothing that they run on explains it."""


class Party(Struct, frozen=True, kw_only=True):
    """One party now."""

    name: str
    group: Group
    health: Health
    since_ns: int | None = None
    """When its present trouble began, as told or as first seen."""
    facts: tuple[Fact, ...] = ()
    """What lasts now, the gravest first."""
    doubts: tuple[Uncertain, ...] = ()
    runs_on: tuple[str, ...] = ()


class Together(Struct, frozen=True, kw_only=True):
    """Parties in trouble together."""

    parties: tuple[str, ...]
    since_ns: int
    confidence: Confidence
    cause: str = ""
    """`party` or `party/region`."""
    title: str = ""
    """What the cause says of itself."""


class ProviderHealth(Struct, frozen=True, kw_only=True):
    """One provider of the own topology, as its feeds tell."""

    name: str
    health: Health
    feeds: tuple[str, ...]


class Board(Struct, frozen=True, kw_only=True):
    """All of it, at one time."""

    at_ns: int
    parties: tuple[Party, ...]
    together: tuple[Together, ...]
    providers: tuple[ProviderHealth, ...] = ()

    @property
    def health(self) -> Health:
        return gravest([party.health for party in self.parties])


class Onsets:
    """When each trouble began: as its feed tells, else when it was first seen here."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def of(self, fact: Fact, at_ns: int) -> int:
        if fact.began_ns is not None:
            return min(fact.began_ns, at_ns)
        return self._seen.get((fact.feed, fact.incident_id), at_ns)

    def note(self, facts: Iterable[Fact], at_ns: int) -> None:
        """Remember what is seen now; what is not seen is forgotten."""
        now = [(fact.feed, fact.incident_id) for fact in facts if fact.began_ns is None]
        self._seen = {key: self._seen.get(key, at_ns) for key in now[:SEEN_MOST]}


class _Ill(Struct, frozen=True, kw_only=True):
    """One party in trouble, with the beginning of each of its troubles."""

    settings: PartySettings
    onsets: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.settings.name


class _Cause(Struct, frozen=True, kw_only=True):
    host: str
    confidence: Confidence
    ill: tuple[_Ill, ...]
    share: float
    since_ns: int
    title: str = ""


def assess(
    settings: BoardSettings,
    readings: Sequence[Reading],
    at_ns: int,
    onsets: Onsets | None = None,
) -> Board:
    """Return the board."""
    onsets = onsets or Onsets()
    lasting = [fact for reading in readings for fact in reading.facts if fact.lasts(at_ns)]
    onsets.note((fact for fact in lasting if fact.health in TROUBLE), at_ns)
    by_party: dict[str, list[Reading]] = {}
    for reading in readings:
        by_party.setdefault(reading.party, []).append(reading)
    parties = {
        party.name: _party(party, by_party.get(party.name, []), at_ns, onsets)
        for party in settings.party
    }
    ill = {
        party.name: _Ill(settings=party, onsets=tuple(_begins(parties[party.name], onsets, at_ns)))
        for party in settings.party
        if parties[party.name].health in TROUBLE
    }
    by_feed = {reading.feed: reading.health for reading in readings}
    return Board(
        at_ns=at_ns,
        parties=tuple(parties.values()),
        together=tuple(_together(settings, parties, ill, onsets, at_ns)),
        providers=tuple(
            ProviderHealth(
                name=row.name,
                feeds=row.feeds,
                health=gravest([by_feed.get(name, Health.UNKNOWN) for name in row.feeds]),
            )
            for row in settings.provider
        ),
    )


def _party(
    settings: PartySettings, readings: Sequence[Reading], at_ns: int, onsets: Onsets
) -> Party:
    # What only customers are told leaves a gap, not a doubt about the rest.
    told = [
        reading
        for reading in readings
        if reading.facts or {each.doubt for each in reading.doubts} != {Doubt.NOT_PUBLIC}
    ]
    facts = [fact for reading in readings for fact in reading.facts if fact.lasts(at_ns)]
    facts.sort(key=lambda fact: (gravest([fact.health]) not in TROUBLE, onsets.of(fact, at_ns)))
    begins = [onsets.of(fact, at_ns) for fact in facts if fact.health in TROUBLE]
    return Party(
        name=settings.name,
        group=settings.group,
        health=gravest([reading.health for reading in told]),
        since_ns=min(begins, default=None),
        facts=tuple(_once(facts)),
        doubts=tuple(each for reading in readings for each in reading.doubts),
        runs_on=settings.runs_on,
    )


def _once(facts: Sequence[Fact]) -> Iterable[Fact]:
    """Leave out what only names a service that an incident of the same feed speaks of."""
    for fact in facts:
        if fact.services != (fact.title,) or not any(
            other.feed == fact.feed and other.title != fact.title and fact.title in other.services
            for other in facts
        ):
            yield fact


def _begins(party: Party, onsets: Onsets, at_ns: int) -> list[int]:
    return sorted(onsets.of(fact, at_ns) for fact in party.facts if fact.health in TROUBLE)


def _together(
    settings: BoardSettings,
    parties: Mapping[str, Party],
    ill: Mapping[str, _Ill],
    onsets: Onsets,
    at_ns: int,
) -> list[Together]:
    left = dict(ill)
    found: list[Together] = []
    while causes := _causes(settings, parties, left, onsets, at_ns):
        best = max(causes, key=_rank)
        host, _ = host_of(best.host)
        names = [each.name for each in best.ill]
        # Whoever tells of no trouble there may still be in trouble elsewhere.
        tells = best.confidence is not Confidence.SUSPECTED and host in left
        found.append(
            Together(
                parties=tuple(dict.fromkeys([*([host] if tells else []), *names])),
                since_ns=best.since_ns,
                confidence=best.confidence,
                cause=best.host,
                title=best.title,
            )
        )
        for name in ([host] if tells else []) + names:
            left.pop(name, None)
    return found + list(_unexplained(left.values()))


def _rank(cause: _Cause) -> tuple[int, int, float, int, int]:
    """Order causes: the surer, then who explains more, then the narrower, then the earlier."""
    sure = (Confidence.SUSPECTED, Confidence.POSSIBLE, Confidence.LIKELY).index(cause.confidence)
    return (sure, len(cause.ill), cause.share, "/" in cause.host, -cause.since_ns)


def _causes(
    settings: BoardSettings,
    parties: Mapping[str, Party],
    ill: Mapping[str, _Ill],
    onsets: Onsets,
    at_ns: int,
) -> list[_Cause]:
    hosts = dict.fromkeys(host for each in ill.values() for host in each.settings.runs_on)
    found = []
    for host in hosts:
        everyone = [party for party in settings.party if _runs_on(party, host)]
        there = [ill[party.name] for party in everyone if party.name in ill]
        visible = [party for party in everyone if parties[party.name].health is not Health.UNKNOWN]
        admitted = _admitted(parties, host, onsets, at_ns)
        cause = None
        if admitted:
            cause = _of_admitted(host, there, admitted)
        else:
            cause = _of_coincidence(host, there, len(visible))
        if cause is not None:
            share = len(cause.ill) / max(len(visible), 1)
            found.append(structs.replace(cause, share=share))
    return found


def _runs_on(party: PartySettings, host: str) -> bool:
    """Whether a party runs there; one of a region runs on the whole provider, too."""
    name, region = host_of(host)
    return any(host_of(each)[0] == name and region in {"", host_of(each)[1]}
               for each in party.runs_on)  # fmt: skip


def _admitted(
    parties: Mapping[str, Party], host: str, onsets: Onsets, at_ns: int
) -> list[tuple[int, str]]:
    """Return beginning and title of what the host itself tells of that region."""
    name, region = host_of(host)
    return [
        (onsets.of(fact, at_ns), fact.title)
        for fact in parties[name].facts
        if fact.health in TROUBLE and (not region or not fact.regions or region in fact.regions)
    ]


def _of_admitted(
    host: str, there: Sequence[_Ill], admitted: Sequence[tuple[int, str]]
) -> _Cause | None:
    """Return the cause for the admitted trouble that explains most."""
    best: _Cause | None = None
    for began_ns, title in sorted(admitted):
        due = tuple(
            each
            for each in there
            if any(began_ns - LATE_NS <= at <= began_ns + AFTER_NS for at in each.onsets)
        )
        if due and (best is None or len(due) > len(best.ill)):
            first = [at for each in due for at in each.onsets if at >= began_ns - LATE_NS]
            best = _Cause(
                host=host,
                confidence=Confidence.LIKELY if len(due) > 1 else Confidence.POSSIBLE,
                ill=due,
                share=0,
                since_ns=min(began_ns, *first),
                title=title,
            )
    return best


def _of_coincidence(host: str, there: Sequence[_Ill], visible: int) -> _Cause | None:
    near = _near(there)
    if len(near) < SUSPECTED_LEAST or 2 * len(near) <= visible:
        return None
    return _Cause(
        host=host, confidence=Confidence.SUSPECTED, ill=tuple(each for each, _ in near),
        share=0, since_ns=near[0][1],
    )  # fmt: skip


def _near(ill: Iterable[_Ill]) -> list[tuple[_Ill, int]]:
    """Return the most parties of which each has a trouble begun within one hour, in order."""
    all_onsets = sorted((at, each.name) for each in ill for at in each.onsets)
    by_name = {each.name: each for each in ill}
    best: list[tuple[_Ill, int]] = []
    for first, _ in all_onsets:
        within: dict[str, int] = {}
        for at, name in all_onsets:
            if first <= at <= first + NEAR_NS:
                within.setdefault(name, at)
        if len(within) > len(best):
            best = [(by_name[name], at) for name, at in within.items()]
    return best


def _unexplained(ill: Iterable[_Ill]) -> Iterable[Together]:
    """Yield those who fell ill within an hour, which nothing explains."""
    left = {each.name: each for each in ill}
    while len(near := _near(left.values())) > 1:
        yield Together(
            parties=tuple(each.name for each, _ in near),
            since_ns=near[0][1],
            confidence=Confidence.NONE,
        )
        for each, _ in near:
            del left[each.name]
