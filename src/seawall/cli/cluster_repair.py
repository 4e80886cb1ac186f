"""The repair of a journal whose majority is gone, step by step.  The rule: read copies, write only
what two people approved, and take every step so that it may be taken again.

Survey: what survives is read, and the proven chain is written to the work folder with the plan.
Approval: two people sign the plan's digest.  Repair: the chain goes into a new, empty etcd behind a
guard, is read back from every member, and is opened for all cells at once.  What was done is told
in `progress.json` and, at the end, in a record that anybody can check.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from obstore.exceptions import BaseError

from seawall.journal.archive import Archive, Target
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.journal.etcd_rows import Batch, Keys
from seawall.journal.port import EMPTY, Head, JournalDamagedError, JournalError
from seawall.journal.replica_log import ReplicaLog, read_log
from seawall.journal.restore import Restore, Restored, RestoreError
from seawall.journal.salvage import NAMESPACE, Salvaged, SalvageError, salvage
from seawall.model.ids import CELLS
from seawall.node import approvals
from seawall.node.approvals import Approval, ApprovalError
from seawall.node.proposed import problems
from seawall.node.repair import CellPlan, Chain, Found, RepairPlan, Trace, plan_cell
from seawall.node.repair_sources import (
    found_in_member,
    found_in_node,
    last_payload,
    lead_batch,
    read_archive,
    traces_in_node,
)
from seawall.node.topology_file import TopologyFile

STEPS: Final = ("checked", "guarded", "written", "verified", "opened", "recorded")
ANSWER_S: Final = 2.0
_FAULTS: Final = (BaseError, OSError)


class RepairError(Exception):
    """The repair does not go on; the message says why.  What was done stands, and may go on."""


class Sources(Struct, frozen=True, kw_only=True):
    """What the operators have gathered."""

    members: dict[str, Path]
    """Data directories of etcd members, none of them running."""
    nodes: dict[str, Path]
    """Data directories of nodes, none of them running."""
    lost: tuple[str, ...] = ()
    """`etcd/NAME`, `node/NAME`, `archive/NAME`: gone for good."""


class Record(Struct, frozen=True, kw_only=True):
    """What was done, and on whose word."""

    plan: RepairPlan
    digest: str
    approvals: list[Approval]
    opened_at: str


class Progress(Struct, kw_only=True):
    """How far a repair came."""

    digest: str
    done: dict[str, str] = {}
    """When each step was done."""


class Work:
    """The work folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan_path = folder / "plan.json"
        self.progress_path = folder / "progress.json"
        self.record_path = folder / "record.json"
        self.export = folder / "export"

    def plan(self) -> RepairPlan:
        """Return the plan of the survey; raise RepairError."""
        try:
            return msgspec.json.decode(self.plan_path.read_bytes(), type=RepairPlan)
        except (OSError, msgspec.MsgspecError) as error:
            raise RepairError(f"{self.plan_path} is no plan: {error}") from None

    def progress(self, digest: str) -> Progress:
        try:
            found = msgspec.json.decode(self.progress_path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(digest=digest)
        except (OSError, msgspec.MsgspecError) as error:
            raise RepairError(f"{self.progress_path} cannot be read: {error}") from None
        if found.digest != digest:
            raise RepairError("the repair that was begun is of another plan than plan.json")
        return found

    def approvals(self) -> list[Approval]:
        found = []
        for path in sorted((self.folder / "approvals").glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Approval))
            except (OSError, msgspec.MsgspecError) as error:
                raise RepairError(f"{path} is no approval: {error}") from None
        return found

    def add(self, approval: Approval) -> None:
        name = sha256(approval.person.encode()).hexdigest()[:16]
        _write(self.folder / "approvals" / f"{name}.json", approval)

    def save(self, progress: Progress) -> None:
        _write(self.progress_path, progress)

    def batches(self, cell: CellPlan) -> list[Batch]:
        """Return what the survey wrote, if it is exactly what the plan says."""
        batches = list(read_log(self.export / cell.cell))
        link, sequence = bytes.fromhex(cell.archived_hash), cell.archived
        for batch in batches:
            if batch.previous != link or batch.first != sequence + 1:
                raise RepairError(f"{self.export}: {cell.cell} is not what was approved")
            link, sequence = batch.hash, batch.last
        if (sequence, link.hex()) != (
            (cell.lead_sequence, cell.lead_hash) if batches else (cell.sequence, cell.hash)
        ):
            raise RepairError(f"{self.export}: {cell.cell} ends at {sequence}, not as approved")
        return batches


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# Survey


