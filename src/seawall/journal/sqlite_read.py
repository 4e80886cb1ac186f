"""Reading a journal file.  The rule: what is returned was written so; anything else is named.

Every batch is checked against the hash of the one before, every time it is read.  The connection
is read-only, so that nothing seen here can change what is on disk.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

from seawall.journal import waltail
from seawall.journal.headmark import Mark
from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    Head,
    JournalDamagedError,
    JournalError,
    chain_hash,
    unframe,
)

APPLICATION_ID: Final = 0x53574A4C
FORMAT: Final = 1
HELP: Final = "See docs/operating/journal-damage.md"

PAGE_BYTES: Final = 4_096
_HEADER_BYTES: Final = 100
_HEADER: Final = (
    (0, b"SQLite format 3\0", "the file's kind"),
    (16, PAGE_BYTES.to_bytes(2, "big"), "the page size"),
    (18, b"\2\2", "the journal mode"),
    (20, b"\0", "reserved space"),
    (21, b"\x40\x20\x20", "payload fractions"),
    (52, bytes(4), "auto-vacuum"),
    (56, b"\0\0\0\1", "the text encoding"),
    (64, bytes(4), "incremental vacuum"),
)
"""Fields of the database's header that never change: offset, value, meaning."""

_COLUMNS: Final = "SELECT first, count, epoch, hash, frame FROM batches "
_KINDS: Final = (int, int, int, bytes, bytes)


class Batch:
    """One row as stored; not believed until `check` has returned."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        for value, kind in zip(row, _KINDS, strict=True):
            if type(value) is not kind:
                raise ValueError(f"a column holds {type(value).__name__}, not {kind.__name__}")
        self.first: int = row[0]
        self.count: int = row[1]
        self.epoch: int = row[2]
        self.hash: bytes = row[3]
        self.frame: bytes = row[4]

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    def check(self, before: "Batch") -> list[bytes]:
        """Return the payloads; raise ValueError unless this batch follows `before`."""
        if self.first != before.last + 1:
            raise ValueError(
                f"entries {before.last + 1} to {self.first - 1} are missing: the next batch begins"
                f" at {self.first}"
            )
        if self.epoch < before.epoch:
            raise ValueError(f"the epoch falls from {before.epoch} to {self.epoch}")
        if self.hash != chain_hash(before.hash, self.first, self.epoch, self.frame):
            raise ValueError(f"entries {self.first} to {self.last} do not match their chain hash")
        payloads = unframe(self.frame)
        if len(payloads) != self.count:
            raise ValueError(f"entry {self.first} begins a batch of another length than it says")
        return payloads


def connect(path: Path) -> sqlite3.Connection:
    """Open read-only; SQLite then neither copies its log into the database nor removes it."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )


def check_header(path: Path) -> None:
    """Raise JournalDamagedError unless the database's constant header fields are as created.

    SQLite would open some that are not, and only fail, or grow the file wrongly, when it writes.
    Only to be called while no connection depends on its locks: closing the file drops them.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    for offset, wanted, name in _HEADER:
        found = header[offset : offset + len(wanted)]
        if found != wanted:
            raise JournalDamagedError(
                f"{path}: its header has {found.hex()} for {name}, not {wanted.hex()}.  {HELP}"
            )


def is_made(path: Path) -> bool:
    """Return whether the file holds a table: a start cut short may have left it empty."""
    connection = connect(path)
    try:
        return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    finally:
        connection.close()


def check_log(path: Path) -> None:
    """Raise JournalDamagedError if SQLite would pass over whole transactions in its log."""
    connection = connect(path)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        lost = waltail.lost_transactions(
            path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")
        )
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    finally:
        connection.close()
    if lost is not None:
        raise JournalDamagedError(f"{path}: {lost}.  {HELP}")


def inspect(connection: sqlite3.Connection, path: Path, cell: str, mark: Mark) -> Head:
    """Return the journal's end; raise JournalDamagedError if it is not what the mark promises."""
    try:
        check_format(connection, path, cell)
        head = last_batch(connection, path)
        if head.sequence < mark.sequence:
            raise JournalDamagedError(
                f"{path}: entries {head.sequence + 1} to {mark.sequence} were durable and are"
                f" missing: the journal ends at {head.sequence}.  {HELP}"
            )
        found = hash_at(connection, path, mark.sequence)
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    if found != mark.hash:
        raise JournalDamagedError(
            f"{path}: the hash at {mark.sequence} is not the one that was durable: this is another"
            f" journal, or an altered one.  {HELP}"
        )
    return head


