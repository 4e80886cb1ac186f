"""Raw answers, kept under their SHA-256.  The rule: what a fact was read from can be read again.

The folder is bounded: the least recently seen go first.  What comes again is the same file.
"""

import os
import tempfile
from pathlib import Path
from typing import Final

from msgspec import Struct

BYTES_MOST: Final = 256 << 20
FILES_MOST: Final = 20_000


class KeepTerms(Struct, frozen=True, kw_only=True):
    """How much is kept."""

    bytes_most: int = BYTES_MOST
    files_most: int = FILES_MOST


class Payloads:
    """A folder of payloads."""

    def __init__(self, folder: Path, terms: KeepTerms | None = None) -> None:
        self._folder = folder
        self._terms = terms or KeepTerms()
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {
            path.name: path.stat().st_size
            for path in sorted(folder.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime_ns)
            if len(path.name) == 64
        }
        self._total = sum(self._sizes.values())

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    def keep(self, sha256: str, body: bytes) -> None:
        """Keep a body; OSError where the folder cannot take it."""
        if sha256 in self._sizes:
            self._sizes[sha256] = self._sizes.pop(sha256)
            os.utime(self.path(sha256))
            return
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
            file.write(body)
        Path(file.name).replace(self.path(sha256))
        self._sizes[sha256] = len(body)
        self._total += len(body)
        while len(self._sizes) > 1 and (
            self._total > self._terms.bytes_most or len(self._sizes) > self._terms.files_most
        ):
            oldest = next(iter(self._sizes))
            self._total -= self._sizes.pop(oldest)
            self.path(oldest).unlink(missing_ok=True)
