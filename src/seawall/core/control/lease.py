"""The lease that withdrawals run on.  The rule: silence ends it; nobody has to do anything.

`lapse` is asked first in every entry, `extend` comes last, after all decisions: whoever sets
`refused` in between stops the lease with that very entry.
"""

from typing import Final

from seawall.core.control.state import ControlState
from seawall.model.control_events import LeaseLapsed

SECOND_NS: Final = 1_000_000_000


def judge(state: ControlState) -> LeaseLapsed | None:
    """Refuse the lease while too few witnesses are heard: what nobody sees is not well.

    A refusal takes back what was granted.  When it ends, it is told how long it lasted.
    """
    lease, terms = state.book.lease, state.runbook.lease
    heard = _heard(state)
    if heard < terms.witnesses:
        if not lease.refused:
            lease.number += 1
            lease.until_ns = state.at_ns
        lease.refused = f"{heard} of {terms.witnesses} witnesses are heard"
        return None
    if not lease.refused:
        return None
    lease.refused = ""
    if not lease.extended_ns:
        return None
    return LeaseLapsed(state.at_ns - lease.extended_ns)


def _heard(state: ControlState) -> int:
    """Return at how many providers a watcher was heard lately."""
    oldest_ns = state.at_ns - state.runbook.signals.fresh_s * SECOND_NS
    heard = [
        watcher.provider
        for watcher in state.book.watchers.values()
        if watcher.observed_ns >= oldest_ns
    ]
    return len(dict.fromkeys(heard))


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
