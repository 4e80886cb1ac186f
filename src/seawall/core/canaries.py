"""Canaries: the exchange pays itself.  The rule: a key takes effect once, as one vault move.

Before users' withdrawals open again, a small payment goes the whole way from the hot wallet through
signer and chain to cold storage.  Control orders it, the treasury makes it a vault move whose key
names it, and its row follows that move.
"""

from seawall.core.funding_state import FundingState
from seawall.model import limits
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import CanaryState, Listing, Vault, VaultMoveState
from seawall.model.funding_commands import DelayCanary, OrderCanary, PrepareVaultMove
from seawall.model.funding_events import CanaryChanged
from seawall.model.funding_rows import CANARY_MOVE, Canary, VaultMove
from seawall.model.rejections import Rejection


def order_canary(state: FundingState, command: OrderCanary) -> list[Event]:
    """Want a payment to ourselves; one that was wanted there before gives way to it."""
    book = state.book
    if not 0 < len(command.key) <= limits.CANARY_KEY_CHARS:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "key")]
    if state.listing(command.asset, command.network) is None:
        return [CommandRejected(Rejection.UNKNOWN_LISTING)]
    known = book.canaries.get(command.key)
    if known is not None and (known.asset, known.network) == (command.asset, command.network):
        return [CanaryChanged(known, repeated=True)]
    if known is not None or f"{CANARY_MOVE}{command.key}" in book.moves:
        return [CommandRejected(Rejection.REFERENCE_REUSED, command.key)]
    events: list[Event] = []
    for earlier in book.canaries.values():
        same = (earlier.asset, earlier.network) == (command.asset, command.network)
        if same and earlier.state is CanaryState.WANTED:
            earlier.state = CanaryState.FAILED
            earlier.reason = f"{command.key} took its place"
            earlier.updated_ns = state.at_ns
            events.append(CanaryChanged(earlier))
    canary = Canary(
        key=command.key,
        asset=command.asset,
        network=command.network,
        ordered_ns=state.at_ns,
        updated_ns=state.at_ns,
    )
    book.canaries[command.key] = canary
    _forget_old(state)
    return [*events, CanaryChanged(canary)]


def delay_canary(state: FundingState, command: DelayCanary) -> list[Event]:
    """Note what is in the way of one that is wanted."""
    canary = state.book.canaries.get(command.key)
    if canary is None or canary.state is not CanaryState.WANTED:
        return [CommandRejected(Rejection.WRONG_STATE, command.key)]
    if not 0 < len(command.reason) <= limits.REASON_CHARS:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "reason")]
    if canary.reason == command.reason:
        return []
    canary.reason = command.reason
    canary.updated_ns = state.at_ns
    return [CanaryChanged(canary)]


def wanted(state: FundingState, network: str) -> list[Canary]:
    """Return the canaries of a network that are still to be paid, in the order of the journal."""
    return [
        canary
        for canary in state.book.canaries.values()
        if canary.network == network and canary.state is CanaryState.WANTED
    ]


def canary_atoms(listing: Listing) -> int:
    """Return what a canary pays: what the smallest withdrawal of the asset would."""
    return listing.min_withdrawal - listing.withdrawal_fee


def refuse_canary_move(state: FundingState, command: PrepareVaultMove) -> CommandRejected | None:
    """Refuse a first payment under a canary's name that is not what was ordered."""
    if not command.move_key.startswith(CANARY_MOVE):
        return None
    canary = state.book.canaries.get(command.move_key.removeprefix(CANARY_MOVE))
    if canary is None or canary.state is not CanaryState.WANTED:
        return CommandRejected(Rejection.WRONG_STATE, "no such canary is wanted")
    listing = state.book.listings[f"{canary.asset}/{canary.network}"].listing
    wanted_terms = (
        canary.asset, canary.network, Vault.HOT, Vault.COLD, canary_atoms(listing),
    )  # fmt: skip
    terms = (command.asset, command.network, command.source, command.target, command.atoms)
    if terms != wanted_terms:
        return CommandRejected(Rejection.INVALID_DEFINITION, "canary")
    return None


def follow_move(state: FundingState, move: VaultMove) -> list[Event]:
    """Bring the canary that this move pays to where the move stands."""
    if not move.move_key.startswith(CANARY_MOVE):
        return []
    canary = state.book.canaries.get(move.move_key.removeprefix(CANARY_MOVE))
    if canary is None:
        return []
    before = canary.state
    if move.state is VaultMoveState.SETTLED:
        canary.state = CanaryState.SETTLED
    elif move.state is VaultMoveState.FAILED:
        canary.state = CanaryState.FAILED
        canary.reason = f"{move.tx_id} moved nothing"
    else:
        canary.state = CanaryState.SENT
        canary.reason = ""
    if canary.state is before:
        return []
    canary.atoms = move.atoms
    canary.tx_id = move.tx_id or move.attempts[-1].tx_id
    canary.updated_ns = state.at_ns
    return [CanaryChanged(canary)]


def _forget_old(state: FundingState) -> None:
    """Keep the newest; one that is under way is never forgotten."""
    canaries = state.book.canaries
    ended = [key for key, canary in canaries.items() if canary.state.ended]
    for key in ended[: max(len(canaries) - limits.CANARIES, 0)]:
        del canaries[key]
