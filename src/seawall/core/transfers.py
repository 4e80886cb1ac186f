"""Transfers as the spot cell sees them.  The rule: core/mailbox.py decides, over spot's ledger."""

from seawall.core import mailbox
from seawall.core.spot_state import SpotState
from seawall.model.commands import Deliver, RequestTransfer, Settle, SetTransfers
from seawall.model.events import CommandRejected, Event
from seawall.model.ids import MONEY_CELLS, SPOT
from seawall.model.rejections import Rejection


def message(
    state: SpotState,
    command: RequestTransfer | Deliver | Settle | SetTransfers,
    events: list[Event],
) -> None:
    """Send, take in or close a message to or from another cell."""
    box = state.mailbox
    if isinstance(command, RequestTransfer):
        if command.target not in MONEY_CELLS or command.target == SPOT:
            events.append(CommandRejected(Rejection.UNKNOWN_TRANSFER, command.target))
        elif command.asset not in state.assets:
            events.append(CommandRejected(Rejection.UNKNOWN_ASSET))
        else:
            events += mailbox.request_transfer(box, state.ledger, command, state.at_ns)
    elif isinstance(command, Deliver):
        known = command.message.asset in state.assets
        if command.source == SPOT:
            events.append(CommandRejected(Rejection.UNKNOWN_TRANSFER, command.source))
        else:
            events += mailbox.deliver(box, state.ledger, command, known)
    elif isinstance(command, SetTransfers):
        events += mailbox.set_transfers(box, command, state.at_ns)
    else:
        events += mailbox.settle(box, state.ledger, command, state.at_ns)
