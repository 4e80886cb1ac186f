"""The accrual detector: what holds of every history of answers."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.watch.accrual import PHI_MOST, Accrual, AccrualTerms, Latencies, suspicion

SECOND_NS = 1_000_000_000
TERMS = AccrualTerms(
    expected_ns=SECOND_NS, deviation_floor_ns=SECOND_NS // 4, longest_ns=10 * SECOND_NS, window=50
)
MOMENTS = st.integers(0, 10**18)
STEPS = st.lists(st.integers(-5 * SECOND_NS, 20 * SECOND_NS), max_size=120)


def fed(steps: list[int], start_ns: int = 10**15) -> tuple[Accrual, int]:
    detector, at_ns = Accrual(TERMS), start_ns
    detector.arrived(at_ns)
    for step in steps:
        at_ns += step
        detector.arrived(at_ns)
    return detector, at_ns


@given(steps=STEPS, waits=st.lists(st.integers(0, 10**12), min_size=2, max_size=20))
def test_phi_grows_with_silence_whatever_came_before(steps: list[int], waits: list[int]) -> None:
    detector, at_ns = fed(steps)
    found = [detector.phi(at_ns + wait) for wait in sorted(waits)]
    assert found == sorted(found)
    assert all(0 <= phi <= PHI_MOST for phi in found)


@given(steps=STEPS)
def test_a_long_enough_silence_is_certain(steps: list[int]) -> None:
    """Even after the wildest history: intervals count no more than the longest."""
    detector, at_ns = fed(steps)
    assert detector.phi(at_ns + 100 * SECOND_NS) > 8


@given(jitter=st.lists(st.integers(-50_000_000, 50_000_000), min_size=60, max_size=120))
def test_regular_answers_stay_low_and_two_missed_do_not(jitter: list[int]) -> None:
    detector, at_ns = fed([])
    for each in jitter:
        assert detector.phi(at_ns + SECOND_NS + each) < 1
        at_ns += SECOND_NS + each
        detector.arrived(at_ns)
    assert detector.phi(at_ns + 3 * SECOND_NS) > 8


@given(before=STEPS, back_ns=st.integers(1, 10**15), after=STEPS, moment=MOMENTS)
def test_a_clock_that_jumps_back_does_no_harm(
    before: list[int], back_ns: int, after: list[int], moment: int
) -> None:
    detector, at_ns = fed(before)
    mean_ns, deviation_ns = detector.mean_ns, detector.deviation_ns
    # Nothing is suspected of a moment before the last answer, and nothing learnt from it.
    assert detector.phi(at_ns - back_ns) == detector.phi(at_ns)
    detector.arrived(at_ns - back_ns)
    assert (detector.mean_ns, detector.deviation_ns) == (mean_ns, deviation_ns)
    # Silence counts from then on, not from when the clock has caught up.
    assert detector.phi(at_ns - back_ns + 100 * SECOND_NS) > 8
    for step in after:
        detector.arrived(at_ns := at_ns + step)
    assert 0 <= detector.phi(moment) <= PHI_MOST


@given(steps=st.lists(st.integers(0, 20 * SECOND_NS), max_size=300))
def test_mean_and_deviation_are_those_of_the_window(steps: list[int]) -> None:
    detector, _ = fed(steps)
    kept = [SECOND_NS, *(min(step, TERMS.longest_ns) for step in steps)][-TERMS.window :]
    mean_ns = sum(kept) / len(kept)
    deviation_ns = math.sqrt(sum((each - mean_ns) ** 2 for each in kept) / len(kept))
    assert detector.mean_ns == pytest.approx(mean_ns)
    assert detector.deviation_ns == pytest.approx(max(deviation_ns, SECOND_NS / 4), rel=1e-6)


def test_what_nobody_listened_to_is_no_silence() -> None:
    detector, at_ns = fed([SECOND_NS] * 20)
    suspected = detector.phi(at_ns + SECOND_NS)
    detector.forgive(60 * SECOND_NS)
    assert detector.phi(at_ns + 61 * SECOND_NS) == suspected


@pytest.mark.parametrize("deviations", [-40.0, -3.0, 0.0, 1.0, 3.0, 5.0])
def test_suspicion_is_the_tail_of_the_normal_distribution(deviations: float) -> None:
    assert suspicion(deviations) == pytest.approx(
        -math.log10(1 - NormalDist().cdf(deviations)), abs=1e-6
    )


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_suspicion_never_falls_also_where_the_series_takes_over(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert suspicion(low) <= suspicion(high)
    assert suspicion(7.999999) <= suspicion(8.0) <= suspicion(7.999999) + 1e-3


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300), st.floats(0, 1))
def test_a_quantile_is_a_kept_time_with_its_share_at_or_below(
    times: list[int], share: float
) -> None:
    latencies = Latencies(window=100)
    for each in times:
        latencies.add(each)
    kept, found = times[-100:], latencies.quantile(share)
    assert found in kept
    assert sum(each <= found for each in kept) >= share * len(kept) - 1e-6
    assert sum(each < found for each in kept) <= share * len(kept) + 1e-6
    assert (latencies.count, latencies.total_ns) == (len(times), sum(times))
    assert Latencies().quantile(share) == 0
