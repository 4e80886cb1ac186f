"""What is signed is followed to its end.  The rule: what is journaled is sent, and nothing else is.

Sans-I/O, and the same for every kind of network: one of a payment's attempts stands in a block, or
something foreign used one of its slots up, or its slots are free and the bytes are offered again.
It remembers only when it last sent what; after a restart it sends all journaled bytes again, which
does no harm.  Whatever the facts do not say decides nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from msgspec import Struct

from seawall.core.deposits import address_index
from seawall.core.funding_state import FundingState
from seawall.core.stage_limits import StageRoom
from seawall.core.withdrawals import hot_cover, why_not_now
from seawall.model.funding import Attempt, WithdrawalState
from seawall.model.funding_rows import ListingState, Withdrawal
from seawall.model.rejections import Rejection
from seawall.treasury.chain import Block, Decoded, FeeQuote, Receipt
from seawall.treasury.outgoing import (
    Alarm,
    Effect,
    Outgoing,
    Propose,
    Send,
    broadcast,
    failed,
    fits,
    outgoing,
    settled,
)

TREASURY: Final = "treasury"
"""Who answers for what the pipelines refuse."""
DECODED_KEPT: Final = 10_000


class PayoutSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one network pays out."""

    lanes: tuple[str, ...]
    """The hot wallet's addresses; on an EVM network each is a line of nonces of its own."""
    own: tuple[str, ...] = ()
    """The exchange's other wallets: a withdrawal to one of them is refused."""
    lane_in_flight: int = 64
    fee_cap: int = 0
    """No replacement above it, in the units of FeeQuote; 0: only the market's own cap."""
    resend_blocks: int = 2
    bump_after_blocks: int = 3
    bump_per_cent: int = 13
    """Nodes take a replacement from ten per cent more; rounding needs some room."""


class ChainFacts(Struct, frozen=True, kw_only=True):
    """What the chain said, all at one head."""

    head: Block
    quote: FeeQuote
    receipts: dict[str, Receipt]
    """Of those asked for that stand in the longest chain."""
    users: dict[str, str]
    """Who consumed a slot, where it was none of our attempts."""


AnyFacts = TypeVar("AnyFacts", bound=ChainFacts)


class _Sent(Struct):
    """When this process offered some bytes, in blocks."""

    first_block: int
    last_block: int


