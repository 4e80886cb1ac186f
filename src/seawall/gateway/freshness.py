"""How old an answer may be.  The rule: what may be old says so, and never passes for the present.

A node that is alone refuses where it does not know the present: see `Context.is_current`.  A node
of a cluster asks the journal before it answers what is a user's own (`Node.confirm`, the read
barrier).  Where the journal does not answer, it tells what it knew last, and since when it knows
no more: headers over HTTP, and `asOf`, `sequence` and `stale` where the answer is an object.
"""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from seawall.gateway.params import Params

Header = tuple[bytes, bytes]

AS_OF: Final = b"x-seawall-as-of"
STALE: Final = b"x-seawall-stale"
SEQUENCE: Final = b"x-seawall-sequence"
LAST_KNOWN: Final = b"x-seawall-last-known"
"""Of a request: quotes are wanted even where they are not the present."""

_MS_NS: Final = 1_000_000


class Freshness(Struct, frozen=True, kw_only=True):
    """What an answer is true of.  Of several cells the oldest counts."""

    cell: str
    sequence: int
    """The entry up to which everything is in the answer."""
    at_ns: int
    """Journal time of that entry."""
    current: bool
    """Whether nothing later was durable when it was asked for."""
    stale_s: float | None = 0.0
    """For how long it is not known whether something is missing; None: it was never known."""

    @property
    def age(self) -> float | None:
        """Seconds, as they are shown."""
        if self.current:
            return 0.0
        return None if self.stale_s is None else round(self.stale_s, 3)

    def words(self) -> str:
        """Say what was last known, for people."""
        known = f"last known is entry {self.sequence} of {self.cell}, of {iso(self.at_ns)}"
        if self.stale_s is None:
            return known
        return f"{known}; nothing was heard for {self.stale_s:.1f} s"

    def headers(self) -> list[Header]:
        """Return what is added to an answer that is not current."""
        of = f"{iso(self.at_ns)}; cell={self.cell}; sequence={self.sequence}"
        age = self.age
        shown = "unknown" if age is None else f"{age:.3f}"
        return [(AS_OF, of.encode()), (STALE, shown.encode())]

    def fields(self, params: Params) -> dict[str, object]:
        """Return what is added to an answer's object."""
        return {"asOf": params.time(self.at_ns), "sequence": self.sequence, "stale": self.age}


class Answer(Struct, frozen=True):
    """What a method answers, and what it is true of; None where that does not depend on a cell."""

    content: object
    freshness: Freshness | None = None


def iso(at_ns: int) -> str:
    """Return a moment in ISO 8601, in milliseconds and UTC."""
    at_ms = at_ns // _MS_NS
    whole = datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at_ms % 1_000:03d}Z"
