"""What clients of a cluster asked and were told.  The rule: written down as it came, judged later.

Every answer is kept with its gateway and its times: when it was asked for last, and when it came.
An operation is one thing that a client wanted, over all its attempts; it is `Operation`s of these
that the linearizability check gets.
"""

from typing import Any, Final

from msgspec import Struct

from seawall.lab.linearizability import Operation
from seawall.lab.sequential import HoldAsked, HoldTold, OrderAsked, OrderTold

PLACE: Final = "place"
CANCEL: Final = "cancel"
LOOK: Final = "look"

OrderOperation = Operation[OrderAsked, OrderTold]
HoldOperation = Operation[HoldAsked, HoldTold]


class Ack(Struct, frozen=True, kw_only=True):
    """One success that a client was told."""

    session: str
    gateway: str
    kind: str
    asked_s: float
    """When the attempt that succeeded was sent."""
    told_s: float
    sequence: int = -1
    """Up to which entry the answer knows everything; -1 where it does not say."""
    current: bool = True
    """False: the answer itself says that it may be old."""


class Streamed(Struct, frozen=True):
    """An event that a user's stream brought."""

    account: str
    row: dict[str, Any]


class History:
    """All clients' answers."""

    def __init__(self) -> None:
        self.acks: list[Ack] = []
        self.orders: list[OrderOperation] = []
        self.holds: list[HoldOperation] = []
        self.streamed: list[Streamed] = []
        self.unknown = 0
        """Attempts without an answer, or whose answer was that nobody knows."""
        self.refused_for_now = 0
        """Attempts that were surely not executed, and were made again."""
        self.last_known = 0
        """Looks whose answer was what was last known, and said so."""

    def times_s(self, kind: str, gateway: str = "") -> list[float]:
        """Return when successes of this kind were told, in order."""
        return sorted(
            ack.told_s
            for ack in self.acks
            if ack.kind == kind and (not gateway or ack.gateway == gateway)
        )
