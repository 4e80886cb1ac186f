"""What every journal engine must show.  The rule: an engine is done when this class passes over it.

Subclass `JournalContract`, give it an `engine`, and name the class `Test…`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from seawall.journal.port import (
    EMPTY,
    GENESIS_HASH,
    Entry,
    Head,
    Journal,
    JournalClosedError,
    JournalConflictError,
    JournalError,
    JournalLimitError,
    chain_hash,
    frame,
)
from seawall.journal.verify import verify
from seawall.lib.prng import Prng
from seawall.model import limits


class Engine(ABC):
    """One store, and the ways to reach it."""

    @abstractmethod
    async def open(self) -> Journal:
        """Open the store; unless journals share it, its last journal was closed."""

    @abstractmethod
    async def intrude(self, epoch: int, payloads: Sequence[bytes]) -> None:
        """Append by another writer, unseen by the open journal."""


class JournalContract:
    """The behaviour; see each test's name."""

    @pytest.fixture
    async def journal(self, engine: Engine) -> AsyncIterator[Journal]:
        journal = await engine.open()
        yield journal
        await journal.close()

    async def test_a_new_journal_is_empty(self, journal: Journal) -> None:
        assert await journal.head() == EMPTY
        assert await journal.read(1, 10) == []
        assert await journal.hash_at(0) == GENESIS_HASH
        assert await journal.hash_at(1) is None

    async def test_an_append_returns_the_head_and_its_link(self, journal: Journal) -> None:
        first = await journal.append(1, 7, [b"one", b"two"])
        link = chain_hash(GENESIS_HASH, 1, 7, frame([b"one", b"two"]))
        assert first == Head(2, 7, link)
        second = await journal.append(3, 8, [b"three"])
        assert second == Head(3, 8, chain_hash(link, 3, 8, frame([b"three"])))
        assert await journal.head() == second
        assert await journal.read(1, 10) == [
            Entry(1, 7, b"one", link),
            Entry(2, 7, b"two", link),
            Entry(3, 8, b"three", second.hash),
        ]

    async def test_payloads_are_any_bytes(self, journal: Journal) -> None:
        payloads = [b"", bytes(range(256)), b"\0" * 1000, b"", b"\xff"]
        await journal.append(1, 1, payloads)
        assert [entry.payload for entry in await journal.read(1, 9)] == payloads

    async def test_the_largest_batches_fit(self, journal: Journal) -> None:
        large = bytes(limits.BATCH_BYTES)
        many = [b"x"] * limits.BATCH_COMMANDS
        await journal.append(1, 1, [large])
        head = await journal.append(2, 1, many)
        assert head.sequence == 1 + len(many)
        assert (await journal.read(1, 1))[0].payload == large
        assert [entry.payload for entry in await journal.read(2, len(many))] == many

    @pytest.mark.parametrize(
        "payloads",
        [[], [b"x"] * (limits.BATCH_COMMANDS + 1), [bytes(limits.BATCH_BYTES), b"x"]],
        ids=["empty", "too many", "too large"],
    )
    async def test_batches_past_the_limits_are_refused(
        self, journal: Journal, payloads: list[bytes]
    ) -> None:
        with pytest.raises(JournalLimitError):
            await journal.append(1, 1, payloads)
        assert await journal.head() == EMPTY
        assert (await journal.append(1, 1, [b"fits"])).sequence == 1

    @pytest.mark.parametrize("expected", [0, 1, 2, 4, 99])
    async def test_an_append_elsewhere_than_at_the_end_is_refused(
        self, journal: Journal, expected: int
    ) -> None:
        head = await journal.append(1, 1, [b"a", b"b"])
        with pytest.raises(JournalConflictError) as refusal:
            await journal.append(expected, 1, [b"c"])
        assert refusal.value.head == head
        assert await journal.head() == head
        assert len(await journal.read(1, 10)) == 2
        assert (await journal.append(3, 1, [b"c"])).sequence == 3

    async def test_an_epoch_below_the_stored_one_is_refused(self, journal: Journal) -> None:
        head = await journal.append(1, 5, [b"a"])
        with pytest.raises(JournalConflictError) as refusal:
            await journal.append(2, 4, [b"late"])
        assert refusal.value.head == head
        assert await journal.head() == head
        assert (await journal.append(2, 5, [b"same"])).epoch == 5
        assert (await journal.append(3, 9, [b"higher"])).epoch == 9

    async def test_of_two_appends_at_one_place_one_wins(self, journal: Journal) -> None:
        results = await asyncio.gather(
            *(journal.append(1, 1, [b"%d" % writer] * 3) for writer in range(8)),
            return_exceptions=True,
        )
        heads = [result for result in results if isinstance(result, Head)]
        assert len(heads) == 1
        assert all(isinstance(r, JournalConflictError) for r in results if r not in heads)
        entries = await journal.read(1, 99)
        assert len(entries) == 3
        assert len({entry.payload for entry in entries}) == 1

    async def test_another_writers_append_is_noticed(
        self, engine: Engine, journal: Journal
    ) -> None:
        await journal.append(1, 1, [b"a"])
        await engine.intrude(2, [b"theirs", b"theirs too"])
        with pytest.raises(JournalConflictError) as refusal:
            await journal.append(2, 1, [b"ours"])
        assert (refusal.value.head.sequence, refusal.value.head.epoch) == (3, 2)

    async def test_a_deposed_writer_with_the_right_place_is_refused(
        self, engine: Engine, journal: Journal
    ) -> None:
        await journal.append(1, 1, [b"a"])
        await engine.intrude(2, [b"theirs"])
        with pytest.raises(JournalConflictError):
            await journal.append(3, 1, [b"ours"])

    async def test_reads_begin_and_end_inside_batches(self, journal: Journal) -> None:
        written = await _fill(journal, seed=3, batches=40)
        random = Prng(4)
        for _ in range(200):
            first = random.between(1, len(written) + 5)
            limit = random.between(0, 30)
            entries = await journal.read(first, limit)
            assert [entry.payload for entry in entries] == written[first - 1 : first - 1 + limit]
            assert [entry.sequence for entry in entries] == list(range(first, first + len(entries)))

    async def test_entries_are_numbered_from_one(self, journal: Journal) -> None:
        await journal.append(1, 1, [b"a"])
        for first in (0, -1):
            with pytest.raises(JournalError):
                await journal.read(first, 1)

    async def test_hashes_stand_at_the_ends_of_batches(self, journal: Journal) -> None:
        first = await journal.append(1, 1, [b"a", b"b", b"c"])
        second = await journal.append(4, 1, [b"d"])
        found = [await journal.hash_at(sequence) for sequence in range(6)]
        assert found == [GENESIS_HASH, None, None, first.hash, second.hash, None]

    async def test_what_was_written_is_there_after_opening_again(self, engine: Engine) -> None:
        journal = await engine.open()
        written = await _fill(journal, seed=5, batches=12)
        head = await journal.head()
        await journal.close()
        journal = await engine.open()
        assert await journal.head() == head
        assert [entry.payload for entry in await journal.read(1, 9_999)] == written
        after = await journal.append(head.sequence + 1, head.epoch, [b"more"])
        await journal.close()
        journal = await engine.open()
        assert await journal.head() == after
        await journal.close()

    async def test_a_tail_gives_what_is_there_and_what_comes(self, journal: Journal) -> None:
        await journal.append(1, 1, [b"a", b"b", b"c"])
        seen: list[int] = []
        all_seen = asyncio.Event()

        async def follow() -> None:
            async for entries in journal.tail(2):
                seen.extend(entry.sequence for entry in entries)
                if seen[-1] == 19:
                    all_seen.set()

        follower = asyncio.create_task(follow())
        for sequence in range(4, 20):
            await journal.append(sequence, 1, [b"x"])
        await asyncio.wait_for(all_seen.wait(), 60)
        await journal.close()
        await asyncio.wait_for(follower, 60)
        assert seen == list(range(2, 20))

    async def test_every_tail_gets_everything(self, journal: Journal) -> None:
        """Also one that begins past the end, and whoever leaves early holds up nobody."""
        tails = [_collect(journal, first, 12) for first in (1, 1, 9)]
        followers = [asyncio.create_task(tail) for tail in tails]
        await journal.append(1, 1, [b"1", b"2"])
        async with aclosing(journal.tail(1)) as tail:
            assert (await anext(tail))[0].sequence == 1
        for sequence in range(3, 13):
            await journal.append(sequence, 1, [b"%d" % sequence])
        found = await asyncio.wait_for(asyncio.gather(*followers), 60)
        assert [[entry.sequence for entry in entries] for entries in found] == [
            list(range(1, 13)),
            list(range(1, 13)),
            list(range(9, 13)),
        ]
        assert found[0] == await journal.read(1, 99)

    async def test_a_closed_journal_refuses(self, engine: Engine) -> None:
        journal = await engine.open()
        await journal.append(1, 1, [b"a"])
        await journal.close()
        await journal.close()
        with pytest.raises(JournalClosedError):
            await journal.append(2, 1, [b"b"])
        with pytest.raises(JournalClosedError):
            await journal.read(1, 1)
        with pytest.raises(JournalClosedError):
            await journal.head()

    async def test_a_whole_journal_verifies(self, journal: Journal) -> None:
        assert (await verify(journal)).entries == 0
        written = await _fill(journal, seed=6, batches=30)
        found = await verify(journal)
        assert found.head == await journal.head()
        assert (found.entries, found.batches) == (len(written), 30)
        assert found.payload_bytes == sum(map(len, written))


