"""Where each service stands in its own cell.  The rule: as the cell has it, never as ordered."""

from typing import Final

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.model.funding_rows import ServiceState
from seawall.model.ids import FUNDING, SPOT
from seawall.model.mailbox import Mailbox
from seawall.model.posture import (
    TRANSFERS,
    Posture,
    deposit_service,
    market_service,
    withdrawal_service,
)

OPERATOR: Final = "operator"


class Standing(Struct, frozen=True, kw_only=True):
    """One service in one cell."""

    cell: str
    posture: Posture
    order: int
    """The last of control's orders that the cell applied; 0 before the first."""
    reason: str = ""
    by: str = ""
    since_ns: int = 0


def standings(spot: SpotState, funding: FundingState) -> dict[str, list[Standing]]:
    """Return every service of both cells by name; transfers leave from either."""
    found: dict[str, list[Standing]] = {}
    for market in spot.markets.values():
        found[market_service(market.symbol)] = [
            Standing(
                cell=SPOT,
                posture=Posture(market.status.value),
                order=market.status_order,
                reason=market.status_reason,
                since_ns=market.status_since_ns,
                # Besides control's own orders, only people move a market.
                by=OPERATOR,
            )
        ]
    for listing in funding.book.listings.values():
        asset, network = listing.listing.asset, listing.listing.network
        found[withdrawal_service(asset, network)] = [_of_funding(listing.withdrawal)]
        found[deposit_service(asset, network)] = [_of_funding(listing.deposit)]
    if spot.markets or funding.book.listings:
        # An exchange that lists nothing yet has nothing to name either.
        found[TRANSFERS] = [
            _transfers(SPOT, spot.mailbox),
            _transfers(FUNDING, funding.book.mailbox),
        ]
    return found


def _of_funding(state: ServiceState) -> Standing:
    return Standing(
        cell=FUNDING,
        posture=Posture(state.status.value),
        order=state.order,
        reason=state.reason,
        by=state.person,
        since_ns=state.since_ns,
    )


def _transfers(cell: str, mailbox: Mailbox) -> Standing:
    return Standing(
        cell=cell,
        posture=Posture.PAUSED if mailbox.paused else Posture.OPEN,
        order=mailbox.order,
        reason=mailbox.reason,
        by=mailbox.person,
        since_ns=mailbox.since_ns,
    )
