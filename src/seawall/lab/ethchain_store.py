"""What the embedded chain keeps, in one SQLite file.  The rule: a block is there whole or not.

Beside py-evm's own keys and values stand the blocks, transactions and receipts of the longest
branch, as the JSON that calls are answered with: reading them decodes and recovers nothing.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, Final, TypeAlias

from eth.db.backends.base import BaseDB

Document: TypeAlias = dict[str, Any]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    number INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (
    hash TEXT PRIMARY KEY, number INTEGER NOT NULL, place INTEGER NOT NULL,
    raw TEXT NOT NULL, body TEXT NOT NULL, receipt TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS transactions_by_block ON transactions (number, place);
"""


class ChainStore(BaseDB):
    """py-evm's database, and the documents of the longest branch; `None` keeps it in memory."""

    def __init__(self, path: Path | None) -> None:
        self.kept = path is not None
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # Play money: a power cut may cost blocks, the end of the process may not.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SCHEMA)

    # py-evm's keys and values

    def __getitem__(self, key: bytes) -> bytes:
        row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        if not self._db.execute("DELETE FROM facts WHERE key = ?", (key,)).rowcount:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM facts WHERE key = ?", (key,)).fetchone() is not None

    # Changes

    def begin(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def undo(self) -> None:
        self._db.execute("ROLLBACK")

    def add_block(self, block: Document) -> None:
        number = int(block["number"], 16)
        self._db.execute(
            "INSERT INTO blocks VALUES (?, ?, ?)", (number, block["hash"], json.dumps(block))
        )

    def add_transaction(self, raw: str, body: Document, receipt: Document) -> None:
        number, place = int(body["blockNumber"], 16), int(body["transactionIndex"], 16)
        self._db.execute(
            "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?)",
            (body["hash"], number, place, raw, json.dumps(body), json.dumps(receipt)),
        )

    def cut_above(self, number: int) -> None:
        """Forget the branch above a block."""
        self._db.execute("DELETE FROM transactions WHERE number > ?", (number,))
        self._db.execute("DELETE FROM blocks WHERE number > ?", (number,))

    # Reading

    def head(self) -> Document | None:
        return self._one("SELECT body FROM blocks ORDER BY number DESC LIMIT 1")

    def block(self, number: int) -> Document | None:
        return self._one("SELECT body FROM blocks WHERE number = ?", number)

    def block_by_hash(self, block_id: str) -> Document | None:
        return self._one("SELECT body FROM blocks WHERE hash = ?", block_id.lower())

    def transaction(self, tx_id: str) -> Document | None:
        return self._one("SELECT body FROM transactions WHERE hash = ?", tx_id.lower())

    def receipt(self, tx_id: str) -> Document | None:
        return self._one("SELECT receipt FROM transactions WHERE hash = ?", tx_id.lower())

    def raw(self, tx_id: str) -> str | None:
        found = self._db.execute("SELECT raw FROM transactions WHERE hash = ?", (tx_id.lower(),))
        row = found.fetchone()
        return str(row[0]) if row else None

    def transactions(self, number: int) -> list[Document]:
        return self._all("SELECT body FROM transactions WHERE number = ? ORDER BY place", number)

    def receipts(self, low: int, high: int) -> list[Document]:
        """Return the receipts of the blocks from one to another, in their order."""
        return self._all(
            "SELECT receipt FROM transactions WHERE number BETWEEN ? AND ? ORDER BY number, place",
            low, high,
        )  # fmt: skip

    def _one(self, query: str, *values: Any) -> Document | None:
        row = self._db.execute(query, values).fetchone()
        return json.loads(row[0]) if row else None

    def _all(self, query: str, *values: Any) -> list[Document]:
        return [json.loads(row[0]) for row in self._db.execute(query, values)]

    def close(self) -> None:
        self._db.close()
