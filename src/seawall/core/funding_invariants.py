"""What always holds in the funding cell.  The rule: look at the whole state, trust no counter."""

from collections.abc import Mapping
from typing import Final

from seawall.core.funding_state import FundingState
from seawall.core.mailbox import check_mailbox
from seawall.core.slots import most_cost
from seawall.lib.invariants import invariant
from seawall.model.funding import (
    CanaryState,
    DepositState,
    Vault,
    VaultMoveState,
    WithdrawalState,
)

_CANARY_OF: Final[Mapping[VaultMoveState, CanaryState]] = {
    VaultMoveState.PREPARED: CanaryState.SENT,
    VaultMoveState.BROADCAST: CanaryState.SENT,
    VaultMoveState.SETTLED: CanaryState.SETTLED,
    VaultMoveState.FAILED: CanaryState.FAILED,
}


def check_funding(state: FundingState) -> None:
    """Raise InvariantError if money, holds, queues, reserves or slots disagree."""
    _check_sums(state)
    _check_holds(state)
    _check_queues(state)
    _check_reserves(state)
    _check_slots(state)
    check_mailbox(state.book.mailbox)
    _check_addresses(state)
    _check_deposits(state)
    _check_index(state)
    _check_stages(state)
    _check_canaries(state)


def _check_sums(state: FundingState) -> None:
    sums: dict[str, int] = {}
    for user_id, balances in state.ledger.balances.items():
        for asset, balance in balances.items():
            sums[asset] = sums.get(asset, 0) + balance.free + balance.held
            invariant(balance.held >= 0, "no hold is negative")
            invariant(balance.free >= 0 or user_id < 0, "only house accounts may be negative")
    for asset, total in sums.items():
        invariant(total == 0, f"{asset} sums to zero over all accounts")


def _check_holds(state: FundingState) -> None:
    held: dict[tuple[int, str], int] = {}
    for withdrawal in state.book.withdrawals.values():
        if not withdrawal.state.ended:
            key = (withdrawal.user_id, withdrawal.asset)
            held[key] = held.get(key, 0) + withdrawal.atoms
    for user_id, balances in state.ledger.balances.items():
        for asset, balance in balances.items():
            expected = held.pop((user_id, asset), 0)
            invariant(balance.held == expected, "holds equal the open withdrawals")
    invariant(not held, "every open withdrawal is held")


def _check_queues(state: FundingState) -> None:
    queued: dict[int, int] = {}
    for listing in state.book.listings.values():
        for withdrawal_id in listing.queue:
            queued[withdrawal_id] = queued.get(withdrawal_id, 0) + 1
    for withdrawal in state.book.withdrawals.values():
        waits = withdrawal.state is WithdrawalState.QUEUED
        invariant(
            queued.get(withdrawal.withdrawal_id, 0) == int(waits),
            "a withdrawal stands in its queue exactly while it is queued",
        )
        signed = withdrawal.state in (
            WithdrawalState.PREPARED,
            WithdrawalState.BROADCAST,
            WithdrawalState.SETTLED,
            WithdrawalState.RETURNED,
        )
        invariant(bool(withdrawal.attempts) == signed, "only what left its queue is signed")


def _check_reserves(state: FundingState) -> None:
    reserved: dict[str, int] = {}
    costs: dict[str, int] = {}
    for withdrawal in state.book.withdrawals.values():
        if withdrawal.state in (WithdrawalState.PREPARED, WithdrawalState.BROADCAST):
            key = f"{withdrawal.asset}/{withdrawal.network}"
            reserved[key] = reserved.get(key, 0) + withdrawal.atoms - withdrawal.fee
            cost = most_cost(withdrawal.attempts)
            costs[withdrawal.network] = costs.get(withdrawal.network, 0) + cost
    for move in state.book.moves.values():
        pending = move.state in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST)
        if pending and move.source is Vault.HOT:
            key = f"{move.asset}/{move.network}"
            reserved[key] = reserved.get(key, 0) + move.atoms
            costs[move.network] = costs.get(move.network, 0) + most_cost(move.attempts)
    for key, listing in state.book.listings.items():
        invariant(listing.reserved == reserved.get(key, 0), "reserves equal what is on its way")
    for code, network in state.book.networks.items():
        invariant(network.cost_reserved == costs.get(code, 0), "reserved costs equal the attempts")


