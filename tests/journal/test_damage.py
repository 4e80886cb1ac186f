"""Damage to a journal's files: named when it is opened or read, or harmless; never a silent change.

Nothing is written by an open that finds damage, so what is left stays as it was found.
"""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.journal.journal_files import (
    CELL,
    contents,
    copy,
    file_bytes,
    fill,
    make,
    set_mark,
)

from seawall.journal.headmark import read as read_mark
from seawall.journal.port import JournalDamagedError, JournalError
from seawall.journal.sqlite_store import SqliteStore
from seawall.lib.prng import Prng

SAMPLES = 250


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    """Hundreds of copies are made here, and no crash is played."""
    return memory_path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("original"))


def _offsets(length: int, seed: int) -> list[int]:
    """Return where to break a file: its head byte by byte, each page's head, and anywhere."""
    random = Prng(seed)
    head = list(range(min(length, 130)))
    pages = [page + random.below(12) for page in range(0, length - 12, 4096)]
    return head + pages + [random.below(length) for _ in range(SAMPLES)]


@pytest.mark.parametrize("suffix", [".sqlite", ".sqlite-wal", ".head"])
def test_a_flipped_bit_is_named_or_changes_nothing(
    original: Path, tmp_path: Path, suffix: str
) -> None:
    wanted = contents(copy(original, tmp_path / "whole"))
    random = Prng(len(suffix))
    named = 0
    data = original.with_name(CELL + suffix).read_bytes()
    for offset in _offsets(len(data), seed=7):
        path = copy(original, tmp_path / "broken")
        broken = bytearray(data)
        broken[offset] ^= 1 << random.below(8)
        path.with_name(CELL + suffix).write_bytes(broken)
        before = file_bytes(path)
        try:
            found = contents(path)
        except JournalDamagedError:
            named += 1
            assert file_bytes(path) == before, "an open that finds damage writes nothing"
        else:
            assert found == wanted, f"a bit flipped at {offset} of {suffix} went unnoticed"
    # One slot of the mark stands for the other; the log and the database have no such spare.
    assert (named > SAMPLES / 3) == (suffix != ".head")


def test_a_flipped_bit_that_opens_never_spoils_what_is_written_later(tmp_path: Path) -> None:
    """Structure that reads well may still be wrong enough to overwrite pages when written to."""
    path = tmp_path / "original" / f"{CELL}.sqlite"
    store = SqliteStore(path, CELL)
    fill(store, 1, 40, sync=False)
    store._checkpoint(store._connection)
    store.close()
    path.with_name(path.name + "-wal").unlink()
    _, wanted = contents(path)
    data = path.read_bytes()
    random = Prng(11)
    for offset in [*range(100), *(random.below(len(data)) for _ in range(100))]:
        broken = copy(path, tmp_path / "broken")
        broken.with_name(path.name + "-wal").unlink()
        changed = bytearray(data)
        changed[offset] ^= 1 << random.below(8)
        broken.write_bytes(changed)
        try:
            store = SqliteStore(broken, CELL)
        except JournalDamagedError:
            continue
        try:
            store.read(1, 100_000)
            fill(store, 2, 15, sync=False)
            store._checkpoint(store._connection)
            fill(store, 3, 5, sync=False)
            head = store.head
        except JournalDamagedError:
            continue
        finally:
            store.close()
        found, entries = contents(broken)
        assert found == head
        assert entries[: len(wanted)] == wanted


@pytest.mark.parametrize("suffix", [".sqlite", ".sqlite-wal", ".head"])
def test_a_shortened_file_is_named(original: Path, tmp_path: Path, suffix: str) -> None:
    wanted = contents(copy(original, tmp_path / "whole"))
    data = original.with_name(CELL + suffix).read_bytes()
    random = Prng(13)
    lengths = [0, 1, 16, 31, 33, 99, 4096, *(random.below(len(data)) for _ in range(60))]
    named = 0
    cuts = [length for length in lengths if length < len(data)]
    for length in cuts:
        path = copy(original, tmp_path / "short")
        path.with_name(CELL + suffix).write_bytes(data[:length])
        try:
            found = contents(path)
        except JournalDamagedError:
            named += 1
        else:
            assert found == wanted, f"{suffix} cut to {length} bytes went unnoticed"
    # Pages that the log holds anew may be gone from the database without loss.
    assert named > 10 if suffix == ".sqlite" else named == len(cuts)


Break = Callable[[Path], None]


def _remove(suffix: str) -> Break:
    def remove(path: Path) -> None:
        path.with_name(CELL + suffix).unlink()

    return remove


