"""The SQLite engine's blocking half.  The rule: look before writing, and stop at the first doubt.

One row per append: first sequence, count, epoch, chain hash after it, framed payloads.  Row 0 names
the cell.  The file is looked at read-only first; only a journal that agrees with its head mark is
opened for writing, and neither opening nor closing moves a byte between log and database.  The
calls here block: `sqlite.py` runs them in threads.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from seawall.journal import headmark, sqlite_read
from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    Head,
    JournalClosedError,
    JournalConflictError,
    JournalDamagedError,
    JournalError,
    JournalFullError,
    JournalUnknownError,
    chain_hash,
    check_batch,
    frame,
)
from seawall.journal.sqlite_read import HELP, PAGE_BYTES

COPY_BYTES: Final = 10 << 20
"""When the log has grown by this much, it is time to copy it into the database, beside appends."""
CHECKPOINT_BYTES: Final = 14 << 20
"""When it has grown by this much, it is copied whatever else waits.  Past 4,062 pages, SQLite would
have to grow its shared memory in the middle of a commit."""
_BUSY_S: Final = 5.0
_LOCK_ATTEMPTS: Final = 10
_LOCK_PAUSE_S: Final = 0.05
_LOOK_APPENDS: Final = 64
"""Every so many appends: are the files that we write still the ones in the directory?"""

# The row is written only if it continues the last one; else `count` is null, which is refused.
_APPEND: Final = """
INSERT INTO batches (first, count, epoch, hash, frame) VALUES (?1,
  CASE WHEN (SELECT first + count = ?1 AND epoch <= ?3 AND hash = ?6
             FROM batches ORDER BY first DESC LIMIT 1) THEN ?2 END,
  ?3, ?4, ?5)
"""


class SqliteStore:
    """One journal file, held by the only process that may append.

    `read_only` reads up to the present end, also of a journal that another process appends to.
    """

    def __init__(self, path: Path, cell: str, *, read_only: bool = False) -> None:
        self.path = path
        self._stopped = f"{path} is open for reading only" if read_only else ""
        self._written_bytes = 0
        self._appends = 0
        self._connection: sqlite3.Connection | None = None
        self._copier: sqlite3.Connection | None = None
        self.copy_due = False
        """Whether `copy_log` should be called, by another thread than the appends'."""
        self._copied = False
        self._mark: headmark.HeadMark | None = None
        # Let go in the opposite order.  The last connection to close would copy the log into the
        # database; so the last one is read-only, and cannot.
        with ExitStack() as resources:
            lock = _try_lock(path) if read_only else take_lock(path)
            if lock is not None:
                resources.callback(os.close, lock)
            # Beside a running exchange these two would drop its locks, if it runs in this process.
            mark = _whole_or_new(path, cell, read_only=read_only, locked=lock is not None)
            if lock is not None:
                sqlite_read.check_log(path)
            self._reader = resources.enter_context(closing(sqlite_read.connect(path)))
            self.head = sqlite_read.inspect(self._reader, path, cell, mark)
            if not read_only:
                self._mark = resources.enter_context(closing(headmark.HeadMark(mark_path(path))))
                self._mark.write(self.head.sequence, self.head.hash)
                self._copier = resources.enter_context(closing(_connect(path)))
                self._connection = resources.enter_context(closing(_connect(path)))
            if lock is not None and read_only:
                fcntl.flock(lock, fcntl.LOCK_UN)
            self._files = self._identities()
            self._resources = resources.pop_all()

    def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        """Write one batch and return once it is durable; see `port.Journal.append`."""
        check_batch(payloads)
        if self._stopped or self._connection is None or self._mark is None:
            raise JournalClosedError(self._stopped)
        head = self.head
        if expected != head.sequence + 1 or epoch < head.epoch:
            raise self._conflict(expected, epoch, head)
        framed = frame(payloads)
        link = chain_hash(head.hash, expected, epoch, framed)
        row = (expected, len(payloads), epoch, link, framed, head.hash)
        try:
            self._connection.execute(_APPEND, row)
        except sqlite3.IntegrityError:
            stored = sqlite_read.last_batch(self._connection, self.path)
            raise self._conflict(expected, epoch, stored) from None
        except sqlite3.Error as error:
            raise self._append_error(error) from error
        self.head = Head(expected + len(payloads) - 1, epoch, link)
        self._mark.write(self.head.sequence, link)
        self._written_bytes += len(framed) + 2 * PAGE_BYTES
        self._appends += 1
        return self.head

    def read(self, first: int, limit: int) -> list[Entry]:
        """Return entries; may run in another thread than the appends."""
        return sqlite_read.read(self._reader, self.path, self.head, first, limit)

    def hash_at(self, sequence: int) -> bytes | None:
        if sequence > self.head.sequence:
            return None
        return sqlite_read.hash_at(self._reader, self.path, sequence)

    def maintain(self) -> None:
        """Do what is due between appends; a failed sync stops the journal."""
        if self._stopped:
            return
        if self._appends % _LOOK_APPENDS == 0 and self._identities() != self._files:
            self._stopped = f"{self.path} was removed or replaced while in use.  {HELP}"
        elif self._copied or self._written_bytes >= CHECKPOINT_BYTES:
            # Only a log that is copied to its very end is begun anew by the next append.
            self._checkpoint(self._connection)
            self._written_bytes = 0
            self.copy_due = self._copied = False
        elif self._written_bytes >= COPY_BYTES:
            self.copy_due = True

    def copy_log(self) -> None:
        """Copy most of the log into the database while appends go on; `maintain` does the rest."""
        self._checkpoint(self._copier)
        self._copied = True

    def close(self) -> None:
        """Let go of the files as they are: SQLite must not tidy up what it may have misread."""
        self._resources.close()
        self._stopped = f"{self.path} was closed"

    def _checkpoint(self, connection: sqlite3.Connection | None) -> None:
        """Copy what the log holds now into the database."""
        if connection is None or self._stopped:
            return
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            if not _is_full(error):
                self._stopped = f"{self.path}: copying the log failed ({error}).  {HELP}"

    def _conflict(self, expected: int, epoch: int, head: Head) -> JournalConflictError:
        return JournalConflictError(
            f"{self.path}: append at {expected} with epoch {epoch} refused: the journal ends at"
            f" {head.sequence} with epoch {head.epoch}",
            head,
        )

    def _append_error(self, error: sqlite3.Error) -> JournalError:
        """Turn SQLite's error into ours; whatever leaves the outcome open stops the journal."""
        if _is_full(error):
            return JournalFullError(
                f"{self.path}: the disk takes no more ({error}): full, or past a quota or limit"
            )
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return JournalError(f"{self.path}: another process writes to it ({error})")
        self._stopped = f"{self.path}: stopped after a failed append ({error})"
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return JournalDamagedError(f"{self._stopped}.  {HELP}")
        # After a failed sync the kernel may drop what was not written and report success next
        # time: so it is never tried again, and only a new start may look at the file.
        return JournalUnknownError(f"{self._stopped}.  {HELP}")

    def _identities(self) -> list[tuple[int, int]]:
        found = []
        for path in (self.path, _beside(self.path, "-wal")):
            try:
                status = path.stat()
            except FileNotFoundError:
                found.append((0, 0))
            else:
                found.append((status.st_dev, status.st_ino))
        return found


