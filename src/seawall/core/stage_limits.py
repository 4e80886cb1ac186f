"""How much a limited withdrawal service pays.  The rule: what was prepared stays counted.

A stage of the way back bounds each withdrawal, each user, and all of them together.  The sums begin
anew with every order or word that sets the service; a withdrawal that is returned unpaid still
counts, since its bytes were once on their way.
"""

from seawall.model.funding import ServiceStatus
from seawall.model.funding_rows import ListingState, Withdrawal

TOO_LARGE = "it is above the largest single withdrawal of this stage"
USER_SHARE = "your share of this stage is used up"
STAGE_TOTAL = "what this stage pays in all is used up"


class StageRoom:
    """What a listing's stage has left; `take` plays withdrawals through and changes no state."""

    def __init__(self, listing: ListingState) -> None:
        service = listing.withdrawal
        self._limited = service.status is ServiceStatus.LIMITED
        self._largest = largest(listing)
        self._per_user = service.per_user
        self._total = service.total
        self._prepared = service.prepared
        self._known = service.prepared_by
        self._taken: dict[int, int] = {}

    def refusal(self, withdrawal: Withdrawal) -> str:
        """Return what of the stage it does not fit, in words; "" if it fits."""
        if not self._limited:
            return ""
        if withdrawal.atoms > self._largest:
            return TOO_LARGE
        if self._per_user and self._of(withdrawal.user_id) + withdrawal.atoms > self._per_user:
            return USER_SHARE
        if self._total and self._prepared + withdrawal.atoms > self._total:
            return STAGE_TOTAL
        return ""

    def take(self, withdrawal: Withdrawal) -> None:
        """Count it as if it were prepared."""
        self._prepared += withdrawal.atoms
        user_id = withdrawal.user_id
        self._taken[user_id] = self._taken.get(user_id, 0) + withdrawal.atoms

    def _of(self, user_id: int) -> int:
        return self._known.get(user_id, 0) + self._taken.get(user_id, 0)


def largest(listing: ListingState) -> int:
    """Return the largest single withdrawal while the service is limited."""
    return listing.withdrawal.per_withdrawal or listing.listing.limited_max


def count_prepared(listing: ListingState, withdrawal: Withdrawal) -> None:
    """Note in the state that it was prepared; only sums that limit anything are kept."""
    service = listing.withdrawal
    if service.status is not ServiceStatus.LIMITED:
        return
    if service.total:
        service.prepared += withdrawal.atoms
    if service.per_user:
        user_id = withdrawal.user_id
        service.prepared_by[user_id] = service.prepared_by.get(user_id, 0) + withdrawal.atoms
