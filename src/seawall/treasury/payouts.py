"""Paying out on one EVM network.  The rule: a lane has no holes.

Sans-I/O: from the funding state and the chain's facts come effects; following.py has what every
kind of network shares.  New payments take the lowest free nonce of the lane with the least under
way among those that hold enough: the ledger's cover is that of all lanes together.  A nonce that
was signed but never journaled is journaled or, if its payment may no longer be paid, used up by a
payment of nothing to ourselves.
"""

from collections.abc import Collection, Sequence
from typing import Final

from msgspec import field

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import why_not_now
from seawall.model.funding import Attempt, Vault
from seawall.model.funding_commands import RejectWithdrawal
from seawall.model.funding_rows import Withdrawal
from seawall.model.rejections import Rejection
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
    in_turn,
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
    outgoing,
    prepare,
    terms_of,
    units_of,
)
from seawall.treasury.signer.messages import SignedSlot

__all__ = ["Facts", "PayoutSettings", "Payouts"]

AT_ONCE: Final = 50
"""Payments that are signed before they are journaled in one append."""
GAS_ROOM: Final = 200_000
"""Gas that any payment we make would do with."""


class Facts(ChainFacts, frozen=True, kw_only=True):
    """What the chain and the signer said, all at one head."""

    nonces: dict[str, int]
    """The next nonce of each lane at the head."""
    signed: dict[str, tuple[SignedSlot, ...]]
    """By lane, what the signer signed from the first nonce that is not final."""
    funds: dict[tuple[str, str], int] = field(default_factory=dict)
    """What each lane holds of each contract; empty where one lane holds all."""


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
        decoded = self.decoded(newest.signed)
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
        left = [
            (lane, signed)
            for lane in self.settings.lanes
            for signed in facts.signed.get(lane, ())
            if lane_slot(lane, signed.nonce) not in slots
        ]
        unjournaled = {signed.payment: signed for _, signed in left if not signed.voided}
        for lane, signed in left:
            effects += self._fill(state, lane, signed, facts, unjournaled)
        return effects

    def _fill(
        self,
        state: FundingState,
        lane: str,
        signed: SignedSlot,
        facts: Facts,
        unjournaled: dict[str, SignedSlot],
    ) -> list[Effect]:
        """Deal with a nonce that was signed but not journaled."""
        decoded = self.decoded(signed.signed)
        attempt = attempt_of(decoded, signed.signed)
        void = self._void_terms(state, lane, signed.nonce)
        if signed.voided:
            return [Propose(command=prepare(void, attempt))]
        withdrawal = withdrawal_named(state, signed.payment)
        if withdrawal is not None and fits(state, withdrawal, decoded):
            wait = why_not_now(state, withdrawal)
            if wait is None:
                return [Propose(command=prepare(withdrawal.withdrawal_id, attempt))]
            if wait is Rejection.OUT_OF_TURN and self._turn_comes(state, withdrawal, unjournaled):
                return []
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

    def _turn_comes(
        self, state: FundingState, withdrawal: Withdrawal, unjournaled: dict[str, SignedSlot]
    ) -> bool:
        """Say whether the one in turn was signed as well, and is journaled now."""
        listing = state.book.listings[f"{withdrawal.asset}/{withdrawal.network}"]
        first = first_in_turn(state, listing)
        signed = None if first is None else unjournaled.get(first.payment)
        return (
            first is not None
            and signed is not None
            and fits(state, first, self.decoded(signed.signed))
        )

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
        taken: set[str] = set()
        gas = GAS_ROOM * facts.quote.most
        room = self._room(state, facts)
        for listing in state.book.listings.values():
            if listing.listing.network != self.network:
                continue
            for withdrawal in in_turn(state, listing, AT_ONCE - len(taken), gas):
                if _has_signature(withdrawal, facts):
                    break
                wrong = self._wrong_payee(state, withdrawal)
                if wrong:
                    refusal = RejectWithdrawal(
                        withdrawal_id=withdrawal.withdrawal_id, person=TREASURY, reason=wrong
                    )
                    effects.append(Propose(command=refusal))
                    break
                if facts.quote.spiked:
                    effects.append(self._dear(facts.quote))
                    break
                units = units_of(state, listing.listing, withdrawal.atoms - withdrawal.fee)
                lanes = self._able(room, listing.listing.contract, units, gas)
                slot = self.free_slot(state, facts, taken, lanes)
                if slot is None:
                    if not lanes:
                        effects.append(Alarm(name="no_lane_has_enough", subject=withdrawal.payment))
                    break
                taken.add(slot)
                order = self._order(state, withdrawal, slot, facts.quote)
                _spend(room, order.source, order.contract, order.units, gas)
                effects.append(
                    Ask(payment=withdrawal.payment, order=order, target=withdrawal.withdrawal_id)
                )
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

    def _room(self, state: FundingState, facts: Facts) -> dict[tuple[str, str], int]:
        """Return what each lane holds beyond what it is about to pay; empty if one holds all."""
        room = dict(facts.funds)
        for row in outgoing(state, self.network) if room else ():
            newest = self.decoded(row.attempts[-1].signed)
            lane, nonce = parse_lane_slot(newest.slots[0])
            if lane in facts.nonces and nonce >= facts.nonces[lane]:
                _spend(room, lane, newest.contract, newest.units, newest.max_cost)
        return room

    def _able(
        self, room: dict[tuple[str, str], int], contract: str, units: int, gas: int
    ) -> Sequence[str]:
        """Return the lanes that can pay this and the network's charge."""
        if not room:
            return self.settings.lanes
        coins = gas if contract else gas + units
        return [
            lane
            for lane in self.settings.lanes
            if room[lane, contract] >= units and room[lane, ""] >= coins
        ]

    def richest(
        self, state: FundingState, facts: Facts, contract: str
    ) -> tuple[str | None, int | None]:
        """Return a free slot of the lane that has the most, and what it may give.

        None for the latter: one lane holds all, and the ledger says how much that is.
        """
        room = self._room(state, facts)
        if not room:
            return self.free_slot(state, facts), None
        lane = max(self.settings.lanes, key=lambda each: room[each, contract])
        gas = 0 if contract else GAS_ROOM * facts.quote.most
        return self.free_slot(state, facts, (), [lane]), max(room[lane, contract] - gas, 0)

    def free_slot(
        self,
        state: FundingState,
        facts: Facts,
        taken: Collection[str] = (),
        lanes: Sequence[str] | None = None,
    ) -> str | None:
        """Return the next nonce of the lane with the least under way; None if all are full."""
        slots = state.book.networks[self.network].slots
        best: tuple[int, str] | None = None
        for lane in self.settings.lanes if lanes is None else lanes:
            start = facts.nonces.get(lane)
            if start is None:
                continue
            signed = {each.nonce for each in facts.signed.get(lane, ())}
            nonce = start
            slot = lane_slot(lane, nonce)
            while slot in slots or nonce in signed or slot in taken:
                nonce += 1
                slot = lane_slot(lane, nonce)
            if nonce - start < self.settings.lane_in_flight and (
                best is None or nonce - start < best[0]
            ):
                best = (nonce - start, slot)
        return None if best is None else best[1]


def _spend(
    room: dict[tuple[str, str], int], lane: str, contract: str, units: int, gas: int
) -> None:
    for each, less in ((contract, units), ("", gas)):
        if (lane, each) in room:
            room[lane, each] -= less


def _has_signature(withdrawal: Withdrawal, facts: Facts) -> bool:
    """Say whether it was signed for before in a slot that is voided, but not yet for good."""
    return any(
        each.payment == withdrawal.payment for signed in facts.signed.values() for each in signed
    )
