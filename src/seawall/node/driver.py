"""Drives one cell: the asyncio around the sequencer.  The rule: apply only what is durable.

While one batch is on its way to the disk, the one before is applied and answered, and the next one
gathers.  A submit costs one future and no task.  A broken invariant stops the cell: whoever waits
learns that the outcome is unknown, and `reason` says why.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog
from msgspec import MsgspecError, Struct

from seawall.journal.port import EMPTY, Entry, Head, Journal, JournalError
from seawall.lib.invariants import InvariantError, invariant
from seawall.model import limits
from seawall.model.commands import Command
from seawall.model.events import CommandRejected, CommandRepeated, Event
from seawall.node.cell import Cell, Record
from seawall.node.checkpoints import Checkpoints, OutvotedError
from seawall.node.clock import Clock
from seawall.node.errors import (
    InvalidCommandError,
    NodeError,
    NotLeadingError,
    OutcomeUnknownError,
)
from seawall.node.lane import in_lane
from seawall.node.metrics import CellMetrics
from seawall.node.sequencer import (
    Adopt,
    Append,
    Batch,
    Commit,
    Effect,
    Look,
    Refuse,
    Sequencer,
    Stop,
)

if TYPE_CHECKING:
    from seawall.node.tracing import Timeline, Tracing

_log = structlog.get_logger("seawall.node")

NOT_STARTED: Final = "not started"
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

    __slots__ = ("future", "record", "trace")

    def __init__(
        self,
        record: Record,
        future: "asyncio.Future[Committed] | None",
        trace: "Timeline | None" = None,
    ) -> None:
        self.record = record
        self.future = future
        self.trace = trace


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
        self.checkpoints = checkpoints
        self.epoch = 0
        """Of the term that this node leads, or led last."""
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
        """Called with the reason when the cell takes no more commands, now or later."""
        self.outvoted = False
        """Whether most replicas have another state: what this one keeps must not be believed."""
        self.on_entry: Callable[[Record, Committed], None] | None = None
        """Called for every applied entry, its own and others', after the listeners."""
        self.follows = False
        """Whether a lost lead is no end, since the node then follows another's."""
        self._journal = journal
        self._clock = clock
        self._checkpoints = checkpoints
        self.metrics = metrics
        self.tracing: Tracing | None = None
        """None: no traces."""
        self._sequencer: Sequencer[Ticket] | None = None
        self._last_ns = 0
        self._quiet_since_s = 0.0
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._resigning = ""
        metrics.queue_depth = self._depth
        metrics.entries = self._sequence

    def start(self, head: Head, epoch: int) -> None:
        """Begin to lead from `head` on; the first command must be the `Lead` of this epoch."""
        self.head = head
        self.epoch = epoch
        self._last_ns = self.cell.state.at_ns
        self._sequencer = Sequencer(head.sequence, epoch)
        self._resigning = ""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply entries that another node wrote; raise whatever leaves the state in doubt."""
        for entry in entries:
            invariant(
                entry.sequence == self.head.sequence + 1,
                f"entry {entry.sequence} does not follow {self.head.sequence}",
            )
            try:
                record = self.cell.decode(entry.payload)
                self._apply(record, entry.sequence)
            except Exception as error:
                self._found_broken(entry.sequence, error)
                raise
            self.head = Head(entry.sequence, entry.epoch, entry.hash)
        if self.on_batch is not None:
            self.on_batch(self)

    def follow(self, head: Head | None = None) -> None:
        """Lead no term; what others write is handed to `apply`."""
        self._sequencer = None
        self.head = head or self.head

    async def term_over(self) -> None:
        """Return once this node leads no more, and what it took is answered."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def resign(self, reason: str) -> None:
        """Answer what flies, refuse what waits as not led here, and lead no more."""
        self._resigning = reason
        self._work.set()
        await self.term_over()

    @property
    def leading(self) -> bool:
        """Whether this node orders the cell's commands, as far as it knows."""
        return self._sequencer is not None and not self._sequencer.stopped

    @property
    def stopped(self) -> str:
        """Why no commands are taken; empty while they are."""
        return NOT_STARTED if self._sequencer is None else self._sequencer.stopped

    @property
    def full(self) -> str:
        return "" if self._sequencer is None else self._sequencer.full

    @property
    def depth(self) -> int:
        return 0 if self._sequencer is None else self._sequencer.depth

    def quiet_s(self) -> float:
        """Return how long ago a command came that only a leader writes.

        Cancels are no sign of life to the followers: any node may write them.
        """
        return asyncio.get_running_loop().time() - self._quiet_since_s

    def submit(
        self, command: Command, command_id: str = "", origin: str = "", trace: str = ""
    ) -> "asyncio.Future[Committed]":
        """Queue a command; the future brings what came of it, or a NodeError."""
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        try:
            self._enqueue(command, command_id, future, origin, trace)
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

    def refuse_waiting(self, error: NodeError) -> None:
        """Refuse the orders that have not left for the journal; what flies keeps its doubt.

        A cancel stays: the node that sent it may write it without this leader.
        """
        if self._sequencer is not None:
            for ticket in self._sequencer.drop(_may_be_refused):
                self._refuse(ticket, error)

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
        self,
        command: Command,
        command_id: str,
        future: "asyncio.Future[Committed] | None",
        origin: str = "",
        trace: str = "",
    ) -> None:
        if self._sequencer is None:
            raise NotLeadingError(f"this node does not lead the {self.cell.name} cell")
        if len(command_id) > limits.COMMAND_ID_CHARS:
            raise InvalidCommandError(
                f"a command id has at most {limits.COMMAND_ID_CHARS} characters"
            )
        at_ns = max(self._clock.now_ns(), self._last_ns + 1)
        try:
            encoded = self.cell.encode(command, at_ns, command_id, origin)
            # Applied is what will be read again at every replay, not what was handed in.
            record = self.cell.decode(encoded)
        except (MsgspecError, TypeError, UnicodeError) as error:
            raise InvalidCommandError(f"{type(command).__name__}: {error}") from error
        if len(encoded) > limits.COMMAND_BYTES:
            raise InvalidCommandError(
                f"{type(command).__name__} takes {len(encoded)} bytes;"
                f" a command has at most {limits.COMMAND_BYTES}"
            )
        timeline = None if self.tracing is None else self.tracing.timeline(self.cell.name, trace)
        refusal = self._sequencer.on_submit(encoded, Ticket(record, future, timeline))
        if refusal is not None:
            self.metrics.count(type(command).__name__, "refused")
            raise refusal
        self._last_ns = at_ns
        if not in_lane(command):
            self._quiet_since_s = asyncio.get_running_loop().time()
        self._idle.clear()
        self._work.set()

    async def _run(self) -> None:
        """Append, and apply the batch before meanwhile, until stopped."""
        ready: list[Effect[Ticket]] = []
        while self._sequencer is not None:
            if self._resigning:
                self._perform([*ready, *self._sequencer.on_resign(self._resigning)])
                break
            batch = self._sequencer.next_batch()
            if batch is not None:
                append = asyncio.get_running_loop().create_task(self._settle(batch))
                await asyncio.sleep(0)  # now it is on its way to the disk
                self._perform(ready)
                ready = await append
                if any(isinstance(effect, Adopt) for effect in ready):
                    # Its entries come before whatever waits: the next batch must see them.
                    self._perform(ready)
                    ready = []
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
        if self.tracing is not None:
            self.tracing.appending(batch.tickets)
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
                self.metrics.failed_appends += 1
                _log.warning("append failed", cell=self.cell.name, error=str(error))
                answer = None if sequencer.stopped else sequencer.on_append_failed(error)
            except Exception as error:  # noqa: BLE001  (an engine's bug: nobody knows what it wrote)
                _log.exception("append broke", cell=self.cell.name)
                answer = sequencer.on_stop(f"the outcome of an append is unknown: {error!r}")
            # Stopped meanwhile: its submitters were told that the outcome is unknown.
            effects = answer or []
        took_s = time.perf_counter() - started_s
        if self.tracing is not None:
            self.tracing.appended(batch.tickets)
        self.metrics.appended(_appended(effects), took_s, len(batch.payloads))
        return effects

    def _perform(self, effects: list[Effect[Ticket]]) -> None:
        for effect in effects:
            match effect:
                case Commit(batch=batch, head=head):
                    self._commit(batch, head)
                case Refuse(tickets=tickets, error=error):
                    for ticket in tickets:
                        self._refuse(ticket, error)
                case Adopt(entries=entries):
                    self._adopt(entries)
                case Stop(reason=reason, deposed=True) if self.follows:
                    _log.warning("lead lost", cell=self.cell.name, reason=reason)
                case Stop(reason=reason):
                    _log.error("cell stopped", cell=self.cell.name, reason=reason)
                    if self.on_stop is not None:
                        self.on_stop(reason)
                case _:
                    raise InvariantError("an append is performed by the task that awaits it")

    def _adopt(self, entries: Sequence[Entry]) -> None:
        """Apply what others wrote in this term; what waits is dated anew if it came before."""
        try:
            for entry in entries:
                record = self.cell.decode(entry.payload)
                what = type(record.command).__name__
                invariant(in_lane(record.command), f"another node wrote a {what} in this term")
            self.apply(entries)
        except Exception as error:  # noqa: BLE001  (the state is in doubt: stop)
            self.stop(f"{self.cell.name} stopped: an entry that others wrote broke it: {error}")
            return
        self._last_ns = self.cell.state.at_ns
        if self._sequencer is None:
            return
        origins = {self.cell.decode(entry.payload).origin for entry in entries} - {""}
        for ticket in self._sequencer.drop(lambda ticket: ticket.record.origin in origins):
            # Its node wrote it without a leader, and sees it in the journal.
            if ticket.future is not None:
                ticket.future.cancel()
        self._sequencer.encode_again(self._encode_again)

    def _encode_again(self, ticket: Ticket) -> bytes:
        record = ticket.record
        self._last_ns = max(record.at_ns, self._last_ns + 1)
        encoded = self.cell.encode(record.command, self._last_ns, record.command_id, record.origin)
        ticket.record = self.cell.decode(encoded)
        return encoded

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
        self.metrics.apply_seconds.observe(time.perf_counter() - started_s)
        if self.on_batch is not None:
            self.on_batch(self)

    def _commit_one(self, ticket: Ticket, sequence: int) -> None:
        if ticket.trace is not None:
            ticket.trace.applying()
        committed = self._apply(ticket.record, sequence)
        if ticket.trace is not None:
            ticket.trace.applied(sequence)
        answer = committed.answer
        self.metrics.count(type(ticket.record.command).__name__, _outcome(answer))
        future = ticket.future
        if future is not None and not future.done():
            future.set_result(committed)

    def _apply(self, record: Record, sequence: int) -> Committed:
        """Apply one durable entry, and tell everybody who follows the cell."""
        events = self.cell.commit(record, sequence)
        checkpoint = self.checkpoints.on_committed(sequence, record.command)
        if self.views is not None:
            self.views(self.cell.name, sequence, record.at_ns, record.command, events)
        for listener in self.listeners:
            self._tell(listener, record, sequence, events)
        committed = Committed(sequence, record.at_ns, events, _answer_among(events))
        if self.on_entry is not None:
            self.on_entry(record, committed)
        if checkpoint is not None and self.leading:
            self.submit_own(checkpoint)
        return committed

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
        self._found_broken(sequence, error)
        unknown = OutcomeUnknownError(reason)
        for ticket in batch.tickets[sequence - batch.first :]:
            self._refuse(ticket, unknown)
        self.stop(reason)

    def _found_broken(self, sequence: int, error: Exception) -> None:
        self.broken = True
        self.outvoted = self.outvoted or isinstance(error, OutvotedError)
        _log.critical("broken invariant", cell=self.cell.name, sequence=sequence, exc_info=error)

    def _refuse(self, ticket: Ticket, error: NodeError) -> None:
        if ticket.trace is not None:
            ticket.trace.refused(error)
        known = "unknown" if isinstance(error, OutcomeUnknownError) else "refused"
        self.metrics.count(type(ticket.record.command).__name__, known)
        if ticket.future is not None and not ticket.future.done():
            ticket.future.set_exception(error)

    def _depth(self) -> int:
        return self.depth

    def _sequence(self) -> int:
        return int(self.cell.state.sequence)


def _may_be_refused(ticket: Ticket) -> bool:
    return ticket.future is not None and not in_lane(ticket.record.command)


def _answer_among(events: list[Event]) -> CommandRejected | CommandRepeated | None:
    """Return what refused the command or knew it; what time had made due stands before it."""
    for event in events:
        if isinstance(event, _ANSWERS):
            return event
    return None


def _appended(effects: list[Effect[Ticket]]) -> str:
    """Return what became of an append, for those who count."""
    if any(isinstance(effect, Commit) for effect in effects):
        return "durable"
    if any(isinstance(effect, Adopt) for effect in effects):
        return "adopted"
    if any(isinstance(effect, Stop) and effect.deposed for effect in effects):
        return "deposed"
    return "failed"


def _outcome(answer: CommandRejected | CommandRepeated | None) -> str:
    if answer is None:
        return "applied"
    return "rejected" if isinstance(answer, CommandRejected) else "repeated"
