"""What is under way in the funding cell.  The rule: derived from the rows, and only a shortcut.

Rows stay in the book for ever; the pipelines ask at every step for the few that may still change.
The index follows the events, is rebuilt with a loaded state, and is in no digest and no snapshot:
`check_funding` compares it with a look at every row.
"""

from seawall.model.events import Event
from seawall.model.funding import DepositState, VaultMoveState, WithdrawalState
from seawall.model.funding_events import DepositChanged, VaultMoveChanged, WithdrawalChanged
from seawall.model.funding_rows import Deposit, FundingBook, VaultMove, Withdrawal


class FundingIndex:
    """The rows that are under way, and those that are done, by network."""

    def __init__(self) -> None:
        self._withdrawals: dict[str, dict[int, Withdrawal]] = {}
        self._moves: dict[str, dict[str, VaultMove]] = {}
        self._deposits: dict[str, dict[str, Deposit]] = {}
        self._done: dict[str, list[Deposit | VaultMove]] = {}
        self._move_tx_ids: dict[str, dict[str, str]] = {}

    def withdrawals(self, network: str) -> list[Withdrawal]:
        """Return what is signed and not final, in the order in which it was asked for."""
        of_network = self._withdrawals.get(network)
        if not of_network:
            return []
        return [of_network[number] for number in sorted(of_network)]

    def moves(self, network: str) -> list[VaultMove]:
        """Return the moves that are signed and not final, in the order of the journal."""
        of_network = self._moves.get(network)
        return list(of_network.values()) if of_network else []

    def deposits(self, network: str) -> list[Deposit]:
        """Return what stands on chain and is not credited: not final, or ignored for ever."""
        of_network = self._deposits.get(network)
        return list(of_network.values()) if of_network else []

    def done(self, network: str, start: int) -> list[Deposit | VaultMove]:
        """Return credited deposits and ended moves, from a place on."""
        of_network = self._done.get(network)
        return of_network[start:] if of_network else []

    def move_of(self, network: str, tx_id: str) -> str | None:
        """Return the move that a transaction is an attempt of, if it is one."""
        of_network = self._move_tx_ids.get(network)
        return of_network.get(tx_id) if of_network else None

    def rebuild(self, book: FundingBook) -> None:
        """Take up every row of a loaded state."""
        for deposit in book.deposits.values():
            self.on_deposit(deposit)
        for withdrawal in book.withdrawals.values():
            self.on_withdrawal(withdrawal)
        for move in book.moves.values():
            self.on_move(move)

    def on_events(self, events: list[Event]) -> None:
        """Follow what a command has changed."""
        for event in events:
            if isinstance(event, WithdrawalChanged):
                self.on_withdrawal(event.withdrawal)
            elif isinstance(event, DepositChanged):
                self.on_deposit(event.deposit)
            elif isinstance(event, VaultMoveChanged) and not event.repeated:
                self.on_move(event.move)

    def on_withdrawal(self, row: Withdrawal) -> None:
        """Take the row as it stands now."""
        of_network = self._withdrawals.setdefault(row.network, {})
        if row.state in (WithdrawalState.PREPARED, WithdrawalState.BROADCAST):
            of_network[row.withdrawal_id] = row
        else:
            of_network.pop(row.withdrawal_id, None)

    def on_deposit(self, row: Deposit) -> None:
        """Take the row as it stands now; one that is credited changes no more."""
        key = f"{row.tx_id}/{row.output}"
        of_network = self._deposits.setdefault(row.network, {})
        if row.state in (DepositState.SEEN, DepositState.IGNORED):
            of_network[key] = row
            return
        of_network.pop(key, None)
        if row.state is DepositState.CREDITED:
            self._done.setdefault(row.network, []).append(row)

    def on_move(self, row: VaultMove) -> None:
        """Take the row as it stands now; one that has ended changes no more."""
        tx_ids = self._move_tx_ids.setdefault(row.network, {})
        for attempt in row.attempts:
            tx_ids[attempt.tx_id] = row.move_key
        of_network = self._moves.setdefault(row.network, {})
        if row.state in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST):
            of_network[row.move_key] = row
        else:
            of_network.pop(row.move_key, None)
            self._done.setdefault(row.network, []).append(row)
