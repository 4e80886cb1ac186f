"""Three nodes, their links and real etcd: any takes commands, one orders them, all agree."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.node.cluster import NAMES, member, topology_of
from tests.tools import program

from seawall.core.state_digest import digest_spot
from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.commands import CancelOpenOrders, OrderTerms, PlaceOrder
from seawall.model.ids import SPOT, Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.errors import NoQuorumError
from seawall.node.node import Node

BTCUSDT = Symbol("BTCUSDT")
PATIENCE_S = 60


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.stop()


def _order(number: int) -> PlaceOrder:
    terms = OrderTerms(
        side=Side.BUY,
        type=OrderType.LIMIT,
        client_order_id=f"o{number}",
        time_in_force=TimeInForce.GTC,
        size=100_000,
        price=(90_000 - number) * 1_000_000,
    )
    return PlaceOrder(user_id=UserId(1), symbol=BTCUSDT, terms=terms)


async def _agree(nodes: list[Node]) -> None:
    """Wait until all stand at one entry in one state."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            sequences = {node.spot.sequence for node in nodes}
            if len(sequences) == 1:
                assert len({digest_spot(node.spot) for node in nodes}) == 1
                return
            await asyncio.sleep(0.01)


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  (the node tells nobody when it is stale)
            await asyncio.sleep(0.02)


def _leader(nodes: dict[str, Node]) -> str:
    (leader,) = [name for name, node in nodes.items() if node.leads(SPOT)]
    return leader


async def test_any_node_takes_commands_and_any_may_go(etcd: EtcdCluster, tmp_path: Path) -> None:
    topology = topology_of(etcd)
    async with AsyncExitStack() as stack:
        nodes: dict[str, Node] = {}
        stacks: dict[str, AsyncExitStack] = {}
        for name in NAMES:
            stacks[name] = await stack.enter_async_context(AsyncExitStack())
            running = member(topology, name, tmp_path)
            nodes[name] = await stacks[name].enter_async_context(running)
        for command in listing_commands():
            await nodes["coral"].submit_spot(command)
        answers = await asyncio.gather(
            *(nodes[NAMES[n % 3]].submit_spot(_order(n)) for n in range(90))
        )
        assert len({answer.sequence for answer in answers}) == 90
        for name in NAMES:
            # Whoever was answered by one node sees it on the others, once they have confirmed.
            assert await nodes[name].confirm(SPOT)
            assert nodes[name].spot.sequence >= max(answer.sequence for answer in answers)
            assert nodes[name].as_of(SPOT).fresh

        first = _leader(nodes)
        heir = next(name for name in NAMES if name != first)
        waiting = [
            asyncio.ensure_future(nodes[NAMES[n % 3]].submit_spot(_order(100 + n)))
            for n in range(30)
        ]
        membership = nodes[first].membership
        assert membership is not None
        assert await membership.hand_over(SPOT, heir) == heir
        assert len({(await each).sequence for each in waiting}) == 30
        assert _leader(nodes) == heir

        # The leader goes in an orderly way; whoever it hands over to goes on at once.
        rest = {name: node for name, node in nodes.items() if name != heir}
        await stacks[heir].aclose()
        for number, node in enumerate(rest.values()):
            await node.submit_spot(_order(200 + number))
        canceled = await next(iter(rest.values())).submit_spot(
            CancelOpenOrders(user_id=UserId(1), symbol=BTCUSDT)
        )
        assert canceled.answer is None
        await _agree(list(rest.values()))
        assert _leader(rest) != heir

        # It comes back, catches up and agrees.
        nodes[heir] = await stacks[heir].enter_async_context(member(topology, heir, tmp_path))
        await nodes[heir].submit_spot(_order(300))
        await _agree(list(nodes.values()))


async def test_a_journal_without_majority_refuses_and_says_since_when(
    etcd: EtcdCluster, tmp_path: Path
) -> None:
    topology = topology_of(etcd)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(member(topology, "amber", tmp_path))
        for command in listing_commands():
            await node.submit_spot(command)
        for each in etcd.members[1:]:
            each.pause()
        try:
            await _until(lambda: not node.as_of(SPOT).fresh)
            sequence = node.spot.sequence
            assert not await node.confirm(SPOT)
            assert not node.ready
            assert node.as_of(SPOT).sequence == sequence
            # The leader's tick flies, so these wait behind it: they are not left waiting.
            orders = [asyncio.ensure_future(node.submit_spot(_order(n))) for n in range(20)]
            async with asyncio.timeout(PATIENCE_S):
                refused = await asyncio.gather(*orders, return_exceptions=True)
            assert {type(each) for each in refused} == {NoQuorumError}
            assert all(f"last known is entry {sequence}" in str(each) for each in refused)
            with pytest.raises(NoQuorumError, match=f"last known is entry {sequence}"):
                await node.submit_spot(_order(1))
        finally:
            for each in etcd.members[1:]:
                each.thaw()
        await _until(lambda: node.ready)
        assert await node.confirm(SPOT)
        committed = await node.submit_spot(_order(1))
        assert committed.answer is None
