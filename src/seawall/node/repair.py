"""What the journals of a cluster were, from whatever survives.  The rule: the chain decides, and
what is known to be missing is never passed over.

No I/O.  Every batch names the hash before it and its own, so batches of many sources fit together
in one way only, from the archive's end on.  The end of that chain is the latest that can be had.
Anything that shows that more was durable (a later batch that does not link, a snapshot of a later
entry) makes the plan one that loses something, and it says what.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

from seawall.journal.etcd_rows import Batch
from seawall.journal.port import EMPTY, Head


class Found(Struct, frozen=True, kw_only=True):
    """What one source holds of one cell."""

    source: str
    batches: list[Batch]
    """Durable: a majority of etcd once had them."""
    unsure: list[Batch] = []
    """In a member's log; whether a majority had them, it did not know."""
    rank: tuple[int, int] = (0, 0)
    """Term and index where that log ends: of two members, the later one's counts first."""


class Trace(Struct, frozen=True, kw_only=True):
    """Something that was made of a journal up to this entry, without the entries."""

    source: str
    sequence: int
    hash: str = ""
    """The chain hash there; empty if the source does not say."""


class SourceEnd(Struct, frozen=True, kw_only=True):
    """Where one source ends, for the table."""

    source: str
    first: int
    last: int
    epoch: int
    hash: str
    unsure: int
    """Entries after that in its log, which it did not know to be durable."""


class CellPlan(Struct, frozen=True, kw_only=True):
    """What one cell's journal will be."""

    cell: str
    archived: int
    """The last entry that the archive has; the rest is put into etcd."""
    archived_hash: str
    sequence: int
    epoch: int
    hash: str
    """Where the proven chain ends."""
    unsure: int
    """How many of its last entries no source knew to be durable; they are kept all the same."""
    lead_sequence: int
    """The entry that the repair adds, with the next epoch: old leaders are behind it."""
    lead_epoch: int
    lead_payload: str
    lead_hash: str
    sources: list[SourceEnd]
    losses: list[str]
    """What was durable and is nowhere to be had; the repair goes on only if that is accepted."""
    contradictions: list[str]
    """Two histories: nobody may go on with either before it is known which one is false."""


class RepairPlan(Struct, frozen=True, kw_only=True):
    """All that two people approve."""

    cluster: str
    repair: str
    """Its name, in the entry that it adds and in its record."""
    made_at: str
    old_clusters: list[str]
    """Ids of the etcd clusters whose members were read; the new one has another."""
    cells: list[CellPlan]
    read: list[str]
    """Sources that were read."""
    missing: list[str]
    """Sources of the topology that were not named, or could not be read, and why."""
    lost: list[str]
    """Members, nodes and archives of the topology that the operators say are gone for good."""
    accepts_loss: bool

    @property
    def digest(self) -> str:
        return sha256(msgspec.json.encode(self)).hexdigest()

    def refusals(self) -> list[str]:
        """Return why this plan may not be carried out by anybody."""
        found = [f"{each.cell}: {told}" for each in self.cells for told in each.contradictions]
        if not self.accepts_loss:
            found += [f"{each.cell}: {told}" for each in self.cells for told in each.losses]
        found += [f"{told}; name it, or say with --lost that it is gone" for told in self.missing]
        if not any(each.sequence for each in self.cells):
            found.append("nothing was found of any cell")
        return found


class Chain:
    """The one way in which batches of many sources fit together."""

    def __init__(self, cell: str, archived: Head, found: Sequence[Found]) -> None:
        self.cell = cell
        self.archived = archived
        self.end = archived
        self.batches: list[Batch] = []
        self.unsure = 0
        self.contradictions: list[str] = []
        self._found = found
        self._hashes = {archived.sequence: archived.hash}
        self._walk()
        self._walk_unsure()

    def losses(self, traces: Iterable[Trace]) -> list[str]:
        """Return what shows that more was durable than the chain has."""
        lost = []
        for each in self._found:
            later = [batch for batch in each.batches if batch.last > self.end.sequence]
            if later:
                lost.append(
                    f"{each.source} has entries {later[0].first} to {later[-1].last}, and nobody"
                    f" has {self.end.sequence + 1} to {later[0].first - 1}"
                )
        for trace in traces:
            known = self._hashes.get(trace.sequence)
            if trace.sequence > self.end.sequence:
                lost.append(
                    f"{trace.source} is of entry {trace.sequence}, and nobody has"
                    f" {self.end.sequence + 1} to {trace.sequence}"
                )
            elif trace.hash and known is not None and known.hex() != trace.hash:
                self.contradictions.append(
                    f"{trace.source} is of another entry {trace.sequence} than the chain has"
                )
        return lost

    def _walk(self) -> None:
        following: dict[bytes, Batch] = {}
        told: dict[bytes, str] = {}
        for each in self._found:
            for batch in each.batches:
                other = following.setdefault(batch.previous, batch)
                if other.hash != batch.hash:
                    self.contradictions.append(
                        f"{each.source} and {told[batch.previous]} have different entries"
                        f" {batch.first}"
                    )
                told.setdefault(batch.previous, each.source)
        while (following_end := following.get(self.end.hash)) is not None:
            self._take(following_end)
        for each in self._found:
            self._compare(each)

    def _compare(self, found: Found) -> None:
        """Note a batch that the chain passes and that is another than the chain's."""
        for batch in found.batches:
            known = self._hashes.get(batch.last)
            if self.archived.sequence <= batch.last <= self.end.sequence and known != batch.hash:
                self.contradictions.append(
                    f"{found.source} has another entry {batch.last} than the chain"
                )
                return

    def _walk_unsure(self) -> None:
        """Go on with what a member had in its log; of several, the one that was ahead."""
        for each in sorted(self._found, key=lambda found: found.rank, reverse=True):
            for batch in each.unsure:
                if batch.previous == self.end.hash and batch.first == self.end.sequence + 1:
                    self._take(batch)
                    self.unsure += batch.count

    def _take(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.end = batch.head
        self._hashes[batch.last] = batch.hash


def source_end(found: Found) -> SourceEnd:
    """Return where a source ends."""
    end = found.batches[-1].head if found.batches else EMPTY
    beyond = [batch.last for batch in found.unsure if batch.last > end.sequence]
    return SourceEnd(
        source=found.source,
        first=found.batches[0].first if found.batches else 0,
        last=end.sequence,
        epoch=end.epoch,
        hash=end.hash.hex(),
        unsure=max(beyond, default=end.sequence) - end.sequence,
    )


def plan_cell(
    chain: Chain, found: Sequence[Found], traces: Sequence[Trace], lead: Batch | None
) -> CellPlan:
    """Return what the cell's journal will be; `lead` is the entry that the repair adds."""
    losses = chain.losses(traces)
    end = chain.end
    return CellPlan(
        cell=chain.cell,
        archived=chain.archived.sequence,
        archived_hash=chain.archived.hash.hex(),
        sequence=end.sequence,
        epoch=end.epoch,
        hash=end.hash.hex(),
        unsure=chain.unsure,
        lead_sequence=lead.last if lead else 0,
        lead_epoch=lead.epoch if lead else 0,
        lead_payload=lead.payloads[0].decode() if lead else "",
        lead_hash=lead.hash.hex() if lead else "",
        sources=[source_end(each) for each in found],
        losses=losses,
        contradictions=list(dict.fromkeys(chain.contradictions)),
    )
