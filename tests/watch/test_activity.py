"""The probability of a silence is the formula's, and false alarms are as rare as it says."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.watch.simulated import BEGAN_S, Wallet, batches, by_day, poisson, sent, sessions

from seawall.watch.activity import (
    BIN_S,
    HOUR_S,
    WEEK_S,
    Activity,
    Rates,
    Sent,
    hour_of_week,
)

THRESHOLD = 1e-3
LEARNED_S = 4 * WEEK_S
SEEDS = 2


def learned(wallet: Wallet, seed: int = 1) -> tuple[Activity, Rates]:
    activity = Activity(4)
    activity.begin(BEGAN_S)
    for at_s in wallet(random.Random(seed), BEGAN_S, BEGAN_S + LEARNED_S):
        activity.add(sent(at_s))
    rates = activity.rates()
    assert rates is not None
    return activity, rates


def test_the_week_begins_on_monday() -> None:
    assert hour_of_week(0) == 72, "the epoch began on a Thursday"
    assert hour_of_week(4 * 24 * HOUR_S) == 0
    assert hour_of_week(4 * 24 * HOUR_S - 1) == 167


@given(
    quiet=st.floats(0.5, 500), active=st.floats(0.1, 500), bins=st.integers(1, 12),
)  # fmt: skip
def test_the_probability_is_the_product_over_bins(quiet: float, active: float, bins: int) -> None:
    """Quiet bins one after another, each told of those before: the beta's own prediction."""
    rates = Rates([quiet] * 168, [quiet + active] * 168, [1.0] * 168)
    product = math.prod((quiet + i) / (quiet + active + i) for i in range(bins))
    assert math.exp(-rates.surprise(0, bins * BIN_S)) == pytest.approx(product, rel=1e-6)


def test_rates_that_are_known_give_the_exponential() -> None:
    """With endless history, P is exp(-integrated rate), whatever hours are crossed."""
    many = 1e7
    per_bin = [0.01 + 0.002 * (hour % 24) for hour in range(168)]
    rates = Rates([many * math.exp(-each) for each in per_bin], [many] * 168, [1.0] * 168)
    begin_s, end_s = 1_700, 9 * HOUR_S + 300
    integrated = sum(per_bin[hour_of_week(at_s)] / BIN_S for at_s in range(begin_s, end_s))
    assert rates.surprise(begin_s, end_s) == pytest.approx(integrated, rel=1e-4)


@settings(max_examples=60)
@given(data=st.data())
def test_a_longer_silence_is_never_more_probable(data: st.DataObject) -> None:
    _, rates = RATES
    begin_s = BEGAN_S + data.draw(st.floats(0, WEEK_S))
    first_s = data.draw(st.floats(0, 2 * WEEK_S))
    then_s = data.draw(st.floats(0, 2 * WEEK_S))
    shorter = rates.surprise(begin_s, begin_s + first_s)
    longer = rates.surprise(begin_s, begin_s + first_s + then_s)
    assert 0 <= shorter <= longer + 1e-9


@settings(max_examples=60)
@given(after_s=st.floats(0, WEEK_S), wanted=st.floats(1, 40))
def test_it_knows_when_it_will_cry(after_s: float, wanted: float) -> None:
    _, rates = RATES
    begin_s = BEGAN_S + LEARNED_S + after_s
    at_s = rates.reaches(begin_s, wanted)
    assert at_s is not None
    assert rates.surprise(begin_s, at_s) >= wanted
    assert rates.surprise(begin_s, at_s - 1) < wanted


RATES = learned(poisson(by_day(20)))


@pytest.mark.parametrize(
    "wallet",
    [
        pytest.param(poisson(by_day(2)), id="two an hour"),
        pytest.param(poisson(by_day(12)), id="twelve an hour"),
        pytest.param(poisson(by_day(60, swing=0.95)), id="sixty an hour, nearly none at night"),
        pytest.param(batches(by_day(3)), id="batches"),
        pytest.param(sessions, id="sessions"),
    ],
)
def test_false_alarms_are_as_rare_as_promised(wallet: Wallet) -> None:
    """Of the silences of later weeks, each after what was learned before, few are named."""
    named, promised = 0, 0.0
    for seed in range(SEEDS):
        activity, rates = learned(wallet, seed)
        later = BEGAN_S + LEARNED_S
        times = list(wallet(random.Random(seed + 1_000), later, later + 3 * WEEK_S))
        promised += THRESHOLD * activity.silences_per_year() * 3 / 52
        # Shorter ones cannot be named: less than a fifth of a bin.
        gaps = [(a, b) for a, b in pairwise(times) if b - a > BIN_S / 5]
        named += sum(rates.surprise(a, b) >= -math.log(THRESHOLD) for a, b in gaps)
    assert named <= 2 * promised + 3 * math.sqrt(2 * promised) + 3


def test_one_outage_of_the_past_does_not_blind_it() -> None:
    whole, _ = learned(poisson(by_day(12)))
    with_hole = Activity(4)
    with_hole.begin(BEGAN_S)
    hole_s = (BEGAN_S + WEEK_S, BEGAN_S + WEEK_S + 10 * HOUR_S)
    for at_s in poisson(by_day(12))(random.Random(1), BEGAN_S, BEGAN_S + LEARNED_S):
        if not hole_s[0] < at_s < hole_s[1]:
            with_hole.add(sent(at_s))
    before, after = whole.rates(), with_hole.rates()
    assert before is not None
    assert after is not None
    assert after.stretch == pytest.approx(before.stretch, rel=0.25)


def test_habits_of_pausing_are_allowed_for() -> None:
    """A wallet that works in sessions has as many active bins as another, and longer silences."""
    _, rates = learned(sessions)
    assert rates.stretch > 2


def test_hours_of_which_nothing_is_known_count_neither_way() -> None:
    """After them the wallet is known as it was: not quieter, and not busier."""
    known, _ = learned(poisson(by_day(12)))
    holed, _ = learned(poisson(by_day(12)))
    covered_s, active_bins = holed.covered_s, holed.active_bins
    end_s = BEGAN_S + LEARNED_S
    holed.add(Sent(after_s=end_s, until_s=end_s + 12 * HOUR_S, count=40))
    assert holed.covered_s == pytest.approx(covered_s, abs=13 * HOUR_S / 12)
    assert holed.active_bins == pytest.approx(active_bins, abs=13)
    before, after = known.rates(), holed.rates()
    assert before is not None
    assert after is not None
    at_s = end_s + 12 * HOUR_S
    assert after.surprise(at_s, at_s + HOUR_S) == pytest.approx(
        before.surprise(at_s, at_s + HOUR_S), rel=0.05
    )


def test_old_weeks_are_forgotten() -> None:
    activity, _ = learned(poisson(by_day(12)))
    activity.add(sent(BEGAN_S + 2 * LEARNED_S))
    activity.rates()
    assert activity.since_s is not None
    assert activity.since_s >= BEGAN_S + LEARNED_S
    assert activity.active_bins < 30
