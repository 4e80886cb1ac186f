"""Paying out on one network.  The rule: what is journaled is sent, and nothing else ever is.

Sans-I/O: from the funding state and the chain's facts come effects.  It remembers only when it last
sent what; after a restart it sends all journaled bytes again, which does no harm.  Whatever the
facts do not say decides nothing.

A payment is followed by its slot: one of its attempts stands in a block, or something foreign does,
or the slot is free and the bytes are sent again.  New payments take the lowest free nonce of the
lane with the least under way.  A nonce that was signed but never journaled is journaled or, if its
payment may no longer be paid, used up by a payment of nothing to ourselves: a lane has no holes.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import why_not_now
from seawall.model.funding import Attempt, Vault, WithdrawalState
from seawall.model.funding_commands import RejectWithdrawal
from seawall.model.funding_rows import ListingState, Withdrawal
from seawall.model.rejections import Rejection
from seawall.treasury.chain import (
    Block,
    Decoded,
    FeeQuote,
    PaymentOrder,
    Receipt,
    lane_slot,
    parse_lane_slot,
)
from seawall.treasury.outgoing import (
    Alarm,
    Ask,
    Effect,
    MoveTerms,
    Outgoing,
    Propose,
    Send,
    attempt_of,
    broadcast,
    failed,
    fits,
    listing_of,
    outgoing,
    prepare,
    settled,
    terms_of,
    units_of,
)
from seawall.treasury.signer.messages import SignedSlot

TREASURY: Final = "treasury"
"""Who answers for what the pipelines refuse."""
DECODED_KEPT: Final = 10_000


class PayoutSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one network pays out."""

    lanes: tuple[str, ...]
    """The hot wallet's addresses; each is a line of nonces of its own."""
    own: tuple[str, ...] = ()
    """The exchange's other wallets: a withdrawal to one of them is refused."""
    lane_in_flight: int = 64
    fee_cap: int = 0
    """No replacement above it, in native units per gas; 0: only the market's own cap."""
    resend_blocks: int = 2
    bump_after_blocks: int = 3
    bump_per_cent: int = 13
    """Nodes take a replacement from ten per cent more; rounding needs some room."""


class Facts(Struct, frozen=True, kw_only=True):
    """What the chain and the signer said, all at one head."""

    head: Block
    quote: FeeQuote
    nonces: dict[str, int]
    """The next nonce of each lane at the head."""
    receipts: dict[str, Receipt]
    """Of those asked for that stand in the longest chain."""
    users: dict[str, str]
    """Who consumed a slot, where it was none of our attempts."""
    signed: dict[str, tuple[SignedSlot, ...]]
    """By lane, what the signer signed from the first nonce that is not final."""


class _Sent(Struct):
    """When this process offered some bytes, in blocks."""

    first_block: int
    last_block: int


