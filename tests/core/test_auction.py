"""The auction's price against a naive search over every tick, and the uncross's own promises."""

from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.spot_desk import SpotDesk, order, plain_instrument

from seawall.core.auction import indicative
from seawall.core.spot_state import Market
from seawall.model.commands import SetFeeTier, SetTradeGroup
from seawall.model.events import (
    Event,
    IndicativeChanged,
    MatchPrevented,
    OrderExpired,
    OrderTriggered,
    Traded,
    Uncrossed,
)
from seawall.model.ids import FEES, UserId
from seawall.model.instruments import FeeTier
from seawall.model.orders import Order
from seawall.model.trading import MarketStatus, OrderStatus, OrderType, StpMode, TimeInForce

E = TypeVar("E", bound=Event)
HIGHEST = 40


def market_of(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[tuple[int, int]],
    market_sells: list[int],
    last: int,
) -> Market:
    """Return a market with these orders as (ticks, lots), market buys with what they can pay."""
    market = Market(plain_instrument())
    market.last_ticks = last
    orders = [(True, ticks, lots, False) for ticks, lots in bids]
    orders += [(False, ticks, lots, False) for ticks, lots in asks]
    orders += [(True, ticks, lots, True) for ticks, lots in market_buys]
    orders += [(False, 0, lots, True) for lots in market_sells]
    for number, (is_buy, ticks, lots, is_market) in enumerate(orders, 1):
        kind = OrderType.MARKET if is_market else OrderType.LIMIT
        one = Order(number, number, "AB", str(number), is_buy, kind, TimeInForce.GTC, 0)
        one.size_lots = lots
        one.held_atoms = ticks * lots if is_buy else lots
        if is_market:
            market.auction_orders[number] = one
        else:
            one.price_ticks = ticks
            # Half of the size is an iceberg's hidden part.
            one.iceberg_lots = (lots + 1) // 2
            (market.bids if is_buy else market.asks).add(one, ticks, one.iceberg_lots)
    return market


def naive(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[tuple[int, int]],
    market_sells: list[int],
    last: int,
) -> tuple[int, int, int]:
    """Apply the rule as it is written, price by price."""
    demand = {
        p: sum(lots for ticks, lots in bids + market_buys if ticks >= p)
        for p in range(1, HIGHEST + 2)
    }
    supply = {
        p: sum(lots for ticks, lots in asks if ticks <= p) + sum(market_sells)
        for p in range(1, HIGHEST + 2)
    }
    most = max(min(demand[p], supply[p]) for p in demand)
    if most == 0:
        return (0, 0, 0)
    prices = [p for p in demand if min(demand[p], supply[p]) == most]
    # Prices that market orders did not make, or the nearest to them.
    makers = [last, max((t for t, _ in bids), default=0), min((t for t, _ in asks), default=0)]
    if sum(market_sells) < most:
        makers.append(min(prices))
    makers = [maker for maker in makers if maker]
    if not makers:
        return (0, 0, 0)
    near = [p for p in prices if min(makers) <= p <= max(makers)]
    if not near:
        near = [min(prices) if min(prices) > max(makers) else max(prices)]
    surplus = {p: demand[p] - supply[p] for p in near}
    least = min(abs(value) for value in surplus.values())
    ties = [p for p in near if abs(surplus[p]) == least]
    over = [p for p in ties if surplus[p] > 0]
    under = [p for p in ties if surplus[p] < 0]
    ties = over[-1:] + [p for p in ties if surplus[p] == 0] + under[:1]
    chosen = (min(ties) + max(ties)) // 2
    if last:
        chosen = min(ties, key=lambda p: (abs(p - last), -p))
    return (chosen, most, surplus[chosen])


prices = st.integers(1, HIGHEST)
sizes = st.integers(1, 12)
limits = st.lists(st.tuples(prices, sizes), max_size=7)


@given(
    bids=limits,
    asks=limits,
    market_buys=st.lists(st.tuples(prices, sizes), max_size=3),
    market_sells=st.lists(sizes, max_size=3),
    last=st.integers(0, HIGHEST),
)
def test_the_indicative_price_is_what_the_rule_says(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[tuple[int, int]],
    market_sells: list[int],
    last: int,
) -> None:
    market = market_of(bids, asks, market_buys, market_sells, last)
    assert indicative(market) == naive(bids, asks, market_buys, market_sells, last)


