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
from seawall.node.cluster_metrics import STATUSES
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


def _linked(node: Node) -> dict[str, float | None]:
    peers = (name for name in NAMES if name != node.settings.name)
    return {peer: _read(node).get_sample_value("seawall_linked", {"peer": peer}) for peer in peers}


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
        every = list(nodes.values())
        for number, command in enumerate(listing_commands()):
            await every[number % len(every)].submit_spot(command)
        # The lead may change at any time, and what one node knows of it, another may not know yet.
        await _until(lambda: sum(_value(node, "leads") for node in every) == 1)
        await _until(lambda: len({_value(node, "epoch") for node in every}) == 1)
        assert _value(every[0], "epoch") > 0
        assert sum(_value(node, "terms_total") for node in every) >= 1
        assert sum(_value(node, "forwarded_commands_total") for node in every) >= 1
        assert sum(_value(node, "taken_commands_total") for node in every) >= 1
        assert sum(_value(node, "append_seconds_count", outcome="durable") for node in every) > 0
        for node in every:
            assert _value(node, "pending_commands") == 0
            assert _value(node, "stale_seconds") < PATIENCE_S
            statuses = [_value(node, "replica_status", status=status) for status in STATUSES]
            assert sum(statuses) == 1
        amber = nodes["amber"]
        await _until(lambda: _linked(amber) == {"blue": 1, "coral": 1})

        for each in etcd.members[1:]:
            each.pause()
        try:
            await _until(lambda: not _value(amber, "journal_quorum"))
            await _until(lambda: _value(amber, "replica_status", status="no_quorum") == 1)
            assert _read(amber).get_sample_value("seawall_ready", {"node": "amber"}) == 0
        finally:
            for each in etcd.members[1:]:
                each.thaw()
