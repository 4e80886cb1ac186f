"""18 December 2022: a provider lost its cooling, and an exchange's hot wallet stood still.

Public facts: the exchange was hit at 03:00 UTC on that Sunday, analysts wrote hours later that the
hot wallet had processed nothing, and withdrawals reopened at 04:00 UTC the next day.  How much the
wallet sent before is not in those accounts, so several rates are tried.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.watch.simulated import Watched, by_day, poisson

from seawall.watch.chain_silence import Verdict

IMPACT_S = datetime(2022, 12, 18, 3, 0, tzinfo=UTC).timestamp()
REOPENED_S = datetime(2022, 12, 19, 4, 0, tzinfo=UTC).timestamp()
FIVE_HOURS_S = 5 * 3_600


@pytest.mark.parametrize(
    ("per_hour", "named_within_min"), [(200, 20), (60, 20), (20, 60), (6, 180), (4, 300)]
)
def test_it_is_named_before_anybody_wrote_of_it(
    per_hour: float, named_within_min: int, record_property: Callable[[str, object], None]
) -> None:
    watched = Watched(poisson(by_day(per_hour, swing=0.5)), until_s=IMPACT_S, seed=7)
    assert watched.assess().verdict is Verdict.ACTIVE
    while watched.assess().verdict is Verdict.ACTIVE:
        watched.block()
        assert watched.wall_s < IMPACT_S + FIVE_HOURS_S
    took_min = (watched.wall_s - IMPACT_S) / 60
    record_property("named_after_min", round(took_min, 1))
    print(f"{per_hour:g} an hour: named {took_min:.1f} min after the impact")
    assert watched.assess().verdict is Verdict.WALLET_SILENT
    assert took_min <= named_within_min
    # It stays named for as long as it lasts, and ends with the first payment.
    while watched.wall_s < REOPENED_S:
        watched.block(seconds=1_200)
        assert watched.assess().verdict is Verdict.WALLET_SILENT
    watched.send()
    watched.block()
    assert watched.detector.wanted(watched.now) == "one"