class Follower(ABC, Generic[AnyFacts]):
    """Follows one network's payments; its subclasses decide what is signed next."""

    def __init__(
        self, network: str, settings: PayoutSettings, decode: Callable[[bytes], Decoded]
    ) -> None:
        self.network = network
        self.settings = settings
        self._decode_bytes = decode
        self._decoded: dict[str, Decoded] = {}
        self._sent: dict[str, _Sent] = {}

    @abstractmethod
    def decide(self, state: FundingState, facts: AnyFacts) -> list[Effect]:
        """Return what to do next; call again when the state or the facts have changed."""

    @abstractmethod
    def _unmined(self, state: FundingState, row: Outgoing, facts: AnyFacts) -> list[Effect]:
        """Return what to do about bytes that are in no block, nor is what uses their slots."""

    @abstractmethod
    def _bump(
        self, state: FundingState, row: Outgoing, newest: Attempt, facts: AnyFacts
    ) -> list[Effect]:
        """Return what raises the price of bytes that wait for too long."""

    @abstractmethod
    def _slot_named(self, slot: str) -> str:
        """Return how people call the slot."""

    def _followed(self, state: FundingState, facts: AnyFacts) -> list[Effect]:
        effects: list[Effect] = []
        open_now: set[str] = set()
        for row in outgoing(state, self.network):
            open_now.update(attempt.tx_id for attempt in row.attempts)
            effects += self._follow(state, row, facts)
        for gone in [tx_id for tx_id in self._sent if tx_id not in open_now]:
            del self._sent[gone]
        return effects

    def _follow(self, state: FundingState, row: Outgoing, facts: AnyFacts) -> list[Effect]:
        finality = state.book.networks[self.network].network.finality
        for attempt in row.attempts:
            receipt = facts.receipts.get(attempt.tx_id)
            if receipt is None:
                continue
            if receipt.confirmations(facts.head) < finality:
                # Should a reorganisation take it off again, it is sent at once, at its old price.
                for mined in row.attempts:
                    self._sent.pop(mined.tx_id, None)
                return []
            return [self._ended(state, row, attempt, receipt, facts.head)]
        for slot in row.attempts[0].slots:
            foreign = facts.users.get(slot)
            if foreign is not None:
                return self._taken(row, slot, foreign, facts, finality)
        return self._unmined(state, row, facts)

    def _taken(
        self, row: Outgoing, slot: str, foreign: str, facts: AnyFacts, finality: int
    ) -> list[Effect]:
        receipt = facts.receipts.get(foreign)
        if receipt is None or receipt.confirmations(facts.head) < finality:
            return []
        reason = f"{self._slot_named(slot)} was used by {foreign}, which is not ours"
        return [
            Alarm(name="foreign_transaction", subject=row.payment, detail=reason),
            Propose(command=failed(row, receipt, facts.head, reason)),
        ]

    def _ended(
        self, state: FundingState, row: Outgoing, attempt: Attempt, receipt: Receipt, head: Block
    ) -> Effect:
        decoded = self.decoded(attempt.signed)
        paid = receipt.paid(decoded.payee, decoded.contract) if receipt.ok else 0
        if isinstance(row, Withdrawal) and not fits(state, row, decoded):
            detail = "its bytes are not its payment"
            return Alarm(name="strange_attempt", subject=row.payment, detail=detail)
        if paid >= decoded.units and receipt.ok:
            return Propose(command=settled(row, receipt, head))
        if paid:
            detail = f"{paid} of {decoded.units} units arrived"
            return Alarm(name="paid_in_part", subject=row.payment, detail=detail)
        reason = "the token moved nothing" if receipt.ok else "it failed on chain"
        return Propose(command=failed(row, receipt, head, reason))

    def _offer(
        self, state: FundingState, row: Outgoing, facts: AnyFacts, *, may_bump: bool
    ) -> list[Effect]:
        newest = row.attempts[-1]
        at = facts.head.number
        sent = self._sent.get(newest.tx_id)
        effects: list[Effect] = []
        if (
            sent is None
            or at < sent.last_block
            or at - sent.last_block >= (self.settings.resend_blocks)
        ):
            first = at if sent is None else min(sent.first_block, at)
            sent = _Sent(first_block=first, last_block=at)
            self._sent[newest.tx_id] = sent
            then = broadcast(row, newest.tx_id)
            effects.append(Send(tx_id=newest.tx_id, signed=newest.signed, then=then))
        if may_bump and at - sent.first_block >= self.settings.bump_after_blocks:
            effects += self._bump(state, row, newest, facts)
        return effects

    def _capped(self, quote: FeeQuote) -> FeeQuote | None:
        """Return the quote, or None if our own cap forbids it."""
        cap = self.settings.fee_cap
        return None if cap and quote.most > cap else quote

    def _dear(self, quote: FeeQuote) -> Alarm:
        """Say that what could be paid now waits for its fee to fall; the same words each time."""
        detail = f"the network asks for more, above the cap of {quote.most}: payments wait"
        return Alarm(name="fees_above_cap", subject=self.network, detail=detail)

    def _wrong_payee(self, state: FundingState, withdrawal: Withdrawal) -> str:
        own = {*self.settings.lanes, *self.settings.own}
        if withdrawal.address in own:
            return "the address is a wallet of the exchange"
        contracts = [listing.listing.contract for listing in state.book.listings.values()]
        if withdrawal.address in contracts:
            return "the address is a token's contract: what goes there is lost"
        return ""

    def decoded(self, signed: str) -> Decoded:
        """Return what signed bytes do; each is read once."""
        found = self._decoded.get(signed)
        if found is None:
            if len(self._decoded) > DECODED_KEPT:
                self._decoded.clear()
            found = self._decode_bytes(bytes.fromhex(signed))
            self._decoded[signed] = found
        return found


def first_in_turn(state: FundingState, listing: ListingState) -> Withdrawal | None:
    """Return the withdrawal of a queue that may be prepared now."""
    for withdrawal_id in listing.queue:
        withdrawal = state.book.withdrawals[withdrawal_id]
        wait = why_not_now(state, withdrawal)
        if wait is None:
            return withdrawal
        if wait is not Rejection.WITHDRAWALS_LIMITED:
            return None
    return None


def in_turn(state: FundingState, listing: ListingState, most: int, gas: int) -> list[Withdrawal]:
    """Return those of a queue that may be prepared now, one after the other.

    What does not fit a limited stage, with those before it counted, lets others pass.  Only the
    first may take the last of the hot wallet: for the others there must be room for their amounts
    and, in native atoms, for `gas` each.
    """
    first = first_in_turn(state, listing)
    if first is None:
        return []
    network = listing.listing.network
    native = state.listing(state.book.networks[network].network.native, network)
    found: list[Withdrawal] = []
    atoms = 0
    room = StageRoom(listing)
    for withdrawal_id in listing.queue:
        withdrawal = state.book.withdrawals[withdrawal_id]
        if len(found) >= most:
            break
        if room.refusal(withdrawal):
            continue
        room.take(withdrawal)
        atoms += withdrawal.atoms - withdrawal.fee
        costs = gas * (len(found) + 1)
        covered = hot_cover(state, listing) >= atoms + (costs if native is listing else 0)
        if native is not None and native is not listing:
            covered = covered and hot_cover(state, native) >= costs
        if found and not covered:
            break
        found.append(withdrawal)
    return found


def withdrawal_named(state: FundingState, payment: str) -> Withdrawal | None:
    """Return the queued withdrawal that a payment's name means."""
    kind, _, number = payment.partition("/")
    if kind != "withdrawal" or not number.isdigit():
        return None
    found = state.book.withdrawals.get(int(number))
    return found if found and found.state is WithdrawalState.QUEUED else None


def deposit_index(state: FundingState, network: str, address: str) -> int | None:
    """Return the index at which a deposit address was derived."""
    user_id = state.book.networks[network].owners.get(address)
    return None if user_id is None else address_index(state, user_id, network)
