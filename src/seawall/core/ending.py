"""How an order ends.  The rule: what ends holds nothing, stands nowhere, and takes its list along.

`cancel` is its owner's wish, `expire` everything else, `fill_up` the good end.  Each emits its
event, then what follows for the order's list: of an OCO the other order ends too; the pending
orders of an OTO are released when the working one is filled, and end when it ends otherwise.
"""

from typing import Final

from seawall.core.book import Ladder
from seawall.core.spot_state import Market, SpotState
from seawall.model.events import Event, OrderCanceled, OrderExpired, OrderListDone
from seawall.model.orders import Order, OrderList
from seawall.model.trading import Contingency, OrderListStatus, OrderStatus, OrderType

_OPEN: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_NEW)
_OCO: Final = Contingency.OCO
_ALL_DONE: Final = OrderListStatus.ALL_DONE
_CANCELED: Final = OrderStatus.CANCELED
_EXPIRED: Final = OrderStatus.EXPIRED
_EXPIRED_IN_MATCH: Final = OrderStatus.EXPIRED_IN_MATCH
_FILLED: Final = OrderStatus.FILLED
_STOP_LOSS: Final = OrderType.STOP_LOSS
_STOP_LOSS_LIMIT: Final = OrderType.STOP_LOSS_LIMIT

BY_OWNER: Final = "by_owner"
BY_LIST: Final = "order_list"
SELF_TRADE: Final = "self_trade_prevention"


def is_open(order: Order) -> bool:
    return order.status in _OPEN


def is_done(order_list: OrderList) -> bool:
    return order_list.status is _ALL_DONE


def is_rising(order: Order) -> bool:
    """Whether a stop order waits for the price to rise to its stop, rather than to fall to it."""
    stops_loss = order.order_type is _STOP_LOSS or order.order_type is _STOP_LOSS_LIMIT
    return order.is_buy == stops_loss


def touch(market: Market, order: Order) -> None:
    """Have the level that the order stands in published at the end of the command."""
    level = order.level
    if level is not None:
        market.touched[level.price_ticks if order.is_buy else -level.price_ticks] = None


def cancel(
    state: SpotState,
    market: Market,
    order: Order,
    cancel_client_order_id: str,
    reason: str,
    events: list[Event],
) -> None:
    """End the order as its owner asked; its whole list, if it has one, is canceled with it."""
    _close(state, market, order, _CANCELED)
    events.append(OrderCanceled(order, cancel_client_order_id, reason))
    if order.order_list is not None:
        _after_end(state, market, order, cancel_client_order_id, events)


def expire(
    state: SpotState, market: Market, order: Order, reason: str, events: list[Event]
) -> None:
    """End the order by its own terms, the market's status or a refusal on its way to the book."""
    _close(state, market, order, _EXPIRED)
    events.append(OrderExpired(order, reason))
    if order.order_list is not None:
        _after_end(state, market, order, "", events)


def expire_in_match(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """End the order by self-trade prevention."""
    _close(state, market, order, _EXPIRED_IN_MATCH)
    events.append(OrderExpired(order, SELF_TRADE))
    if order.order_list is not None:
        _after_end(state, market, order, "", events)


def fill_up(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """End an order of which nothing is left to fill; the trade that did it was its event."""
    _close(state, market, order, _FILLED)
    if order.order_list is not None:
        _after_end(state, market, order, "", events)


def end_siblings(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """End the other order of an OCO pair: this one has begun to trade or to work."""
    order_list = order.order_list
    if order_list is None:
        return
    pair = order_list.orders if order_list.contingency is _OCO else order_list.orders[1:]
    if order not in pair:
        return
    for other in pair:
        if other is not order and other.status in _OPEN:
            # Without what follows for the list: this order, which lives on, must not end with it.
            _close(state, market, other, _EXPIRED)
            events.append(OrderExpired(other, BY_LIST))


def _close(state: SpotState, market: Market, order: Order, status: OrderStatus) -> None:
    """Take the order out of wherever it stands, release what it holds and set its end status."""
    if order.level is not None:
        _take_out(market, order)
    elif order.status is not _FILLED:
        market.trailing.pop(order.order_id, None)
        market.triggered.pop(order.order_id, None)
        market.auction_orders.pop(order.order_id, None)
    if order.held_atoms:
        ledger = state.ledger
        asset = market.quote if order.is_buy else market.base
        ledger.release(ledger.balance(order.user_id, asset), order.held_atoms)
        order.held_atoms = 0
    state.accounts[order.user_id].remove_open(order)
    order.status = status
    order.updated_ns = state.at_ns


def _take_out(market: Market, order: Order) -> None:
    ladder: Ladder
    if order.working_ns >= 0:
        touch(market, order)
        ladder = market.bids if order.is_buy else market.asks
    else:
        ladder = market.rising_stops if is_rising(order) else market.falling_stops
    ladder.remove(order)


def _after_end(
    state: SpotState,
    market: Market,
    order: Order,
    cancel_client_order_id: str,
    events: list[Event],
) -> None:
    order_list = order.order_list
    if order_list is None or is_done(order_list):
        return
    is_working = order_list.contingency is not _OCO and order is order_list.orders[0]
    if is_working and order.status is _FILLED:
        market.released.append(order_list)
    else:
        for other in order_list.orders:
            if other.status not in _OPEN:
                continue
            if order.status is _CANCELED:
                cancel(state, market, other, cancel_client_order_id, BY_LIST, events)
            else:
                expire(state, market, other, BY_LIST, events)
    if is_done(order_list):
        return
    for other in order_list.orders:
        if other.status in _OPEN:
            return
    order_list.status = _ALL_DONE
    state.accounts[order.user_id].open_lists.pop(order_list.order_list_id, None)
    events.append(OrderListDone(order_list))
