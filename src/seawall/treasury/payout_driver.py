"""The loop around the payouts of one network.  The rule: journal first, send after, one at a time.

It asks chain and signer what the pipeline wants to know, performs the effects, and keeps nothing.
A question that has no answer ends the step; the next one begins anew.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from seawall.core.funding_state import FundingState
from seawall.model.events import CommandRejected, Event
from seawall.model.funding_commands import FundingCommand, RejectWithdrawal
from seawall.treasury.chain import (
    Block,
    Chain,
    Receipt,
    RefusedError,
    UnknownError,
    parse_lane_slot,
)
from seawall.treasury.outgoing import (
    Alarm,
    Ask,
    Effect,
    MoveTerms,
    Propose,
    Send,
    attempt_of,
    outgoing,
    prepare,
)
from seawall.treasury.payouts import TREASURY, Facts, Payouts
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signer.messages import (
    Answer,
    AskSlots,
    Refusal,
    Refused,
    Request,
    Sign,
    Signed,
    SignedSlot,
    Slots,
)

STEADY_TRIES: Final = 5
"""How often facts are gathered again because the head moved meanwhile."""
ROUNDS: Final = 1_000
"""Payments that one step may prepare."""
REFUSALS: Final = 3
"""Heads at which the chain foretells failure before a withdrawal is given back."""
GAS_ROOM: Final = 200_000
"""Gas that any payment we make would do with."""

_log = structlog.get_logger()

Submit = Callable[[FundingCommand], Awaitable[Sequence[Event]]]


class Asker(Protocol):
    """The signer, as the drivers see it."""

    async def ask(self, request: Request) -> Answer: ...


class PayoutDriver:
    """Steps one network's payouts; more pipelines may add their effects to a step."""

    def __init__(
        self,
        payouts: Payouts,
        chain: Chain,
        signer: Asker,
        state: Callable[[], FundingState],
        submit: Submit,
    ) -> None:
        self._payouts = payouts
        self._chain = chain
        self._signer = signer
        self._state = state
        self._submit = submit
        self._refused: dict[str, tuple[int, int]] = {}
        self._alarmed: set[Alarm] = set()

    async def step(self) -> bool:
        """Do what can be done now; False if chain or signer did not say enough to decide."""
        try:
            facts = await self.gather()
            for _ in range(ROUNDS):
                if not await self.perform(self._payouts.decide(self._state(), facts), facts):
                    break
        except (UnknownError, SignerSilentError) as error:
            self._alarm(Alarm(name="unknown", subject=self._payouts.network, detail=str(error)))
            return False
        return True

    async def gather(self) -> Facts:
        """Return facts that are all of one head, or raise UnknownError."""
        head = await self._chain.head()
        for _ in range(STEADY_TRIES):
            facts = await self._gather_at(head)
            again = await self._chain.head()
            if again.id == head.id:
                return facts
            head = again
        raise UnknownError("the head moves faster than it can be read")

    async def _gather_at(self, head: Block) -> Facts:
        nonces: dict[str, int] = {}
        receipts: dict[str, Receipt] = {}
        users: dict[str, str] = {}
        for lane in self._payouts.settings.lanes:
            nonces[lane] = await self._chain.next_nonce(lane, head)
        for row in list(outgoing(self._state(), self._payouts.network)):
            slot = row.attempts[0].slots[0]
            lane, nonce = parse_lane_slot(slot)
            if lane not in nonces:
                nonces[lane] = await self._chain.next_nonce(lane, head)
            if nonce >= nonces[lane]:
                continue
            for attempt in reversed(row.attempts):
                receipt = await self._chain.receipt(attempt.tx_id)
                if receipt is not None:
                    receipts[attempt.tx_id] = receipt
                    break
            else:
                await self._find_user(slot, users, receipts)
        return Facts(
            head=head,
            quote=await self._chain.fee_quote(),
            nonces=nonces,
            receipts=receipts,
            users=users,
            signed=await self._gather_signed(head),
        )

    async def _find_user(
        self, slot: str, users: dict[str, str], receipts: dict[str, Receipt]
    ) -> None:
        user = await self._chain.transaction_in_slot(slot)
        receipt = None if user is None else await self._chain.receipt(user)
        if user is not None and receipt is not None:
            users[slot] = user
            receipts[user] = receipt

    async def _gather_signed(self, head: Block) -> dict[str, tuple[SignedSlot, ...]]:
        network = self._state().book.networks[self._payouts.network].network
        final = await self._chain.block(max(head.number - network.finality + 1, 0))
        if final is None:
            raise UnknownError("the last final block is not to be had")
        signed = {}
        for lane in self._payouts.settings.lanes:
            nonce = await self._chain.next_nonce(lane, final)
            signed[lane] = await self._slots(lane, nonce)
        return signed

    async def _slots(self, lane: str, from_nonce: int) -> tuple[SignedSlot, ...]:
        request = AskSlots(network=self._payouts.network, lane=lane, from_nonce=from_nonce)
        answer = await self._signer.ask(request)
        if not isinstance(answer, Slots):
            raise SignerSilentError(f"it answered {type(answer).__name__}")
        return answer.slots

    async def perform(self, effects: Sequence[Effect], facts: Facts) -> bool:
        """Perform the effects in order; True if something changed that may allow more."""
        changed = False
        for effect in effects:
            match effect:
                case Alarm():
                    self._alarm(effect)
                case Propose():
                    changed = await self._propose(effect.command) or changed
                case Send():
                    changed = await self._send(effect) or changed
                case Ask():
                    changed = await self._ask(effect, facts) or changed
        return changed

    async def _propose(self, command: FundingCommand) -> bool:
        events = await self._submit(command)
        refused = next((event for event in events if isinstance(event, CommandRejected)), None)
        if refused is not None:
            _log.warning(
                "payouts.refused",
                command=type(command).__name__,
                reason=refused.reason.value,
                detail=refused.detail,
            )
        return bool(events) and refused is None

    async def _send(self, effect: Send) -> bool:
        result = await self._chain.send(bytes.fromhex(effect.signed))
        if result.outcome.taken:
            return await self._propose(effect.then)
        detail = f"{result.outcome.value} {result.detail}".strip()
        self._alarm(Alarm(name="not_taken", subject=effect.tx_id, detail=detail))
        return False

    async def _ask(self, ask: Ask, facts: Facts) -> bool:
        try:
            unsigned = await self._chain.build(ask.order)
        except RefusedError as error:
            return await self._foretold(ask, facts, str(error))
        request = Sign(
            network=self._payouts.network,
            payment=ask.payment,
            fields=unsigned.fields,
            index=ask.index,
        )
        answer = await self._signer.ask(request)
        if isinstance(answer, Signed):
            return await self._journal(ask, answer.signed, unsigned.max_cost)
        if isinstance(answer, Refused) and answer.reason is Refusal.PAYMENT_SIGNED:
            # Signed in a slot of the past and never journaled: only those bytes may pay it.
            lane, nonce = parse_lane_slot(answer.detail)
            for slot in await self._slots(lane, nonce):
                if slot.nonce == nonce:
                    return await self._journal(ask, slot.signed, -1, same_slot=False)
        if isinstance(answer, Refused) and answer.reason is Refusal.SLOT_SIGNED:
            earlier = await self._earlier_sweep(ask)
            if earlier is not None:
                return await self._propose(earlier)
        detail = f"{answer.reason.value} {answer.detail}" if isinstance(answer, Refused) else ""
        self._alarm(Alarm(name="not_signed", subject=ask.payment, detail=detail.strip()))
        return False

    async def _earlier_sweep(self, ask: Ask) -> FundingCommand | None:
        """Return the sweep that was signed at this nonce, never journaled, and is as good."""
        if not isinstance(ask.target, MoveTerms) or ask.index is None:
            return None
        lane, nonce = parse_lane_slot(ask.order.slots[0])
        for slot in await self._slots(lane, nonce):
            decoded = self._chain.decode(bytes.fromhex(slot.signed))
            same = (decoded.payee, decoded.contract) == (ask.order.payee, ask.order.contract)
            if slot.nonce == nonce and same and ask.order.units:
                atoms = ask.target.atoms * decoded.units // ask.order.units
                terms = replace(ask.target, atoms=atoms)
                return prepare(terms, attempt_of(decoded, slot.signed))
        return None

    async def _journal(
        self, ask: Ask, signed: str, max_cost: int, *, same_slot: bool = True
    ) -> bool:
        decoded = self._chain.decode(bytes.fromhex(signed))
        order = ask.order
        right = (decoded.payee, decoded.contract, decoded.units) == (
            order.payee,
            order.contract,
            order.units,
        )
        if not right or (same_slot and decoded.slots != order.slots):
            self._alarm(Alarm(name="strange_signature", subject=ask.payment, detail=decoded.tx_id))
            return False
        return await self._propose(prepare(ask.target, attempt_of(decoded, signed, max_cost)))

    async def _foretold(self, ask: Ask, facts: Facts, why: str) -> bool:
        """Give a withdrawal back that can never be paid; for lack of our own coins, wait."""
        self._alarm(Alarm(name="foretold_to_fail", subject=ask.payment, detail=why))
        if not isinstance(ask.target, int):
            return False
        row = self._state().book.withdrawals.get(ask.target)
        if row is None or row.attempts or not await self._covered(ask, facts):
            return False
        count, at = self._refused.get(ask.payment, (0, -1))
        if at == facts.head.number:
            return False
        self._refused[ask.payment] = (count + 1, facts.head.number)
        if count + 1 < REFUSALS:
            return False
        del self._refused[ask.payment]
        reason = f"the network refuses to pay this address: {why}"[:256]
        return await self._propose(
            RejectWithdrawal(withdrawal_id=row.withdrawal_id, person=TREASURY, reason=reason)
        )

    async def _covered(self, ask: Ask, facts: Facts) -> bool:
        order = ask.order
        held = await self._chain.balance(order.source, order.contract, facts.head)
        coins = held
        if order.contract:
            coins = await self._chain.balance(order.source, "", facts.head)
        gas = GAS_ROOM * order.quote.most
        return held >= order.units and coins >= gas + (0 if order.contract else order.units)

    def _alarm(self, alarm: Alarm) -> None:
        if alarm not in self._alarmed:
            if len(self._alarmed) > ROUNDS:
                self._alarmed.clear()
            self._alarmed.add(alarm)
            _log.warning(f"payouts.{alarm.name}", subject=alarm.subject, detail=alarm.detail)
