"""Paying out on one EVM network.  The rule: a lane has no holes.

Sans-I/O: from the funding state and the chain's facts come effects; following.py has what every
kind of network shares.  New payments take the lowest free nonce of the lane with the least under
way.  A nonce that was signed but never journaled is journaled or, if its payment may no longer be
paid, used up by a payment of nothing to ourselves.
"""

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import why_not_now
from seawall.model.funding import Attempt, Vault
from seawall.model.funding_commands import RejectWithdrawal
from seawall.model.funding_rows import Withdrawal
from seawall.treasury.chain import (
    Decoded,
    FeeQuote,
    PaymentOrder,
    lane_slot,
    parse_lane_slot,
)
from seawall.treasury.following import (
    TREASURY,
    ChainFacts,
    Follower,
    PayoutSettings,
    deposit_index,
    first_in_turn,
    withdrawal_named,
)
from seawall.treasury.outgoing import (
    Alarm,
    Ask,
    Effect,
    MoveTerms,
    Outgoing,
    Propose,
    attempt_of,
    fits,
    listing_of,
    prepare,
    terms_of,
    units_of,
)
from seawall.treasury.signer.messages import SignedSlot

__all__ = ["Facts", "PayoutSettings", "Payouts"]


class Facts(ChainFacts, frozen=True, kw_only=True):
    """What the chain and the signer said, all at one head."""

    nonces: dict[str, int]
    """The next nonce of each lane at the head."""
    signed: dict[str, tuple[SignedSlot, ...]]
    """By lane, what the signer signed from the first nonce that is not final."""


class Payouts(Follower[Facts]):
    """The pipeline of one network."""

    def decide(self, state: FundingState, facts: Facts) -> list[Effect]:
        effects = self._followed(state, facts)
        holes = self._holes(state, facts)
        if holes:
            # First the lanes are whole again: what is signed later could not be mined anyway.
            return effects + holes
        return effects + self._next(state, facts)

    # What is signed

    def _slot_named(self, slot: str) -> str:
        return f"nonce {parse_lane_slot(slot)[1]}"

    def _unmined(self, state: FundingState, row: Outgoing, facts: Facts) -> list[Effect]:
        lane, nonce = parse_lane_slot(row.attempts[0].slots[0])
        next_nonce = facts.nonces.get(lane)
        if next_nonce is None or nonce < next_nonce:
            # Consumed, and nobody could say by what: wait for better facts.
            return []
        # Only the lowest nonce of a lane can be stuck by its price; the others wait for it.
        return self._offer(state, row, facts, may_bump=nonce == next_nonce)

    def _bump(
        self, state: FundingState, row: Outgoing, newest: Attempt, facts: Facts
    ) -> list[Effect]:
        decoded = self._decode(newest.signed)
        quote = self._raised(decoded, facts.quote)
        if quote is None:
            detail = f"{decoded.fee_price} is offered and the cap allows no replacement"
            return [Alarm(name="stuck_at_the_cap", subject=row.payment, detail=detail)]
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
        return [Ask(payment=row.payment, order=order, target=terms_of(row), index=index)]

    def _raised(self, decoded: Decoded, market: FeeQuote) -> FeeQuote | None:
        """Return a price that replaces what was offered, or None if the cap forbids."""
        if market.spiked:
            return None
        last = FeeQuote(base=market.base, tip=decoded.tip_price, most=decoded.fee_price)
        raised = last.raised(self.settings.bump_per_cent)
        most = max(raised.most, market.most)
        return self._capped(FeeQuote(base=market.base, tip=max(raised.tip, market.tip), most=most))

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
            if facts.quote.spiked:
                effects.append(self._dear(facts.quote))
                continue
            slot = self.free_slot(state, facts)
            if slot is not None:
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


def _has_signature(withdrawal: Withdrawal, facts: Facts) -> bool:
    """Say whether it was signed for before in a slot that is voided, but not yet for good."""
    return any(
        each.payment == withdrawal.payment for signed in facts.signed.values() for each in signed
    )
