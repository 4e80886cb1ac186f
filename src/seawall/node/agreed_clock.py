"""The time of day that most nodes of a cluster agree on.  The rule: one wrong clock dates nothing.

Journal time never goes back, so a leader whose clock is an hour ahead would expire listen keys,
fire deadlines and close candles for good.  Nodes therefore tell each other the time with every
ping, and a leader dates entries by the middle one of all clocks that it hears, its own among them;
of two, by the one that is behind, for what has not come can still come.  A node's own clock is
the machine's as it was, carried on by the monotonic one, so a jump in the middle of a life is not
followed unless the others say the same.  docs/decisions/0014-most-clocks-agree.md has the reasons.
"""

import time
from collections.abc import Callable
from typing import Final

from seawall.node.clock import Clock

HEARD_S: Final = 600.0
"""A node that was not heard for so long has no say; until then the monotonic clock carries it."""
LOOK_S: Final = 0.05
"""How often the clocks are compared; in between, the monotonic clock goes on."""
AGREE_NS: Final = 1_000_000_000
"""Clocks that differ by less tell the same time: messages take time, and clocks drift."""


class AgreedClock:
    """The clock of one node, held against the others'."""

    def __init__(self, machine: Clock, now_s: Callable[[], float] = time.monotonic) -> None:
        self._machine = machine
        self._now_s = now_s
        self._ahead_ns = machine.now_ns() - self._steady_ns()
        """What the own clock has more than the monotonic one."""
        self._others: dict[str, tuple[int, float]] = {}
        """By node: what its clock has more than our monotonic one, and when it was heard."""
        self._journal_ns: int | None = None
        """What the journal's time has more, at the least, by what others wrote."""
        self._agreed_at_s = -LOOK_S
        self._known_ns = 0

    def now_ns(self) -> int:
        """Return what most say."""
        now_s = self._now_s()
        if now_s - self._agreed_at_s >= LOOK_S:
            self._agreed_at_s, self._known_ns = now_s, self._agreed_ns()
        return round(now_s * 1e9) + self._known_ns

    def own_ns(self) -> int:
        """Return what this node says to the others: its own clock, whatever they say."""
        steady_ns = self._steady_ns()
        machine_ns = self._machine.now_ns()
        off_ns = machine_ns - steady_ns - self._ahead_ns
        if abs(off_ns) < AGREE_NS:
            # It is steered, as clocks are; no jump.
            self._ahead_ns += off_ns
        elif any(self._agrees(machine_ns - steady_ns, other) for other in self._heard()):
            # It was set right: another says the same.
            self._ahead_ns = machine_ns - steady_ns
        return steady_ns + self._ahead_ns

    def heard(self, node: str, its_ns: int) -> None:
        """Take note of what another's clock says."""
        self._others[node] = (its_ns - self._steady_ns(), self._now_s())

    def read(self, at_ns: int) -> None:
        """Take note of an entry that another has just written; it counts while no node is heard."""
        ahead_ns = at_ns - self._steady_ns()
        if self._journal_ns is None or ahead_ns > self._journal_ns:
            self._journal_ns = ahead_ns

    def off_s(self) -> float:
        """Return how far the own clock is from what most say, in seconds; ahead is positive."""
        return (self.own_ns() - self.now_ns()) / 1e9

    def _agreed_ns(self) -> int:
        own_ns = self.own_ns() - self._steady_ns()
        others = self._heard()
        if not others and self._journal_ns is not None:
            others = [self._journal_ns]
        said = sorted([own_ns, *others])
        middle = said[(len(said) - 1) // 2]
        # While all are right, a node dates by its own: it is not moved by how long messages take.
        return own_ns if self._agrees(own_ns, middle) else middle

    def _heard(self) -> list[int]:
        since_s = self._now_s() - HEARD_S
        return [ahead_ns for ahead_ns, at_s in self._others.values() if at_s >= since_s]

    @staticmethod
    def _agrees(one_ns: int, other_ns: int) -> bool:
        return abs(one_ns - other_ns) < AGREE_NS

    def _steady_ns(self) -> int:
        return round(self._now_s() * 1e9)
