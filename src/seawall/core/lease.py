"""The lease of withdrawals.  The rule: nobody need be reached for withdrawals to stop.

The control cell grants it for seconds, again and again, while nothing speaks against withdrawals.
Once the journal's time passes its end, no first payment is prepared and no withdrawal is taken in,
whoever is gone: control, its watchers, or the network between.  A journal in which no lease was
ever granted needs none.
"""

from typing import Final

from seawall.core.funding_state import FundingState
from seawall.model import limits
from seawall.model.events import CommandRejected, Event
from seawall.model.funding_commands import GrantLease
from seawall.model.funding_events import LeaseGranted
from seawall.model.rejections import Rejection

SECOND_NS: Final = 1_000_000_000


def grant_lease(state: FundingState, command: GrantLease) -> list[Event]:
    """Take a newer lease; one that ends earlier than the last takes the rest of it back."""
    book = state.book
    if command.number <= book.lease_number:
        return [CommandRejected(Rejection.STALE_ORDER, f"{book.lease_number} is the newest")]
    if not 0 <= command.until_ns <= state.at_ns + limits.LEASE_S * SECOND_NS:
        # A granter whose clock or honesty is off by more cannot open withdrawals for long.
        return [CommandRejected(Rejection.INVALID_DEFINITION, "until_ns")]
    book.lease_number = command.number
    book.lease_until_ns = command.until_ns
    return [LeaseGranted(command.number, command.until_ns)]


def has_run_out(state: FundingState) -> bool:
    """Say whether withdrawals are suspended because nobody renews their lease."""
    return state.book.lease_number > 0 and state.at_ns > state.book.lease_until_ns
