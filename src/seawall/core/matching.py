"""Matching.  The rule: best price first, at the maker's price, and every fill through `fill`.

`fill` is the one place where two orders trade: continuous matching, triggered stops and the
auction's uncross (`core/auction.py`) all call it.  `match` works one order against the book.
"""

from typing import Final

from seawall.core.collar import COLLAR, worst_ticks
from seawall.core.ending import end_siblings, expire, fill_up
from seawall.core.fees import maker_fee, note_trade, taker_fee
from seawall.core.self_trade import is_self_trade, prevent
from seawall.core.spot_state import Market, SpotState
from seawall.model.events import Event, LevelChanged, Traded
from seawall.model.limits import FILLS_PER_COMMAND
from seawall.model.orders import Order
from seawall.model.trading import OrderStatus, StpMode

_NONE: Final = StpMode.NONE
_PARTIALLY_FILLED: Final = OrderStatus.PARTIALLY_FILLED

NO_LIQUIDITY: Final = "no_liquidity"
TOO_MANY_FILLS: Final = "too_many_fills"


def fill(
    state: SpotState,
    market: Market,
    taker: Order,
    maker: Order,
    ticks: int,
    lots: int,
    auction: bool,
    events: list[Event],
) -> None:
    """Trade `lots` between the two orders at `ticks`: money, fees, sizes, book and lists.

    Either may stand in the book (an iceberg shows its next part) or not.  The caller knows that
    both want it: neither limit is crossed, `lots` fits both.  What is filled up has ended after
    it.  A limit buy pays from its hold and gets back what it held above `ticks`; a market buy
    keeps the rest of its hold until it ends.
    """
    quote_atoms = ticks * lots * market.atoms_per_tick_lot
    base_atoms = lots * market.lot_size
    if taker.is_buy:
        buyer, seller = taker, maker
        base_fee = taker_fee(state, taker.user_id, base_atoms)
        # In an auction, where the buyer stands as taker, neither was there first.
        seller_fee = taker_fee if auction else maker_fee
        quote_fee = seller_fee(state, maker.user_id, quote_atoms)
        taker_fee_atoms, maker_fee_atoms = base_fee, quote_fee
    else:
        buyer, seller = maker, taker
        base_fee = maker_fee(state, maker.user_id, base_atoms)
        quote_fee = taker_fee(state, taker.user_id, quote_atoms)
        taker_fee_atoms, maker_fee_atoms = quote_fee, base_fee
    released = 0
    if buyer.price_ticks:
        released = (buyer.price_ticks - ticks) * lots * market.atoms_per_tick_lot
    state.ledger.trade(
        buyer.user_id, seller.user_id, market.base, market.quote,
        base_atoms, quote_atoms, released, base_fee, quote_fee,
    )  # fmt: skip
    buyer.held_atoms -= quote_atoms + released
    seller.held_atoms -= base_atoms
    taker.filled_lots += lots
    taker.filled_quote += quote_atoms
    maker.filled_lots += lots
    maker.filled_quote += quote_atoms
    note_trade(market, state.at_ns, ticks, lots)
    events.append(
        Traded(
            market.symbol, market.next_trade_id, ticks, lots, quote_atoms,
            taker, maker, taker_fee_atoms, maker_fee_atoms, auction,
        )
    )  # fmt: skip
    market.next_trade_id += 1
    _after_fill(state, market, maker, lots, events)
    _after_fill(state, market, taker, lots, events)


def _after_fill(
    state: SpotState, market: Market, order: Order, lots: int, events: list[Event]
) -> None:
    level = order.level
    if level is not None:
        if order.is_buy:
            market.touched[level.price_ticks] = None
            market.bids.reduce(order, lots)
        else:
            market.touched[-level.price_ticks] = None
            market.asks.reduce(order, lots)
    order.status = _PARTIALLY_FILLED
    order.updated_ns = state.at_ns
    if order.order_list is not None:
        end_siblings(state, market, order, events)
    if order.open_lots == 0:
        fill_up(state, market, order, events)


