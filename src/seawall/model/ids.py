"""Identifiers.  The rule: an identifier never changes its meaning and is never reused."""

from typing import Final, NewType

AssetCode = NewType("AssetCode", str)
Symbol = NewType("Symbol", str)
UserId = NewType("UserId", int)
OrderId = NewType("OrderId", int)
OrderListId = NewType("OrderListId", int)
TradeId = NewType("TradeId", int)
Sequence = NewType("Sequence", int)
Epoch = NewType("Epoch", int)

FEES: Final = UserId(0)
"""The house account that receives trading fees."""

EXTERNAL: Final = UserId(-1)
"""The outside world: what users deposited stands here as a negative balance."""

NO_ORDER_LIST: Final = OrderListId(-1)

SPOT: Final = "spot"
IDENTITY: Final = "identity"
CELLS: Final = (IDENTITY, SPOT)
"""The names of the cells, in the order they start."""
