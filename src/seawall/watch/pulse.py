"""Whether an endpoint's node lives: its heads come as the chain's block time promises.

The rule: a node that stopped is never a wallet's silence.

Blocks are taken as a Poisson process, so no block for `t` has probability exp(-t / interval): the
accrual detector of N. Hayashibara et al. (2004) with the most patient of distributions, for chains
with fixed slots are only more regular.  `STALL` is smaller than a wallet's threshold, as blocks are
many.  Elapsed time is this machine's monotonic clock; its wall clock is needed only to see that
blocks are old, and may jump.
"""

import math
from collections import deque
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Final

from msgspec import Struct

STALL: Final = 1e-6
PATIENCE_MIN_S: Final = 20.0
BEHIND_MIN_S: Final = 90.0
AHEAD_S: Final = 120.0
INTERVAL_DEFAULT_S: Final = 12.0
INTERVALS_KEPT: Final = 31


class Health(StrEnum):
    """What is known of an endpoint."""

    CURRENT = "current"
    STALLED = "stalled"
    """Its head stands still, or it has stopped answering."""
    BEHIND = "behind"
    """Its head moves, but its blocks are old."""
    AHEAD = "ahead"
    """Its blocks come from the future: its clock is wrong, or ours."""
    UNREACHED = "unreached"
    """It has not answered yet."""


class Moment(Struct, frozen=True, kw_only=True):
    """Both clocks at once."""

    wall_s: float
    elapsed_s: float


class Look(Struct, frozen=True, kw_only=True):
    """One endpoint's head, and the wallet's nonce after that very block."""

    number: int
    id: str
    at_s: int
    nonce: int


class Pulse:
    """One endpoint."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.look: Look | None = None
        self.trouble = ""
        self._intervals: deque[float] = deque(maxlen=INTERVALS_KEPT)
        self._advanced_s = 0.0

    @property
    def interval_s(self) -> float:
        """Return the time between blocks, as far as it was seen."""
        return max(median(self._intervals), 0.1) if self._intervals else INTERVAL_DEFAULT_S

    @property
    def patience_s(self) -> float:
        """Return after how long without a block the node is what stopped."""
        return max(PATIENCE_MIN_S, -math.log(STALL) * self.interval_s)

    def learn(self, times_s: list[int]) -> None:
        """Take the times of blocks that follow one another."""
        gaps = [after - before for before, after in pairwise(times_s)]
        if gaps:
            # Where blocks share a second, only their mean says something.
            self._intervals.extend(gaps if median(gaps) >= 1 else [sum(gaps) / len(gaps)])

    def on_look(self, look: Look, now: Moment) -> None:
        """Take an answer; an endpoint of many nodes may answer with an older head in between."""
        self.trouble = ""
        before = self.look
        if before is None:
            self.look, self._advanced_s = look, now.elapsed_s
        elif look.number > before.number:
            self._intervals.append(max(look.at_s - before.at_s, 0) / (look.number - before.number))
            self.look, self._advanced_s = look, now.elapsed_s
        elif look.number == before.number and look.id != before.id:
            self.look = look

    def on_trouble(self, words: str) -> None:
        """Take that it did not answer."""
        self.trouble = words

    def stood_s(self, now: Moment) -> float:
        """Return for how long no new block came."""
        return max(now.elapsed_s - self._advanced_s, 0.0)

    def health(self, now: Moment) -> Health:
        if self.look is None:
            return Health.UNREACHED
        if self.stood_s(now) > self.patience_s:
            return Health.STALLED
        if now.wall_s - self.look.at_s > max(BEHIND_MIN_S, self.patience_s):
            return Health.BEHIND
        if self.look.at_s - now.wall_s > AHEAD_S:
            return Health.AHEAD
        return Health.CURRENT