def last_batch(connection: sqlite3.Connection, path: Path) -> Head:
    """Return where the file ends, the last batch checked against the one before."""
    rows = connection.execute(_COLUMNS + "ORDER BY first DESC LIMIT 2").fetchall()
    batches = _believed(rows[::-1], path)
    if not batches or (len(batches) == 1 and batches[0].first != 0):
        raise JournalDamagedError(f"{path}: the journal's first row is missing.  {HELP}")
    if len(batches) == 2:
        _checked(batches[1], batches[0], path)
    last = batches[-1]
    return Head(last.last, last.epoch, last.hash)


def read(
    connection: sqlite3.Connection, path: Path, head: Head, first: int, limit: int
) -> list[Entry]:
    """Return up to `limit` entries from `first` on, none past `head`; see `port.Journal.read`."""
    if first < 1:
        raise JournalError("entries are numbered from 1")
    wanted = min(limit, head.sequence - first + 1)
    if wanted <= 0:
        return []
    entries: list[Entry] = []
    try:
        before = _batch_before(connection, path, first)
        cursor = connection.execute(_COLUMNS + "WHERE first > ? ORDER BY first", (before.first,))
        while len(entries) < wanted:
            row = cursor.fetchone()
            if row is None:
                raise JournalDamagedError(
                    f"{path}: entries {before.last + 1} to {head.sequence} are missing.  {HELP}"
                )
            (batch,) = _believed([row], path)
            payloads = _checked(batch, before, path)
            for sequence, payload in enumerate(payloads, batch.first):
                if first <= sequence < first + wanted:
                    entries.append(Entry(sequence, batch.epoch, payload, batch.hash))
            before = batch
        cursor.close()
    except (sqlite3.Error, MemoryError) as error:
        raise damaged(path, error) from error
    return entries


def hash_at(connection: sqlite3.Connection, path: Path, sequence: int) -> bytes | None:
    """Return the chain hash of the batch that ends at `sequence`, or None where none does."""
    if sequence == 0:
        return GENESIS_HASH
    try:
        rows = connection.execute(
            _COLUMNS + "WHERE first <= ? ORDER BY first DESC LIMIT 1", (sequence,)
        ).fetchall()
    except (sqlite3.Error, MemoryError) as error:
        raise damaged(path, error) from error
    for batch in _believed(rows, path):
        if batch.last == sequence:
            return batch.hash
    return None


def damaged(path: Path, error: Exception) -> JournalError:
    """Name what SQLite found while reading."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CANTOPEN:
        return JournalError(f"{path} cannot be opened ({error})")
    return JournalDamagedError(f"{path}: SQLite cannot read it ({error}).  {HELP}")


def _batch_before(connection: sqlite3.Connection, path: Path, sequence: int) -> Batch:
    """Return the batch before the one that holds `sequence`."""
    rows = connection.execute(
        _COLUMNS + "WHERE first <= ? ORDER BY first DESC LIMIT 2", (sequence,)
    ).fetchall()
    batches = _believed(rows, path)
    if batches and batches[0].last < sequence:
        return batches[0]
    if len(batches) < 2:
        raise JournalDamagedError(f"{path}: entries before {sequence + 1} are missing.  {HELP}")
    return batches[1]


def check_format(connection: sqlite3.Connection, path: Path, cell: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if application != APPLICATION_ID or version != FORMAT:
        raise JournalDamagedError(
            f"{path} is no journal of this version (application {application:#x}, format"
            f" {version}).  {HELP}"
        )
    if free != 0:
        # Nothing is ever deleted; SQLite would write over pages that it takes for free.
        raise JournalDamagedError(f"{path}: its header names {free} free pages.  {HELP}")
    row = connection.execute(_COLUMNS + "WHERE first = 0").fetchone()
    if row is None or row[1:] != (1, 0, GENESIS_HASH, cell.encode()):
        raise JournalDamagedError(f"{path} does not begin as a journal of {cell!r} does.  {HELP}")


def _believed(rows: list[tuple[Any, ...]], path: Path) -> list[Batch]:
    try:
        return [Batch(row) for row in rows]
    except ValueError as error:
        raise JournalDamagedError(f"{path}: {error}.  {HELP}") from error


def _checked(batch: Batch, before: Batch, path: Path) -> list[bytes]:
    try:
        return batch.check(before)
    except (ValueError, OverflowError) as error:
        raise JournalDamagedError(f"{path}: {error}.  {HELP}") from error
