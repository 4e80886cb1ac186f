"""Which forwarded commands a leader has taken in its term.  The rule: none twice, however late.

A command's origin is `node.life.count`; a node counts up.  What is remembered is bounded: once an
origin is forgotten, everything that its node counted before it is refused for the rest of the term,
so a copy that lay in a socket for an hour does no harm.
"""

from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 50_000
"""Origins of one node's life that are known one by one."""
LIVES: Final = 256
"""Lives of nodes that are known; more than restart in one term."""


class _Life:
    """What one life of a node has sent."""

    __slots__ = ("floor", "known")

    def __init__(self) -> None:
        self.floor = 0
        """Everything up to here counts as known."""
        self.known: dict[int, None] = {}

    def add(self, count: int) -> None:
        self.known[count] = None
        if len(self.known) > REMEMBERED:
            oldest = next(iter(self.known))
            del self.known[oldest]
            self.floor = max(self.floor, oldest)


class Taken:
    """Origins, as long as this node leads one term."""

    def __init__(self) -> None:
        self._lives: OrderedDict[str, _Life] = OrderedDict()

    def __contains__(self, origin: str) -> bool:
        life, count = _split(origin)
        known = self._lives.get(life)
        return known is not None and (count <= known.floor or count in known.known)

    def add(self, origin: str) -> None:
        life, count = _split(origin)
        if life not in self._lives:
            self._lives[life] = _Life()
            if len(self._lives) > LIVES:
                self._lives.popitem(last=False)
        self._lives.move_to_end(life)
        self._lives[life].add(count)

    def clear(self) -> None:
        """Begin another term: what is meant for the old one is not taken any more."""
        self._lives.clear()


def _split(origin: str) -> tuple[str, int]:
    """Return whose it is, and its number; raise ValueError if it is no origin."""
    life, _, count = origin.rpartition(".")
    if not life or not count.isascii() or not count.isdigit():
        raise ValueError(f"{origin!r} is no origin")
    return life, int(count)
