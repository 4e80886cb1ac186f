"""Messages and transfers as a cell holds them.  The rule: only core/mailbox.py changes one."""

from msgspec import Struct, field

from seawall.model.funding import TransferState
from seawall.model.messages import Message


class Transfer(Struct, kw_only=True, omit_defaults=True):
    """An amount on its way from this cell to another, or arrived."""

    transfer_id: int
    user_id: int
    target: str
    number: int
    """Of its message in the outbox."""
    asset: str
    atoms: int
    client_transfer_id: str
    state: TransferState = TransferState.PENDING
    reason: str = ""
    requested_ns: int
    settled_ns: int = 0


class Outbox(Struct, kw_only=True, omit_defaults=True):
    """Messages to one target that it has not answered yet."""

    next_number: int = 1
    waiting: dict[int, Message] = field(default_factory=dict)


class Inbox(Struct, kw_only=True, omit_defaults=True):
    """Messages of one source: the next number due, and what was refused, with the reason."""

    next_number: int = 1
    refusals: dict[int, str] = field(default_factory=dict)


class Mailbox(Struct, kw_only=True, omit_defaults=True):
    """A cell's messages to and from the others, and the transfers they carry."""

    outboxes: dict[str, Outbox] = field(default_factory=dict)
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    transfers: dict[int, Transfer] = field(default_factory=dict)
    next_transfer_id: int = 1
    client_transfers: dict[str, int] = field(default_factory=dict)
    """Transfer of each `user/client id`, for ever."""
    paused: bool = False
    """No transfer begins here; what is under way arrives all the same."""
    reason: str = ""
    person: str = ""
    since_ns: int = 0
    """When it was last paused or let go on."""
    order: int = 0
    """Number of the control cell's last order that was applied."""
