"""Journals on disk for the damage tests: made once, copied, broken, and looked at again."""

import os
import shutil
from pathlib import Path

import seawall
from seawall.journal import headmark
from seawall.journal.port import Entry, Head
from seawall.journal.sqlite_store import SqliteStore
from seawall.lib.prng import Prng

CELL = "spot"
SUFFIXES = (".sqlite", ".sqlite-wal", ".head")


def fill(store: SqliteStore, seed: int, batches: int, *, sync: bool = True) -> None:
    """Append random batches where the journal ends; without syncs where no crash is played."""
    if store._connection is not None and not sync:
        store._connection.execute("PRAGMA synchronous = OFF")
    random = Prng(seed)
    for _ in range(batches):
        payloads = [
            random.bits64().to_bytes(8, "big") * random.between(0, 50)
            for _ in range(random.between(1, 12))
        ]
        store.append(store.head.sequence + 1, 1, payloads)


def make(directory: Path, seed: int = 1, batches: int = 30) -> Path:
    """Return the path of a journal whose older half is in the database, the newer in the log."""
    path = directory / f"{CELL}.sqlite"
    store = SqliteStore(path, CELL)
    fill(store, seed, batches, sync=False)
    store._checkpoint(store._connection)
    fill(store, seed + 1, batches, sync=False)
    store.close()
    return path


def copy(path: Path, directory: Path) -> Path:
    """Copy a journal's files, but for the lock and what SQLite makes anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for suffix in SUFFIXES:
        source = path.with_name(path.stem + suffix)
        if source.exists():
            shutil.copyfile(source, directory / source.name)
    return directory / path.name


def contents(path: Path) -> tuple[Head, list[Entry]]:
    """Open a journal, read all of it, close it; raises JournalError as those do."""
    store = SqliteStore(path, CELL)
    try:
        return store.head, store.read(1, 1_000_000)
    finally:
        store.close()


def file_bytes(path: Path) -> dict[str, bytes]:
    """Return the files that hold entries."""
    return {
        suffix: path.with_name(path.stem + suffix).read_bytes()
        for suffix in (".sqlite", ".sqlite-wal")
        if path.with_name(path.stem + suffix).exists()
    }


def set_mark(path: Path, sequence: int, chain_hash: bytes) -> None:
    """Leave a mark as an earlier moment would have."""
    mark_path = path.with_suffix(".head")
    headmark.create(mark_path)
    mark = headmark.HeadMark(mark_path)
    mark.write(sequence, chain_hash)
    mark.write(sequence, chain_hash)
    mark.close()


def environment() -> dict[str, str]:
    """Return the environment in which a child finds the program under test."""
    return {**os.environ, "PYTHONPATH": str(Path(seawall.__file__).parents[1])}
