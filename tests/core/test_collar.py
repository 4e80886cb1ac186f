"""A market that has just reopened keeps its trades near the auction's price."""

import pytest
from tests.core.spot_desk import AB, SpotDesk, order

from seawall.model.commands import CancelOpenOrders, OrderTerms, PlaceOrder, SetMarketStatus
from seawall.model.events import OrderExpired, Traded
from seawall.model.ids import UserId
from seawall.model.trading import MarketStatus, OrderType, Side, TimeInForce

OPEN, AUCTION = MarketStatus.OPEN, MarketStatus.AUCTION


def reopened(bps: int = 500) -> SpotDesk:
    """Return a market whose auction uncrossed at 100, open with a collar; asks at 103 and 110."""
    desk = SpotDesk().open_plain(status=AUCTION)
    desk.place(1, "BUY", 5, 100)
    desk.place(2, "SELL", 5, 100)
    desk.place(2, "SELL", 2, 103)
    desk.place(2, "SELL", 9, 110)
    desk.done(collar(bps))
    return desk


def collar(bps: int, number: int = 0) -> SetMarketStatus:
    return SetMarketStatus(
        symbol=AB, status=OPEN, reason="reopens", automatic=True, collar_bps=bps, order=number
    )


@pytest.mark.parametrize(
    ("price", "taken"), [(94, False), (95, True), (99, True), (105, True), (106, False)]
)
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_an_order_priced_beyond_it_is_refused(side: str, price: int, taken: bool) -> None:
    desk = reopened()
    if taken:
        desk.place(3, side, 1, price)
    else:
        refused = desk.refused(order(3, side, 1, price))
        assert refused == "percent_price_by_side:collar"


def test_a_market_order_trades_up_to_it_and_what_is_left_expires() -> None:
    desk = reopened()
    events = desk.done(order(3, "BUY", 5, None))
    assert [(e.price_ticks, e.size_lots) for e in events if isinstance(e, Traded)] == [(103, 2)]
    (expired,) = [e for e in events if isinstance(e, OrderExpired)]
    assert (expired.reason, expired.order.filled_lots) == ("price_collar", 2)
    terms = OrderTerms(
        side=Side.BUY, type=OrderType.MARKET, client_order_id="by amount", quote_amount=5_000
    )
    by_amount = desk.done(PlaceOrder(user_id=UserId(3), symbol=AB, terms=terms))
    assert not [e for e in by_amount if isinstance(e, Traded)]
    assert [e.reason for e in by_amount if isinstance(e, OrderExpired)] == ["price_collar"]
    desk.done(CancelOpenOrders(user_id=UserId(2), symbol=AB))
    nothing_there = desk.done(order(3, "BUY", 5, None))
    assert [e.reason for e in nothing_there if isinstance(e, OrderExpired)] == ["no_liquidity"]


def test_fill_or_kill_counts_only_what_the_collar_lets_trade() -> None:
    desk = reopened()
    kills = {"time_in_force": TimeInForce.FOK}
    events = desk.done(order(3, "BUY", 3, 105, **kills))
    assert not [e for e in events if isinstance(e, Traded)]
    events = desk.done(order(3, "BUY", 2, 105, **kills))
    assert [e.price_ticks for e in events if isinstance(e, Traded)] == [103]


def test_a_stop_accepted_before_trades_no_further_and_never_rests_across_the_book() -> None:
    desk = SpotDesk().open_plain(status=OPEN)
    desk.place(1, "BUY", 1, 90)
    desk.place(2, "SELL", 1, 90)
    stop = desk.place(
        3, "BUY", 9, 120, type=OrderType.STOP_LOSS_LIMIT, stop_price=100
    )  # its limit is far above what will be the collar
    desk.status(AUCTION)
    desk.place(1, "BUY", 5, 100)
    desk.place(2, "SELL", 5, 100)
    desk.place(2, "SELL", 2, 104)
    desk.place(2, "SELL", 9, 110)
    events = desk.done(collar(500))
    traded = [(e.price_ticks, e.size_lots) for e in events if isinstance(e, Traded)]
    assert traded == [(100, 5), (104, 2)]
    expired = [(e.order, e.reason) for e in events if isinstance(e, OrderExpired)]
    assert expired == [(stop, "price_collar")]
    assert desk.book() == ([], [(110, 9)])


def test_it_keeps_its_reference_while_it_widens_and_is_lifted_by_an_order_or_any_other_status() -> (
    None
):
    desk = reopened()
    desk.place(3, "BUY", 2, 103)
    desk.done(collar(900))
    assert (desk.market.collar_ticks, desk.market.last_ticks) == (100, 103)
    assert desk.refused(order(3, "BUY", 1, 110)) == "percent_price_by_side:collar"
    same = SetMarketStatus(symbol=AB, status=OPEN, reason="again", collar_bps=900)
    assert desk.refused(same).startswith("invalid_status_change")
    desk.done(collar(0))
    desk.place(3, "BUY", 1, 110)
    desk.done(collar(200))
    assert desk.market.collar_ticks == 110
    desk.status(MarketStatus.CANCEL_ONLY)
    assert (desk.market.collar_bps, desk.market.collar_ticks) == (0, 0)


def test_a_market_that_never_traded_has_nothing_to_be_far_from() -> None:
    desk = SpotDesk().open_plain(status=AUCTION)
    desk.done(collar(100))
    desk.place(1, "BUY", 1, 5)
    desk.place(2, "SELL", 1, 5_000)
    assert desk.market.collar_bps == 100


def test_an_order_of_control_counts_once_and_never_after_a_later_one() -> None:
    desk = SpotDesk().open_plain(status=OPEN)

    def told(status: MarketStatus, number: int, bps: int = 0) -> SetMarketStatus:
        return SetMarketStatus(
            symbol=AB, status=status, reason=str(number), automatic=True, order=number,
            collar_bps=bps,
        )  # fmt: skip

    halted, cancel_only = MarketStatus.HALTED, MarketStatus.CANCEL_ONLY
    desk.done(told(halted, 4))
    assert desk.refused(told(cancel_only, 3)).startswith("stale_order")
    assert desk.done(told(cancel_only, 4)) == []
    assert desk.refused(told(OPEN, 5)).startswith("invalid_status_change")
    assert desk.market.status_order == 4, "an order that cannot be is not remembered"
    # A person moves it; control's old order does not undo that, its next one finds it there.
    desk.status(cancel_only)
    assert (desk.market.status_order, desk.done(told(halted, 4))) == (4, [])
    since_ns = desk.market.status_since_ns
    desk.done(told(cancel_only, 7))
    assert (desk.market.status_order, desk.market.status_since_ns) == (7, since_ns)
    desk.done(told(AUCTION, 8))
    desk.done(told(OPEN, 9, bps=100))
    desk.done(told(OPEN, 10, bps=100))
    assert (desk.market.status_order, desk.market.collar_bps) == (10, 100)
    for wrong in (told(OPEN, -1), told(OPEN, 11, bps=10_000), told(OPEN, 11, bps=-1)):
        assert desk.refused(wrong).startswith("invalid_definition")
