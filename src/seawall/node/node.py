"""The node: cells, journals and views put together.  The rule: only here do they meet.

A start loads the newest snapshot that journal and digest confirm, replays the rest, takes the lead
with the next epoch, and then serves.  A stop answers what was taken and leaves a snapshot.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from seawall.core.control.state import ControlState
from seawall.core.funding_state import FundingState
from seawall.core.identity_state import IdentityState
from seawall.core.spot_state import SpotState
from seawall.journal.port import Head, Journal
from seawall.journal.sqlite import SqliteJournal
from seawall.model.commands import Command, IdentityCommand, Lead, SpotCommand, Tick
from seawall.model.control_commands import ControlCommand
from seawall.model.events import Event
from seawall.model.funding_commands import FundingCommand
from seawall.model.ids import CELLS, CONTROL, FUNDING, IDENTITY, SPOT, Epoch
from seawall.model.mailbox import Mailbox
from seawall.node import distrust, snapshots
from seawall.node.between import disagreements, sight_of_funding, sight_of_spot
from seawall.node.cell import Cell, empty_cell
from seawall.node.checkpoints import Checkpoints, OutvotedError
from seawall.node.clock import Clock, SystemClock
from seawall.node.controlling import Controlling
from seawall.node.driver import NOT_STARTED, CellDriver, Committed, Listener
from seawall.node.errors import CellsDisagreeError
from seawall.node.health import CellHealth, Health
from seawall.node.membership import AsOf, Membership
from seawall.node.metrics import NodeMetrics
from seawall.node.relay_driver import RelayDriver
from seawall.node.replay import Progress, replay
from seawall.node.settings import NodeSettings
from seawall.node.snapshots import Snapshot, SnapshotError
from seawall.views.history import HistoryBehindError
from seawall.views.views import Views

if TYPE_CHECKING:
    from seawall.node.tracing import Tracing

__all__ = ["CellHealth", "Committed", "Health", "Listener", "Node", "NodeSettings"]

_log = structlog.get_logger("seawall.node")

_TICK_S: Final = 1.0
_LOOK_S: Final = 0.25
"""How often it is looked whether a tick is due."""
_SWITCH_S: Final = 0.0005
"""How long one thread may keep the interpreter from another.  At Python's own 5 ms, the journal's
thread would wait that long to come back from the disk whenever the event loop is busy."""
_CLOSED: Final = "the node was closed"

OpenJournal = Callable[[str], Awaitable[Journal]]


class Node:
    """One process's replicas of all cells, leading them."""

    def __init__(
        self,
        settings: NodeSettings,
        clock: Clock,
        journals: dict[str, Journal],
        views: Views,
        metrics: NodeMetrics,
        membership: Membership | None = None,
    ) -> None:
        self.membership = membership
        """Its part in a cluster; None where this node is alone and leads everything."""
        self.settings = settings
        self.clock = clock
        self.views = views
        self.metrics = metrics
        self._journals = journals
        self._cells: dict[str, Cell[Any]] = {name: empty_cell(name) for name in CELLS}
        self.drivers: dict[str, CellDriver] = {}
        self.tracing: Tracing | None = None
        self.relay = RelayDriver(self._mailboxes, self._submit, self.leads)
        self.controlling = Controlling(self, self._submit)
        self._snapshot_at: dict[str, int] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stop_reasons: list[str] = []
        self._something_stopped = asyncio.Event()
        self._closed = False
        metrics.node = settings.name
        metrics.ready = lambda: self.ready

    @classmethod
    async def open(
        cls,
        settings: NodeSettings,
        clock: Clock | None = None,
        *,
        progress: Progress | None = None,
        open_journal: OpenJournal | None = None,
        membership: Membership | None = None,
    ) -> "Node":
        """Start from the data directory, or make a new one; returns once the node leads.

        With a membership it returns once it follows; whether it leads is then the journal's to say.
        Raises JournalError if a journal cannot be trusted, InvariantError if a replay goes wrong.
        """
        sys.setswitchinterval(_SWITCH_S)
        clock = clock or SystemClock()
        if membership is not None:
            clock = membership.agree_on_time(clock)
        try:
            return await cls._open(settings, clock, progress, open_journal, membership)
        except OutvotedError:
            if not distrust.marked(settings.data, CELLS):
                raise
            # What was kept is wrong: the journal alone is enough.
            return await cls._open(settings, clock, progress, open_journal, membership)

    @classmethod
    async def _open(
        cls,
        settings: NodeSettings,
        clock: Clock,
        progress: Progress | None,
        open_journal: OpenJournal | None,
        membership: Membership | None,
    ) -> "Node":
        distrust.discard(settings.data, CELLS)
        views = Views.open(settings.data)
        node = cls(settings, clock, {}, views, NodeMetrics(), membership)
        try:
            for name in CELLS:
                node._journals[name] = await (open_journal or node._open_journal)(name)
            heads = {name: await node._start_cell(name, progress) for name in CELLS}
            node.add_listener(node.relay.on_entry)
            node.add_listener(node.controlling.on_entry)
            heads[FUNDING] = await node._check_between()
            if membership is None:
                for name, head in heads.items():
                    await node._lead(node.drivers[name], head)
            else:
                await node._join(membership, heads)
            if settings.relay:
                node.relay.start()
            if settings.controls and settings.ticks:
                node.controlling.start()
            if settings.ticks and membership is None:
                node._tick()
        except BaseException:
            await node._abandon()
            raise
        return node

    @property
    def spot(self) -> SpotState:
        state: SpotState = self._cells[SPOT].state
        return state

    @property
    def identity(self) -> IdentityState:
        state: IdentityState = self._cells[IDENTITY].state
        return state

    @property
    def funding(self) -> FundingState:
        state: FundingState = self._cells[FUNDING].state
        return state

    @property
    def control(self) -> ControlState:
        state: ControlState = self._cells[CONTROL].state
        return state

    @property
    def ready(self) -> bool:
        """Whether every cell takes commands now."""
        if self._closed or any(driver.full for driver in self.drivers.values()):
            return False
        if self.membership is not None:
            return all(map(self.membership.serves, self.drivers))
        return not any(driver.stopped for driver in self.drivers.values())

    def health(self) -> Health:
        cells = [self._health(driver) for driver in self.drivers.values()]
        return Health(ok=self.ready, cells=cells)

    def leads(self, cell: str) -> bool:
        """Whether this node orders the cell's commands, as far as it knows."""
        if self.membership is not None:
            return self.membership.leads(cell)
        return cell in self.drivers and self.drivers[cell].leading

    def as_of(self, cell: str) -> AsOf:
        """Return how old what this node shows of the cell may be."""
        if self.membership is not None:
            return self.membership.as_of(cell)
        state = self.drivers[cell].cell.state
        alive = not self.drivers[cell].stopped
        return AsOf(
            sequence=state.sequence,
            at_ns=state.at_ns,
            stale_s=0.0 if alive else None,
            leader=self.settings.name if alive else "",
            quorum=alive,
        )

    async def confirm(self, cell: str) -> bool:
        """Wait until all that was durable at the call is applied here; False if unknown.

        A node that is alone has nothing to wait for: it applies what it writes.
        """
        if self.membership is not None:
            return await self.membership.confirm(cell)
        return not self.drivers[cell].stopped

    async def wait_stopped(self) -> str:
        """Return the reason once any cell has stopped by itself."""
        await self._something_stopped.wait()
        return self._stop_reasons[0]

    def submit_spot(
        self, command: SpotCommand, command_id: str = ""
    ) -> "asyncio.Future[Committed]":
        """Journal and apply a command; await the result, or one of `errors`.

        A repeated `command_id` takes effect once: its events are then a `CommandRepeated`.
        """
        return self._submit(SPOT, command, command_id)

    def submit_identity(
        self, command: IdentityCommand, command_id: str = ""
    ) -> "asyncio.Future[Committed]":
        """Journal and apply a command of the identity cell; see `submit_spot`."""
        return self._submit(IDENTITY, command, command_id)

    def submit_funding(
        self, command: FundingCommand, command_id: str = ""
    ) -> "asyncio.Future[Committed]":
        """Journal and apply a command of the funding cell; see `submit_spot`."""
        return self._submit(FUNDING, command, command_id)

    def submit_control(
        self, command: ControlCommand, command_id: str = ""
    ) -> "asyncio.Future[Committed]":
        """Journal and apply a command of the control cell; see `submit_spot`."""
        return self._submit(CONTROL, command, command_id)

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` for every entry from now on, before its submitter is answered."""
        for driver in self.drivers.values():
            driver.listeners.append(listener)

    def trace(self, tracing: "Tracing") -> None:
        """Make the spans of traces from now on."""
        self.tracing = tracing
        for driver in self.drivers.values():
            driver.tracing = tracing

    def remove_listener(self, listener: Listener) -> None:
        for driver in self.drivers.values():
            driver.listeners.remove(listener)

    async def close(self) -> None:
        """Answer what was taken, keep a snapshot, let go of the files."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self.controlling.stop()
        await self.relay.stop()
        if self.membership is not None:
            await self.membership.close(_CLOSED)
        for driver in self.drivers.values():
            await driver.close(_CLOSED)
        await asyncio.gather(*self._keeping.values())
        if self.settings.snapshot_at_close:
            for name, driver in self.drivers.items():
                sound = not driver.broken and driver.stopped in (_CLOSED, NOT_STARTED)
                if sound and driver.head.sequence > self._snapshot_at[name]:
                    await self._keep(self._take(driver))
        await self._let_go()

    # Start

    async def _open_journal(self, name: str) -> Journal:
        return await SqliteJournal.open(self.settings.data / "journal" / f"{name}.sqlite", name)

    async def _start_cell(self, name: str, progress: Progress | None) -> Head:
        """Replay the cell; return where its journal ends."""
        cell, journal = self._cells[name], self._journals[name]
        checkpoints = self._checkpoints(cell)
        head = await journal.head()
        if name == SPOT:
            self.views.check_journal(head.sequence)
        self._snapshot_at[name] = await self._load_snapshot(cell, journal)
        listener = self._on_entry if name == SPOT else None
        try:
            head = await replay(cell, journal, checkpoints, listener=listener, progress=progress)
            self._check_undisputed(checkpoints, self._snapshot_at[name])
        except OutvotedError as error:
            if self._snapshot_at[name] and self.membership is not None:
                distrust.mark(self.settings.data, name, str(error))
            raise
        driver = CellDriver(
            cell,
            journal,
            clock=self.clock,
            checkpoints=checkpoints,
            metrics=self.metrics.cell(name),
        )
        driver.views = listener
        driver.on_batch = self._on_batch
        driver.on_stop = self._on_stop
        self.drivers[name] = driver
        self.metrics.view_lag_entries = self._view_lag
        return head

    def _checkpoints(self, cell: Cell[Any]) -> Checkpoints:
        every, name = self.settings.checkpoint_entries, self.settings.name
        if self.membership is None:
            return Checkpoints(cell, every)
        return Checkpoints(cell, every, node=name, voters=self.membership.voters)

    @staticmethod
    def _check_undisputed(checkpoints: Checkpoints, snapshot_at: int) -> None:
        """Where nobody knows who is right, believe no snapshot: a whole replay does know."""
        if checkpoints.disputed and snapshot_at:
            raise OutvotedError(checkpoints.disputed)

    async def _join(self, membership: Membership, heads: dict[str, Head]) -> None:
        """Follow, and lead what the journal lets this node lead."""
        for name, head in heads.items():
            driver = self.drivers[name]
            driver.follow(head)
            membership.add(driver, self._journals[name], self._on_stop)
        membership.on_role = self._on_role
        self.metrics.links = membership.links
        await membership.start()

    async def _check_between(self) -> Head:
        """Refuse to serve cells of different moments; return where funding's journal ends then.

        Spot was read after funding; funding is then read up to now, for others may write to both.
        """
        problems = disagreements(sight_of_funding(self.funding), sight_of_spot(self.spot))
        driver = self.drivers[FUNDING]
        head = await replay(driver.cell, self._journals[FUNDING], driver.checkpoints)
        problems += disagreements(sight_of_spot(self.spot), sight_of_funding(self.funding))
        if problems:
            raise CellsDisagreeError(dict.fromkeys(problems))
        return head

    async def _load_snapshot(self, cell: Cell[Any], journal: Journal) -> int:
        """Load the newest snapshot that fits; return its sequence, or 0."""
        for path in snapshots.newest_first(self.settings.data / "snapshots", cell.name):
            before = cell.state
            try:
                snapshot = await asyncio.to_thread(snapshots.read, path)
                chain_hash = await journal.hash_at(snapshot.header.sequence)
                snapshots.load(cell, snapshot, chain_hash)
                if cell.name == SPOT:
                    self.views.load(snapshot.views)
            except (SnapshotError, HistoryBehindError, msgspec.MsgspecError) as error:
                cell.state = before
                _log.warning("snapshot passed over", path=str(path), reason=str(error))
            else:
                return snapshot.header.sequence
        return 0

    async def _lead(self, driver: CellDriver, head: Head) -> None:
        epoch = max(head.epoch, driver.cell.state.epoch) + 1
        driver.start(head, epoch)
        await driver.submit(Lead(epoch=Epoch(epoch), node=self.settings.name))

    # While it runs

    def _on_entry(
        self, _cell: str, sequence: int, at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        self.views.on_commit(sequence, at_ns, events)

    def _mailboxes(self) -> dict[str, Mailbox]:
        return {FUNDING: self.funding.book.mailbox, SPOT: self.spot.mailbox}

    def _submit(
        self, cell: str, command: Command, command_id: str = ""
    ) -> "asyncio.Future[Committed]":
        if self.membership is not None:
            return self.membership.submit(cell, command, command_id)
        return self.drivers[cell].submit(command, command_id)

    def _on_batch(self, driver: CellDriver) -> None:
        """Take a snapshot if one is due and none is being written."""
        name = driver.cell.name
        due = driver.head.sequence - self._snapshot_at[name] >= self.settings.snapshot_entries
        if not due or name in self._keeping:
            return
        task = asyncio.get_running_loop().create_task(self._keep(self._take(driver)))
        self._keeping[name] = task
        task.add_done_callback(lambda _: self._keeping.pop(name, None))

    def _take(self, driver: CellDriver) -> Snapshot:
        """Return the cell's snapshot; quick enough to stand between two batches."""
        started_s = asyncio.get_running_loop().time()
        name = driver.cell.name
        self._snapshot_at[name] = driver.head.sequence
        views = self.views.dump() if name == SPOT else b""
        snapshot = snapshots.take(driver.cell, driver.head.hash, views)
        took_s = asyncio.get_running_loop().time() - started_s
        self.metrics.cell(name).snapshot_seconds.observe(took_s)
        return snapshot

    async def _keep(self, snapshot: Snapshot) -> None:
        """Write a snapshot, once history has caught up with it; trouble passes, it is a cache."""
        try:
            if snapshot.header.cell == SPOT:
                await self.views.flush()
            await asyncio.to_thread(snapshots.write, self.settings.data / "snapshots", snapshot)
        except Exception:  # noqa: BLE001  (a cache that cannot be written stops nobody)
            _log.exception("snapshot not written", cell=snapshot.header.cell)

    def _on_role(self, _cell: str) -> None:
        """Look for messages that are now this node's to carry."""
        self.relay.look()
        self.controlling.look()

    def _on_stop(self, reason: str) -> None:
        for name, driver in self.drivers.items():
            if driver.outvoted:
                distrust.mark(self.settings.data, name, reason)
        self._stop_reasons.append(reason)
        self._something_stopped.set()

    def _tick(self) -> None:
        for driver in self.drivers.values():
            if driver.quiet_s() >= _TICK_S:
                driver.submit_own(Tick())
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._tick)

    def _health(self, driver: CellDriver) -> CellHealth:
        state = driver.cell.state
        status = "stopped" if driver.stopped else "full" if driver.full else "leading"
        reason = driver.stopped or driver.full
        if self.membership is not None:
            status, reason = self.membership.status(driver.cell.name)
        return CellHealth(
            cell=driver.cell.name,
            status=status,
            reason=reason,
            sequence=state.sequence,
            at_ns=state.at_ns,
            epoch=state.epoch,
            waiting=driver.depth,
        )

    def _view_lag(self) -> int:
        return self.views.sequence - self.views.watermark

    # Stop

    async def _abandon(self) -> None:
        """Let go after a start that failed."""
        self._closed = True
        await self.controlling.stop()
        await self.relay.stop()
        if self.membership is not None:
            await self.membership.close(_CLOSED)
        for driver in self.drivers.values():
            await driver.close(_CLOSED)
        await self._let_go()

    async def _let_go(self) -> None:
        try:
            await self.views.close()
        finally:
            for journal in self._journals.values():
                await journal.close()
