"""Order lists: OCO, OTO, OTOCO.  The rule: an OCO pair holds once, for the dearer of its orders.

Of a pair, the order that stands in the book holds all it needs, the other one only what it needs
more.  When one begins to trade or is set off, the other ends first, and the hold becomes exact.

The pending orders of an OTO or OTOCO hold nothing until the working order is filled.  Then they
begin: one whose stop is already reached is set off at once; one that cannot be paid, or that was
to be a maker and would take, expires, and takes its pair along.
"""

from typing import Final

from seawall.core.ending import expire
from seawall.core.filters import check_counts
from seawall.core.foresight import crosses
from seawall.core.place import accept, check_against_book, check_order_terms, draft
from seawall.core.spot_state import Account, Market, SpotState
from seawall.core.terms import Terms
from seawall.core.working import (
    adjust_hold,
    begin,
    has_reached_stop,
    needed_atoms,
    wait,
)
from seawall.model.commands import OrderTerms, PlaceOrderList
from seawall.model.events import CommandRejected, Event, OrderListStarted, OrderTriggered
from seawall.model.orders import Order, OrderList
from seawall.model.rejections import Rejection
from seawall.model.trading import Contingency, OrderStatus, OrderType, Side

_OCO: Final = Contingency.OCO
_NEW: Final = OrderStatus.NEW
_PENDING_NEW: Final = OrderStatus.PENDING_NEW
_LIMIT: Final = OrderType.LIMIT
_LIMIT_MAKER: Final = OrderType.LIMIT_MAKER
_LOSS_TYPES: Final = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
_PROFIT_TYPES: Final = (
    OrderType.LIMIT_MAKER,
    OrderType.TAKE_PROFIT,
    OrderType.TAKE_PROFIT_LIMIT,
)

LEGS: Final = {
    Contingency.OCO: ("above", "below"),
    Contingency.OTO: ("working", "pending"),
    Contingency.OTOCO: ("working", "pending_above", "pending_below"),
}
"""What each order of a list is called, in the order in which a command gives them."""


def place_order_list(
    state: SpotState, command: PlaceOrderList, events: list[Event]
) -> Market | None:
    """Place all orders of the list or none; return the market if it was touched."""
    market = state.markets.get(command.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return None
    account = state.accounts.get(command.user_id)
    legs = [Terms(terms) for terms in command.orders]
    refused = _check_list(state, market, account, command, legs)
    if refused is None:
        orders = [draft(state, market, command.user_id, terms, command.stp_mode) for terms in legs]
        refused = _check_orders(state, market, account, command.contingency, orders)
    if refused is not None or account is None:
        events.append(refused or CommandRejected(Rejection.INSUFFICIENT_BALANCE))
        return None
    _start(state, market, account, command, orders, events)
    return market


def _check_list(
    state: SpotState,
    market: Market,
    account: Account | None,
    command: PlaceOrderList,
    orders: list[Terms],
) -> CommandRejected | None:
    """Judge the list's shape and each order's terms."""
    legs = LEGS[command.contingency]
    if len(command.orders) != len(legs):
        return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, "orders")
    for name, terms in zip(legs, orders, strict=True):
        refused = check_order_terms(state, market, account, terms, command.stp_mode)
        if refused is not None:
            detail = f"{name}.{refused.detail}" if refused.detail else name
            return CommandRejected(refused.reason, detail)
    client_ids = {terms.client_order_id for terms in command.orders}
    if len(client_ids) < len(legs):
        return CommandRejected(Rejection.DUPLICATE_CLIENT_ORDER_ID)
    if account is not None:
        for order_list in account.open_lists.values():
            if (
                order_list.list_client_order_id == command.list_client_order_id
                and order_list.symbol == command.symbol
            ):
                return CommandRejected(Rejection.DUPLICATE_CLIENT_ORDER_ID, "list_client_order_id")
    if command.contingency is _OCO:
        return _check_pair(command.orders[0], command.orders[1])
    working = command.orders[0]
    if working.type is not _LIMIT and working.type is not _LIMIT_MAKER:
        return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, "working.type")
    if command.orders[1].quote_amount is not None:
        return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, "pending.quote_amount")
    if command.contingency is Contingency.OTO:
        return None
    return _check_pair(command.orders[1], command.orders[2])


