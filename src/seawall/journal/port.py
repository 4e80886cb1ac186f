"""What every journal engine offers.  The rule: compare-and-append, and nothing acknowledged lost.

An entry is a payload at a sequence, 1, 2, 3 … without holes, and carries the epoch of the leader
that wrote it.  An append writes one batch of entries, and names the sequence that it expects to
write next and its epoch; if another wrote meanwhile, or holds a higher epoch, nothing is written.
Batches are the links of the hash chain: `chain_hash` covers the hash before, and the batch as
`frame` writes it.  One link per batch, because one per entry would cost more than the disk does
(docs/internals/journal.md has the figures).  `tests/contract/journal_contract.py` states the
behaviour that every engine must show.
"""

import hashlib
import struct
from collections.abc import AsyncGenerator, Sequence
from typing import Final, Protocol

from msgspec import Struct

from seawall.model import limits

GENESIS_HASH: Final = bytes(32)
_COUNT: Final = struct.Struct(">I")


class JournalError(Exception):
    """Any trouble with a journal; the message says where and what to do."""


class JournalConflictError(JournalError):
    """Another writer was first: the caller is not the leader (any more).  Nothing was written."""

    def __init__(self, message: str, head: "Head") -> None:
        super().__init__(message)
        self.head = head


class JournalFullError(JournalError):
    """No space is left.  Nothing was written; appends may succeed again once there is space."""


class JournalDamagedError(JournalError):
    """What is stored is not what was written; never skipped, never repaired silently."""


class JournalUnknownError(JournalError):
    """The append may or may not have happened; the caller must read to find out."""


class JournalUnavailableError(JournalError):
    """The store cannot be reached, or has no quorum.  A read may be tried again at any time."""


class JournalLimitError(JournalError):
    """The batch is empty, or past `limits.BATCH_COMMANDS` or `limits.BATCH_BYTES`.

    The caller's bug.  Nothing was written.
    """


class JournalClosedError(JournalError):
    """The journal was closed, or stopped after an error that it named then."""


class Entry(Struct, frozen=True):
    """One durable command."""

    sequence: int
    epoch: int
    payload: bytes
    hash: bytes
    """`chain_hash` up to and including the batch that holds this entry."""


class Head(Struct, frozen=True):
    """Where a journal ends."""

    sequence: int
    epoch: int
    hash: bytes


EMPTY: Final = Head(sequence=0, epoch=0, hash=GENESIS_HASH)


def frame(payloads: Sequence[bytes]) -> bytes:
    """Return a batch as one string: how many payloads, the length of each, then all of them."""
    count = len(payloads)
    table = struct.pack(f">{count + 1}I", count, *map(len, payloads))
    return b"".join((table, *payloads))


def unframe(framed: bytes) -> list[bytes]:
    """Return the payloads of a batch; raise ValueError unless `frame` could have written it."""
    if len(framed) < _COUNT.size:
        raise ValueError("the batch is shorter than its count")
    (count,) = _COUNT.unpack_from(framed)
    offset = _COUNT.size * (count + 1)
    if offset > len(framed):
        raise ValueError("the batch is shorter than its table of lengths")
    payloads = []
    for length in struct.unpack_from(f">{count}I", framed, _COUNT.size):
        payloads.append(framed[offset : offset + length])
        offset += length
    if offset != len(framed):
        raise ValueError("the batch does not end where its lengths say")
    return payloads


def chain_hash(previous: bytes, first: int, epoch: int, framed: bytes) -> bytes:
    """Return SHA-256 over the hash before, the batch's first sequence, its epoch and its frame.

    The three leading parts have fixed lengths (32, 8, 8), so no two batches share an encoding.
    """
    link = hashlib.sha256(previous + first.to_bytes(8, "big") + epoch.to_bytes(8, "big"))
    link.update(framed)
    return link.digest()


def check_batch(payloads: Sequence[bytes]) -> None:
    """Raise JournalLimitError unless the batch is one that every engine takes."""
    if not payloads:
        raise JournalLimitError("a batch holds at least one entry")
    if len(payloads) > limits.BATCH_COMMANDS:
        raise JournalLimitError(
            f"a batch holds at most {limits.BATCH_COMMANDS} entries, not {len(payloads)}"
        )
    size_bytes = sum(map(len, payloads))
    if size_bytes > limits.BATCH_BYTES:
        raise JournalLimitError(
            f"a batch holds at most {limits.BATCH_BYTES} bytes, not {size_bytes}"
        )


class Journal(Protocol):
    """One cell's journal."""

    async def head(self) -> Head:
        """Return the durable end; raise JournalDamagedError if it cannot be trusted."""
        ...

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        """Write `payloads` at sequences `expected`, `expected` + 1, …, all or none.

        Returns the new head once they are durable.  Raises JournalConflictError,
        JournalFullError, JournalLimitError, JournalDamagedError or JournalClosedError (nothing
        was written), or JournalUnknownError.
        """
        ...

    async def read(self, first: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries from sequence `first` on, their batches' hashes checked."""
        ...

    def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        """Yield entries from `first` on, as they become durable, until the journal is closed.

        Whoever wrote them: where several processes share a store, a follower sees the leader's.
        Each list is in order and goes on where the one before ended; a batch may be divided.  A
        store that cannot be reached is waited for, in silence; damage is raised.  Who leaves
        early closes it (`contextlib.aclosing`).
        """
        ...

    async def hash_at(self, sequence: int) -> bytes | None:
        """Return the chain hash of the batch that ends at `sequence`; None where none ends.

        0 gives the genesis hash.
        """
        ...

    async def close(self) -> None: ...
