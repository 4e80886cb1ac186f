"""Whether the replicas of all cells are equal, on purpose.  The rule: silence is no agreement.

Checkpoints in the journal are far apart, and who agrees says nothing there.  So one node names an
entry of each cell that is still to come; every node takes its digest there and tells it.  Sans-I/O.
"""

from collections.abc import Mapping
from typing import Final

from seawall.node.gates import Replica

WAIT_S: Final = 8.0
"""How long answers are waited for; a cell without other commands has an entry each second."""
AHEAD: Final = 3
"""Entries until the one that is asked for, besides those that came since the last look."""


class DigestRound:
    """One question to all nodes, and what they answered."""

    def __init__(self, sequences: Mapping[str, int], nodes: list[str], now_s: float) -> None:
        self.sequences = dict(sequences)
        self._nodes = nodes
        self._until_s = now_s + WAIT_S
        self._told: dict[tuple[str, str], str] = {}

    def on_digest(self, node: str, cell: str, sequence: int, digest: str) -> None:
        """Take an answer; one to another question is none."""
        if self.sequences.get(cell) == sequence and node in self._nodes:
            self._told[cell, node] = digest

    def over(self, now_s: float) -> bool:
        """Whether everybody has answered, or nobody is waited for any more."""
        return now_s >= self._until_s or len(self._told) == len(self.sequences) * len(self._nodes)

    @property
    def replicas(self) -> list[Replica]:
        return [
            Replica(node=node, cell=cell, sequence=self.sequences[cell], digest=digest)
            for (cell, node), digest in self._told.items()
        ]


class Pace:
    """How far ahead an entry must be so that no node has passed it yet."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def next_sequences(self, sequences: Mapping[str, int]) -> dict[str, int]:
        """Return an entry of each cell; to be asked at even intervals."""
        found = {
            cell: sequence + AHEAD + sequence - self._seen.get(cell, sequence)
            for cell, sequence in sequences.items()
        }
        self._seen = dict(sequences)
        return found
