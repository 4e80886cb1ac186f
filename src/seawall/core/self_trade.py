"""Self-trade prevention.  The rule: the taker's mode decides; what is prevented never trades.

Orders of one user, or of users in one trade group, do not trade with each other:

- NONE: they do trade.
- EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH: all that is left of the named orders expires.
- DECREMENT: both lose what would have been matched; what reaches zero expires.
- TRANSFER: as DECREMENT; and if both orders ask for it and belong to different users of a group,
  what would have been matched changes hands at the maker's price, without fee and without a trade:
  no tape, no candle, no stop sees it.

An order ended so has the status EXPIRED_IN_MATCH.  An order of an OCO pair that lost a part ends
the other one, as if it had traded: the two are never of different size.
"""

from typing import Final

from seawall.core.ending import end_siblings, expire_in_match
from seawall.core.spot_state import Market, SpotState
from seawall.model.events import Event, MatchPrevented
from seawall.model.orders import Order
from seawall.model.trading import StpMode

_EXPIRE_TAKER: Final = StpMode.EXPIRE_TAKER
_EXPIRE_MAKER: Final = StpMode.EXPIRE_MAKER
_EXPIRE_BOTH: Final = StpMode.EXPIRE_BOTH
_DECREMENT: Final = StpMode.DECREMENT
_TRANSFER: Final = StpMode.TRANSFER


def is_self_trade(state: SpotState, taker: Order, maker: Order, group: int) -> bool:
    """Whether the two belong together; `group` is the taker's trade group."""
    if maker.user_id == taker.user_id:
        return True
    return group != 0 and state.accounts[maker.user_id].trade_group == group


def effective_mode(taker: Order, maker: Order) -> StpMode:
    if taker.stp_mode is not _TRANSFER:
        return taker.stp_mode
    if maker.stp_mode is _TRANSFER and maker.user_id != taker.user_id:
        return _TRANSFER
    return _DECREMENT


def prevent(
    state: SpotState,
    market: Market,
    taker: Order,
    maker: Order,
    wanted_lots: int,
    events: list[Event],
) -> bool:
    """Keep the taker from trading with the maker at the head of the queue.

    `wanted_lots` is what the taker has left at this price.  Returns whether it goes on.
    """
    mode = effective_mode(taker, maker)
    ticks = maker.price_ticks
    taker_lots = 0
    maker_lots = 0
    if mode is _EXPIRE_TAKER or mode is _EXPIRE_BOTH:
        taker_lots = wanted_lots
    if mode is _EXPIRE_MAKER or mode is _EXPIRE_BOTH:
        maker_lots = maker.open_lots
    if mode is _DECREMENT or mode is _TRANSFER:
        taker_lots = maker_lots = min(wanted_lots, maker.visible_lots)
    if mode is _TRANSFER:
        _transfer(state, market, taker, maker, ticks, taker_lots)
    else:
        _release(state, market, taker, taker_lots)
        _release(state, market, maker, maker_lots)
    taker.prevented_lots += taker_lots
    maker.prevented_lots += maker_lots
    if maker_lots:
        maker.updated_ns = state.at_ns
        market.touched[ticks if maker.is_buy else -ticks] = None
        (market.bids if maker.is_buy else market.asks).reduce(maker, maker_lots)
    events.append(
        MatchPrevented(
            market.symbol, market.next_prevented_match_id, taker, maker,
            taker_lots, maker_lots, mode,
        )
    )  # fmt: skip
    market.next_prevented_match_id += 1
    if maker.open_lots == 0:
        expire_in_match(state, market, maker, events)
    elif maker_lots:
        end_siblings(state, market, maker, events)
    if taker_lots == wanted_lots:
        expire_in_match(state, market, taker, events)
        return False
    return True


def _release(state: SpotState, market: Market, order: Order, lots: int) -> None:
    """Release what the order held for these lots; a market order's rest follows at its end."""
    if lots == 0 or order.price_ticks == 0:
        return
    if order.is_buy:
        asset, atoms = market.quote, order.price_ticks * lots * market.atoms_per_tick_lot
    else:
        asset, atoms = market.base, lots * market.lot_size
    order.held_atoms -= atoms
    state.ledger.release(state.ledger.balance(order.user_id, asset), atoms)


def _transfer(
    state: SpotState, market: Market, taker: Order, maker: Order, ticks: int, lots: int
) -> None:
    buyer, seller = (taker, maker) if taker.is_buy else (maker, taker)
    quote_atoms = ticks * lots * market.atoms_per_tick_lot
    base_atoms = lots * market.lot_size
    released = 0
    if buyer.price_ticks:
        released = (buyer.price_ticks - ticks) * lots * market.atoms_per_tick_lot
    state.ledger.trade(
        buyer.user_id, seller.user_id, market.base, market.quote,
        base_atoms, quote_atoms, released, 0, 0,
    )  # fmt: skip
    buyer.held_atoms -= quote_atoms + released
    seller.held_atoms -= base_atoms
