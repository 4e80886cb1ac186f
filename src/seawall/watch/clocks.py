"""Whose clock is wrong.  The rule: most clocks decide, and this machine's own is but one of them.

Each other clock is known to lie between two offsets from here; no network tells it better.  Clocks
are measured against the median of all, and only what surely differs counts.
"""

from collections.abc import Mapping
from statistics import median_low
from typing import Final

ENOUGH: Final = 3
"""Of two clocks that differ nobody knows which is wrong."""
Bounds = tuple[int, int]


def off_ns(own: str, others: Mapping[str, Bounds]) -> dict[str, int]:
    """Return by how much each clock surely differs from most; `own` is this machine's."""
    clocks = {own: (0, 0), **others}
    if len(clocks) < ENOUGH:
        # Then this machine's counts, as everybody's own does to him.
        middle_ns = 0
    else:
        middle_ns = median_low((low + high) // 2 for low, high in clocks.values())
    return {name: _surely(bounds, middle_ns) for name, bounds in clocks.items()}


def _surely(bounds: Bounds, middle_ns: int) -> int:
    low, high = bounds
    if low > middle_ns:
        return low - middle_ns
    if high < middle_ns:
        return high - middle_ns
    return 0