def _check_pair(above: OrderTerms, below: OrderTerms) -> CommandRejected | None:
    """Judge an OCO pair: one side, one size, one to take the profit and one to stop the loss."""
    if above.side is not below.side:
        return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, "side")
    if above.size != below.size:
        return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, "size")
    is_sell = above.side is Side.SELL
    profit, loss = (above, below) if is_sell else (below, above)
    if profit.type not in _PROFIT_TYPES or loss.type not in _LOSS_TYPES:
        return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, "type")
    above_price = _trigger_price(above)
    below_price = _trigger_price(below)
    if above_price and below_price and above_price <= below_price:
        return CommandRejected(Rejection.OCO_PRICES_WRONG)
    return None


def _trigger_price(terms: OrderTerms) -> int:
    """Return the price at which the order of a pair comes into play; 0 if it trails."""
    if terms.type is _LIMIT_MAKER:
        return terms.price or 0
    return terms.stop_price or 0


def _check_orders(
    state: SpotState,
    market: Market,
    account: Account | None,
    contingency: Contingency,
    orders: list[Order],
) -> CommandRejected | None:
    """Judge the orders together: counts, the book, the money; set what each holds."""
    refused = check_counts(state, market, account, orders)
    if refused is not None:
        return refused
    placed = orders if contingency is _OCO else orders[:1]
    for name, order in zip(LEGS[contingency], placed, strict=False):
        refused = check_against_book(market, order)
        if refused is not None:
            if refused.reason is Rejection.WOULD_TRIGGER_IMMEDIATELY:
                return CommandRejected(Rejection.OCO_PRICES_WRONG, name)
            return CommandRejected(refused.reason, name)
    total = share_hold(state, market, placed)
    asset = market.quote if orders[0].is_buy else market.base
    if state.ledger.free(orders[0].user_id, asset) < total:
        return CommandRejected(Rejection.INSUFFICIENT_BALANCE)
    return None


def share_hold(state: SpotState, market: Market, orders: list[Order]) -> int:
    """Set what each of the orders is to hold, the ledger aside; return their sum."""
    needs = hold_shares(state, market, orders)
    for order, atoms in zip(orders, needs, strict=True):
        order.held_atoms = atoms
    return sum(needs)


def hold_shares(state: SpotState, market: Market, orders: list[Order]) -> list[int]:
    """Return what one order, or each of an OCO pair, has to hold."""
    needs = [needed_atoms(state, market, order, order.is_algo) for order in orders]
    if len(needs) == 2:
        first = 1 if orders[0].is_algo and not orders[1].is_algo else 0
        needs[1 - first] = max(0, needs[1 - first] - needs[first])
    return needs


def _start(
    state: SpotState,
    market: Market,
    account: Account,
    command: PlaceOrderList,
    orders: list[Order],
    events: list[Event],
) -> None:
    order_list = OrderList(
        state.next_order_list_id,
        command.user_id,
        command.symbol,
        command.contingency,
        command.list_client_order_id,
        state.at_ns,
    )
    state.next_order_list_id += 1
    order_list.orders = orders
    account.open_lists[order_list.order_list_id] = order_list
    events.append(OrderListStarted(order_list))
    is_oco = command.contingency is _OCO
    for index, order in enumerate(orders):
        order.order_list = order_list
        if index and not is_oco:
            order.status = _PENDING_NEW
        accept(state, market, order, events)
        account.add_open(order)
    for order in orders if is_oco else orders[:1]:
        if order.is_algo:
            wait(market, order)
        else:
            begin(state, market, order, events)


def release(state: SpotState, market: Market, order_list: OrderList, events: list[Event]) -> None:
    """Let the pending orders begin: the working one is filled."""
    pending = order_list.orders[1:]
    if pending[0].status is not _PENDING_NEW:
        return
    for order in pending:
        order.status = _NEW
        order.updated_ns = state.at_ns
        events.append(OrderTriggered(order))
    needs = hold_shares(state, market, pending)
    asset = market.quote if pending[0].is_buy else market.base
    if state.ledger.free(order_list.user_id, asset) < sum(needs):
        expire(state, market, pending[0], Rejection.INSUFFICIENT_BALANCE.value, events)
        return
    for order, atoms in zip(pending, needs, strict=True):
        adjust_hold(state, market, order, atoms)
    for order in pending:
        if order.status is _NEW:
            _begin_released(state, market, order, events)


def _begin_released(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    if order.is_algo:
        if has_reached_stop(market, order) and order.trailing_bps == 0:
            market.triggered[order.order_id] = order
        else:
            wait(market, order)
        return
    if order.order_type is _LIMIT_MAKER:
        best = (market.asks if order.is_buy else market.bids).best()
        if best is not None and crosses(order, best.price_ticks):
            expire(state, market, order, Rejection.WOULD_MATCH_IMMEDIATELY.value, events)
            return
    begin(state, market, order, events)
