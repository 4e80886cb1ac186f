"""What the watch reports of the world outside.  The rule: what is not surely good is not good.

A reading is one look at one feed; its facts are the troubles and notices that the feed tells.
They are raw: a feed that flaps is reported as it flaps, and whoever decides does the damping.
"""

from enum import StrEnum

from msgspec import Struct


class Health(StrEnum):
    """How a service is, as far as anyone told."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


GRAVITY = (Health.OK, Health.MAINTENANCE, Health.UNKNOWN, Health.DEGRADED, Health.DOWN)
"""From the lightest to the gravest.  A feed that cannot be read outweighs everything but trouble
that it surely tells."""

TROUBLE = (Health.DEGRADED, Health.DOWN)


class Doubt(StrEnum):
    """Why a reading, or a part of it, is not to be believed."""

    NOT_ASKED = "not_asked"
    UNREACHED = "unreached"
    HTTP_STATUS = "http_status"
    TOO_LARGE = "too_large"
    WRONG_ENCODING = "wrong_encoding"
    MALFORMED = "malformed"
    UNKNOWN_WORD = "unknown_word"
    CONTRADICTION = "contradiction"
    STALE = "stale"
    REFUSED = "refused"
    """The source answered that it does not answer."""
    NOT_PUBLIC = "not_public"
    """The source tells this to its customers only."""
    BROKEN = "broken"
    """The adapter itself failed."""


class Uncertain(Struct, frozen=True, kw_only=True):
    """One doubt, and what was seen."""

    doubt: Doubt
    detail: str


class Fact(Struct, frozen=True, kw_only=True):
    """One incident, maintenance or symptom, as one source tells it.

    Services, regions and zones that are not told are empty, which means: any of them.
    """

    feed: str
    party: str
    """The provider or venue that it is about."""
    incident_id: str
    title: str
    health: Health
    """While it lasts; of one that has ended, OK."""
    word: str = ""
    """The source's own word for it."""
    services: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    began_ns: int | None = None
    updated_ns: int | None = None
    ended_ns: int | None = None
    url: str = ""
    payload: str = ""
    """SHA-256 of the bytes that it was read from."""

    def lasts(self, at_ns: int) -> bool:
        """Whether it has begun and not ended.  Only maintenance is announced before it begins;
        trouble with a beginning to come is a clock's fault, not a calm.
        """
        planned = self.health is Health.MAINTENANCE and self.began_ns is not None
        begun = not planned or (self.began_ns or 0) <= at_ns
        return begun and (self.ended_ns is None or self.ended_ns > at_ns)


class Reading(Struct, frozen=True, kw_only=True):
    """One look at one feed."""

    feed: str
    party: str
    at_ns: int
    health: Health
    """The gravest of what lasts; OK only if all was understood, current and calm."""
    facts: tuple[Fact, ...] = ()
    doubts: tuple[Uncertain, ...] = ()
    told_ns: int | None = None
    """The page's own time."""
    payload: str = ""
    """SHA-256 of the bytes; empty when nothing came."""


def gravest(healths: list[Health]) -> Health:
    """Return the gravest; UNKNOWN of none."""
    if not healths:
        return Health.UNKNOWN
    return max(healths, key=GRAVITY.index)


def conclude(
    *,
    feed: str,
    party: str,
    at_ns: int,
    facts: tuple[Fact, ...],
    doubts: tuple[Uncertain, ...],
    told_ns: int | None = None,
    payload: str = "",
) -> Reading:
    """Return the reading.  Any doubt keeps it from OK."""
    lasting = [fact.health for fact in facts if fact.lasts(at_ns)]
    health = gravest([Health.UNKNOWN if doubts else Health.OK, *lasting])
    return Reading(
        feed=feed,
        party=party,
        at_ns=at_ns,
        health=health,
        facts=facts,
        doubts=doubts,
        told_ns=told_ns,
        payload=payload,
    )
