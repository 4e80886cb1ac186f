"""Replay: a journal becomes a state.  The rule: the journal alone is enough.

One path for restart, replica and verification: decode, commit, compare checkpoints, tell whoever
listens.  Broken invariants rise to the caller.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import MsgspecError

from seawall.journal.port import Head, Journal
from seawall.journal.verify import ChainWalk
from seawall.lib.invariants import invariant
from seawall.model import limits
from seawall.node.cell import Cell, Record
from seawall.node.checkpoints import Checkpoints
from seawall.node.driver import Listener
from seawall.node.errors import ReplayError

Progress = Callable[[str, int, int], Awaitable[None]]
"""Awaited now and then with cell, entries applied, and entries in all."""


async def replay(
    cell: Cell[Any],
    journal: Journal,
    checkpoints: Checkpoints,
    *,
    listener: Listener | None = None,
    walk: ChainWalk | None = None,
    progress: Progress | None = None,
) -> Head:
    """Apply what the journal holds past the cell's sequence; return where the journal ends.

    `walk`, if given, checks the chain over the very entries that are applied.
    """
    head = await journal.head()
    sequence: int = cell.state.sequence
    invariant(sequence <= head.sequence, f"{cell.name}: a state is never ahead of its journal")
    while sequence < head.sequence:
        # Not past the head that is returned: others may be writing meanwhile.
        limit = min(limits.READ_ENTRIES, head.sequence - sequence)
        entries = await journal.read(sequence + 1, limit)
        if walk is not None:
            walk.take(entries)
        for entry in entries:
            record = _decode(cell, entry.sequence, entry.payload)
            events = cell.commit(record, entry.sequence)
            checkpoints.on_committed(entry.sequence, record.command)
            if listener is not None:
                listener(cell.name, entry.sequence, record.at_ns, record.command, events)
            sequence = entry.sequence
        if progress is not None:
            await progress(cell.name, sequence, head.sequence)
    return head


def _decode(cell: Cell[Any], sequence: int, payload: bytes) -> Record:
    try:
        return cell.decode(payload)
    except MsgspecError as error:
        raise ReplayError(
            f"{cell.name}: entry {sequence} is of no kind that this version knows ({error});"
            " was it written by a newer one?"
        ) from error
