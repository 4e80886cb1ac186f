"""How many reports are usual, by hour of the week.  The rule: trouble is never learned as usual.

For each hour of the week stand the reports seen in it and how long it was seen, both losing a tenth
each time that the hour comes again: the past ten weeks count, older ones fade, and the whole is two
lists of 168 numbers however long it runs.  A rate has a gamma prior, which is what a rate of counts
is conjugate to (Gelman et al., *Bayesian Data Analysis*, chapter 2), so an hour that was never seen
leans on its hour of the day, that on all hours, and all hours on a stated prior: it works from an
empty history, and the prior is outweighed within a day.

Beside the rates stands how much counts scatter about them, as variance by mean: 1 for reports that
come one by one, more where they come in clumps (one rumour, one busy group).

An hour in which there was an alarm teaches nothing.  Where the history is still short it does: the
prior may be far too low for an exchange with many users, whose first days are then one long alarm.
"""

import math
from typing import Final

from msgspec import Struct

DAY_HOURS: Final = 24
SPREAD_MOST: Final = 10.0
"""More than this is not believed: nobody shall blunt the watch by reporting in clumps."""
WEEK_HOURS: Final = 168
_MONDAY_HOURS: Final = 72
"""The epoch began on a Thursday."""


class BaselineTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is assumed, and how fast it is unlearned."""

    prior_per_hour: float = 2.0
    """Reports on one topic in an hour, before anything is known."""
    prior_hours: float = 6.0
    """How many hours seen that assumption is worth."""
    lean_hours: float = 4.0
    """How many hours seen the other hours' rate is worth, to an hour of the week."""
    keep: float = 0.9
    """What is left of an hour's past each week."""
    spread_hours: float = 100.0
    """How many hours the assumption is worth that reports come one by one; twice as many are the
    memory of how they really come."""
    short_hours: float = 48.0
    """Hours seen, up to which even an alarm is learned from."""

    def __post_init__(self) -> None:
        positive = min(self.prior_per_hour, self.prior_hours, self.lean_hours) > 0
        if not (positive and 0 < self.keep < 1 and self.short_hours >= 0):
            raise ValueError("priors are above 0, and keep lies between 0 and 1")


class Baseline:
    """The usual of one topic."""

    def __init__(
        self,
        terms: BaselineTerms,
        reports: tuple[float, ...] = (),
        hours: tuple[float, ...] = (),
        scatter: float = 0.0,
        scatter_hours: float = 0.0,
    ) -> None:
        self._terms = terms
        self.reports = list(reports) or [0.0] * WEEK_HOURS
        self.hours = list(hours) or [0.0] * WEEK_HOURS
        self.scatter = scatter
        self.scatter_hours = scatter_hours
        self._rates = self._learn()

    @property
    def spread(self) -> float:
        """Return variance by mean."""
        prior = self._terms.spread_hours
        found = (self.scatter + prior) / (self.scatter_hours + prior)
        return min(max(1.0, found), SPREAD_MOST)

    @property
    def seen_hours(self) -> float:
        return sum(self.hours)

    @property
    def short(self) -> bool:
        return self.seen_hours < self._terms.short_hours

    def per_hour(self, hour: int) -> float:
        """Return how many reports are expected in an hour of the week."""
        return self._rates[hour]

    def learn(self, hour: int, reports: int, seen_hours: float) -> None:
        """Take an hour, or the part of it that was seen.

        More than chance allows counts as the most that it allows: trouble too small for an alarm
        is not to become usual.
        """
        expected = self._rates[hour] * seen_hours
        most = expected + 4 * math.sqrt(expected * self.spread) + 4
        counted = float(reports) if self.short else min(float(reports), most)
        if not self.short:
            keep = 1 - 1 / (2 * self._terms.spread_hours)
            self.scatter = self.scatter * keep + (reports - expected) ** 2 / expected
            self.scatter_hours = self.scatter_hours * keep + 1
        self.reports[hour] = self.reports[hour] * self._terms.keep + counted
        self.hours[hour] = self.hours[hour] * self._terms.keep + seen_hours
        self._rates = self._learn()

    def _learn(self) -> list[float]:
        terms = self._terms
        prior = terms.prior_per_hour * terms.prior_hours
        overall = (sum(self.reports) + prior) / (sum(self.hours) + terms.prior_hours)
        days = []
        for hour in range(DAY_HOURS):
            reports = sum(self.reports[hour::DAY_HOURS]) + terms.lean_hours * overall
            days.append(reports / (sum(self.hours[hour::DAY_HOURS]) + terms.lean_hours))
        return [
            (self.reports[hour] + terms.lean_hours * days[hour % DAY_HOURS])
            / (self.hours[hour] + terms.lean_hours)
            for hour in range(WEEK_HOURS)
        ]


def hour_of_week(minute: int) -> int:
    """Return 0 for the hour after Monday's midnight in UTC, up to 167."""
    return (minute // 60 + _MONDAY_HOURS) % WEEK_HOURS
