"""What three nodes over real etcd say in numbers: who leads, what is forwarded or missing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.node.cluster import NAMES, member, topology_of
from tests.tools import program

from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.ids import SPOT
from seawall.node.node import Node

PATIENCE_S = 30


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.stop()


def _read(node: Node) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(node.metrics)
    return registry


def _value(node: Node, name: str, **labels: str) -> float:
    """Return a sample of the spot cell; 0 where it was never counted."""
    return _read(node).get_sample_value(f"seawall_{name}", {"cell": SPOT, **labels}) or 0.0


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  (numbers tell nobody when they change)
            await asyncio.sleep(0.05)


async def test_a_cluster_says_in_numbers_what_it_does(etcd: EtcdCluster, tmp_path: Path) -> None:
    topology = topology_of(etcd)
    async with AsyncExitStack() as stack:
        nodes = {
            name: await stack.enter_async_context(member(topology, name, tmp_path))
            for name in NAMES
        }
        for command in listing_commands():
            await nodes["coral"].submit_spot(command)
        # What one node knows of a hand-over, another may not know yet.
        await _until(lambda: [node.leads(SPOT) for node in nodes.values()].count(True) == 1)
        leader = next(name for name in NAMES if nodes[name].leads(SPOT))
        assert [_value(nodes[name], "leads") for name in NAMES].count(1.0) == 1
        assert _value(nodes[leader], "replica_status", status="leading") == 1
        assert _value(nodes[leader], "terms_total") >= 1
        assert _value(nodes[leader], "append_seconds_count", outcome="durable") > 0

        follower = next(name for name in NAMES if name != leader)
        others = [nodes[name] for name in NAMES if name != follower]
        before = _value(nodes[follower], "forwarded_commands_total")
        taken = sum(_value(node, "taken_commands_total") for node in others)
        for command in listing_commands()[:3]:
            await nodes[follower].submit_spot(command)
        assert _value(nodes[follower], "forwarded_commands_total") >= before + 3
        assert sum(_value(node, "taken_commands_total") for node in others) >= taken + 3
        assert _value(nodes[follower], "pending_commands") == 0
        assert _value(nodes[follower], "replica_status", status="leading") == 0
        assert _value(nodes[follower], "epoch") == _value(nodes[leader], "epoch") > 0
        assert _value(nodes[follower], "stale_seconds") < PATIENCE_S
        for other in (name for name in NAMES if name != follower):
            linked = _read(nodes[follower]).get_sample_value("seawall_linked", {"peer": other})
            assert linked in {0.0, 1.0}

        for each in etcd.members[1:]:
            each.pause()
        try:
            amber = nodes["amber"]
            await _until(lambda: not _value(amber, "journal_quorum"))
            await _until(lambda: _value(amber, "replica_status", status="no_quorum") == 1)
            assert _read(amber).get_sample_value("seawall_ready", {"node": "amber"}) == 0
        finally:
            for each in etcd.members[1:]:
                each.thaw()