def match(state: SpotState, market: Market, taker: Order, events: list[Event]) -> None:
    """Trade the order with the other side until its size, its limit or the book is used up.

    A market order by quote amount takes its size from what it filled.  Afterwards the order may
    be open, with something left to rest or to expire, or ended.
    """
    book = market.asks if taker.is_buy else market.bids
    is_buy = taker.is_buy
    limit = worst_ticks(market, taker) if market.collar_bps else taker.price_ticks
    prevents = taker.stp_mode is not _NONE
    group = state.accounts[taker.user_id].trade_group
    fills = 0
    while taker.size_lots > taker.filled_lots + taker.prevented_lots:
        level = book.best()
        if level is None:
            return
        ticks = level.price_ticks
        if limit and (ticks > limit if is_buy else ticks < limit):
            return
        maker = level.head
        if maker is None or fills == FILLS_PER_COMMAND:
            expire(state, market, taker, TOO_MANY_FILLS, events)
            return
        fills += 1
        lots = taker.size_lots - taker.filled_lots - taker.prevented_lots
        if prevents and is_self_trade(state, taker, maker, group):
            if not prevent(state, market, taker, maker, lots, events):
                return
            continue
        lots = min(lots, maker.visible_lots)
        fill(state, market, taker, maker, ticks, lots, False, events)  # noqa: FBT003 mypyc calls positional arguments faster


def match_amount(state: SpotState, market: Market, taker: Order, events: list[Event]) -> None:
    """Trade a market order by quote amount, and end it.

    It is filled when what remains of the amount does not reach one lot at the next price; it
    expires when it meets the end of the book, or the collar.  Its size becomes what it filled.
    """
    book = market.asks if taker.is_buy else market.bids
    limit = worst_ticks(market, taker)
    prevents = taker.stp_mode is not _NONE
    group = state.accounts[taker.user_id].trade_group
    reason = ""
    prevented_atoms = 0
    fills = 0
    while True:
        level = book.best()
        maker = None if level is None else level.head
        if level is None or maker is None:
            reason = NO_LIQUIDITY
            break
        if fills == FILLS_PER_COMMAND:
            reason = TOO_MANY_FILLS
            break
        ticks = level.price_ticks
        if limit and (ticks > limit if taker.is_buy else ticks < limit):
            reason = COLLAR
            break
        fills += 1
        lot_atoms = ticks * market.atoms_per_tick_lot
        lots = (taker.quote_amount - taker.filled_quote - prevented_atoms) // lot_atoms
        if lots == 0:
            break
        if prevents and is_self_trade(state, taker, maker, group):
            taker.size_lots = taker.filled_lots + taker.prevented_lots + lots
            before = taker.prevented_lots
            if not prevent(state, market, taker, maker, lots, events):
                return
            prevented_atoms += (taker.prevented_lots - before) * lot_atoms
            continue
        lots = min(lots, maker.visible_lots)
        # One lot more than it takes, so that this fill does not end the order.
        taker.size_lots = taker.filled_lots + taker.prevented_lots + lots + 1
        fill(state, market, taker, maker, ticks, lots, False, events)  # noqa: FBT003 as above
    taker.size_lots = taker.filled_lots + taker.prevented_lots
    if reason or taker.filled_lots == 0:
        expire(state, market, taker, reason or "amount_below_one_lot", events)
    else:
        fill_up(state, market, taker, events)


def rest(market: Market, order: Order) -> None:
    """Put what is left of the order into the book."""
    shown = order.open_lots
    if order.iceberg_lots:
        shown = min(shown, order.iceberg_lots)
    if order.is_buy:
        market.bids.add(order, order.price_ticks, shown)
        market.touched[order.price_ticks] = None
    else:
        market.asks.add(order, order.price_ticks, shown)
        market.touched[-order.price_ticks] = None


def publish_levels(market: Market, events: list[Event]) -> None:
    """Tell each touched level once, in the order in which the command touched them."""
    for key in market.touched:
        is_bid = key > 0
        levels = market.bids.levels if is_bid else market.asks.levels
        level = levels.get(key)
        market.update_id += 1
        events.append(
            LevelChanged(
                market.symbol,
                is_bid,
                key if is_bid else -key,
                0 if level is None else level.visible_lots,
                market.update_id,
            )
        )
    market.touched.clear()
