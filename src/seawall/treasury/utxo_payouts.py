"""Paying out in coins.  The rule: a coin that is signed for waits for that payment, or is voided.

Sans-I/O, as payouts.py is for nonces; following.py has what both share.  Only final coins are
spent: what they came from cannot be replaced any more, so a reorganisation never leaves a signed
payment without its coins.  Every payment waits by itself: there are no lanes, and no holes.

What was signed but never journaled (the process died between the two) is journaled when its
turn comes.  If its payment has ended meanwhile, paying the coins to ourselves voids the bytes.
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import why_not_now
from seawall.lib.invariants import invariant
from seawall.model.funding import Attempt, Vault
from seawall.model.funding_commands import RejectWithdrawal
from seawall.model.funding_rows import Withdrawal
from seawall.treasury.chain import (
    Coin,
    Decoded,
    FeeQuote,
    PaymentOrder,
    RefusedError,
    Unsigned,
    UtxoUnsigned,
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
from seawall.treasury.utxo_bytes import gather, price_of
from seawall.treasury.utxo_coins import ShortError, pay

RELAY_STEP: Final = 1_000
"""Nodes want that much more per 1000 virtual bytes, beside more in all (BIP125, rule 4)."""
VOID: Final = "void/"


class CoinFacts(ChainFacts, frozen=True, kw_only=True):
    """What the chain and the signer said, all at one head."""

    coins: Mapping[str, Coin]
    """By slot, all that is unspent of the exchange's addresses."""
    signed: tuple[SignedSlot, ...]
    """What the signer signed with coins of the hot wallet that no payment of the ledger has."""


