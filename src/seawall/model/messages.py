"""What travels between cells.  The rule: a message is applied once, in its order, or refused whole.

A message leaves its source in the same journal entry that takes its money; the relay proposes
`Deliver` to the target until the target's journal has it, then `Settle` to the source.
"""

from msgspec import Struct

from seawall.model.ids import AssetCode, UserId


class MoveFunds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="move_funds"):
    """An amount of one user's leaves one cell and enters another."""

    transfer_id: int
    """The source cell's number for it."""
    user_id: UserId
    asset: AssetCode
    atoms: int


Message = MoveFunds
"""A union once there are more kinds."""
