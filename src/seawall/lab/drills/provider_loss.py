"""The provider-loss drill.  The rule: one provider is hurt, and nobody's word is broken.

Three providers on one machine serve clients through all three gateways.  Round after round one of
them, in turn where the lead is and where it is not, is cut off, killed, paused, slowed, or its disk
filled; then it is healed.  Meanwhile a bare writer measures what etcd itself needs.  At the end all
that clients were told is held against the journal, the replicas, and what can be explained.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdSettings
from seawall.journal.port import Journal, JournalError
from seawall.lab.drills import provider_loss_users
from seawall.lab.drills.audit import Finding, Kind, Market, audit
from seawall.lab.drills.bare_etcd import BareEtcd
from seawall.lab.drills.base import Drill, DrillError, DrillOptions, DrillReport
from seawall.lab.drills.cluster_audit import Isolation, Replicas, compare_replicas, not_linearizable
from seawall.lab.drills.cluster_clients import SYMBOL, UnexpectedError
from seawall.lab.drills.cluster_history import History
from seawall.lab.drills.cluster_session import Gateway
from seawall.lab.drills.provider_loss_faults import FAULTS, FAULTS_ANYWHERE, FULL, Hurt, heal, hurt
from seawall.lab.drills.provider_loss_report import Loss, Seen, loss_report
from seawall.lab.drills.provider_loss_users import Users
from seawall.lab.etcd import EtcdLabError
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.local_state import ClusterError
from seawall.lab.machine import now_text
from seawall.lab.netns import NetworkError, can_make_namespaces
from seawall.lab.progress import Progress
from seawall.lab.wire import BrokenError
from seawall.lib.prng import Prng
from seawall.model.ids import CELLS, SPOT
from seawall.model.topology import (
    CellPlace,
    EtcdPlace,
    NodePlace,
    Provider,
    TlsFiles,
    Topology,
    split_address,
)
from seawall.node.cell import empty_cell

PROVIDERS: Final = ("amber", "blue", "coral")
LOAD_S: Final = (1.5, 3.0)
"""How long all is well before each fault."""
HOLD_S: Final = (4.0, 7.0)
"""How long a fault lasts."""
WELL_S: Final = 90.0
"""How long a healed provider may take to be as the others."""
POLL_S: Final = 0.05
STOCKED_S: Final = 15.0
END_S: Final = 30.0
"""How long clients get for their last answers."""
LOGS: Final = "logs"
MARKETS: Final = {SYMBOL: Market("BTC", "USDC")}
CONFIGURATION: Final = """\
[exchange]
demo = true

[demo]
chain = false

[gateway.throttle]
weight_per_minute = 100000000
orders_per_10_s = 100000000
orders_per_day = 100000000
requests_per_5_minutes = 100000000
ban_after_refusals = 100000000

[assets.BTC]
name = "Bitcoin"
decimals = 8

[assets.USDC]
name = "USD Coin"
decimals = 8

