"""One node's life in the simulated cluster.  The rule: production's parts, and nothing in between.

Replicas, leadership, forwarding, checkpoints, clock and membership are those of production; only
journal, links and the machine's clock are the world's.  Snapshots lie in memory and outlive a kill.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from seawall.journal.port import Head, JournalError
from seawall.lab.cluster_world import MachineClock, World, WorldJournal, WorldPeers
from seawall.model.ids import IDENTITY, SPOT
from seawall.model.topology import CellPlace, EtcdPlace, NodePlace, Provider, Topology
from seawall.node import snapshots
from seawall.node.cell import Cell, identity_cell, spot_cell
from seawall.node.checkpoints import Checkpoints, OutvotedError
from seawall.node.driver import CellDriver
from seawall.node.leadership import Terms
from seawall.node.membership import Membership
from seawall.node.metrics import CellMetrics
from seawall.node.replay import replay
from seawall.node.replica import Replica
from seawall.node.snapshots import Snapshot, SnapshotError

NODES: Final = ("amber", "blue", "coral")
CELLS: Final = (SPOT, IDENTITY)
CHECKPOINT_ENTRIES: Final = 40
SNAPSHOT_ENTRIES: Final = 90
AGAIN_S: Final = 0.2
TERMS: Final = Terms(return_s=3.0)
"""As in production, but for nodes that are sooner called well: a run lasts a minute."""

Shelf = dict[str, list[Snapshot]]
"""One node's snapshots by cell, the newest last."""


def topology() -> Topology:
    """Return three providers whose nodes prefer to lead different cells."""
    places = tuple(
        NodePlace(name=name, provider=name, gateway=f"{name}:1", peer=f"{name}:2") for name in NODES
    )
    topology = Topology(
        name="simulated",
        provider=tuple(Provider(name=name) for name in NODES),
        etcd=tuple(
            EtcdPlace(name=name, provider=name, client=f"{name}:3", peer=f"{name}:4")
            for name in NODES
        ),
        node=places,
        cell=(
            CellPlace(name=SPOT, prefer=NODES),
            CellPlace(name=IDENTITY, prefer=("blue", "coral", "amber")),
        ),
    )
    topology.check()
    return topology


class SimNode:
    """One process, from its start to its end."""

    def __init__(self, world: World, name: str, shelf: Shelf) -> None:
        self.name = name
        self.outvoted: list[str] = []
        """Cells in which most replicas had another state."""
        self.on_failed: Callable[[SimNode, str], None] = lambda _node, _reason: None
        self.started = False
        self.dead = False
        self._shelf = shelf
        self._peers = WorldPeers(world, name)
        self._journals = {cell: WorldJournal(world, name, cell) for cell in CELLS}
        self.membership = Membership(topology(), name, self._peers, TERMS)
        self._clock = self.membership.agree_on_time(MachineClock(world, name))

    def replica(self, cell: str) -> Replica:
        return self.membership.replicas[cell]

    async def start(self) -> None:
        """Replay what there is, then follow or lead."""
        for name in CELLS:
            await self._add(name)
        await self.membership.start()
        self.started = True

    async def close(self) -> None:
        """End as a process does that is told to."""
        await self.membership.close("the node was closed")
        await self.kill()

    async def kill(self) -> None:
        """End as a killed process does: what it knew is gone."""
        self.dead = True
        await self._peers.close()
        for journal in self._journals.values():
            journal.dead = True
        membership = self.membership
        if membership._timer is not None:  # noqa: SLF001  (a kill asks nobody)
            membership._timer.cancel()  # noqa: SLF001  (a kill asks nobody)
        for replica in membership.replicas.values():
            driver = replica.driver
            tasks = (replica._task, replica._looking, driver._task)  # noqa: SLF001  (as above)
            for task in tasks:
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

    def discard(self, cell: str) -> None:
        """Believe no snapshot of the cell any more."""
        self._shelf.pop(cell, None)

    async def _add(self, name: str) -> None:
        while True:
            try:
                driver, head = await self._replayed(name)
                break
            except OutvotedError:
                if name not in self._shelf:
                    raise
                self.discard(name)
            except JournalError:
                await asyncio.sleep(AGAIN_S)
        driver.follow(head)
        driver.on_batch = self._keep
        self.membership.add(driver, self._journals[name], self._failed)

    async def _replayed(self, name: str) -> tuple[CellDriver, Head]:
        cell: Cell[Any] = spot_cell() if name == SPOT else identity_cell()
        journal = self._journals[name]
        checkpoints = Checkpoints(
            cell, CHECKPOINT_ENTRIES, node=self.name, voters=self.membership.voters
        )
        loaded = await self._load(cell, journal)
        head = await replay(cell, journal, checkpoints)
        if checkpoints.disputed and loaded:
            raise OutvotedError(checkpoints.disputed)
        metrics = CellMetrics(name)
        driver = CellDriver(
            cell, journal, clock=self._clock, checkpoints=checkpoints, metrics=metrics
        )
        return driver, head

    async def _load(self, cell: Cell[Any], journal: WorldJournal) -> bool:
        for snapshot in reversed(self._shelf.get(cell.name, [])):
            try:
                snapshots.load(cell, snapshot, await journal.hash_at(snapshot.header.sequence))
            except SnapshotError:
                continue
            return True
        return False

    def _keep(self, driver: CellDriver) -> None:
        shelf = self._shelf.setdefault(driver.cell.name, [])
        if shelf and driver.head.sequence - shelf[-1].header.sequence < SNAPSHOT_ENTRIES:
            return
        if driver.head.sequence >= SNAPSHOT_ENTRIES:
            shelf.append(snapshots.take(driver.cell, driver.head.hash, b""))
            del shelf[: -snapshots.KEPT]

    def _failed(self, reason: str) -> None:
        for cell, replica in self.membership.replicas.items():
            if replica.driver.outvoted:
                self.outvoted.append(cell)
                self.discard(cell)
        self.on_failed(self, reason)
