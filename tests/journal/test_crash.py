"""Killed processes and lost power: what was acknowledged is there, in order, once.

`SIGKILL` keeps the page cache, so it shows only that the order of our own steps is right.  Lost
power is played at the file layer: sectors of the log that were written after the last acknowledged
append, and pages of the database that were not yet synced, go back to what they were.
"""

import signal
import subprocess
import sys
from pathlib import Path

from tests.journal.journal_files import CELL, contents, copy, environment, fill, set_mark

from seawall.journal.sqlite_store import SqliteStore
from seawall.lib.prng import Prng

ROUNDS = 8
SECTOR_BYTES = 512

WRITER = """
import os, sys
from pathlib import Path
import seawall.journal.sqlite_store as engine
engine.COPY_BYTES, engine.CHECKPOINT_BYTES = 1 << 20, 1 << 20
store = engine.SqliteStore(Path(sys.argv[1]), "spot")
sequence = store.head.sequence
while True:
    batch = [b"%d:" % (sequence + n) + b"." * (sequence * 37 % 9_000) for n in range(1, 8)]
    sequence = store.append(sequence + 1, 1, batch).sequence
    os.write(1, b"%d\\n" % sequence)
    store.maintain()
"""


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "spot.sqlite"
    random = Prng(23)
    for _ in range(ROUNDS):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            env=environment(),
        )
        assert child.stdout is not None
        # Kill after some acknowledgements, so that slow machines play the same moments.
        seen = [child.stdout.readline() for _ in range(random.between(1, 150))]
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
        child.wait()
        child.stdout.close()
        told = [int(line) for line in seen + rest if line.endswith(b"\n")]
        head, entries = contents(path)
        assert head.sequence >= told[-1], "an acknowledged entry is gone"
        assert head.sequence <= told[-1] + 7, "no more than one batch was on its way"
        for sequence, entry in enumerate(entries, 1):
            assert entry.payload.startswith(b"%d:" % sequence)


def test_a_torn_last_append_is_either_there_or_not(tmp_path: Path) -> None:
    """The log's sectors after the last acknowledged append survive in any mixture."""
    path = tmp_path / "live" / f"{CELL}.sqlite"
    wal = path.with_name(path.name + "-wal")
    store = SqliteStore(path, CELL)
    fill(store, 1, 20)
    random = Prng(29)
    kept = 0
    for round_number in range(60):
        acknowledged, before = store.head, wal.read_bytes()
        fill(store, 100 + round_number, 1)
        after = wal.read_bytes()
        image = bytearray(before.ljust(len(after), b"\0"))
        for start in range(0, len(after), SECTOR_BYTES):
            if round_number % 4 == 0 or random.chance(7, 8):
                image[start : start + SECTOR_BYTES] = after[start : start + SECTOR_BYTES]
        lost = copy(path, tmp_path / "lost")
        lost.with_name(wal.name).write_bytes(image)
        # The mark is not synced either: it may be of any earlier moment.
        set_mark(lost, acknowledged.sequence, acknowledged.hash)
        head, entries = contents(lost)
        assert head in (acknowledged, store.head)
        assert entries == store.read(1, head.sequence)
        kept += head == store.head
    store.close()
    assert 0 < kept < 60, "both outcomes were played"


def test_a_copy_of_the_log_cut_short_loses_nothing(tmp_path: Path) -> None:
    """Pages on their way from log to database may be there or not: the log is still whole."""
    path = tmp_path / "live" / f"{CELL}.sqlite"
    store = SqliteStore(path, CELL)
    fill(store, 1, 60)
    before, log = path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()
    store._checkpoint(store._connection)
    after = path.read_bytes()
    wanted = store.head, store.read(1, 9_999)
    store.close()
    random = Prng(31)
    for _ in range(40):
        length = random.between(len(before), len(after))
        image = bytearray(before.ljust(length, b"\0"))
        for start in range(0, length, SECTOR_BYTES):
            if random.chance(1, 2):
                image[start : start + SECTOR_BYTES] = after[start : start + SECTOR_BYTES]
        lost = copy(path, tmp_path / "lost")
        lost.write_bytes(image[:length])
        lost.with_name(path.name + "-wal").write_bytes(log)
        assert contents(lost) == wanted


def test_a_start_cut_short_is_begun_again(tmp_path: Path) -> None:
    """Mark, database, table: a crash between any two leaves a journal that can be made."""
    whole = tmp_path / "whole" / f"{CELL}.sqlite"
    SqliteStore(whole, CELL).close()
    for present in ([".head"], [".head", ".sqlite"]):
        place = tmp_path / "-".join(present)
        place.mkdir()
        for suffix in present:
            (place / (CELL + suffix)).write_bytes(whole.with_name(CELL + suffix).read_bytes())
        if ".sqlite" in present:
            (place / f"{CELL}.sqlite").write_bytes(b"")
        store = SqliteStore(place / f"{CELL}.sqlite", CELL)
        fill(store, 1, 2)
        store.close()
        assert contents(place / f"{CELL}.sqlite")[0].sequence > 0
