"""The lease that withdrawals run on.  The rule: silence ends it; nobody has to do anything.

`lapse` is asked first in every entry, `extend` comes last, after all decisions: whoever sets
`refused` in between stops the lease with that very entry.
"""

from typing import Final

from seawall.core.control.state import ControlState
from seawall.model.control_events import LeaseLapsed

SECOND_NS: Final = 1_000_000_000


def extend(state: ControlState) -> None:
    """Let withdrawals run for another while, unless that is refused."""
    lease = state.book.lease
    if not state.book.runbook_text or lease.refused:
        return
    lease.number += 1
    lease.extended_ns = state.at_ns
    lease.until_ns = state.at_ns + state.runbook.lease.seconds * SECOND_NS


def lapse(state: ControlState) -> LeaseLapsed | None:
    """Tell if the lease ran out before this entry because none came."""
    lease = state.book.lease
    if not lease.number or lease.refused or state.at_ns <= lease.until_ns:
        return None
    return LeaseLapsed(state.at_ns - lease.extended_ns)
