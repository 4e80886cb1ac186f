"""Messages between cells.  The rule: what leaves one cell enters another once, or comes back.

The outbox is part of the source's state, so a message exists exactly when the entry that took its
money does.  The relay keeps nothing: it reads outboxes, proposes `Deliver` and `Settle`, and may
propose each as often as it likes.  Money between two cells stands on a bridge account in each.
"""

from seawall.core.ledger import Ledger
from seawall.lib.invariants import invariant
from seawall.model.commands import Deliver, RequestTransfer, Settle, SetTransfers
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import TransferState
from seawall.model.funding_events import (
    MessageDelivered,
    TransferRequested,
    TransfersChanged,
    TransferSettled,
)
from seawall.model.ids import MONEY_CELLS, bridge_account
from seawall.model.mailbox import Inbox, Mailbox, Outbox, Transfer
from seawall.model.messages import Message, MoveFunds
from seawall.model.rejections import Rejection


def set_transfers(mailbox: Mailbox, command: SetTransfers, at_ns: int) -> list[Event]:
    """Pause what users may send from here, or let it begin again; an order counts once."""
    if not command.reason or command.order < 0:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "reason and order")]
    if 0 < command.order < mailbox.order:
        return [CommandRejected(Rejection.STALE_ORDER, f"{mailbox.order} is the last")]
    if command.order:
        if command.order == mailbox.order:
            return []
    elif (mailbox.paused, mailbox.reason) == (command.paused, command.reason):
        return []
    if mailbox.paused != command.paused:
        mailbox.since_ns = at_ns
    mailbox.paused = command.paused
    mailbox.reason = command.reason
    mailbox.person = command.person
    mailbox.order = command.order or mailbox.order
    return [TransfersChanged(command.paused, command.reason)]


def request_transfer(
    mailbox: Mailbox, ledger: Ledger, command: RequestTransfer, at_ns: int
) -> list[Event]:
    """Take the amount out of the user's wallet and put its message into the outbox.

    A client id that was used before answers with the transfer it made, if it is the same one.
    """
    client_key = f"{command.user_id}/{command.client_transfer_id}"
    known = mailbox.client_transfers.get(client_key) if command.client_transfer_id else None
    if known is not None:
        return [_asked_before(mailbox.transfers[known], command)]
    if command.user_id <= 0:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if mailbox.paused:
        return [CommandRejected(Rejection.TRANSFERS_PAUSED, mailbox.reason)]
    if command.atoms <= 0:
        return [CommandRejected(Rejection.BELOW_MINIMUM)]
    if ledger.free(command.user_id, command.asset) < command.atoms:
        return [CommandRejected(Rejection.INSUFFICIENT_BALANCE)]
    outbox = mailbox.outboxes.setdefault(command.target, Outbox())
    transfer = Transfer(
        transfer_id=mailbox.next_transfer_id,
        user_id=command.user_id,
        target=command.target,
        number=outbox.next_number,
        asset=command.asset,
        atoms=command.atoms,
        client_transfer_id=command.client_transfer_id,
        requested_ns=at_ns,
    )
    mailbox.next_transfer_id += 1
    mailbox.transfers[transfer.transfer_id] = transfer
    if command.client_transfer_id:
        mailbox.client_transfers[client_key] = transfer.transfer_id
    outbox.next_number += 1
    outbox.waiting[transfer.number] = MoveFunds(
        transfer_id=transfer.transfer_id,
        user_id=command.user_id,
        asset=command.asset,
        atoms=command.atoms,
    )
    ledger.move(
        ledger.balance(command.user_id, command.asset),
        ledger.balance(bridge_account(command.target), command.asset),
        command.atoms,
    )
    return [TransferRequested(transfer, repeated=False)]


def _asked_before(known: Transfer, command: RequestTransfer) -> Event:
    """Answer with what the client id names; never let another amount pass for it."""
    asked = (command.target, command.asset, command.atoms)
    if (known.target, known.asset, known.atoms) != asked:
        return CommandRejected(Rejection.REFERENCE_REUSED, command.client_transfer_id)
    return TransferRequested(known, repeated=True)


