"""The configured networks' treasuries beside the exchange.  The rule: none of them can end it.

Chain endpoints and signer may be missing at the start or die at any time: what needs them waits and
says why, and trading goes on.  In a cluster the treasury of the node that leads the funding cell
works, and the others only know the addresses; two at work for a moment do no harm, since what is
paid is what the journal took first.  An error that nobody foresaw ends that network's treasury
until the exchange is started again, and pauses its withdrawals in the journal, so that people look
first.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from seawall.cli.treasury_definitions import NetworkPlan
from seawall.cli.treasury_note import ScanNote
from seawall.gateway.treasury_port import (
    AddressRefusedError,
    TopUpRefusedError,
    TreasuryOffError,
)
from seawall.model.funding import NetworkKind, Service, ServiceStatus
from seawall.model.funding_commands import SetService
from seawall.model.ids import FUNDING
from seawall.node.errors import NodeError
from seawall.node.node import Node
from seawall.treasury.addresses import DepositAddresses
from seawall.treasury.chain import AddressError, UnknownError
from seawall.treasury.chains import open_chain
from seawall.treasury.driver import NetworkSettings, NetworkTreasury
from seawall.treasury.following import deposit_index
from seawall.treasury.payouts import PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.settings import SettingsError
from seawall.treasury.signer.client import SignerClient, SignerSilentError
from seawall.treasury.signer.messages import Answer, AskWho, Request, Who
from seawall.treasury.signer.protocol import ProtocolError, load_token
from seawall.treasury.sweeps import SweepSettings
from seawall.treasury.top_ups import TopUpError

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 10.0
"""Between two attempts to begin."""
PATIENCE_S: Final = 10.0
"""So long chain or signer may be silent before users are told: a hiccup is no news."""
LEAD_LOOK_S: Final = 0.25
"""How often it is looked whether this node leads."""
PERSON: Final = "treasury"

NOT_CONFIGURED: Final = "no treasury is configured for this network"
BEGINNING: Final = "the network's treasury is starting"
SIGNER_SILENT: Final = "the process that signs payments does not answer; what is asked for waits"
CHAIN_SILENT: Final = (
    "the network's endpoints do not answer or do not agree; deposits and withdrawals wait"
)
FEES_HIGH: Final = (
    "the network's fees are above what we pay; withdrawals are taken, and sent when fees fall"
)
UNLEASED: Final = (
    "the process that signs payments was not told lately that all is well; what is asked for waits"
)
WRONG_KEYS: Final = "the process that signs payments holds other keys than it should"
OWN_WALLET: Final = "this is a wallet of the exchange's own"
CRASHED: Final = "the network's treasury stopped on an error"

_log = structlog.get_logger("seawall.treasury")


class KeysError(Exception):
    """The signer holds other keys than the exchange has worked with; the message says which."""


class Signer:
    """The signer as the treasury asks it; remembers since when it has been silent."""

    def __init__(self, plan: NetworkPlan) -> None:
        self._plan = plan
        self._client: SignerClient | None = None
        self._lock = asyncio.Lock()
        """One at a time: what fails closes the connection that the next would be using."""
        self.silent_since_s: float | None = None

    async def ask(self, request: Request) -> Answer:
        async with self._lock:
            return await self._ask(request)

    async def _ask(self, request: Request) -> Answer:
        try:
            if self._client is None:
                # Read each time anew: a signer that was set up again may have made another one.
                self._client = SignerClient(self._plan.signer, load_token(self._plan.token))
            answer = await self._client.ask(request)
        except (SignerSilentError, ProtocolError) as error:
            await self.close()
            if self.silent_since_s is None:
                self.silent_since_s = asyncio.get_running_loop().time()
            raise SignerSilentError(str(error)) from None
        self.silent_since_s = None
        return answer

    async def who(self) -> Who:
        """Return what is public of the keys, in this network's own writing."""
        utxo = self._plan.network.kind is NetworkKind.UTXO
        answer = await self.ask(AskWho(network=self._plan.network.code) if utxo else AskWho())
        if not isinstance(answer, Who):
            raise SignerSilentError(f"it answered {type(answer).__name__}")
        return answer

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class NetworkRunner:
    """One network's treasury, begun as often as it takes."""

    def __init__(self, node: Node, plan: NetworkPlan, folder: Path) -> None:
        self._node = node
        self._plan = plan
        self._code = plan.network.code
        self._chain = open_chain(plan.network.kind, plan.chain, node.clock)
        self._signer = Signer(plan)
        self._note = ScanNote(folder / f"{self._code}.json", lambda: node.funding.sequence)
        self._addresses: DepositAddresses | None = None
        self._treasury: NetworkTreasury | None = None
        self._why = BEGINNING
        self._task: asyncio.Task[None] | None = None
        self.own = frozenset((*plan.lanes, *plan.cold))
        """The exchange's own wallets there, as far as they are known."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"treasury {self._code}"
        )

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._signer.close()
        await self._chain.close()

    async def ended(self) -> None:
        """Return once it has given up; a treasury that serves or waits never does."""
        if self._task is not None:
            await asyncio.wait({self._task})

    # What the gateway asks

    def derive(self, index: int) -> str:
        if self._addresses is None:
            raise TreasuryOffError(self._why)
        return self._addresses.address(index)

    def payee(self, text: str) -> str:
        try:
            return self._chain.valid_address(text)
        except AddressError as error:
            raise AddressRefusedError(str(error)) from None

    def off(self, service: Service) -> str:
        if self._treasury is None:
            return self._why
        now_s = asyncio.get_running_loop().time()
        if _too_long(self._treasury.silent_since_s, now_s):
            return CHAIN_SILENT
        if service is Service.WITHDRAWAL and _too_long(self._signer.silent_since_s, now_s):
            return SIGNER_SILENT
        return ""

    def waits(self) -> str:
        if self._treasury is None:
            return ""
        if self._treasury.unleased:
            return UNLEASED
        return FEES_HIGH if self._treasury.dear else ""

    async def reconcile(self) -> None:
        if self._treasury is None:
            raise TreasuryOffError(f"{self._code}: {self._why}")
        try:
            await self._treasury.reconcile()
        except (UnknownError, SignerSilentError) as error:
            raise TreasuryOffError(f"{self._code}: {error}") from None

    def hot_wallet(self) -> str:
        return "" if self._treasury is None else self._treasury.hot_wallet

    async def record_top_up(self, tx_id: str, person: str) -> None:
        if self._treasury is None:
            raise TreasuryOffError(f"{self._code}: {self._why}")
        try:
            await self._treasury.record_top_up(tx_id, person)
        except TopUpError as error:
            raise TopUpRefusedError(str(error)) from None
        except UnknownError as error:
            raise TreasuryOffError(f"{self._code}: {error}") from None

    # The task

    async def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self._listed()
                who = await self._signer.who()
                await self._serve(self._begin(who))
                wait_s = FIRST_WAIT_S
                continue
            except SignerSilentError as error:
                self._wait(SIGNER_SILENT, str(error))
            except (KeysError, SettingsError) as error:
                self._wait(WRONG_KEYS, str(error))
            except Exception:  # noqa: BLE001  (the exchange goes on; this network does not)
                _log.exception("treasury.crashed", network=self._code)
                self._treasury = None
                self._why = CRASHED
                await self._pause()
                return
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _listed(self) -> None:
        """Return once the network stands in the journal, as a cluster's first leader lists it."""
        networks = self._node.funding.book.networks
        while self._code not in networks:  # noqa: ASYNC110  (listed once in a cluster's life)
            await asyncio.sleep(LEAD_LOOK_S)

    async def _serve(self, treasury: NetworkTreasury) -> None:
        """Work while this node leads the funding cell, or be there while it does not."""
        leads = self._node.leads(FUNDING)
        idle = asyncio.Event()
        work = asyncio.ensure_future(treasury.run() if leads else idle.wait())
        try:
            while self._node.leads(FUNDING) is leads and not work.done():
                await asyncio.wait({work}, timeout=LEAD_LOOK_S)
            if work.done():
                work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def _begin(self, who: Who) -> NetworkTreasury:
        """Put the parts together, or raise KeysError or SettingsError."""
        plan = self._plan
        lanes = plan.lanes or who.wallets
        strange = [lane for lane in lanes if lane not in who.wallets]
        if strange or not lanes:
            raise KeysError(f"the signer has no key of {', '.join(strange) or 'any wallet'}")
        self.own |= {*who.wallets}
        addresses = DepositAddresses(who.deposit_key, plan.network.kind, plan.chain.address_prefix)
        owners = list(self._node.funding.book.networks[self._code].owners)
        for owner in owners[:1] + owners[-1:]:
            index = deposit_index(self._node.funding, self._code, owner)
            if index is None or addresses.address(index) != owner:
                raise KeysError(f"deposit address {index} was made from another key")
        settings = NetworkSettings(
            payouts=PayoutSettings(
                lanes=lanes, own=tuple(sorted(self.own)), fee_cap=plan.chain.fees.cap
            ),
            sweeps=SweepSettings(
                hot=lanes[0],
                lanes=tuple(lanes),
                cold=plan.cold[0] if plan.cold else "",
                bounds=plan.sweeps,
            ),
            wallets=Wallets(hot=tuple(lanes), cold=plan.cold),
            start_block=plan.chain.start_block,
            scanned=self._note.read(),
        )
        self._treasury = NetworkTreasury(
            self._node, self._code, self._chain, self._signer, settings, self._note.write
        )
        self._addresses = addresses
        _log.info("treasury.runs", network=self._code, lanes=list(lanes), cold=list(plan.cold))
        return self._treasury

    def _wait(self, why: str, detail: str) -> None:
        if (self._why, self._treasury) != (why, None):
            _log.warning("treasury.waits", network=self._code, why=why, detail=detail)
        self._why, self._treasury = why, None

    async def _pause(self) -> None:
        """Pause the network's withdrawals in the journal, if it still takes anything."""
        try:
            for row in list(self._node.funding.book.listings.values()):
                if row.listing.network != self._code:
                    continue
                if row.withdrawal.status is not ServiceStatus.PAUSED:
                    await self._node.submit_funding(
                        SetService(
                            asset=row.listing.asset,
                            network=self._code,
                            service=Service.WITHDRAWAL,
                            status=ServiceStatus.PAUSED,
                            reason=CRASHED,
                            person=PERSON,
                        )
                    )
        except NodeError as error:
            _log.error("treasury.not_paused", network=self._code, detail=str(error))


