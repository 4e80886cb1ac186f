"""Every move between statuses, allowed or not, and what it brings with it."""

import pytest
from tests.core.spot_desk import AB, SpotDesk, order

from seawall.core.market_status import TRANSITIONS, Move
from seawall.model.commands import SetMarketStatus
from seawall.model.events import (
    IndicativeChanged,
    MarketStatusChanged,
    OrderExpired,
    Traded,
    Uncrossed,
)
from seawall.model.ids import Symbol
from seawall.model.trading import MarketStatus

OPEN, POST_ONLY, AUCTION, CANCEL_ONLY, HALTED = MarketStatus


def desk_in(status: MarketStatus) -> SpotDesk:
    return SpotDesk().open_plain(status=status)


@pytest.mark.parametrize("now", MarketStatus)
@pytest.mark.parametrize("then", MarketStatus)
def test_exactly_the_moves_of_the_table_are_allowed(now: MarketStatus, then: MarketStatus) -> None:
    desk = desk_in(now)
    collar_bps = 100 if now is then else 0
    command = SetMarketStatus(symbol=AB, status=then, reason="why", collar_bps=collar_bps)
    if (now, then) not in TRANSITIONS:
        assert desk.refused(command) == f"invalid_status_change:{now} to {then}"
        return
    events = desk.done(command)
    changed = next(event for event in events if isinstance(event, MarketStatusChanged))
    assert (changed.previous, changed.status, changed.reason) == (now, then, "why")
    assert desk.market.status is then
    assert desk.market.status_reason == "why"
    changed_now = desk.market.status_since_ns == desk.state.at_ns
    assert changed_now == (now is not then)


def test_every_status_can_be_left_and_reached_and_halting_is_always_possible() -> None:
    for status in MarketStatus:
        assert any(now is status for now, _ in TRANSITIONS)
        assert any(then is status for _, then in TRANSITIONS)
        if status is not HALTED:
            assert (status, HALTED) in TRANSITIONS
    assert [move for (_, then), move in TRANSITIONS.items() if then is AUCTION] == [Move.CALL] * 4


def test_an_unknown_market_is_refused() -> None:
    command = SetMarketStatus(symbol=Symbol("XY"), status=OPEN, reason="")
    assert desk_in(OPEN).refused(command) == "unknown_symbol"


@pytest.mark.parametrize("now", [CANCEL_ONLY, HALTED])
def test_only_a_person_may_skip_the_auction(now: MarketStatus) -> None:
    desk = desk_in(now)
    command = SetMarketStatus(symbol=AB, status=OPEN, reason="", automatic=True)
    assert desk.refused(command).startswith("invalid_status_change:only a person")
    desk.status(OPEN)


@pytest.mark.parametrize("then", [CANCEL_ONLY, HALTED])
def test_an_abandoned_auction_trades_nothing_and_its_crossed_book_cannot_open_without_another(
    then: MarketStatus,
) -> None:
    desk = desk_in(AUCTION)
    desk.place(1, "BUY", 5, 105)
    desk.place(2, "SELL", 5, 100)
    desk.place(3, "BUY", 5, None)
    assert desk.market.indicative == (105, 5, 5)
    events = desk.status(then)
    assert not [event for event in events if isinstance(event, Traded | Uncrossed)]
    (expired,) = [event for event in events if isinstance(event, OrderExpired)]
    assert expired.order.user_id == 3
    assert [e.size_lots for e in events if isinstance(e, IndicativeChanged)] == [0]
    assert desk.book() == ([(105, 5)], [(100, 5)])
    skip = SetMarketStatus(symbol=AB, status=OPEN, reason="")
    assert desk.refused(skip).startswith("invalid_status_change:the book is crossed")
    if then is CANCEL_ONLY:
        post = SetMarketStatus(symbol=AB, status=POST_ONLY, reason="")
        assert desk.refused(post).startswith("invalid_status_change:the book is crossed")
    assert [e.price_ticks for e in desk.status(AUCTION) if isinstance(e, IndicativeChanged)]
    assert [e.price_ticks for e in desk.status(OPEN) if isinstance(e, Uncrossed)] == [102]
    assert desk.book() == ([], [])


def test_what_each_status_accepts() -> None:
    limit = {"BUY": 90, "SELL": 110}
    for status, refusal in (
        (HALTED, "market_halted"),
        (CANCEL_ONLY, "market_cancel_only"),
    ):
        desk = desk_in(OPEN)
        resting = desk.place(1, "BUY", 1, 90)
        desk.status(status)
        assert desk.refused(order(1, "BUY", 1, limit["BUY"])) == refusal
        assert desk.refused(order(1, "BUY", 1, None)) == refusal
        assert resting.level is not None
    desk = desk_in(POST_ONLY)
    desk.place(1, "SELL", 1, 100)
    assert desk.refused(order(2, "BUY", 1, 100)).startswith("market_post_only")
    assert desk.refused(order(2, "BUY", 1, None)).startswith("market_post_only")
    desk.place(2, "BUY", 1, 99)
