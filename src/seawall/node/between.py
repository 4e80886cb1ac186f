"""Whether two cells agree on the money between them.  The rule: excuse only what time excuses.

The cells of a running exchange are read one after the other.  What was taken must have been sent by
a source that is read later; what was closed must have been taken by a target that is read later.
Cells that disagree are of different moments: one of them was put back from an older copy, and going
on would make money or lose it.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.ledger import Ledger
from seawall.core.spot_state import SpotState
from seawall.model.funding import TransferState
from seawall.model.ids import FUNDING, SPOT, bridge_account
from seawall.model.instruments import Asset
from seawall.model.mailbox import Inbox, Mailbox, Outbox

TOLD = 3
"""Of each kind: the first say where it began."""


class Sight(Struct, frozen=True):
    """A cell as it was when it was read."""

    cell: str
    mailbox: Mailbox
    ledger: Ledger
    assets: Mapping[str, Asset]

    def inbox(self, source: str) -> Inbox:
        return self.mailbox.inboxes.get(source, Inbox())

    def outbox(self, target: str) -> Outbox:
        return self.mailbox.outboxes.get(target, Outbox())


def sight_of_funding(state: FundingState) -> Sight:
    return Sight(FUNDING, state.book.mailbox, state.ledger, state.book.assets)


def sight_of_spot(state: SpotState) -> Sight:
    return Sight(SPOT, state.mailbox, state.ledger, state.assets)


def disagreements(earlier: Sight, later: Sight) -> list[str]:
    """Return what contradicts what `earlier` says, in a cell that was read later."""
    gaps = [*_taken_but_not_sent(earlier, later), *_closed_but_not_taken(earlier, later)]
    if gaps:
        # Sums of messages that one cell lacks would only repeat it.
        return gaps
    return [
        *_ended_otherwise(earlier, later),
        *_sums_differ(earlier, later),
        *_assets_differ(earlier, later),
    ]


def _taken_but_not_sent(target: Sight, source: Sight) -> Iterator[str]:
    taken = target.inbox(source.cell).next_number - 1
    sent = source.outbox(target.cell).next_number - 1
    if taken > sent:
        yield f"{target.cell} took {taken} messages of {source.cell}, which has sent {sent}"


def _closed_but_not_taken(source: Sight, target: Sight) -> list[str]:
    outbox = source.outbox(target.cell)
    never = range(target.inbox(source.cell).next_number, outbox.next_number)
    return [
        f"{source.cell} closed message {number} to {target.cell}, which never took it"
        for number in never
        if number not in outbox.waiting
    ][:TOLD]


def _ended_otherwise(source: Sight, target: Sight) -> list[str]:
    """Find transfers that arrived and were given back, or did neither."""
    refusals = target.inbox(source.cell).refusals
    found = []
    for transfer in source.mailbox.transfers.values():
        if transfer.target != target.cell or transfer.state is TransferState.PENDING:
            continue
        refused = transfer.number in refusals
        if refused != (transfer.state is TransferState.RETURNED):
            answer = "refused" if refused else "took"
            found.append(
                f"{source.cell} has message {transfer.number} as {transfer.state},"
                f" {target.cell} {answer} it"
            )
    return found[:TOLD]


def _sums_differ(earlier: Sight, later: Sight) -> list[str]:
    """Hold the bridge of the cell read first against every message to and from the other.

    Both bridges and what is under way then sum to zero: no money was made between the cells.
    """
    sums: dict[str, int] = {}
    for sent in earlier.mailbox.transfers.values():
        if sent.target == later.cell and sent.state is not TransferState.RETURNED:
            sums[sent.asset] = sums.get(sent.asset, 0) + sent.atoms
    inbox = earlier.inbox(later.cell)
    for came in later.mailbox.transfers.values():
        taken = came.target == earlier.cell and came.number < inbox.next_number
        if taken and came.number not in inbox.refusals:
            sums[came.asset] = sums.get(came.asset, 0) - came.atoms
    bridge = bridge_account(later.cell)
    known = {*sums, *earlier.ledger.balances.get(bridge, {})}
    return [
        f"{earlier.cell} has {earlier.ledger.free(bridge, asset)} atoms of {asset} between itself"
        f" and {later.cell}; their messages make {sums.get(asset, 0)}"
        for asset in sorted(known)
        if earlier.ledger.free(bridge, asset) != sums.get(asset, 0)
    ]


def _assets_differ(earlier: Sight, later: Sight) -> list[str]:
    """Find assets whose atoms differ: a transfer counts them in both cells."""
    return [
        f"{code} has {asset.decimals} decimals in {earlier.cell}, {other.decimals} in {later.cell}"
        for code, asset in earlier.assets.items()
        if (other := later.assets.get(code)) is not None and other.decimals != asset.decimals
    ]
