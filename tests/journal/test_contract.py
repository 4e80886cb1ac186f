"""The contract, over every engine."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.contract.journal_contract import Engine, JournalContract, SharedJournalContract

from seawall.journal.memory import MemoryDisk, MemoryJournal
from seawall.journal.port import Journal, chain_hash, frame
from seawall.journal.sqlite import SqliteJournal


class SqliteEngine(Engine):
    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> Journal:
        return await SqliteJournal.open(self.path, "spot")

    async def intrude(self, epoch: int, payloads: Sequence[bytes]) -> None:
        """Write past the lock, as a process that ignores it would."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        first, count, before = connection.execute(
            "SELECT first, count, hash FROM batches ORDER BY first DESC LIMIT 1"
        ).fetchone()
        framed = frame(payloads)
        link = chain_hash(before, first + count, epoch, framed)
        connection.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
            (first + count, len(payloads), epoch, link, framed),
        )
        connection.close()


class MemoryEngine(Engine):
    def __init__(self) -> None:
        self.disk = MemoryDisk()

    async def open(self) -> Journal:
        return MemoryJournal(self.disk)

    async def intrude(self, epoch: int, payloads: Sequence[bytes]) -> None:
        await MemoryJournal(self.disk).append(self.disk.head.sequence + 1, epoch, payloads)


class TestSqlite(JournalContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return SqliteEngine(tmp_path / "spot.sqlite")


class TestMemory(SharedJournalContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return MemoryEngine()
