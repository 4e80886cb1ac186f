"""One order's terms as the core works with them.  The rule: a command's fields are read once.

Compiled code reads a struct's field some thirty times slower than its own attribute, and placing
an order reads most of them several times.
"""

from typing import Final

from msgspec.structs import astuple

from seawall.model.commands import OrderTerms
from seawall.model.trading import OrderType, Side, TimeInForce

_BUY: Final = Side.BUY


class Terms:
    """The fields of `OrderTerms`, and what the filters make of them."""

    def __init__(self, terms: OrderTerms) -> None:
        # In the order of the struct's fields; one more or less fails here, at the first order.
        (
            side, order_type, client_order_id, time_in_force, size, quote_amount, price,
            stop_price, trailing_bps, iceberg_size, strategy_id, strategy_type,
        ) = astuple(terms)  # fmt: skip
        self.is_buy: bool = side is _BUY
        self.order_type: OrderType = order_type
        self.client_order_id: str = client_order_id
        self.time_in_force: TimeInForce | None = time_in_force
        self.size: int | None = size
        self.quote_amount: int | None = quote_amount
        self.price: int | None = price
        self.stop_price: int | None = stop_price
        self.trailing_bps: int | None = trailing_bps
        self.iceberg_size: int | None = iceberg_size
        self.strategy_id: int | None = strategy_id
        self.strategy_type: int | None = strategy_type
        self.price_ticks = 0
        """Set by the filters, as the next one is: once they have found it whole."""
        self.size_lots = 0
