"""What the hot wallets lack.  The rule: cold storage is asked, and only people can answer.

Reads the funding state and changes nothing.  What people then send is booked with `RecordTopUp`.
"""

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import hot_cover
from seawall.model.funding import Vault
from seawall.model.funding_rows import ListingState


class TopUp(Struct, frozen=True, kw_only=True):
    """One listing whose hot wallet lacks something, or has got something that is not booked."""

    asset: str
    network: str
    hot: int
    floor: int
    under_way: int
    """What signed payments and moves still take from the hot wallet; for the coin, costs too."""
    waiting: int
    """Withdrawals in the queue."""
    waiting_atoms: int
    """What they will take."""
    wanted: int
    """What brings the hot wallet to its floor once all of that has left: whole units on chain."""
    cold: int
    """What the ledger has in cold storage; less than `wanted` needs new capital."""
    unbooked: int
    """What left cold storage, by the last comparison with the chain, and is not booked."""


def top_ups(state: FundingState) -> list[TopUp]:
    """Return what is wanted, and what came and is not booked, in the order of the listings."""
    found = [_of_listing(state, listing) for listing in state.book.listings.values()]
    return [each for each in found if each.wanted or each.unbooked]


def _of_listing(state: FundingState, listing: ListingState) -> TopUp:
    terms = listing.listing
    rows = [state.book.withdrawals[number] for number in listing.queue]
    waiting_atoms = sum([row.atoms - row.fee for row in rows])
    cover = hot_cover(state, listing)
    hot = state.held_in(terms.network, Vault.HOT, terms.asset)
    unit = int(10 ** (state.book.assets[terms.asset].decimals - terms.chain_decimals))
    lacking = max(waiting_atoms - cover, 0)
    return TopUp(
        asset=terms.asset,
        network=terms.network,
        hot=hot,
        floor=terms.hot_floor,
        under_way=hot - cover - terms.hot_floor,
        waiting=len(rows),
        waiting_atoms=waiting_atoms,
        wanted=-(-lacking // unit) * unit,
        cold=state.held_in(terms.network, Vault.COLD, terms.asset),
        unbooked=max(-listing.cold_difference, 0),
    )
