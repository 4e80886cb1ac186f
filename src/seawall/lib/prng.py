"""Seeded randomness.  The rule: a seed gives the same numbers on every machine, for ever.

SplitMix64 as published by Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014.  Not for secrets.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Prng:
    """A small generator; `fork` gives an independent stream for a part of a scenario."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def bits64(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Return an int in [0, bound), without bias."""
        limit = _MASK - (_MASK + 1) % bound
        while True:
            value = self.bits64()
            if value <= limit:
                return value % bound

    def between(self, low: int, high: int) -> int:
        """Return an int in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, numerator: int, denominator: int) -> bool:
        return self.below(denominator) < numerator

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def fork(self) -> "Prng":
        return Prng(self.bits64())
