"""What no longer fits in memory, in SQLite.  The rule: history at its watermark is a pure function
of the journal up to there; every write carries its watermark in the same transaction.

One thread owns the connection: writes and reads take turns, in the order they were asked for, so a
reader sees all that was handed over before it asked.  The file is a cache of the journal.  Killed
at any moment it is whole at some watermark; damaged or of another format, it is discarded and made
anew by replaying the journal.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import structlog

from seawall.views.schema import INDEXES, SCHEMA_VERSION, TABLES, WRITES

P = ParamSpec("P")
T = TypeVar("T")

BACKLOG_BATCHES: Final = 64
"""Batches kept for another attempt while the disk takes none."""

_CHECKPOINT_PAGES: Final = 4_000
_INT64: Final = 1 << 63
_LOG = structlog.get_logger("seawall.views")


class HistoryError(Exception):
    """History cannot answer; the message says why.  Nothing that was committed is lost by it."""


class HistoryDamagedError(HistoryError):
    """The file is not what was written; the next start discards it and replays the journal."""


class HistoryUnavailableError(HistoryError):
    """The disk takes no writes, or gives no reads, at the moment."""


class HistoryBehindError(HistoryError):
    """A snapshot begins after what history holds; load an older one, or replay from the start."""


class Batch:
    """All changes up to `sequence` since the batch before: rows by table, in writing order."""

    def __init__(self, sequence: int, rows: dict[str, list[tuple[object, ...]]]) -> None:
        self.sequence = sequence
        self.rows = rows


class History:
    """The file, its one thread, and the sequence up to which it is complete."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "history.sqlite"
        self._damage_mark = directory / "history.damaged"
        self._connection: sqlite3.Connection
        self._backlog: list[Batch] = []
        self._stopped = ""
        """Why nothing can be written or read until the next start; empty while all is well."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="views-history")
        self.watermark = 0
        """Every change up to this sequence is in the file; written by the thread."""

    @classmethod
    def open(cls, directory: Path) -> "History":
        """Open the history in `directory`, discarding one that cannot be used."""
        directory.mkdir(parents=True, exist_ok=True)
        history = cls(directory)
        try:
            history._thread.submit(history._open).result()
        except BaseException:
            history._thread.shutdown()
            raise
        return history

    def write(self, batch: Batch) -> Future[None]:
        """Queue a batch; if it cannot be written it is kept, and tried again with the next call."""
        return self._thread.submit(self._write, batch)

    def read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """Run `query(connection, ...)` after all writes queued before."""
        return self._thread.submit(self._read, query, *args, **kwargs)

    def sync(self) -> Future[None]:
        """Make all queued writes survive a power loss too."""
        return self._thread.submit(self._sync)

    def discard(self, reason: str) -> None:
        """Throw everything away, to be filled again from the journal."""
        self._thread.submit(self._discard, reason).result()

    def close(self) -> Future[None]:
        """Close the file once all before is done; the last call."""
        done = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        return done

    # On the thread

    def _open(self) -> None:
        if self._damage_mark.exists():
            self._delete("damage was found while it was in use")
        try:
            self._connect()
        except HistoryDamagedError as error:
            self._delete(str(error))
            self._connect()

    def _connect(self) -> None:
        try:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._create()
            (version,) = self._connection.execute(
                "SELECT value FROM meta WHERE name = 'schema'"
            ).fetchone()
            if version != SCHEMA_VERSION:
                raise HistoryDamagedError(
                    f"written in format {version}, this version has {SCHEMA_VERSION}"
                )
            (self.watermark,) = self._connection.execute(
                "SELECT value FROM meta WHERE name = 'watermark'"
            ).fetchone()
        except (sqlite3.Error, TypeError) as error:
            raise self._named(error) from error

    def _create(self) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for statement in (*TABLES.values(), *INDEXES):
            execute(statement)
        execute(
            "INSERT OR IGNORE INTO meta VALUES ('schema', ?), ('watermark', 0)", (SCHEMA_VERSION,)
        )
        execute("COMMIT")

    def _write(self, batch: Batch) -> None:
        if len(self._backlog) >= BACKLOG_BATCHES:
            # The watermark stays where it is, so that the next start replays what is missing.
            self._backlog = []
            self._stopped = (
                f"{BACKLOG_BATCHES} batches could not be written; restart once the disk takes"
                " writes, and the journal refills history"
            )
        else:
            self._backlog.append(batch)
        try:
            self._drain()
        except HistoryError as error:
            _LOG.error("history_not_written", reason=str(error), batches=len(self._backlog))
            raise

    def _drain(self) -> None:
        """Write what waits; raise HistoryError if any of it cannot be written."""
        if self._stopped:
            raise HistoryUnavailableError(self._stopped)
        try:
            while self._backlog:
                self._transact(self._backlog[0])
                self.watermark = self._backlog.pop(0).sequence
        except sqlite3.Error as error:
            raise self._named(error) from error

    def _transact(self, batch: Batch) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for name, rows in batch.rows.items():
                if rows:
                    self._write_rows(WRITES[name], rows)
            execute("UPDATE meta SET value = ? WHERE name = 'watermark'", (batch.sequence,))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _write_rows(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT rows")
        try:
            self._connection.executemany(statement, rows)
        except OverflowError:
            # SQLite's integers end at 64 bits, amounts do not: larger ones are kept as text.
            execute("ROLLBACK TO rows")
            self._connection.executemany(statement, [tuple(map(_storable, row)) for row in rows])
        execute("RELEASE rows")

    def _read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        self._drain()
        try:
            return query(self._connection, *args, **kwargs)
        except sqlite3.Error as error:
            raise self._named(error) from error

    def _sync(self) -> None:
        self._drain()
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            raise self._named(error) from error

    def _close(self) -> None:
        self._connection.close()

    def _discard(self, reason: str) -> None:
        self._connection.close()
        self._backlog = []
        self._delete(reason)
        self._connect()

    def _delete(self, reason: str) -> None:
        _LOG.warning("history_discarded", file=str(self._path), reason=reason)
        for name in ("history.sqlite", "history.sqlite-wal", "history.sqlite-shm"):
            (self._directory / name).unlink(missing_ok=True)
        self._damage_mark.unlink(missing_ok=True)

    def _named(self, error: Exception) -> HistoryError:
        """Return the error under our name; only real damage condemns the file."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or isinstance(error, TypeError):
            self._damage_mark.touch()
            return HistoryDamagedError(f"{self._path}: {error}")
        return HistoryUnavailableError(f"{self._path}: {error}")


def _storable(value: object) -> object:
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return str(value)
    return value
