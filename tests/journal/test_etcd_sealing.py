"""Old entries leave a real etcd for the archive: readers notice nothing, etcd stays small."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from tests.journal.etcd_cluster import EtcdEngine
from tests.tools import program

from seawall.journal.archive import Archive, Target
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.journal.port import Entry, JournalDamagedError, JournalFullError
from seawall.journal.sealer import Sealer
from seawall.journal.sealing import Defragment, Disarm, Forget, Seal, SealingPolicy
from seawall.journal.verify import verify
from seawall.lab.etcd import EtcdCluster

POLICY = SealingPolicy(segment_entries=100, keep_entries=50, compact_revisions=10)


class Exchange:
    """Journals of one cell with an archive, and a sealer, as a node would have them."""

    def __init__(self, client: EtcdClient, namespace: str, folder: Path) -> None:
        self.client = client
        self.namespace = namespace
        self.folders = [folder / "one", folder / "two"]

    def archive(self) -> Archive:
        return Archive([Target(str(each)) for each in self.folders], copies=2)

    def names(self, folder: Path) -> set[str]:
        return {path.name for path in (folder / "spot").iterdir()}

    async def journal(self) -> EtcdJournal:
        return await EtcdJournal.open(
            self.client, "spot", namespace=self.namespace, archive=self.archive()
        )

    async def sealer(self, policy: SealingPolicy = POLICY) -> Sealer:
        return Sealer([await self.journal()], self.archive(), policy)


@pytest.fixture
def exchange(etcd_engine: EtcdEngine, tmp_path: Path) -> Exchange:
    return Exchange(etcd_engine.client, etcd_engine.namespace, tmp_path)


async def fill(journal: EtcdJournal, batches: int, size: int = 7) -> None:
    head = await journal.head()
    for _ in range(batches):
        payloads = [b"%d" % (head.sequence + 1 + each) for each in range(size)]
        head = await journal.append(head.sequence + 1, 1, payloads)


async def test_readers_do_not_notice_where_entries_are(exchange: Exchange) -> None:
    journal = await exchange.journal()
    await fill(journal, 100)
    before = await journal.read(1, 9_999)
    hashes = [await journal.hash_at(entry.sequence) for entry in before]
    steps = await (await exchange.sealer()).round()
    assert any(isinstance(step, Seal) for step in steps)
    assert any(isinstance(step, Forget) for step in steps)
    bounds = await journal.bounds()
    assert bounds is not None
    assert bounds[0].first > 500
    for reader in (journal, await exchange.journal()):
        assert await reader.read(1, 9_999) == before
        assert [await reader.hash_at(entry.sequence) for entry in before] == hashes
        assert (await verify(reader)).entries == 700
        found: list[Entry] = []
        async with aclosing(reader.tail(3)) as tail:
            async for entries in tail:
                found += entries
                if len(found) == 698:
                    break
        assert found == before[2:]


async def test_rounds_may_be_taken_by_two_at_once(exchange: Exchange) -> None:
    journal = await exchange.journal()
    sealers = [await exchange.sealer() for _ in range(2)]
    for _ in range(5):
        await fill(journal, 40)
        await asyncio.gather(*(sealer.round() for sealer in sealers))
    assert (await verify(await exchange.journal())).entries == 5 * 40 * 7
    names = [exchange.names(each) for each in exchange.folders]
    assert names[0] == names[1]
    firsts = sorted(int(name[:20]) for name in names[0])
    lasts = sorted(int(name[21:41]) for name in names[0])
    assert firsts == [1, *(last + 1 for last in lasts[:-1])], "no two segments overlap"


async def test_without_its_archive_the_hole_is_named(exchange: Exchange) -> None:
    await fill(await exchange.journal(), 60)
    await (await exchange.sealer()).round()
    bare = await EtcdJournal.open(exchange.client, "spot", namespace=exchange.namespace)
    with pytest.raises(JournalDamagedError, match="no archive is configured"):
        await bare.read(1, 5)
    for folder in exchange.folders:
        next((folder / "spot").iterdir()).unlink()
    with pytest.raises(JournalDamagedError, match="neither in etcd nor in the archive"):
        await verify(await exchange.journal())


async def test_what_has_too_few_copies_is_not_forgotten(exchange: Exchange) -> None:
    journal = await exchange.journal()
    await fill(journal, 60)
    sealer = await exchange.sealer()
    (exchange.folders[1] / "spot").write_bytes(b"in the way")
    with pytest.raises(Exception, match="fewer than 2 copies"):
        await sealer.round()
    bounds = await journal.bounds()
    assert bounds is not None
    assert bounds[0].first == 1
    (exchange.folders[1] / "spot").unlink()
    assert any(isinstance(step, Forget) for step in await sealer.round())
    assert (await verify(journal)).entries == 420


async def test_a_target_that_was_away_gets_what_it_lacks(exchange: Exchange) -> None:
    exchange.folders.append(exchange.folders[0].with_name("three"))
    journal = await exchange.journal()
    sealer = await exchange.sealer()
    away = exchange.folders[2] / "spot"
    away.write_bytes(b"in the way")
    await fill(journal, 60)
    assert any(isinstance(step, Forget) for step in await sealer.round())
    assert await sealer.heal() == 0
    away.unlink()
    assert await sealer.heal() == len(exchange.names(exchange.folders[0]))
    assert exchange.names(exchange.folders[2]) == exchange.names(exchange.folders[0])
    assert await sealer.heal() == 0


@pytest.fixture
async def small_etcd(memory_path: Path) -> AsyncIterator[EtcdCluster]:
    """Give three members with a quota of eight megabytes."""
    program("etcd")
    cluster = EtcdCluster.local(memory_path, size=3, quota_bytes=8 << 20)
    await cluster.start()
    yield cluster
    await cluster.kill()


async def test_a_full_store_says_so_and_is_made_small_again(
    small_etcd: EtcdCluster, tmp_path: Path
) -> None:
    client = EtcdClient(small_etcd.settings())
    exchange = Exchange(client, "full", tmp_path)
    journal = await exchange.journal()
    acknowledged = 0
    payload = bytes(100_000)
    with suppress(JournalFullError):
        while True:
            acknowledged = (await journal.append(acknowledged + 1, 1, [payload])).sequence
    head = await journal.head()
    assert head.sequence == acknowledged, "what was refused was not written"
    with pytest.raises(JournalFullError):
        await journal.append(acknowledged + 1, 1, [payload])
    policy = SealingPolicy(quota_bytes=8 << 20, segment_entries=10, keep_entries=5)
    sealer = await exchange.sealer(policy)
    steps = [step for _ in range(4) for step in await sealer.round()]
    assert sum(isinstance(step, Defragment) for step in steps) == 3
    assert any(isinstance(step, Disarm) for step in steps)
    for _ in range(5):
        acknowledged = (await journal.append(acknowledged + 1, 1, [payload])).sequence
    assert (await verify(await exchange.journal())).entries == acknowledged
    await client.close()


async def test_the_store_stays_small_under_load(small_etcd: EtcdCluster, tmp_path: Path) -> None:
    """Four times the quota passes through, beside a sealer that runs as in a node."""
    client = EtcdClient(small_etcd.settings())
    exchange = Exchange(client, "load", tmp_path)
    journal = await exchange.journal()
    policy = SealingPolicy(
        quota_bytes=8 << 20, segment_entries=200, keep_entries=100, waste_bytes=2 << 20
    )
    sealer = await exchange.sealer(policy)
    sealing = asyncio.create_task(sealer.run(0.01))
    head = await journal.head()
    largest = 0
    while head.sequence < 8_000:
        batch = [b"%d" % head.sequence + bytes(4_000)] * 10
        head = await journal.append(head.sequence + 1, 1, batch)
        if head.sequence % 200 == 0:
            largest = max(largest, *(each.file_bytes for each in (await sealer.look()).members))
    sealing.cancel()
    assert largest < policy.quota_bytes
    assert (await verify(await exchange.journal())).entries == head.sequence
    await client.close()
