"""The flow that other tests rely on reaches what it is meant to reach."""

from collections import Counter

from seawall.lib.prng import Prng
from tests.views.flow import GAPS_NS, Exchange


def test_a_flow_reaches_every_event_that_views_follow() -> None:
    prng = Prng(7)
    exchange = Exchange(None)
    exchange.list_markets()
    seen: Counter[str] = Counter()
    for _ in range(4_000):
        events = exchange.step(
            (
                prng.below(27), prng.below(4), prng.below(21), prng.between(1, 20),
                prng.below(len(GAPS_NS) - 1),
            )
        )  # fmt: skip
        seen.update(type(event).__name__ for event in events)
        seen.update(
            f"rejected {event.reason}" for event in events if hasattr(event, "detail")
        )
    wanted = {
        "OrderAccepted", "OrderTriggered", "OrderCanceled", "OrderExpired", "OrderAmended",
        "Traded", "MatchPrevented", "OrderListStarted", "OrderListDone", "LevelChanged",
        "MarketStatusChanged", "Uncrossed",
    }  # fmt: skip
    assert wanted <= seen.keys(), seen