def deliver(mailbox: Mailbox, ledger: Ledger, command: Deliver, known_asset: bool) -> list[Event]:
    """Apply the next message of a source, refuse it whole, or say that it was applied before."""
    if command.source not in MONEY_CELLS:
        return [CommandRejected(Rejection.UNKNOWN_TRANSFER, command.source)]
    inbox = mailbox.inboxes.get(command.source) or Inbox()
    if command.number < inbox.next_number:
        refusal = inbox.refusals.get(command.number, "")
        return [MessageDelivered(command.source, command.number, refusal, repeated=True)]
    if command.number > inbox.next_number:
        return [CommandRejected(Rejection.OUT_OF_ORDER, f"{inbox.next_number} is next")]
    mailbox.inboxes[command.source] = inbox
    inbox.next_number += 1
    message = command.message
    refused = _refusal(message, known_asset)
    if refused is not None:
        refusal = refused.value
        inbox.refusals[command.number] = refusal
        return [MessageDelivered(command.source, command.number, refusal, repeated=False)]
    ledger.move(
        ledger.balance(bridge_account(command.source), message.asset),
        ledger.balance(message.user_id, message.asset),
        message.atoms,
    )
    return [MessageDelivered(command.source, command.number, "", repeated=False)]


def _refusal(message: Message, known_asset: bool) -> Rejection | None:
    if not known_asset:
        return Rejection.UNKNOWN_ASSET
    if message.user_id <= 0:
        return Rejection.UNKNOWN_USER
    if message.atoms <= 0:
        return Rejection.BELOW_MINIMUM
    return None


def settle(mailbox: Mailbox, ledger: Ledger, command: Settle, at_ns: int) -> list[Event]:
    """Close a message that its target answered; what was refused goes back to its user."""
    outbox = mailbox.outboxes.get(command.target)
    if outbox is None or command.number >= outbox.next_number:
        return [CommandRejected(Rejection.UNKNOWN_TRANSFER)]
    message = outbox.waiting.pop(command.number, None)
    if message is None:
        return []
    transfer = mailbox.transfers[message.transfer_id]
    invariant(transfer.state is TransferState.PENDING, "a waiting message is a pending transfer")
    transfer.settled_ns = at_ns
    if command.refusal:
        transfer.state = TransferState.RETURNED
        transfer.reason = command.refusal
        ledger.move(
            ledger.balance(bridge_account(command.target), message.asset),
            ledger.balance(message.user_id, message.asset),
            message.atoms,
        )
    else:
        transfer.state = TransferState.CONFIRMED
    return [TransferSettled(transfer)]


def check_mailbox(mailbox: Mailbox) -> None:
    """Raise InvariantError unless messages and transfers agree."""
    waiting = 0
    for target, outbox in mailbox.outboxes.items():
        waiting += len(outbox.waiting)
        for number, message in outbox.waiting.items():
            transfer = mailbox.transfers[message.transfer_id]
            invariant(0 < number < outbox.next_number, "a message was numbered when it was sent")
            invariant(
                (transfer.target, transfer.number, transfer.state)
                == (target, number, TransferState.PENDING),
                "a waiting message is a pending transfer",
            )
            invariant(
                (transfer.user_id, transfer.asset, transfer.atoms)
                == (message.user_id, message.asset, message.atoms),
                "a message carries its transfer's money",
            )
    pending = 0
    for transfer_id, transfer in mailbox.transfers.items():
        invariant(transfer.transfer_id == transfer_id, "a transfer stands under its own id")
        invariant(0 < transfer_id < mailbox.next_transfer_id, "and below the next one")
        pending += 1 if transfer.state is TransferState.PENDING else 0
    invariant(waiting == pending, "each pending transfer is one waiting message")
    for inbox in mailbox.inboxes.values():
        for number in inbox.refusals:
            invariant(0 < number < inbox.next_number, "what was refused was delivered")
