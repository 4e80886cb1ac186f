"""A network's treasury beside a running node.  The rule: look, step, wait; nothing is kept here.

One task for each network: deposits are scanned, payouts and sweeps step, and now and then chain and
ledger are compared.  It wakes when blocks are due, and at once when a withdrawal may be paid.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.model.commands import Command
from seawall.model.events import CommandRejected, Event
from seawall.model.funding_commands import FundingCommand
from seawall.model.funding_events import CanaryChanged, ServiceChanged, WithdrawalChanged
from seawall.node.errors import NodeError
from seawall.node.node import Node
from seawall.treasury.chain import Block, Chain, UnknownError
from seawall.treasury.lease_keeper import LeaseKeeper
from seawall.treasury.payout_driver import PayoutDriver
from seawall.treasury.payouts import Payouts, PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.scanner import Alarm, DepositScanner
from seawall.treasury.scanning import scan
from seawall.treasury.signing_driver import Asker, Submit
from seawall.treasury.sweeps import SweepSettings
from seawall.treasury.top_ups import TopUpError, record_top_up
from seawall.treasury.treasury_driver import TreasuryDriver
from seawall.treasury.utxo import CoinChain
from seawall.treasury.utxo_driver import UtxoPayoutDriver, UtxoTreasuryDriver
from seawall.treasury.utxo_payouts import UtxoPayouts

STEPS_PER_BLOCK: Final = 4
"""How often it looks while one block is due."""
LONGEST_WAIT_S: Final = 5
RECKON_TRIES: Final = 20
"""How often a comparison that was asked for is begun again because the ledger went on meanwhile."""

_WAKING: Final = (WithdrawalChanged, ServiceChanged, CanaryChanged)

_log = structlog.get_logger()


class NetworkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the treasury does on one network; see the pipelines' own settings."""

    payouts: PayoutSettings
    sweeps: SweepSettings
    wallets: Wallets
    start_block: int = 0
    scanned: int = 0
    """What an earlier process noted as scanned for deposits."""


def _forget(_scanned: int) -> None:
    pass


class NetworkTreasury:
    """Everything that moves money on one network.

    `note` is told how far deposits are scanned; `silent_since_s` is the loop's time since when the
    chain could not be read.
    """

    def __init__(
        self,
        node: Node,
        network: str,
        chain: Chain,
        signer: Asker,
        settings: NetworkSettings,
        note: Callable[[int], None] = _forget,
    ) -> None:
        self.silent_since_s: float | None = None
        self._node = node
        self._network = network
        self._chain = chain
        self._note = note
        self._wallets = settings.wallets
        self._turn = asyncio.Lock()
        self._scanner = DepositScanner(
            node.funding,
            network,
            start_block=settings.start_block,
            scanned=settings.scanned,
        )
        self._driver = _driver_of(node, chain, signer, settings, self._submit)
        self._wake = asyncio.Event()
        self._lease = LeaseKeeper(signer, lambda: node.funding, node.clock.now_ns, self._renewed)
        self._alarmed: set[Alarm] = set()

    @property
    def dear(self) -> bool:
        """Whether payments wait because the network asks for more than the cap."""
        return self._driver.dear

    @property
    def unleased(self) -> bool:
        """Whether payments wait because nobody renewed the signer's lease."""
        return self._driver.unleased

    async def run(self) -> None:
        """Step until canceled; whatever cannot be known or journaled now is tried again."""
        self._node.add_listener(self._heard)
        lease = asyncio.ensure_future(self._lease.run())
        block_ms = self._node.funding.book.networks[self._network].network.block_ms
        wait_s = min(block_ms / 1_000 / STEPS_PER_BLOCK, LONGEST_WAIT_S)
        try:
            while True:
                self._wake.clear()
                try:
                    await self.step()
                except (UnknownError, NodeError) as error:
                    _log.warning("treasury.waits", network=self._network, why=str(error))
                # Not `wait_for`: woken and canceled at once, it would forget that it was canceled.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
        finally:
            lease.cancel()
            await asyncio.gather(lease, return_exceptions=True)
            self._node.remove_listener(self._heard)

    async def step(self) -> None:
        """Scan what is new, then pay, sweep and compare."""
        async with self._turn:
            began_s = asyncio.get_running_loop().time()
            try:
                await self._scan()
            except UnknownError:
                if self.silent_since_s is None:
                    self.silent_since_s = began_s
                raise
            self.silent_since_s = None
            await self._driver.step(await self._scanned())

    async def reconcile(self) -> None:
        """Compare chain and ledger now; UnknownError if no figure can be had."""
        for _ in range(RECKON_TRIES):
            async with self._turn:
                await self._scan()
                scanned = await self._scanned()
                if scanned is not None and await self._driver.reconcile(scanned):
                    return
        raise UnknownError("chain and ledger do not stand still long enough to be compared")

    @property
    def hot_wallet(self) -> str:
        """Return where cold storage sends to."""
        return self._wallets.hot[0]

    async def record_top_up(self, tx_id: str, person: str) -> None:
        """Book a transaction from cold storage; raises TopUpError, or UnknownError."""
        async with self._turn:
            head = await self._chain.head()
            receipt = await self._chain.receipt(tx_id)
            if receipt is None:
                raise TopUpError("no such transaction stands in a block")
            state, wallets = self._node.funding, self._wallets
            for command in record_top_up(state, self._network, wallets, receipt, head, person):
                (first, *_) = await self._submit(command)
                if isinstance(first, CommandRejected):
                    raise TopUpError(f"{first.reason.value} {first.detail}".strip())

    async def _scan(self) -> None:
        await scan(self._chain, self._scanner, self._submit, self._alarm)
        self._note(self._scanner.scanned)

    async def _scanned(self) -> Block | None:
        number = self._scanner.scanned
        return await self._chain.block(number) if number >= 0 else None

    async def _submit(self, command: FundingCommand) -> Sequence[Event]:
        return (await self._node.submit_funding(command)).events

    def _renewed(self) -> None:
        if self._driver.unleased:
            self._wake.set()

    def _heard(
        self, _cell: str, _sequence: int, _at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        if any(isinstance(event, _WAKING) for event in events):
            self._wake.set()

    def _alarm(self, alarm: Alarm) -> None:
        if alarm not in self._alarmed:
            self._alarmed.add(alarm)
            _log.warning("treasury.deposits", network=self._network, alarm=str(alarm))


def _driver_of(
    node: Node, chain: Chain, signer: Asker, settings: NetworkSettings, submit: Submit
) -> TreasuryDriver | UtxoTreasuryDriver:
    """Return the pipelines of the network's kind."""

    def state() -> FundingState:
        return node.funding

    wallets = settings.wallets
    if isinstance(chain, CoinChain):
        of_coins = UtxoPayouts(chain.network, settings.payouts, chain.decode, chain.prefix)
        return UtxoTreasuryDriver(
            payouts=of_coins,
            driver=UtxoPayoutDriver(of_coins, chain, signer, state, submit, wallets),
            chain=chain,
            sweeps=settings.sweeps,
            wallets=wallets,
            state=state,
            submit=submit,
        )
    payouts = Payouts(chain.network, settings.payouts, chain.decode)
    return TreasuryDriver(
        payouts=payouts,
        driver=PayoutDriver(payouts, chain, signer, state, submit),
        chain=chain,
        sweeps=settings.sweeps,
        wallets=wallets,
        state=state,
        submit=submit,
    )
