"""Orders and order lists as the core holds them.  The rule: only core/ changes one.

Plain classes, not structs: mypyc compiles them to native objects, and one order is read a dozen
times between its socket and its fill.  Events point to their order; what an event says of an
order at its own moment it says itself (a later command may change the order).
"""

from typing import Final

from seawall.model.trading import (
    Contingency,
    OrderListStatus,
    OrderStatus,
    OrderType,
    StpMode,
    TimeInForce,
)

# Enum members are looked up through Python code; an order needs these two each time.
_NEW: Final = OrderStatus.NEW
_NO_PREVENTION: Final = StpMode.NONE


class Level:
    """All orders of one side at one price, first in, first out."""

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.visible_lots = 0
        self.total_lots = 0
        """Hidden iceberg parts included."""
        self.count = 0
        self.head: Order | None = None
        self.tail: Order | None = None


class Order:
    """One order, from acceptance to its end.

    Prices in ticks, sizes in lots, amounts in quote atoms, times in ns since the Unix epoch;
    0 where the type has no such field.
    """

    def __init__(
        self,
        order_id: int,
        user_id: int,
        symbol: str,
        client_order_id: str,
        is_buy: bool,
        order_type: OrderType,
        time_in_force: TimeInForce,
        created_ns: int,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.symbol = symbol
        self.client_order_id = client_order_id
        self.is_buy = is_buy
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.created_ns = created_ns
        self.working_ns = -1
        """When it entered the book or began to match; -1 while it only waits."""
        self.updated_ns = created_ns
        self.status = _NEW
        self.price_ticks = 0
        self.size_lots = 0
        self.quote_amount = 0
        """What a market order by quote amount may spend or must raise."""
        self.stop_ticks = 0
        self.trailing_bps = 0
        self.trail_ticks = 0
        """Best price seen since a trailing order began to follow; 0 before."""
        self.iceberg_lots = 0
        """Size shown at a time; 0 shows all."""
        self.stp_mode = _NO_PREVENTION
        self.strategy_id = -1
        self.strategy_type = -1
        self.order_list: OrderList | None = None
        self.filled_lots = 0
        self.filled_quote = 0
        """Cumulative notional in quote atoms."""
        self.prevented_lots = 0
        """Taken off by self-trade prevention."""
        self.held_atoms = 0
        """What the ledger still holds for it: quote atoms for a buy, base atoms for a sell."""
        self.triggered = False
        """A stop order that began to work, or a pending order that was released."""
        # Where it stands in its level; only core/book.py touches these.
        self.level: Level | None = None
        self.before: Order | None = None
        self.after: Order | None = None
        self.visible_lots = 0

    @property
    def is_algo(self) -> bool:
        """Whether it is one of the four stop types, waiting or not."""
        return self.stop_ticks > 0 or self.trailing_bps > 0

    @property
    def open_lots(self) -> int:
        """What is left to fill."""
        return self.size_lots - self.filled_lots - self.prevented_lots


class OrderList:
    """Orders that depend on each other."""

    def __init__(
        self,
        order_list_id: int,
        user_id: int,
        symbol: str,
        contingency: Contingency,
        list_client_order_id: str,
        created_ns: int,
    ) -> None:
        self.order_list_id = order_list_id
        self.user_id = user_id
        self.symbol = symbol
        self.contingency = contingency
        self.list_client_order_id = list_client_order_id
        self.created_ns = created_ns
        self.status = OrderListStatus.EXEC_STARTED
        self.orders: list[Order] = []
