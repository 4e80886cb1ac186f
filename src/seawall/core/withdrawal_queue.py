"""What a waiting withdrawal is told.  The rule: a reason, a place and an estimate, never silence.

Reads the funding state and changes nothing; the API and the status site both ask here.
"""

from seawall.core.funding_state import FundingState
from seawall.core.stage_limits import StageRoom
from seawall.core.withdrawals import why_not_now
from seawall.model.funding import Outlook, Wait, WithdrawalState
from seawall.model.funding_rows import Withdrawal
from seawall.model.rejections import Rejection

_BY_REJECTION = {
    Rejection.WITHDRAWALS_PAUSED: Wait.PAUSED,
    Rejection.LEASE_RUN_OUT: Wait.LEASE,
    Rejection.WITHDRAWALS_LIMITED: Wait.LIMITED,
    Rejection.OUT_OF_TURN: Wait.TURN,
    Rejection.HOT_WALLET_LOW: Wait.HOT_WALLET,
}


def outlook(state: FundingState, withdrawal: Withdrawal) -> Outlook:
    """Return why it waits, its place in the queue, and when it should arrive."""
    listing = state.book.listings[f"{withdrawal.asset}/{withdrawal.network}"]
    network = state.book.networks[withdrawal.network].network
    to_finality_ms = network.finality * network.block_ms
    match withdrawal.state:
        case WithdrawalState.AWAITING_APPROVAL:
            missing = f"{len(withdrawal.approvals)} of 2 people have approved"
            return Outlook(wait=Wait.APPROVAL, detail=missing, position=0, estimate_ms=None)
        case WithdrawalState.QUEUED:
            position = listing.queue.index(withdrawal.withdrawal_id) + 1
            refusal = why_not_now(state, withdrawal)
            if refusal is None:
                return Outlook(
                    wait=Wait.SIGNING, detail="", position=position, estimate_ms=to_finality_ms
                )
            detail = ""
            if refusal is Rejection.WITHDRAWALS_PAUSED:
                detail = listing.withdrawal.reason
            elif refusal is Rejection.WITHDRAWALS_LIMITED:
                detail = StageRoom(listing).refusal(withdrawal)
            moving = refusal is Rejection.OUT_OF_TURN and _head_moves(state, listing.queue)
            return Outlook(
                wait=_BY_REJECTION[refusal],
                detail=detail,
                position=position,
                estimate_ms=to_finality_ms + position * network.block_ms if moving else None,
            )
        case WithdrawalState.PREPARED:
            return Outlook(wait=Wait.SENDING, detail="", position=0, estimate_ms=to_finality_ms)
        case WithdrawalState.BROADCAST:
            return Outlook(
                wait=Wait.CONFIRMATIONS, detail="", position=0, estimate_ms=to_finality_ms
            )
        case _:
            return Outlook(
                wait=Wait.NOTHING, detail=withdrawal.reason, position=0, estimate_ms=None
            )


def _head_moves(state: FundingState, queue: list[int]) -> bool:
    """Say whether some withdrawal of the queue could be prepared now."""
    return any(why_not_now(state, state.book.withdrawals[each]) is None for each in queue[:16])
