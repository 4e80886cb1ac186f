"""What a demo's maker must do next.  The rule: it looks at its own open orders, and remembers none.

The wanted book is compared with the orders that are open, whoever filled or canceled them since,
and whichever process placed them: so a restart needs no clean-up, and users may trade as they like.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from seawall.core.spot_state import Account, Market
from seawall.lab.scaling import Book
from seawall.model.commands import AmendOrder, CancelOrder, OrderTerms, PlaceOrder, SpotCommand
from seawall.model.ids import OrderId, Symbol, UserId
from seawall.model.orders import Order
from seawall.model.trading import OrderType, Side, StpMode, TimeInForce

ORDERS_PER_LEVEL: Final = 4
"""A level that grows by small pieces is placed anew as one order."""


class Quoter:
    """One market's maker."""

    def __init__(self, market: Market, user_id: UserId, first_name: int) -> None:
        self._market = market
        self._user_id = user_id
        self._next_name = first_name

    def requote(self, account: Account, wanted: Book) -> list[SpotCommand]:
        """Return what brings the maker's orders to the wanted book: off first, then on."""
        off: list[SpotCommand] = []
        on: list[SpotCommand] = []
        held = self._held(account.open_orders.values())
        for is_buy, side in ((True, wanted[0]), (False, wanted[1])):
            for ticks, lots in side.items():
                self._level(is_buy, ticks, lots, held.pop((is_buy, ticks), []), off, on)
        for orders in held.values():
            off += [self._cancel(order) for order in orders]
        return off + on

    def _held(self, orders: Iterable[Order]) -> dict[tuple[bool, int], list[Order]]:
        found: dict[tuple[bool, int], list[Order]] = {}
        for order in orders:
            if order.symbol == self._market.symbol:
                found.setdefault((order.is_buy, order.price_ticks), []).append(order)
        return found

    def _level(
        self,
        is_buy: bool,
        ticks: int,
        lots: int,
        orders: list[Order],
        off: list[SpotCommand],
        on: list[SpotCommand],
    ) -> None:
        missing = lots - sum(order.open_lots for order in orders)
        if missing < 0:
            off += self._shrink(orders, -missing)
        elif missing > 0:
            if not self._large_enough(ticks, missing) or len(orders) >= ORDERS_PER_LEVEL:
                off += [self._cancel(order) for order in orders]
                missing = lots
            if self._large_enough(ticks, missing):
                on.append(self._place(is_buy, ticks, missing))

    def _shrink(self, orders: list[Order], lots: int) -> Iterator[SpotCommand]:
        """Take off from the end of the queue."""
        for order in reversed(orders):
            if lots == 0:
                return
            taken = min(lots, order.open_lots)
            lots -= taken
            left = order.size_lots - taken
            if taken == order.open_lots or not self._large_enough(order.price_ticks, left):
                yield self._cancel(order)
            else:
                yield AmendOrder(
                    user_id=self._user_id,
                    symbol=Symbol(self._market.symbol),
                    order_id=OrderId(order.order_id),
                    size=left * self._market.lot_size,
                )

    def _large_enough(self, ticks: int, lots: int) -> bool:
        instrument = self._market.instrument
        return (
            lots * self._market.lot_size >= instrument.min_size
            and ticks * lots * self._market.atoms_per_tick_lot >= instrument.min_notional
        )

    def _cancel(self, order: Order) -> CancelOrder:
        return CancelOrder(
            user_id=self._user_id,
            symbol=Symbol(self._market.symbol),
            order_id=OrderId(order.order_id),
        )

    def _place(self, is_buy: bool, ticks: int, lots: int) -> PlaceOrder:
        self._next_name += 1
        name = f"demo-{self._next_name}"
        return limit_order(self._market, self._user_id, name, is_buy, ticks, lots, TimeInForce.GTC)


def limit_order(
    market: Market,
    user_id: UserId,
    name: str,
    is_buy: bool,
    ticks: int,
    lots: int,
    time_in_force: TimeInForce,
) -> PlaceOrder:
    """Return a limit order of the demo."""
    terms = OrderTerms(
        side=Side.BUY if is_buy else Side.SELL,
        type=OrderType.LIMIT,
        client_order_id=name,
        time_in_force=time_in_force,
        size=lots * market.lot_size,
        price=ticks * market.tick_price,
    )
    return PlaceOrder(
        user_id=user_id, symbol=Symbol(market.symbol), terms=terms, stp_mode=StpMode.NONE
    )
