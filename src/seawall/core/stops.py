"""Stop orders.  The rule: every trade price is seen, in order; what it sets off begins one by one.

A command's trades of one taker go one way, so the first and the last of their prices are all that
a stop needs to see.  An order set off stands in `market.triggered` until it begins, which it does
only while the market is open, at most TRIGGERS_PER_COMMAND in one command; the rest begin with the
next entry.

A trailing order without a stop price follows the market from its placing, one with a stop price
from the first trade at or past it.  It starts once the price has turned by `trailing_bps` from the
best price seen since.
"""

from typing import Final

from seawall.core.book import Ladder
from seawall.core.matching import publish_levels
from seawall.core.order_lists import release
from seawall.core.spot_state import Market, SpotState
from seawall.core.working import begin_again
from seawall.model.events import Event, OrderTriggered
from seawall.model.limits import TRIGGERS_PER_COMMAND
from seawall.model.orders import Order
from seawall.model.trading import MarketStatus

BPS: Final = 10_000
_OPEN: Final = MarketStatus.OPEN


def settle(state: SpotState, market: Market, events: list[Event]) -> None:
    """Do what a command's trades entail, then publish the levels it touched.

    Every command that touches a market ends with this, the uncross of an auction included.
    """
    if market.sweep_ticks or market.released or market.triggered:
        _follow_up(state, market, events)
    if market.touched:
        publish_levels(market, events)


def _follow_up(state: SpotState, market: Market, events: list[Event]) -> None:
    begun = 0
    while True:
        if market.sweep_ticks:
            _see_trades(market)
        if market.released:
            release(state, market, market.released.pop(0), events)
        elif market.triggered and market.status is _OPEN and begun < TRIGGERS_PER_COMMAND:
            begun += 1
            order = next(iter(market.triggered.values()))
            del market.triggered[order.order_id]
            order.triggered = True
            order.updated_ns = state.at_ns
            events.append(OrderTriggered(order))
            begin_again(state, market, order, events)
        else:
            break
    if market.triggered and market.status is _OPEN:
        state.unfinished[market.symbol] = None
    else:
        state.unfinished.pop(market.symbol, None)


def _see_trades(market: Market) -> None:
    first = market.sweep_ticks
    last = market.last_ticks
    market.sweep_ticks = 0
    _see_price(market, first)
    if last != first:
        _see_price(market, last)


def _see_price(market: Market, ticks: int) -> None:
    """Set off what this price reaches: trailing orders first, then the nearest stops."""
    if market.trailing:
        _see_trailing(market, ticks)
    _see_ladder(market, market.rising_stops, ticks, 1)
    _see_ladder(market, market.falling_stops, ticks, -1)


def _see_ladder(market: Market, ladder: Ladder, ticks: int, direction: int) -> None:
    """Take the orders whose stop is reached; a trailing one only begins to follow."""
    while True:
        level = ladder.best()
        if level is None or (level.price_ticks - ticks) * direction > 0:
            return
        order = level.head
        if order is None:
            return
        ladder.remove(order)
        if order.trailing_bps:
            order.trail_ticks = ticks
            market.trailing[order.order_id] = order
        else:
            market.triggered[order.order_id] = order


def _see_trailing(market: Market, ticks: int) -> None:
    reached: list[Order] = []
    for order in market.trailing.values():
        best = order.trail_ticks
        if order.is_buy:
            if best == 0 or ticks < best:
                order.trail_ticks = ticks
            elif ticks * BPS >= best * (BPS + order.trailing_bps):
                reached.append(order)
        elif ticks > best:
            order.trail_ticks = ticks
        elif ticks * BPS <= best * (BPS - order.trailing_bps):
            reached.append(order)
    for order in reached:
        del market.trailing[order.order_id]
        market.triggered[order.order_id] = order
