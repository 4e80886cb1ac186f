"""What lies between the cells.  The rule: no memory; whatever is proposed twice is applied once.

Sans-I/O: looks at every cell's outboxes and inboxes as they stand, and names the commands that
bring messages on.  A message that its target has not taken is proposed to the target; one that the
target has answered is closed at its source.  The cells refuse or ignore what came before, so
crashes, repeats and losses at any place change nothing but the time it takes.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from seawall.model import limits
from seawall.model.commands import Deliver, Settle
from seawall.model.mailbox import Inbox, Mailbox, Outbox

_NOTHING_YET = Inbox()


class Proposal(Struct, frozen=True, kw_only=True):
    """A command for one cell."""

    cell: str
    command: Deliver | Settle


def proposals(mailboxes: Mapping[str, Mailbox]) -> list[Proposal]:
    """Return what brings the waiting messages on; at most `limits.RELAY_MESSAGES` of each pair."""
    found: list[Proposal] = []
    for source, mailbox in mailboxes.items():
        for target, outbox in mailbox.outboxes.items():
            if target in mailboxes:
                inbox = mailboxes[target].inboxes.get(source, _NOTHING_YET)
                found += _between(source, target, outbox, inbox)
    return found


def _between(source: str, target: str, outbox: Outbox, inbox: Inbox) -> Iterator[Proposal]:
    due = inbox.next_number
    for _, number in zip(range(limits.RELAY_MESSAGES), outbox.waiting, strict=False):
        if number > due:
            # The target lacks messages that its source has closed: no repetition mends that.
            return
        if number < inbox.next_number:
            refusal = inbox.refusals.get(number, "")
            yield Proposal(
                cell=source, command=Settle(target=target, number=number, refusal=refusal)
            )
        else:
            due += 1
            message = outbox.waiting[number]
            yield Proposal(
                cell=target, command=Deliver(source=source, number=number, message=message)
            )