async def survey(
    file: TopologyFile, sources: Sources, work: Work, etcd: Path, *, accepts_loss: bool = False
) -> RepairPlan:
    """Read what survives, and write the plan and the proven chain into the work folder."""
    if work.progress_path.exists():
        raise RepairError(f"{work.folder}: its repair has begun; go on with it, with --apply")
    work.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lost = _checked_lost(file, sources)
    missing = _unnamed(file, sources)
    members: dict[str, Salvaged] = {}
    for name, path in sources.members.items():
        try:
            members[name] = await salvage(etcd, path, work.folder, CELLS)
        except (SalvageError, OSError) as error:
            missing.append(f"etcd/{name} cannot be read ({error})")
    archive = _archive(file, lost)
    missing += await _unlisted(archive)
    export = work.folder / "export.new"
    await asyncio.to_thread(shutil.rmtree, export, ignore_errors=True)
    repair = secrets.token_hex(4)
    read = [await _read_cell(cell, members, sources.nodes, archive) for cell in CELLS]
    wrong = await problems(archive, {each.chain.cell: each.chain for each in read})
    cells = [
        await _plan_cell(each, archive, export, repair, wrong[each.chain.cell]) for each in read
    ]
    plan = RepairPlan(
        cluster=file.topology.name,
        repair=repair,
        made_at=now(),
        old_clusters=sorted({each.cluster for each in members.values()}),
        cells=cells,
        read=[*(f"etcd/{name}" for name in members), *(f"node/{name}" for name in sources.nodes)],
        missing=missing,
        lost=lost,
        accepts_loss=accepts_loss,
    )
    await asyncio.to_thread(shutil.rmtree, work.export, ignore_errors=True)
    export.rename(work.export)
    _write(work.plan_path, plan)
    return plan


class _Read(Struct, frozen=True, kw_only=True):
    """What was read of one cell."""

    chain: Chain
    found: list[Found]
    traces: list[Trace]
    losses: list[str]


async def _read_cell(
    cell: str, members: dict[str, Salvaged], nodes: dict[str, Path], archive: Archive | None
) -> _Read:
    found = [found_in_member(f"etcd/{name}", each.cells[cell]) for name, each in members.items()]
    traces: list[Trace] = []
    for name, data in nodes.items():
        found.append(await asyncio.to_thread(found_in_node, f"node/{name}", data, cell))
        traces += await asyncio.to_thread(traces_in_node, f"node/{name}", data, cell)
    archived, archive_traces, losses = await _archived(archive, cell, found)
    return _Read(
        chain=Chain(cell, archived, found),
        found=found,
        traces=[*traces, *archive_traces],
        losses=losses,
    )


async def _plan_cell(
    read: _Read, archive: Archive | None, export: Path, repair: str, wrong: list[str]
) -> CellPlan:
    chain = read.chain
    lead: Batch | None = None
    if chain.end.sequence:
        last = await last_payload(archive, chain.cell, chain.end, chain.batches)
        lead = lead_batch(chain.cell, chain.end, last, repair)
    batches = [*chain.batches, lead] if lead else []
    await asyncio.to_thread(_export, export / chain.cell, chain.archived, batches)
    plan = plan_cell(chain, read.found, read.traces, lead)
    replayed = [f"replayed: {told}" for told in wrong]
    return msgspec.structs.replace(plan, losses=[*read.losses, *plan.losses, *replayed])


async def _archived(
    archive: Archive | None, cell: str, found: Sequence[Found]
) -> tuple[Head, list[Trace], list[str]]:
    """Return where the archive ends, what lies past a gap in it, and what it cannot prove."""
    told = "no archive is left"
    if archive is not None:
        try:
            end, traces = await read_archive(archive, cell)
        except JournalError as error:
            told = str(error)
        else:
            return end, traces, []
    begins = [each.batches[0] for each in found if each.batches]
    if not begins:
        return EMPTY, [], []
    oldest = min(begins, key=lambda batch: batch.first)
    if oldest.first == 1:
        return EMPTY, [], []
    end = Head(oldest.first - 1, 0, oldest.previous)
    return end, [], [f"entries 1 to {end.sequence} are not proven: {told}"]


def _export(folder: Path, after: Head, batches: Sequence[Batch]) -> None:
    log = ReplicaLog.open(folder)
    log.start(after.sequence, after.hash)
    for batch in batches:
        log.append(batch.first, batch.epoch, batch.payloads, batch.hash)
    log.close()


def _archive(file: TopologyFile, lost: Sequence[str]) -> Archive | None:
    places = zip(file.topology.archive, file.archives(), strict=True)
    urls = [url for place, url in places if f"archive/{place.name}" not in lost]
    return Archive([Target(url) for url in urls], copies=1) if urls else None


def _all_sources(file: TopologyFile) -> list[str]:
    topology = file.topology
    return [
        *(f"etcd/{place.name}" for place in topology.etcd),
        *(f"node/{place.name}" for place in topology.node),
        *(f"archive/{place.name}" for place in topology.archive),
    ]


