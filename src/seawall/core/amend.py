"""Amending.  The rule: an order only becomes smaller, and keeps its place in the queue."""

from seawall.core.book import Ladder
from seawall.core.cancel import find_open_order
from seawall.core.ending import is_open, is_rising, touch
from seawall.core.order_lists import hold_shares
from seawall.core.spot_state import Market, SpotState
from seawall.core.working import adjust_hold, needed_atoms
from seawall.model.commands import AmendOrder
from seawall.model.events import CommandRejected, Event, OrderAmended
from seawall.model.orders import Order
from seawall.model.rejections import Rejection
from seawall.model.trading import Contingency, MarketStatus, OrderStatus


def amend_order(state: SpotState, command: AmendOrder, events: list[Event]) -> Market | None:
    """Make the order smaller, both orders of an OCO pair alike; return the market if touched."""
    market = state.markets.get(command.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return None
    order = find_open_order(
        state, command.user_id, command.symbol, command.order_id, command.client_order_id
    )
    if order is None:
        events.append(CommandRejected(Rejection.UNKNOWN_ORDER))
        return None
    refused = _check(state, market, order, command)
    if refused is not None:
        events.append(refused)
        return None
    _rename_and_shrink(state, market, order, command, events)
    return market


def _check(
    state: SpotState, market: Market, order: Order, command: AmendOrder
) -> CommandRejected | None:
    if market.status is MarketStatus.HALTED:
        return CommandRejected(Rejection.MARKET_HALTED)
    if market.status is MarketStatus.CANCEL_ONLY:
        return CommandRejected(Rejection.MARKET_CANCEL_ONLY)
    name = command.new_client_order_id
    by_client_id = state.accounts[order.user_id].by_client_id
    if name and name != order.client_order_id and (command.symbol, name) in by_client_id:
        return CommandRejected(Rejection.DUPLICATE_CLIENT_ORDER_ID)
    size = command.size
    if size % market.lot_size or not market.min_size <= size <= market.max_size:
        return CommandRejected(Rejection.LOT_SIZE, "size")
    lots = size // market.lot_size
    if order.price_ticks:
        notional = order.price_ticks * lots * market.atoms_per_tick_lot
        if notional < market.min_notional:
            return CommandRejected(Rejection.NOTIONAL)
    for each in _amended_together(order):
        if lots >= each.size_lots or lots <= each.filled_lots + each.prevented_lots:
            return CommandRejected(Rejection.AMEND_NOT_SMALLER)
    # Set off or waiting for an uncross, it is on its way to trade with the size it has.
    if order.order_id in market.triggered or order.order_id in market.auction_orders:
        return CommandRejected(Rejection.AMEND_PENDING)
    return None


def _amended_together(order: Order) -> list[Order]:
    """Return the order, with the other one of its OCO pair while that is open."""
    order_list = order.order_list
    if order_list is None:
        return [order]
    pair = order_list.orders if order_list.contingency is Contingency.OCO else order_list.orders[1:]
    if order not in pair:
        return [order]
    return [each for each in pair if is_open(each)]


def _rename_and_shrink(
    state: SpotState, market: Market, order: Order, command: AmendOrder, events: list[Event]
) -> None:
    lots = command.size // market.lot_size
    together = _amended_together(order)
    for each in together:
        previous_lots = each.size_lots
        previous_name = each.client_order_id
        if each is order and command.new_client_order_id:
            _rename(state, order, command.new_client_order_id)
        _shrink(market, each, lots)
        each.updated_ns = state.at_ns
        events.append(OrderAmended(each, previous_lots, previous_name, lots))
    if order.status is OrderStatus.PENDING_NEW:
        return
    if len(together) == 1:
        adjust_hold(state, market, order, needed_atoms(state, market, order, order.working_ns < 0))
        return
    for each, atoms in zip(together, hold_shares(state, market, together), strict=True):
        adjust_hold(state, market, each, atoms)


def _rename(state: SpotState, order: Order, name: str) -> None:
    account = state.accounts[order.user_id]
    del account.by_client_id[order.symbol, order.client_order_id]
    order.client_order_id = name
    account.by_client_id[order.symbol, name] = order


def _shrink(market: Market, order: Order, lots: int) -> None:
    less = order.size_lots - lots
    order.size_lots = lots
    if order.level is None:
        return
    ladder: Ladder
    if order.working_ns >= 0:
        touch(market, order)
        ladder = market.bids if order.is_buy else market.asks
    else:
        ladder = market.rising_stops if is_rising(order) else market.falling_stops
    ladder.shrink(order, less)
