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
"""Entries until the one that is asked for, besides those of AHEAD_S."""
AHEAD_S: Final = 2.0
"""So long the question may take to reach every node.  Far below WAIT_S: a round that asks for what
comes only after its own end would have no answer, and neither would the next, which is as late."""


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
    """How far ahead an entry must be so that no node has passed it yet, and how near."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._seen_s = 0.0

    def next_sequences(self, sequences: Mapping[str, int], now_s: float) -> dict[str, int]:
        """Return an entry of each cell that is about AHEAD_S away, at the pace since the last."""
        share = AHEAD_S / max(now_s - self._seen_s, AHEAD_S)
        found = {
            cell: sequence + AHEAD + int((sequence - self._seen.get(cell, sequence)) * share)
            for cell, sequence in sequences.items()
        }
        self._seen = dict(sequences)
        self._seen_s = now_s
        return found
