"""A journal whose reader keeps a copy of what it saw.  The rule: kept before it is told.

Whatever this process is answered by the journal, appended or followed, stands in its replica log
before anybody here acts on it.  So what a node has told its clients outlives the loss of all of
etcd, as long as the node's own disk does.  The copy never decides and never stops the journal: a
disk that takes no more is a warning, and what is missing is read again later.

The one thing that it refuses: to open a journal that has gone back behind the copy.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

import structlog

from seawall.journal.etcd import EtcdJournal
from seawall.journal.port import Entry, Head, JournalDamagedError, JournalError
from seawall.journal.replica_log import ReplicaLog, sync
from seawall.model import limits

SYNC_S: Final = 1.0
FORGET_ROUNDS: Final = 60
"""Rounds of SYNC_S between two looks at what the archive has."""
HELP: Final = "See docs/operating/quorum-repair.md"

_log = structlog.get_logger("seawall.journal")


class KeptJournal:
    """A `port.Journal` of one cell in etcd, with a replica log."""

    def __init__(self, inner: EtcdJournal, log: ReplicaLog) -> None:
        self.inner = inner
        self.log = log
        self._lost = ""
        """Why the log lacks something; empty while it does not."""
        self._seen = log.kept
        """The last entry that anybody here was told of."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    @classmethod
    async def open(cls, inner: EtcdJournal, folder: Path) -> "KeptJournal":
        """Open the log; raise JournalDamagedError if the journal lacks what it holds."""
        log = await asyncio.to_thread(ReplicaLog.open, folder)
        bounds = await inner.bounds()
        if log.kept:
            await _compare(inner, log)
        if bounds is not None and log.kept < bounds[0].first - 1:
            log.start(bounds[0].first - 1, bounds[0].previous)
        return cls(inner, log)

    async def head(self) -> Head:
        return await self.inner.head()

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        head = await self.inner.append(expected, epoch, payloads)
        self._seen = max(self._seen, head.sequence)
        if not self._lost:
            try:
                if not self.log.append(expected, epoch, payloads, head.hash):
                    self._lose(f"entry {expected} came before others")
            except (OSError, JournalError) as error:
                self._lose(str(error))
        return head

    async def read(self, first: int, limit: int) -> list[Entry]:
        entries = await self.inner.read(first, limit)
        if first <= self.log.sequence + 1:
            self._take(entries)
        return entries

    async def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        async with contextlib.aclosing(self.inner.tail(first)) as tail:
            async for entries in tail:
                self._take(entries)
                yield entries

    async def hash_at(self, sequence: int) -> bytes | None:
        return await self.inner.hash_at(sequence)

    async def close(self) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self.inner.close()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self.log.close)

    def _take(self, entries: list[Entry]) -> None:
        self._seen = max(self._seen, entries[-1].sequence if entries else 0)
        if self._lost:
            return
        try:
            if not self.log.take(entries):
                self._lose(f"entry {entries[-1].sequence} came before others")
        except (OSError, JournalError) as error:
            self._lose(str(error))

    def _lose(self, why: str) -> None:
        self._lost = why
        self.log.rewind()

    # In the background

    async def _keep(self) -> None:
        """Sync, fill what was missed, and forget what the archive has."""
        rounds = 0
        told = ""
        while True:
            await asyncio.sleep(SYNC_S)
            rounds += 1
            try:
                if self._lost:
                    await self._fill()
                await asyncio.to_thread(sync, self.log.unsynced())
                if rounds % FORGET_ROUNDS == 0:
                    await self._forget()
                told = ""
            except (OSError, JournalError) as error:
                self.log.rewind()
                if str(error) != told:
                    told = str(error)
                    _log.warning("replica log lacks entries", cell=self.inner.keys.cell, why=told)

    async def _fill(self) -> None:
        """Read what the log lacks, until what comes next goes on from it."""
        bounds = await self.inner.bounds()
        if bounds is not None and self.log.kept < bounds[0].first - 1:
            self.log.start(bounds[0].first - 1, bounds[0].previous)
        while True:
            entries = await self.inner.read(self.log.sequence + 1, limits.READ_ENTRIES)
            self.log.take(entries)
            if not entries and self.log.sequence >= self._seen:
                break
        self._lost = ""

    async def _forget(self) -> None:
        """Etcd forgets only what the archive has in enough copies; so may the log."""
        bounds = await self.inner.bounds()
        if bounds is not None:
            await asyncio.to_thread(self.log.forget, bounds[0].first)


async def _compare(inner: EtcdJournal, log: ReplicaLog) -> None:
    head = await inner.head()
    cell = inner.keys.cell
    if log.kept > head.sequence:
        raise JournalDamagedError(
            f"{cell}: this node has durable entries up to {log.kept}, and the journal ends at"
            f" {head.sequence}: it has gone back.  {HELP}"
        )
    there = await inner.hash_at(log.kept)
    if there is None:
        bounds = await inner.bounds()
        if bounds is not None and log.kept < bounds[0].first:
            # So old that only the archive could tell, and it is not here.
            return
    if there != log.hash:
        raise JournalDamagedError(
            f"{cell}: this node's entry {log.kept} is not the journal's: two histories.  {HELP}"
        )
