"""Reads batches off an etcd member's own log.  The rule: a row proves itself, so nothing else is
believed.

What a member wrote to its log and did not learn to be committed may have been: the leader that knew
may be gone, and its answer given.  etcd itself drops such entries when it is forced to go on alone
(`--force-new-cluster`), so a repair reads them here.  An entry that another one replaced, as the
log says, is left out.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aetcd import rpc
from google.protobuf.message import DecodeError

from seawall.journal.etcd_rows import Batch, Keys, decode_batch
from seawall.journal.port import JournalDamagedError

_LENGTH: Final = struct.Struct("<Q")
_ENTRY: Final = 2
"""The type of a record that holds an entry of the log."""
_NORMAL: Final = 0
_TXN_FIELD: Final = 6
"""Of etcd's internal request."""
_LENGTH_MASK: Final = (1 << 56) - 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class MemberLog:
    """What stands in one member's log."""

    def __init__(self) -> None:
        self.term = 0
        self.index = 0
        """Of the last entry; of two logs, the one with the later end is ahead."""
        self.batches: list[Batch] = []
        """In the log's order; those of a replaced entry are not among them."""


def read_member_log(data: Path, keys: Keys) -> MemberLog:
    """Return a cell's batches in the log of the member whose data directory this is."""
    entries: list[tuple[int, int, list[Batch]]] = []
    for path in sorted((data / "member" / "wal").glob("*.wal")):
        for record in _records(path.read_bytes()):
            kind, term, index, content = _entry(record)
            while entries and entries[-1][1] >= index:
                entries.pop()
            found = list(_batches(content, keys)) if kind == _NORMAL else []
            entries.append((term, index, found))
    log = MemberLog()
    if entries:
        log.term, log.index, _ = entries[-1]
    log.batches = [batch for _, _, batches in entries for batch in batches]
    return log


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the entries of one file up to its end, or to where it is torn."""
    offset = 0
    while offset + _LENGTH.size <= len(content):
        (field,) = _LENGTH.unpack_from(content, offset)
        length = field & _LENGTH_MASK
        padding = (field >> 56) & 7 if field >> 63 else 0
        offset += _LENGTH.size
        record = content[offset : offset + length]
        if length == 0 or len(record) < length:
            return
        offset += length + padding
        try:
            fields = _fields(record)
        except ValueError:
            return
        if fields.get(1) == _ENTRY:
            entry = fields.get(3, b"")
            if isinstance(entry, bytes):
                yield entry


def _entry(record: bytes) -> tuple[int, int, int, bytes]:
    """Return an entry's kind, term, index and content."""
    fields = _fields(record)
    kind, term, index = (fields.get(number, 0) for number in (1, 2, 3))
    content = fields.get(4, b"")
    if isinstance(kind, int) and isinstance(term, int) and isinstance(index, int):
        return kind, term, index, content if isinstance(content, bytes) else b""
    raise ValueError("an entry of etcd's log has another shape")


def _batches(content: bytes, keys: Keys) -> Iterator[Batch]:
    """Yield the batches that a request would write."""
    try:
        request = _fields(content).get(_TXN_FIELD)
        if not isinstance(request, bytes):
            return
        transaction = rpc.TxnRequest.FromString(request)
    except (ValueError, DecodeError):
        return
    for each in transaction.success:
        key = each.request_put.key
        if key.startswith(keys.batches):
            try:
                yield decode_batch(keys, key, each.request_put.value)
            except JournalDamagedError:
                continue


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Return a message's fields by number, the last of each; raise ValueError if it is none."""
    found: dict[int, int | bytes] = {}
    offset = 0
    while offset < len(message):
        tag, offset = _varint(message, offset)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            found[number], offset = _varint(message, offset)
            continue
        if wire == _BYTES:
            length, offset = _varint(message, offset)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"no such kind of field: {wire}")
        if offset + length > len(message):
            raise ValueError("a field goes past the end")
        found[number] = message[offset : offset + length]
        offset += length
    return found


def _varint(message: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if offset >= len(message) or shift > 63:
            raise ValueError("a number goes past the end")
        byte = message[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
