"""The exchange's own addresses.  The rule: what the ledger says a vault holds stands on chain.

A vault's account stands at minus what it holds, so that each asset still sums to zero.  What moves
between vaults goes through the same slots as withdrawals, and is journaled before it is sent.
"""

from seawall.core.canaries import follow_move, refuse_canary_move
from seawall.core.funding_state import FundingState
from seawall.core.slots import most_cost, refuse_attempt, take_slots
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import (
    Service,
    ServiceStatus,
    Vault,
    VaultMoveState,
    WithdrawalState,
)
from seawall.model.funding_commands import (
    BookCapital,
    MarkMoveBroadcast,
    PrepareVaultMove,
    RecordTopUp,
    ReportReconciliation,
    SettleVaultMove,
)
from seawall.model.funding_events import CapitalBooked, Reconciled, ServiceChanged, VaultMoveChanged
from seawall.model.funding_rows import ListingState, VaultMove
from seawall.model.ids import CAPITAL, NETWORK_COST
from seawall.model.rejections import Rejection


def book_capital(state: FundingState, command: BookCapital) -> list[Event]:
    """Book the exchange's own money into a vault, or out of it; a reference takes effect once."""
    if command.network not in state.book.networks:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK)]
    if state.listing(command.asset, command.network) is None:
        return [CommandRejected(Rejection.UNKNOWN_LISTING)]
    if not command.reference or not command.person:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "reference and person")]
    if command.reference in state.book.capital_references:
        return [CommandRejected(Rejection.REFERENCE_REUSED)]
    if -command.atoms > state.held_in(command.network, command.vault, command.asset):
        return [CommandRejected(Rejection.INSUFFICIENT_BALANCE)]
    state.book.capital_references[command.reference] = state.sequence
    vault = state.ledger.balance(state.vault(command.network, command.vault), command.asset)
    capital = state.ledger.balance(CAPITAL, command.asset)
    if command.atoms >= 0:
        state.ledger.move(vault, capital, command.atoms)
    else:
        state.ledger.move(capital, vault, -command.atoms)
    return [CapitalBooked(command.network, command.asset, command.vault, command.atoms)]


def prepare_vault_move(state: FundingState, command: PrepareVaultMove) -> list[Event]:
    """Journal the signed bytes of a sweep or top-up, or of a replacement."""
    network = state.book.networks.get(command.network)
    if network is None:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK)]
    if state.listing(command.asset, command.network) is None:
        return [CommandRejected(Rejection.UNKNOWN_LISTING)]
    if command.source is command.target or command.atoms < 0 or not command.move_key:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "move")]
    move = state.book.moves.get(command.move_key)
    if move is None:
        wrong = refuse_canary_move(state, command)
        if wrong is not None:
            return [wrong]
        if _movable(state, command) < command.atoms:
            return [CommandRejected(Rejection.INSUFFICIENT_BALANCE)]
        move = VaultMove(
            move_key=command.move_key,
            network=command.network,
            asset=command.asset,
            source=command.source,
            target=command.target,
            atoms=command.atoms,
            prepared_ns=state.at_ns,
            updated_ns=state.at_ns,
        )
    elif any(known.tx_id == command.attempt.tx_id for known in move.attempts):
        return [VaultMoveChanged(move, repeated=True)]
    elif move.state not in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST):
        return [CommandRejected(Rejection.WRONG_STATE, move.state.value)]
    elif (move.network, move.asset, move.source, move.target, move.atoms) != (
        command.network,
        command.asset,
        command.source,
        command.target,
        command.atoms,
    ):
        return [CommandRejected(Rejection.REFERENCE_REUSED, "another move has this key")]
    refusal = refuse_attempt(network, move.payment, move.attempts, command.attempt)
    if refusal is not None:
        return [refusal]
    if not move.attempts:
        state.book.moves[move.move_key] = move
        _reserve(state, move, move.atoms)
    if move.source is Vault.HOT:
        take_slots(network, move.payment, move.attempts, command.attempt)
    else:
        # Its cost is paid by its own source, not by the hot wallet.
        for slot in command.attempt.slots:
            network.slots[slot] = move.payment
    move.attempts.append(command.attempt)
    move.updated_ns = state.at_ns
    return [VaultMoveChanged(move), *follow_move(state, move)]


