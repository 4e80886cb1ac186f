"""What an order would do if it were matched now.  The rule: it changes nothing.

Needed before anything happens: a market order by size must be able to pay for all that it will
fill, and fill-or-kill must know that it fills.  Self-trade prevention and the turns of icebergs
are played through where the order could meet its own.
"""

from typing import Final

from seawall.core.collar import worst_ticks
from seawall.core.self_trade import effective_mode, is_self_trade
from seawall.core.spot_state import Market, SpotState
from seawall.model.orders import Level, Order
from seawall.model.trading import StpMode

_NONE: Final = StpMode.NONE
_EXPIRE_MAKER: Final = StpMode.EXPIRE_MAKER
_DECREMENT: Final = StpMode.DECREMENT


class Foreseen:
    """Totals of an order's way through the book."""

    def __init__(self) -> None:
        self.filled_lots = 0
        self.filled_quote = 0
        self.prevented_lots = 0
        self.prevented_quote = 0
        self.transferred_lots = 0
        """Of the prevented: what TRANSFER moves to another account all the same."""
        self.transferred_quote = 0
        self.is_stopped = False


def crosses(order: Order, ticks: int) -> bool:
    """Whether the order accepts a price of the other side; one without a limit takes any."""
    if order.price_ticks == 0:
        return True
    return ticks <= order.price_ticks if order.is_buy else ticks >= order.price_ticks


def foresee(state: SpotState, market: Market, order: Order) -> Foreseen:
    """Return what matching the order now would come to."""
    book = market.asks if order.is_buy else market.bids
    seen = Foreseen()
    account = state.accounts.get(order.user_id)
    group = 0 if account is None else account.trade_group
    prevents = order.stp_mode is not _NONE
    if account is None or (group == 0 and market.symbol not in account.counts):
        prevents = False
    limit = worst_ticks(market, order)
    for index in range(len(book.keys) - 1, -1, -1):
        level = book.levels[book.keys[index]]
        ticks = level.price_ticks
        if seen.is_stopped or (limit and (ticks > limit if order.is_buy else ticks < limit)):
            break
        wanted = _wanted(market, order, seen, ticks)
        if wanted <= 0:
            break
        if prevents:
            _foresee_level(state, market, order, level, group, seen)
        else:
            _take(market, seen, ticks, min(wanted, level.total_lots))
    return seen


def _wanted(market: Market, order: Order, seen: Foreseen, ticks: int) -> int:
    """Return how many lots the order still wants at this price."""
    if order.quote_amount:
        left = order.quote_amount - seen.filled_quote - seen.prevented_quote
        return left // (ticks * market.atoms_per_tick_lot)
    return order.open_lots - seen.filled_lots - seen.prevented_lots


def _take(market: Market, seen: Foreseen, ticks: int, lots: int) -> None:
    seen.filled_lots += lots
    seen.filled_quote += lots * ticks * market.atoms_per_tick_lot


def _foresee_level(
    state: SpotState, market: Market, order: Order, level: Level, group: int, seen: Foreseen
) -> None:
    """Play one level through, order by order, icebergs going to the end of the queue."""
    queue: list[Order] = []
    shown: list[int] = []
    hidden: list[int] = []
    standing = level.head
    while standing is not None:
        queue.append(standing)
        shown.append(standing.visible_lots)
        hidden.append(standing.open_lots - standing.visible_lots)
        standing = standing.after
    turn = 0
    while turn < len(queue):
        wanted = _wanted(market, order, seen, level.price_ticks)
        if wanted <= 0:
            return
        maker = queue[turn]
        lots = min(wanted, shown[turn])
        if is_self_trade(state, order, maker, group):
            mode = effective_mode(order, maker)
            if mode is _EXPIRE_MAKER:
                turn += 1
                continue
            if not _foresee_prevention(market, seen, level.price_ticks, lots, wanted, mode):
                return
        else:
            _take(market, seen, level.price_ticks, lots)
        if lots == shown[turn] and hidden[turn]:
            part = min(maker.iceberg_lots, hidden[turn])
            queue.append(maker)
            shown.append(part)
            hidden.append(hidden[turn] - part)
        turn += 1


def _foresee_prevention(
    market: Market, seen: Foreseen, ticks: int, lots: int, wanted: int, mode: StpMode
) -> bool:
    """Count a prevented match with a maker that shows `lots`; return whether the order goes on."""
    if mode is not _DECREMENT and mode is not StpMode.TRANSFER:
        seen.is_stopped = True
        return False
    quote = lots * ticks * market.atoms_per_tick_lot
    seen.prevented_lots += lots
    seen.prevented_quote += quote
    if mode is StpMode.TRANSFER:
        seen.transferred_lots += lots
        seen.transferred_quote += quote
    seen.is_stopped = lots == wanted
    return not seen.is_stopped
