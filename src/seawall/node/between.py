"""Whether two cells agree on their messages.  The rule: compare only what time cannot excuse.

The cells of a running exchange are read one after the other.  What was taken must have been sent by
a source that is read later; what was closed must have been taken by a target that is read later.
"""

from seawall.model.mailbox import Inbox, Mailbox, Outbox


def taken_but_not_sent(target: str, earlier: Mailbox, source: str, later: Mailbox) -> list[str]:
    """Say so if the target has taken more messages than the source, read later, has sent."""
    taken = earlier.inboxes.get(source, Inbox()).next_number - 1
    sent = later.outboxes.get(target, Outbox()).next_number - 1
    if taken <= sent:
        return []
    return [f"{target} took {taken} messages of {source}, which has sent {sent}"]


def closed_but_not_taken(source: str, earlier: Mailbox, target: str, later: Mailbox) -> list[str]:
    """Say so if the source has closed a message that the target, read later, never took."""
    outbox = earlier.outboxes.get(target, Outbox())
    taken = later.inboxes.get(source, Inbox()).next_number - 1
    never = range(taken + 1, outbox.next_number)
    return [
        f"{source} closed message {number} to {target}, which never took it"
        for number in never
        if number not in outbox.waiting
    ][:3]
