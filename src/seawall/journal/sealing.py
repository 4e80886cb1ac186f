"""What to move out of etcd, and when.  The rule: nothing is forgotten that the archive lacks.

No I/O: from what a round found, `plan` names the next step, and the driver (`sealer.py`) takes it
and looks again.  Each step is safe to repeat, to be taken by two nodes, and to be the last one
before a crash.
"""

from typing import Final

from msgspec import Struct

from seawall.lib.invariants import invariant

FULL_PERCENT: Final = 80
"""Of the quota: an alarm is not lifted while a member's file is larger."""
WORTH_PERCENT: Final = 5
"""Of the quota: free space that is worth a defragmentation while an alarm is raised."""
PRESSED_PERCENT: Final = 50
"""Of the quota in use: from then on everything is sealed that may be."""


class SealingPolicy(Struct, frozen=True, kw_only=True):
    """How much stays in etcd."""

    quota_bytes: int = 2 << 30
    """As the members are told it (`--quota-backend-bytes`)."""
    segment_entries: int = 50_000
    segment_bytes: int = 16 << 20
    """A segment ends with the batch that reaches either."""
    keep_entries: int = 50_000
    """The newest entries of each cell stay in etcd, for followers that are a little late."""
    compact_revisions: int = 10_000
    """Revisions that may gather before history is compacted."""
    waste_bytes: int = 256 << 20
    """Free space in a member's file that is worth a defragmentation."""


class CellState(Struct, frozen=True, kw_only=True):
    cell: str
    head: int
    """The last sequence."""
    newest: int
    """Where the last batch begins; it always stays."""
    oldest: int
    """The first sequence that etcd has."""
    ends: tuple[int, ...]
    """Where archived segments end, in order, from `oldest` on, all with enough whole copies."""

    @property
    def archived(self) -> int:
        return self.ends[-1] if self.ends else self.oldest - 1


class MemberState(Struct, frozen=True, kw_only=True):
    endpoint: str
    member_id: int
    is_leader: bool
    file_bytes: int
    used_bytes: int
    is_full: bool
    """Whether its alarm is raised."""


class StoreState(Struct, frozen=True, kw_only=True):
    """What one look found."""

    cells: tuple[CellState, ...]
    members: tuple[MemberState, ...]
    """Those that answered."""
    members_expected: int
    revision: int
    compacted: int
    """The revision up to which history was compacted; 0 if that is not known."""
    forgotten: bool
    """Whether entries were deleted since history was last compacted."""


class Step(Struct, frozen=True):
    """Something for the driver to do."""


class Seal(Step, frozen=True):
    """Write segments of the entries after `after`, up to `until` at most."""

    cell: str
    after: int
    until: int
    partial: bool
    """Whether a last, smaller segment is wanted."""


class Forget(Step, frozen=True):
    """Delete the batches up to the one that ends at `last`, where a segment ends too."""

    cell: str
    last: int


class Compact(Step, frozen=True):
    revision: int


class MoveLeader(Step, frozen=True):
    endpoint: str
    """The leader, which is to hand over."""
    to: int


class Defragment(Step, frozen=True):
    endpoint: str


class Disarm(Step, frozen=True):
    """Lift the alarm of a full member."""

    member_id: int


def plan(state: StoreState, policy: SealingPolicy) -> list[Step]:
    """Return the next steps of one kind; none if all is well."""
    pressed = _is_pressed(state, policy)
    for steps in (
        [step for cell in state.cells for step in _forget(cell, policy, pressed=pressed)],
        # Before more is sealed: under load there is always more, and only this gives space back.
        _compact(state, policy),
        [step for cell in state.cells for step in _seal(cell, policy, pressed=pressed)],
        _defragment(state, policy),
        _disarm(state, policy),
    ):
        if steps:
            return steps
    return []


def _dispensable(cell: CellState, policy: SealingPolicy, *, pressed: bool) -> int:
    """Return the last entry that etcd need not keep."""
    kept = 0 if pressed else policy.keep_entries
    return min(cell.newest - 1, cell.head - kept)


def _is_pressed(state: StoreState, policy: SealingPolicy) -> bool:
    limit_bytes = policy.quota_bytes * PRESSED_PERCENT // 100
    return any(member.is_full or member.used_bytes > limit_bytes for member in state.members)


def _seal(cell: CellState, policy: SealingPolicy, *, pressed: bool) -> list[Step]:
    until = _dispensable(cell, policy, pressed=pressed)
    wanted = 1 if pressed else policy.segment_entries
    if until - cell.archived < wanted:
        return []
    return [Seal(cell.cell, cell.archived, until, pressed)]


def _forget(cell: CellState, policy: SealingPolicy, *, pressed: bool) -> list[Step]:
    until = _dispensable(cell, policy, pressed=pressed)
    ends = [end for end in cell.ends if end <= until]
    if not ends:
        return []
    invariant(ends[-1] <= cell.archived, "nothing is forgotten that the archive lacks")
    invariant(ends[-1] < cell.newest, "the last batch stays in etcd")
    return [Forget(cell.cell, ends[-1])]


def _compact(state: StoreState, policy: SealingPolicy) -> list[Step]:
    gathered = state.revision - state.compacted
    is_full = any(member.is_full for member in state.members)
    if state.forgotten or gathered >= (1 if is_full else policy.compact_revisions):
        return [Compact(state.revision)]
    return []


def _defragment(state: StoreState, policy: SealingPolicy) -> list[Step]:
    """One member at a time, all others well, the leader last and only after it handed over."""
    if len(state.members) < state.members_expected:
        return []
    is_full = any(member.is_full for member in state.members)
    due = [member for member in state.members if _is_wasteful(member, policy, is_full=is_full)]
    if not due:
        return []
    followers = [member for member in due if not member.is_leader]
    if followers:
        return [Defragment(followers[0].endpoint)]
    leader = due[0]
    others = [member for member in state.members if not member.is_leader]
    if others:
        return [MoveLeader(leader.endpoint, others[0].member_id)]
    return [Defragment(leader.endpoint)]


def _is_wasteful(member: MemberState, policy: SealingPolicy, *, is_full: bool) -> bool:
    """Return whether a member's file should shrink; `is_full` if any member's alarm is raised."""
    waste_bytes = member.file_bytes - member.used_bytes
    if is_full and member.file_bytes > policy.quota_bytes * FULL_PERCENT // 100:
        # Files count against the quota, free pages and all; the next alarm would be this one's.
        return waste_bytes > policy.quota_bytes * WORTH_PERCENT // 100
    return waste_bytes > policy.waste_bytes and waste_bytes > member.used_bytes


def _disarm(state: StoreState, policy: SealingPolicy) -> list[Step]:
    """Lift alarms once every member that is known has room again."""
    limit_bytes = policy.quota_bytes * FULL_PERCENT // 100
    if any(member.file_bytes > limit_bytes for member in state.members):
        return []
    return [Disarm(member.member_id) for member in state.members if member.is_full]
