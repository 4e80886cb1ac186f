"""What every journal engine offers.  The rule: compare-and-append, and nothing acknowledged lost.

An entry is a payload at a sequence, 1, 2, 3 … without holes.  Each carries the epoch of the leader
that wrote it, and a hash over the one before: `chain_hash`.  An append names the sequence that it
expects to write next and its epoch; if another wrote meanwhile, or holds a higher epoch, nothing is
written.  `tests/contract/journal_contract.py` states the behaviour that every engine must show.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from msgspec import Struct

GENESIS_HASH: Final = bytes(32)


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


class Entry(Struct, frozen=True):
    """One durable command."""

    sequence: int
    epoch: int
    payload: bytes
    hash: bytes
    """`chain_hash` up to and including this entry."""


class Head(Struct, frozen=True):
    """Where a journal ends."""

    sequence: int
    epoch: int
    hash: bytes


EMPTY: Final = Head(sequence=0, epoch=0, hash=GENESIS_HASH)


def chain_hash(previous: bytes, sequence: int, epoch: int, payload: bytes) -> bytes:
    """Return SHA-256 over the hash before, sequence, epoch and payload.

    The three leading parts have fixed lengths (32, 8, 8), so no two entries share an encoding.
    """
    return hashlib.sha256(
        previous + sequence.to_bytes(8, "big") + epoch.to_bytes(8, "big") + payload
    ).digest()


class Journal(Protocol):
    """One cell's journal."""

    async def head(self) -> Head:
        """Return the durable end; raise JournalDamagedError if it cannot be trusted."""
        ...

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        """Write `payloads` at sequences `expected`, `expected` + 1, …, all or none.

        Returns the new head once they are durable.  Raises JournalConflictError,
        JournalFullError or JournalDamagedError (nothing was written), JournalUnknownError.
        """
        ...

    async def read(self, first: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries from sequence `first` on, their hashes checked."""
        ...

    def tail(self, first: int) -> AsyncIterator[list[Entry]]:
        """Yield entries from `first` on, for ever, as they become durable."""
        ...

    async def hash_at(self, sequence: int) -> bytes | None:
        """Return the stored chain hash at `sequence`, or None if it is past the head."""
        ...

    async def close(self) -> None: ...
