"""The flow that other tests rely on reaches what it is meant to reach."""

from collections import Counter

from tests.views.flow import Exchange, random_flow


def test_a_flow_reaches_every_event_that_views_follow() -> None:
    exchange = Exchange(None)
    exchange.list_markets()
    seen: Counter[str] = Counter()
    for step in random_flow(7, 3_000):
        seen.update(type(event).__name__ for event in exchange.step(step))
    wanted = {
        "OrderAccepted", "OrderTriggered", "OrderCanceled", "OrderExpired", "OrderAmended",
        "Traded", "MatchPrevented", "OrderListStarted", "OrderListDone", "LevelChanged",
        "MarketStatusChanged", "Uncrossed",
    }  # fmt: skip
    assert wanted <= seen.keys(), seen
    assert seen["Traded"] > 200
    notionals = [trade.quote_atoms for _, trade in exchange.trades]
    assert min(notionals) < 1 << 63 < max(notionals)
