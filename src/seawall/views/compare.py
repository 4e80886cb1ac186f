"""Live against rebuilt.  The rule: two histories of one journal at one sequence are equal, byte for
byte; the first difference of each table is named.

Both must stand at the same watermark: whoever rebuilds stops at the live one's (`read_watermark`).
"""

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from seawall.views.schema import KEYS

Row = tuple[object, ...]

_ENCODE = msgspec.json.Encoder().encode
_IN_ORDER = {
    "trades": "SELECT * FROM trades ORDER BY symbol, trade_id",
    "agg_trades": "SELECT * FROM agg_trades ORDER BY symbol, agg_id",
    "candles": "SELECT * FROM candles ORDER BY symbol, interval, open_ns",
    "interruptions": "SELECT * FROM interruptions ORDER BY symbol, from_ns",
    "orders": "SELECT * FROM orders ORDER BY order_id",
    "order_lists": "SELECT * FROM order_lists ORDER BY order_list_id",
    "amendments": "SELECT * FROM amendments ORDER BY order_id, execution_id",
    "prevented_matches": "SELECT * FROM prevented_matches ORDER BY symbol, prevented_match_id",
}


class HistoryMissingError(Exception):
    """A data directory has no history that can be read."""


def compare_views(live_dir: Path, rebuilt_dir: Path) -> list[str]:
    """Return how the histories of two data directories differ; empty if they are equal."""
    live, rebuilt = _open(live_dir), _open(rebuilt_dir)
    try:
        live_at, rebuilt_at = _watermark(live), _watermark(rebuilt)
        if live_at != rebuilt_at:
            return [f"watermark: live {live_at}, rebuilt {rebuilt_at}; compare at one sequence"]
        found = []
        for table in KEYS:
            found += _compare_table(table, live, rebuilt)
    finally:
        live.close()
        rebuilt.close()
    return found


def read_watermark(data: Path) -> int:
    """Return the sequence up to which the history of a data directory is complete."""
    connection = _open(data)
    try:
        return _watermark(connection)
    finally:
        connection.close()


def digest_views(data: Path) -> dict[str, str]:
    """Return a digest of every table of a data directory's history."""
    connection = _open(data)
    try:
        digests = {}
        for table, statement in _IN_ORDER.items():
            digest = sha256()
            for row in _rows(connection, statement):
                digest.update(_ENCODE(row) + b"\n")
            digests[table] = digest.hexdigest()
    finally:
        connection.close()
    return digests


def _open(data: Path) -> sqlite3.Connection:
    path = data / "views" / "history.sqlite"
    if not path.exists():
        raise HistoryMissingError(f"{path} does not exist")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _watermark(connection: sqlite3.Connection) -> int:
    try:
        found = connection.execute("SELECT value FROM meta WHERE name = 'watermark'").fetchone()
    except sqlite3.DatabaseError as error:
        raise HistoryMissingError(f"history cannot be read: {error}") from error
    if found is None:
        raise HistoryMissingError("history has no watermark")
    return int(found[0])


def _compare_table(table: str, live: sqlite3.Connection, rebuilt: sqlite3.Connection) -> list[str]:
    """Return the first difference and how many rows differ, walking both in key order."""
    width = len(KEYS[table])
    differ, first = 0, ""
    lives, rebuilts = _rows(live, _IN_ORDER[table]), _rows(rebuilt, _IN_ORDER[table])
    left, right = next(lives, None), next(rebuilts, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _key(left, width) < _key(right, width)):
            found = f"{left} only in live"
            left = next(lives, None)
        elif left is None or _key(right, width) < _key(left, width):
            found = f"{right} only in rebuilt"
            right = next(rebuilts, None)
        else:
            same = _ENCODE(left) == _ENCODE(right)
            found = "" if same else f"live {left}, rebuilt {right}"
            left, right = next(lives, None), next(rebuilts, None)
        if found:
            differ += 1
            first = first or found
    return [f"{table}: {differ} rows differ, first: {first}"] if differ else []


def _key(row: Row, width: int) -> tuple[str, ...]:
    """Return the key in a form that sorts as SQLite sorts it: names by text, numbers by size."""
    return tuple(f"{part:020d}" if isinstance(part, int) else str(part) for part in row[:width])


def _rows(connection: sqlite3.Connection, statement: str) -> Iterator[Row]:
    try:
        yield from connection.execute(statement)
    except sqlite3.DatabaseError as error:
        raise HistoryMissingError(f"history cannot be read: {error}") from error