def _checked_lost(file: TopologyFile, sources: Sources) -> list[str]:
    known = _all_sources(file)
    for name in sources.lost:
        if name not in known:
            raise RepairError(f"there is no {name}; there are {', '.join(known)}")
        kind, _, short = name.partition("/")
        named = {"etcd": sources.members, "node": sources.nodes}.get(kind, {})
        if short in named:
            raise RepairError(f"{name} is named as a source and as lost")
    return sorted(set(sources.lost))


def _unnamed(file: TopologyFile, sources: Sources) -> list[str]:
    """Return what the topology has and nobody spoke of; archives are looked for where they are."""
    named = [*(f"etcd/{name}" for name in sources.members), *sources.lost]
    named += [f"node/{name}" for name in sources.nodes]
    found = [
        name for name in _all_sources(file) if name not in named and not name.startswith("archive/")
    ]
    for name, data in sources.nodes.items():
        if not (data / "replica").is_dir() and not (data / "snapshots").is_dir():
            found.append(f"node/{name} ({data} is no node's data directory)")
    return found


async def _unlisted(archive: Archive | None) -> list[str]:
    """Return the archive's targets that cannot be looked through."""
    found = []
    for target in archive.targets if archive is not None else []:
        try:
            await target.names(CELLS[0], 1)
        except (BaseError, OSError) as error:
            found.append(f"the archive {target.url} cannot be listed ({error})")
    return found


async def still_answers(client: EtcdClient) -> str:
    """Return which journal answers at the topology's addresses; empty if none does."""
    for cell in CELLS:
        try:
            head = await EtcdJournal(client, cell, answer_s=ANSWER_S).head()
        except JournalError:
            return ""
        if head != EMPTY:
            return f"{cell} answers and ends at {head.sequence}"
    return ""


# Approval


def approve(
    file: TopologyFile, work: Work, person: str, key: Path, confirmation: str
) -> RepairPlan:
    """Add one person's approval; raise RepairError or ApprovalError."""
    plan = work.plan()
    refusals = plan.refusals()
    if refusals:
        raise RepairError(f"this plan may not be carried out: {refusals[0]}")
    if confirmation.strip() != phrase(plan):
        raise RepairError(f"type exactly: {phrase(plan)}")
    work.add(approvals.approve(plan.digest, person, key, now(), file.topology.approver))
    return plan


def phrase(plan: RepairPlan) -> str:
    """Return what an approver types: what is repaired, and what is given up."""
    lost = " and ".join(plan.lost) or "nothing"
    tail = ", and accept the loss" if any(each.losses for each in plan.cells) else ""
    return f"repair {plan.digest[:8]} of {plan.cluster}, {lost} gone for good{tail}"


# Repair


async def apply(
    file: TopologyFile,
    work: Work,
    client: EtcdClient,
    on_step: Callable[[str], None] = lambda _step: None,
) -> Record:
    """Carry out the approved plan, or what is left of it; return the record."""
    plan = work.plan()
    if plan.cluster != file.topology.name:
        raise RepairError(f"the plan is of {plan.cluster}, the topology of {file.topology.name}")
    refusals = plan.refusals()
    if refusals:
        raise RepairError(refusals[0])
    given = work.approvals()
    try:
        approvals.check_enough(given, plan.digest, file.topology.approver)
    except ApprovalError as error:
        raise RepairError(str(error)) from None
    progress = work.progress(plan.digest)
    cells = [
        Restored(
            keys=Keys(NAMESPACE, cell.cell),
            previous=bytes.fromhex(cell.archived_hash),
            batches=work.batches(cell),
        )
        for cell in plan.cells
    ]

    def done(step: str) -> None:
        progress.done.setdefault(step, now())
        work.save(progress)
        on_step(step)

    try:
        await _restore(Restore(client, plan.repair, cells, plan.old_clusters), done)
        record = Record(
            plan=plan,
            digest=plan.digest,
            approvals=given,
            opened_at=progress.done["opened"],
        )
        await _record(file, work, plan, record)
        done("recorded")
    except (RestoreError, JournalDamagedError) as error:
        raise RepairError(str(error)) from error
    return record


async def _restore(restore: Restore, done: Callable[[str], None]) -> None:
    await restore.check_members()
    done("checked")
    if not await restore.is_open():
        await restore.guard()
        done("guarded")
        await restore.write()
        done("written")
        await restore.verify()
        done("verified")
        await restore.open()
    done("opened")


async def _record(file: TopologyFile, work: Work, plan: RepairPlan, record: Record) -> None:
    """Keep the record here and beside every archive that is left."""
    _write(work.record_path, record)
    archive = _archive(file, plan.lost)
    content = work.record_path.read_bytes()
    for target in archive.targets if archive is not None else []:
        try:
            await target.put(f"repairs/{plan.repair}.json", content)
        except _FAULTS as error:
            raise RepairError(f"the record is not at {target.url} yet: {error}") from error


def _write(path: Path, document: Struct) -> None:
    """Write durably, and under its name only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
