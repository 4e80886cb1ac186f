"""Sealed pieces of a journal, as files.  The rule: a segment proves itself, whole or not at all.

A file is a line of JSON that says what it holds, then its batches in zstd: first sequence, epoch
and length of each, then its frame.  The chain hash before and after stand in the line and the last
one also in the name, so equal names mean equal entries, whoever wrote them.
"""

import re
import struct
from collections.abc import Iterable
from typing import Final

import msgspec
import zstandard
from msgspec import Struct

from seawall.journal.port import (
    Entry,
    JournalDamagedError,
    chain_hash,
    unframe,
)

FORMAT: Final = "seawall segment 1"
SEGMENT_ENTRIES_MAX: Final = 1_000_000
"""No segment holds more."""
SEGMENT_BYTES_MAX: Final = 1 << 30
"""No segment unpacks to more; a file that says so is damaged."""
_BATCH: Final = struct.Struct(">QQI")
_LEVEL: Final = 3
_NAME: Final = re.compile(r"(?:.*/)?([0-9]{20})-([0-9]{20})-([0-9a-f]{64})\.segment")


class SegmentName(Struct, frozen=True, order=True):
    """What a segment's name says."""

    first: int
    last: int
    hash: str

    def __str__(self) -> str:
        return f"{self.first:020d}-{self.last:020d}-{self.hash}.segment"


def parse_name(path: str) -> SegmentName | None:
    """Return what the name says; None if it is not one of a segment."""
    found = _NAME.fullmatch(path)
    if found is None or int(found[1]) < 1 or int(found[2]) < int(found[1]):
        return None
    return SegmentName(int(found[1]), int(found[2]), found[3])


class SealedBatch(Struct, frozen=True):
    """One link of the chain."""

    first: int
    epoch: int
    framed: bytes
    hash: bytes


class _Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    cell: str
    first: int
    last: int
    epoch: int
    """Of the last batch."""
    previous: str
    hash: str
    batches: int
    bytes: int
    """Of the batches, unpacked."""


class Segment:
    """Consecutive batches of one cell, with the hash before them."""

    def __init__(self, cell: str, previous: bytes, batches: Iterable[SealedBatch]) -> None:
        self.cell = cell
        self.previous = previous
        self.entries: list[Entry] = []
        self.ends: dict[int, bytes] = {}
        """Chain hash by the last sequence of each batch."""
        self._packed: list[bytes] = []
        link = previous
        for batch in batches:
            link = self._take(batch, link)
        if not 0 < len(self.entries) <= SEGMENT_ENTRIES_MAX:
            raise JournalDamagedError(f"a segment of {cell} with {len(self.entries)} entries")

    @property
    def first(self) -> int:
        return self.entries[0].sequence

    @property
    def last(self) -> int:
        return self.entries[-1].sequence

    @property
    def hash(self) -> bytes:
        return self.entries[-1].hash

    @property
    def name(self) -> SegmentName:
        return SegmentName(self.first, self.last, self.hash.hex())

    def encode(self) -> bytes:
        body = b"".join(self._packed)
        header = _Header(
            format=FORMAT,
            cell=self.cell,
            first=self.first,
            last=self.last,
            epoch=self.entries[-1].epoch,
            previous=self.previous.hex(),
            hash=self.hash.hex(),
            batches=len(self.ends),
            bytes=len(body),
        )
        packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(body)
        return msgspec.json.encode(header) + b"\n" + packed

    def _take(self, batch: SealedBatch, link: bytes) -> bytes:
        expected = self.entries[-1].sequence + 1 if self.entries else batch.first
        if batch.first != expected:
            raise JournalDamagedError(
                f"a segment of {self.cell}: {batch.first} stands where {expected} belongs"
            )
        link = chain_hash(link, batch.first, batch.epoch, batch.framed)
        if link != batch.hash:
            raise JournalDamagedError(
                f"a segment of {self.cell}: the batch at {batch.first} does not match its hash"
            )
        for sequence, payload in enumerate(unframe(batch.framed), batch.first):
            self.entries.append(Entry(sequence, batch.epoch, payload, link))
        self.ends[self.entries[-1].sequence] = link
        self._packed += (_BATCH.pack(batch.first, batch.epoch, len(batch.framed)), batch.framed)
        return link


def decode(content: bytes, cell: str, name: SegmentName) -> Segment:
    """Return the segment; raise JournalDamagedError unless it is all that its name promises."""
    try:
        line, _, packed = content.partition(b"\n")
        header = _header(line)
        if zstandard.frame_content_size(packed) != header.bytes:
            raise JournalDamagedError(f"segment {name} of {cell} is cut or altered")
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=header.bytes)
        segment = _unpacked(body, header)
    except (ValueError, zstandard.ZstdError, struct.error) as error:
        raise JournalDamagedError(f"segment {name} of {cell} is unreadable: {error}") from error
    if segment.cell != cell or segment.name != name:
        raise JournalDamagedError(
            f"segment {name} of {cell} holds {segment.first} to {segment.last} of {segment.cell}"
        )
    return segment


def _header(line: bytes) -> _Header:
    header = msgspec.json.decode(line, type=_Header)
    if header.format != FORMAT or header.bytes > SEGMENT_BYTES_MAX:
        raise ValueError(f"it says {header.format!r} with {header.bytes} bytes")
    return header


def _unpacked(body: bytes, header: _Header) -> Segment:
    batches: list[SealedBatch] = []
    offset = 0
    link = bytes.fromhex(header.previous)
    previous = link
    while offset < len(body):
        first, epoch, length = _BATCH.unpack_from(body, offset)
        offset += _BATCH.size
        framed = body[offset : offset + length]
        offset += length
        link = chain_hash(link, first, epoch, framed)
        batches.append(SealedBatch(first, epoch, framed, link))
    segment = Segment(header.cell, previous, batches)
    said = (header.first, header.last, header.epoch, header.hash, header.batches, header.bytes)
    epoch = segment.entries[-1].epoch
    if said != (segment.first, segment.last, epoch, link.hex(), len(batches), len(body)):
        raise ValueError("its contents are not what its first line says")
    return segment
