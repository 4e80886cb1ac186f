"""`seawall journal`.  The rule: it only reads, so it may be asked of a running exchange."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.markup import escape
from rich.table import Table

from seawall.cli.options import DEFAULT_DATA, Data, Json, existing
from seawall.cli.output import CliError, Exit, human, notes, print_json
from seawall.journal.port import Entry, JournalError
from seawall.journal.sqlite import SqliteJournal
from seawall.model import limits
from seawall.model.ids import CELLS, SPOT
from seawall.node.verify import CellVerified, verify_data


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
    table = Table("cell", "entries", "epoch", "chain hash", box=None)
    for line in lines:
        table.add_row(line.cell, f"{line.entries:,}", str(line.epoch), line.hash)
    human.print(table)
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
        Which journal: spot or identity.
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


def verify(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Replay everything, and check chain, digests, invariants and candles."""
    found = asyncio.run(_verified(existing(data), quiet=json))
    holds = all(cell.ok for cell in found)
    if json:
        print_json({"ok": holds, "cells": found})
    else:
        for cell in found:
            _tell(cell)
    return int(Exit.OK if holds else Exit.FAILED)


async def _heads(data: Path) -> list[HeadLine]:
    lines = []
    for cell in CELLS:
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
    try:
        if first is None:
            end = await journal.head()
            first = max(1, end.sequence - limit + 1)
        found: list[Entry] = []
        while len(found) < limit:
            part = min(limit - len(found), limits.READ_ENTRIES)
            entries = await journal.read(first + len(found), part)
            if not entries:
                break
            found += entries
        return found
    except JournalError as error:
        raise _damaged(error) from error
    finally:
        await journal.close()


async def _open(data: Path, cell: str) -> SqliteJournal:
    try:
        return await SqliteJournal.open(
            data / "journal" / f"{cell}.sqlite", cell, read_only=True
        )
    except JournalError as error:
        raise _damaged(error) from error


def _damaged(error: JournalError) -> CliError:
    return CliError(str(error), "docs/operating/journal.md says what may be done.")


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "epoch": entry.epoch,
        "hash": entry.hash.hex(),
        "record": msgspec.Raw(entry.payload),
    }


async def _verified(data: Path, *, quiet: bool) -> list[CellVerified]:
    raise NotImplementedError
