"""Placing one order.  The rule: every refusal is found first; after acceptance nothing fails.

`decide_order` builds the order without giving it a place anywhere: dropped, it leaves no trace.
`accept` makes it real.
"""

from typing import Final

from seawall.core.filters import (
    check_counts,
    check_numbers,
    check_status,
    check_stp_mode,
    check_terms,
)
from seawall.core.foresight import crosses
from seawall.core.spot_state import Account, Market, SpotState
from seawall.core.terms import Terms
from seawall.core.working import begin, has_reached_stop, needed_atoms, stay, wait
from seawall.model.commands import PlaceOrder
from seawall.model.events import CommandRejected, Event, OrderAccepted
from seawall.model.orders import Order
from seawall.model.rejections import Rejection
from seawall.model.trading import MarketStatus, OrderType, StpMode, TimeInForce

_GTC: Final = TimeInForce.GTC
_LIMIT_MAKER: Final = OrderType.LIMIT_MAKER
_OPEN: Final = MarketStatus.OPEN
_POST_ONLY: Final = MarketStatus.POST_ONLY


def place_order(state: SpotState, command: PlaceOrder, events: list[Event]) -> Market | None:
    """Place the order or refuse it; return the market if it was touched."""
    market = state.markets.get(command.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return None
    decided = decide_order(state, market, command)
    if isinstance(decided, CommandRejected):
        events.append(decided)
        return None
    accept(state, market, decided, events)
    start(state, market, decided, events)
    return market


def start(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """Let an accepted order wait for its stop, or begin."""
    if order.is_algo:
        stay(state, order)
        wait(market, order)
    else:
        begin(state, market, order, events)


def decide_order(state: SpotState, market: Market, command: PlaceOrder) -> Order | CommandRejected:
    """Return the order as it would be accepted, its hold computed; or the first refusal."""
    terms = Terms(command.terms)
    user_id = command.user_id
    stp_mode = command.stp_mode
    account = state.accounts.get(user_id)
    refused = check_order_terms(state, market, account, terms, stp_mode)
    if refused is not None:
        return refused
    order = draft(state, market, user_id, terms, stp_mode)
    refused = check_counts(state, market, account, [order])
    if refused is not None:
        return refused
    refused = check_against_book(market, order)
    if refused is not None:
        return refused
    atoms = needed_atoms(state, market, order, order.is_algo)
    asset = market.quote if order.is_buy else market.base
    if state.ledger.free(user_id, asset) < atoms or account is None:
        return CommandRejected(Rejection.INSUFFICIENT_BALANCE)
    order.held_atoms = atoms
    return order


def check_order_terms(
    state: SpotState,
    market: Market,
    account: Account | None,
    terms: Terms,
    stp_mode: StpMode | None,
) -> CommandRejected | None:
    """Run all checks that need nothing but the order's own terms."""
    refused = None if market.status is _OPEN else check_status(market, terms)
    if refused is None:
        refused = check_terms(market, terms)
    if refused is None and stp_mode is not None:
        refused = check_stp_mode(market, stp_mode)
    if refused is not None:
        return refused
    if account is not None and (market.symbol, terms.client_order_id) in account.by_client_id:
        return CommandRejected(Rejection.DUPLICATE_CLIENT_ORDER_ID)
    return check_numbers(state, market, terms)


def draft(
    state: SpotState,
    market: Market,
    user_id: int,
    terms: Terms,
    stp_mode: StpMode | None,
) -> Order:
    """Return the order that the terms ask for; they have been checked."""
    time_in_force = terms.time_in_force
    order = Order(
        state.next_order_id,
        user_id,
        market.symbol,
        terms.client_order_id,
        terms.is_buy,
        terms.order_type,
        _GTC if time_in_force is None else time_in_force,
        state.at_ns,
    )
    order.size_lots = terms.size_lots
    order.price_ticks = terms.price_ticks
    if terms.quote_amount is not None:
        order.quote_amount = terms.quote_amount
    if terms.stop_price is not None:
        order.stop_ticks = terms.stop_price // market.tick_price
    if terms.trailing_bps is not None:
        order.trailing_bps = terms.trailing_bps
    if terms.iceberg_size is not None:
        order.iceberg_lots = terms.iceberg_size // market.lot_size
    if terms.strategy_id is not None:
        order.strategy_id = terms.strategy_id
    if terms.strategy_type is not None:
        order.strategy_type = terms.strategy_type
    order.stp_mode = market.stp_default if stp_mode is None else stp_mode
    return order


def check_against_book(market: Market, order: Order) -> CommandRejected | None:
    """Refuse a stop that is already reached, and a maker that would take."""
    if order.is_algo:
        if has_reached_stop(market, order):
            return CommandRejected(Rejection.WOULD_TRIGGER_IMMEDIATELY)
        return None
    is_maker = order.order_type is _LIMIT_MAKER
    if is_maker or market.status is _POST_ONLY:
        best = (market.asks if order.is_buy else market.bids).best()
        if best is not None and crosses(order, best.price_ticks):
            if is_maker:
                return CommandRejected(Rejection.WOULD_MATCH_IMMEDIATELY)
            return CommandRejected(Rejection.MARKET_POST_ONLY, "price")
    return None


def accept(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """Give the order its id and take its hold."""
    order.order_id = state.next_order_id
    state.next_order_id += 1
    if order.held_atoms:
        ledger = state.ledger
        asset = market.quote if order.is_buy else market.base
        ledger.hold(ledger.balance(order.user_id, asset), order.held_atoms)
    events.append(OrderAccepted(order))