def _movable(state: FundingState, command: PrepareVaultMove) -> int:
    """Return what the source can give: payments on their way out of the hot wallet come first."""
    held = state.held_in(command.network, command.source, command.asset)
    if command.source is not Vault.HOT:
        return held
    network = state.book.networks[command.network]
    listing = state.book.listings[f"{command.asset}/{command.network}"]
    native = network.network.native == command.asset
    return held - listing.reserved - (network.cost_reserved if native else 0)


def _reserve(state: FundingState, move: VaultMove, atoms: int) -> None:
    if move.source is Vault.HOT:
        state.book.listings[f"{move.asset}/{move.network}"].reserved += atoms


def mark_move_broadcast(state: FundingState, command: MarkMoveBroadcast) -> list[Event]:
    move = state.book.moves.get(command.move_key)
    if move is None or all(known.tx_id != command.tx_id for known in move.attempts):
        return [CommandRejected(Rejection.WRONG_STATE, "no such move")]
    if command.tx_id in move.broadcast or move.state not in (
        VaultMoveState.PREPARED,
        VaultMoveState.BROADCAST,
    ):
        return []
    move.state = VaultMoveState.BROADCAST
    move.broadcast.append(command.tx_id)
    move.updated_ns = state.at_ns
    return [VaultMoveChanged(move)]


def settle_vault_move(state: FundingState, command: SettleVaultMove) -> list[Event]:
    """Book a final move: the amount stands in its target, or, if it failed, where it was."""
    move = state.book.moves.get(command.move_key)
    if move is None:
        return [CommandRejected(Rejection.WRONG_STATE, "no such move")]
    if move.state in (VaultMoveState.SETTLED, VaultMoveState.FAILED):
        return []
    network = state.book.networks[move.network]
    if command.confirmations < network.network.finality:
        return [CommandRejected(Rejection.NOT_FINAL)]
    if command.cost < 0:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "cost")]
    if not command.failed:
        if all(known.tx_id != command.tx_id for known in move.attempts):
            return [CommandRejected(Rejection.WRONG_STATE, "no such attempt")]
        # A vault stands at minus what it holds: the move goes the other way in the ledger.
        state.ledger.move(
            state.ledger.balance(state.vault(move.network, move.target), move.asset),
            state.ledger.balance(state.vault(move.network, move.source), move.asset),
            move.atoms,
        )
    _reserve(state, move, -move.atoms)
    if move.source is Vault.HOT:
        network.cost_reserved -= most_cost(move.attempts)
    book_cost(state, move.network, move.source, command.cost)
    move.state = VaultMoveState.FAILED if command.failed else VaultMoveState.SETTLED
    move.tx_id = command.tx_id
    move.cost = command.cost
    move.updated_ns = state.at_ns
    return [VaultMoveChanged(move), *follow_move(state, move)]


def record_top_up(state: FundingState, command: RecordTopUp) -> list[Event]:
    """Book what people moved from cold to hot: no pipeline signs for cold storage."""
    network = state.book.networks.get(command.network)
    if network is None:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK)]
    if state.listing(command.asset, command.network) is None:
        return [CommandRejected(Rejection.UNKNOWN_LISTING)]
    if command.atoms <= 0 or command.cost < 0 or not command.tx_id or not command.person:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "top-up")]
    key = f"hand/{command.network}/{command.tx_id}/{command.asset}"
    known = state.book.moves.get(key)
    if known is not None and (known.atoms, known.cost) == (command.atoms, command.cost):
        return [VaultMoveChanged(known, repeated=True)]
    if known is not None or state.index.move_of(command.network, command.tx_id) is not None:
        return [CommandRejected(Rejection.REFERENCE_REUSED, "this transaction is booked")]
    if command.confirmations < network.network.finality:
        return [CommandRejected(Rejection.NOT_FINAL)]
    if not _cold_covers(state, command, network.network.native):
        return [CommandRejected(Rejection.INSUFFICIENT_BALANCE)]
    move = VaultMove(
        move_key=key,
        network=command.network,
        asset=command.asset,
        source=Vault.COLD,
        target=Vault.HOT,
        atoms=command.atoms,
        state=VaultMoveState.SETTLED,
        tx_id=command.tx_id,
        cost=command.cost,
        prepared_ns=state.at_ns,
        updated_ns=state.at_ns,
    )
    state.book.moves[key] = move
    state.ledger.move(
        state.ledger.balance(state.vault(command.network, Vault.HOT), command.asset),
        state.ledger.balance(state.vault(command.network, Vault.COLD), command.asset),
        command.atoms,
    )
    book_cost(state, command.network, Vault.COLD, command.cost)
    return [VaultMoveChanged(move)]


