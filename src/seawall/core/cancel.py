"""Cancels.  The rule: whoever has an order may cancel it, whatever the market's status."""

from typing import Final

from seawall.core.ending import BY_OWNER, cancel, is_open
from seawall.core.place import accept, decide_order, start
from seawall.core.spot_state import Market, SpotState
from seawall.model.commands import (
    CancelOpenOrders,
    CancelOrder,
    CancelOrderList,
    CancelReplaceOrder,
)
from seawall.model.events import CancelReplaceDecided, CommandRejected, Event
from seawall.model.orders import Order
from seawall.model.rejections import Rejection
from seawall.model.trading import CancelReplaceMode, CancelRestriction, OrderStatus

_PARTIALLY_FILLED: Final = OrderStatus.PARTIALLY_FILLED


def find_open_order(
    state: SpotState,
    user_id: int,
    symbol: str,
    order_id: int | None,
    client_order_id: str | None,
) -> Order | None:
    """Return the user's open order of that id or client's id; of both, they must agree."""
    account = state.accounts.get(user_id)
    if account is None:
        return None
    if order_id is not None:
        order = account.open_orders.get(order_id)
        if order is None or order.symbol != symbol:
            return None
        if client_order_id is not None and order.client_order_id != client_order_id:
            return None
        return order
    if client_order_id is None:
        return None
    return account.by_client_id.get((symbol, client_order_id))


def cancel_order(state: SpotState, command: CancelOrder, events: list[Event]) -> Market | None:
    """Cancel the order, with its list if it has one; return the market if it was touched."""
    symbol = command.symbol
    market = state.markets.get(symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return None
    order = find_open_order(
        state, command.user_id, symbol, command.order_id, command.client_order_id
    )
    if order is None:
        events.append(CommandRejected(Rejection.UNKNOWN_ORDER))
        return None
    restriction = command.restriction
    if restriction is not None and is_restricted(order, restriction):
        events.append(CommandRejected(Rejection.CANCEL_RESTRICTED))
        return None
    cancel(state, market, order, command.cancel_client_order_id, BY_OWNER, events)
    return market


def is_restricted(order: Order, restriction: CancelRestriction) -> bool:
    """Whether the restriction forbids to cancel the order as it is now."""
    is_partial = order.status is _PARTIALLY_FILLED
    return is_partial == (restriction is CancelRestriction.ONLY_NEW)


def cancel_open_orders(
    state: SpotState, command: CancelOpenOrders, events: list[Event]
) -> Market | None:
    """Cancel all that the user has open in the market, lists included."""
    market = state.markets.get(command.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return None
    if not cancel_all(state, market, command.user_id, BY_OWNER, events):
        events.append(CommandRejected(Rejection.UNKNOWN_ORDER))
        return None
    return market


def cancel_all(
    state: SpotState, market: Market, user_id: int, reason: str, events: list[Event]
) -> bool:
    """Cancel the user's open orders in the market, oldest first; return whether there were any."""
    account = state.accounts.get(user_id)
    if account is None:
        return False
    orders = [order for order in account.open_orders.values() if order.symbol == market.symbol]
    for order in orders:
        if is_open(order):
            cancel(state, market, order, "", reason, events)
    return bool(orders)


def cancel_order_list(
    state: SpotState, command: CancelOrderList, events: list[Event]
) -> Market | None:
    """Cancel all that is open of the list."""
    market = state.markets.get(command.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return None
    order = _first_of_list(state, command)
    if order is None:
        events.append(CommandRejected(Rejection.UNKNOWN_ORDER_LIST))
        return None
    cancel(state, market, order, command.cancel_client_order_id, BY_OWNER, events)
    return market


def _first_of_list(state: SpotState, command: CancelOrderList) -> Order | None:
    """Return the first open order of the list that the command names."""
    account = state.accounts.get(command.user_id)
    if account is None:
        return None
    for list_id, order_list in account.open_lists.items():
        if order_list.symbol != command.symbol:
            continue
        if command.order_list_id is not None and command.order_list_id != list_id:
            continue
        name = command.list_client_order_id
        if name is None and command.order_list_id is None:
            return None
        if name is not None and name != order_list.list_client_order_id:
            continue
        for order in order_list.orders:
            if is_open(order):
                return order
    return None


def cancel_replace_order(
    state: SpotState, command: CancelReplaceOrder, events: list[Event]
) -> Market | None:
    """Cancel one order and place another; `CancelReplaceDecided` comes first and tells of both.

    The new order is judged after the cancel took effect: by the money and the place that it freed.
    """
    done: list[Event] = []
    cancel_refusal: CommandRejected | None = None
    market = cancel_order(state, command.cancel, done)
    if market is None:
        cancel_refusal = _refusal(done)
        done = []
    attempted = cancel_refusal is None or command.mode is CancelReplaceMode.ALLOW_FAILURE
    place_refusal: CommandRejected | None = None
    placing = state.markets.get(command.place.symbol)
    if attempted:
        if placing is None:
            place_refusal = CommandRejected(Rejection.UNKNOWN_SYMBOL)
        else:
            decided = decide_order(state, placing, command.place)
            if isinstance(decided, CommandRejected):
                place_refusal = decided
            else:
                accept(state, placing, decided, done)
                start(state, placing, decided, done)
                market = placing
    events.append(
        CancelReplaceDecided(
            None if cancel_refusal is None else cancel_refusal.reason,
            "" if cancel_refusal is None else cancel_refusal.detail,
            attempted,
            None if place_refusal is None else place_refusal.reason,
            "" if place_refusal is None else place_refusal.detail,
        )
    )
    events.extend(done)
    if market is None:
        events.append(CommandRejected(Rejection.CANCEL_REPLACE_FAILED))
    return market


def _refusal(events: list[Event]) -> CommandRejected | None:
    for event in events:
        if isinstance(event, CommandRejected):
            return event
    return None
