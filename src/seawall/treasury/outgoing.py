"""What is on its way out, and how its progress is told.  The rule: row and bytes agree.

Withdrawals and vault moves are followed alike; the difference is in the commands they end with.
"""

from collections.abc import Iterator

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.model.funding import Attempt, Listing, Vault
from seawall.model.funding_commands import (
    FundingCommand,
    MarkBroadcast,
    MarkMoveBroadcast,
    PrepareVaultMove,
    PrepareWithdrawal,
    ReturnWithdrawal,
    SettleVaultMove,
    SettleWithdrawal,
)
from seawall.model.funding_rows import VaultMove, Withdrawal
from seawall.model.ids import AssetCode
from seawall.treasury.chain import Block, Decoded, PaymentOrder, Receipt, Unsigned, to_units

Outgoing = Withdrawal | VaultMove


class MoveTerms(Struct, frozen=True, kw_only=True):
    """A vault move that is to be signed for."""

    move_key: str
    network: str
    asset: AssetCode
    source: Vault
    target: Vault
    atoms: int


class Ask(Struct, frozen=True, kw_only=True):
    """Build `order`, have it signed for `payment`, and propose it for the withdrawal or move."""

    payment: str
    order: PaymentOrder
    target: int | MoveTerms
    index: int | None = None
    """Of the deposit address that pays."""
    payee_index: int | None = None
    """Of the one that is paid."""
    unsigned: Unsigned | None = None
    """What is to be signed, where the pipeline has built it already."""


class Propose(Struct, frozen=True, kw_only=True):
    command: FundingCommand


class Send(Struct, frozen=True, kw_only=True):
    """Offer journaled bytes to the chain; once taken, propose `then`."""

    tx_id: str
    signed: str
    then: FundingCommand


class Alarm(Struct, frozen=True, kw_only=True):
    """Something a person should look at; nothing was decided."""

    name: str
    subject: str
    detail: str = ""


Effect = Ask | Propose | Send | Alarm


def outgoing(state: FundingState, network: str) -> Iterator[Outgoing]:
    """Yield what is signed and not final, in the order of the journal."""
    yield from state.index.withdrawals(network)
    yield from state.index.moves(network)


def units_of(state: FundingState, listing: Listing, atoms: int) -> int:
    ledger_decimals = state.book.assets[listing.asset].decimals
    return to_units(atoms, chain_decimals=listing.chain_decimals, ledger_decimals=ledger_decimals)


def listing_of(state: FundingState, row: Outgoing) -> Listing:
    return state.book.listings[f"{row.asset}/{row.network}"].listing


def fits(state: FundingState, withdrawal: Withdrawal, decoded: Decoded) -> bool:
    """Say whether signed bytes pay exactly what the withdrawal says."""
    listing = listing_of(state, withdrawal)
    return (decoded.payee, decoded.contract, decoded.units) == (
        withdrawal.address,
        listing.contract,
        units_of(state, listing, withdrawal.atoms - withdrawal.fee),
    )


def attempt_of(decoded: Decoded, signed: str, max_cost: int = -1) -> Attempt:
    cost = decoded.max_cost if max_cost < 0 else max_cost
    return Attempt(tx_id=decoded.tx_id, slots=decoded.slots, signed=signed, max_cost=cost)


def prepare(target: int | MoveTerms, attempt: Attempt) -> FundingCommand:
    if isinstance(target, int):
        return PrepareWithdrawal(withdrawal_id=target, attempt=attempt)
    return PrepareVaultMove(
        move_key=target.move_key,
        network=target.network,
        asset=target.asset,
        source=target.source,
        target=target.target,
        atoms=target.atoms,
        attempt=attempt,
    )


def terms_of(row: Outgoing) -> int | MoveTerms:
    """Return what a replacement of the row is proposed for."""
    if isinstance(row, Withdrawal):
        return row.withdrawal_id
    return MoveTerms(
        move_key=row.move_key,
        network=row.network,
        asset=AssetCode(row.asset),
        source=row.source,
        target=row.target,
        atoms=row.atoms,
    )


def broadcast(row: Outgoing, tx_id: str) -> FundingCommand:
    if isinstance(row, Withdrawal):
        return MarkBroadcast(withdrawal_id=row.withdrawal_id, tx_id=tx_id)
    return MarkMoveBroadcast(move_key=row.move_key, tx_id=tx_id)


def settled(row: Outgoing, receipt: Receipt, head: Block) -> FundingCommand:
    """Tell that it paid and is final."""
    confirmations = receipt.confirmations(head)
    if isinstance(row, Withdrawal):
        return SettleWithdrawal(
            withdrawal_id=row.withdrawal_id,
            tx_id=receipt.tx_id,
            confirmations=confirmations,
            cost=receipt.cost,
        )
    return SettleVaultMove(
        move_key=row.move_key,
        tx_id=receipt.tx_id,
        confirmations=confirmations,
        cost=receipt.cost,
    )


def failed(row: Outgoing, receipt: Receipt, head: Block, reason: str) -> FundingCommand:
    """Tell that a final transaction used up its slots and paid nothing."""
    confirmations = receipt.confirmations(head)
    if isinstance(row, Withdrawal):
        return ReturnWithdrawal(
            withdrawal_id=row.withdrawal_id,
            tx_id=receipt.tx_id,
            confirmations=confirmations,
            cost=receipt.cost,
            reason=reason,
        )
    return SettleVaultMove(
        move_key=row.move_key,
        tx_id=receipt.tx_id,
        confirmations=confirmations,
        cost=receipt.cost,
        failed=True,
    )
