"""Puts proven batches into a new, empty etcd.  The rule: nobody can lead before all of it is there.

Until the end a guard stands where each journal's head belongs: who opens the journal then waits.
Every step may be taken again, by the same repair; another one's guard, or a head, refuses it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aetcd import rpc
from msgspec import Struct

from seawall.journal.etcd_client import EtcdClient, EtcdError, Member, kvs, reads
from seawall.journal.etcd_rows import Batch, Keys, decode_batch, decode_head, encode_head, guard_of
from seawall.journal.port import JournalDamagedError, JournalError

_CALL_S: Final = 10.0
_AT_ONCE: Final = 16
_PAGE_BATCHES: Final = 64


class RestoreError(Exception):
    """The new cluster is not one that may be written; the message says why."""


class Restored(Struct, frozen=True, kw_only=True):
    """One cell's journal as it will be."""

    keys: Keys
    previous: bytes
    """The chain hash before the first batch."""
    batches: list[Batch]


class Restore:
    """One repair's work on the new cluster."""

    def __init__(
        self,
        client: EtcdClient,
        repair: str,
        cells: Sequence[Restored],
        old_clusters: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._guard = guard_of(repair)
        self._old_clusters = old_clusters
        self._cells = [cell for cell in cells if cell.batches]

    async def check_members(self) -> None:
        """Raise RestoreError unless all members answer and are one cluster."""
        clusters: dict[int, str] = {}
        for member in self._client.members:
            try:
                status = await self._client.once(member, "Status", rpc.StatusRequest(), _CALL_S)
            except EtcdError as error:
                raise RestoreError(f"{error}; all members of the new cluster must run") from error
            if not status.leader:
                raise RestoreError(f"etcd at {member.endpoint} has no leader")
            clusters[status.header.cluster_id] = member.endpoint
        if any(f"{each:x}" in self._old_clusters for each in clusters):
            # Else an old member that comes back would be taken for one of the new ones.
            raise RestoreError(
                "the new cluster has the old one's id: start its members with empty directories and"
                " an --initial-cluster-token that was never used"
            )
        if len(clusters) > 1:
            raise RestoreError(
                f"{' and '.join(clusters.values())} are of different clusters: start all members"
                " with empty directories and one --initial-cluster-token"
            )

    async def is_open(self) -> bool:
        """Whether all heads stand already; raise RestoreError if what stands is not this repair's.

        Nodes may have written since: then the journal goes on from where the repair left it.
        """
        found = await self._heads()
        opened = [value is not None and value != self._guard for value in found]
        if not any(opened):
            return False
        for cell, value in zip(self._cells, found, strict=True):
            if value is None or value == self._guard:
                raise RestoreError(
                    f"{cell.keys.cell} has no head, and others have: not this repair"
                )
            try:
                head = decode_head(value)
            except JournalError as error:
                raise RestoreError(f"{cell.keys.cell}: {error}") from error
            planned = cell.batches[-1]
            there = await self._row(cell, planned.last) if head.sequence > planned.last else None
            if head != planned.head and there != planned.hash:
                raise RestoreError(
                    f"the etcd that was named is not empty: {cell.keys.cell} ends at"
                    f" {head.sequence} there"
                )
        return True

    async def guard(self) -> None:
        """Stand before every journal; raise RestoreError if something else does."""
        keys = [cell.keys.head for cell in self._cells]
        absent = [
            rpc.Compare(key=key, target=rpc.Compare.CREATE, result=rpc.Compare.EQUAL)
            for key in keys
        ]
        puts = [
            rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=self._guard)) for key in keys
        ]
        await self._call(rpc.TxnRequest(compare=absent, success=puts))
        if any(value != self._guard for value in await self._heads()):
            raise RestoreError("another journal, or another repair, stands in the etcd named")

    async def write(self) -> None:
        """Write every batch."""
        for cell in self._cells:
            for at in range(0, len(cell.batches), _AT_ONCE):
                part = cell.batches[at : at + _AT_ONCE]
                await asyncio.gather(*(self._put(cell, batch) for batch in part))

    async def verify(self) -> None:
        """Read all back from each member alone; raise JournalDamagedError or RestoreError."""
        for member in self._client.members:
            for cell in self._cells:
                await self._verify(member, cell)

    async def open(self) -> None:
        """Replace all guards by the heads, at once."""
        puts = [
            rpc.RequestOp(
                request_put=rpc.PutRequest(
                    key=cell.keys.head, value=encode_head(cell.batches[-1].head)
                )
            )
            for cell in self._cells
        ]
        await self._call(rpc.TxnRequest(compare=self._guarded(self._cells), success=puts))
        if not await self.is_open():
            raise RestoreError("the journals could not be opened")

    async def _put(self, cell: Restored, batch: Batch) -> None:
        put = rpc.PutRequest(key=cell.keys.batch(batch.last), value=batch.encode())
        message = await self._call(
            rpc.TxnRequest(compare=self._guarded([cell]), success=[rpc.RequestOp(request_put=put)])
        )
        if not message.succeeded:
            raise RestoreError(f"the guard before {cell.keys.cell} has gone")

    def _guarded(self, cells: Sequence[Restored]) -> list[Any]:
        return [
            rpc.Compare(
                key=cell.keys.head,
                target=rpc.Compare.VALUE,
                result=rpc.Compare.EQUAL,
                value=self._guard,
            )
            for cell in cells
        ]

    async def _verify(self, member: Member, cell: Restored) -> None:
        keys, wanted = cell.keys, cell.batches[-1]
        first, link = cell.batches[0].first, cell.previous
        start = 0
        while found := await self._page(member, keys, start):
            for batch in found:
                if batch.first != first or batch.previous != link:
                    raise JournalDamagedError(
                        f"{member.endpoint}: {batch.first} stands where {first} belongs"
                    )
                first, link = batch.last + 1, batch.hash
            start = first
        if (first, link) != (wanted.last + 1, wanted.hash):
            raise JournalDamagedError(
                f"{member.endpoint}: {keys.cell} ends at {first - 1}, not as planned"
            )

    async def _page(self, member: Member, keys: Keys, first: int) -> list[Batch]:
        request = reads(
            rpc.RangeRequest(key=keys.batch(first), range_end=keys.batches_end, limit=_PAGE_BATCHES)
        )
        try:
            (found,) = kvs(await self._client.once(member, "Txn", request, _CALL_S))
        except EtcdError as error:
            raise RestoreError(str(error)) from error
        return [decode_batch(keys, row.key, row.value) for row in found]

    async def _heads(self) -> list[bytes | None]:
        request = reads(*(rpc.RangeRequest(key=cell.keys.head) for cell in self._cells))
        return [bytes(each[0].value) if each else None for each in kvs(await self._call(request))]

    async def _row(self, cell: Restored, last: int) -> bytes | None:
        request = reads(rpc.RangeRequest(key=cell.keys.batch(last)))
        (found,) = kvs(await self._call(request))
        return decode_batch(cell.keys, found[0].key, found[0].value).hash if found else None

    async def _call(self, request: Any) -> Any:
        try:
            return (await self._client.call("Txn", request, total_s=_CALL_S)).message
        except EtcdError as error:
            raise RestoreError(str(error)) from error