def _cold_covers(state: FundingState, command: RecordTopUp, native: str) -> bool:
    """Say whether the ledger has in cold storage what has left it."""
    held = state.held_in(command.network, Vault.COLD, command.asset)
    if command.asset == native:
        return held >= command.atoms + command.cost
    paid = state.held_in(command.network, Vault.COLD, native) >= command.cost
    return held >= command.atoms and (paid or state.listing(native, command.network) is None)


def book_cost(state: FundingState, network: str, vault: Vault, cost: int) -> None:
    """Book what the network charged a vault: the exchange's expense, in native atoms."""
    native = state.book.networks[network].network.native
    state.ledger.move(
        state.ledger.balance(NETWORK_COST, native),
        state.ledger.balance(state.vault(network, vault), native),
        cost,
    )


def reconcile(state: FundingState, command: ReportReconciliation) -> list[Event]:
    """Compare chain and ledger to the last unit; a difference pauses the asset's withdrawals."""
    listing = state.listing(command.asset, command.network)
    if listing is None:
        return [CommandRejected(Rejection.UNKNOWN_LISTING)]
    if command.block < listing.reconciled_block:
        return [CommandRejected(Rejection.WRONG_STATE, "a later block is reconciled")]
    if command.ledger_sequence and command.ledger_sequence < state.book.vaults_changed:
        return [CommandRejected(Rejection.WRONG_STATE, "the ledger went on meanwhile")]
    chain = command.deposit_atoms + command.hot_atoms + command.cold_atoms
    expected = command.unseen_deposits - command.pending_costs
    for vault in Vault:
        expected += state.held_in(command.network, vault, command.asset)
    for withdrawal_id in dict.fromkeys(command.settled_withdrawals):
        withdrawal = state.book.withdrawals.get(withdrawal_id)
        if withdrawal is None:
            return [CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)]
        if (withdrawal.asset, withdrawal.network) != (command.asset, command.network):
            return [CommandRejected(Rejection.INVALID_DEFINITION, "settled_withdrawals")]
        # Only what is on its way explains a lower chain: what was returned must not be paid.
        if withdrawal.state in (WithdrawalState.PREPARED, WithdrawalState.BROADCAST):
            expected -= withdrawal.atoms - withdrawal.fee
    listing.reconciled_ns = state.at_ns
    listing.reconciled_block = command.block
    listing.difference = chain - expected
    listing.cold_difference = command.cold_atoms - _expected_in_cold(state, command)
    events: list[Event] = [
        Reconciled(command.network, command.asset, command.block, chain, expected)
    ]
    if listing.difference and listing.withdrawal.status is not ServiceStatus.PAUSED:
        events.append(_pause(state, listing, command))
    return events


def _pause(
    state: FundingState, listing: ListingState, command: ReportReconciliation
) -> ServiceChanged:
    service = listing.withdrawal
    service.status = ServiceStatus.PAUSED
    service.reason = (
        f"chain and ledger differ by {listing.difference} atoms at block {command.block}"
    )
    service.since_ns = state.at_ns
    service.person = "reconciliation"
    return ServiceChanged(
        command.asset, command.network, Service.WITHDRAWAL, ServiceStatus.PAUSED, service.reason
    )


def _expected_in_cold(state: FundingState, command: ReportReconciliation) -> int:
    """Return what the ledger has in cold storage, with what is on chain and not final yet."""
    expected = state.held_in(command.network, Vault.COLD, command.asset)
    for move_key in dict.fromkeys(command.settled_moves):
        move = state.book.moves.get(move_key)
        if (
            move is not None
            and (move.network, move.asset, move.target)
            == (command.network, command.asset, Vault.COLD)
            and move.state in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST)
        ):
            expected += move.atoms
    return expected
