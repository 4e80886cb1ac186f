"""A second account of all money in the funding cell.  The rule: kept from what was said happened.

Every user's wallet and every vault is added up from commands and events alone, without a look at
the ledger, so that neither can hide the other's mistake.
"""

from seawall.core.funding_state import FundingState
from seawall.model import funding_commands as f
from seawall.model.commands import Deliver
from seawall.model.events import Event
from seawall.model.funding import (
    DepositState,
    TransferState,
    Vault,
    VaultMoveState,
    WithdrawalState,
)
from seawall.model.funding_events import (
    CapitalBooked,
    DepositChanged,
    MessageDelivered,
    TransferRequested,
    TransferSettled,
    VaultMoveChanged,
    WithdrawalChanged,
)
from seawall.model.funding_rows import VaultMove, Withdrawal


class Purse:
    """Wallets and vaults of one network whose coin is `native`."""

    def __init__(self, native: str) -> None:
        self.native = native
        self.users: dict[tuple[int, str], int] = {}
        self.vaults: dict[tuple[Vault, str], int] = {}
        self.fees: dict[str, int] = {}
        self.ended: set[str] = set()

    def take(self, command: f.FundingCommand, events: list[Event]) -> None:
        """Book what the entry did."""
        for event in events:
            if isinstance(event, DepositChanged) and event.state is DepositState.CREDITED:
                row = event.deposit
                self._once(f"deposit/{row.network}/{row.tx_id}/{row.output}")
                self._user(row.user_id, row.asset, row.atoms)
                self._vault(Vault.DEPOSIT, row.asset, row.atoms)
            elif isinstance(event, MessageDelivered) and isinstance(command, Deliver):
                message = command.message
                if not event.repeated and not event.refusal:
                    self._once(f"message/{event.source}/{event.number}")
                    self._user(message.user_id, message.asset, message.atoms)
            elif isinstance(event, TransferRequested) and not event.repeated:
                sent = event.transfer
                self._user(sent.user_id, sent.asset, -sent.atoms)
            elif isinstance(event, TransferSettled):
                self._once(f"transfer/{event.transfer.transfer_id}")
                if event.transfer.state is TransferState.RETURNED:
                    back = event.transfer
                    self._user(back.user_id, back.asset, back.atoms)
            elif isinstance(event, CapitalBooked):
                self._vault(event.vault, event.asset, event.atoms)
            elif isinstance(event, WithdrawalChanged) and not event.repeated:
                self._withdrawal(event.withdrawal)
            elif isinstance(event, VaultMoveChanged) and not event.repeated:
                self._move(event.move)

    def _withdrawal(self, row: Withdrawal) -> None:
        if row.state not in (WithdrawalState.SETTLED, WithdrawalState.RETURNED):
            return
        self._once(row.payment)
        self._vault(Vault.HOT, self.native, -row.cost)
        if row.state is WithdrawalState.SETTLED:
            self._user(row.user_id, row.asset, -row.atoms)
            self._vault(Vault.HOT, row.asset, row.fee - row.atoms)
            self.fees[row.asset] = self.fees.get(row.asset, 0) + row.fee

    def _move(self, row: VaultMove) -> None:
        if row.state not in (VaultMoveState.SETTLED, VaultMoveState.FAILED):
            return
        self._once(row.payment)
        self._vault(row.source, self.native, -row.cost)
        if row.state is VaultMoveState.SETTLED:
            self._vault(row.source, row.asset, -row.atoms)
            self._vault(row.target, row.asset, row.atoms)

    def _once(self, what: str) -> None:
        assert what not in self.ended, f"{what} took effect twice"
        self.ended.add(what)

    def _user(self, user_id: int, asset: str, atoms: int) -> None:
        key = (user_id, asset)
        self.users[key] = self.users.get(key, 0) + atoms

    def _vault(self, vault: Vault, asset: str, atoms: int) -> None:
        self.vaults[vault, asset] = self.vaults.get((vault, asset), 0) + atoms

    def check(self, state: FundingState, network: str) -> None:
        """Hold the ledger against this account, to the last atom."""
        for user_id, balances in state.ledger.balances.items():
            if user_id > 0:
                for asset, balance in balances.items():
                    assert balance.free + balance.held == self.users.get((user_id, asset), 0)
        for (user_id, asset), atoms in self.users.items():
            opened = state.ledger.balances.get(user_id, {}).get(asset)
            assert opened is not None or atoms == 0, "what came in stands somewhere"
        for asset in state.book.assets:
            for vault in Vault:
                held = state.held_in(network, vault, asset)
                assert held == self.vaults.get((vault, asset), 0), (vault, asset)
            assert state.ledger.free(0, asset) == self.fees.get(asset, 0)
