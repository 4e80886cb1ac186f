"""A replica whose memory is wrong stops, says why, and comes back right; the others go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from tests.node.cluster import NAMES, member, topology_of
from tests.tools import program

from seawall.core.state_digest import digest_spot
from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.commands import CancelOrder, OrderTerms, PlaceOrder
from seawall.model.ids import SPOT, Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.errors import NodeError, UnavailableError
from seawall.node.node import Node

BTCUSDT = Symbol("BTCUSDT")
PATIENCE_S = 60
SNAPSHOT_ENTRIES = 15
"""Between two checkpoints, so that what is wrong is written down before it is found."""


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.stop()


class Cluster:
    """Three nodes, each of which may be stopped and started."""

    def __init__(self, etcd: EtcdCluster, data: Path, stack: AsyncExitStack) -> None:
        self.nodes: dict[str, Node] = {}
        self._topology = topology_of(etcd)
        self._data = data
        self._all = stack
        self._stacks: dict[str, AsyncExitStack] = {}
        self._count = 0

    async def start(self, name: str) -> None:
        self._stacks[name] = await self._all.enter_async_context(AsyncExitStack())
        running = member(self._topology, name, self._data, SNAPSHOT_ENTRIES)
        self.nodes[name] = await self._stacks[name].enter_async_context(running)

    async def stop(self, name: str) -> None:
        del self.nodes[name]
        await self._stacks[name].aclose()

    async def trade(self, name: str) -> None:
        """Place one order through a node; what it is told does not matter here."""
        # What is refused is refused at once: the nodes need a turn as well.
        await asyncio.sleep(0.005)
        self._count += 1
        terms = OrderTerms(
            side=Side.BUY,
            type=OrderType.LIMIT,
            client_order_id=f"o{self._count}",
            time_in_force=TimeInForce.GTC,
            size=100_000,
            price=(90_000 - self._count) * 1_000_000,
        )
        with suppress(NodeError):
            order = PlaceOrder(user_id=UserId(1), symbol=BTCUSDT, terms=terms)
            await self.nodes[name].submit_spot(order)

    async def trade_until_stopped(self, victim: str) -> str:
        stopped = asyncio.ensure_future(self.nodes[victim].wait_stopped())
        other = next(name for name in self.nodes if name != victim)
        async with asyncio.timeout(PATIENCE_S):
            while not stopped.done():
                await self.trade(other)
        return stopped.result()

    async def agree(self) -> None:
        """Wait until all stand at one entry in one state."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if len({node.spot.sequence for node in self.nodes.values()}) == 1:
                    break
                await asyncio.sleep(0.01)
        assert len({digest_spot(node.spot) for node in self.nodes.values()}) == 1

    async def leader(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for name, node in self.nodes.items():
                    if node.leads(SPOT):
                        return name
                await asyncio.sleep(0.01)


def flip(node: Node) -> None:
    node.spot.ledger.balances[1]["USDT"].free += 1 << 20


@pytest.mark.parametrize("whose", ["the leader's", "a follower's"])
async def test_most_are_right_and_the_one_comes_back_right(
    etcd: EtcdCluster, tmp_path: Path, whose: str
) -> None:
    async with AsyncExitStack() as stack:
        cluster = Cluster(etcd, tmp_path, stack)
        for name in NAMES:
            await cluster.start(name)
        for command in listing_commands():
            await cluster.nodes["amber"].submit_spot(command)
        leader = await cluster.leader()
        victim = leader if whose == "the leader's" else next(n for n in NAMES if n != leader)
        flip(cluster.nodes[victim])
        why = await cluster.trade_until_stopped(victim)
        assert "is that of most replicas" in why
        assert cluster.nodes[victim].health().cells[2].status == "stopped"
        with pytest.raises(UnavailableError, match="most replicas"):
            await cluster.nodes[victim].submit_spot(
                CancelOrder(user_id=UserId(1), symbol=BTCUSDT, client_order_id="o1")
            )
        kept = list((tmp_path / victim / "snapshots").glob("spot-*.snap"))
        assert kept, "what is wrong was written down"
        await cluster.stop(victim)

        # The others go on, and it comes back with nothing of what it had kept.
        assert await cluster.leader() != victim
        for _ in range(20):
            await cluster.trade(next(iter(cluster.nodes)))
        await cluster.agree()
        await cluster.start(victim)
        await cluster.agree()
        assert not any(path.exists() for path in kept)
        await cluster.trade(victim)
        await cluster.agree()


async def test_one_against_one_only_cancels_are_taken_until_one_is_proved_right(
    etcd: EtcdCluster, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        cluster = Cluster(etcd, tmp_path, stack)
        for name in NAMES:
            await cluster.start(name)
        for command in listing_commands():
            await cluster.nodes["amber"].submit_spot(command)
        leader = await cluster.leader()
        gone, other = (name for name in NAMES if name != leader)
        await cluster.stop(gone)
        flip(cluster.nodes[leader])
        async with asyncio.timeout(PATIENCE_S):
            while not all(
                node.spot.sequence and node.health().cells[2].status == "disputed"
                for node in cluster.nodes.values()
            ):
                await cluster.trade(other)
        assert not cluster.nodes[other].ready
        for node in cluster.nodes.values():
            with pytest.raises(UnavailableError, match="only cancels are taken"):
                await node.submit_spot(listing_commands()[0])
            await node.submit_spot(
                CancelOrder(user_id=UserId(1), symbol=BTCUSDT, client_order_id="o1")
            )
        # The third comes back, replays, and has a say.
        await cluster.start(gone)
        why = await cluster.trade_until_stopped(leader)
        assert "is that of most replicas" in why
        await cluster.stop(leader)
        await cluster.trade(gone)
        await cluster.agree()
