"""What was told to whom.  The rule: written before the next is sent, and kept across restarts."""

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS recipients (
    recipient TEXT PRIMARY KEY, since_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sent (
    recipient TEXT NOT NULL, key TEXT NOT NULL, at_ns INTEGER NOT NULL, outcome TEXT NOT NULL,
    PRIMARY KEY (recipient, key)
) STRICT, WITHOUT ROWID;
"""


class Sent:
    """One file; `:memory:` for tests."""

    def __init__(self, path: Path | str) -> None:
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def known_since(self, recipient: str, now_ns: int) -> int:
        """Return when a recipient was first known; from then on he is told of what happens."""
        self._db.execute("INSERT OR IGNORE INTO recipients VALUES (?, ?)", (recipient, now_ns))
        row = self._db.execute(
            "SELECT since_ns FROM recipients WHERE recipient = ?", (recipient,)
        ).fetchone()
        return int(row[0])

    def done(self, recipient: str) -> Collection[str]:
        """Return the keys of all that needs no more sending."""
        rows = self._db.execute("SELECT key FROM sent WHERE recipient = ?", (recipient,))
        return {row[0] for row in rows}

    def note(self, recipient: str, key: str, at_ns: int, outcome: str) -> None:
        """Remember that a notice was sent, or why it never will be."""
        self._db.execute(
            "INSERT OR IGNORE INTO sent VALUES (?, ?, ?, ?)", (recipient, key, at_ns, outcome)
        )

    def outcomes(self, recipient: str) -> dict[str, str]:
        rows = self._db.execute("SELECT key, outcome FROM sent WHERE recipient = ?", (recipient,))
        return dict(rows.fetchall())

    def close(self) -> None:
        self._db.close()
