"""The journals that a repair would make, to be replayed before anybody makes them.  The rule: read
only.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from seawall.journal.archive import Archive
from seawall.journal.etcd_rows import Batch
from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    Head,
    Journal,
    JournalClosedError,
    JournalUnavailableError,
)
from seawall.node.repair import Chain
from seawall.node.verify import verify_journals


class ProposedJournal:
    """A `port.Journal` of one cell: the archive, then the batches of a chain."""

    def __init__(self, archive: Archive | None, cell: str, end: Head, batches: list[Batch]) -> None:
        self._archive = archive
        self._cell = cell
        self._end = end
        self._entries = [entry for batch in batches for entry in batch.entries()]
        self._ends = {batch.last: batch.hash for batch in batches}

    async def head(self) -> Head:
        return self._end

    async def read(self, first: int, limit: int) -> list[Entry]:
        begins = self._entries[0].sequence if self._entries else self._end.sequence + 1
        if first < begins:
            limit = min(limit, begins - first)
            found = (
                [] if self._archive is None else await self._archive.read(self._cell, first, limit)
            )
            if not found:
                raise JournalUnavailableError(f"{self._cell}: entry {first} is not at hand")
            return found
        return self._entries[first - begins : first - begins + limit]

    async def hash_at(self, sequence: int) -> bytes | None:
        if sequence == 0:
            return GENESIS_HASH
        if sequence not in self._ends and self._archive is not None:
            return await self._archive.hash_at(self._cell, sequence)
        return self._ends.get(sequence)

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        told = f"{len(payloads)} entries at {expected}, epoch {epoch}"
        raise JournalClosedError(f"a proposed journal is not written: {told}")

    async def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        yield await self.read(first, self._end.sequence)
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Do nothing: nothing is held open."""


async def problems(archive: Archive | None, chains: dict[str, Chain]) -> dict[str, list[str]]:
    """Return, by cell, what does not hold when all is replayed.

    Cells that contradict each other tell of an entry that one had and the other lacks.
    """

    async def open_journal(cell: str) -> Journal:
        chain = chains[cell]
        return ProposedJournal(archive, cell, chain.end, chain.batches)

    report = await verify_journals(open_journal)
    return {cell.cell: cell.problems for cell in report.cells}