class UtxoPayouts(Follower[CoinFacts]):
    """The pipeline of one network."""

    def __init__(
        self,
        network: str,
        settings: PayoutSettings,
        decode: Callable[[bytes], Decoded],
        prefix: str,
    ) -> None:
        super().__init__(network, settings, decode)
        self._prefix = prefix

    def decide(self, state: FundingState, facts: CoinFacts) -> list[Effect]:
        return [
            *self._followed(state, facts),
            *self._recovered(state, facts),
            *self._next(state, facts),
        ]

    def free_coins(self, state: FundingState, facts: CoinFacts) -> list[Coin]:
        """Return the hot wallet's coins that are final and belong to no payment."""
        network = state.book.networks[self.network]
        taken = {slot for signed in facts.signed for slot in signed.coins}
        newest = facts.head.number - network.network.finality + 1
        return [
            coin
            for coin in facts.coins.values()
            if coin.address in self.settings.lanes
            and coin.block <= newest
            and coin.slot not in network.slots
            and coin.slot not in taken
        ]

    # What is signed

    def _slot_named(self, slot: str) -> str:
        return f"coin {slot}"

    def _unmined(self, state: FundingState, row: Outgoing, facts: CoinFacts) -> list[Effect]:
        # A coin that is gone may be back with the next reorganisation, or be spent by what nobody
        # could name yet: offering the bytes again does no harm, and raising them no good.
        whole = all(slot in facts.coins for slot in row.attempts[0].slots)
        return self._offer(state, row, facts, may_bump=whole)

    def _bump(
        self, state: FundingState, row: Outgoing, newest: Attempt, facts: CoinFacts
    ) -> list[Effect]:
        decoded = self.decoded(newest.signed)
        if deposit_index(state, self.network, decoded.source) is not None:
            # A sweep has no change to pay more from, and nobody waits for it.
            return []
        coins = [facts.coins[slot] for slot in newest.slots]
        price = price_of(bytes.fromhex(newest.signed), newest.max_cost)
        quote = self._raised(price, facts.quote)
        if quote is None:
            detail = f"{price} is offered and the cap allows no replacement"
            return [Alarm(name="stuck_at_the_cap", subject=row.payment, detail=detail)]
        try:
            if row.payment.startswith(f"move/{VOID}"):
                unsigned = gather(decoded.source, decoded.payee, coins, quote.most, self._prefix)
            else:
                order = PaymentOrder(
                    source=decoded.source,
                    payee=decoded.payee,
                    contract="",
                    units=decoded.units,
                    slots=newest.slots,
                    quote=quote,
                )
                unsigned = pay(order, coins, self._prefix)
        except RefusedError as error:
            detail = f"its change cannot pay more: {error}"
            return [Alarm(name="stuck_without_change", subject=row.payment, detail=detail)]
        return [ask_for(row.payment, unsigned, quote, terms_of(row))]

    def _raised(self, price: int, market: FeeQuote) -> FeeQuote | None:
        """Return a price that replaces what was offered, or None if the cap forbids."""
        if market.spiked:
            return None
        raised = max(
            -(-price * (100 + self.settings.bump_per_cent) // 100),
            price + max(RELAY_STEP, market.base),
            market.most,
        )
        return self._capped(FeeQuote(base=market.base, tip=raised - market.base, most=raised))

    # What was signed and never journaled

    def _recovered(self, state: FundingState, facts: CoinFacts) -> list[Effect]:
        effects: list[Effect] = []
        slots = state.book.networks[self.network].slots
        for signed in facts.signed:
            if any(slot in slots for slot in signed.coins):
                continue
            effects += self._journal_or_void(state, signed, facts)
        return effects

    def _journal_or_void(
        self, state: FundingState, signed: SignedSlot, facts: CoinFacts
    ) -> list[Effect]:
        decoded = self.decoded(signed.signed)
        attempt = attempt_of(decoded, signed.signed, signed.max_cost)
        void = self._void_terms(state, signed.coins[0])
        if signed.voided:
            return [Propose(command=prepare(void, attempt))]
        withdrawal = withdrawal_named(state, signed.payment)
        if withdrawal is not None and fits(state, withdrawal, decoded):
            if why_not_now(state, withdrawal) is None:
                return [Propose(command=prepare(withdrawal.withdrawal_id, attempt))]
            # Its turn may come, and then these bytes pay it.
            return []
        if any(slot not in facts.coins for slot in signed.coins):
            # Somebody spent a part of it: the bytes can never be mined.
            return []
        price = price_of(bytes.fromhex(signed.signed), signed.max_cost)
        quote = self._raised(price, facts.quote)
        if quote is None:
            return []
        coins = [facts.coins[slot] for slot in signed.coins]
        try:
            unsigned = gather(decoded.source, decoded.source, coins, quote.most, self._prefix)
        except RefusedError as error:
            return [Alarm(name="cannot_void", subject=signed.payment, detail=str(error))]
        return [ask_for(f"move/{void.move_key}", unsigned, quote, void)]

    def _void_terms(self, state: FundingState, slot: str) -> MoveTerms:
        return MoveTerms(
            move_key=f"{VOID}{slot}",
            network=self.network,
            asset=state.book.networks[self.network].network.native,
            source=Vault.HOT,
            target=Vault.COLD,
            atoms=0,
        )

    # What is to be signed next

    def _next(self, state: FundingState, facts: CoinFacts) -> list[Effect]:
        effects: list[Effect] = []
        for listing in state.book.listings.values():
            if listing.listing.network != self.network:
                continue
            withdrawal = first_in_turn(state, listing)
            if withdrawal is None or self._has_signature(withdrawal, facts):
                continue
            effects += self._pay(state, withdrawal, facts)
        return effects

    def _pay(self, state: FundingState, withdrawal: Withdrawal, facts: CoinFacts) -> list[Effect]:
        wrong = self._wrong_payee(state, withdrawal)
        if wrong:
            return [_refusal(withdrawal, wrong)]
        if facts.quote.spiked:
            return [self._dear(facts.quote)]
        listing = listing_of(state, withdrawal)
        units = units_of(state, listing, withdrawal.atoms - withdrawal.fee)
        try:
            unsigned = self.choose(state, facts, withdrawal.address, units)
        except ShortError as error:
            # Not the payee's fault: coins come back as change, by sweeps, or from cold storage.
            return [Alarm(name="no_free_coins", subject=withdrawal.payment, detail=str(error))]
        except (RefusedError, ValueError) as error:
            return [_refusal(withdrawal, f"the network cannot pay this: {error}"[:256])]
        target = withdrawal.withdrawal_id
        return [ask_for(withdrawal.payment, unsigned, facts.quote, target)]

    def choose(self, state: FundingState, facts: CoinFacts, payee: str, units: int) -> Unsigned:
        """Return the payment from the first hot address that has the coins for it."""
        free = self.free_coins(state, facts)
        short: ShortError | None = None
        for lane in self.settings.lanes:
            order = PaymentOrder(
                source=lane, payee=payee, contract="", units=units, quote=facts.quote
            )
            try:
                return pay(order, free, self._prefix)
            except ShortError as error:
                short = short or error
        raise short or ShortError("there is no hot wallet")

    @staticmethod
    def _has_signature(withdrawal: Withdrawal, facts: CoinFacts) -> bool:
        """Say whether bytes that could still pay it are known."""
        return any(each.payment == withdrawal.payment and not each.voided for each in facts.signed)


def ask_for(
    payment: str,
    unsigned: Unsigned,
    quote: FeeQuote,
    target: int | MoveTerms,
    index: int | None = None,
) -> Ask:
    """Return the effect that has a transaction of coins signed."""
    fields = unsigned.fields
    invariant(isinstance(fields, UtxoUnsigned), "a payment of coins has coins")
    of_coins = cast("UtxoUnsigned", fields)
    order = PaymentOrder(
        source=of_coins.coins[0].address,
        payee=of_coins.payee,
        contract="",
        units=of_coins.units,
        slots=unsigned.slots,
        quote=quote,
    )
    return Ask(payment=payment, order=order, target=target, index=index, unsigned=unsigned)


def _refusal(withdrawal: Withdrawal, reason: str) -> Propose:
    return Propose(
        command=RejectWithdrawal(
            withdrawal_id=withdrawal.withdrawal_id, person=TREASURY, reason=reason
        )
    )
