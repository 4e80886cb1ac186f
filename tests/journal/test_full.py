"""No space left: nothing is written, the caller knows, and appends go on when there is space."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journal.journal_files import CELL, contents, environment, fill

from seawall.journal.port import JournalClosedError, JournalFullError, JournalUnknownError
from seawall.journal.sqlite_store import SqliteStore

BATCH = [b"x" * 30_000] * 10


def test_a_full_database_refuses_and_recovers(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "spot.sqlite", CELL)
    fill(store, 1, 10)
    head = store.head
    assert store._connection is not None
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    for _ in range(3):
        with pytest.raises(JournalFullError, match="the disk takes no more"):
            store.append(head.sequence + 1, 1, BATCH)
    assert store.head == head
    assert len(store.read(1, 9_999)) == head.sequence
    store._connection.execute(f"PRAGMA max_page_count = {pages + 500}")
    after = store.append(head.sequence + 1, 1, BATCH)
    store.close()
    assert contents(tmp_path / "spot.sqlite")[0] == after


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of its own of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mount.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _append(store: SqliteStore, sequence: int) -> int:
    """Return the head after one more batch, or after none because there is no space."""
    try:
        return store.append(sequence + 1, 1, BATCH).sequence
    except JournalFullError:
        return sequence


def test_a_full_file_system_refuses_and_recovers(small_disk: Path) -> None:
    path = small_disk / "spot.sqlite"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(700_000))
    store = SqliteStore(path, CELL)
    try:
        acknowledged = 0
        while (more := _append(store, acknowledged)) > acknowledged:
            acknowledged = more
            store.maintain()
        assert acknowledged > 0
        for _ in range(3):
            with pytest.raises(JournalFullError):
                store.append(acknowledged + 1, 1, BATCH)
        ballast.unlink()
        after = store.append(acknowledged + 1, 1, BATCH)
    finally:
        store.close()
    head, entries = contents(path)
    assert head == after
    assert [entry.payload for entry in entries] == BATCH * (len(entries) // len(BATCH))


LIMITED = """
import resource, signal, sys
from pathlib import Path
from seawall.journal.port import JournalFullError
from seawall.journal.sqlite_store import SqliteStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(Path(sys.argv[1]), "spot")
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
acknowledged, refused = 0, 0
while refused < 3:
    try:
        acknowledged = store.append(acknowledged + 1, 1, [b"y" * 20_000] * 3).sequence
    except JournalFullError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
acknowledged = store.append(acknowledged + 1, 1, [b"z"]).sequence
print(acknowledged)
"""


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY,
    reason="the shell already limits file sizes",
)
def test_a_limit_on_file_size_refuses_and_recovers(tmp_path: Path) -> None:
    """Quotas look like this: a write fails half way, with another error than a full disk's."""
    path = tmp_path / "spot.sqlite"
    child = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert child.returncode == 0, child.stderr
    head, entries = contents(path)
    assert head.sequence == int(child.stdout)
    assert entries[-1].payload == b"z"


def test_an_append_of_unknown_outcome_stops_the_journal(tmp_path: Path) -> None:
    """A failed sync cannot be played here; an unforeseen error of SQLite's takes the same way."""
    store = SqliteStore(tmp_path / "spot.sqlite", CELL)
    fill(store, 1, 3)
    assert store._connection is not None
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalUnknownError, match="stopped after a failed append"):
        store.append(store.head.sequence + 1, 1, [b"x"])
    store._connection.execute("PRAGMA query_only = OFF")
    with pytest.raises(JournalClosedError, match="stopped after a failed append"):
        store.append(store.head.sequence + 1, 1, [b"x"])
    store.close()