# Not a market that the demo plays: here only the drill's users trade.
[markets.BTCUSDC]
base = "BTC"
quote = "USDC"
tick = "0.01"
lot = "0.00001"
max_price = "1000000"
max_size = "9000"
min_notional = "5"
max_notional = "9000000"
"""


def three_providers() -> Topology:
    """Return a topology like topologies/three-clouds.toml; a local cluster moves its addresses."""
    hosts = {name: f"10.77.7.{11 + number}" for number, name in enumerate(PROVIDERS)}
    amber, blue, coral = PROVIDERS
    return Topology(
        name="drill",
        provider=tuple(Provider(name=name) for name in PROVIDERS),
        etcd=tuple(
            EtcdPlace(name=name, provider=name, client=f"{host}:2379", peer=f"{host}:2380")
            for name, host in hosts.items()
        ),
        node=tuple(
            NodePlace(name=name, provider=name, gateway=f"{host}:8080", peer=f"{host}:7480")
            for name, host in hosts.items()
        ),
        cell=(
            CellPlace(name="identity", prefer=(amber, blue, coral)),
            CellPlace(name="funding", prefer=(blue, coral, amber)),
            CellPlace(name="spot", prefer=(coral, amber, blue)),
        ),
        tls=TlsFiles(ca="tls/ca.crt", certificate="tls/{name}.crt", key="tls/{name}.key"),
    )


class _ProviderLossDrill:
    """One run."""

    def __init__(
        self, options: DrillOptions, kinds: Sequence[str], folder: Path, progress: Progress
    ) -> None:
        self.folder = folder
        self.rounds = options.rounds
        self.kinds = kinds
        self.seed = time.time_ns() % 1_000_000 if options.seed is None else options.seed
        self.prng = Prng(self.seed)
        self.progress = progress
        self.cluster = LocalCluster(
            three_providers(),
            folder / "cluster",
            configuration=CONFIGURATION,
            demo=True,
            small_disks=FULL in self.kinds,
        )
        self.history = History()
        self.losses: list[Loss] = []
        self.isolations: list[Isolation] = []
        self.bare: BareEtcd | None = None
        self.started_at = now_text()
        self.began_s = 0.0
        self.findings: list[Finding] = []
        self.replicas = Replicas(equal=False, entries=0, twice=(), said=("not compared",))
        self.unexplained: list[str] = []

    async def run(self) -> DrillReport:
        """Run all rounds, compare, and report."""
        failure, users = "", None
        ended_s = time.monotonic()
        try:
            self.progress("starting three providers", 0, self.rounds)
            await self.cluster.start()
            users = await Users.hire(self.cluster, self._gateways(), self.history, self.prng)
            self.bare = BareEtcd(self.cluster)
            self.bare.start()
            self.began_s = time.monotonic()
            users.start()
            try:
                await self._rounds(users)
                await asyncio.sleep(LOAD_S[0])
            finally:
                ended_s = time.monotonic()
                unanswered = await users.stop(END_S)
            self.progress("comparing", self.rounds, self.rounds)
            await self._compare(users)
            failure = "; ".join([*users.failures, *unanswered])
        except (ClusterError, EtcdLabError, NetworkError) as error:
            if not self.losses:
                # It could not even begin: whoever asked for it is told why.
                raise DrillError(str(error)) from error
            failure = str(error)
        except (TimeoutError, BrokenError, JournalError, UnexpectedError) as error:
            failure = f"{type(error).__name__}: {error}"
        finally:
            if self.bare is not None:
                await self.bare.close()
            # A small disk's logs are gone once it is unmounted.
            await asyncio.to_thread(_keep_logs, self.folder, self.folder / LOGS)
            await self.cluster.stop()
        return loss_report(
            Seen(
                seed=self.seed,
                kinds=self.kinds,
                started_at=self.started_at,
                began_s=self.began_s or ended_s,
                duration_s=ended_s - (self.began_s or ended_s),
                history=self.history,
                bare_acks_s=sorted(self.bare.acks_s) if self.bare is not None else [],
                losses=self.losses,
                isolations=self.isolations,
                ledgers=users.ledgers if users is not None else {},
                findings=self.findings,
                unexplained=self.unexplained,
                replicas=self.replicas,
                failure=failure,
            )
        )

    def _gateways(self) -> list[Gateway]:
        return [
            Gateway(node.name, *split_address(node.gateway)) for node in self.cluster.topology.node
        ]

    async def _rounds(self, users: Users) -> None:
        await users.stocked(STOCKED_S)
        for number in range(self.rounds):
            cycle, place = divmod(number, len(self.kinds))
            kind = self.kinds[place]
            self.progress(f"{kind}: one provider of three", number, self.rounds)
            await asyncio.sleep(self._pick_s(LOAD_S))
            await self._round(kind, leads=(cycle + place) % 2 == 0)
            if users.failures:
                return

    async def _round(self, kind: str, *, leads: bool) -> None:
        """Hurt one provider and heal it again."""
        leader = await self.cluster.leader(SPOT) or PROVIDERS[0]
        followers = [name for name in PROVIDERS if name != leader]
        target = leader if leads else self.prng.choice(followers)
        bare = self.bare
        etcd_leads = False
        if bare is not None:
            # Where the exchange's lead is lost, etcd's is too: what both need can be compared.
            etcd_leads = await bare.move_leader(target) if leads else await bare.leader() == target
        what = Hurt(kind=kind, backwards=self.prng.chance(1, 2))
        provider = self.cluster.provider(target)
        from_s = time.monotonic()
        means = await hurt(provider, what)
        hurt_s = time.monotonic()
        await asyncio.sleep(self._pick_s(HOLD_S))
        heal_s = time.monotonic()
        if kind == "cut":
            self.isolations.append(Isolation(gateway=target, from_s=hurt_s, to_s=heal_s))
        await heal(provider, what)
        healed_s = time.monotonic()
        well = await self._well(target)
        self.losses.append(
            Loss(
                kind=kind,
                means=means,
                provider=target,
                led=leader == target,
                etcd_led=etcd_leads,
                backwards=what.backwards,
                from_s=from_s,
                heal_s=heal_s,
                healed_s=healed_s,
                well_s=time.monotonic() if well else None,
            )
        )

    async def _well(self, target: str) -> bool:
        """Wait until the provider's node knows everything again, and its member serves.

        False if that takes too long.
        """
        provider = self.cluster.provider(target)
        deadline_s = time.monotonic() + WELL_S
        while time.monotonic() < deadline_s:
            told = await self.cluster.ask(target)
            if (
                told is not None
                and told["ready"]
                and all(each["fresh"] for each in told["cells"])
                and (self.bare is None or await self.bare.serves(target))
            ):
                return True
            # What the fault ended is started again, as a service manager does.
            await provider.start()
            await asyncio.sleep(POLL_S)
        return False

    async def _compare(self, users: Users) -> None:
        """Ask what is there now, end the nodes, and replay the journal."""
        await self.cluster.ready()
        funds = {asset: Decimal(amount) for asset, amount in provider_loss_users.FUNDS.items()}
        for number, account in enumerate(users.accounts):
            present = await users.present(account, self._gateways()[number % len(PROVIDERS)])
            found = audit(account.ledger, present, funds, MARKETS)
            found += users.streamed_and_gone(account, present)
            self.findings += [
                Finding(kind=each.kind, text=f"{account.name}: {each.text}") for each in found
            ]
        self.unexplained = await asyncio.to_thread(not_linearizable, self.history)
        for provider in self.cluster.providers.values():
            await provider.stop_nodes()
        await self._replay()

    async def _replay(self) -> None:
        """Compare what the nodes left behind with the journal, which is still there."""
        topology = self.cluster.topology
        endpoints = tuple(place.client for place in topology.etcd)
        tls = self.cluster.tls(topology.etcd[0].name)
        client = EtcdClient(EtcdSettings(endpoints=endpoints, tls=tls))
        try:
            journals: dict[str, Journal] = {
                cell: await EtcdJournal.open(client, cell) for cell in CELLS
            }
            folders = {
                node.name: node.data
                for provider in self.cluster.providers.values()
                for node in provider.nodes
            }
            cells = tuple(empty_cell(name) for name in CELLS)
            self.replicas = await compare_replicas(cells, journals, folders)
        finally:
            await client.close()
        self.findings += [
            Finding(kind=Kind.DUPLICATED, text=f"command {origin} stands in the journal twice")
            for origin in self.replicas.twice
        ]

    def _pick_s(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low + (high - low) * self.prng.below(1_000) / 1_000


async def run_provider_loss(options: DrillOptions, out: Path, progress: Progress) -> DrillReport:
    """Run the drill in a temporary directory; logs are kept in `out` if a promise was broken."""
    every = FAULTS if await can_make_namespaces() else FAULTS_ANYWHERE
    kinds = (options.fault,) if options.fault else every
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-drill-"))
    try:
        report = await _ProviderLossDrill(options, kinds, folder, progress).run()
        if not report.held:
            await asyncio.to_thread(shutil.copytree, folder / LOGS, out / LOGS, dirs_exist_ok=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return report


def _keep_logs(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.log", "*.output"):
        for path in folder.glob(f"cluster/providers/*/{pattern}"):
            shutil.copy(path, out / path.name)


PROVIDER_LOSS: Final = Drill(
    name="provider-loss",
    summary="One provider of three is cut off, killed, paused, slowed or filled up under orders.",
    run=run_provider_loss,
    rounds=4,
)
