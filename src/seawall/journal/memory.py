"""A journal in memory, for tests and the simulator.  The rule: it fails exactly as it is told to.

`MemoryDisk` is what outlives a crash; a `MemoryJournal` is one process's handle on it.  A `Fault`
planned for the next append makes it fail, before or after its bytes are safe.  An append told to
hang is written but not synced until `sync` or `crash` decides its fate.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from enum import Enum, auto

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
from seawall.model import limits


class Fault(Enum):
    """What the next append meets."""

    NONE = auto()
    FULL = auto()
    """No space: nothing is written."""
    UNKNOWN_WRITTEN = auto()
    """Durable, but the answer is lost."""
    UNKNOWN_LOST = auto()
    """Not written, and the answer is lost."""
    UNKNOWN_LATE = auto()
    """The answer is lost, and the bytes arrive only with the next call; unless it came first."""
    DAMAGED = auto()
    """The store finds itself damaged: nothing is written, now or later."""
    HANG = auto()
    """Written but not synced; no answer until `MemoryDisk.sync`, none at all after `crash`."""


class _Batch:
    def __init__(self, before: Head, first: int, epoch: int, payloads: Sequence[bytes]) -> None:
        framed = frame(payloads)
        self.entries: list[Entry] = []
        link = chain_hash(before.hash, first, epoch, framed)
        for sequence, payload in enumerate(payloads, first):
            self.entries.append(Entry(sequence, epoch, payload, link))
        self.head = Head(first + len(payloads) - 1, epoch, link)


class MemoryDisk:
    """What is durable, and what is only written."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.ends: dict[int, bytes] = {0: GENESIS_HASH}
        """Chain hash by the last sequence of each batch."""
        self.faults: deque[Fault] = deque()
        self.damaged = ""
        self.grown = asyncio.Event()
        self.hanging = asyncio.Event()
        """Set while an append waits for `sync` or `crash`."""
        self._late: _Batch | None = None
        self._unsynced: tuple[_Batch, asyncio.Future[Head]] | None = None

    @property
    def head(self) -> Head:
        if not self.entries:
            return Head(0, 0, GENESIS_HASH)
        last = self.entries[-1]
        return Head(last.sequence, last.epoch, last.hash)

    def arrive_late(self) -> None:
        """Let an append whose answer was lost reach the store now, if it still fits."""
        late, self._late = self._late, None
        if late is not None and late.entries[0].sequence == self.head.sequence + 1:
            self._keep(late)

    def sync(self) -> None:
        """Make what hangs durable, and answer whoever waits for it."""
        unsynced, self._unsynced = self._unsynced, None
        self.hanging.clear()
        if unsynced is not None:
            batch, answer = unsynced
            self._keep(batch)
            if not answer.done():
                answer.set_result(batch.head)

    def crash(self) -> None:
        """Lose what was not synced; whoever waits for it is never answered."""
        self._unsynced = None
        self.hanging.clear()

    def append(
        self, expected: int, epoch: int, payloads: Sequence[bytes]
    ) -> "Head | asyncio.Future[Head]":
        """Write one batch, or fail as planned; a future if the answer hangs."""
        if self.damaged:
            raise JournalDamagedError(self.damaged)
        head = self.head
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if fault is Fault.FULL:
            raise JournalFullError("the disk is full, as planned")
        if expected != head.sequence + 1 or epoch < head.epoch:
            self.arrive_late()
            raise JournalConflictError(
                f"append at {expected} with epoch {epoch} refused: the journal ends at"
                f" {head.sequence} with epoch {head.epoch}",
                head,
            )
        if fault is Fault.DAMAGED:
            self.damaged = "the disk is damaged, as planned"
            raise JournalDamagedError(self.damaged)
        batch = _Batch(head, expected, epoch, payloads)
        if fault is Fault.HANG:
            answer: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
            self._unsynced = (batch, answer)
            self.hanging.set()
            return answer
        if fault is Fault.UNKNOWN_LATE:
            self._late = batch
        elif fault is not Fault.UNKNOWN_LOST:
            self._keep(batch)
        if fault is not Fault.NONE:
            raise JournalUnknownError("the answer was lost, as planned")
        return batch.head

    def _keep(self, batch: _Batch) -> None:
        self.entries += batch.entries
        self.ends[batch.head.sequence] = batch.head.hash
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()


class MemoryJournal:
    """A `port.Journal` on a `MemoryDisk`."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self._closed = False

    async def head(self) -> Head:
        self._check_open()
        if self.disk.damaged:
            raise JournalDamagedError(self.disk.damaged)
        return self.disk.head

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        check_batch(payloads)
        self._check_open()
        answer = self.disk.append(expected, epoch, payloads)
        return answer if isinstance(answer, Head) else await answer

    async def read(self, first: int, limit: int) -> list[Entry]:
        self._check_open()
        if first < 1:
            raise JournalError("entries are numbered from 1")
        found = self.disk.entries[first - 1 : first - 1 + max(limit, 0)]
        self.disk.arrive_late()
        return found

    async def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        while not self._closed:
            grown = self.disk.grown
            entries = self.disk.entries[first - 1 : first - 1 + limits.READ_ENTRIES]
            if entries:
                first += len(entries)
                yield entries
            else:
                await grown.wait()

    async def hash_at(self, sequence: int) -> bytes | None:
        self._check_open()
        return self.disk.ends.get(sequence)

    async def close(self) -> None:
        self._closed = True
        grown, self.disk.grown = self.disk.grown, asyncio.Event()
        grown.set()

    def _check_open(self) -> None:
        if self._closed:
            raise JournalClosedError("the journal was closed")
