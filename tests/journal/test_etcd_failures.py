"""Three members, and one after another dies, stops or wakes up late: nothing is lost or doubled."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.tools import program

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdSettings
from seawall.journal.port import (
    Head,
    Journal,
    JournalConflictError,
    JournalUnavailableError,
    JournalUnknownError,
)
from seawall.journal.verify import verify
from seawall.lab.etcd import EtcdCluster, EtcdMember

BATCH = 5
"""Entries in one append."""


@pytest.fixture(scope="module")
def members() -> Iterator[EtcdCluster]:
    program("etcd")
    with tempfile.TemporaryDirectory() as name:
        cluster = EtcdCluster.local(Path(name), size=3)
        asyncio.run(cluster.start())
        yield cluster
        asyncio.run(cluster.kill())


@pytest.fixture
async def cluster(members: EtcdCluster) -> AsyncIterator[EtcdCluster]:
    """Give three members that run; start again what the test before has ended."""
    for member in members.members:
        if member.pid is None:
            member.start(members.members)
    await members.leader()
    yield members
    for member in members.members:
        member.thaw()


class Store:
    """One test's corner of the cluster, reached by as many clients as it likes."""

    def __init__(self, cluster: EtcdCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.clients: list[EtcdClient] = []

    async def journal(
        self, nearest: EtcdMember | None = None, *, only: bool = False, answer_s: float = 60.0
    ) -> EtcdJournal:
        """Open a journal whose client asks `nearest` first, or nobody else."""
        endpoints = [member.client for member in self.cluster.members]
        if nearest is not None:
            endpoints.sort(key=lambda endpoint: endpoint != nearest.client)
        client = EtcdClient(EtcdSettings(endpoints=tuple(endpoints[: 1 if only else None])))
        self.clients.append(client)
        return await EtcdJournal.open(client, "spot", namespace=self.namespace, answer_s=answer_s)


@pytest.fixture
async def store(cluster: EtcdCluster, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    store = Store(cluster, request.node.name)
    yield store
    for client in store.clients:
        await client.close()


class Writer:
    """Appends numbered payloads until told to stop; knows what was acknowledged."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.acknowledged: list[bytes] = []
        self.enough = asyncio.Event()
        self.progress = asyncio.Condition()

    async def run(self) -> None:
        while not self.enough.is_set():
            first = len(self.acknowledged) + 1
            payloads = [b"%d" % sequence for sequence in range(first, first + BATCH)]
            head = await self.journal.append(first, 1, payloads)
            assert head.sequence == first + BATCH - 1
            self.acknowledged += payloads
            async with self.progress:
                self.progress.notify_all()

    async def passed(self, more: int) -> None:
        """Return once `more` entries have been acknowledged from now on."""
        wanted = len(self.acknowledged) + more
        async with self.progress:
            await self.progress.wait_for(lambda: len(self.acknowledged) >= wanted)


async def whole(journal: Journal) -> list[bytes]:
    """Return all payloads, the chain checked."""
    found = await verify(journal)
    return [entry.payload for entry in await journal.read(1, found.entries)]


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_the_leaders_end_during_appends_loses_and_doubles_nothing(
    cluster: EtcdCluster, store: Store, fault: str
) -> None:
    leader = await cluster.leader()
    writer = Writer(await store.journal(leader))
    reader = await store.journal((await cluster.followers())[0])
    followed: list[bytes] = []
    caught_up = asyncio.Event()

    async def follow() -> None:
        async with aclosing(reader.tail(1)) as tail:
            async for entries in tail:
                followed.extend(entry.payload for entry in entries)
                if followed[-1] == b"last":
                    caught_up.set()

    writing = asyncio.create_task(writer.run())
    following = asyncio.create_task(follow())
    await writer.passed(20 * BATCH)
    if fault == "kill":
        await leader.kill()
    else:
        leader.pause()
    await writer.passed(20 * BATCH)
    if fault == "pause":
        leader.thaw()
    await writer.passed(20 * BATCH)
    writer.enough.set()
    await writing
    await writer.journal.append(len(writer.acknowledged) + 1, 1, [b"last"])
    written = [*writer.acknowledged, b"last"]
    assert await whole(reader) == written
    await asyncio.wait_for(caught_up.wait(), 60)
    await reader.close()
    await following
    assert followed == written


async def test_an_append_that_is_carried_out_after_its_time_is_found_again(
    cluster: EtcdCluster, store: Store
) -> None:
    """The member takes the request in, sleeps past the deadline, and then does as it was told."""
    member = (await cluster.followers())[0]
    journal = await store.journal(member, only=True, answer_s=1.0)
    await until_known(journal, 1, 1, [b"before"])
    for sequence in range(2, 5):
        member.pause()
        with pytest.raises(JournalUnknownError):
            await journal.append(sequence, 1, [b"late"])
        member.thaw()
        head = await until_known(journal, sequence, 1, [b"late"])
        assert head == await journal.head()
        assert head.sequence == sequence
    assert await whole(journal) == [b"before", b"late", b"late", b"late"]


async def until_known(journal: Journal, expected: int, epoch: int, payloads: list[bytes]) -> Head:
    """Append the same again until the answer is definite."""
    while True:
        try:
            return await journal.append(expected, epoch, payloads)
        except JournalUnknownError:
            continue


async def test_an_unanswered_append_that_another_overtook_is_a_conflict(
    cluster: EtcdCluster, store: Store
) -> None:
    member = (await cluster.followers())[0]
    slow = await store.journal(member, only=True, answer_s=1.0)
    quick = await store.journal(await cluster.leader())
    await until_known(slow, 1, 1, [b"a"])
    member.pause()
    with pytest.raises(JournalUnknownError):
        await slow.append(2, 1, [b"mine"])
    await quick.append(2, 2, [b"theirs"])
    member.thaw()
    with pytest.raises(JournalConflictError):
        await until_known(slow, 2, 1, [b"mine"])
    assert await whole(quick) == [b"a", b"theirs"]


async def test_the_same_words_by_two_writers_are_two_appends(
    cluster: EtcdCluster, store: Store
) -> None:
    """Two nodes that would lead write alike; whoever is in doubt must not take the other's."""
    member = (await cluster.followers())[0]
    slow = await store.journal(member, only=True, answer_s=1.0)
    quick = await store.journal(await cluster.leader())
    member.pause()
    with pytest.raises(JournalUnknownError):
        await slow.append(1, 1, [b"I lead"])
    await quick.append(1, 1, [b"I lead"])
    member.thaw()
    with pytest.raises(JournalConflictError):
        await until_known(slow, 1, 1, [b"I lead"])


@pytest.mark.parametrize("fault", ["restart", "pause"])
async def test_a_tail_outlives_its_member(cluster: EtcdCluster, store: Store, fault: str) -> None:
    member = (await cluster.followers())[0]
    writer = Writer(await store.journal(await cluster.leader()))
    reader = await store.journal(member)
    found: list[int] = []

    async def follow() -> None:
        async with aclosing(reader.tail(1)) as tail:
            async for entries in tail:
                found.extend(entry.sequence for entry in entries)
                if entries[-1].payload == b"last":
                    return

    writing = asyncio.create_task(writer.run())
    following = asyncio.create_task(follow())
    await writer.passed(10 * BATCH)
    if fault == "restart":
        await member.kill()
        await writer.passed(10 * BATCH)
        await cluster.restart(member)
    else:
        member.pause()
        await writer.passed(10 * BATCH)
    await writer.passed(10 * BATCH)
    writer.enough.set()
    await writing
    await writer.journal.append(len(writer.acknowledged) + 1, 1, [b"last"])
    await asyncio.wait_for(following, 60)
    assert found == list(range(1, len(writer.acknowledged) + 2))


async def test_without_a_quorum_nothing_is_claimed(cluster: EtcdCluster, store: Store) -> None:
    survivor, *others = await cluster.followers()
    journal = await store.journal(survivor, answer_s=0.5)
    head = await journal.append(1, 1, [b"a"])
    others.append(await cluster.leader())
    for member in others:
        member.pause()
    with pytest.raises(JournalUnknownError):
        await journal.append(2, 1, [b"b"])
    # What is known to exist can still be read, and the last known end is named as such.
    assert [entry.payload for entry in await journal.read(1, 1)] == [b"a"]
    assert await journal.stale_head() == head
    with pytest.raises(JournalUnavailableError):
        await journal.head()
    for member in others:
        member.thaw()
