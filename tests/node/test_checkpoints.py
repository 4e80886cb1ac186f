"""Replicas that differ: most are right, whoever leads; without a majority nobody is."""

from collections.abc import Sequence

import pytest
from tests.node.toy import toy_cell

from seawall.model import ids
from seawall.model.commands import Checkpoint, Tick
from seawall.node.checkpoints import Checkpoints, OutvotedError

EVERY = 2


class Replica:
    """A toy cell's digests; `wrong` ones differ from the others'."""

    def __init__(self, node: str, *, wrong: bool = False, voters: int = 3) -> None:
        self.node = node
        self.cell = toy_cell()
        if wrong:
            self.cell.digest = lambda: "wrong"  # type: ignore[method-assign]  # a flipped bit
        self.checkpoints = Checkpoints(self.cell, EVERY, node=node, voters=voters)

    def reach(self, sequence: int) -> Checkpoint:
        due = self.checkpoints.on_committed(sequence, Tick())
        assert due is not None
        return due


def tell(replicas: Sequence[Replica], vote: Checkpoint, sequence: int) -> list[str]:
    """Apply a vote everywhere; return who is outvoted."""
    outvoted = []
    for replica in replicas:
        try:
            replica.checkpoints.on_committed(sequence, vote)
        except OutvotedError:
            outvoted.append(replica.node)
    return outvoted


@pytest.mark.parametrize("wrong", ["amber", "blue", "coral"])
def test_most_are_right_whoever_leads(wrong: str) -> None:
    names = ("amber", "blue", "coral")
    replicas = [Replica(name, wrong=name == wrong) for name in names]
    leader, *_ = votes = [replica.reach(EVERY) for replica in replicas]
    outvoted = tell(replicas, leader, 3)
    assert not outvoted
    # Whoever differs says so, and then whoever has not spoken.
    sequence = 4
    while not outvoted:
        due = [replica for replica in replicas if replica.checkpoints.due() is not None]
        assert due
        said = due[0].checkpoints.due()
        assert said in votes
        outvoted = tell(replicas, said, sequence + sequence % 2 + 1)
        sequence += 2
    assert outvoted == [wrong]
    right = [replica for replica in replicas if replica.node != wrong]
    assert not any(replica.checkpoints.disputed for replica in right)
    assert not any(replica.checkpoints.due() for replica in right)


def test_replicas_that_agree_say_nothing() -> None:
    replicas = [Replica("amber"), Replica("blue")]
    vote, _ = [replica.reach(EVERY) for replica in replicas]
    assert not tell(replicas, vote, 3)
    assert [replica.checkpoints.due() for replica in replicas] == [None, None]
    assert [replica.checkpoints.compared for replica in replicas] == [1, 1]


def test_one_against_one_is_disputed_until_a_third_or_a_better_replay_speaks() -> None:
    right, wrong = Replica("amber"), Replica("blue", wrong=True)
    assert not tell([right, wrong], right.reach(EVERY), 3)
    wrong.reach(EVERY)
    dissent = wrong.checkpoints.due()
    assert dissent is not None
    assert not tell([right, wrong], dissent, 5)
    for each in (right, wrong):
        assert "amber" in each.checkpoints.disputed
        assert "blue wrong" in each.checkpoints.disputed
        assert each.checkpoints.due() is None
    # Blue was restarted and replayed: it has another digest now, and takes back what it said.
    again = Replica("blue")
    again.reach(EVERY)
    assert not tell([again], Checkpoint(sequence=ids.Sequence(2), digest="wrong", node="blue"), 5)
    first = again.checkpoints.due()
    assert first is not None
    assert not tell([right, again], first, 7)
    assert not right.checkpoints.disputed


def test_alone_the_journal_is_right() -> None:
    alone = Replica("", wrong=True, voters=1)
    alone.reach(EVERY)
    with pytest.raises(OutvotedError, match="is the leader's"):
        alone.checkpoints.on_committed(3, Checkpoint(sequence=ids.Sequence(2), digest="right"))
