"""The hands of an EVM network's payouts.  The rule: facts of one head, and no nonce left behind.

signing_driver.py has what every kind of network shares.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from seawall.core.funding_state import FundingState
from seawall.model.funding_commands import FundingCommand, RejectWithdrawal
from seawall.treasury.chain import Block, Chain, Receipt, UnknownError, parse_lane_slot
from seawall.treasury.following import TREASURY
from seawall.treasury.outgoing import Ask, MoveTerms, Outgoing, attempt_of, outgoing, prepare
from seawall.treasury.payouts import GAS_ROOM, Facts, Payouts
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signer.messages import AskSlots, Refusal, Refused, SignedSlot, Slots
from seawall.treasury.signing_driver import Asker, SigningDriver, Submit

REFUSALS: Final = 3
"""Heads at which the chain foretells failure before a withdrawal is given back."""


class PayoutDriver(SigningDriver[Facts]):
    """Steps one EVM network's payouts."""

    def __init__(
        self,
        payouts: Payouts,
        chain: Chain,
        signer: Asker,
        state: Callable[[], FundingState],
        submit: Submit,
    ) -> None:
        super().__init__(payouts, chain, signer, state, submit)
        self._payouts = payouts
        self._refused: dict[str, tuple[int, int]] = {}
        self._told_at = ""
        self._told: dict[str, Receipt] = {}

    async def _gather_at(self, head: Block) -> Facts:
        nonces: dict[str, int] = {}
        receipts: dict[str, Receipt] = {}
        users: dict[str, str] = {}
        for lane in self._payouts.settings.lanes:
            nonces[lane] = await self._chain.next_nonce(lane, head)
        consumed: list[Outgoing] = []
        for row in list(outgoing(self._state(), self._payouts.network)):
            lane, nonce = parse_lane_slot(row.attempts[0].slots[0])
            if lane not in nonces:
                nonces[lane] = await self._chain.next_nonce(lane, head)
            if nonce < nonces[lane]:
                consumed.append(row)
        for row, receipt in zip(consumed, await self._newest(consumed, head), strict=True):
            if receipt is None:
                await self._find_earlier(row, users, receipts)
            else:
                receipts[receipt.tx_id] = receipt
        return Facts(
            head=head,
            quote=await self._chain.fee_quote(),
            nonces=nonces,
            receipts=receipts,
            users=users,
            signed=await self._gather_signed(head),
            funds=await self._gather_funds(head),
        )

    async def _newest(self, rows: Sequence[Outgoing], head: Block) -> list[Receipt | None]:
        """Return the receipts of the newest attempts; at one head each is asked for once."""
        if self._told_at != head.id:
            self._told_at, self._told = head.id, {}
        tx_ids = [row.attempts[-1].tx_id for row in rows]
        unknown = [tx_id for tx_id in tx_ids if tx_id not in self._told]
        found = await self._chain.receipts(unknown) if unknown else []
        if (await self._chain.head()).id == head.id:
            # Only then are they surely of this head.
            for receipt in found:
                if receipt is not None:
                    self._told[receipt.tx_id] = receipt
        fresh = dict(zip(unknown, found, strict=True))
        return [self._told.get(tx_id) or fresh.get(tx_id) for tx_id in tx_ids]

    async def _gather_funds(self, head: Block) -> dict[tuple[str, str], int]:
        """Return what each lane holds; nothing is asked where one holds all."""
        lanes, book = self._payouts.settings.lanes, self._state().book
        if len(lanes) < 2:
            return {}
        contracts = [
            each.listing.contract
            for each in book.listings.values()
            if each.listing.network == self._payouts.network
        ]
        funds: dict[tuple[str, str], int] = {}
        for contract in dict.fromkeys(["", *contracts]):
            held = await self._chain.balances(lanes, contract, head)
            funds |= {(lane, contract): units for lane, units in zip(lanes, held, strict=True)}
        return funds

    async def _find_earlier(
        self, row: Outgoing, users: dict[str, str], receipts: dict[str, Receipt]
    ) -> None:
        """Look for what used the slot, where that was not the newest attempt."""
        for attempt in reversed(row.attempts[:-1]):
            receipt = await self._chain.receipt(attempt.tx_id)
            if receipt is not None:
                receipts[attempt.tx_id] = receipt
                return
        await self._find_user(row.attempts[0].slots[0], users, receipts)

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

    def _in_line(self, ask: Ask) -> bool:
        # A replacement has its nonce already: whether it is signed concerns nobody else.
        taken = self._state().book.networks[self._payouts.network].slots
        return any(slot not in taken for slot in ask.order.slots)

    async def _signed_before(self, ask: Ask, refused: Refused) -> FundingCommand | None:
        if refused.reason is Refusal.PAYMENT_SIGNED:
            return await self._earlier_slot(ask, refused.detail)
        if refused.reason is Refusal.SLOT_SIGNED:
            return await self._earlier_sweep(ask)
        return None

    async def _earlier_slot(self, ask: Ask, at: str) -> FundingCommand | None:
        """Return the payment signed in a slot of the past, never journaled: only that may pay."""
        lane, nonce = parse_lane_slot(at)
        for slot in await self._slots(lane, nonce):
            decoded = self._chain.decode(bytes.fromhex(slot.signed))
            right = (decoded.payee, decoded.contract, decoded.units) == (
                ask.order.payee,
                ask.order.contract,
                ask.order.units,
            )
            if slot.nonce == nonce and right:
                return prepare(ask.target, attempt_of(decoded, slot.signed))
        return None

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

    async def _foretold(self, ask: Ask, facts: Facts, why: str) -> bool:
        """Give a withdrawal back that can never be paid; for lack of our own coins, wait."""
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
