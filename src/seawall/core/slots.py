"""What a chain lets be used once.  The rule: a slot belongs to one payment for ever.

On an EVM network a slot is `lane/nonce`; on a UTXO network it is an outpoint.  Every attempt of a
payment spends the slots of its first, so that the chain can accept one of them at most.
"""

from seawall.model.events import CommandRejected
from seawall.model.funding import Attempt
from seawall.model.funding_rows import NetworkState
from seawall.model.rejections import Rejection


def refuse_attempt(
    network: NetworkState, payment: str, earlier: list[Attempt], attempt: Attempt
) -> CommandRejected | None:
    """Return why the attempt cannot stand, or None."""
    if not attempt.slots or not attempt.signed or not attempt.tx_id or attempt.max_cost < 0:
        return CommandRejected(Rejection.INVALID_DEFINITION, "attempt")
    for slot in attempt.slots:
        if network.slots.get(slot, payment) != payment:
            return CommandRejected(Rejection.SLOT_TAKEN, f"{slot}: {network.slots[slot]}")
    if earlier and not all(slot in attempt.slots for slot in earlier[0].slots):
        return CommandRejected(Rejection.SLOTS_DIFFER, payment)
    return None


def take_slots(
    network: NetworkState, payment: str, earlier: list[Attempt], attempt: Attempt
) -> None:
    """Give the attempt's slots to the payment, and reserve the most that it may cost."""
    for slot in attempt.slots:
        network.slots[slot] = payment
    network.cost_reserved += max(attempt.max_cost - most_cost(earlier), 0)


def most_cost(attempts: list[Attempt]) -> int:
    """Return what the dearest of the attempts may cost: only one of them can."""
    return max((attempt.max_cost for attempt in attempts), default=0)
