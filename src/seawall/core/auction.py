"""The call auction.  The rule: one price for all fills, the one at which most changes hands.

How the price is found, each step deciding only where the one before leaves a choice:

1. **Most volume**: the largest of min(demand, supply) over all prices.
2. **Least surplus**: the smallest difference between demand and supply.
3. **Pressure**: of the prices that leave buyers over only the highest remains, of those that leave
   sellers over only the lowest.
4. **Reference price**: the price nearest to the last trade's; without one, the middle (down).

Steps 1 to 3 are those of the JSE's volume auction, as the published cases of CoinTossX show them
(tests/cases); step 4 is what JSE, LSE and Nasdaq name for a tie.  Every tick counts as a price,
not only those with orders.  Market orders trade first and make no price: it lies within the hull
of the best limit bid and ask, the last price and the limits that trade.  A market buy takes part
up to the price that its hold can pay.  Hidden parts of icebergs count like shown ones.
"""

from typing import Final

from seawall.core.book import Ladder
from seawall.core.ending import expire, expire_in_match, touch
from seawall.core.matching import fill
from seawall.core.spot_state import Market, SpotState
from seawall.lib.invariants import InvariantError, invariant
from seawall.model.events import Event, IndicativeChanged, MatchPrevented, Uncrossed
from seawall.model.orders import Order
from seawall.model.trading import StpMode

UNFILLED: Final = "auction_ended"


class _Side:
    """One side's orders, best first, as prices and sizes; market orders among them."""

    def __init__(self, ladder: Ladder, market_orders: list[tuple[int, int]]) -> None:
        self.price = 0
        self.lots = 0
        """Left of what stands at `price`; 0 when all is used up."""
        self._ladder = ladder
        self._next_key = len(ladder.keys) - 1
        self._market_orders = market_orders
        self._next_market_order = 0
        self.advance()

    def advance(self) -> None:
        """Go on to the next price, with all that stands there."""
        self.lots = 0
        while self._next_market_order < len(self._market_orders):
            price, lots = self._market_orders[self._next_market_order]
            if self.lots == 0 and not self._is_level_before(price):
                self.price = price
            elif self.lots == 0 or price != self.price:
                break
            self.lots += lots
            self._next_market_order += 1
        if self._next_key >= 0:
            level = self._ladder.levels[self._ladder.keys[self._next_key]]
            if self.lots == 0 or level.price_ticks == self.price:
                self.price = level.price_ticks
                self.lots += level.total_lots
                self._next_key -= 1

    def _is_level_before(self, price: int) -> bool:
        """Whether the next level is better than the price."""
        if self._next_key < 0:
            return False
        key = self._ladder.keys[self._next_key]
        return key > (price if self._ladder.highest_first else -price)


def indicative(market: Market) -> tuple[int, int, int]:
    """Return where the auction would uncross now: ticks, lots, surplus lots (buyers' positive).

    (0, 0, 0) if nothing would trade.  Walks only over levels that trade.
    """
    buy = _Side(market.bids, _market_buys(market))
    sell = _Side(market.asks, _market_sells(market))
    lots = 0
    last_buy = 0
    last_sell = 0
    while buy.lots and sell.lots and buy.price >= sell.price:
        taken = min(buy.lots, sell.lots)
        lots += taken
        last_buy = buy.price
        last_sell = sell.price
        buy.lots -= taken
        sell.lots -= taken
        if buy.lots == 0:
            buy.advance()
        if sell.lots == 0:
            sell.advance()
    if lots == 0:
        return (0, 0, 0)
    low, high = _bounds(market, last_sell, last_buy)
    if high == 0:
        return (0, 0, 0)
    ticks = _choose(market.last_ticks, low, high, buy, sell)
    surplus = 0
    while buy.lots and buy.price >= ticks:
        surplus += buy.lots
        buy.advance()
    while sell.lots and sell.price <= ticks:
        surplus -= sell.lots
        sell.advance()
    return (ticks, lots, surplus)


def _market_buys(market: Market) -> list[tuple[int, int]]:
    """Return the highest price that each waiting market buy can pay, and its lots; best first."""
    found = [
        (_payable(market, order), order.open_lots)
        for order in market.auction_orders.values()
        if _takes_part(market, order, 1)
    ]
    found.sort(reverse=True)
    return found


