"""Chain against ledger, to the last unit.  The rule: one block, all addresses, or no figure at all.

Sans-I/O: it says which addresses to read and makes the report; the core compares and, on any
difference, pauses.  What stands on chain but is not final yet is told beside the balances, so that
a payout under way is no difference.  The block is one that the scan for deposits has reached.
"""

from collections.abc import Mapping

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.model.funding import Listing, Vault
from seawall.model.funding_commands import ReportReconciliation
from seawall.model.funding_rows import Withdrawal
from seawall.treasury.chain import Block, Receipt, to_atoms
from seawall.treasury.outgoing import outgoing


class Wallets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exchange's own addresses on one network, beside the users' deposit addresses."""

    hot: tuple[str, ...]
    cold: tuple[str, ...] = ()


class Reading(Struct, frozen=True, kw_only=True):
    """What the chain says, all at one block."""

    block: Block
    units: Mapping[tuple[Vault, str], int]
    """By vault and contract; see holdings.py."""
    receipts: Mapping[str, Receipt]
    """By transaction: ours that stand in a block, and what else used one of our slots."""
    ledger_sequence: int
    """Where the ledger was before the first question."""


def addresses(state: FundingState, network: str, wallets: Wallets) -> dict[Vault, tuple[str, ...]]:
    """Return where the exchange may hold something."""
    return {
        Vault.DEPOSIT: tuple(state.book.networks[network].owners),
        Vault.HOT: wallets.hot,
        Vault.COLD: wallets.cold,
    }


def may_reconcile(state: FundingState, network: str, *, head: Block, scanned: Block) -> bool:
    """Say whether all that is settled stands at or below the block that was scanned."""
    finality = state.book.networks[network].network.finality
    return 0 <= head.number - scanned.number < finality


def report(state: FundingState, listing: Listing, reading: Reading) -> ReportReconciliation:
    """Return what stands on chain of one asset, beside what is known to be under way."""
    held = {
        vault: _atoms(state, listing, reading.units[vault, listing.contract]) for vault in Vault
    }
    withdrawals: list[int] = []
    moves: list[str] = []
    for row in outgoing(state, listing.network):
        for attempt in row.attempts:
            receipt = reading.receipts.get(attempt.tx_id)
            if receipt is None or receipt.block > reading.block.number:
                continue
            if not receipt.ok or row.asset != listing.asset:
                continue
            if isinstance(row, Withdrawal):
                withdrawals.append(row.withdrawal_id)
            else:
                moves.append(row.move_key)
    native = state.book.networks[listing.network].network.native == listing.asset
    costs = sum(
        receipt.cost
        for receipt in reading.receipts.values()
        if receipt.block <= reading.block.number
    )
    return ReportReconciliation(
        network=listing.network,
        asset=listing.asset,
        block=reading.block.number,
        deposit_atoms=held[Vault.DEPOSIT],
        hot_atoms=held[Vault.HOT],
        cold_atoms=held[Vault.COLD],
        settled_withdrawals=tuple(withdrawals),
        settled_moves=tuple(moves),
        pending_costs=costs if native else 0,
        unseen_deposits=_not_credited(state, listing, reading.block),
        ledger_sequence=reading.ledger_sequence,
    )


def _not_credited(state: FundingState, listing: Listing, block: Block) -> int:
    """Return what came to deposit addresses up to the block and is not the user's (yet)."""
    return sum(
        deposit.atoms
        for deposit in state.index.deposits(listing.network)
        if deposit.asset == listing.asset and deposit.block <= block.number
    )


def _atoms(state: FundingState, listing: Listing, units: int) -> int:
    ledger_decimals = state.book.assets[listing.asset].decimals
    return to_atoms(units, chain_decimals=listing.chain_decimals, ledger_decimals=ledger_decimals)
