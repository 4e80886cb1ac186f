"""The cancel lane: commands that any node may write while nobody leads.  The rule: only cancels.

A user who cannot cancel cannot limit a loss, so a cancel does not wait for a leader.  A follower
that has applied everything appends it at the exact next sequence, in the present epoch.  The
journal lets one of two win; a leader that lives after all finds the entry in the place of its own
batch, applies it, and appends its batch after it.  So a cancel that was answered stands before any
later match, whoever leads then.
"""

from typing import Final

from seawall.model.commands import CancelOpenOrders, CancelOrder, CancelOrderList, Command

LANE: Final = (CancelOrder, CancelOpenOrders, CancelOrderList)


def in_lane(command: Command) -> bool:
    """Whether the command may be written without a leader."""
    return isinstance(command, LANE)