@given(
    bids=limits,
    asks=limits,
    market_buys=st.lists(sizes, max_size=3),
    market_sells=st.lists(sizes, max_size=3),
)
def test_an_uncross_trades_the_indicative_volume_at_one_price_and_leaves_the_book_uncrossed(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[int],
    market_sells: list[int],
) -> None:
    desk = SpotDesk(checked=False).open_plain(status=MarketStatus.AUCTION)
    for number, (ticks, lots) in enumerate(bids):
        desk.place(number % 4 + 1, "BUY", lots, ticks, iceberg_size=(lots + 1) // 2)
    for number, (ticks, lots) in enumerate(asks):
        desk.place(number % 4 + 5, "SELL", lots, ticks, iceberg_size=(lots + 1) // 2)
    for number, lots in enumerate(market_buys):
        desk.place(number % 4 + 1, "BUY", lots, None)
    for number, lots in enumerate(market_sells):
        desk.place(number % 4 + 5, "SELL", lots, None)
    ticks, lots, _ = desk.market.indicative
    assert (ticks, lots) == indicative(desk.market)[:2]
    desk.checked = True
    events = desk.status(MarketStatus.OPEN)
    trades = of(Traded, events)
    assert sum(trade.size_lots for trade in trades) == lots
    assert {trade.price_ticks for trade in trades} <= {ticks}
    assert all(trade.auction and trade.taker.is_buy for trade in trades)
    assert [(e.price_ticks, e.size_lots) for e in of(Uncrossed, events)] == [(ticks, lots)]
    assert not desk.market.auction_orders


def of(kind: type[E], events: list[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def trades_of(events: list[Event]) -> list[tuple[int, int, int, int]]:
    """Return buyer, seller, price and size of each trade."""
    return [
        (trade.taker.user_id, trade.maker.user_id, trade.price_ticks, trade.size_lots)
        for trade in of(Traded, events)
    ]


def in_auction() -> SpotDesk:
    return SpotDesk().open_plain(status=MarketStatus.AUCTION)


@pytest.mark.parametrize(
    "bids, asks, last, expected",
    [
        # At 100 a buyer of 2 is left over, at 101 a seller of 1: the smaller surplus wins.
        ([(105, 5), (100, 2)], [(95, 5), (101, 1)], 100, (101, 5, -1)),
        ([(105, 5), (100, 1)], [(95, 5), (101, 2)], 101, (100, 5, 1)),
        # Equal surplus on both sides: the last price decides, the higher if it is nearer.
        ([(105, 5), (100, 2)], [(95, 5), (101, 2)], 100, (100, 5, 2)),
        ([(105, 5), (100, 2)], [(95, 5), (101, 2)], 102, (101, 5, -2)),
        ([(105, 5), (100, 2)], [(95, 5), (101, 2)], 0, (100, 5, 2)),
        # Nobody is left over from 98 to 102: the nearest to the last price, or the middle.
        ([(105, 5), (97, 2)], [(95, 5), (103, 2)], 200, (102, 5, 0)),
        ([(105, 5), (97, 2)], [(95, 5), (103, 2)], 1, (98, 5, 0)),
        ([(105, 5), (97, 2)], [(95, 5), (103, 2)], 0, (100, 5, 0)),
    ],
)
def test_tie_breaks(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    last: int,
    expected: tuple[int, int, int],
) -> None:
    assert indicative(market_of(bids, asks, [], [], last)) == expected


def test_market_orders_alone_take_the_last_price_or_none() -> None:
    assert indicative(market_of([], [], [(40, 5)], [3], 30)) == (30, 3, 2)
    assert indicative(market_of([], [], [(40, 5)], [3], 0)) == (0, 0, 0)
    # What can be paid bounds the price, not the other way round.
    assert indicative(market_of([], [], [(20, 5)], [3], 30)) == (20, 3, 2)
    # A far ask that does not trade makes no price.
    assert indicative(market_of([], [(10, 5), (39, 9)], [(38, 9)], [], 0)) == (10, 5, 4)


def test_market_orders_trade_first_then_price_then_time() -> None:
    desk = in_auction()
    desk.place(1, "BUY", 5, 100)
    desk.place(2, "BUY", 5, 101)
    desk.place(3, "BUY", 5, 101)
    desk.place(4, "BUY", 5, None)
    desk.place(5, "SELL", 12, 100)
    assert trades_of(desk.status(MarketStatus.OPEN)) == [
        (4, 5, 101, 5),
        (2, 5, 101, 5),
        (3, 5, 101, 2),
    ]
    assert desk.book() == ([(101, 3), (100, 5)], [])


def test_what_is_left_of_a_market_order_expires_and_gives_its_hold_back() -> None:
    desk = in_auction()
    waiting = desk.place(1, "BUY", 5, None)
    desk.place(2, "SELL", 3, 100)
    events = desk.status(MarketStatus.OPEN)
    assert trades_of(events) == [(1, 2, 100, 3)]
    assert [event.order for event in of(OrderExpired, events)] == [waiting]
    assert waiting.status is OrderStatus.EXPIRED
    assert desk.state.ledger.balance(1, "B").held == 0


def test_in_the_last_level_shown_parts_of_icebergs_take_turns() -> None:
    desk = in_auction()
    desk.place(1, "BUY", 6, 100, iceberg_size=2)
    desk.place(2, "BUY", 2, 100)
    desk.place(3, "SELL", 5, 100)
    assert trades_of(desk.status(MarketStatus.OPEN)) == [
        (1, 3, 100, 2),
        (2, 3, 100, 2),
        (1, 3, 100, 1),
    ]
    assert [(lv.visible_lots, lv.total_lots) for lv in desk.market.bids.best_first()] == [(1, 3)]


def test_both_sides_pay_the_takers_fee() -> None:
    desk = in_auction()
    desk.done(SetFeeTier(tier=FeeTier(tier=0, maker_ppm=0, taker_ppm=10_000)))
    desk.place(1, "BUY", 1_000, 100)
    desk.place(2, "SELL", 1_000, 100)
    (trade,) = of(Traded, desk.status(MarketStatus.OPEN))
    assert (trade.taker_fee_atoms, trade.maker_fee_atoms) == (10, 1_000)
    assert desk.state.ledger.free(FEES, "A") == 10
    assert desk.state.ledger.free(FEES, "B") == 1_000


def test_nobody_trades_with_themselves_unless_they_asked_for_no_prevention() -> None:
    desk = in_auction()
    older = desk.place(1, "SELL", 5, 100, stp_mode=StpMode.EXPIRE_MAKER)
    newer = desk.place(1, "BUY", 5, 101, stp_mode=StpMode.EXPIRE_MAKER)
    desk.place(2, "BUY", 3, 100)
    events = desk.status(MarketStatus.OPEN)
    assert trades_of(events) == [(2, 1, 100, 3)]
    (prevented,) = of(MatchPrevented, events)
    assert (prevented.taker, prevented.maker, prevented.taker_lots) == (newer, older, 5)
    assert newer.status is OrderStatus.EXPIRED_IN_MATCH
    desk.status(MarketStatus.AUCTION)
    desk.place(1, "BUY", 2, None)
    assert trades_of(desk.status(MarketStatus.OPEN)) == [(1, 1, 100, 2)]


def test_a_trade_group_is_one_owner() -> None:
    desk = in_auction()
    for user in (1, 2):
        desk.done(SetTradeGroup(user_id=UserId(user), group=7))
    desk.place(1, "SELL", 5, 100, stp_mode=StpMode.EXPIRE_TAKER)
    desk.place(2, "BUY", 5, 100, stp_mode=StpMode.EXPIRE_TAKER)
    events = desk.status(MarketStatus.OPEN)
    assert trades_of(events) == []
    assert [event.order.user_id for event in of(OrderExpired, events)] == [2]


def test_stops_wait_for_the_uncross_and_see_its_price() -> None:
    desk = SpotDesk().open_plain()
    stop = desk.place(
        1, "SELL", 4, None, type=OrderType.STOP_LOSS, stop_price=95, stp_mode=StpMode.NONE
    )
    desk.status(MarketStatus.AUCTION)
    desk.place(2, "BUY", 9, 95)
    desk.place(3, "SELL", 5, 90)
    events = desk.status(MarketStatus.OPEN)
    assert trades_of(events)[0] == (2, 3, 95, 5)
    assert [event.order for event in of(OrderTriggered, events)] == [stop]
    assert stop.status is OrderStatus.FILLED
    assert desk.book() == ([], [])


def test_the_indicative_price_is_told_only_when_it_changes() -> None:
    desk = in_auction()
    told = of(IndicativeChanged, desk.done(order(1, "BUY", 5, 100)))
    assert told == []
    told = of(IndicativeChanged, desk.done(order(2, "SELL", 3, 100)))
    assert [(e.price_ticks, e.size_lots, e.surplus_lots) for e in told] == [(100, 3, 2)]
    assert of(IndicativeChanged, desk.done(order(3, "BUY", 5, 90))) == []
    told = of(IndicativeChanged, desk.status(MarketStatus.OPEN))
    assert [(e.price_ticks, e.size_lots, e.surplus_lots) for e in told] == [(0, 0, 0)]
    assert of(IndicativeChanged, desk.done(order(3, "SELL", 1, 90))) == []