def _market_sells(market: Market) -> list[tuple[int, int]]:
    return [
        (0, order.open_lots)
        for order in market.auction_orders.values()
        if not order.is_buy and order.open_lots
    ]


def _payable(market: Market, order: Order) -> int:
    """Return the highest price at which the order's hold pays for all of it."""
    return order.held_atoms // (order.open_lots * market.atoms_per_tick_lot)


def _bounds(market: Market, last_sell: int, last_buy: int) -> tuple[int, int]:
    """Return the lowest and highest price of the largest volume that market orders did not make.

    Between `last_sell` and `last_buy` (the limits of the last seller and buyer who trade) the
    volume is the same.  (0, 0) if there is nothing to take a price from.
    """
    lowest = last_sell
    highest = last_sell
    bid = market.bids.best()
    ask = market.asks.best()
    for price in (
        market.last_ticks,
        0 if bid is None else bid.price_ticks,
        0 if ask is None else ask.price_ticks,
    ):
        if price:
            lowest = min(lowest, price) if lowest else price
            highest = max(highest, price)
    return (max(last_sell, min(lowest, last_buy)), min(last_buy, highest))


def _choose(reference: int, low: int, high: int, buy: _Side, sell: _Side) -> int:
    """Return the price within [low, high] by surplus, pressure and reference.

    `buy` and `sell` stand at what comes after the last lot that trades.  Up to and including the
    price of the next buyer some demand is left over; from that of the next seller on, supply.
    The two never meet, or they would trade.
    """
    next_buy = buy.price if buy.lots else 0
    next_sell = sell.price if sell.lots else high + 1
    if next_buy >= high:
        return high
    if next_sell <= low:
        return low
    low_even = max(low, next_buy + 1)
    high_even = min(high, next_sell - 1)
    if low_even <= high_even:
        if reference == 0:
            return (low_even + high_even) // 2
        return min(max(reference, low_even), high_even)
    # No price leaves nobody over: buyers up to `next_buy`, sellers from the very next tick.
    buyers_left = buy.lots
    sellers_left = sell.lots
    if buyers_left != sellers_left:
        return next_buy if buyers_left < sellers_left else next_sell
    return next_sell if reference >= next_sell else next_buy


def publish_indicative(market: Market, events: list[Event]) -> None:
    """Tell where the auction would uncross now, if that has changed."""
    found = indicative(market)
    if found != market.indicative:
        market.indicative = found
        events.append(IndicativeChanged(market.symbol, found[0], found[1], found[2]))


def uncross(state: SpotState, market: Market, events: list[Event]) -> None:
    """End the auction: trade all that can trade at one price; market orders left over expire.

    The buyer stands as taker, but both sides pay the taker's fee: neither was there first.
    Nobody trades with themselves unless they asked for no prevention.
    """
    _prevent_self_trades(state, market, events)
    ticks, lots, _ = indicative(market)
    buyers = _Queue(
        [order for order in market.auction_orders.values() if _takes_part(market, order, ticks)],
        market.bids,
    )
    sellers = _Queue(
        [order for order in market.auction_orders.values() if not order.is_buy], market.asks
    )
    left = lots
    while left:
        buyer = buyers.first()
        seller = sellers.first()
        fitting = min(_offered(buyer, left), _offered(seller, left), left)
        invariant(fitting > 0, "an uncross ends when its volume has traded")
        fill(state, market, buyer, seller, ticks, fitting, True, events)  # noqa: FBT003 as in matching
        left -= fitting
    expire_market_orders(state, market, events)
    events.append(Uncrossed(market.symbol, ticks, lots))


def expire_market_orders(state: SpotState, market: Market, events: list[Event]) -> None:
    """End the market orders that wait for an uncross: there is none any more."""
    for order in list(market.auction_orders.values()):
        expire(state, market, order, UNFILLED, events)


