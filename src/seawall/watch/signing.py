"""A watcher's key, and the numbers of its reports.  The rule: a number is never used twice.

The key is Ed25519, in hexadecimal in a file that only its owner may read.  A number is the clock's
nanoseconds or one more than the last, whichever is greater: the control cell believes none that is
far ahead of its own clock.  A file keeps the last one, for a clock that was set back between two
lives; it is written by a thread, for a disk that hangs must not silence the watcher.
"""

import os
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seawall.model.signals import SignedReport, WatchReport

KEEP_NS: Final = 1_000_000_000
"""The file is written no more often."""
MARGIN_NS: Final = 2 * KEEP_NS
"""What may have been used since it was."""


class SigningError(ValueError):
    """The file cannot be used; the message says why."""


def make_key(file: Path) -> str:
    """Write a new private key; return the public half in hexadecimal.  OSError where it cannot."""
    key = Ed25519PrivateKey.generate()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as writer:
        writer.write(key.private_bytes_raw().hex() + "\n")
    return public_half(key)


def public_half(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def read_key(file: Path) -> Ed25519PrivateKey:
    """Return the private key, or raise SigningError."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise SigningError(f"{file} may be read by others: chmod 600 it")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read_text("ascii").strip()))
    except OSError as error:
        raise SigningError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        known = str(error) if isinstance(error, SigningError) else f"{file} holds no key"
        raise SigningError(known) from None


def sign(report: WatchReport, key: Ed25519PrivateKey) -> SignedReport:
    """Return the report as it is sent."""
    text = msgspec.json.encode(report)
    return SignedReport(report=text.decode(), signature=key.sign(text).hex())


class Numbers:
    """Numbers that only rise, for ever."""

    def __init__(self, file: Path, wall_ns: Callable[[], int]) -> None:
        """Raise SigningError where the file cannot be used."""
        self._file = file
        self._wall_ns = wall_ns
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="numbers")
        self._pending: Future[None] | None = None
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._last = int(file.read_text("ascii")) + MARGIN_NS if file.exists() else 0
            self._kept = max(self._last, wall_ns())
            self._write(self._kept)
        except OSError as error:
            raise SigningError(f"{file} cannot be used: {error.strerror}") from None
        except ValueError:
            raise SigningError(f"{file} holds no number") from None

    def next(self) -> int:
        """Return a number that was never used."""
        number = max(self._wall_ns(), self._last + 1)
        self._last = number
        free = self._pending is None or self._pending.done()
        if free and number - self._kept >= KEEP_NS:
            self._kept = number
            self._pending = self._thread.submit(self._write, number)
        return number

    def close(self) -> None:
        """Keep the last number, if the disk takes it at once."""
        self._thread.submit(self._write, self._last)
        self._thread.shutdown(wait=False)

    def _write(self, number: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{number}\n", encoding="ascii")
        new.replace(self._file)
