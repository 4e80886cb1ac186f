"""`seawall journal`.  The rule: it only reads, so it may be asked of a running exchange."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.markup import escape

from seawall.cli.options import DEFAULT_DATA, Data, Json, existing
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.journal.port import Entry, JournalError
from seawall.journal.sqlite import SqliteJournal
from seawall.lab.progress import Progress, bar
from seawall.model import limits
from seawall.model.ids import CELLS, SPOT
from seawall.node.verify import CellVerified, VerifyReport, cells_of, verify_data


class HeadLine(Struct, frozen=True, kw_only=True):
    """Where one cell's journal ends."""

    cell: str
    entries: int
    epoch: int
    hash: str


def head(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Say where each cell's journal ends."""
    lines = asyncio.run(_heads(existing(data)))
    if json:
        print_json(lines)
        return 0
    for line in lines:
        human.print(f"[bold]{line.cell}[/]: {line.entries:,} entries, epoch {line.epoch}")
        human.print(f"  hash {line.hash}")
    return 0


def show(
    *,
    cell: str = SPOT,
    first: Annotated[int | None, Parameter(name="--from")] = None,
    limit: int = 20,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Print entries as they are journaled; the last ones, if nothing else is asked for.

    Parameters
    ----------
    cell
        Which journal: spot, funding or identity.
    first
        Sequence of the first entry.
    limit
        How many entries.
    """
    if cell not in CELLS:
        raise CliError(f"There is no cell `{cell}`.", f"Cells: {', '.join(CELLS)}.", Exit.USAGE)
    if limit < 1 or (first is not None and first < 1):
        raise CliError("--from and --limit start at 1.", "Give a larger number.", Exit.USAGE)
    entries = asyncio.run(_entries(existing(data), cell, first, limit))
    if json:
        print_json([_document(entry) for entry in entries])
        return 0
    for entry in entries:
        human.print(
            f"[bold]{entry.sequence}[/] [dim]epoch {entry.epoch}[/] "
            + escape(entry.payload.decode("utf-8", "replace"))
        )
    return 0


def verify(
    *, data: Data = Path(DEFAULT_DATA), topology: Path | None = None, json: Json = False
) -> int:
    """Replay everything, and check chain, digests, invariants and candles.

    Exit 0 only if all hold.  A running exchange is checked up to this moment.

    Parameters
    ----------
    topology
        TOML file of a cluster, to check its journals in etcd and its archive instead.
    """
    if topology is None:
        existing(data)

    async def run(progress: Callable[[str, int, int], Awaitable[None]] | None) -> VerifyReport:
        if topology is not None:
            from seawall.cli.cluster_verify import verify_cluster

            return await verify_cluster(topology, progress)
        return await verify_data(data, progress)

    if json:
        report = asyncio.run(run(None))
        print_json(report)
    else:
        with bar() as progress:
            report = asyncio.run(run(_told(progress)))
        for cell in report.cells:
            _tell(cell)
    return int(Exit.OK if report.ok else Exit.FAILED)


def _told(progress: Progress) -> Callable[[str, int, int], Awaitable[None]]:
    async def tell(cell: str, done: int, total: int) -> None:
        progress(f"replaying {cell}", done, total)

    return tell


def _tell(cell: CellVerified) -> None:
    mark = "[green]✓[/]" if cell.ok else "[bold red]✗[/]"
    human.print(
        f"{mark} [bold]{cell.cell}[/]: {cell.entries:,} entries in {cell.batches:,} batches,"
        f" epoch {cell.epoch}, {cell.checkpoints:,} checkpoints met"
    )
    if cell.digest:
        human.print(f"  digest {cell.digest}")
    if cell.views_at is not None and cell.ok:
        human.print(f"  views and candles, live = rebuilt, up to entry {cell.views_at:,}")
    for problem in cell.problems:
        human.print(f"  [red]{escape(problem)}[/]")


async def _heads(data: Path) -> list[HeadLine]:
    lines = []
    for cell in cells_of(data):
        journal = await _open(data, cell)
        try:
            end = await journal.head()
        finally:
            await journal.close()
        lines.append(
            HeadLine(cell=cell, entries=end.sequence, epoch=end.epoch, hash=end.hash.hex())
        )
    return lines


async def _entries(data: Path, cell: str, first: int | None, limit: int) -> list[Entry]:
    journal = await _open(data, cell)
    found: list[Entry] = []
    try:
        if first is None:
            end = await journal.head()
            first = max(1, end.sequence - limit + 1)
        while len(found) < limit:
            part = min(limit - len(found), limits.READ_ENTRIES)
            entries = await journal.read(first + len(found), part)
            if not entries:
                break
            found += entries
    except JournalError as error:
        raise _damaged(error) from error
    finally:
        await journal.close()
    return found


async def _open(data: Path, cell: str) -> SqliteJournal:
    try:
        return await SqliteJournal.open(data / "journal" / f"{cell}.sqlite", cell, read_only=True)
    except JournalError as error:
        raise _damaged(error) from error


def _damaged(error: JournalError) -> CliError:
    return CliError(str(error), "docs/operating/journal-damage.md says what may be done.")


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "epoch": entry.epoch,
        "hash": entry.hash.hex(),
        "record": msgspec.Raw(entry.payload),
    }
