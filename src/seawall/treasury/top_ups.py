"""Cold storage's payments to the hot wallets, as they stand on chain.  The rule: believe the chain.

Sans-I/O.  People name a transaction; amounts and cost are read from it, so nobody can misspell
them.  Whether it is final, and booked already, the core decides.
"""

from seawall.core.funding_state import FundingState
from seawall.model.funding_commands import RecordTopUp
from seawall.treasury.chain import Block, Receipt, to_atoms
from seawall.treasury.reconciler import Wallets


class TopUpError(ValueError):
    """The transaction is no top-up; the message says why."""


def record_top_up(
    state: FundingState, network: str, wallets: Wallets, receipt: Receipt, head: Block, person: str
) -> list[RecordTopUp]:
    """Return one command for each asset that the transaction brought; its cost goes to the first.

    Where the chain does not say who paid (UTXO), cold storage is believed to have: if it had not,
    the next comparison of chain and ledger would differ by the whole amount.
    """
    if not receipt.ok:
        raise TopUpError("the transaction failed: it moved nothing")
    confirmations = receipt.confirmations(head)
    finality = state.book.networks[network].network.finality
    if confirmations < finality:
        raise TopUpError(f"not final yet: {confirmations} of {finality} confirmations")
    payers = {"", *wallets.cold}
    found: list[RecordTopUp] = []
    for each in state.book.listings.values():
        listing = each.listing
        if listing.network != network:
            continue
        units = sum(
            payment.stated_units
            for payment in receipt.payments
            if payment.address in wallets.hot
            and payment.source in payers
            and payment.contract == listing.contract
        )
        if not units:
            continue
        decimals = state.book.assets[listing.asset].decimals
        atoms = to_atoms(units, chain_decimals=listing.chain_decimals, ledger_decimals=decimals)
        found.append(
            RecordTopUp(
                network=network,
                asset=listing.asset,
                atoms=atoms,
                tx_id=receipt.tx_id,
                confirmations=confirmations,
                cost=0 if found else receipt.cost,
                person=person,
            )
        )
    if not found:
        raise TopUpError("it brings nothing that is listed from cold storage to the hot wallets")
    return found
