"""A replica's own copy of the newest entries.  The rule: what it holds proves itself, the rest does
not count.

Files in one folder, each named after its first sequence: rows as etcd holds them, each with its
length before it.  A row carries the hash before it and its own, so a torn end is seen and left out,
and any run of rows can be laid against the archive and against other nodes' logs.  The log is no
journal: nobody is answered because of it.  It is what is left where a majority of etcd is lost.
"""

import itertools
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from seawall.journal.etcd_rows import Batch, decode_row
from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    JournalDamagedError,
)

FILE_BYTES: Final = 16 << 20
"""A file that is larger is followed by another."""
_LENGTH: Final = struct.Struct(">I")
_WRITER: Final = bytes(16)
"""A copy has no writer: it decides nothing."""


class ReplicaLog:
    """One cell's log, written in order, without a gap."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sequence = 0
        """The last entry taken, be it of a batch that is not whole yet."""
        self.kept = 0
        """The last entry of the last whole batch."""
        self.hash = GENESIS_HASH
        """The chain hash there."""
        self._pending: list[Entry] = []
        self._file: int | None = None
        self._file_bytes = 0
        self._dirty = False
        self._retired: list[int] = []
        """Descriptors of files that are no longer written."""

    @classmethod
    def open(cls, folder: Path) -> "ReplicaLog":
        """Open or make the log in `folder`; it goes on after the last whole batch."""
        folder.mkdir(parents=True, exist_ok=True)
        log = cls(folder)
        paths = files(folder)
        for path in reversed(paths):
            for batch in read_file(path):
                log._at(batch.last, batch.hash)
            if log.kept:
                break
        return log

    def start(self, sequence: int, link: bytes) -> None:
        """Go on after entry `sequence`, whatever stood here before."""
        self._let_go()
        self._at(sequence, link)

    def take(self, entries: Sequence[Entry]) -> bool:
        """Keep what goes on from here; return False if something between is missing.

        Raises JournalDamagedError if entries do not match their hash, and OSError.
        """
        for entry in entries:
            if entry.sequence <= self.sequence:
                continue
            if entry.sequence != self.sequence + 1:
                return False
            if self._pending and entry.hash != self._pending[0].hash:
                self._complete(must=True)
            self._pending.append(entry)
            self.sequence = entry.sequence
        if self._pending:
            self._complete(must=False)
        return True

    def append(self, first: int, epoch: int, payloads: Sequence[bytes], link: bytes) -> bool:
        """Keep a whole batch that was appended as durable; False if something is missing."""
        if self._pending or first != self.kept + 1:
            return first <= self.kept
        self._write(Batch(first, epoch, self.hash, payloads, _WRITER))
        if self.hash != link:
            raise JournalDamagedError(f"the batch at {first} was answered with another hash")
        return True

    def rewind(self) -> None:
        """Forget a batch that is not whole; it will be read again."""
        self._pending = []
        self.sequence = self.kept

    def forget(self, before: int) -> None:
        """Remove the files that hold nothing from entry `before` on."""
        paths = files(self.folder)
        for path, following in itertools.pairwise(paths):
            if _first(following) <= before:
                path.unlink(missing_ok=True)

    def unsynced(self) -> list[int]:
        """Return descriptors to be given to `sync`, in any thread."""
        found, self._retired = self._retired, []
        if self._dirty and self._file is not None:
            found.append(os.dup(self._file))
        if found:
            found.append(os.open(self.folder, os.O_RDONLY))
        self._dirty = False
        return found

    def close(self) -> None:
        sync(self.unsynced())
        self._let_go()
        sync(self.unsynced())

    def _at(self, sequence: int, link: bytes) -> None:
        self.sequence = self.kept = sequence
        self.hash = link
        self._pending = []

    def _complete(self, *, must: bool) -> None:
        first = self._pending[0]
        payloads = [entry.payload for entry in self._pending]
        batch = Batch(first.sequence, first.epoch, self.hash, payloads, _WRITER)
        if batch.hash == first.hash:
            self._write(batch)
        elif must:
            raise JournalDamagedError(
                f"entries {batch.first} to {batch.last} do not match their chain hash"
            )

    def _write(self, batch: Batch) -> None:
        row = batch.encode()
        record = _LENGTH.pack(len(row)) + row
        try:
            written = os.write(self._descriptor(batch.first), record)
        except OSError:
            self._let_go()
            raise
        if written != len(record):
            # What was torn stays the end of its file, which readers leave out.
            self._let_go()
            raise OSError(f"{self.folder}: no space for {len(record)} bytes")
        self._file_bytes += len(record)
        self._dirty = True
        self._at(batch.last, batch.hash)

    def _descriptor(self, first: int) -> int:
        if self._file is None or self._file_bytes > FILE_BYTES:
            self._let_go()
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            self._file = os.open(self.folder / f"{first:020d}.log", flags, 0o600)
        return self._file

    def _let_go(self) -> None:
        if self._file is not None:
            self._retired.append(self._file)
        self._file = None
        self._file_bytes = 0


def sync(descriptors: list[int]) -> None:
    """Make what was written there outlast a loss of power, and let go."""
    while descriptors:
        descriptor = descriptors.pop()
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def files(folder: Path) -> list[Path]:
    """Return a log's files, the oldest first."""
    return sorted(path for path in folder.glob("*.log") if path.stem.isdigit())


def read_log(folder: Path) -> Iterator[Batch]:
    """Yield every whole batch of a log, in order of its files; each has proved itself alone."""
    for path in files(folder):
        yield from read_file(path)


def read_file(path: Path) -> Iterator[Batch]:
    """Yield a file's whole batches up to its end or to where it is torn."""
    with path.open("rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(head)
            row = file.read(length)
            try:
                yield decode_row(path.name, row)
            except JournalDamagedError:
                return


def _first(path: Path) -> int:
    return int(path.stem)
