"""The depth view against the core's book, and a follower's book against both."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.flow import Exchange, Step, flows

from seawall.core.book import Ladder
from seawall.lib.invariants import InvariantError
from seawall.model.events import LevelChanged
from seawall.views.depth import DepthDiff, DepthView
from seawall.views.rows import Depth, DepthDiffRow


def visible(ladder: Ladder) -> list[tuple[int, int]]:
    return [
        (level.price_ticks, level.visible_lots)
        for level in ladder.best_first()
        if level.visible_lots
    ]


class Follower:
    """A client's book, kept as Binance tells its clients to."""

    def __init__(self, snapshot: Depth) -> None:
        self.update_id = snapshot.update_id
        self.bids = dict(snapshot.bids)
        self.asks = dict(snapshot.asks)
        self.is_first = True

    def apply(self, diff: DepthDiffRow) -> None:
        if diff.last_update_id <= self.update_id:
            return
        if self.is_first:
            assert diff.first_update_id <= self.update_id + 1
        else:
            assert diff.first_update_id == self.update_id + 1
        self.is_first = False
        for side, changes in ((self.bids, diff.bids), (self.asks, diff.asks)):
            for ticks, lots in changes:
                if lots:
                    side[ticks] = lots
                else:
                    side.pop(ticks, None)
        self.update_id = diff.last_update_id


def watch(exchange: Exchange, views: dict[str, DepthView]) -> None:
    """Feed the events of the last entry."""
    for event in exchange.events:
        if isinstance(event, LevelChanged):
            views[event.symbol].apply(event)


@settings(deadline=None, max_examples=40)
@given(flows, st.integers(1, 9), st.integers(0, 40))
def test_book_snapshot_and_diffs_equal_the_core(
    flow: list[Step], drain_every: int, follow_from: int
) -> None:
    exchange = Exchange(None)
    exchange.list_markets()
    views = {symbol: DepthView() for symbol in exchange.state.markets}
    diffs: dict[str, DepthDiff] = {symbol: view.open_diff() for symbol, view in views.items()}
    followers: dict[str, Follower] = {}
    for number, step in enumerate(flow):
        exchange.step(step)
        watch(exchange, views)
        if number == follow_from % len(flow):
            followers = {symbol: Follower(view.depth(5_000)) for symbol, view in views.items()}
        for symbol, view in views.items():
            market = exchange.state.markets[symbol]
            snapshot = view.depth(5_000)
            assert (snapshot.bids, snapshot.asks) == (visible(market.bids), visible(market.asks))
            assert snapshot.update_id == market.update_id
            best = view.best()
            assert (best.bid_ticks, best.bid_lots) == (snapshot.bids or [(0, 0)])[0]
            assert (best.ask_ticks, best.ask_lots) == (snapshot.asks or [(0, 0)])[0]
            assert view.depth(2).bids == snapshot.bids[:2]
            if number % drain_every and number < len(flow) - 1:
                continue
            diff = diffs[symbol].drain()
            follower = followers.get(symbol)
            if diff is not None and follower is not None:
                follower.apply(diff)
                assert dict(snapshot.bids) == follower.bids
                assert dict(snapshot.asks) == follower.asks


def test_a_diff_tells_the_last_size_of_a_level_once() -> None:
    view = DepthView()
    view.apply(LevelChanged("AB", is_bid=True, price_ticks=10, visible_lots=1, update_id=1))
    diff = view.open_diff()
    assert diff.drain() is None
    for update_id, (is_bid, ticks, lots) in enumerate(
        [(True, 10, 4), (True, 11, 2), (False, 20, 1), (True, 10, 0), (False, 19, 3)], 2
    ):
        view.apply(LevelChanged("AB", is_bid, ticks, lots, update_id))
    assert diff.drain() == DepthDiffRow(
        first_update_id=2, last_update_id=6, bids=[(11, 2), (10, 0)], asks=[(19, 3), (20, 1)]
    )
    view.apply(LevelChanged("AB", is_bid=False, price_ticks=19, visible_lots=0, update_id=7))
    assert diff.drain() == DepthDiffRow(
        first_update_id=7, last_update_id=7, bids=[], asks=[(19, 0)]
    )
    view.close_diff(diff)
    view.apply(LevelChanged("AB", is_bid=True, price_ticks=9, visible_lots=1, update_id=8))
    assert diff.drain() is None


def test_a_missing_update_stops_the_view() -> None:
    view = DepthView()
    view.apply(LevelChanged("AB", is_bid=True, price_ticks=10, visible_lots=1, update_id=1))
    with pytest.raises(InvariantError):
        view.apply(LevelChanged("AB", is_bid=True, price_ticks=10, visible_lots=1, update_id=3))
