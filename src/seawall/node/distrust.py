"""Throwing away what a wrong replica kept.  The rule: the journal alone is enough.

A replica that was outvoted may have written its wrong state down, in snapshots and in the views'
history.  It leaves a mark; the next start removes all that was kept of that cell before it looks at
any of it, and replays the journal.  The mark goes last, so a crash in between repeats the work.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog

from seawall.model.ids import SPOT
from seawall.node import snapshots

_FOLDER: Final = "distrusted"

_log = structlog.get_logger("seawall.node")


def mark(data: Path, cell: str, reason: str) -> None:
    """Have the next start believe nothing that was kept of the cell."""
    folder = data / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / cell).open("w", encoding="utf-8") as file:
        file.write(f"{reason}\n")
        file.flush()
        os.fsync(file.fileno())
    _log.critical("what was kept is not believed", cell=cell, reason=reason)


def marked(data: Path, cells: Iterable[str]) -> bool:
    return any((data / _FOLDER / cell).exists() for cell in cells)


def discard(data: Path, cells: Iterable[str]) -> None:
    """Remove what was kept of cells that are marked; before anything is opened."""
    for cell in cells:
        marked = data / _FOLDER / cell
        if not marked.exists():
            continue
        for path in snapshots.newest_first(data / "snapshots", cell):
            path.unlink(missing_ok=True)
        if cell == SPOT and (data / "views").exists():
            shutil.rmtree(data / "views")
        _log.warning("replayed from the journal alone", cell=cell)
        marked.unlink()
