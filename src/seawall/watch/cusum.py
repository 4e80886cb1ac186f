"""A one-sided CUSUM on counts.  The rule: what is less than trouble's least takes from the sum.

Each minute brings `x` reports where `m` are expected.  The residual `x - m` less an allowance `k*m`
is added to a sum that never falls below zero (E. S. Page, "Continuous inspection schemes",
*Biometrika* 41, 1954); at `h` it is an alarm.  That a CUSUM on the residuals of a baseline finds
outbreaks sooner than comparing each day with the last ones was shown by R. Fricker, B. Hegler and
D. Dunfee, "Comparing syndromic surveillance detection methods: EARS' versus a CUSUM-based
methodology", *Statistics in Medicine* 27 (2008).

**k.**  Reports are counts, and seldom: dividing by a standard deviation, as for normal residuals,
makes one report in a quiet night an outlier of many sigmas.  For Poisson counts the best allowance
against a rise to `r` times the expected is known (J. Lucas, "Counted data CUSUM's", *Technometrics*
27, 1985): `1 + k = (r - 1) / ln r`.  The default k of 1.164 is that of r = 4.

**h.**  With that k the sum is `1 / ln r` times the log-likelihood ratio of "r times as many"
against "as usual".  By Wald's inequality a sum that starts at zero reaches `h`, before it is back
at zero, with a probability of `r**-h` at most, and it can start anew once a minute; so there are
at most `525,600 * r**-h` false alarms a year: with r = 4 and h = 10, one in two years.
In truth there are fewer, for few minutes start anything: see the simulation among the tests.  The
bound holds for Poisson counts.  Where reports come in clumps, their variance being `v` times their
mean, all that is added and taken is divided by `v`, which the baseline has learned.

**How soon.**  A rise to `R` times is found after about `v * h / (m * (R - 1 - k))` minutes.
"""

import math
from typing import Final

from msgspec import Struct

MINUTES_PER_YEAR: Final = 525_600


class CusumTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How easily it alarms."""

    k: float = 1.164
    """Allowance, as a multiple of what is expected."""
    h: float = 10.0
    """Reports above the allowance that are an alarm."""
    most: float = 20.0
    """What the sum never goes above, so that the way back is not longer than it must be."""
    floor_per_minute: float = 0.1
    """Expecting less than this counts as expecting this: three reports in a night are no outage,
    and a sum comes back within two hours however seldom reports are."""

    def __post_init__(self) -> None:
        if not (self.k > 0 and 0 < self.h <= self.most and self.floor_per_minute > 0):
            raise ValueError("k and floor_per_minute are above 0, and h is above 0 and up to most")


class Cusum:
    """The sum of one topic."""

    def __init__(self, terms: CusumTerms, value: float = 0.0) -> None:
        self._terms = terms
        self.value = value

    def step(self, count: int, expected: float, spread: float = 1.0) -> float:
        """Take one minute's count; return the sum.  Spread is variance by mean."""
        terms = self._terms
        reference = (1 + terms.k) * max(expected, terms.floor_per_minute)
        self.value = min(max(self.value + (count - reference) / spread, 0.0), terms.most)
        return self.value


def rise(k: float) -> float:
    """Return which rise an allowance is best for: the r with (r - 1) / ln r = 1 + k."""
    low, high = 1.0 + 1e-9, 1e6
    while high / low > 1 + 1e-12:
        middle = math.sqrt(low * high)
        if (middle - 1) / math.log(middle) < 1 + k:
            low = middle
        else:
            high = middle
    return low


def false_alarms(terms: CusumTerms) -> float:
    """Return a bound of the false alarms of one topic in a year of Poisson reports."""
    return float(MINUTES_PER_YEAR * rise(terms.k) ** -terms.h)