class Payouts:
    """The pipeline of one network."""

    def __init__(
        self, network: str, settings: PayoutSettings, decode: Callable[[bytes], Decoded]
    ) -> None:
        self.network = network
        self.settings = settings
        self._decode_bytes = decode
        self._decoded: dict[str, Decoded] = {}
        self._sent: dict[str, _Sent] = {}

    def decide(self, state: FundingState, facts: Facts) -> list[Effect]:
        """Return what to do next; call again when the state or the facts have changed."""
        effects: list[Effect] = []
        open_now: set[str] = set()
        for row in outgoing(state, self.network):
            open_now.update(attempt.tx_id for attempt in row.attempts)
            effects += self._follow(state, row, facts)
        for gone in [tx_id for tx_id in self._sent if tx_id not in open_now]:
            del self._sent[gone]
        holes = self._holes(state, facts)
        if holes:
            # First the lanes are whole again: what is signed later could not be mined anyway.
            return effects + holes
        return effects + self._next(state, facts)

    # What is signed

    def _follow(self, state: FundingState, row: Outgoing, facts: Facts) -> list[Effect]:
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
        lane, nonce = parse_lane_slot(row.attempts[0].slots[0])
        foreign = facts.users.get(row.attempts[0].slots[0])
        if foreign is not None:
            receipt = facts.receipts.get(foreign)
            if receipt is None or receipt.confirmations(facts.head) < finality:
                return []
            reason = f"nonce {nonce} was used by {foreign}, which is not ours"
            return [
                Alarm(name="foreign_transaction", subject=row.payment, detail=reason),
                Propose(command=failed(row, receipt, facts.head, reason)),
            ]
        next_nonce = facts.nonces.get(lane)
        if next_nonce is None or nonce < next_nonce:
            # Consumed, and nobody could say by what: wait for better facts.
            return []
        return self._offer(state, row, facts, lowest=nonce == next_nonce)

    def _ended(
        self, state: FundingState, row: Outgoing, attempt: Attempt, receipt: Receipt, head: Block
    ) -> Effect:
        decoded = self._decode(attempt.signed)
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
        self, state: FundingState, row: Outgoing, facts: Facts, *, lowest: bool
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
        # Only the lowest nonce of a lane can be stuck by its price; the others wait for it.
        if lowest and at - sent.first_block >= self.settings.bump_after_blocks:
            effects.append(self._bump(state, row, newest, facts))
        return effects

    def _bump(self, state: FundingState, row: Outgoing, newest: Attempt, facts: Facts) -> Effect:
        decoded = self._decode(newest.signed)
        quote = self._raised(decoded, facts.quote)
        if quote is None:
            detail = f"{decoded.fee_price} is offered and the cap allows no replacement"
            return Alarm(name="stuck_at_the_cap", subject=row.payment, detail=detail)
        index = None
        if decoded.source not in self.settings.lanes:
            index = deposit_index(state, self.network, decoded.source)
        order = PaymentOrder(
            source=decoded.source,
            payee=decoded.payee,
            contract=decoded.contract,
            units=decoded.units,
            slots=decoded.slots,
            quote=quote,
        )
        return Ask(payment=row.payment, order=order, target=terms_of(row), index=index)

    def _raised(self, decoded: Decoded, market: FeeQuote) -> FeeQuote | None:
        """Return a price that replaces what was offered, or None if the cap forbids."""
        if market.spiked:
            return None
        last = FeeQuote(base=market.base, tip=decoded.tip_price, most=decoded.fee_price)
        raised = last.raised(self.settings.bump_per_cent)
        most = max(raised.most, market.most)
        if self.settings.fee_cap and most > self.settings.fee_cap:
            return None
        return FeeQuote(base=market.base, tip=max(raised.tip, market.tip), most=most)

    # Holes in a lane

    def _holes(self, state: FundingState, facts: Facts) -> list[Effect]:
        effects: list[Effect] = []
        slots = state.book.networks[self.network].slots
        for lane in self.settings.lanes:
            for signed in facts.signed.get(lane, ()):
                if lane_slot(lane, signed.nonce) not in slots:
                    effects += self._fill(state, lane, signed, facts)
        return effects

    def _fill(
        self, state: FundingState, lane: str, signed: SignedSlot, facts: Facts
    ) -> list[Effect]:
        """Deal with a nonce that was signed but not journaled."""
        decoded = self._decode(signed.signed)
        attempt = attempt_of(decoded, signed.signed)
        void = self._void_terms(state, lane, signed.nonce)
        if signed.voided:
            return [Propose(command=prepare(void, attempt))]
        withdrawal = withdrawal_named(state, signed.payment)
        if (
            withdrawal is not None
            and fits(state, withdrawal, decoded)
            and why_not_now(state, withdrawal) is None
        ):
            return [Propose(command=prepare(withdrawal.withdrawal_id, attempt))]
        if signed.nonce < facts.nonces.get(lane, 0):
            return []
        quote = self._raised(decoded, facts.quote)
        if quote is None:
            detail = "the cap allows no replacement"
            return [
                Alarm(name="hole_in_lane", subject=lane_slot(lane, signed.nonce), detail=detail)
            ]
        order = PaymentOrder(
            source=lane, payee=lane, contract="", units=0, slots=decoded.slots, quote=quote
        )
        return [Ask(payment=f"move/{void.move_key}", order=order, target=void)]

    def _void_terms(self, state: FundingState, lane: str, nonce: int) -> MoveTerms:
        return MoveTerms(
            move_key=f"void/{lane_slot(lane, nonce)}",
            network=self.network,
            asset=state.book.networks[self.network].network.native,
            source=Vault.HOT,
            target=Vault.COLD,
            atoms=0,
        )

    # What is to be signed next

    def _next(self, state: FundingState, facts: Facts) -> list[Effect]:
        effects: list[Effect] = []
        for listing in state.book.listings.values():
            if listing.listing.network != self.network:
                continue
            withdrawal = first_in_turn(state, listing)
            if withdrawal is None or _has_signature(withdrawal, facts):
                continue
            wrong = self._wrong_payee(state, withdrawal)
            if wrong:
                refusal = RejectWithdrawal(
                    withdrawal_id=withdrawal.withdrawal_id, person=TREASURY, reason=wrong
                )
                effects.append(Propose(command=refusal))
                continue
            slot = self.free_slot(state, facts)
            if slot is not None and not facts.quote.spiked:
                order = self._order(state, withdrawal, slot, facts.quote)
                effects.append(
                    Ask(payment=withdrawal.payment, order=order, target=withdrawal.withdrawal_id)
                )
                # One signature at a time: the next nonce is free only once this one is journaled.
                break
        return effects

    def _order(
        self, state: FundingState, withdrawal: Withdrawal, slot: str, quote: FeeQuote
    ) -> PaymentOrder:
        listing = listing_of(state, withdrawal)
        return PaymentOrder(
            source=parse_lane_slot(slot)[0],
            payee=withdrawal.address,
            contract=listing.contract,
            units=units_of(state, listing, withdrawal.atoms - withdrawal.fee),
            slots=(slot,),
            quote=quote,
        )

    def free_slot(self, state: FundingState, facts: Facts) -> str | None:
        """Return the next nonce of the lane with the least under way; None if all are full."""
        slots = state.book.networks[self.network].slots
        best: tuple[int, str] | None = None
        for lane in self.settings.lanes:
            start = facts.nonces.get(lane)
            if start is None:
                continue
            signed = {each.nonce for each in facts.signed.get(lane, ())}
            nonce = start
            while lane_slot(lane, nonce) in slots or nonce in signed:
                nonce += 1
            if nonce - start < self.settings.lane_in_flight and (
                best is None or nonce - start < best[0]
            ):
                best = (nonce - start, lane_slot(lane, nonce))
        return None if best is None else best[1]

    def _wrong_payee(self, state: FundingState, withdrawal: Withdrawal) -> str:
        own = {*self.settings.lanes, *self.settings.own}
        if withdrawal.address in own:
            return "the address is a wallet of the exchange"
        contracts = [listing.listing.contract for listing in state.book.listings.values()]
        if withdrawal.address in contracts:
            return "the address is a token's contract: what goes there is lost"
        return ""

    def _decode(self, signed: str) -> Decoded:
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


def _has_signature(withdrawal: Withdrawal, facts: Facts) -> bool:
    """Say whether it was signed for before in a slot that is voided, but not yet for good."""
    return any(
        each.payment == withdrawal.payment for signed in facts.signed.values() for each in signed
    )


def withdrawal_named(state: FundingState, payment: str) -> Withdrawal | None:
    """Return the queued withdrawal that a payment's name means."""
    kind, _, number = payment.partition("/")
    if kind != "withdrawal" or not number.isdigit():
        return None
    found = state.book.withdrawals.get(int(number))
    return found if found and found.state is WithdrawalState.QUEUED else None


def deposit_index(state: FundingState, network: str, address: str) -> int | None:
    """Return the index at which a deposit address was derived: they were opened in that order."""
    for index, known in enumerate(state.book.networks[network].owners):
        if known == address:
            return index
    return None
