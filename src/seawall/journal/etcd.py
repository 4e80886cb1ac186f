"""The replicated engine, on etcd.  The rule: a transaction decides, and in doubt one reads.

An append is one transaction: if `head` is still as the batch expects it, write the batch and the
new head.  An answer that does not come is no answer: the same transaction is sent again, and since
its comparison can hold only once, at most one of the attempts is carried out.  Which one is read
off the batch itself, which names its writer.  See docs/internals/journal-etcd.md.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Protocol

from aetcd import rpc

from seawall.journal.etcd_client import (
    EtcdClient,
    EtcdCorruptError,
    EtcdError,
    EtcdFullError,
    EtcdRefusedError,
    kvs,
    reads,
)
from seawall.journal.etcd_follow import Part, follow
from seawall.journal.etcd_rows import (
    HELP,
    Batch,
    Chain,
    Keys,
    decode_batch,
    encode_head,
    head_of,
)
from seawall.journal.port import (
    EMPTY,
    GENESIS_HASH,
    Entry,
    Head,
    JournalClosedError,
    JournalConflictError,
    JournalDamagedError,
    JournalError,
    JournalFullError,
    JournalUnavailableError,
    JournalUnknownError,
    check_batch,
)

ANSWER_S: Final = 5.0
"""How long a call may look for a definite answer, at one member after another."""
_END_ATTEMPTS: Final = 3
_PAGE_BATCHES: Final = 16
_PAGE_BATCHES_MAX: Final = 1_024
_PAGE_BYTES: Final = 2 << 20
"""Pages grow in batches while they are smaller than this."""


class Archived(Protocol):
    """Where entries are that etcd no longer has; see `archive.py`."""

    async def read(self, cell: str, first: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries from `first` on; an empty list if they are not there."""
        ...

    async def hash_at(self, cell: str, sequence: int) -> bytes | None: ...


class Page:
    """Batches read at one moment."""

    def __init__(self, batches: list[Batch], head: Head, revision: int) -> None:
        self.batches = batches
        self.head = head
        self.revision = revision


