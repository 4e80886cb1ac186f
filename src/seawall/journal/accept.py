"""Going on with less than was durable.  The rule: only on a person's word, and nothing is erased.

`python -m seawall.journal.accept JOURNAL CELL LAST` makes the journal end at LAST, where it does
end as far as it can be read, and moves its head mark there.  All files are copied aside first.
See docs/operating/journal-damage.md before using it.
"""

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from seawall.journal import headmark, sqlite_read
from seawall.journal.port import Head, JournalDamagedError, JournalError
from seawall.journal.sqlite_store import mark_path, take_lock

_SUFFIXES = ("", "-wal", "-shm")


def accept_loss(path: Path, cell: str, last: int) -> Path:
    """Let the journal end at `last`; return the directory that has the files as they were.

    Raises JournalDamagedError, and changes nothing, unless every entry up to `last` is whole and
    none can be read after it.
    """
    if not path.exists():
        raise JournalError(f"{path}: there is no journal")
    lock = take_lock(path)
    try:
        with closing(sqlite_read.connect(path)) as connection:
            head = _readable_head(connection, path, cell)
        if head.sequence != last:
            raise JournalDamagedError(f"{path} can be read up to {head.sequence}, not {last}")
        aside = _copy_aside(path)
        # Only now may SQLite forget what it could not read of its log.
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        _write_mark(path, head)
    finally:
        os.close(lock)
    return aside


def _readable_head(connection: sqlite3.Connection, path: Path, cell: str) -> Head:
    """Return where the journal ends, every entry before checked."""
    sqlite_read.check_header(path)
    try:
        sqlite_read.check_format(connection, path, cell)
        head = sqlite_read.last_batch(connection, path)
    except sqlite3.Error as error:
        raise sqlite_read.damaged(path, error) from error
    first = 1
    while first <= head.sequence:
        first += len(sqlite_read.read(connection, path, head, first, 10_000))
    return head


def _copy_aside(path: Path) -> Path:
    """Copy the journal's files, durably, beside it."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}")).exists():
        number += 1
    aside.mkdir()
    sources = [path.with_name(path.name + suffix) for suffix in _SUFFIXES]
    for source in (*sources, mark_path(path)):
        if source.exists():
            shutil.copy2(source, aside / source.name)
    os.sync()
    return aside


def _write_mark(path: Path, head: Head) -> None:
    headmark.create(mark_path(path))
    with closing(headmark.HeadMark(mark_path(path))) as mark:
        mark.write(head.sequence, head.hash)


def main(arguments: list[str]) -> int:
    """Run as a program; see the module's docstring."""
    try:
        path, cell, last = Path(arguments[0]), arguments[1], int(arguments[2])
    except (IndexError, ValueError):
        sys.stderr.write("usage: python -m seawall.journal.accept JOURNAL CELL LAST\n")
        return 2
    try:
        aside = accept_loss(path, cell, last)
    except JournalError as error:
        sys.stderr.write(f"nothing was changed: {error}\n")
        return 1
    sys.stdout.write(f"{path} ends at {last} now; its files as they were: {aside}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