class SharedJournalContract(JournalContract):
    """What a store must show besides, if journals of several processes are open on it at once."""

    async def test_a_tail_follows_another_writer(self, engine: Engine, journal: Journal) -> None:
        await journal.append(1, 1, [b"a"])
        follower = asyncio.create_task(_collect(journal, 1, 9))
        for _ in range(4):
            await engine.intrude(2, [b"theirs", b"theirs too"])
        entries = await asyncio.wait_for(follower, 60)
        assert [entry.sequence for entry in entries] == list(range(1, 10))
        assert [entry.epoch for entry in entries] == [1] + [2] * 8
        assert entries == await journal.read(1, 99)

    async def test_two_journals_take_turns(self, engine: Engine) -> None:
        one, two = await engine.open(), await engine.open()
        await one.append(1, 1, [b"one"])
        head = await two.append(2, 2, [b"two"])
        with pytest.raises(JournalConflictError) as refusal:
            await one.append(2, 1, [b"late"])
        assert refusal.value.head == head
        after = await one.append(3, 3, [b"one again"])
        assert await two.head() == after
        assert await one.read(1, 9) == await two.read(1, 9)
        await one.close()
        await two.close()


async def _collect(journal: Journal, first: int, last: int) -> list[Entry]:
    """Return what a tail yields, up to sequence `last`."""
    found: list[Entry] = []
    async with aclosing(journal.tail(first)) as tail:
        async for entries in tail:
            found += entries
            if found[-1].sequence >= last:
                break
    return found


async def _fill(journal: Journal, *, seed: int, batches: int) -> list[bytes]:
    """Append random batches to an empty journal; return all payloads."""
    random = Prng(seed)
    written: list[bytes] = []
    epoch = 1
    for _ in range(batches):
        epoch += random.below(2)
        size = random.between(1, 9)
        batch = [random.bits64().to_bytes(8, "big") * random.between(0, 300) for _ in range(size)]
        head = await journal.append(len(written) + 1, epoch, batch)
        written += batch
        assert head.sequence == len(written)
    return written