class Treasuries:
    """All networks' treasuries, as the gateway asks them."""

    def __init__(self, node: Node, plans: list[NetworkPlan], folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._runners = {plan.network.code: NetworkRunner(node, plan, folder) for plan in plans}

    def start(self) -> None:
        for runner in self._runners.values():
            runner.start()

    async def stop(self) -> None:
        await asyncio.gather(*(runner.stop() for runner in self._runners.values()))

    async def derive(self, network: str, index: int) -> str:
        return self._runner(network).derive(index)

    async def payee(self, network: str, text: str) -> str:
        address = self._runner(network).payee(text)
        # Of any network, as users' deposit addresses are: networks of a kind may share their keys.
        if any(address in runner.own for runner in self._runners.values()):
            raise AddressRefusedError(OWN_WALLET)
        return address

    def off(self, network: str, service: Service) -> str:
        runner = self._runners.get(network)
        return NOT_CONFIGURED if runner is None else runner.off(service)

    def waits(self, network: str) -> str:
        runner = self._runners.get(network)
        return "" if runner is None else runner.waits()

    async def reconcile(self) -> None:
        for runner in self._runners.values():
            await runner.reconcile()

    def hot_wallet(self, network: str) -> str:
        runner = self._runners.get(network)
        return "" if runner is None else runner.hot_wallet()

    async def record_top_up(self, network: str, tx_id: str, person: str) -> None:
        await self._runner(network).record_top_up(tx_id, person)

    def _runner(self, network: str) -> NetworkRunner:
        runner = self._runners.get(network)
        if runner is None:
            raise TreasuryOffError(NOT_CONFIGURED)
        return runner


def _too_long(since_s: float | None, now_s: float) -> bool:
    return since_s is not None and now_s - since_s > PATIENCE_S
