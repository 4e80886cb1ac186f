"""When a wallet sends, by hour of the week, and how likely a silence is.

The rule: what is judged is not what it is judged by.  Learning ends with the last transaction, so
the present silence never makes itself look usual.

**Model.**  A wallet sends in bursts: a batch of fifty payments is one decision.  So time is cut
into bins (five minutes), and a bin is *active* or *quiet*; how many transactions an active one has
says nothing about silence.  Bursts are taken as a Poisson process whose rate depends on the hour of
the week, so a bin of hour `h` is quiet with `q_h = exp(-rate_h * bin)`, and the probability of a
silence is

    P = product over the hours crossed of E[q_h ** m_h] = exp(-integrated rate), rates being known,

`m_h` being how many bins of hour `h` it covers.  Rates are not known: with `quiet_h` of `n_h` bins
seen quiet, `q_h` has a beta distribution (for few active bins the same as the usual gamma prior on
the rate, and it does not break where every bin is active), and the expectation is exact:

    E[q**m] = B(e + m, a) / B(e, a),   e = k * (1 - p) + quiet_h + 1/2,   a = k * p + active_h.

**Shrinkage.**  `p` is what is known before an hour of the week is seen: the share of active bins in
that hour of the day, which in turn leans on the share of all bins; `k` is one hour of bins.  The
half bin stands for what no bin can show: a wallet active in every bin may still pause for less.

**Habits.**  Real wallets are more clumped than any Poisson process: people sleep, jobs pause.  By
the time-rescaling theorem the surprises `-ln P` of past silences are exponential with mean 1 if the
model holds, so the third greatest of N is about `ln(N / 3)`.  Where it is greater, each surprise is
divided by the quotient.  The third, so that one or two past outages do not blind the watch; three
are a habit.

Sources: A. Gelman et al., *Bayesian Data Analysis*, chapter 2 (conjugate predictions); E. Brown et
al., "The time-rescaling theorem", *Neural Computation* 14 (2002).
"""

import math
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

BIN_S: Final = 300
HOUR_S: Final = 3_600
DAY_HOURS: Final = 24
WEEK_HOURS: Final = 168
WEEK_S: Final = WEEK_HOURS * HOUR_S
MONDAY_HOURS: Final = 72
"""The epoch began on a Thursday."""

HABIT: Final = 3
"""Which of the past silences, from the greatest, must fit the model."""

HISTORY_MIN_S: Final = 3 * 24 * HOUR_S
ACTIVE_BINS_MIN: Final = 30
"""With less than these two nothing is said of a wallet."""


class Sent(Struct, frozen=True, kw_only=True):
    """So many transactions were sent after one moment and until another."""

    after_s: float
    until_s: float
    count: int


