"""Following a journal in etcd.  The rule: the watch only hastens; what is next is always known.

A reader reads until it has caught up, then watches from the next revision.  A batch that a watch
brings is believed only if it goes on where the last one ended, in sequence and in hash.  After
anything else (a gap, a compaction, a member without a leader, silence while others have more) it
reads again, so no entry is left out and none comes twice.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Final, Protocol

import grpc
from aetcd import rpc
from msgspec import Struct

from seawall.journal.etcd_client import EtcdClient, EtcdUnsureError, Member
from seawall.journal.etcd_rows import Batch, Chain, Keys, decode_batch
from seawall.journal.port import Entry, JournalUnavailableError
from seawall.model import limits

IDLE_S: Final = 1.0
"""After so long without an event, others are asked whether there is more."""
_GRACE_S: Final = 0.3
"""What a watch gets to bring what others have already."""
_PAUSE_S: Final = 0.05
"""Before etcd is asked again after a failure."""


class Part(Struct, frozen=True):
    """Some entries, read at one moment."""

    entries: list[Entry]
    revision: int
    """etcd's revision at that moment."""
    is_end: bool
    """Whether the journal ended after them then."""


class Source(Protocol):
    """The journal that is followed."""

    client: EtcdClient
    keys: Keys

    async def part(self, first: int, limit: int) -> Part:
        """Return some entries from `first` on, at least one if there is one."""
        ...


async def follow(
    source: Source, first: int, closed: asyncio.Event
) -> AsyncGenerator[list[Entry], None]:
    """Yield entries from `first` on until the journal is closed; see `port.Journal.tail`."""
    chain = Chain(first - 1)
    while not closed.is_set():
        try:
            part = await source.part(chain.sequence + 1, limits.READ_ENTRIES)
        except JournalUnavailableError:
            await _pause(closed)
            continue
        if part.entries:
            last = part.entries[-1]
            chain = Chain(last.sequence, last.hash if part.is_end else None)
            yield part.entries
        if not part.is_end:
            continue
        watch = _Watch(source, source.client.preferred, closed)
        try:
            await watch.start(part.revision + 1)
            while (batches := await watch.next(chain.sequence + 1)) is not None:
                entries: list[Entry] = []
                for batch in batches:
                    entries += batch.entries(chain.sequence + 1)
                    chain.take(batch)
                if entries:
                    yield entries
        except (EtcdUnsureError, grpc.aio.AioRpcError, grpc.aio.UsageError):
            source.client.avoid(watch.member)
            await _pause(closed)
        finally:
            await watch.close()


class _Watch:
    """One watch at one member."""

    def __init__(self, source: Source, member: Member, closed: asyncio.Event) -> None:
        self.member = member
        self._source = source
        self._call = member.method("Watch")(metadata=(("hasleader", "true"),))
        self._closing = asyncio.ensure_future(closed.wait())
        self._reading: asyncio.Future[Any] | None = None

    async def start(self, revision: int) -> None:
        keys = self._source.keys
        create = rpc.WatchCreateRequest(
            key=keys.batches,
            range_end=keys.batches_end,
            start_revision=revision,
            filters=[rpc.WatchCreateRequest.NODELETE],
        )
        await self._call.write(rpc.WatchRequest(create_request=create))

    async def next(self, first: int) -> list[Batch] | None:
        """Return the next batches, the first of which holds `first`.

        None when one must read: the watch was cancelled, leaves out something, or is closed.
        """
        answer = await self._answer(first)
        if answer is None or answer is grpc.aio.EOF or answer.canceled or answer.compact_revision:
            return None
        batches: list[Batch] = []
        for event in answer.events:
            batch = decode_batch(self._source.keys, event.kv.key, event.kv.value)
            if batch.first > first:
                return None
            if batch.last >= first:
                first = batch.last + 1
                batches.append(batch)
        return batches

    async def _answer(self, first: int) -> Any:
        """Return the member's next message; None if the journal is closed."""
        while True:
            if self._reading is None:
                self._reading = asyncio.ensure_future(self._call.read())
            waited = {self._reading, self._closing}
            await asyncio.wait(waited, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
            if self._closing.done():
                return None
            if not self._reading.done() and await self._is_left_behind(first):
                await asyncio.wait({self._reading}, timeout=_GRACE_S)
                if not self._reading.done():
                    raise EtcdUnsureError(f"the watch at {self.member.endpoint} brings nothing")
            if self._reading.done():
                answer, self._reading = self._reading.result(), None
                return answer

    async def _is_left_behind(self, first: int) -> bool:
        try:
            part = await self._source.part(first, 1)
        except JournalUnavailableError:
            return False
        return bool(part.entries)

    async def close(self) -> None:
        self._closing.cancel()
        self._call.cancel()
        if self._reading is not None:
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError, grpc.aio.UsageError):
                await self._reading


async def _pause(closed: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(closed.wait(), _PAUSE_S)
