"""Verification of a data directory or a cluster.  The rule: believe the journal, change no byte.

Each cell is replayed from its first entry: chain, checkpoints, invariants.  The views are rebuilt
from the same entries in a temporary directory and compared with the live ones, row by row.
"""

import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, structs

from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.journal.port import Journal, JournalError
from seawall.journal.sqlite import SqliteJournal
from seawall.journal.verify import ChainWalk
from seawall.lib.invariants import InvariantError
from seawall.model import limits
from seawall.model.commands import Command
from seawall.model.events import Event
from seawall.model.ids import CELLS, CONTROL, FUNDING, IDENTITY, SPOT
from seawall.node.between import disagreements, sight_of_funding, sight_of_spot
from seawall.node.cell import Cell, control_cell, funding_cell, identity_cell, spot_cell
from seawall.node.checkpoints import Checkpoints
from seawall.node.errors import ReplayError
from seawall.node.replay import Progress, replay
from seawall.views.compare import HistoryMissingError, compare_views, read_watermark
from seawall.views.views import Views

Open = Callable[[str], Awaitable[Journal]]
"""Opens a cell's journal; whoever asked closes it."""
_LATER: Final = (FUNDING, CONTROL)
"""Cells that the first release had not."""


class CellVerified(Struct, frozen=True, kw_only=True):
    """What was found of one cell; every check that did not hold is told in `problems`."""

    cell: str
    ok: bool
    replayed: bool
    """Whether every entry could be read and applied."""
    entries: int
    batches: int
    epoch: int
    digest: str
    """Of the state after the last entry; empty if an invariant does not hold there."""
    checkpoints: int
    """Digests journaled by a leader and met again by this replay."""
    views_at: int | None
    """The entry up to which live and rebuilt views were compared; None for a cell without."""
    problems: list[str]


class VerifyReport(Struct, frozen=True, kw_only=True):
    """What was found of a data directory; `ok` only if all holds."""

    ok: bool
    cells: list[CellVerified]


async def verify_data(data: Path, progress: Progress | None = None) -> VerifyReport:
    """Replay everything in `data` and compare; a running exchange is verified up to now."""

    async def open_read_only(cell: str) -> Journal:
        path = data / "journal" / f"{cell}.sqlite"
        return await SqliteJournal.open(path, cell, read_only=True)

    with tempfile.TemporaryDirectory(prefix="seawall-verify-") as name:
        rebuild = ViewsRebuild(data, Path(name))
        return await _verify(open_read_only, cells_of(data), progress, rebuild)


async def verify_journals(open_journal: Open, progress: Progress | None = None) -> VerifyReport:
    """Replay the journals of all cells, wherever they are, up to now."""
    return await _verify(open_journal, CELLS, progress, None)


async def _verify(
    open_journal: Open,
    names: Sequence[str],
    progress: Progress | None,
    rebuild: "ViewsRebuild | None",
) -> VerifyReport:
    found = {IDENTITY: await _verify_cell(open_journal, identity_cell(), progress, None)}
    funding, spot = funding_cell(), spot_cell()
    if FUNDING in names:
        found[FUNDING] = await _verify_cell(open_journal, funding, progress, None)
    found[SPOT] = await _verify_cell(open_journal, spot, progress, rebuild)
    if CONTROL in names:
        found[CONTROL] = await _verify_cell(open_journal, control_cell(), progress, None)
    if all(cell.replayed for cell in found.values()):
        between = await _between(open_journal, funding, spot, has_funding=FUNDING in names)
        for name, problems in between.items():
            if problems:
                told = [*found[name].problems, *problems]
                found[name] = structs.replace(found[name], ok=False, problems=told)
    cells = list(found.values())
    return VerifyReport(ok=all(cell.ok for cell in cells), cells=cells)


