"""Watchers that see what a test tells them, and a treasury that pays at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.gateway.exchange import Exchange
from tests.gateway.money import FINALITY, MadeUpTreasury

from seawall.core.canaries import canary_atoms
from seawall.core.control.state import ControlState
from seawall.model.funding import Attempt, CanaryState, Vault
from seawall.model.funding_commands import (
    PrepareVaultMove,
    ReportReconciliation,
    SettleVaultMove,
)
from seawall.model.ids import AssetCode
from seawall.model.signals import Signal, SignalKind, SignedReport, WatchReport
from seawall.model.watch_facts import Health
from seawall.node.node import Node

REPORTS = "/seawall/v1/watch/reports"
EACH_S = 0.25


class Watcher:
    """One witness with a key of its own."""

    def __init__(self, name: str, provider: str) -> None:
        self.name = name
        self.provider = provider
        self.number = 0
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        return self._key.public_key().public_bytes_raw().hex()

    def report(self, observed_ns: int, **seen: Health) -> SignedReport:
        """Return a signed report of dependencies; `_` in a name stands for `/`."""
        self.number += 1
        signals = tuple(
            Signal(dependency=name.replace("_", "/"), kind=SignalKind.PROBE, health=health)
            for name, health in seen.items()
        )
        text = msgspec.json.encode(
            WatchReport(
                watcher=self.name, number=self.number, observed_ns=observed_ns, signals=signals
            )
        )
        return SignedReport(report=text.decode(), signature=self._key.sign(text).hex())

    async def register(self, exchange: Exchange) -> None:
        body = {"watcher": self.name, "provider": self.provider, "key": self.public_key}
        await exchange.operate("watchers", {**body, "person": "ann"})


async def post(client: httpx.AsyncClient, report: SignedReport) -> httpx.Response:
    return await client.post(REPORTS, content=msgspec.json.encode(report))


class Sky:
    """What all watchers see; it changes when the test says so."""

    def __init__(self, *dependencies: str) -> None:
        self.seen = dict.fromkeys(dependencies, Health.OK)

    @asynccontextmanager
    async def watched(self, exchange: Exchange, watchers: list[Watcher]) -> AsyncIterator[None]:
        """Report a few times a second."""

        async def report() -> None:
            while True:
                for watcher in watchers:
                    await post(
                        exchange.client, watcher.report(exchange.clock.now_ns(), **self.seen)
                    )
                await asyncio.sleep(EACH_S)

        task = asyncio.create_task(report())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class PromptTreasury(MadeUpTreasury):
    """A made-up chain on which the vaults hold what the ledger says, and canaries arrive."""

    async def reconcile(self) -> None:
        node = self.node
        if node is None:
            return
        await self._pay_canaries(node)
        for each in list(node.funding.book.listings.values()):
            terms = each.listing
            held = {
                vault: node.funding.held_in(terms.network, vault, terms.asset) for vault in Vault
            }
            await node.submit_funding(
                ReportReconciliation(
                    network=terms.network,
                    asset=terms.asset,
                    block=each.reconciled_block + 1,
                    deposit_atoms=held[Vault.DEPOSIT],
                    hot_atoms=held[Vault.HOT],
                    cold_atoms=held[Vault.COLD],
                )
            )

    async def _pay_canaries(self, node: Node) -> None:
        for canary in list(node.funding.book.canaries.values()):
            if canary.state is not CanaryState.WANTED:
                continue
            tx_id = f"0x{canary.key}"
            terms = node.funding.book.listings[f"{canary.asset}/{canary.network}"].listing
            attempt = Attempt(tx_id=tx_id, slots=(f"canary/{canary.key}",), signed="00", max_cost=0)
            prepared = await node.submit_funding(
                PrepareVaultMove(
                    move_key=canary.move_key,
                    network=canary.network,
                    asset=AssetCode(canary.asset),
                    source=Vault.HOT,
                    target=Vault.COLD,
                    atoms=canary_atoms(terms),
                    attempt=attempt,
                )
            )
            assert prepared.answer is None, prepared.answer
            await node.submit_funding(
                SettleVaultMove(
                    move_key=canary.move_key, tx_id=tx_id, confirmations=FINALITY, cost=0
                )
            )


def stages(control: ControlState, service: str) -> list[str]:
    """Return the stages that a service's last plan has entered."""
    plans = [plan for plan in control.book.plans.values() if service in plan.services]
    return [row.stage.value for row in plans[-1].stages] if plans else []
