"""Whose deposits, withdrawals and transfers are whose.  The rule: rebuilt from the cells' states.

The cells keep them by number, as they need them; users ask for their own.
"""

from seawall.model.commands import Command
from seawall.model.events import Event
from seawall.model.funding_events import DepositChanged, TransferRequested, WithdrawalChanged
from seawall.model.funding_rows import Deposit, Withdrawal
from seawall.model.ids import FUNDING, SPOT
from seawall.model.mailbox import Mailbox, Transfer
from seawall.node.node import Node


class MoneyIndex:
    """Each user's money in and out, oldest first."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._withdrawals: dict[int, dict[int, None]] = {}
        self._deposits: dict[int, dict[str, None]] = {}
        self._transfers: dict[int, dict[tuple[str, int], None]] = {}
        for withdrawal in node.funding.book.withdrawals.values():
            self._add_withdrawal(withdrawal)
        for deposit in node.funding.book.deposits.values():
            self._add_deposit(deposit)
        sent = [
            (transfer.requested_ns, cell, transfer)
            for cell, box in self._boxes().items()
            for transfer in box.transfers.values()
        ]
        for _, cell, transfer in sorted(sent, key=lambda each: each[0]):
            self._add_transfer(cell, transfer)
        node.add_listener(self._on_entry)

    def withdrawals(self, user_id: int) -> list[Withdrawal]:
        found = self._node.funding.book.withdrawals
        return [found[number] for number in self._withdrawals.get(user_id, ())]

    def deposits(self, user_id: int) -> list[Deposit]:
        found = self._node.funding.book.deposits
        return [found[key] for key in self._deposits.get(user_id, ())]

    def transfers(self, user_id: int) -> list[tuple[str, Transfer]]:
        """Return source cells and transfers."""
        boxes = self._boxes()
        return [
            (cell, boxes[cell].transfers[number])
            for cell, number in self._transfers.get(user_id, ())
        ]

    def _boxes(self) -> dict[str, Mailbox]:
        return {FUNDING: self._node.funding.book.mailbox, SPOT: self._node.spot.mailbox}

    def _on_entry(
        self, cell: str, _sequence: int, _at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        for event in events:
            if isinstance(event, TransferRequested):
                self._add_transfer(cell, event.transfer)
            elif isinstance(event, WithdrawalChanged):
                self._add_withdrawal(event.withdrawal)
            elif isinstance(event, DepositChanged):
                self._add_deposit(event.deposit)

    def _add_withdrawal(self, withdrawal: Withdrawal) -> None:
        self._withdrawals.setdefault(withdrawal.user_id, {})[withdrawal.withdrawal_id] = None

    def _add_deposit(self, deposit: Deposit) -> None:
        key = f"{deposit.network}/{deposit.tx_id}/{deposit.output}"
        self._deposits.setdefault(deposit.user_id, {})[key] = None

    def _add_transfer(self, cell: str, transfer: Transfer) -> None:
        self._transfers.setdefault(transfer.user_id, {})[cell, transfer.transfer_id] = None
