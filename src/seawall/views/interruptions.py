"""When a market could not trade.  The rule: a period that touches an interruption is incomplete.

Four kinds, each a half-open span of time: before the market was listed; while its status was not
open; while the exchange was down (journal entries come every second, so a longer silence between
two of them is an outage); and the outage that lasts at this moment, which only a reader's clock
can tell.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from seawall.model.limits import VIEW_INTERRUPTIONS
from seawall.model.trading import MarketStatus

SILENCE_NS: Final = 2_500_000_000
"""More than this between two entries: the exchange was down."""

ALL_MARKETS: Final = ""
LASTING: Final = -1


class Interruption(Struct, frozen=True, array_like=True):
    """[from_ns, to_ns) of one market, or of all; `to_ns` is LASTING until it ends."""

    symbol: str
    from_ns: int
    to_ns: int
    reason: str

    def meets(self, open_ns: int, end_ns: int) -> bool:
        """Return whether it takes away a part of [open_ns, end_ns)."""
        return self.from_ns < end_ns and (self.to_ns == LASTING or open_ns < self.to_ns)


class Interruptions:
    """The latest interruptions of one market, or those of all markets."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.recent: deque[Interruption] = deque(maxlen=VIEW_INTERRUPTIONS)

    def silent(self, from_ns: int, to_ns: int) -> Interruption:
        """Record that no entry was written between two instants."""
        return self._record(Interruption(self.symbol, from_ns, to_ns, "exchange down"))

    def listed(self, at_ns: int, status: MarketStatus) -> list[Interruption]:
        """Record that there was no such market before; return what changed."""
        before = self._record(Interruption(self.symbol, 0, at_ns, "not listed"))
        if status is MarketStatus.OPEN:
            return [before]
        return [before, self._begin(at_ns, status)]

    def status_changed(self, at_ns: int, status: MarketStatus) -> list[Interruption]:
        changed = []
        if self.recent and self.recent[-1].to_ns == LASTING:
            lasting = self.recent.pop()
            changed.append(
                self._record(Interruption(self.symbol, lasting.from_ns, at_ns, lasting.reason))
            )
        if status is not MarketStatus.OPEN:
            changed.append(self._begin(at_ns, status))
        return changed

    def meet(self, open_ns: int, end_ns: int) -> bool:
        return any(found.meets(open_ns, end_ns) for found in reversed(self.recent))

    def _begin(self, at_ns: int, status: MarketStatus) -> Interruption:
        return self._record(Interruption(self.symbol, at_ns, LASTING, status.value))

    def _record(self, found: Interruption) -> Interruption:
        self.recent.append(found)
        return found
