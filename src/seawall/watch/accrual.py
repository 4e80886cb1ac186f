"""How suspicious a silence is, learnt from the answers before it.  The rule: no clock of its own.

The phi-accrual detector of Hayashibara, Defago, Yared and Katayama (SRDS 2004): intervals between
answers are taken as normal, and phi is minus the decimal logarithm of the probability that an
answer comes later still.  At phi 1 one silence in ten is a false alarm, at 8 one in 10**8.

Two things are not in the paper.  The deviation has a floor, for answers that come like clockwork
would make the smallest delay suspicious.  And an interval counts as no more than `longest_ns`, or
one outage would teach the detector patience.
"""

import math
from collections import deque
from typing import Final

from msgspec import Struct

from seawall.lib.invariants import invariant

WINDOW: Final = 200
PHI_MOST: Final = 300.0
"""A probability of 10**-300; floats end soon after."""
_FAR: Final = 8.0
"""Deviations from the mean after which the tail is taken from its series, not from `erfc`."""


class AccrualTerms(Struct, frozen=True, kw_only=True):
    """What a detector starts from."""

    expected_ns: int
    """Between two answers, as long as nothing is known better."""
    deviation_floor_ns: int
    longest_ns: int
    window: int = WINDOW


class Accrual:
    """One source of answers.  Moments are nanoseconds of one clock, which may jump."""

    def __init__(self, terms: AccrualTerms) -> None:
        invariant(terms.expected_ns > 0, "answers are expected after some time")
        invariant(terms.deviation_floor_ns > 0, "the deviation has a floor above zero")
        invariant(terms.longest_ns >= terms.expected_ns, "the longest interval is no shorter")
        invariant(terms.window > 0, "at least one interval is kept")
        self._terms = terms
        self._intervals: deque[int] = deque([terms.expected_ns], maxlen=terms.window)
        self._sum = terms.expected_ns
        self._squares = terms.expected_ns**2
        self._last_ns: int | None = None

    @property
    def last_ns(self) -> int | None:
        """Return the moment of the last answer."""
        return self._last_ns

    @property
    def mean_ns(self) -> float:
        return self._sum / len(self._intervals)

    @property
    def deviation_ns(self) -> float:
        count = len(self._intervals)
        # Integers, exact: a difference of two great floats could be below zero.
        variance = (self._squares * count - self._sum**2) / count**2
        return max(math.sqrt(variance), float(self._terms.deviation_floor_ns))

    def arrived(self, at_ns: int) -> None:
        """Take an answer.  After a jump back it teaches nothing, and the silence begins anew."""
        if self._last_ns is not None and at_ns >= self._last_ns:
            self._learn(min(at_ns - self._last_ns, self._terms.longest_ns))
        self._last_ns = at_ns

    def forgive(self, gap_ns: int) -> None:
        """Leave out a time in which nobody listened."""
        if self._last_ns is not None and gap_ns > 0:
            self._last_ns += gap_ns

    def silence_ns(self, at_ns: int) -> int:
        """Return how long no answer came; 0 before the first, which nobody waits for."""
        return 0 if self._last_ns is None else max(0, at_ns - self._last_ns)

    def phi(self, at_ns: int) -> float:
        """Return the suspicion: 0 right after an answer, more with each moment of silence."""
        if self._last_ns is None:
            return 0.0
        return suspicion((self.silence_ns(at_ns) - self.mean_ns) / self.deviation_ns)

    def _learn(self, interval_ns: int) -> None:
        if len(self._intervals) == self._terms.window:
            oldest_ns = self._intervals[0]
            self._sum -= oldest_ns
            self._squares -= oldest_ns**2
        self._intervals.append(interval_ns)
        self._sum += interval_ns
        self._squares += interval_ns**2


def suspicion(deviations: float) -> float:
    """Return -log10 of the probability that a normal variable is so far above its mean, or more."""
    if deviations < _FAR:
        return -math.log10(math.erfc(deviations / math.sqrt(2)) / 2) + 0.0
    # The tail's series, from whose logarithm nothing is lost where erfc itself would be 0.
    square = deviations * deviations
    series = 1 - 1 / square + 3 / square**2 - 15 / square**3
    ln = -square / 2 - math.log(deviations * math.sqrt(math.tau)) + math.log(series)
    return min(-ln / math.log(10), PHI_MOST)


class Latencies:
    """The newest times that answers took, and their distribution."""

    def __init__(self, window: int = WINDOW) -> None:
        self._kept: deque[int] = deque(maxlen=window)
        self.count = 0
        self.total_ns = 0

    def add(self, latency_ns: int) -> None:
        self._kept.append(max(0, latency_ns))
        self.count += 1
        self.total_ns += max(0, latency_ns)

    def quantile(self, share: float) -> int:
        """Return the smallest kept time that `share` of them do not exceed; 0 without any."""
        if not self._kept:
            return 0
        ordered = sorted(self._kept)
        place = math.ceil(share * len(ordered)) - 1
        return ordered[min(max(place, 0), len(ordered) - 1)]
