"""A watcher's key, and the numbers of its reports.  The rule: a number is never used twice.

The key is Ed25519, in hexadecimal in a file that only its owner may read.  A number is the clock's
nanoseconds or one more than the last, whichever is greater; the file is written before a number is
used, and ahead of it, so that neither a crash nor a clock that was set back brings one again.  A
disk that fails later on does not silence the watcher: only a clock set back could then do that.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seawall.model.signals import SignedReport, WatchReport

AHEAD_NS: Final = 60_000_000_000
"""So far ahead the file is written: once a minute, not with each report."""


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
        try:
            self._last = int(file.read_text("ascii")) if file.exists() else 0
            self._written = self._last
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(max(wall_ns(), self._last) + AHEAD_NS)
        except OSError as error:
            raise SigningError(f"{file} cannot be used: {error.strerror}") from None
        except ValueError:
            raise SigningError(f"{file} holds no number") from None

    def next(self) -> int:
        """Return a number that was never used."""
        number = max(self._wall_ns(), self._last + 1)
        if number > self._written:
            with contextlib.suppress(OSError):
                self._write(number + AHEAD_NS)
        self._last = number
        return number

    def _write(self, number: int) -> None:
        new = self._file.with_suffix(".new")
        with new.open("w", encoding="ascii") as writer:
            writer.write(f"{number}\n")
            writer.flush()
            os.fsync(writer.fileno())
        new.replace(self._file)
        self._written = number
