"""What the treasury's benchmarks stand on.  The rule: real parts, in processes of their own.

A development chain, a signer behind its socket, and a node with its journals on disk: everything
that a payout passes through.  The money is play money, the keys are made for the run.
"""

import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from seawall.lab.devchain import DevChain
from seawall.lab.exchange_process import environment
from seawall.model import funding_commands as f
from seawall.model.commands import Deliver, ListAsset
from seawall.model.events import CommandRejected
from seawall.model.funding import Listing, Network, NetworkKind, Vault
from seawall.model.ids import AssetCode, UserId
from seawall.model.instruments import Asset
from seawall.model.messages import MoveFunds
from seawall.node.clock import SystemClock
from seawall.node.node import Node, NodeSettings
from seawall.treasury.chain import PaymentOrder, RefusedError, SendResult, Unsigned
from seawall.treasury.driver import NetworkSettings, NetworkTreasury
from seawall.treasury.evm import EvmChain
from seawall.treasury.payouts import PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.settings import ChainSettings, EndpointSettings, FeeSettings
from seawall.treasury.signer.client import SignerClient
from seawall.treasury.signer.command import READY, make_keystore
from seawall.treasury.signer.messages import Answer, Request, Who
from seawall.treasury.signer.protocol import load_token
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings
from seawall.treasury.sweeps import SweepSettings

NETWORK: Final = "BENCH"
ETH: Final = AssetCode("ETH")
USDT: Final = AssetCode("USDT")
ETHER: Final = 10**18
TOKEN_DECIMALS: Final = 6
FINALITY: Final = 2
CUSTOMER: Final = UserId(1)
PLENTY: Final = 1_000_000 * ETHER


class BedError(Exception):
    """A part did not start, or refused what the benchmark needs."""


class Stopwatch:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, what: str, began: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - began


class TimedChain(EvmChain):
    """The chain's adapter as it is, with a watch on what it costs."""

    def __init__(self, settings: ChainSettings, watch: Stopwatch) -> None:
        super().__init__(settings, SystemClock())
        self._watch = watch

    async def build_all(self, orders: Sequence[PaymentOrder]) -> list[Unsigned | RefusedError]:
        began = time.perf_counter()
        try:
            return await super().build_all(orders)
        finally:
            self._watch.add("build", began)

    async def send_all(self, signed: Sequence[bytes]) -> list[SendResult]:
        began = time.perf_counter()
        try:
            return await super().send_all(signed)
        finally:
            self._watch.add("send", began)


class TimedSigner:
    """The signer's client with a watch on it."""

    def __init__(self, client: SignerClient, watch: Stopwatch) -> None:
        self._client = client
        self._watch = watch

    async def ask(self, request: Request) -> Answer:
        began = time.perf_counter()
        try:
            return await self._client.ask(request)
        finally:
            self._watch.add("sign", began)


