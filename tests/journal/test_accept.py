"""Accepting a loss: only what a person names, only where all before is whole, nothing erased."""

from pathlib import Path

import pytest
from tests.journal.journal_files import CELL, contents, copy, file_bytes, fill, make

from seawall.journal.accept import accept_loss, main
from seawall.journal.port import JournalDamagedError, JournalError
from seawall.journal.sqlite_store import SqliteStore


@pytest.fixture
def path(memory_path: Path) -> Path:
    """Give a journal whose log lost a byte in the middle: its last entries cannot be read."""
    path = copy(make(memory_path / "original"), memory_path / "damaged")
    log = path.with_name(path.name + "-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    return path


def _readable(path: Path) -> int:
    """Return where the journal can still be read to, as the operator finds out."""
    with pytest.raises(JournalDamagedError, match="can be read up to") as refusal:
        accept_loss(path, CELL, -1)
    return int(str(refusal.value).split("up to ")[1].split(",", maxsplit=1)[0])


def test_an_accepted_loss_lets_the_journal_go_on(path: Path) -> None:
    before = file_bytes(path)
    with pytest.raises(JournalDamagedError):
        contents(path)
    last = _readable(path)
    assert file_bytes(path) == before, "asking changes nothing"
    aside = accept_loss(path, CELL, last)
    head, entries = contents(path)
    assert head.sequence == last == len(entries)
    store = SqliteStore(path, CELL)
    fill(store, 5, 20)
    written = store.head
    store.close()
    assert contents(path)[0] == written
    assert file_bytes(aside / path.name) == before, "what was there is kept"


def test_damage_before_the_end_cannot_be_accepted(path: Path) -> None:
    last = _readable(path)
    accept_loss(path, CELL, last)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalDamagedError, match=r"chain hash|malformed"):
        accept_loss(path, CELL, last)
    assert path.read_bytes() == data


def test_a_journal_in_use_is_left_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "spot.sqlite", CELL)
    fill(store, 1, 3)
    with pytest.raises(JournalError, match="in use"):
        accept_loss(store.path, CELL, store.head.sequence)
    store.close()


def test_the_program_says_what_it_did(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path)]) == 2
    assert main([str(path), CELL, "1"]) == 1
    refusal = capsys.readouterr().err
    assert "nothing was changed" in refusal
    last = _readable(path)
    assert main([str(path), CELL, str(last)]) == 0
    assert f"ends at {last} now" in capsys.readouterr().out
    assert main([str(path.with_name("none.sqlite")), CELL, "1"]) == 1
