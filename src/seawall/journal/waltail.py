"""What SQLite left unread at the end of its log.  The rule: look, never touch.

At start SQLite reads its write-ahead log up to the first frame whose checksum is wrong, and takes
that for the end.  It is the end if a crash tore the last transaction.  But a transaction is only
written once the one before is on disk: if frames of a later transaction follow the bad one, then
the bad one was whole once, and perhaps acknowledged.  File format: sqlite.org/fileformat2.html.
"""

import struct
from pathlib import Path
from typing import Final

_HEADER_BYTES: Final = 32
_FRAME_HEADER: Final = struct.Struct(">II8s8s")
_MAGIC_LITTLE: Final = 0x377F0682
_MAGIC_BIG: Final = 0x377F0683
_LAST_FRAME: Final = struct.Struct("=I")
_LAST_FRAME_OFFSET: Final = 16
"""Of `mxFrame` in the shared-memory file, in the machine's own byte order."""


def lost_transactions(wal: Path, shared_memory: Path) -> str | None:
    """Say what whole transactions SQLite passed over, or None; call with the database just opened.

    Only to be called while no connection depends on its locks: closing these files drops them.
    """
    if not wal.exists() or wal.stat().st_size <= _HEADER_BYTES:
        return None
    with wal.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        if not _is_whole(header):
            return "the header of the write-ahead log is damaged"
        page_bytes = int.from_bytes(header[8:12], "big")
        frame_bytes = page_bytes + _FRAME_HEADER.size
        committed = False
        read_frames = _frames_read(shared_memory)
        offset = _HEADER_BYTES + read_frames * frame_bytes
        while True:
            file.seek(offset)
            data = file.read(_FRAME_HEADER.size)
            if len(data) < _FRAME_HEADER.size:
                return None
            _page, pages_after_commit, salts, _check = _FRAME_HEADER.unpack(data)
            if salts == header[16:24]:
                if committed:
                    return (
                        f"the write-ahead log is damaged at or after frame {read_frames + 1}:"
                        " whole transactions stand behind a broken one"
                    )
                committed = pages_after_commit != 0
            offset += frame_bytes


def _is_whole(header: bytes) -> bool:
    """Return whether the log's header is as SQLite wrote it, by its checksum."""
    magic = int.from_bytes(header[:4], "big")
    if magic not in {_MAGIC_LITTLE, _MAGIC_BIG}:
        return False
    words = struct.unpack("<6I" if magic == _MAGIC_LITTLE else ">6I", header[:24])
    first = second = 0
    for index in range(0, 6, 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return (first, second) == struct.unpack(">II", header[24:32])


def _frames_read(shared_memory: Path) -> int:
    with shared_memory.open("rb") as file:
        file.seek(_LAST_FRAME_OFFSET)
        data = file.read(_LAST_FRAME.size)
    if len(data) < _LAST_FRAME.size:
        return 0
    (frames,) = _LAST_FRAME.unpack(data)
    return int(frames)
