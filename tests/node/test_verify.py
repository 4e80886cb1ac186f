"""`verify_data`: what holds is said, what does not is named, and no byte of the data changes."""

import sqlite3
from pathlib import Path

import pytest
from tests.node.market import open_node, order, set_up, trade

from seawall.core.control.state import digest_control
from seawall.core.funding_state import digest_funding
from seawall.core.state_digest import digest_identity, digest_spot
from seawall.journal.sqlite import SqliteJournal
from seawall.journal.sqlite_store import SqliteStore
from seawall.model import limits
from seawall.model.commands import Checkpoint, SpotRecord, Tick, encode_record
from seawall.model.ids import CELLS, SPOT, Sequence
from seawall.node.verify import verify_data

_LATER_NS = 2 * 10**18


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """Make a stopped exchange with some trades."""
    node = await open_node(tmp_path)
    await set_up(node)
    await trade(node, 0, 150)
    await node.close()
    return tmp_path


def _content(data: Path) -> dict[str, bytes]:
    """Return all that matters: not SQLite's shared memory, nor an empty log that it makes anew."""
    return {
        str(path): path.read_bytes()
        for path in sorted(data.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm") and path.stat().st_size
    }


async def test_a_whole_data_directory_holds(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    await trade(node, 0, 150)
    digests = (
        digest_identity(node.identity),
        digest_funding(node.funding),
        digest_spot(node.spot),
        digest_control(node.control),
    )
    sequences = tuple(node.drivers[cell].head.sequence for cell in CELLS)
    await node.close()
    before = _content(tmp_path)
    seen: list[str] = []

    async def progress(cell: str, done: int, total: int) -> None:
        seen.append(f"{cell} {done}/{total}")

    report = await verify_data(tmp_path, progress)
    assert report.ok
    assert [cell.problems for cell in report.cells] == [[], [], [], []]
    assert tuple(cell.digest for cell in report.cells) == digests
    assert tuple(cell.entries for cell in report.cells) == sequences
    assert report.cells[2].views_at == sequences[2]
    assert seen == [
        f"identity {sequences[0]}/{sequences[0]}",
        f"funding {sequences[1]}/{sequences[1]}",
        f"spot {sequences[2]}/{sequences[2]}",
        f"control {sequences[3]}/{sequences[3]}",
    ]
    assert _content(tmp_path) == before


async def test_a_running_exchange_is_verified_as_of_now(data: Path) -> None:
    node = await open_node(data)
    await trade(node, 200, 30)
    await node.views.flush()
    report = await verify_data(data)
    assert report.ok, report
    assert report.cells[2].entries == node.spot.sequence
    assert (await node.submit_spot(order(999))).sequence == node.spot.sequence
    await node.close()
    assert (await verify_data(data)).ok


async def test_a_flipped_byte_in_the_journal_is_told(data: Path) -> None:
    path = data / "journal" / "spot.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE batches SET frame = replace(frame, 'BTCUSDT', 'BTCUSDX')"
                       " WHERE first = 20")  # fmt: skip
    connection.execute("UPDATE batches SET frame = CAST(frame AS BLOB) WHERE first = 20")
    connection.close()
    report = await verify_data(data)
    assert not report.ok
    assert [cell.ok for cell in report.cells] == [True, True, False, True]
    assert "entries 20 to 20 do not match their chain hash" in report.cells[2].problems[0]


async def test_a_leader_that_was_wrong_is_told(data: Path) -> None:
    journal = await SqliteJournal.open(data / "journal" / "spot.sqlite", SPOT)
    head = await journal.head()
    while head.sequence < 10_000:
        first = head.sequence + 1
        ticks = [
            encode_record(SpotRecord(at_ns=_LATER_NS + at, command=Tick()))
            for at in range(first, min(first + 1_000, 10_001))
        ]
        head = await journal.append(first, head.epoch, ticks)
    lie = SpotRecord(
        at_ns=_LATER_NS + 10_001,
        command=Checkpoint(sequence=Sequence(limits.CHECKPOINT_ENTRIES), digest="0" * 64),
    )
    await journal.append(10_001, head.epoch, [encode_record(lie)])
    await journal.close()
    report = await verify_data(data)
    assert not report.ok
    assert "the digest after entry 10000 is the leader's" in report.cells[2].problems[0]


async def test_an_entry_that_cannot_be_read_is_told(data: Path) -> None:
    store = SqliteStore(data / "journal" / "spot.sqlite", SPOT)
    store.append(store.head.sequence + 1, 1, [b'{"at_ns":1,"command":{"type":"from_the_future"}}'])
    sequence = store.head.sequence
    store.close()
    report = await verify_data(data)
    assert not report.ok
    assert f"entry {sequence} is of no kind that this version knows" in report.cells[2].problems[0]


async def test_a_changed_history_is_told(data: Path) -> None:
    connection = sqlite3.connect(data / "views" / "history.sqlite", isolation_level=None)
    connection.execute("UPDATE candles SET high_ticks = high_ticks + 1")
    connection.close()
    report = await verify_data(data)
    assert not report.ok
    assert [text[:16] for text in report.cells[2].problems] == ["views: candles: "]


async def test_a_missing_journal_is_told(data: Path) -> None:
    (data / "journal" / "identity.sqlite").unlink()
    report = await verify_data(data)
    assert [cell.ok for cell in report.cells] == [False, True, True, True]
    assert "is missing or empty" in report.cells[0].problems[0]


async def test_a_missing_history_is_told(data: Path) -> None:
    (data / "views" / "history.sqlite").unlink()
    report = await verify_data(data)
    assert [cell.ok for cell in report.cells] == [True, True, False, True]
    assert "history.sqlite does not exist" in report.cells[2].problems[0]
