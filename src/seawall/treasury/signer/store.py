"""The signer's memory.  The rule: a signature is on disk before it leaves.

One row for each signature, in a chain of SHA-256, so that a row that was changed or taken out of
the middle is noticed.
"""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import MsgspecError
from msgspec.json import decode, encode

from seawall.treasury.signer.policy import Signature

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS signatures (
    number INTEGER PRIMARY KEY,
    chain BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT
"""


class StoreError(Exception):
    """The record of signatures cannot be read or written; nothing may be signed without it."""


class SignatureStore:
    """An append-only SQLite file that one signer holds."""

    def __init__(self, path: Path) -> None:
        self._number = 0
        self._chain = b""
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=2)
            path.chmod(0o600)
            # Exclusive: a second signer beside the same record would not see this one's rows.
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(_SCHEMA)
            self._database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path}: {error}") from None

    def read(self) -> list[Signature]:
        """Return all signatures in order, or raise StoreError if the record is damaged."""
        found = []
        try:
            rows = self._database.execute("SELECT * FROM signatures ORDER BY number").fetchall()
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        for number, chain, data in rows:
            if number != self._number + 1 or chain != _link(self._chain, data):
                raise StoreError(f"the record of signatures is damaged at {number}")
            try:
                found.append(decode(data, type=Signature))
            except MsgspecError as error:
                raise StoreError(f"signature {number}: {error}") from None
            self._number, self._chain = number, chain
        return found

    def append(self, signatures: Sequence[Signature]) -> None:
        """Return once all of them are on disk; none is if it raises."""
        rows: list[tuple[int, bytes, bytes]] = []
        chain = self._chain
        for number, signature in enumerate(signatures, self._number + 1):
            data = encode(signature)
            chain = _link(chain, data)
            rows.append((number, chain, data))
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("INSERT INTO signatures VALUES (?, ?, ?)", rows)
                self._database.execute("COMMIT")
            except sqlite3.Error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        self._number += len(rows)
        self._chain = chain

    def close(self) -> None:
        self._database.close()


def _link(chain: bytes, data: bytes) -> bytes:
    return sha256(chain + data).digest()