class _Queue:
    """One side in the order in which it trades: market orders by time, then the book."""

    def __init__(self, market_orders: list[Order], ladder: Ladder) -> None:
        self._market_orders = market_orders
        self._next = 0
        self._ladder = ladder

    def first(self) -> Order:
        while self._next < len(self._market_orders):
            order = self._market_orders[self._next]
            if order.open_lots:
                return order
            self._next += 1
        level = self._ladder.best()
        if level is None or level.head is None:
            raise InvariantError("an uncross finds the orders that it counted")
        return level.head


def _takes_part(market: Market, order: Order, ticks: int) -> bool:
    """Whether a waiting market order buys at this price."""
    return order.is_buy and order.open_lots > 0 and _payable(market, order) >= ticks


def _offered(order: Order, left: int) -> int:
    """Return how many lots the order may trade now.

    In a level that trades whole, all of it; in the last level hidden parts wait for their turn.
    """
    if order.level is None or order.level.total_lots <= left:
        return order.open_lots
    return order.visible_lots


# Self-trades


class _Own:
    """What one owner keeps in the auction so far."""

    def __init__(self) -> None:
        self.highest_buy: Order | None = None
        self.highest_buy_ticks = -1
        self.lowest_sell: Order | None = None
        self.lowest_sell_ticks = -1


def _prevent_self_trades(state: SpotState, market: Market, events: list[Event]) -> None:
    """Of an owner's own crossing orders expire the newer, unless it asked for no prevention.

    Then at no single price can both trade.  Whatever its mode says, the newer one goes: in an
    auction neither is the maker.
    """
    owners: dict[tuple[int, int], _Own] = {}
    for order in _crossing_orders(market):
        group = state.accounts[order.user_id].trade_group
        owner = (1, group) if group else (0, order.user_id)
        own = owners.get(owner)
        if own is None:
            own = _Own()
            owners[owner] = own
        other = _keep(market, own, order)
        if other is not None:
            _expire_newer(state, market, order, other, events)


def _keep(market: Market, own: _Own, order: Order) -> Order | None:
    """Note the order among its owner's, or return the older one for which it must go."""
    prevents = order.stp_mode is not StpMode.NONE
    if order.is_buy:
        ticks = order.price_ticks or _payable(market, order)
        if prevents and own.lowest_sell is not None and ticks >= own.lowest_sell_ticks:
            return own.lowest_sell
        if ticks > own.highest_buy_ticks:
            own.highest_buy = order
            own.highest_buy_ticks = ticks
        return None
    ticks = order.price_ticks
    if prevents and own.highest_buy is not None and ticks <= own.highest_buy_ticks:
        return own.highest_buy
    if own.lowest_sell is None or ticks < own.lowest_sell_ticks:
        own.lowest_sell = order
        own.lowest_sell_ticks = ticks
    return None


def _crossing_orders(market: Market) -> list[Order]:
    """Return the orders that may trade, oldest first."""
    found = [order for order in market.auction_orders.values() if order.open_lots]
    buys_at_any = any(order.is_buy for order in found)
    sells_at_any = any(not order.is_buy for order in found)
    bid = market.bids.best()
    ask = market.asks.best()
    for level in market.bids.best_first():
        if not sells_at_any and (ask is None or level.price_ticks < ask.price_ticks):
            break
        _extend(found, level.head)
    for level in market.asks.best_first():
        if not buys_at_any and (bid is None or level.price_ticks > bid.price_ticks):
            break
        _extend(found, level.head)
    by_age = {(order.working_ns, order.order_id): order for order in found}
    return [by_age[key] for key in sorted(by_age)]


def _extend(found: list[Order], head: Order | None) -> None:
    order = head
    while order is not None:
        found.append(order)
        order = order.after


def _expire_newer(
    state: SpotState, market: Market, newer: Order, older: Order, events: list[Event]
) -> None:
    lots = newer.open_lots
    newer.prevented_lots += lots
    if newer.level is not None:
        touch(market, newer)
        (market.bids if newer.is_buy else market.asks).reduce(newer, lots)
    events.append(
        MatchPrevented(
            market.symbol, market.next_prevented_match_id, newer, older,
            lots, 0, StpMode.EXPIRE_TAKER,
        )
    )  # fmt: skip
    market.next_prevented_match_id += 1
    expire_in_match(state, market, newer, events)
