"""Moves old entries from etcd to the archive.  The rule: one step, then look again.

`sealing.plan` decides; here its steps are taken.  Any number of nodes may do this at once: equal
policies cut equal segments, and what one has forgotten, the other finds forgotten.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aetcd import rpc

from seawall.journal.archive import Archive
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdError, EtcdRefusedError, Member
from seawall.journal.etcd_rows import Batch
from seawall.journal.port import GENESIS_HASH, JournalError
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
from seawall.journal.segments import SealedBatch, Segment

_log = structlog.get_logger("seawall.journal")

ROUND_S: Final = 5.0
HEAL_S: Final = 60.0
"""How often a target that lacks copies is tried again."""
_NOSPACE: Final = rpc.AlarmType.Value("NOSPACE")
_STATUS_S: Final = 2.0
_CALL_S: Final = 10.0
_DEFRAGMENT_S: Final = 120.0
"""A member serves nobody meanwhile; some hundred megabytes take a second."""
_STEPS: Final = 1_000
"""Steps in one round."""


class Cutter:
    """Cuts batches into segments; the cut depends on nothing but the batches and the policy."""

    def __init__(self, cell: str, policy: SealingPolicy) -> None:
        self._cell = cell
        self._policy = policy
        self._batches: list[Batch] = []
        self._entries = 0
        self._bytes = 0

    def take(self, batch: Batch) -> bool:
        """Add a batch; return whether it completes a segment, which `rest` then makes."""
        self._batches.append(batch)
        self._entries += batch.count
        self._bytes += len(batch.framed)
        return (
            self._entries >= self._policy.segment_entries
            or self._bytes >= self._policy.segment_bytes
        )

    def rest(self) -> Segment | None:
        """Return what was added since the last segment as one, if anything was."""
        batches, self._batches = self._batches, []
        self._entries = self._bytes = 0
        if not batches:
            return None
        sealed = [SealedBatch(each.first, each.epoch, each.framed, each.hash) for each in batches]
        return Segment(self._cell, batches[0].previous, sealed)


class Sealer:
    """Keeps one etcd cluster small, for all journals in it."""

    def __init__(
        self, journals: Sequence[EtcdJournal], archive: Archive, policy: SealingPolicy
    ) -> None:
        self._journals = {journal.keys.cell: journal for journal in journals}
        self._client = journals[0].client
        self._archive = archive
        self._policy = policy
        self._compacted = 0
        self._forgotten = False
        self.state: StoreState | None = None
        """What the last look found; None before the first."""
        self.segments = 0
        """Written to the archive since the start."""
        self.faults = 0
        """Rounds that failed since the start."""
        # What earlier sealers left undone is not known, so the first time all is looked at.
        archive.lacking.update(dict.fromkeys(self._journals, 1))

    async def run(self, pause_s: float = ROUND_S, heal_s: float = HEAL_S) -> None:
        """Take a round again and again, until cancelled; what fails is tried in the next one."""
        now_s = asyncio.get_running_loop().time
        heal_at_s = now_s()
        while True:
            try:
                await self.round()
                if now_s() >= heal_at_s:
                    await self.heal()
                    heal_at_s = now_s() + heal_s
            except (JournalError, EtcdError) as error:
                self.faults += 1
                _log.warning("sealing failed", error=str(error))
            await asyncio.sleep(pause_s)

    async def round(self) -> list[Step]:
        """Take steps until none is left to take; return them."""
        taken: list[Step] = []
        before: list[Step] = []
        while len(taken) < _STEPS:
            steps = plan(await self.look(), self._policy)
            if not steps or steps == before:
                # The same again: it had no effect, and waits for the next round.
                break
            for step in steps:
                _log.debug("sealing", step=repr(step))
                await self._take(step)
            taken += steps
            before = steps
        return taken

    async def heal(self) -> int:
        """Give each target the copies that it lacks; return how many were made."""
        made = 0
        for cell in self._journals:
            first = self._archive.lacking.pop(cell, None)
            if first is not None:
                made += await self._archive.heal(cell, first)
        return made

    async def look(self) -> StoreState:
        """Return what is where; raise JournalError or EtcdError."""
        cells = [await self._cell(cell, journal) for cell, journal in self._journals.items()]
        alarms = await self._client.call("Alarm", rpc.AlarmRequest(), total_s=_CALL_S)
        full = {each.memberID for each in alarms.message.alarms if each.alarm == _NOSPACE}
        statuses = await asyncio.gather(*(self._status(each) for each in self._client.members))
        members = [
            MemberState(
                endpoint=member.endpoint,
                member_id=status.header.member_id,
                is_leader=status.leader == status.header.member_id,
                file_bytes=status.dbSize,
                used_bytes=status.dbSizeInUse,
                is_full=status.header.member_id in full,
            )
            for member, status in zip(self._client.members, statuses, strict=True)
            if status is not None
        ]
        self.state = StoreState(
            cells=tuple(cell for cell in cells if cell is not None),
            # In one order for all sealers: two at once then stop the same member, not two.
            members=tuple(sorted(members, key=lambda each: each.member_id)),
            members_expected=len(self._client.members),
            revision=max((each.header.revision for each in statuses if each), default=0),
            compacted=self._compacted,
            forgotten=self._forgotten,
        )
        return self.state

    async def _cell(self, cell: str, journal: EtcdJournal) -> CellState | None:
        bounds = await journal.bounds()
        if bounds is None:
            return None
        oldest, newest = bounds
        link = GENESIS_HASH if oldest.first == 1 else oldest.previous
        ends = await self._archive.confirmed(cell, oldest.first - 1, link)
        return CellState(
            cell=cell,
            head=newest.last,
            newest=newest.first,
            oldest=oldest.first,
            ends=tuple(ends),
        )

    async def _status(self, member: Member) -> Any:
        try:
            return await self._client.once(member, "Status", rpc.StatusRequest(), _STATUS_S)
        except EtcdError:
            return None

    async def _take(self, step: Step) -> None:
        match step:
            case Seal():
                await self._seal(step)
            case Forget():
                await self._forget(step)
            case Compact():
                await self._compact(step)
            case MoveLeader(endpoint=endpoint, to=to):
                request = rpc.MoveLeaderRequest(targetID=to)
                await self._client.once(self._member(endpoint), "MoveLeader", request, _CALL_S)
            case Defragment(endpoint=endpoint):
                request = rpc.DefragmentRequest()
                await self._client.once(
                    self._member(endpoint), "Defragment", request, _DEFRAGMENT_S
                )
            case Disarm(member_id=member_id):
                request = rpc.AlarmRequest(
                    action=rpc.AlarmRequest.DEACTIVATE, memberID=member_id, alarm=_NOSPACE
                )
                await self._client.call("Alarm", request, total_s=_CALL_S)
            case _:
                raise TypeError(f"no way to take {step!r}")

    async def _seal(self, step: Seal) -> None:
        cutter = Cutter(step.cell, self._policy)
        after = step.after
        while batches := await self._journals[step.cell].batches(after + 1, step.until):
            after = batches[-1].last
            for batch in batches:
                if cutter.take(batch):
                    await self._archive_rest(cutter)
        if step.partial:
            await self._archive_rest(cutter)

    async def _archive_rest(self, cutter: Cutter) -> None:
        # Hashing megabytes would hold up whoever trades in this process.
        segment = await asyncio.to_thread(cutter.rest)
        if segment is not None:
            await self._archive.write(segment)
            self.segments += 1

    async def _forget(self, step: Forget) -> None:
        keys = self._journals[step.cell].keys
        request = rpc.DeleteRangeRequest(key=keys.batch(0), range_end=keys.batch(step.last + 1))
        reply = await self._client.call("DeleteRange", request, total_s=_CALL_S)
        self._forgotten = self._forgotten or reply.message.deleted > 0 or reply.doubt

    async def _compact(self, step: Compact) -> None:
        request = rpc.CompactionRequest(revision=step.revision, physical=True)
        try:
            await self._client.call("Compact", request, total_s=_CALL_S)
        except EtcdRefusedError as error:
            # Another node did so, up to here or further.
            if "compacted" not in str(error):
                raise
        self._compacted = step.revision
        self._forgotten = False

    def _member(self, endpoint: str) -> Member:
        return next(each for each in self._client.members if each.endpoint == endpoint)
