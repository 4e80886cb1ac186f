"""Two processes and one journal: the second is told, and the first is not disturbed."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.journal.journal_files import CELL, environment, fill

from seawall.journal.port import JournalError
from seawall.journal.sqlite_store import SqliteStore

OPEN_TOO = """
import sys
from pathlib import Path
from seawall.journal.sqlite_store import SqliteStore
SqliteStore(Path(sys.argv[1]), "spot")
"""


def test_a_second_opening_is_refused_here_and_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "spot.sqlite"
    store = SqliteStore(path, CELL)
    fill(store, 1, 5)
    with pytest.raises(JournalError, match="in use by another process"):
        SqliteStore(path, CELL)
    other = subprocess.run(
        [sys.executable, "-c", OPEN_TOO, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert "in use by another process" in other.stderr
    fill(store, 2, 5)
    store.close()
    SqliteStore(path, CELL).close()
