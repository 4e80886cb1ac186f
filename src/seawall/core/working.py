"""How an order begins to work.  The rule: whatever begins ends, rests or waits; it never raises.

New orders, triggered stops and released pending orders all begin here.  In an auction nothing
matches: limits rest, and a market order by size waits in `market.auction_orders`.  A waiting
market buy holds its size at the end of its price band (`filters.auction_limit_ticks`), so the
uncross may fill it at any price up to `held_atoms // (open_lots * atoms_per_tick_lot)`; what is
left of it then is for the uncross to expire.
"""

from typing import Final

from seawall.core.collar import COLLAR, is_held_back
from seawall.core.ending import end_siblings, expire, is_open, is_rising
from seawall.core.filters import auction_limit_ticks
from seawall.core.foresight import crosses, foresee
from seawall.core.matching import NO_LIQUIDITY, match, match_amount, rest
from seawall.core.spot_state import Market, SpotState
from seawall.model.events import Event
from seawall.model.orders import Order
from seawall.model.rejections import Rejection
from seawall.model.trading import MarketStatus, OrderType, TimeInForce

_AUCTION: Final = MarketStatus.AUCTION
_OPEN: Final = MarketStatus.OPEN
_LIMIT_MAKER: Final = OrderType.LIMIT_MAKER
_FOK: Final = TimeInForce.FOK
_GTC: Final = TimeInForce.GTC
_IOC: Final = TimeInForce.IOC

NOT_FILLABLE: Final = "not_fillable"
IMMEDIATE_OR_CANCEL: Final = "immediate_or_cancel"


def needed_atoms(state: SpotState, market: Market, order: Order, is_waiting: bool) -> int:
    """Return what the order must hold: base atoms of a sell, quote atoms of a buy.

    A limit buy holds its limit price.  A market buy holds what it can spend: while it waits for
    its stop, the stop price (for a trailing one the last price) as an estimate.
    """
    if not order.is_buy:
        if order.quote_amount:
            seen = foresee(state, market, order)
            return (seen.filled_lots + seen.transferred_lots) * market.lot_size
        return order.open_lots * market.lot_size
    if order.price_ticks:
        return order.price_ticks * order.open_lots * market.atoms_per_tick_lot
    if is_waiting:
        ticks = order.stop_ticks or market.last_ticks
        return ticks * order.open_lots * market.atoms_per_tick_lot
    if order.quote_amount:
        return order.quote_amount
    if market.status is _AUCTION:
        ticks = auction_limit_ticks(state, market)
        return ticks * order.open_lots * market.atoms_per_tick_lot
    seen = foresee(state, market, order)
    return seen.filled_quote + seen.transferred_quote


def begin(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """Let an accepted order that holds what it needs go to work."""
    order.working_ns = state.at_ns
    order.updated_ns = state.at_ns
    if market.status is not _OPEN:
        _begin_closed(state, market, order, events)
        return
    if order.quote_amount:
        match_amount(state, market, order, events)
        return
    if order.order_type is not _LIMIT_MAKER:
        if order.time_in_force is _FOK and not _is_fillable(state, market, order):
            expire(state, market, order, NOT_FILLABLE, events)
            return
        match(state, market, order, events)
        if not is_open(order):
            return
    if market.collar_bps and is_held_back(market, order):
        # At rest beyond the collar it would cross what it may not trade with.
        expire(state, market, order, COLLAR, events)
    elif order.price_ticks == 0:
        expire(state, market, order, NO_LIQUIDITY, events)
    elif order.time_in_force is _IOC or order.time_in_force is _FOK:
        expire(state, market, order, IMMEDIATE_OR_CANCEL, events)
    else:
        stay(state, order)
        rest(market, order)


def _is_fillable(state: SpotState, market: Market, order: Order) -> bool:
    """Whether a fill-or-kill order would fill whole; what is prevented does not count."""
    return foresee(state, market, order).filled_lots == order.open_lots


def stay(state: SpotState, order: Order) -> None:
    """Enter the order among its owner's open ones, if it is not there yet."""
    account = state.accounts[order.user_id]
    if order.order_id not in account.open_orders:
        account.add_open(order)


def _begin_closed(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """Begin while nothing matches; an order that cannot stand by expires."""
    is_resting = order.price_ticks > 0 and order.time_in_force is _GTC
    if market.status is _AUCTION:
        if is_resting:
            stay(state, order)
            rest(market, order)
            return
        if order.price_ticks == 0 and order.quote_amount == 0:
            stay(state, order)
            market.auction_orders[order.order_id] = order
            return
    elif is_resting:
        book = market.asks if order.is_buy else market.bids
        best = book.best()
        if best is None or not crosses(order, best.price_ticks):
            stay(state, order)
            rest(market, order)
            return
    expire(state, market, order, f"market_{market.status.value}", events)


def adjust_hold(state: SpotState, market: Market, order: Order, atoms: int) -> bool:
    """Make the order hold exactly `atoms`; return False, changing nothing, if it cannot."""
    ledger = state.ledger
    balance = ledger.balance(order.user_id, market.quote if order.is_buy else market.base)
    more = atoms - order.held_atoms
    if more > balance.free:
        return False
    if more > 0:
        ledger.hold(balance, more)
    elif more < 0:
        ledger.release(balance, -more)
    order.held_atoms = atoms
    return True


def begin_again(state: SpotState, market: Market, order: Order, events: list[Event]) -> None:
    """Begin an order that has waited: other orders of its pair end, and its hold becomes exact."""
    end_siblings(state, market, order, events)
    if not adjust_hold(state, market, order, needed_atoms(state, market, order, False)):  # noqa: FBT003 positional for mypyc
        expire(state, market, order, Rejection.INSUFFICIENT_BALANCE.value, events)
        return
    begin(state, market, order, events)


def wait(market: Market, order: Order) -> None:
    """Put a stop order where the trades will find it."""
    if order.stop_ticks == 0:
        order.trail_ticks = market.last_ticks
        market.trailing[order.order_id] = order
    elif is_rising(order):
        market.rising_stops.add(order, order.stop_ticks, order.open_lots)
    else:
        market.falling_stops.add(order, order.stop_ticks, order.open_lots)


def has_reached_stop(market: Market, order: Order) -> bool:
    """Whether the last price already meets the order's stop."""
    if order.stop_ticks == 0 or market.last_ticks == 0:
        return False
    if is_rising(order):
        return market.last_ticks >= order.stop_ticks
    return market.last_ticks <= order.stop_ticks