class TreasuryBed:
    """All of it; `open` and `close`."""

    def __init__(self, folder: Path, *, lanes: int = 1) -> None:
        self.folder = folder
        self.watch = Stopwatch()
        self.devchain = DevChain(folder / "chain")
        self._lanes = lanes
        self._signer: Process | None = None
        self._signer_folder: Path | None = None
        self._references = 0
        self.who = Who(wallets=(), deposit_key="")
        self.token = ""
        self.node: Node
        self.chain: TimedChain
        self.client: SignerClient

    async def open(self) -> None:
        """Start everything, list a coin and a token, fill the hot wallet and one customer."""
        await self.devchain.start()
        self.token = await self.devchain.deploy_token("USDT", TOKEN_DECIMALS, 10**15)
        await self._start_signer()
        endpoints = [
            EndpointSettings(name=each, url=f"{self.devchain.url}/?{each}") for each in "ab"
        ]
        self.chain = TimedChain(
            ChainSettings(
                network=NETWORK,
                endpoints=tuple(endpoints),
                fees=FeeSettings(cap=10**13),
                chain_id=self.devchain.chain_id,
                tokens=(self.token,),
            ),
            self.watch,
        )
        self.node = await Node.open(NodeSettings(data=self.folder / "data", relay=False))
        await self._list()

    async def close(self) -> None:
        if hasattr(self, "node"):
            await self.node.close()
        if hasattr(self, "chain"):
            await self.chain.close()
        if hasattr(self, "client"):
            await self.client.close()
        if self._signer is not None and self._signer.returncode is None:
            self._signer.terminate()
            await self._signer.wait()
        if self._signer_folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._signer_folder, ignore_errors=True)
        await self.devchain.stop()

    def treasury(self, lane_in_flight: int = 64) -> NetworkTreasury:
        """Return the network's treasury, which sweeps nothing."""
        settings = NetworkSettings(
            payouts=PayoutSettings(lanes=self.who.wallets, lane_in_flight=lane_in_flight),
            sweeps=SweepSettings(hot=self.who.wallets[0]),
            wallets=Wallets(hot=self.who.wallets),
        )
        signer = TimedSigner(self.client, self.watch)
        return NetworkTreasury(self.node, NETWORK, self.chain, signer, settings)

    async def do(self, command: f.FundingCommand) -> None:
        """Journal and apply a command that must not be refused."""
        answer = (await self.node.submit_funding(command)).answer
        if isinstance(answer, CommandRejected):
            raise BedError(f"{type(command).__name__}: {answer.reason.value} {answer.detail}")

    async def capital(self, asset: AssetCode, atoms: int, vault: Vault = Vault.HOT) -> None:
        self._references += 1
        await self.do(
            f.BookCapital(
                network=NETWORK,
                asset=asset,
                vault=vault,
                atoms=atoms,
                reference=f"bench {self._references}",
                person="bench",
            )
        )

    async def _start_signer(self) -> None:
        # Elsewhere than the rest: a socket's path has about a hundred characters at most.
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-signer-"))
        self._signer_folder = folder
        phrase = folder / "passphrase"
        phrase.write_text(secrets.token_hex(16), "ascii")
        keystore, socket = folder / "keys.json", folder / "signer.sock"
        self.who = await asyncio.to_thread(
            make_keystore, keystore, phrase.read_text("ascii"), wallets=self._lanes
        )
        limits = [
            AssetLimits(contract=contract, payment_units=PLENTY, window_units=10**6 * PLENTY)
            for contract in ("", self.token)
        ]
        network = NetworkLimits(
            chain_id=self.devchain.chain_id,
            own=self.who.wallets,
            assets=tuple(limits),
            most_per_gas=10**13,
        )
        settings = folder / "limits.json"
        settings.write_bytes(msgspec.json.encode(SignerSettings(networks={NETWORK: network})))
        self._signer = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "seawall", "signer", "run",
            "--keystore", str(keystore), "--socket", str(socket), "--settings", str(settings),
            "--passphrase-file", str(phrase), stdout=PIPE, env=environment(),
        )  # fmt: skip
        line = await self._signer.stdout.readline() if self._signer.stdout else b""
        if READY.encode() not in line:
            raise BedError("the signer did not start")
        token = await asyncio.to_thread(load_token, socket.with_suffix(".token"))
        self.client = SignerClient(socket, token)

    async def _list(self) -> None:
        for code in (ETH, USDT):
            await self.do(ListAsset(asset=Asset(code=code, name=code, decimals=18)))
        network = Network(
            code=NETWORK,
            name="Benchmark",
            kind=NetworkKind.EVM,
            chain_id=self.devchain.chain_id,
            finality=FINALITY,
            native=ETH,
            native_decimals=18,
            block_ms=1_000,
        )
        await self.do(f.ListNetwork(network=network))
        for code, contract, decimals in ((ETH, "", 18), (USDT, self.token, TOKEN_DECIMALS)):
            listing = Listing(
                asset=code,
                network=NETWORK,
                chain_decimals=decimals,
                contract=contract,
                min_deposit=10**12,
                min_withdrawal=2 * 10**12,
                withdrawal_fee=10**12,
                approval_above=PLENTY,
                limited_max=PLENTY,
            )
            await self.do(f.OfferAsset(listing=listing))
        for wallet in self.who.wallets:
            await self.devchain.rpc("anvil_setBalance", wallet, hex(1_000 * ETHER))
            await self.capital(ETH, 1_000 * ETHER)
        await self.devchain.mine()
        message = MoveFunds(transfer_id=1, user_id=CUSTOMER, asset=ETH, atoms=PLENTY)
        await self.do(Deliver(source="spot", number=1, message=message))
