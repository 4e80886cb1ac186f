"""Segments in folders: whole or not at all, in enough copies, read from whichever is left."""

import socket
from pathlib import Path

import pytest

from seawall.journal.archive import Archive, ArchiveError, Target
from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    JournalDamagedError,
    JournalUnavailableError,
    chain_hash,
    frame,
)
from seawall.journal.segments import SealedBatch, Segment, decode, parse_name
from seawall.lib.prng import Prng

CELL = "spot"


def segments(count: int, *, seed: int = 1, batches: int = 5) -> list[Segment]:
    """Return consecutive segments of one chain."""
    random = Prng(seed)
    found: list[Segment] = []
    link, first = GENESIS_HASH, 1
    for _ in range(count):
        before, taken = link, []
        for _ in range(batches):
            payloads = [random.bits64().to_bytes(8, "big")] * random.between(1, 4)
            framed = frame(payloads)
            link = chain_hash(link, first, 3, framed)
            taken.append(SealedBatch(first, 3, framed, link))
            first += len(payloads)
        found.append(Segment(CELL, before, taken))
    return found


def folders(tmp_path: Path, count: int = 2) -> list[Path]:
    return [tmp_path / f"target-{number}" for number in range(count)]


def archive(places: list[Path], copies: int = 2) -> Archive:
    return Archive([Target(str(place)) for place in places], copies=copies)


def copy_of(place: Path, segment: Segment) -> Path:
    return place / CELL / str(segment.name)


def test_a_segment_comes_back_as_it_was() -> None:
    for segment in segments(3):
        name = parse_name(f"{CELL}/{segment.name}")
        assert name == segment.name
        found = decode(segment.encode(), CELL, segment.name)
        assert found.entries == segment.entries
        assert found.ends == segment.ends
        assert found.previous == segment.previous


def test_a_flipped_bit_or_a_cut_never_changes_an_entry() -> None:
    (segment,) = segments(1)
    content = segment.encode()
    noticed = 0
    for offset in range(len(content)):
        flipped = bytearray(content)
        flipped[offset] ^= 1 << (offset % 8)
        try:
            found = decode(bytes(flipped), CELL, segment.name)
        except JournalDamagedError:
            noticed += 1
        else:
            # zstd has bits without a meaning.
            assert found.entries == segment.entries
    assert noticed > len(content) * 0.98
    for end in range(0, len(content), 7):
        with pytest.raises(JournalDamagedError):
            decode(content[:end], CELL, segment.name)


async def test_what_was_written_is_read_on_through(tmp_path: Path) -> None:
    store = archive(folders(tmp_path))
    written = segments(4)
    for segment in written:
        await store.write(segment)
    expected = [entry for segment in written for entry in segment.entries]
    reader = archive(folders(tmp_path))
    found: list[Entry] = []
    while entries := await reader.read(CELL, len(found) + 1, 3):
        found += entries
    assert found == expected
    for segment in written:
        for sequence in range(segment.first, segment.last + 1):
            assert await reader.hash_at(CELL, sequence) == segment.ends.get(sequence)
    assert await reader.confirmed(CELL, 0, GENESIS_HASH) == [each.last for each in written]


async def test_copies_that_are_lost_or_damaged_are_passed_over_and_mended(tmp_path: Path) -> None:
    places = folders(tmp_path)
    first, second = segments(2)
    for segment in (first, second):
        await archive(places).write(segment)
    copy_of(places[0], first).unlink()
    damaged = copy_of(places[1], second)
    damaged.write_bytes(damaged.read_bytes()[:-3])
    reader = archive(places)
    assert await reader.read(CELL, 1, 99) == first.entries
    assert await reader.read(CELL, second.first, 99) == second.entries
    # One copy is not enough to forget an entry elsewhere.
    assert await reader.confirmed(CELL, 0, GENESIS_HASH) == []
    assert await reader.heal(CELL) == 1
    await reader.write(second)
    assert await reader.confirmed(CELL, 0, GENESIS_HASH) == [first.last, second.last]


async def test_without_any_whole_copy_the_damage_is_named(tmp_path: Path) -> None:
    places = folders(tmp_path)
    (segment,) = segments(1)
    await archive(places).write(segment)
    for place in places:
        copy_of(place, segment).write_bytes(b"nothing")
    with pytest.raises(JournalDamagedError, match="no whole copy"):
        await archive(places).read(CELL, 1, 1)


async def test_too_few_targets_are_an_error_and_a_missing_one_is_caught_up(tmp_path: Path) -> None:
    places = folders(tmp_path, 3)
    first, second = segments(2)
    store = archive(places)
    await store.write(first)
    # A file where the folder was: this target takes nothing any more.
    (places[2] / CELL).rename(places[2] / "aside")
    (places[2] / CELL).write_bytes(b"")
    await store.write(second)
    assert await archive(places).confirmed(CELL, 0, GENESIS_HASH) == [first.last, second.last]
    strict = archive(places, copies=3)
    with pytest.raises(ArchiveError, match="fewer than 3"):
        await strict.write(second)
    (places[2] / CELL).unlink()
    assert await strict.heal(CELL) == 2
    assert await strict.confirmed(CELL, 0, GENESIS_HASH) == [first.last, second.last]


async def test_two_writers_of_one_segment_write_one_file(tmp_path: Path) -> None:
    places = folders(tmp_path)
    (segment,) = segments(1)
    await archive(places).write(segment)
    await archive(places).write(segments(1)[0])
    for place in places:
        assert [each.name for each in (place / CELL).iterdir()] == [str(segment.name)]


async def test_a_segment_of_another_history_is_damage(tmp_path: Path) -> None:
    places = folders(tmp_path)
    first, _ = segments(2, seed=1)
    _, stranger = segments(2, seed=2)
    store = archive(places)
    await store.write(first)
    await store.write(Segment(CELL, stranger.previous, _shifted(stranger, first.last + 1)))
    reader = archive(places)
    with pytest.raises(JournalDamagedError, match="does not follow"):
        await reader.confirmed(CELL, 0, GENESIS_HASH)
    with pytest.raises(JournalDamagedError, match="does not follow"):
        await reader.read(CELL, first.last + 1, 1)


def _shifted(segment: Segment, first: int) -> list[SealedBatch]:
    """Return one batch that says of itself to follow the stranger's history, at `first`."""
    framed = frame([entry.payload for entry in segment.entries])
    return [SealedBatch(first, 3, framed, chain_hash(segment.previous, first, 3, framed))]


async def test_an_archive_out_of_reach_is_not_an_empty_one() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        options = {
            "endpoint": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            "region": "nowhere",
            "access_key_id": "key",
            "secret_access_key": "secret",
        }
        store = Archive([Target("s3://one", options), Target("s3://two", options)])
        (segment,) = segments(1)
        with pytest.raises(ArchiveError, match="s3://one"):
            await store.write(segment)
        with pytest.raises(JournalUnavailableError):
            await store.read(CELL, 1, 1)
