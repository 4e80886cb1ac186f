"""What the journal keeps in etcd, byte for byte.  The rule: every row proves itself.

Under `NAMESPACE/CELL/` stand `head`, which each append replaces, and `batch/LAST` for each batch,
named after the last sequence in it: the batch that holds an entry is the first whose key is not
below the entry's, and the keys fall in order.  A batch holds the hash before it, so that its link
can be checked without its neighbour.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

from seawall.journal.port import (
    EMPTY,
    GENESIS_HASH,
    Entry,
    Head,
    JournalDamagedError,
    JournalUnavailableError,
    chain_hash,
    frame,
    unframe,
)

_VERSION: Final = 1
_GUARD: Final = b"\0seawall repair "
_HEAD: Final = struct.Struct(">BQQ32s")
_BATCH: Final = struct.Struct(">BQIQ32s32s16s")
HELP: Final = "See docs/operating/journal-damage.md"


class Keys:
    """The keys of one cell's journal."""

    def __init__(self, namespace: str, cell: str) -> None:
        root = f"{namespace}/{cell}/".encode()
        self.cell = cell
        self.head = root + b"head"
        self.batches = root + b"batch/"
        self.batches_end = root + b"batch0"

    def batch(self, last: int) -> bytes:
        """Return the key of the batch that ends at `last`."""
        return self.batches + b"%020d" % last


class Batch:
    """One append as stored, its link checked."""

    __slots__ = ("count", "epoch", "first", "framed", "hash", "payloads", "previous", "writer")

    def __init__(
        self,
        first: int,
        epoch: int,
        previous: bytes,
        payloads: Sequence[bytes],
        writer: bytes,
        framed: bytes | None = None,
    ) -> None:
        self.first = first
        self.epoch = epoch
        self.previous = previous
        self.payloads = payloads
        self.writer = writer
        self.count = len(payloads)
        self.framed = frame(payloads) if framed is None else framed
        self.hash = chain_hash(previous, first, epoch, self.framed)

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def head(self) -> Head:
        return Head(self.last, self.epoch, self.hash)

    def encode(self) -> bytes:
        header = _BATCH.pack(
            _VERSION, self.first, self.count, self.epoch, self.previous, self.hash, self.writer
        )
        return header + self.framed

    def entries(self, first: int = 0) -> list[Entry]:
        """Return the entries from sequence `first` on."""
        skipped = max(first - self.first, 0)
        return [
            Entry(sequence, self.epoch, payload, self.hash)
            for sequence, payload in enumerate(self.payloads[skipped:], self.first + skipped)
        ]


def encode_head(head: Head) -> bytes:
    return _HEAD.pack(_VERSION, head.sequence, head.epoch, head.hash)


def guard_of(repair: str) -> bytes:
    """Return what stands as the head while a repair writes the batches: nobody may lead yet."""
    return _GUARD + repair.encode()


def decode_head(value: bytes) -> Head:
    """Return the head; raise JournalDamagedError, or JournalUnavailableError during a repair."""
    if value.startswith(_GUARD):
        told = value.removeprefix(_GUARD).decode(errors="replace")
        raise JournalUnavailableError(f"etcd: repair {told} is putting the journal back")
    if len(value) != _HEAD.size or value[0] != _VERSION:
        raise JournalDamagedError(f"etcd: the journal's head is unreadable.  {HELP}")
    _, sequence, epoch, link = _HEAD.unpack(value)
    return Head(sequence, epoch, link)


def head_of(found: Any) -> Head:
    """Return the head among what a range over its key found."""
    return decode_head(found[0].value) if found else EMPTY


def decode_batch(keys: Keys, key: bytes, value: bytes) -> Batch:
    """Return a batch, its link checked; raise JournalDamagedError."""
    name = key.decode(errors="replace")
    batch = decode_row(name, value)
    if keys.batch(batch.last) != key:
        raise JournalDamagedError(f"etcd: {name} holds another batch than it says.  {HELP}")
    return batch


def decode_row(name: str, value: bytes) -> Batch:
    """Return the batch that a row holds, wherever it was kept; raise JournalDamagedError."""
    if len(value) < _BATCH.size or value[0] != _VERSION:
        raise JournalDamagedError(f"etcd: {name} is unreadable.  {HELP}")
    _, first, count, epoch, previous, link, writer = _BATCH.unpack_from(value)
    try:
        framed = value[_BATCH.size :]
        batch = Batch(first, epoch, previous, unframe(framed), writer, framed)
    except ValueError as error:
        raise JournalDamagedError(f"etcd: {name}: {error}.  {HELP}") from error
    if batch.count != count:
        raise JournalDamagedError(f"etcd: {name} holds another batch than it says.  {HELP}")
    if batch.hash != link or (first == 1 and previous != GENESIS_HASH):
        raise JournalDamagedError(
            f"etcd: entries {first} to {batch.last} do not match their chain hash.  {HELP}"
        )
    return batch


class Chain:
    """Takes batches in order and raises JournalDamagedError at the first that does not belong."""

    def __init__(self, sequence: int, link: bytes | None = None) -> None:
        self.sequence = sequence
        """The last sequence taken, or the one before the first that is wanted."""
        self.hash = GENESIS_HASH if sequence == 0 else link

    def take(self, batch: Batch) -> None:
        if batch.first > self.sequence + 1:
            raise JournalDamagedError(
                f"etcd: entries {self.sequence + 1} to {batch.first - 1} are missing.  {HELP}"
            )
        if (
            self.hash is not None
            and batch.first == self.sequence + 1
            and batch.previous != self.hash
        ):
            raise JournalDamagedError(
                f"etcd: the batch at {batch.first} does not follow the entry before.  {HELP}"
            )
        self.sequence = batch.last
        self.hash = batch.hash
