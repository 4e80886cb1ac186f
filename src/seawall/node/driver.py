"""Drives one cell: the asyncio around the sequencer.  The rule: apply only what is durable.

While one batch is on its way to the disk, the one before is applied and answered, and the next one
gathers.  A submit costs one future and no task.  A broken invariant stops the cell: whoever waits
learns that the outcome is unknown, and `reason` says why.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from msgspec import MsgspecError, Struct

from seawall.journal.port import EMPTY, Head, Journal, JournalError
from seawall.lib.invariants import InvariantError
from seawall.model import limits
from seawall.model.commands import Command
from seawall.model.events import CommandRejected, CommandRepeated, Event
from seawall.node.cell import Cell, Record
from seawall.node.checkpoints import Checkpoints
from seawall.node.clock import Clock
from seawall.node.errors import (
    InvalidCommandError,
    NodeError,
    OutcomeUnknownError,
    UnavailableError,
)
from seawall.node.metrics import CellMetrics
from seawall.node.sequencer import Append, Batch, Commit, Effect, Look, Refuse, Sequencer, Stop

_log = structlog.get_logger("seawall.node")

_ANSWERS: Final = (CommandRejected, CommandRepeated)

Listener = Callable[[str, int, int, Command, list[Event]], None]
"""Called with cell, sequence, time, command and events; the state is exactly at that entry."""


class Committed(Struct, frozen=True):
    """What came of a command: where it stands in the journal, and what happened."""

    sequence: int
    at_ns: int
    events: list[Event]
    answer: CommandRejected | CommandRepeated | None = None
    """The one among the events that says that the command did not take effect, if there is one."""


class Ticket:
    """Who waits for a command; nobody does for the node's own."""

    __slots__ = ("future", "record")

    def __init__(self, record: Record, future: "asyncio.Future[Committed] | None") -> None:
        self.record = record
        self.future = future