def _check_slots(state: FundingState) -> None:
    for withdrawal in state.book.withdrawals.values():
        slots = state.book.networks[withdrawal.network].slots
        for attempt in withdrawal.attempts:
            for slot in attempt.slots:
                invariant(slots.get(slot) == withdrawal.payment, "a slot has one payment")


def _check_addresses(state: FundingState) -> None:
    owners: dict[str, int] = {}
    for network in state.book.networks.values():
        for address, user_id in network.owners.items():
            known = owners.setdefault(address, user_id)
            invariant(known == user_id, "an address is one user's on all networks")
            account = state.book.accounts[user_id]
            invariant(
                account.deposit_addresses.get(network.network.code) == address,
                "an address given out is its user's",
            )
            invariant(
                network.network.kind.value in account.deposit_indices,
                "an address given out has an index",
            )
    for kind, end in state.book.next_indices.items():
        given = [
            account.deposit_indices[kind]
            for account in state.book.accounts.values()
            if kind in account.deposit_indices
        ]
        invariant(sorted(given) == list(range(end)), "each index of a kind is one user's")


def _check_deposits(state: FundingState) -> None:
    for deposit in state.book.deposits.values():
        network = state.book.networks[deposit.network]
        if deposit.state is DepositState.CREDITED:
            invariant(
                deposit.confirmations >= network.network.finality,
                "only final deposits are credited",
            )
        invariant(network.owners.get(deposit.address) == deposit.user_id, "deposits have an owner")


def _check_stages(state: FundingState) -> None:
    """Check that no limited service was passed, and that no other counts."""
    for listing in state.book.listings.values():
        service = listing.withdrawal
        by_user = service.prepared_by.values()
        invariant(service.prepared <= service.total, "no stage pays more than its total")
        invariant(
            all(0 < atoms <= service.per_user for atoms in by_user),
            "no stage pays a user more than a share",
        )
        if service.per_user and service.total:
            invariant(sum(by_user) == service.prepared, "a stage's total is what its users got")


def _check_canaries(state: FundingState) -> None:
    for key, canary in state.book.canaries.items():
        invariant(canary.key == key, "a canary stands under its own key")
        move = state.book.moves.get(canary.move_key)
        if move is None:
            unpaid = canary.state in (CanaryState.WANTED, CanaryState.FAILED)
            invariant(unpaid, "what was never signed is wanted, or gave way")
            continue
        invariant(canary.state is _CANARY_OF[move.state], "a canary follows its move")
        invariant(
            (canary.asset, canary.network, canary.atoms) == (move.asset, move.network, move.atoms),
            "a canary is its move",
        )


def _check_index(state: FundingState) -> None:
    """Compare the index with a look at every row."""
    withdrawals: dict[str, list[int]] = {}
    for withdrawal in state.book.withdrawals.values():
        if withdrawal.state in (WithdrawalState.PREPARED, WithdrawalState.BROADCAST):
            withdrawals.setdefault(withdrawal.network, []).append(withdrawal.withdrawal_id)
    moves: dict[str, list[str]] = {}
    done: dict[str, int] = {}
    for move in state.book.moves.values():
        if move.state in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST):
            moves.setdefault(move.network, []).append(move.move_key)
        else:
            done[move.network] = done.get(move.network, 0) + 1
        for attempt in move.attempts:
            known = state.index.move_of(move.network, attempt.tx_id)
            invariant(known == move.move_key, "a move is known by its transactions")
    deposits: dict[str, int] = {}
    for deposit in state.book.deposits.values():
        if deposit.state in (DepositState.SEEN, DepositState.IGNORED):
            deposits[deposit.network] = deposits.get(deposit.network, 0) + 1
        elif deposit.state is DepositState.CREDITED:
            done[deposit.network] = done.get(deposit.network, 0) + 1
    for code in state.book.networks:
        found = [row.withdrawal_id for row in state.index.withdrawals(code)]
        invariant(found == withdrawals.get(code, []), "the index has each signed withdrawal")
        keys = [row.move_key for row in state.index.moves(code)]
        invariant(keys == moves.get(code, []), "the index has each signed move")
        waiting = state.index.deposits(code)
        invariant(len(waiting) == deposits.get(code, 0), "the index has each deposit that waits")
        for row in waiting:
            key = f"{code}/{row.tx_id}/{row.output}"
            waits = row.state in (DepositState.SEEN, DepositState.IGNORED)
            invariant(waits and state.book.deposits[key] is row, "what waits is a row of the book")
        ended = state.index.done(code, 0)
        invariant(len(ended) == done.get(code, 0), "the index has what is done, once each")
