"""Digest checkpoints.  The rule: two replicas that differ must not both go on.

Whenever a cell has applied a multiple of `every` entries, its digest is taken and remembered; the
leader journals it as a `Checkpoint`.  Whoever applies that entry compares.  A replica that differs
says so by a `Checkpoint` of its own, with its name; then all say theirs.  What most nodes have is
right, whoever leads; a replica that is outvoted stops.  While no digest has a majority the cell is
*disputed*: nobody can tell who is wrong, and only cancels are taken.  All of that stands in the
journal, so every replica comes to the same verdict at the same entry, and a replay as well.
"""

from collections.abc import Callable
from typing import Any, Final

from seawall.lib.invariants import InvariantError
from seawall.model.commands import Checkpoint, Command
from seawall.model.ids import Sequence
from seawall.node.cell import Cell

_REMEMBERED: Final = 16
"""A checkpoint follows its digest within a few batches, so this many are plenty."""
_SHOWN: Final = 16
"""Characters of a digest in a message."""


class OutvotedError(InvariantError):
    """Most replicas have another state: what this one has kept must not be believed."""


class Checkpoints:
    """The digests of one cell's replica, and what the others say of them."""

    def __init__(self, cell: Cell[Any], every: int, *, node: str = "", voters: int = 1) -> None:
        self.compared = 0
        self.disputed = ""
        """Who differs, while nobody can tell who is right; empty otherwise."""
        self._cell = cell
        self._every = every
        self._node = node
        self._majority = voters // 2 + 1
        self._digests: dict[int, str] = {}
        self._asked: dict[int, Callable[[int, str], None]] = {}
        self._votes: dict[int, dict[str, str]] = {}
        """By sequence: what each node's digest was."""

    def on_committed(self, sequence: int, command: Command) -> Checkpoint | None:
        """Compare if the entry is a checkpoint; return one to be journaled if one is due.

        Raises OutvotedError if most replicas have another digest.
        """
        if isinstance(command, Checkpoint):
            self._compare(command)
        tell = self._asked.pop(sequence, None)
        if tell is not None:
            tell(sequence, self._cell.digest())
        if sequence % self._every:
            return None
        digest = self._cell.digest()
        self._digests[sequence] = digest
        _forget(self._digests)
        return self._vote(sequence)

    def ask(self, sequence: int, tell: Callable[[int, str], None]) -> None:
        """Have the digest after an entry that is to come told; one that has passed never is."""
        if sequence > self._cell.state.sequence:
            self._asked[sequence] = tell
            _forget(self._asked)

    def due(self) -> Checkpoint | None:
        """Return what this replica has to say in a dispute, and has not said yet."""
        for sequence, votes in self._votes.items():
            own = self._digests.get(sequence)
            if own is None or votes.get(self._node) == own or self._verdict(votes):
                continue
            if set(votes.values()) != {own}:
                return self._vote(sequence)
        return None

    def _compare(self, checkpoint: Checkpoint) -> None:
        votes = self._votes.setdefault(checkpoint.sequence, {})
        votes[checkpoint.node] = checkpoint.digest
        _forget(self._votes)
        self.disputed = self._dispute()
        own = self._digests.get(checkpoint.sequence)
        if own is None:
            # This replica started from a later snapshot, or with another interval.
            return
        verdict = self._verdict(votes)
        if verdict not in ("", own):
            whose = "the leader's" if self._majority == 1 else "that of most replicas"
            raise OutvotedError(
                f"{self._cell.name}: the digest after entry {checkpoint.sequence} is {whose}"
                f" ({verdict[:_SHOWN]}), not {own[:_SHOWN]}"
            )
        if checkpoint.digest == own:
            self.compared += 1

    def _dispute(self) -> str:
        for sequence, votes in self._votes.items():
            if len(set(votes.values())) > 1 and not self._verdict(votes):
                said = ", ".join(f"{node} {digest[:_SHOWN]}" for node, digest in votes.items())
                return f"{self._cell.name}: the replicas differ after entry {sequence}: {said}"
        return ""

    def _vote(self, sequence: int) -> Checkpoint:
        digest = self._digests[sequence]
        return Checkpoint(sequence=Sequence(sequence), digest=digest, node=self._node)

    def _verdict(self, votes: dict[str, str]) -> str:
        """Return the digest that most nodes have; empty while none has a majority."""
        digests = list(votes.values())
        for digest in digests:
            if digests.count(digest) >= self._majority:
                return digest
        return ""


def _forget(known: "dict[int, Any]") -> None:
    if len(known) > _REMEMBERED:
        del known[min(known)]
