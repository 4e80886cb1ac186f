"""One node's journals in etcd, and its turn at keeping etcd small.  The rule: one node seals, and
nothing is lost where two do.

Each journal reads on into the topology's archives, and leaves a replica log in the node's data
directory.  Whoever leads the spot cell seals for all cells.  Where nobody leads, as when etcd is
full and refuses even that, the others take their turn one after the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.metrics_core import Metric

from seawall.journal.archive import Archive, Target
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.journal.kept import KeptJournal
from seawall.journal.port import Journal
from seawall.journal.sealer import ROUND_S, Sealer
from seawall.journal.sealing import SealingPolicy
from seawall.model.ids import SPOT
from seawall.model.topology import Topology
from seawall.node.membership import Membership
from seawall.node.store_metrics import store_families
from seawall.node.topology_file import TopologyFile

ANSWER_S: Final = 1.5
"""How long an append looks for an answer; what stays open is settled by reading."""
LOOK_S: Final = 1.0
TURN_S: Final = 10.0
"""Silence of the leader after which the next node seals, and so on."""
REPLICA_FOLDER: Final = "replica"

_log = structlog.get_logger("seawall.node")


def open_archive(file: TopologyFile) -> Archive | None:
    """Return the topology's archive; None if it names none."""
    urls = file.archives()
    return Archive([Target(url) for url in urls]) if urls else None


def sealing_policy(topology: Topology) -> SealingPolicy:
    terms = topology.sealing
    return SealingPolicy(
        quota_bytes=terms.quota_bytes,
        segment_entries=terms.segment_entries,
        keep_entries=terms.keep_entries,
        compact_revisions=min(SealingPolicy().compact_revisions, terms.segment_entries),
    )


class ClusterJournals:
    """The journals of one node of a cluster; `open` is what `Node.open` asks for."""

    def __init__(self, file: TopologyFile, client: EtcdClient, data: Path) -> None:
        self.archive = open_archive(file)
        self._file = file
        self._client = client
        self._data = data
        self._opened: dict[str, EtcdJournal] = {}
        self._sealer: Sealer | None = None

    async def open(self, cell: str) -> Journal:
        journal = await EtcdJournal.open(
            self._client, cell, archive=self.archive, answer_s=ANSWER_S
        )
        self._opened[cell] = journal
        return await KeptJournal.open(journal, self._data / REPLICA_FOLDER / cell)

    @contextlib.asynccontextmanager
    async def sealing(
        self, membership: Membership, *, look_s: float = LOOK_S, round_s: float = ROUND_S
    ) -> AsyncIterator[None]:
        """Seal meanwhile, whenever it is this node's turn."""
        if self.archive is None:
            _log.warning("no archive", why="the topology names none, so etcd keeps everything")
            yield
            return
        sealer = Sealer(
            list(self._opened.values()), self.archive, sealing_policy(self._file.topology)
        )
        self._sealer = sealer
        task = asyncio.get_running_loop().create_task(
            self._seal(sealer, lambda: has_turn(membership), look_s, round_s)
        )
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def families(self) -> Iterator[Metric]:
        """Yield in numbers what this node's sealer saw and did."""
        quota_bytes = self._file.topology.sealing.quota_bytes
        return store_families(self._sealer, quota_bytes)

    async def _seal(
        self,
        sealer: Sealer,
        has_its_turn: Callable[[], bool],
        look_s: float,
        round_s: float,
    ) -> None:
        running: asyncio.Task[None] | None = None
        try:
            while True:
                if running is not None and (running.done() or not has_its_turn()):
                    running.cancel()
                    (ended,) = await asyncio.gather(running, return_exceptions=True)
                    _log.info("sealing ended", why=str(ended) or type(ended).__name__)
                    running = None
                if running is None and has_its_turn():
                    _log.info("sealing begins")
                    running = asyncio.get_running_loop().create_task(sealer.run(round_s))
                await asyncio.sleep(look_s)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


def has_turn(membership: Membership) -> bool:
    """Whether this node seals: it leads the spot cell, or nobody has for long."""
    replica = membership.replicas[SPOT]
    if replica.leads:
        return True
    waiting = membership.topology.preference(SPOT)
    if membership.name not in waiting or not replica.quorum:
        return False
    silent_s = replica.leadership.silent_s(asyncio.get_running_loop().time())
    return silent_s > TURN_S * (1 + waiting.index(membership.name))
