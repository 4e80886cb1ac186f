"""One network's treasury, step by step.  The rule: payouts, then sweeps, then the reckoning.

They run one after the other, so that no figure is taken while another pipeline moves the vaults.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Final, Generic

import structlog

from seawall.core.canaries import wanted
from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import why_not_now
from seawall.model.events import CommandRejected
from seawall.model.funding import Vault
from seawall.model.funding_commands import DelayCanary
from seawall.model.funding_rows import Canary
from seawall.treasury.chain import Block, Chain, UnknownError
from seawall.treasury.following import AnyFacts
from seawall.treasury.holdings import read_holdings
from seawall.treasury.outgoing import Ask
from seawall.treasury.payout_driver import PayoutDriver
from seawall.treasury.payouts import Facts, Payouts
from seawall.treasury.reconciler import Reading, Wallets, addresses, may_reconcile, report
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signing_driver import SigningDriver, Submit
from seawall.treasury.sweeps import (
    DepositLedger,
    SweepFacts,
    SweepSettings,
    pay_canary,
    sweep,
    to_cold,
    worth_sweeping,
)

NOT_SIGNED: Final = "signer or chain would not have it; it is tried again"
RECKON_BLOCKS: Final = 5
"""Blocks between two reconciliations."""

_log = structlog.get_logger()


class NetworkDriver(ABC, Generic[AnyFacts]):
    """What every kind of network does at a step."""

    def __init__(
        self,
        *,
        driver: SigningDriver[AnyFacts],
        chain: Chain,
        wallets: Wallets,
        state: Callable[[], FundingState],
        submit: Submit,
    ) -> None:
        self._driver = driver
        self._chain = chain
        self._wallets = wallets
        self._state = state
        self._submit = submit
        self._reckoned = -RECKON_BLOCKS
        self.dear = False
        """The network asks for more than the cap: what is not signed yet waits."""

    @property
    def unleased(self) -> bool:
        """Whether payments wait because nobody renewed the signer's lease."""
        return self._driver.unleased

    @abstractmethod
    def _canary(self, canary: Canary, facts: AnyFacts) -> Ask | str:
        """Return the payment that is the canary, or what is in its way."""

    @abstractmethod
    async def _sweep(self, facts: AnyFacts) -> None:
        """Move what should stand elsewhere."""

    async def _holdings(
        self, where: Mapping[Vault, tuple[str, ...]], contracts: Collection[str], block: Block
    ) -> Mapping[tuple[Vault, str], int]:
        """Return what stands in each vault after this very block."""
        return await read_holdings(self._chain, where, contracts, block)

    @property
    def _network(self) -> str:
        return self._chain.network

    async def step(self, scanned: Block | None) -> bool:
        """Do all that can be done now; `scanned` is how far deposits are known."""
        done = await self._driver.step()
        try:
            facts = await self._driver.gather()
            self.dear = facts.quote.spiked
            await self._pay_canaries(facts)
            await self._sweep(facts)
            due = scanned is not None and (
                scanned.number < self._reckoned or scanned.number - self._reckoned >= RECKON_BLOCKS
            )
            if scanned is not None and due and await self.reconcile(scanned):
                self._reckoned = scanned.number
        except (UnknownError, SignerSilentError) as error:
            _log.warning("treasury.unknown", network=self._network, detail=str(error))
            return False
        return done

    async def _pay_canaries(self, facts: AnyFacts) -> None:
        """Pay ourselves what control wants paid, or journal what is in the way."""
        for canary in wanted(self._state(), self._network):
            ask = self._canary(canary, facts)
            if isinstance(ask, str):
                await self._delay(canary, ask)
                continue
            await self._perform(ask, facts)
            if canary.key in [each.key for each in wanted(self._state(), self._network)]:
                await self._delay(canary, NOT_SIGNED)

    async def _delay(self, canary: Canary, reason: str) -> None:
        if canary.reason != reason:
            await self._submit(DelayCanary(key=canary.key, reason=reason))

    async def _perform(self, ask: Ask | None, facts: AnyFacts) -> None:
        if ask is not None:
            await self._driver.perform([ask], facts)

    async def reconcile(self, scanned: Block) -> bool:
        """Report every listing of the network; True if all figures were taken."""
        state, network = self._state(), self._network
        sequence = state.sequence
        facts = await self._driver.gather()
        if not may_reconcile(state, network, head=facts.head, scanned=scanned):
            return False
        listings = [
            each.listing for each in state.book.listings.values() if each.listing.network == network
        ]
        where = addresses(state, network, self._wallets)
        contracts = [listing.contract for listing in listings]
        units = await self._holdings(where, contracts, scanned)
        reading = Reading(
            block=scanned, units=units, receipts=facts.receipts, ledger_sequence=sequence
        )
        done = True
        for listing in listings:
            events = await self._submit(report(self._state(), listing, reading))
            done = done and not any(isinstance(event, CommandRejected) for event in events)
        return done


class TreasuryDriver(NetworkDriver[Facts]):
    """Payouts, sweeps and reconciliation over one EVM chain."""

    def __init__(
        self,
        *,
        payouts: Payouts,
        driver: PayoutDriver,
        chain: Chain,
        sweeps: SweepSettings,
        wallets: Wallets,
        state: Callable[[], FundingState],
        submit: Submit,
    ) -> None:
        super().__init__(driver=driver, chain=chain, wallets=wallets, state=state, submit=submit)
        self._payouts = payouts
        self._deposits = DepositLedger(chain.network)
        self._sweeps = sweeps

    def _canary(self, canary: Canary, facts: Facts) -> Ask | str:
        listing = self._state().book.listings[f"{canary.asset}/{canary.network}"].listing
        hot = self._payouts.richest(self._state(), facts, listing.contract)
        return pay_canary(self._state(), self._sweeps, canary, facts.quote, hot)

    async def _sweep(self, facts: Facts) -> None:
        network, state = self._network, self._state
        if facts.quote.spiked:
            return
        standing = self._deposits.standing(state())
        for due in worth_sweeping(state(), network, self._sweeps, standing):
            address = due[0]
            about = SweepFacts(
                quote=facts.quote,
                nonces={address: await self._chain.next_nonce(address, facts.head)},
                coins={address: await self._chain.balance(address, "", facts.head)},
            )
            hot_slot, _ = self._payouts.richest(state(), facts, "")
            await self._perform(sweep(state(), self._sweeps, due, about, hot_slot), facts)
        for listing in list(state().book.listings.values()):
            waiting = [state().book.withdrawals[number] for number in listing.queue]
            # What could be paid now is paid first.
            if listing.listing.network == network and all(why_not_now(state(), w) for w in waiting):
                contract = listing.listing.contract
                hot_slot, most = self._payouts.richest(state(), facts, contract)
                ask = to_cold(state(), self._sweeps, listing, facts.quote, hot_slot, most)
                await self._perform(ask, facts)