def _statement(*texts: str) -> Break:
    def execute(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for text in texts:
            connection.execute(text)
        connection.close()

    return execute


def _both_marks(path: Path) -> None:
    mark = path.with_suffix(".head")
    mark.write_bytes(bytes(byte ^ 0x55 for byte in mark.read_bytes()))


def _another_history(path: Path) -> None:
    """Put a whole journal there, as long, but of other entries."""
    mark = path.with_suffix(".head").read_bytes()
    other = make(path.parent / "other", seed=99, batches=90)
    for suffix in (".sqlite", ".sqlite-wal"):
        shutil.copyfile(other.with_name(CELL + suffix), path.with_name(CELL + suffix))
    path.with_suffix(".head").write_bytes(mark)


def _another_cell(path: Path) -> None:
    _remove(".sqlite")(path)
    _remove(".sqlite-wal")(path)
    store = SqliteStore(path.with_name("identity.sqlite"), "identity")
    fill(store, 1, 200)
    store._checkpoint(store._connection)
    store.close()
    path.with_name("identity.sqlite").rename(path)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (_remove(".sqlite"), "is missing or empty; entries 1 to "),
        (_remove(".sqlite-wal"), "were durable and are missing"),
        (_remove(".head"), "the head mark is missing"),
        (_both_marks, "the head mark is unreadable"),
        (_statement("DELETE FROM batches WHERE first > 300", "VACUUM"),
         "were durable and are missing: the journal ends at "),
        (_statement("DELETE FROM batches WHERE first BETWEEN 50 AND 80", "VACUUM"),
         " are missing: the next batch begins at "),
        (_statement("DELETE FROM batches WHERE first BETWEEN 50 AND 200"), " free pages"),
        (_statement("DELETE FROM batches WHERE first = 0"), "does not begin as a journal"),
        (_statement("DELETE FROM batches", "VACUUM"), "does not begin as a journal"),
        (_statement("UPDATE batches SET frame = zeroblob(length(frame)) WHERE first = 1"),
         "do not match their chain hash"),
        (_statement("UPDATE batches SET epoch = 7 WHERE first = 1"),
         "do not match their chain hash"),
        (_statement("UPDATE batches SET count = count + 1 WHERE first = 1"),
         "begins a batch of another length than it says"),
        (_statement("UPDATE batches SET count = 'many' WHERE first = 1"), "holds str, not int"),
        (_statement("UPDATE batches SET hash = zeroblob(32) WHERE first = "
                    "(SELECT max(first) FROM batches)"), "do not match their chain hash"),
        (_statement("ALTER TABLE batches RENAME TO lists"), "cannot read it"),
        (_statement("PRAGMA user_version = 2"), "format 2"),
        (_another_history, "is not the one that was durable"),
        (_another_cell, "does not begin as a journal of 'spot'"),
    ],
)  # fmt: skip
def test_each_kind_of_damage_has_its_name(
    original: Path, tmp_path: Path, spoil: Break, says: str
) -> None:
    path = copy(original, tmp_path / "spoiled")
    spoil(path)
    with pytest.raises(JournalDamagedError) as damage:
        contents(path)
    text = str(damage.value)
    assert says in text
    assert str(path.parent) in text
    assert "docs/operating/journal-damage.md" in text


def test_a_mark_from_before_a_power_loss_does_not_hide_a_broken_log(
    original: Path, tmp_path: Path
) -> None:
    """The mark is not synced, so it may be old; frames behind the broken one give it away."""
    head, entries = contents(copy(original, tmp_path / "whole"))
    old = entries[40]
    end = max(entry.sequence for entry in entries if entry.hash == old.hash)
    data = original.with_name(CELL + ".sqlite-wal").read_bytes()
    random = Prng(17)
    for _ in range(40):
        path = copy(original, tmp_path / "old")
        set_mark(path, end, old.hash)
        assert contents(path)[0] == head, "an old mark alone is no damage"
        set_mark(path, end, old.hash)
        broken = bytearray(data)
        broken[32 + random.below(len(data) * 3 // 4)] ^= 0x10
        path.with_name(CELL + ".sqlite-wal").write_bytes(broken)
        with pytest.raises(JournalDamagedError, match="write-ahead log is damaged at or after"):
            contents(path)


def test_opening_moves_the_mark_up_to_what_is_durable(original: Path, tmp_path: Path) -> None:
    head, _ = contents(copy(original, tmp_path / "whole"))
    path = copy(original, tmp_path / "crashed")
    set_mark(path, 0, bytes(32))
    contents(path)
    mark = read_mark(path.with_suffix(".head"))
    assert mark is not None
    assert (mark.sequence, mark.hash) == (head.sequence, head.hash)


def test_reading_only_changes_no_byte(original: Path, tmp_path: Path) -> None:
    path = copy(original, tmp_path / "looked at")
    names = [path.with_name(CELL + suffix) for suffix in (".sqlite", ".sqlite-wal", ".head")]
    before = [(name.read_bytes(), name.stat().st_mtime_ns) for name in names]
    store = SqliteStore(path, CELL, read_only=True)
    assert store.read(1, 5)
    with pytest.raises(JournalError, match="for reading only"):
        store.append(store.head.sequence + 1, 9, [b"x"])
    store.close()
    assert [(name.read_bytes(), name.stat().st_mtime_ns) for name in names] == before


def test_a_journal_removed_while_open_stops(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "spot.sqlite", CELL)
    fill(store, 1, 64)
    (tmp_path / "spot.sqlite").unlink()
    store.maintain()
    with pytest.raises(JournalError, match="removed or replaced"):
        fill(store, 1, 1)
    store.close()