def hour_of_week(at_s: float) -> int:
    """Return 0 for the hour after Monday's midnight in UTC, up to 167."""
    return (int(at_s // HOUR_S) + MONDAY_HOURS) % WEEK_HOURS


class Rates:
    """What was learned: for each hour of the week how bins are, and how many transactions come."""

    def __init__(self, quiet: list[float], total: list[float], per_hour: list[float]) -> None:
        self._quiet = quiet
        self._total = total
        self.per_hour = per_hour
        """Transactions expected per hour, by hour of the week."""
        self.stretch = 1.0
        """By how much past silences were longer than the model has them."""

    def surprise(self, begin_s: float, end_s: float) -> float:
        """Return -ln of the probability that nothing is sent between the two moments."""
        return self.plain_surprise(begin_s, end_s) / self.stretch

    def plain_surprise(self, begin_s: float, end_s: float) -> float:
        """Return the same before habits are allowed for."""
        found = 0.0
        for hour, bins in _bins_by_hour(begin_s, end_s).items():
            quiet, total = self._quiet[hour], self._total[hour]
            found += (
                math.lgamma(quiet) - math.lgamma(quiet + bins)
                + math.lgamma(total + bins) - math.lgamma(total)
            )  # fmt: skip
        return max(found, 0.0)

    def reaches(self, begin_s: float, surprise: float) -> float | None:
        """Return when a silence begun then would be so surprising; None if not within a year."""
        low, step = begin_s, float(HOUR_S)
        while self.surprise(begin_s, low + step) < surprise:
            low += step
            step *= 2
            if low - begin_s > 52 * WEEK_S:
                return None
        high = low + step
        while high - low > 0.5:
            middle = (low + high) / 2
            if self.surprise(begin_s, middle) < surprise:
                low = middle
            else:
                high = middle
        return high


class Activity:
    """The bins of the last weeks."""

    def __init__(self, weeks: int) -> None:
        self._weeks = weeks
        self._counts: dict[int, int] = {}
        self._unseen: dict[int, None] = {}
        self._first: int | None = None
        self._last_s: float | None = None
        self._rates: Rates | None = None
        self._learned_s = 0.0
        """Up to when the rates know; they are learned anew an hour later."""

    def begin(self, at_s: float) -> None:
        """Say since when everything sent is known."""
        self._first = math.ceil(at_s / BIN_S)
        self._rates = None

    def add(self, sent: Sent) -> None:
        """Count transactions; if it is not known when within a long span, no bin of it counts."""
        last = int(sent.until_s // BIN_S)
        if sent.until_s - sent.after_s <= 2 * BIN_S:
            self._counts[last] = self._counts.get(last, 0) + sent.count
        else:
            for unseen in range(int(sent.after_s // BIN_S), last + 1):
                self._unseen[unseen] = None
        self._last_s = max(sent.until_s, self._last_s or sent.until_s)
        if self._last_s - self._learned_s >= HOUR_S:
            self._rates = None

    @property
    def since_s(self) -> float | None:
        return None if self._first is None else self._first * BIN_S

    @property
    def active_bins(self) -> int:
        return sum(each not in self._unseen for each in self._counts)

    @property
    def transactions(self) -> int:
        return sum(self._counts.values())

    @property
    def covered_s(self) -> float:
        """How long the wallet was seen, up to its last transaction."""
        if self._first is None or self._last_s is None:
            return 0.0
        return max(self._last_s - self._first * BIN_S, 0.0) - len(self._unseen) * BIN_S

    def rates(self) -> Rates | None:
        """Learn, if anything changed; None as long as too little is known."""
        self._forget()
        if self.covered_s < HISTORY_MIN_S or self.active_bins < ACTIVE_BINS_MIN:
            return None
        if self._rates is None:
            self._rates = self._learn()
            self._learned_s = self._last_s or 0.0
        return self._rates

    def silences_per_year(self) -> float:
        """Return how many silences begin in a year: one after each active bin."""
        return self.active_bins / max(self.covered_s, BIN_S) * 365 * 24 * HOUR_S

    def _forget(self) -> None:
        if self._first is None or self._last_s is None:
            return
        first = math.ceil((self._last_s - self._weeks * WEEK_S) / BIN_S)
        if first >= self._first + HOUR_S // BIN_S:
            self._first = first
            self._counts = {at: count for at, count in self._counts.items() if at >= first}
            self._unseen = {at: None for at in self._unseen if at >= first}
            self._rates = None

    def _bins(self) -> Iterator[tuple[int, int, int]]:
        """Yield each bin that is known, its hour of the week, and its transactions."""
        if self._first is None or self._last_s is None:
            return
        for each in range(self._first, int(self._last_s // BIN_S) + 1):
            if each not in self._unseen:
                yield each, hour_of_week(each * BIN_S), self._counts.get(each, 0)

    def _learn(self) -> Rates:
        bins = [0] * WEEK_HOURS
        active = [0] * WEEK_HOURS
        sent = [0] * WEEK_HOURS
        for _, hour, count in self._bins():
            bins[hour] += 1
            active[hour] += count > 0
            sent[hour] += count
        rates = _shrunk(bins, active, sent)
        rates.stretch = self._stretch(rates)
        return rates

    def _stretch(self, rates: Rates) -> float:
        surprises: list[float] = []
        before: int | None = None
        seen: int | None = None
        for each, _, count in self._bins():
            if seen is not None and each != seen + 1:
                before = None
            seen = each
            if count:
                if before is not None:
                    # Bins between two active ones; when within those it was is not known.
                    surprises.append(rates.plain_surprise((before + 1) * BIN_S, each * BIN_S))
                before = each
        surprises.sort(reverse=True)
        if len(surprises) < ACTIVE_BINS_MIN - 1:
            return 1.0
        return max(1.0, surprises[HABIT - 1] / math.log(len(surprises) / HABIT))


def _shrunk(bins: list[int], active: list[int], sent: list[int]) -> Rates:
    """Return each hour of the week leaning on its hour of the day, and that on all."""
    prior_bins = HOUR_S / BIN_S
    share = (sum(active) + 0.5) / (sum(bins) + 1)
    each = sum(sent) / sum(bins)
    quiet, total, per_hour = [], [], []
    for hour in range(WEEK_HOURS):
        same = range(hour % DAY_HOURS, WEEK_HOURS, DAY_HOURS)
        day_bins = sum(bins[other] for other in same) + prior_bins
        day_share = (sum(active[other] for other in same) + prior_bins * share) / day_bins
        day_sent = (sum(sent[other] for other in same) + prior_bins * each) / day_bins
        quiet.append(prior_bins * (1 - day_share) + bins[hour] - active[hour] + 0.5)
        total.append(prior_bins + bins[hour] + 0.5)
        per_hour.append(
            (sent[hour] + prior_bins * day_sent) / (bins[hour] + prior_bins) * prior_bins
        )
    return Rates(quiet, total, per_hour)


def _bins_by_hour(begin_s: float, end_s: float) -> dict[int, float]:
    """Return how many bins, and parts of bins, a span has in each hour of the week."""
    found: dict[int, float] = {}
    weeks, rest_s = divmod(max(end_s - begin_s, 0.0), WEEK_S)
    if weeks:
        found = dict.fromkeys(range(WEEK_HOURS), weeks * HOUR_S / BIN_S)
    at_s, end_s = begin_s, begin_s + rest_s
    while at_s < end_s:
        until_s = min((at_s // HOUR_S + 1) * HOUR_S, end_s)
        hour = hour_of_week(at_s)
        found[hour] = found.get(hour, 0.0) + (until_s - at_s) / BIN_S
        at_s = until_s
    return found
