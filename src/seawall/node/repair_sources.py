"""What survives of a cluster, read for a repair.  The rule: nothing is changed where it is read.

Each source says what it has of each cell: a member of etcd (`journal/salvage.py`), a node's replica
log and snapshots, the archives.
"""

from pathlib import Path

from seawall.journal.archive import Archive
from seawall.journal.etcd_rows import Batch
from seawall.journal.port import EMPTY, Head, JournalError
from seawall.journal.replica_log import read_log
from seawall.journal.salvage import Held
from seawall.journal.verify import ChainWalk
from seawall.model import limits
from seawall.model.commands import Lead
from seawall.model.ids import Epoch
from seawall.node import snapshots
from seawall.node.cell import empty_cell
from seawall.node.cluster_journals import REPLICA_FOLDER
from seawall.node.repair import Found, Trace


def found_in_member(source: str, held: Held) -> Found:
    log = held.log
    return Found(
        source=source,
        batches=held.committed,
        unsure=log.batches,
        rank=(log.term, log.index),
    )


def found_in_node(source: str, data: Path, cell: str) -> Found:
    """Return what the node's replica log holds."""
    return Found(source=source, batches=list(read_log(data / REPLICA_FOLDER / cell)))


def traces_in_node(source: str, data: Path, cell: str) -> list[Trace]:
    """Return the entries of which the node has whole snapshots."""
    found = []
    for path in snapshots.newest_first(data / "snapshots", cell):
        try:
            header = snapshots.read(path).header
        except snapshots.SnapshotError:
            continue
        if header.cell == cell:
            told = f"{source}'s snapshot {path.name}"
            found.append(Trace(source=told, sequence=header.sequence, hash=header.chain_hash))
    return found


async def read_archive(archive: Archive, cell: str) -> tuple[Head, list[Trace]]:
    """Walk the archive from the first entry; return where it ends, and later segments' traces.

    Raises JournalError if it cannot be read, or does not prove itself.
    """
    walk = ChainWalk()
    sequence = 0
    while entries := await archive.read(cell, sequence + 1, limits.READ_ENTRIES):
        walk.take(entries)
        sequence = entries[-1].sequence
    end = walk.finish() if sequence else EMPTY
    later = [name for name in await archive.segments(cell) if name.last > end.sequence]
    traces = [
        Trace(source=f"the archive's segment {name}", sequence=name.last, hash=name.hash)
        for name in sorted(later)
    ]
    return end, traces


async def last_payload(
    archive: Archive | None, cell: str, end: Head, batches: list[Batch]
) -> bytes:
    """Return the payload of the chain's last entry."""
    if batches:
        return batches[-1].payloads[-1]
    entries = await archive.read(cell, end.sequence, 1) if archive is not None else []
    if not entries:
        raise JournalError(f"{cell}: entry {end.sequence} is not there any more")
    return entries[0].payload


def lead_batch(cell: str, end: Head, last: bytes, repair: str) -> Batch:
    """Return the entry that a repair adds: the next epoch, so that no old leader goes on."""
    found = empty_cell(cell)
    at_ns = found.decode(last).at_ns + 1
    epoch = end.epoch + 1
    payload = found.encode(Lead(epoch=Epoch(epoch), node=f"repair-{repair}"), at_ns)
    return Batch(end.sequence + 1, epoch, end.hash, [payload], bytes(16))