class CellDriver:
    """Takes commands for one cell, from submit to answer."""

    def __init__(
        self,
        cell: Cell[Any],
        journal: Journal,
        *,
        clock: Clock,
        checkpoints: Checkpoints,
        metrics: CellMetrics,
    ) -> None:
        self.cell = cell
        self.head = EMPTY
        """Where the applied state stands in the journal; always the end of a batch."""
        self.views: Listener | None = None
        """Told first, and part of the node: its faults stop the cell."""
        self.listeners: list[Listener] = []
        self.broken = False
        """Whether the applied state may be wrong."""
        self.on_batch: Callable[[CellDriver], None] | None = None
        """Called after each applied batch."""
        self.on_stop: Callable[[str], None] | None = None
        """Called with the reason when the cell takes no more commands."""
        self._journal = journal
        self._clock = clock
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._sequencer: Sequencer[Ticket] | None = None
        self._last_ns = 0
        self._quiet_since_s = 0.0
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        metrics.queue_depth = self._depth
        metrics.entries = self._sequence

    def start(self, head: Head, epoch: int) -> None:
        """Begin to lead from `head` on; the first command must be the `Lead` of this epoch."""
        self.head = head
        self._last_ns = self.cell.state.at_ns
        self._sequencer = Sequencer(head.sequence, epoch)
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def stopped(self) -> str:
        """Why no commands are taken; empty while they are."""
        return "not started" if self._sequencer is None else self._sequencer.stopped

    @property
    def full(self) -> str:
        return "" if self._sequencer is None else self._sequencer.full

    @property
    def depth(self) -> int:
        return 0 if self._sequencer is None else self._sequencer.depth

    def quiet_s(self) -> float:
        """Return how long ago the last command came."""
        return asyncio.get_running_loop().time() - self._quiet_since_s

    def submit(self, command: Command, command_id: str = "") -> "asyncio.Future[Committed]":
        """Queue a command; the future brings what came of it, or a NodeError."""
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        try:
            self._enqueue(command, command_id, future)
        except NodeError as error:
            future.set_exception(error)
        return future

    def submit_own(self, command: Command) -> None:
        """Queue a command of the node itself; if it is refused, the next one will do."""
        try:
            self._enqueue(command, "", None)
        except NodeError as error:
            _log.debug("own command refused", cell=self.cell.name, error=str(error))

    def stop(self, reason: str) -> None:
        """Take no more commands and refuse those that wait; what flies has an unknown outcome."""
        if self._sequencer is not None and not self._sequencer.stopped:
            self._perform(self._sequencer.on_stop(reason))
            self._work.set()

    async def drain(self) -> None:
        """Return once nothing waits and nothing flies, or the cell has stopped."""
        if self._task is not None:
            await self._idle.wait()

    async def close(self, reason: str) -> None:
        """Answer what was taken, then stop."""
        await self.drain()
        if self._sequencer is not None and not self._sequencer.stopped:
            self._sequencer.on_stop(reason)
            self._work.set()
        if self._task is not None:
            await self._task

    def _enqueue(
        self, command: Command, command_id: str, future: "asyncio.Future[Committed] | None"
    ) -> None:
        if self._sequencer is None:
            raise UnavailableError(f"the {self.cell.name} cell has not started")
        if len(command_id) > limits.COMMAND_ID_CHARS:
            raise InvalidCommandError(
                f"a command id has at most {limits.COMMAND_ID_CHARS} characters"
            )
        at_ns = max(self._clock.now_ns(), self._last_ns + 1)
        try:
            encoded = self.cell.encode(command, at_ns, command_id)
            # Applied is what will be read again at every replay, not what was handed in.
            record = self.cell.decode(encoded)
        except (MsgspecError, TypeError, UnicodeError) as error:
            raise InvalidCommandError(f"{type(command).__name__}: {error}") from error
        if len(encoded) > limits.COMMAND_BYTES:
            raise InvalidCommandError(
                f"{type(command).__name__} takes {len(encoded)} bytes;"
                f" a command has at most {limits.COMMAND_BYTES}"
            )
        refusal = self._sequencer.on_submit(encoded, Ticket(record, future))
        if refusal is not None:
            self._metrics.count(type(command).__name__, "refused")
            raise refusal
        self._last_ns = at_ns
        self._quiet_since_s = asyncio.get_running_loop().time()
        self._idle.clear()
        self._work.set()

    async def _run(self) -> None:
        """Append, and apply the batch before meanwhile, until stopped."""
        ready: list[Effect[Ticket]] = []
        while self._sequencer is not None:
            batch = self._sequencer.next_batch()
            if batch is not None:
                append = asyncio.get_running_loop().create_task(self._settle(batch))
                await asyncio.sleep(0)  # now it is on its way to the disk
                self._perform(ready)
                ready = await append
            elif ready:
                self._perform(ready)
                ready = []
            elif self._sequencer.stopped:
                break
            else:
                self._idle.set()
                self._work.clear()
                await self._work.wait()
        self._idle.set()

    async def _settle(self, batch: Batch[Ticket]) -> list[Effect[Ticket]]:
        """Append one batch until its outcome is known; return what follows from it."""
        sequencer = self._sequencer
        if sequencer is None:
            return []
        started_s = time.perf_counter()
        effects: list[Effect[Ticket]] = [Append(batch)]
        while effects and isinstance(effects[0], Append | Look):
            try:
                if isinstance(effects[0], Append):
                    head = await self._journal.append(batch.first, batch.epoch, batch.payloads)
                    answer = None if sequencer.stopped else sequencer.on_append_ok(head)
                else:
                    entries = await self._journal.read(batch.first, len(batch.payloads))
                    answer = None if sequencer.stopped else sequencer.on_read(entries)
            except JournalError as error:
                self._metrics.failed_appends += 1
                _log.warning("append failed", cell=self.cell.name, error=str(error))
                answer = None if sequencer.stopped else sequencer.on_append_failed(error)
            except Exception as error:  # noqa: BLE001  (an engine's bug: nobody knows what it wrote)
                _log.exception("append broke", cell=self.cell.name)
                answer = sequencer.on_stop(f"the outcome of an append is unknown: {error!r}")
            # Stopped meanwhile: its submitters were told that the outcome is unknown.
            effects = answer or []
        self._metrics.append_seconds.observe(time.perf_counter() - started_s)
        self._metrics.batch_commands.observe(len(batch.payloads))
        return effects

    def _perform(self, effects: list[Effect[Ticket]]) -> None:
        for effect in effects:
            match effect:
                case Commit(batch=batch, head=head):
                    self._commit(batch, head)
                case Refuse(tickets=tickets, error=error):
                    for ticket in tickets:
                        self._refuse(ticket, error)
                case Stop(reason=reason):
                    _log.error("cell stopped", cell=self.cell.name, reason=reason)
                    if self.on_stop is not None:
                        self.on_stop(reason)
                case _:
                    raise InvariantError("an append is performed by the task that awaits it")

    def _commit(self, batch: Batch[Ticket], head: Head) -> None:
        started_s = time.perf_counter()
        sequence = batch.first
        try:
            for ticket in batch.tickets:
                self._commit_one(ticket, sequence)
                sequence += 1
        except Exception as error:  # noqa: BLE001  (a fault here leaves the state in doubt: stop)
            self._break(batch, sequence, error)
            return
        self.head = head
        self._metrics.apply_seconds.observe(time.perf_counter() - started_s)
        if self.on_batch is not None:
            self.on_batch(self)

    def _commit_one(self, ticket: Ticket, sequence: int) -> None:
        record = ticket.record
        events = self.cell.commit(record, sequence)
        checkpoint = self._checkpoints.on_committed(sequence, record.command)
        if self.views is not None:
            self.views(self.cell.name, sequence, record.at_ns, record.command, events)
        for listener in self.listeners:
            self._tell(listener, record, sequence, events)
        answer = _answer_among(events)
        self._metrics.count(type(record.command).__name__, _outcome(answer))
        future = ticket.future
        if future is not None and not future.done():
            future.set_result(Committed(sequence, record.at_ns, events, answer))
        if checkpoint is not None:
            self.submit_own(checkpoint)

    def _tell(self, listener: Listener, record: Record, sequence: int, events: list[Event]) -> None:
        """Tell an edge; its faults are its own, and stop nobody else."""
        try:
            listener(self.cell.name, sequence, record.at_ns, record.command, events)
        except InvariantError:
            raise
        except Exception:  # noqa: BLE001  (a listener is an edge, with its own faults)
            _log.exception("listener failed", cell=self.cell.name, sequence=sequence)

    def _break(self, batch: Batch[Ticket], sequence: int, error: Exception) -> None:
        """Stop for good: this state may be wrong, and only a replay makes a right one."""
        reason = f"{self.cell.name} stopped at entry {sequence}: {type(error).__name__}: {error}"
        _log.critical("broken invariant", cell=self.cell.name, sequence=sequence, exc_info=error)
        self.broken = True
        unknown = OutcomeUnknownError(reason)
        for ticket in batch.tickets[sequence - batch.first :]:
            self._refuse(ticket, unknown)
        self.stop(reason)

    def _refuse(self, ticket: Ticket, error: NodeError) -> None:
        known = "unknown" if isinstance(error, OutcomeUnknownError) else "refused"
        self._metrics.count(type(ticket.record.command).__name__, known)
        if ticket.future is not None and not ticket.future.done():
            ticket.future.set_exception(error)

    def _depth(self) -> int:
        return self.depth

    def _sequence(self) -> int:
        return int(self.cell.state.sequence)


def _answer_among(events: list[Event]) -> CommandRejected | CommandRepeated | None:
    """Return what refused the command or knew it; what time had made due stands before it."""
    for event in events:
        if isinstance(event, _ANSWERS):
            return event
    return None


def _outcome(answer: CommandRejected | CommandRepeated | None) -> str:
    if answer is None:
        return "applied"
    return "rejected" if isinstance(answer, CommandRejected) else "repeated"
