"""The hands of a UTXO network's pipelines.  The rule: facts of one head, coins of one block.

signing_driver.py and treasury_driver.py have what every kind of network shares.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from msgspec.structs import replace

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import why_not_now
from seawall.model.funding import Vault
from seawall.model.funding_commands import FundingCommand
from seawall.model.funding_rows import Canary
from seawall.treasury.chain import Block, Coin, Receipt, UnknownError
from seawall.treasury.outgoing import Ask, MoveTerms, attempt_of, outgoing, prepare
from seawall.treasury.reconciler import Wallets
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signer.messages import AskCoins, Refusal, Refused, SignedSlot, Slots
from seawall.treasury.signing_driver import Asker, SigningDriver, Submit
from seawall.treasury.sweeps import SweepSettings
from seawall.treasury.treasury_driver import NetworkDriver
from seawall.treasury.utxo import CoinChain
from seawall.treasury.utxo_payouts import VOID, CoinFacts, UtxoPayouts
from seawall.treasury.utxo_sweeps import coins_to_cold, pay_canary_in_coins, sweep_coins

COINS_ASKED: Final = 1_000
"""Coins that the signer is asked about at once."""


class UtxoPayoutDriver(SigningDriver[CoinFacts]):
    """Steps one UTXO network's payouts."""

    def __init__(
        self,
        payouts: UtxoPayouts,
        chain: CoinChain,
        signer: Asker,
        state: Callable[[], FundingState],
        submit: Submit,
        wallets: Wallets,
    ) -> None:
        super().__init__(payouts, chain, signer, state, submit)
        self._payouts = payouts
        self._coins = chain
        self._wallets = wallets

    async def _gather_at(self, head: Block) -> CoinFacts:
        network = self._state().book.networks[self._payouts.network]
        lanes = self._payouts.settings.lanes
        where = {*lanes, *self._wallets.hot, *self._wallets.cold, *network.owners}
        coins = {coin.slot: coin for coin in await self._coins.coins_at(where, head)}
        receipts: dict[str, Receipt] = {}
        users: dict[str, str] = {}
        for row in list(outgoing(self._state(), self._payouts.network)):
            gone = [slot for slot in row.attempts[0].slots if slot not in coins]
            if not gone:
                continue
            for attempt in reversed(row.attempts):
                receipt = await self._chain.receipt(attempt.tx_id)
                if receipt is not None:
                    receipts[attempt.tx_id] = receipt
                    break
            else:
                for slot in gone:
                    await self._find_user(slot, users, receipts)
        return CoinFacts(
            head=head,
            quote=await self._chain.fee_quote(),
            receipts=receipts,
            users=users,
            coins=coins,
            signed=await self._signed(coins),
        )

    async def _signed(self, coins: Mapping[str, Coin]) -> tuple[SignedSlot, ...]:
        """Return what was signed with the hot wallet's coins and is unknown to the ledger."""
        taken = self._state().book.networks[self._payouts.network].slots
        lanes = self._payouts.settings.lanes
        slots = [
            slot for slot, coin in coins.items() if coin.address in lanes and slot not in taken
        ]
        found: dict[str, SignedSlot] = {}
        for start in range(0, len(slots), COINS_ASKED):
            for signed in await self._ask_coins(tuple(slots[start : start + COINS_ASKED])):
                found[signed.signed] = signed
        return tuple(found.values())

    async def _ask_coins(self, slots: tuple[str, ...]) -> tuple[SignedSlot, ...]:
        answer = await self._signer.ask(AskCoins(network=self._payouts.network, slots=slots))
        if not isinstance(answer, Slots):
            raise SignerSilentError(f"it answered {type(answer).__name__}")
        return answer.slots

    async def _signed_before(self, ask: Ask, refused: Refused) -> FundingCommand | None:
        """Journal bytes that were signed for the same end, and never journaled."""
        if refused.reason not in (
            Refusal.PAYMENT_SIGNED,
            Refusal.SLOT_SIGNED,
            Refusal.FEE_NOT_HIGHER,
        ):
            return None
        earlier = refused.detail if refused.reason is Refusal.PAYMENT_SIGNED else ""
        slots = (earlier,) if earlier else ask.order.slots
        for signed in await self._ask_coins(slots):
            decoded = self._chain.decode(bytes.fromhex(signed.signed))
            if decoded.payee == ask.order.payee:
                target = _same_end(ask, signed, decoded.units)
                if target is not None:
                    attempt = attempt_of(decoded, signed.signed, signed.max_cost)
                    return prepare(target, attempt)
        return None

    async def _foretold(self, _ask: Ask, _facts: CoinFacts, _why: str) -> bool:
        # The pipeline builds its transactions itself, and knows whose fault it is.
        return False


def _same_end(ask: Ask, signed: SignedSlot, units: int) -> int | MoveTerms | None:
    """Return what signed bytes are as good for as what is asked; None if they are not."""
    target = ask.target
    if isinstance(target, MoveTerms) and target.move_key.startswith(VOID):
        return target if signed.voided else None
    if signed.voided:
        return None
    if isinstance(target, MoveTerms) and target.source is Vault.DEPOSIT:
        # A sweep gives what its coins are worth, less whatever fee was right that day; and is named
        # after the first of those that were there.
        atoms = target.atoms * units // ask.order.units
        return replace(target, move_key=signed.payment.removeprefix("move/"), atoms=atoms)
    return target if (signed.payment, units) == (ask.payment, ask.order.units) else None


class UtxoTreasuryDriver(NetworkDriver[CoinFacts]):
    """Payouts, sweeps and reconciliation over one UTXO chain."""

    def __init__(
        self,
        *,
        payouts: UtxoPayouts,
        driver: UtxoPayoutDriver,
        chain: CoinChain,
        sweeps: SweepSettings,
        wallets: Wallets,
        state: Callable[[], FundingState],
        submit: Submit,
    ) -> None:
        super().__init__(driver=driver, chain=chain, wallets=wallets, state=state, submit=submit)
        self._payouts = payouts
        self._coins = chain
        self._sweeps = sweeps

    def _canary(self, canary: Canary, facts: CoinFacts) -> Ask | str:
        return pay_canary_in_coins(self._state(), self._payouts, self._sweeps, canary, facts)

    async def _sweep(self, facts: CoinFacts) -> None:
        state, prefix = self._state, self._coins.prefix
        asks = sweep_coins(state(), self._network, self._sweeps, facts, prefix)
        await self._driver.perform(asks, facts)
        for listing in list(state().book.listings.values()):
            waiting = [state().book.withdrawals[number] for number in listing.queue]
            # What could be paid now is paid first.
            if listing.listing.network == self._network and all(
                why_not_now(state(), each) for each in waiting
            ):
                ask = coins_to_cold(state(), self._payouts, self._sweeps, listing, facts)
                await self._perform(ask, facts)

    async def _holdings(
        self, where: Mapping[Vault, tuple[str, ...]], contracts: Collection[str], block: Block
    ) -> Mapping[tuple[Vault, str], int]:
        """Sum the coins: a node knows what is unspent after its newest block only."""
        if any(contracts):
            raise UnknownError("this network has no tokens")
        # The same addresses as the payouts ask about: the nodes have looked already.
        everywhere = {
            *(address for of_vault in where.values() for address in of_vault),
            *self._payouts.settings.lanes,
        }
        units = dict.fromkeys(everywhere, 0)
        for coin in await self._coins.coins_at(everywhere, block):
            units[coin.address] += coin.units
        return {
            (vault, contract): sum(units[address] for address in of_vault)
            for vault, of_vault in where.items()
            for contract in contracts
        }