async def _between(
    open_journal: Open, funding: Cell[FundingState], spot: Cell[SpotState], *, has_funding: bool
) -> dict[str, list[str]]:
    """Return how the cells contradict each other, told of the one that lacks what the other knows.

    Funding was read before spot, and is read again up to now: each is once the later one.
    """
    later_spot = disagreements(sight_of_funding(funding.state), sight_of_spot(spot.state))
    if has_funding:
        try:
            await _read_on(open_journal, funding)
        except (JournalError, ReplayError, InvariantError) as error:
            return {SPOT: later_spot, FUNDING: [str(error)]}
    later_funding = disagreements(sight_of_spot(spot.state), sight_of_funding(funding.state))
    more = [problem for problem in later_funding if problem not in later_spot]
    if not has_funding:
        return {SPOT: [*later_spot, *more]}
    return {SPOT: later_spot, FUNDING: more}


def cells_of(data: Path) -> list[str]:
    """Return the cells of a data directory.

    One of release 0.1 has no funding cell yet, one before incident control no control cell.
    """
    journals = data / "journal"
    return [name for name in CELLS if name not in _LATER or any(journals.glob(f"{name}.*"))]


async def _read_on(open_journal: Open, cell: Cell[Any]) -> None:
    """Apply what came to the cell's journal meanwhile."""
    journal = await open_journal(cell.name)
    try:
        await replay(cell, journal, Checkpoints(cell, limits.CHECKPOINT_ENTRIES))
    finally:
        await journal.close()


class ViewsRebuild:
    """A second set of views, fed by the replay up to where the live ones stand."""

    def __init__(self, data: Path, directory: Path) -> None:
        self.problems: list[str] = []
        self.stands_at = 0
        self._live, self._rebuilt = directory / "live", directory / "rebuilt"
        try:
            _copy_history(data, self._live)
            self.stands_at = read_watermark(self._live)
        except (HistoryMissingError, sqlite3.Error) as error:
            self.problems.append(f"views: {error}")
        self._views = Views.open(self._rebuilt)

    def on_entry(
        self, _cell: str, sequence: int, at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        if sequence <= self.stands_at:
            self._views.on_commit(sequence, at_ns, events)

    async def finish(self, replayed: int) -> list[str]:
        """Compare; return how live and rebuilt views differ."""
        await self._views.close()
        if self.problems:
            return self.problems
        if replayed < self.stands_at:
            return [f"views: they stand at {self.stands_at}, the replay at {replayed}"]
        try:
            return [f"views: {text}" for text in compare_views(self._live, self._rebuilt)]
        except HistoryMissingError as error:
            return [f"views: {error}"]


async def _verify_cell(
    open_journal: Open,
    cell: Cell[Any],
    progress: Progress | None,
    rebuild: ViewsRebuild | None,
) -> CellVerified:
    walk = ChainWalk()
    checkpoints = Checkpoints(cell, limits.CHECKPOINT_ENTRIES)
    problems: list[str] = []
    epoch, broken, replayed = 0, False, False
    try:
        journal = await open_journal(cell.name)
        try:
            listener = None if rebuild is None else rebuild.on_entry
            head = await replay(
                cell, journal, checkpoints, listener=listener, walk=walk, progress=progress
            )
            epoch, replayed = head.epoch, True
            if walk.finish() != head:
                problems.append("the chain does not end in the head's hash")
        finally:
            await journal.close()
        cell.check()
    except (JournalError, ReplayError) as error:
        problems.append(str(error))
    except InvariantError as error:
        broken = True
        problems.append(f"{cell.name}: after entry {cell.state.sequence}: {error}")
    if rebuild is not None:
        problems += await rebuild.finish(cell.state.sequence)
    return CellVerified(
        cell=cell.name,
        ok=not problems,
        replayed=replayed,
        entries=cell.state.sequence,
        batches=walk.batches,
        epoch=epoch,
        digest="" if broken else cell.digest(),
        checkpoints=checkpoints.compared,
        views_at=None if rebuild is None else rebuild.stands_at,
        problems=problems,
    )


def _copy_history(data: Path, target: Path) -> None:
    """Copy the live history as of one moment; a running exchange goes on writing to its own."""
    source = data / "views" / "history.sqlite"
    if not source.exists():
        raise HistoryMissingError(f"{source} does not exist")
    (target / "views").mkdir(parents=True)
    live = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    copy = sqlite3.connect(target / "views" / "history.sqlite")
    try:
        live.backup(copy)
    finally:
        copy.close()
        live.close()
