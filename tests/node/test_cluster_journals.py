"""Nodes over etcd with archives: what is old leaves etcd, and a new node has it all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.node.sealed_cluster import TERMS, sealed_member, topology_file
from tests.tools import program

from seawall.core.state_digest import digest_spot
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.journal.port import JournalDamagedError
from seawall.journal.replica_log import read_log
from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.commands import OrderTerms, PlaceOrder
from seawall.model.ids import SPOT, Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.errors import NodeError
from seawall.node.node import Node

PATIENCE_S = 60


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd", size=1)
    await cluster.start()
    yield cluster
    await cluster.stop()


def order(number: int) -> PlaceOrder:
    terms = OrderTerms(
        side=Side.BUY,
        type=OrderType.LIMIT,
        client_order_id=f"o{number}",
        time_in_force=TimeInForce.GTC,
        size=100_000,
        price=(90_000 - number) * 1_000_000,
    )
    return PlaceOrder(user_id=UserId(1), symbol=Symbol("BTCUSDT"), terms=terms)


async def load(node: Node, first: int, count: int) -> None:
    await asyncio.gather(*(node.submit_spot(order(first + each)) for each in range(count)))


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  (a node tells nobody when it is ready)
            await asyncio.sleep(0.02)


async def listed(node: Node) -> None:
    """List a market once the node takes commands."""
    await until(lambda: node.ready)
    for command in listing_commands():
        await node.submit_spot(command)


async def oldest(etcd: EtcdCluster) -> int:
    """Return the first entry of spot that etcd has."""
    client = EtcdClient(etcd.settings())
    try:
        bounds = await (await EtcdJournal.open(client, SPOT)).bounds()
    finally:
        await client.close()
    return 0 if bounds is None else bounds[0].first


async def test_a_new_node_replays_archive_then_tail(etcd: EtcdCluster, tmp_path: Path) -> None:
    file = topology_file(etcd, tmp_path)
    async with sealed_member(file, "amber") as amber:
        await listed(amber)
        async with asyncio.timeout(PATIENCE_S):
            for first in range(0, 2_000, 50):
                await load(amber, first, 50)
                if await oldest(etcd) > 300:
                    break
        assert await oldest(etcd) > 300, "the leader seals"
        async with asyncio.timeout(PATIENCE_S):
            # The stated bound, but for what the last round had not seen yet.
            kept = TERMS.keep_entries + TERMS.segment_entries
            while amber.spot.sequence - await oldest(etcd) >= kept:  # noqa: ASYNC110  (etcd tells nobody)
                await asyncio.sleep(0.05)
        async with sealed_member(file, "blue") as blue:
            assert await blue.confirm(SPOT)
            await until(lambda: blue.spot.sequence == amber.spot.sequence)
            assert digest_spot(blue.spot) == digest_spot(amber.spot)
    names = [
        {path.name for path in (tmp_path / "archives" / each / SPOT).iterdir()}
        for each in ("amber", "blue")
    ]
    assert names[0] == names[1]


async def test_what_a_node_answered_stands_in_its_log(etcd: EtcdCluster, tmp_path: Path) -> None:
    file = topology_file(etcd, tmp_path)
    async with sealed_member(file, "amber", seals=False) as amber:
        await listed(amber)
        for first in range(0, 100, 20):
            await load(amber, first, 20)
            batches = list(read_log(file.data("amber") / "replica" / SPOT))
            assert batches[-1].last >= amber.spot.sequence, "kept before it was answered"
        link = bytes(32)
        for batch in batches:
            assert batch.previous == link
            link = batch.hash


async def test_a_journal_that_went_back_is_refused(etcd: EtcdCluster, tmp_path: Path) -> None:
    file = topology_file(etcd, tmp_path)
    async with sealed_member(file, "amber", snapshots=False) as amber:
        await listed(amber)
    (member,) = etcd.members
    await member.kill()
    member.directory.rename(tmp_path / "gone")
    await etcd.start()
    with pytest.raises(JournalDamagedError, match="it has gone back"):
        async with sealed_member(file, "amber"):
            pass
    # Nobody else may have begun another history either, for a node that has the first.
    async with sealed_member(file, "blue") as blue:
        await listed(blue)
        with suppress(NodeError):
            await load(blue, 0, 300)
    with pytest.raises(JournalDamagedError, match=r"gone back|two histories"):
        async with sealed_member(file, "amber"):
            pass