def mark_path(path: Path) -> Path:
    return path.with_suffix(".head")


def _whole_or_new(path: Path, cell: str, *, read_only: bool, locked: bool) -> headmark.Mark:
    """Return the mark; create the files of a new journal, refuse an old one that is not whole."""
    try:
        mark = headmark.read(mark_path(path))
    except headmark.HeadMarkError:
        raise JournalDamagedError(
            f"{mark_path(path)}: the head mark is unreadable.  {HELP}"
        ) from None
    exists = path.exists() and path.stat().st_size > 0
    if mark is None and exists:
        raise JournalDamagedError(
            f"{mark_path(path)}: the head mark is missing, so nothing says whether {path} is"
            f" complete.  {HELP}"
        )
    if mark is not None and mark.sequence > 0 and not exists:
        raise JournalDamagedError(
            f"{path} is missing or empty; entries 1 to {mark.sequence} were durable.  {HELP}"
        )
    if exists and locked:
        sqlite_read.check_header(path)
    if not exists or not sqlite_read.is_made(path):
        if read_only:
            raise JournalError(f"{path}: there is no journal")
        _create(path, cell)
    return mark or headmark.Mark(0, GENESIS_HASH)


def _create(path: Path, cell: str) -> None:
    """Make mark and database; the mark first, so that a database never stands without one."""
    if not mark_path(path).exists():
        headmark.create(mark_path(path))
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {sqlite_read.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {sqlite_read.FORMAT}")
        connection.execute(
            "CREATE TABLE batches (first INTEGER PRIMARY KEY, count INTEGER NOT NULL,"
            " epoch INTEGER NOT NULL, hash BLOB NOT NULL, frame BLOB NOT NULL)"
        )
        connection.execute(
            "INSERT INTO batches VALUES (0, 1, 0, ?, ?)", (GENESIS_HASH, cell.encode())
        )
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if _is_full(error):
            raise JournalFullError(f"{path}: no space for a new journal ({error})") from error
        raise sqlite_read.damaged(path, error) from error
    finally:
        connection.close()
    path.chmod(0o600)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def take_lock(path: Path) -> int:
    """Return a descriptor that holds the file's only lock; raise JournalError if another does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_LOCK_ATTEMPTS):
        descriptor = _try_lock(path)
        if descriptor is not None:
            return descriptor
        # Who only looks lets go soon; who appends does not.
        time.sleep(_LOCK_PAUSE_S)
    raise JournalError(f"{path} is in use by another process")


def _try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock, or None if another process does."""
    try:
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        raise JournalError(f"{path}: there is no journal") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_full(error: sqlite3.Error) -> bool:
    """Return whether the disk refused bytes; the commit's last frame was not written then."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
