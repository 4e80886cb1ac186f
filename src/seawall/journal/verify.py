"""Verification of a whole journal, whatever its engine.  The rule: believe only what is computed.

A batch is a run of entries with one hash; its link in the chain is computed anew from the payloads.
"""

from collections.abc import Callable

from msgspec import Struct

from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    Head,
    Journal,
    JournalDamagedError,
    chain_hash,
    frame,
)
from seawall.model import limits


class Verified(Struct, frozen=True, kw_only=True):
    """What a journal held when its whole chain was walked."""

    entries: int
    batches: int
    payload_bytes: int
    head: Head


class ChainWalk:
    """Takes entries in order and raises JournalDamagedError at the first that does not belong."""

    def __init__(self, previous: bytes = GENESIS_HASH, sequence: int = 0, epoch: int = 0) -> None:
        self.batches = 0
        self.payload_bytes = 0
        self._hash = previous
        self._sequence = sequence
        self._epoch = epoch
        self._batch: list[Entry] = []

    def take(self, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.sequence != self._sequence + 1:
                raise JournalDamagedError(
                    f"entry {entry.sequence} stands where {self._sequence + 1} belongs"
                )
            if entry.epoch < self._epoch:
                raise JournalDamagedError(f"the epoch falls at entry {entry.sequence}")
            if self._batch and entry.hash != self._batch[0].hash:
                self._link()
            self._sequence = entry.sequence
            self._epoch = entry.epoch
            self._batch.append(entry)

    def finish(self) -> Head:
        """Return where the chain ends, once all entries are taken."""
        if self._batch:
            self._link()
        return Head(self._sequence, self._epoch, self._hash)

    def _link(self) -> None:
        first = self._batch[0]
        framed = frame([entry.payload for entry in self._batch])
        if chain_hash(self._hash, first.sequence, first.epoch, framed) != first.hash:
            raise JournalDamagedError(
                f"entries {first.sequence} to {self._sequence} do not match their chain hash"
            )
        self._hash = first.hash
        self.batches += 1
        self.payload_bytes += len(framed) - 4 * (len(self._batch) + 1)
        self._batch = []


async def verify(journal: Journal, progress: Callable[[int, int], None] | None = None) -> Verified:
    """Read the whole journal; raise JournalDamagedError unless every link holds."""
    head = await journal.head()
    walk = ChainWalk()
    sequence = 0
    while sequence < head.sequence:
        entries = await journal.read(sequence + 1, limits.READ_ENTRIES)
        if not entries:
            raise JournalDamagedError(f"entries {sequence + 1} to {head.sequence} are missing")
        walk.take(entries)
        sequence = entries[-1].sequence
        if progress is not None:
            progress(sequence, head.sequence)
    end = walk.finish()
    if end.sequence == head.sequence and end != head:
        raise JournalDamagedError(
            f"the chain ends in another hash than the head at {head.sequence}"
        )
    return Verified(
        entries=sequence, batches=walk.batches, payload_bytes=walk.payload_bytes, head=end
    )
