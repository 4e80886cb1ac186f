"""Digest checkpoints.  The rule: two replicas that differ must not both go on.

Whenever a cell has applied a multiple of `every` entries, its digest is taken and remembered; the
leader journals it as a `Checkpoint`.  Whoever applies that entry compares.
"""

from typing import Any, Final

from seawall.lib.invariants import invariant
from seawall.model.commands import Checkpoint, Command
from seawall.model.ids import Sequence
from seawall.node.cell import Cell

_REMEMBERED: Final = 16
"""A checkpoint follows its digest within a few batches, so this many are plenty."""


class Checkpoints:
    """The digests of one cell's replica."""

    def __init__(self, cell: Cell[Any], every: int) -> None:
        self.compared = 0
        self._cell = cell
        self._every = every
        self._digests: dict[int, str] = {}

    def on_committed(self, sequence: int, command: Command) -> Checkpoint | None:
        """Compare if the entry is a checkpoint; return one to be journaled if one is due."""
        if isinstance(command, Checkpoint):
            self._compare(command)
        if sequence % self._every:
            return None
        digest = self._cell.digest()
        self._digests[sequence] = digest
        if len(self._digests) > _REMEMBERED:
            del self._digests[min(self._digests)]
        return Checkpoint(sequence=Sequence(sequence), digest=digest)

    def _compare(self, checkpoint: Checkpoint) -> None:
        own = self._digests.get(checkpoint.sequence)
        if own is None:
            # This replica started from a later snapshot, or with another interval.
            return
        invariant(
            own == checkpoint.digest,
            f"{self._cell.name}: the digest after entry {checkpoint.sequence} is the leader's"
            f" ({checkpoint.digest[:16]}), not {own[:16]}",
        )
        self.compared += 1