class EtcdJournal:
    """A `port.Journal` of one cell in etcd.  Whoever made the client closes it."""

    def __init__(
        self,
        client: EtcdClient,
        cell: str,
        *,
        namespace: str = "seawall",
        archive: Archived | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.client = client
        self.keys = Keys(namespace, cell)
        self.archive = archive
        self._writer = os.urandom(16)
        self._answer_s = answer_s
        self._head = EMPTY
        """The last durable head seen here."""
        self._doubted = b""
        """Link of an append that was left without an answer; it may yet be carried out."""
        self._appending = asyncio.Lock()
        self._tasks: set[asyncio.Task[Head]] = set()
        self._page_batches = _PAGE_BATCHES
        self._closed = asyncio.Event()

    @classmethod
    async def open(
        cls,
        client: EtcdClient,
        cell: str,
        *,
        namespace: str = "seawall",
        archive: Archived | None = None,
        answer_s: float = ANSWER_S,
    ) -> "EtcdJournal":
        """Open the journal of `cell`, its end checked; raise JournalError if it cannot be."""
        journal = cls(client, cell, namespace=namespace, archive=archive, answer_s=answer_s)
        await journal.head()
        return journal

    async def head(self) -> Head:
        self._check_open()
        found, _ = await self._ask(reads(rpc.RangeRequest(key=self.keys.head)))
        for _ in range(_END_ATTEMPTS):
            head = head_of(found[0])
            end = rpc.RangeRequest(
                key=self.keys.batch(head.sequence), range_end=self.keys.batches_end, limit=2
            )
            found, _ = await self._ask(reads(rpc.RangeRequest(key=self.keys.head), end))
            if head_of(found[0]) == head:
                self._check_end(head, found[1])
                break
        head = head_of(found[0])
        self._saw(head)
        return head

    async def stale_head(self) -> Head:
        """Return the end as one member has it, without asking the others: it may lie behind.

        For what must be shown while there is no quorum, as last known; never to decide by.
        """
        self._check_open()
        request = reads(rpc.RangeRequest(key=self.keys.head, serializable=True))
        found, _ = await self._ask(request, alone=True)
        head = head_of(found[0])
        self._saw(head)
        return head

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        check_batch(payloads)
        self._check_open()
        task = asyncio.get_running_loop().create_task(self._append(expected, epoch, payloads))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Who stops waiting does not stop the append.
        return await asyncio.shield(task)

    async def read(self, first: int, limit: int) -> list[Entry]:
        self._check_open()
        if first < 1:
            raise JournalError("entries are numbered from 1")
        entries: list[Entry] = []
        while len(entries) < limit:
            part = await self.part(first + len(entries), limit - len(entries))
            entries += part.entries
            if part.is_end:
                break
        return entries

    async def part(self, first: int, limit: int) -> Part:
        """Return some entries from `first` on, at least one if there is one."""
        known = self._head.sequence >= first + limit - 1
        if known:
            # What surely exists may be asked of one member alone, unless it has not all of it.
            page = await self._page(first, serializable=True)
            known = bool(page.batches) and page.batches[0].first <= first
        if not known:
            page = await self._page(first, serializable=False)
        if page.head.sequence < first:
            return Part([], page.revision, is_end=True)
        if page.batches[0].first > first:
            entries = await self._from_archive(first, limit, page.batches[0])
            return Part(entries, page.revision, is_end=False)
        entries = []
        for batch in page.batches:
            entries += batch.entries(first)
        is_end = not known and len(entries) <= limit and batch.last == page.head.sequence
        return Part(entries[:limit], page.revision, is_end=is_end)

    def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        return follow(self, first, self._closed)

    async def hash_at(self, sequence: int) -> bytes | None:
        self._check_open()
        if sequence == 0:
            return GENESIS_HASH
        request = reads(
            rpc.RangeRequest(key=self.keys.batch(sequence)),
            rpc.RangeRequest(key=self.keys.batches, range_end=self.keys.batches_end, limit=1),
        )
        found, _ = await self._ask(request)
        if found[0]:
            return decode_batch(self.keys, found[0][0].key, found[0][0].value).hash
        if found[1] and self.archive is not None:
            oldest = decode_batch(self.keys, found[1][0].key, found[1][0].value)
            if sequence == oldest.first - 1:
                return oldest.previous
            if sequence < oldest.first:
                return await self.archive.hash_at(self.keys.cell, sequence)
        return None

    async def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # Sealing

    async def bounds(self) -> tuple[Batch, Batch] | None:
        """Return the oldest and the newest batch in etcd; None if the journal is empty."""
        head = await self.head()
        if head == EMPTY:
            return None
        ends = [
            rpc.RangeRequest(
                key=self.keys.batch(sequence), range_end=self.keys.batches_end, limit=1
            )
            for sequence in (0, head.sequence)
        ]
        oldest, newest = (
            decode_batch(self.keys, found[0].key, found[0].value)
            for found in (await self._ask(reads(*ends)))[0]
        )
        return oldest, newest

    async def batches(self, first: int, until: int) -> list[Batch]:
        """Return some batches from the one that begins at `first` on, none that ends past `until`.

        An empty list if etcd has no such batch, or none any more.
        """
        page = await self._page(first, serializable=False)
        if not page.batches or page.batches[0].first != first:
            return []
        return [batch for batch in page.batches if batch.last <= until]

    # Appending

    async def _append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        async with self._appending:
            before = self._head
            if expected != before.sequence + 1:
                # Another may have written; or this is an append of ours whose answer was lost.
                before = await self._head_before(expected, epoch)
            if epoch < before.epoch:
                raise _conflict(expected, epoch, await self.head())
            batch = Batch(expected, epoch, before.hash, payloads, self._writer)
            return await self._write(batch, before)

    async def _head_before(self, expected: int, epoch: int) -> Head:
        """Return the head that an append at `expected` must find; raise JournalConflictError."""
        head = await self.head()
        if expected == head.sequence + 1:
            return head
        if self._doubted and 0 < expected <= head.sequence:
            link = await self.hash_at(expected - 1)
            if link is not None:
                return Head(expected - 1, 0, link)
        raise _conflict(expected, epoch, head)

    async def _write(self, batch: Batch, before: Head) -> Head:
        doubted = self._doubted == batch.hash
        # Until an answer is here, there is doubt: also if this call is never heard of again.
        self._doubted = batch.hash
        try:
            reply = await self.client.call(
                "Txn", self._transaction(batch, before), total_s=self._answer_s
            )
        except EtcdFullError as error:
            return await self._settle(batch, doubted=doubted or error.doubt, full=error)
        except EtcdError as error:
            if doubted or error.doubt:
                raise JournalUnknownError(str(error)) from error
            self._doubted = b""
            raise _journal_error(error) from error
        if not reply.message.succeeded:
            return await self._settle(batch, doubted=doubted or reply.doubt)
        self._doubted = b""
        self._head = batch.head
        return batch.head

    def _transaction(self, batch: Batch, before: Head) -> Any:
        """Return the one transaction that an append is."""
        keys = self.keys
        if before.sequence == 0:
            unchanged = rpc.Compare(
                key=keys.head, target=rpc.Compare.CREATE, result=rpc.Compare.EQUAL
            )
        else:
            unchanged = rpc.Compare(
                key=keys.head,
                target=rpc.Compare.VALUE,
                result=rpc.Compare.EQUAL,
                value=encode_head(before),
            )
        head = rpc.PutRequest(key=keys.head, value=encode_head(batch.head))
        row = rpc.PutRequest(key=keys.batch(batch.last), value=batch.encode())
        return rpc.TxnRequest(
            compare=[unchanged],
            success=[rpc.RequestOp(request_put=row), rpc.RequestOp(request_put=head)],
        )

    async def _settle(
        self, batch: Batch, *, doubted: bool, full: EtcdFullError | None = None
    ) -> Head:
        """Read what stands where the batch belongs: return its head, or raise what is true.

        `doubted` says that an earlier attempt was not answered; `full`, that etcd answered with a
        full quota, which it also does after carrying out the transaction that fills it.
        """
        look = reads(
            rpc.RangeRequest(key=self.keys.head),
            rpc.RangeRequest(
                key=self.keys.batch(batch.first), range_end=self.keys.batches_end, limit=1
            ),
        )
        try:
            found, _ = await self._ask(look)
        except JournalError as error:
            raise JournalUnknownError(f"{full or 'refused'}; {error}") from error
        head = head_of(found[0])
        self._saw(head)
        if head.sequence >= batch.first:
            return self._decide(batch, head, found[1], doubted=doubted or full is not None)
        if full is None:
            # The comparison failed, so the journal had another end than this one.
            raise JournalDamagedError(
                f"etcd: {self.keys.cell} ends at {head.sequence} with another hash than the one"
                f" that was durable.  {HELP}"
            )
        if doubted:
            raise JournalUnknownError(f"{full}, and an earlier attempt was not answered")
        self._doubted = b""
        raise JournalFullError(str(full)) from full

    def _decide(self, batch: Batch, head: Head, found: Sequence[Any], *, doubted: bool) -> Head:
        """Return the head if what stands there is the batch, by this writer; else it lost."""
        there = decode_batch(self.keys, found[0].key, found[0].value) if found else None
        if doubted and (there is None or there.first > batch.first):
            raise JournalUnknownError(
                f"etcd: entry {batch.first} has gone to the archive before it could be looked at"
            )
        self._doubted = b""
        if (
            doubted
            and there is not None
            and there.hash == batch.hash
            and there.writer == self._writer
        ):
            return batch.head
        raise _conflict(batch.first, batch.epoch, head)

    # Reading

    async def _page(self, first: int, *, serializable: bool) -> Page:
        batches_range = rpc.RangeRequest(
            key=self.keys.batch(first),
            range_end=self.keys.batches_end,
            limit=self._page_batches,
            serializable=serializable,
        )
        head_range = rpc.RangeRequest(key=self.keys.head, serializable=serializable)
        found, revision = await self._ask(reads(head_range, batches_range), alone=serializable)
        head = head_of(found[0])
        size_bytes = sum(len(each.value) for each in found[1])
        if len(found[1]) == self._page_batches and size_bytes < _PAGE_BYTES:
            self._page_batches = min(2 * self._page_batches, _PAGE_BATCHES_MAX)
        elif size_bytes > 2 * _PAGE_BYTES:
            self._page_batches = max(self._page_batches // 2, 1)
        batches = [decode_batch(self.keys, each.key, each.value) for each in found[1]]
        if batches:
            chain = Chain(batches[0].first - 1)
            for batch in batches:
                chain.take(batch)
        elif head.sequence >= first:
            raise JournalDamagedError(
                f"etcd: entries {first} to {head.sequence} are missing.  {HELP}"
            )
        if not serializable:
            self._saw(head)
        return Page(batches, head, revision)

    async def _from_archive(self, first: int, limit: int, oldest: Batch) -> list[Entry]:
        """Return entries from before the oldest batch in etcd, which must follow them."""
        end = oldest.first
        if self.archive is None:
            raise JournalDamagedError(
                f"etcd begins at entry {end}, and no archive is configured that has {first}."
                f"  {HELP}"
            )
        entries = await self.archive.read(self.keys.cell, first, min(limit, end - first))
        if not entries:
            raise JournalDamagedError(
                f"entries {first} to {end - 1} are neither in etcd nor in the archive.  {HELP}"
            )
        if entries[-1].sequence == end - 1 and entries[-1].hash != oldest.previous:
            raise JournalDamagedError(
                f"the archive's entry {end - 1} is not the one that {end} in etcd follows.  {HELP}"
            )
        return entries

    async def _ask(
        self, request: Any, *, alone: bool = False
    ) -> tuple[Sequence[Sequence[Any]], int]:
        """Return what a transaction of reads found, and etcd's revision then."""
        try:
            reply = await self.client.call("Txn", request, total_s=self._answer_s, alone=alone)
        except EtcdError as error:
            raise _journal_error(error) from error
        return kvs(reply.message), reply.message.header.revision

    def _check_end(self, head: Head, found: Sequence[Any]) -> None:
        """Raise JournalDamagedError unless the last batch, and none after it, is the head's."""
        ends = [decode_batch(self.keys, each.key, each.value).head for each in found]
        if ends[:1] != ([] if head == EMPTY else [head]):
            raise JournalDamagedError(
                f"etcd: the head of {self.keys.cell} names {head.sequence} as the last entry, and"
                f" no batch ends there with its hash.  {HELP}"
            )
        if len(ends) > 1:
            raise JournalDamagedError(
                f"etcd: {self.keys.cell} has entries up to {ends[-1].sequence}, past its head at"
                f" {head.sequence}.  {HELP}"
            )

    def _saw(self, head: Head) -> None:
        if head.sequence > self._head.sequence:
            self._head = head

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise JournalClosedError(f"the journal of {self.keys.cell} in etcd was closed")


def _conflict(expected: int, epoch: int, head: Head) -> JournalConflictError:
    return JournalConflictError(
        f"append at {expected} with epoch {epoch} refused: the journal ends at {head.sequence}"
        f" with epoch {head.epoch}",
        head,
    )


def _journal_error(error: EtcdError) -> JournalError:
    """Return what an error means that surely changed nothing."""
    if isinstance(error, EtcdCorruptError):
        return JournalDamagedError(f"{error}.  {HELP}")
    if isinstance(error, EtcdFullError):
        return JournalFullError(str(error))
    if isinstance(error, EtcdRefusedError):
        return JournalError(str(error))
    return JournalUnavailableError(str(error))
