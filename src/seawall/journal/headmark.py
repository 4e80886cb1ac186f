"""The head mark: where a journal ended, kept apart from it.  The rule: never ahead of the journal.

SQLite forgets, without a word, every frame of its log that comes after a damaged one.  So each
append, once durable and before it is acknowledged, leaves its head here as well; a journal that is
found to end before its mark has lost entries.  The mark is written into mapped memory and not
synced: it survives any death of the process, while a loss of power may leave an older mark, which
is still true, only weaker.  Two slots take turns, so that a torn write leaves the one before.
"""

import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import Final

from msgspec import Struct

from seawall.journal.port import GENESIS_HASH

_BODY: Final = struct.Struct(">8sQ32s")
_CHECK: Final = struct.Struct(">I")
_MAGIC: Final = b"SWHEAD01"
_SLOT_BYTES: Final = 512
"""One sector each, so that no write of one slot touches the other."""


class Mark(Struct, frozen=True):
    """Everything up to `sequence` was durable, and its chain hash was `hash`."""

    sequence: int
    hash: bytes


class HeadMarkError(Exception):
    """Neither slot holds a mark."""


class HeadMark:
    """One journal's mark, open for writing."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 2 * _SLOT_BYTES)
        self._writes = _newest_slot(self._memory[:]) + 1

    def write(self, sequence: int, chain_hash: bytes) -> None:
        """Leave a mark over the older of the two."""
        offset = (self._writes % 2) * _SLOT_BYTES
        slot = _encode(sequence, chain_hash)
        self._memory[offset : offset + len(slot)] = slot
        self._writes += 1

    def close(self) -> None:
        self._memory.close()


def create(path: Path) -> None:
    """Write and sync the mark of an empty journal."""
    slot = _encode(0, GENESIS_HASH).ljust(_SLOT_BYTES, b"\0")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, slot * 2)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> Mark | None:
    """Return the newest mark, or None if the file is missing; raise HeadMarkError if unreadable."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) != 2 * _SLOT_BYTES:
        raise HeadMarkError
    slot = _newest_slot(data)
    mark = _decode(data[slot * _SLOT_BYTES :])
    if mark is None:
        raise HeadMarkError
    return mark


def _newest_slot(data: bytes) -> int:
    first, second = _decode(data), _decode(data[_SLOT_BYTES:])
    if first is None or (second is not None and second.sequence > first.sequence):
        return 1
    return 0


def _encode(sequence: int, chain_hash: bytes) -> bytes:
    body = _BODY.pack(_MAGIC, sequence, chain_hash)
    return body + _CHECK.pack(zlib.crc32(body))


def _decode(data: bytes) -> Mark | None:
    if len(data) < _BODY.size + _CHECK.size:
        return None
    body = data[: _BODY.size]
    (check,) = _CHECK.unpack_from(data, _BODY.size)
    magic, sequence, chain_hash = _BODY.unpack(body)
    if magic != _MAGIC or check != zlib.crc32(body):
        return None
    return Mark(sequence, chain_hash)
