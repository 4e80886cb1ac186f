"""The SQLite engine: one machine, nothing to install.  The rule: the event loop never waits.

Appends run in one thread, reads in another, so that who reads history does not hold up who trades.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from seawall.journal.port import Entry, Head, JournalClosedError
from seawall.journal.sqlite_store import SqliteStore
from seawall.journal.worker import Worker
from seawall.model import limits


class SqliteJournal:
    """A `port.Journal` in one SQLite file; see docs/internals/journal.md."""

    def __init__(self, store: SqliteStore, writer: Worker, reader: Worker) -> None:
        self._store = store
        self._writer = writer
        self._reader = reader
        self._grown = asyncio.Event()
        self._closed = False
        self._copying = False

    @classmethod
    async def open(cls, path: Path, cell: str, *, read_only: bool = False) -> "SqliteJournal":
        """Open the journal of `cell`, or create it; raise JournalError if it cannot be trusted."""
        writer = Worker(f"journal-{cell}-append")
        try:
            store = await writer.call(_open, path, cell, read_only)
        except BaseException:
            writer.stop()
            raise
        return cls(store, writer, Worker(f"journal-{cell}-read"))

    async def head(self) -> Head:
        self._check_open()
        return self._store.head

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        self._check_open()
        done = self._writer.call(self._store.append, expected, epoch, payloads)
        self._writer.post(self._store.maintain)
        done.add_done_callback(self._on_appended)
        # Who stops waiting does not stop the append.
        return await asyncio.shield(done)

    async def read(self, first: int, limit: int) -> list[Entry]:
        self._check_open()
        return await self._reader.call(self._store.read, first, limit)

    async def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        while not self._closed:
            grown = self._grown
            if first > self._store.head.sequence:
                await grown.wait()
                continue
            entries = await self.read(first, limits.READ_ENTRIES)
            first += len(entries)
            yield entries

    async def hash_at(self, sequence: int) -> bytes | None:
        self._check_open()
        return await self._reader.call(self._store.hash_at, sequence)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._grown.set()
        await self._reader.call(int)
        self._reader.stop()
        await self._writer.call(self._store.close)
        self._writer.stop()

    def _on_appended(self, done: "asyncio.Future[Head]") -> None:
        if self._store.copy_due and not self._copying:
            self._copying = True
            self._reader.call(self._store.copy_log).add_done_callback(self._on_copied)
        if done.exception() is None:
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()

    def _on_copied(self, _: "asyncio.Future[None]") -> None:
        self._copying = False

    def _check_open(self) -> None:
        if self._closed:
            raise JournalClosedError(f"{self._store.path} was closed")


def _open(path: Path, cell: str, read_only: bool) -> SqliteStore:
    return SqliteStore(path, cell, read_only=read_only)
