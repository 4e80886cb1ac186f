"""How far a network was scanned for deposits.  The rule: a note that might be too new is not read.

It only saves a restart the way: what the journal knows is enough.  It names the funding journal's
sequence of its moment, so that beside an older journal, put back from a backup, it does not count.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog
from msgspec import Struct

EVERY_S: Final = 5.0
_log = structlog.get_logger("seawall.treasury")


class Scanned(Struct, frozen=True, kw_only=True):
    block: int
    sequence: int


class ScanNote:
    """One network's note, in a file of its own."""

    def __init__(self, path: Path, sequence: Callable[[], int]) -> None:
        self._path = path
        self._sequence = sequence
        self._block = 0
        self._written_s = float("-inf")

    def read(self) -> int:
        """Return the block that was noted, or 0."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Scanned)
        except (OSError, msgspec.MsgspecError):
            return 0
        return found.block if found.sequence <= self._sequence() else 0

    def write(self, block: int) -> None:
        """Note a block, now and then; everything up to it is in the journal."""
        now_s = time.monotonic()
        if block <= self._block or now_s - self._written_s < EVERY_S:
            return
        self._block, self._written_s = block, now_s
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(
                msgspec.json.encode(Scanned(block=block, sequence=self._sequence())) + b"\n"
            )
            fresh.replace(self._path)
        except OSError as error:
            _log.warning("treasury.not_noted", path=str(self._path), detail=str(error))
