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
FUNDING: Final = "funding"
CONTROL: Final = "control"
CELLS: Final = (IDENTITY, FUNDING, SPOT, CONTROL)
"""The names of the cells, in the order they start.

Control comes last: whoever it gives orders to is there by then, and until it speaks, withdrawals
have no lease.
"""

MONEY_CELLS: Final = (FUNDING, SPOT)
"""The cells that hold users' money; transfers run between them."""

CAPITAL: Final = UserId(-2)
"""The exchange's own money in its vaults."""

NETWORK_COST: Final = UserId(-3)
"""What networks have charged: minus the exchange's expense."""

HIGHEST_VAULT: Final = UserId(-1_000)
"""Vault accounts are numbered from here down."""

_BRIDGES: Final = {FUNDING: UserId(-10), SPOT: UserId(-11)}
_VAULTS: Final = ("deposit", "hot", "cold")


def bridge_account(cell: str) -> UserId:
    """Return the house account that stands for what went to, or came from, another cell."""
    return _BRIDGES[cell]


def vault_account(network_number: int, vault: str) -> UserId:
    """Return the house account of a network's vault; it stands at minus what the vault holds."""
    return UserId(HIGHEST_VAULT - 10 * network_number - _VAULTS.index(vault))
