"""Three nodes over real etcd: the way back goes on when the node that leads control dies on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.node.cluster import NAMES, member, topology_of
from tests.tools import program

from seawall.core.control.state import digest_control
from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.control_commands import AdoptRunbook, RegisterWatcher, TakeReport
from seawall.model.control_rows import Plan
from seawall.model.ids import CONTROL
from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.trading import MarketStatus
from seawall.model.watch_facts import Health
from seawall.node.errors import NodeError
from seawall.node.node import Node

MARKET = "market/BTCUSDT"
PATIENCE_S = 40
RUNBOOK = """
version = "cluster-story-1"

[[dependency]]
name = "*"
down_after_s = 0
ok_after_s = 1

[[rule]]
name = "the cloud is lost"
when = "provider/cloud"
kind = "provider_lost"

[[rule.move]]
services = "market/*"
to = "cancel_only"

[market]
healthy_s = 1

[[market.stage]]
stage = "cancel_only"

[[market.stage]]
stage = "post_only"
gates = ["replicas_equal", "ledger_zero_sum"]
at_least_s = 3

[[market.stage]]
stage = "auction"
gates = ["users_had_access", "replicas_equal"]
at_least_s = 1

[[market.stage]]
stage = "open"
gates = ["users_had_access", "auction_ready"]

[[withdrawal.stage]]
stage = "paused"

[[withdrawal.stage]]
stage = "open"
approvals = 1

[[other.stage]]
stage = "paused"

[[other.stage]]
stage = "open"
"""


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.stop()


class Sky:
    """What two watchers see, told to whichever nodes live."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.health = Health.OK
        self._nodes = nodes
        self._number = 0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._report())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _report(self) -> None:
        while True:
            for watcher in ("w-blue", "w-coral"):
                self._number += 1
                node = self._nodes[list(self._nodes)[self._number % len(self._nodes)]]
                signal = Signal(
                    dependency="provider/cloud", kind=SignalKind.PROBE, health=self.health
                )
                report = WatchReport(
                    watcher=watcher,
                    number=self._number,
                    observed_ns=node.clock.now_ns(),
                    signals=(signal,),
                )
                try:
                    await node.submit_control(TakeReport(report=report))
                except NodeError:
                    continue  # the next round tells the same
            await asyncio.sleep(0.3)


async def _until(what: str, holds: Callable[[], bool]) -> None:
    tries = iter(range(PATIENCE_S * 20))
    while not holds():
        assert next(tries, None) is not None, f"never: {what}"
        await asyncio.sleep(0.05)


def _leader(nodes: dict[str, Node], cell: str) -> str:
    return next((name for name, node in nodes.items() if node.leads(cell)), "")


def _statuses(nodes: dict[str, Node]) -> set[MarketStatus]:
    return {node.spot.markets["BTCUSDT"].status for node in nodes.values()}


def _plan(node: Node) -> Plan | None:
    return next(iter(reversed(node.control.book.plans.values())), None)


def _entered(node: Node, stage: str) -> bool:
    plan = _plan(node)
    return plan is not None and any(row.stage == stage for row in plan.stages)


async def _die(node: Node) -> None:
    """Fall silent without a word: no hand-over, no link, no entry any more."""
    membership = node.membership
    assert membership is not None
    await node.controlling.stop()
    await node.relay.stop()
    await membership._links.close()
    for cell, replica in membership.replicas.items():
        await membership._forwarders[cell].close("died")
        await replica.close("died")


async def test_the_way_back_goes_on_without_the_node_that_led_it(
    etcd: EtcdCluster, tmp_path: Path
) -> None:
    topology = topology_of(etcd)
    async with AsyncExitStack() as stack:
        nodes: dict[str, Node] = {}
        for name in NAMES:
            nodes[name] = await stack.enter_async_context(member(topology, name, tmp_path))
        for command in listing_commands():
            await nodes["coral"].submit_spot(command)
        any_node = nodes["blue"]
        await _until("services", lambda: MARKET in any_node.control.book.services)
        for watcher, provider in (("w-blue", "blue"), ("w-coral", "coral")):
            told = RegisterWatcher(watcher=watcher, provider=provider, key="ab" * 32, person="ann")
            assert (await any_node.submit_control(told)).answer is None
        adopted = await any_node.submit_control(AdoptRunbook(text=RUNBOOK, person="ann"))
        assert adopted.answer is None
        sky = Sky(nodes)
        async with sky.watched():
            sky.health = Health.DOWN
            await _until("stopped", lambda: _statuses(nodes) == {MarketStatus.CANCEL_ONLY})
            sky.health = Health.OK
            await _until("post-only", lambda: _entered(any_node, "post_only"))
            dead = _leader(nodes, CONTROL)
            await _die(nodes.pop(dead))
            living = next(iter(nodes.values()))
            await _until("auction", lambda: _entered(living, "auction"))
            await _until("another leads", lambda: _leader(nodes, CONTROL) not in ("", dead))
            await _until("open", lambda: living.spot.markets["BTCUSDT"].status == "open")
            plan = _plan(living)
        assert plan is not None
        _check_gates(plan)
        await _until("one state", lambda: _same(list(nodes.values())))
        orders = {node.spot.markets["BTCUSDT"].status_order for node in nodes.values()}
        assert orders == {living.control.book.services[MARKET].order}


def _check_gates(plan: Plan) -> None:
    """Each gate was measured, replicas by what several nodes told of the same entry."""
    records = {row.stage.value: row.gates for row in plan.stages}
    assert list(records) == ["cancel_only", "post_only", "auction", "open"]
    told = {gate.gate: gate.value for gates in records.values() for gate in gates}
    assert set(told) >= {"replicas_equal", "ledger_zero_sum", "auction_ready", "users_had_access"}
    assert told["replicas_equal"].startswith(("2 of 3", "3 of 3"))
    assert all(gate.passed for gates in records.values() for gate in gates)


def _same(nodes: list[Node]) -> bool:
    """Whether all stand at one entry; then they must be in one state."""
    if len({node.control.sequence for node in nodes}) != 1:
        return False
    assert len({digest_control(node.control) for node in nodes}) == 1
    return True
