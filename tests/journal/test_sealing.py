"""The plan, played against a model of etcd: every prefix of it is a safe place to stop."""

import pytest

from seawall.journal.sealing import (
    CellState,
    Compact,
    Defragment,
    Disarm,
    Forget,
    MemberState,
    MoveLeader,
    Seal,
    SealingPolicy,
    Step,
    StoreState,
    plan,
)
from seawall.lib.prng import Prng

POLICY = SealingPolicy(
    quota_bytes=1_000_000,
    segment_entries=100,
    keep_entries=150,
    compact_revisions=50,
    waste_bytes=100_000,
)
ENTRY_BYTES = 1_000


class Model:
    """Three members that store the same; a file grows, and shrinks only when defragmented."""

    def __init__(self, seed: int) -> None:
        self.random = Prng(seed)
        self.ends: list[int] = []
        """Where batches end, all of them."""
        self.oldest = 1
        self.archived: list[int] = []
        self.revision = self.compacted = 0
        self.garbage = 0
        self.forgotten = False
        self.leader = 0
        self.files = [0, 0, 0]
        self.full = [False, False, False]

    @property
    def used_bytes(self) -> int:
        head = self.ends[-1] if self.ends else 0
        return (head - self.oldest + 1 + self.garbage) * ENTRY_BYTES

    def append(self) -> bool:
        """Append a batch; return whether the quota allowed it."""
        if any(self.full):
            return False
        self.ends.append((self.ends[-1] if self.ends else 0) + self.random.between(1, 20))
        self.revision += 1
        self.grow()
        return True

    def grow(self) -> None:
        for number in range(3):
            self.files[number] = max(self.files[number], self.used_bytes)
        # Whoever notices first raises an alarm of its own, and that stops all.
        if max(self.files) > POLICY.quota_bytes and not any(self.full):
            self.full[self.random.below(3)] = True

    def state(self) -> StoreState:
        newest = self.ends[-2] + 1 if len(self.ends) > 1 else 1
        cell = CellState(
            cell="spot",
            head=self.ends[-1],
            newest=newest,
            oldest=self.oldest,
            ends=tuple(end for end in self.archived if end >= self.oldest),
        )
        members = tuple(
            MemberState(
                endpoint=str(number),
                member_id=number,
                is_leader=number == self.leader,
                file_bytes=self.files[number],
                used_bytes=self.used_bytes,
                is_full=self.full[number],
            )
            for number in range(3)
        )
        return StoreState(
            cells=(cell,),
            members=members,
            members_expected=3,
            revision=self.revision,
            compacted=self.compacted,
            forgotten=self.forgotten,
        )

    def take(self, step: Step) -> None:
        match step:
            case Seal(after=after, until=until, partial=partial):
                self.seal(after, until, partial=partial)
            case Forget(last=last):
                assert last in self.archived, "only what is archived, and whole segments"
                assert last < self.ends[-1], "the head's batch stays"
                self.garbage += last - self.oldest + 1
                self.oldest, self.forgotten = last + 1, True
            case Compact(revision=revision):
                self.compacted, self.garbage, self.forgotten = revision, 0, False
            case MoveLeader(to=to):
                self.leader = to
            case Defragment(endpoint=endpoint):
                assert int(endpoint) != self.leader, "a leader hands over first"
                self.files[int(endpoint)] = self.used_bytes
            case Disarm(member_id=member):
                self.full[member] = False
                self.grow()
            case _:
                raise AssertionError(step)

    def seal(self, after: int, until: int, *, partial: bool) -> None:
        first = after + 1
        for end in (end for end in self.ends if after < end <= until):
            if end - first + 1 >= POLICY.segment_entries:
                self.archived.append(end)
                first = end + 1
        rest = [end for end in self.ends if first <= end <= until]
        if partial and rest:
            self.archived.append(rest[-1])


def round_of(model: Model, stop_after: int) -> int:
    """Take a round's steps, as the driver does, or fewer; return how many."""
    taken, before = 0, None
    while taken < stop_after:
        steps = plan(model.state(), POLICY)
        if not steps or steps == before:
            break
        before = steps
        for step in steps:
            model.take(step)
            taken += 1
    return taken


@pytest.mark.parametrize("seed", range(20))
def test_the_store_stays_small_wherever_rounds_break_off(seed: int) -> None:
    model = Model(seed)
    largest = 0
    for _ in range(1_500):
        for _ in range(model.random.between(1, 6)):
            assert model.append(), "the quota is never reached while rounds are taken"
        round_of(model, model.random.between(0, 6))
        largest = max(largest, *model.files)
    assert model.ends[-1] > 30_000
    assert largest < POLICY.quota_bytes * 6 // 10
    while round_of(model, 1_000):
        pass
    assert model.ends[-1] - model.oldest < POLICY.keep_entries + POLICY.segment_entries + 40


@pytest.mark.parametrize("seed", range(10))
def test_a_full_store_gets_room_again_and_its_alarm_is_lifted(seed: int) -> None:
    model = Model(seed)
    while model.append():
        pass
    assert any(model.full)
    while round_of(model, model.random.between(1, 3)):
        pass
    assert not any(model.full)
    assert model.append()


def test_nothing_is_defragmented_while_a_member_is_away() -> None:
    model = Model(1)
    while model.append():
        pass
    while round_of(model, 1_000):
        pass
    model.files, model.leader = [900_000, 900_000, 900_000], 0
    whole = model.state()
    assert plan(whole, POLICY) == [Defragment("1")]
    away = StoreState(
        cells=whole.cells,
        members=whole.members[:2],
        members_expected=3,
        revision=whole.revision,
        compacted=whole.compacted,
        forgotten=False,
    )
    assert plan(away, POLICY) == []
