"""Takes commands on any node and brings each to its leader once.  The rule: the journal answers.

A command carries an origin, a token of the node that took it.  It is answered when this node's own
replica applies the entry with that origin, whoever led and whatever happened to messages on the
way; so an answer is never older than what this node shows.  When a new leader's `Lead` comes and
the entry has not, it is surely not executed, since older epochs cannot write any more: it is then
sent to the new leader.  Whoever leads knows the origins that it took, and takes none twice.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

import structlog

from seawall.journal.port import Journal, JournalConflictError, JournalError
from seawall.lib.invariants import invariant
from seawall.model import limits
from seawall.model.commands import Checkpoint, Command, Lead
from seawall.node.cell import Record
from seawall.node.driver import Committed
from seawall.node.errors import (
    InvalidCommandError,
    NodeError,
    NoQuorumError,
    NotLeadingError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)
from seawall.node.lane import in_lane
from seawall.node.peer_messages import Forward, Message, Refused
from seawall.node.replica import Replica
from seawall.node.taken import Taken

LOOK_S: Final = 0.05
"""How often it is looked what waits."""
PATIENCE_S: Final = 6.0
"""How long a command waits for a leader that takes it."""
NO_QUORUM_S: Final = 2.0
"""After so long without an answer of the journal, new commands are refused at once."""
_NEVER: Final = 0

_log = structlog.get_logger("seawall.node")


class Sender(Protocol):
    """The links to the other nodes."""

    def send(self, node: str, message: Message) -> bool:
        """Send if there is a link; whether it arrives is not known."""
        ...


class Pending:
    """A command that was taken here and has not been answered."""

    __slots__ = (
        "command", "command_id", "due", "future", "origin", "sent_epoch", "since_s", "trace",
    )  # fmt: skip

    def __init__(
        self,
        command: Command,
        command_id: str,
        origin: str,
        future: "asyncio.Future[Committed]",
        since_s: float,
    ) -> None:
        self.command = command
        self.command_id = command_id
        self.origin = origin
        self.future = future
        self.since_s = since_s
        self.sent_epoch = _NEVER
        """The epoch whose leader may have it; a leader of a higher one has seen its fate."""
        self.due = True
        """Whether to send it (again), as soon as a leader can be reached."""
        self.trace = ""
        """The trace that it belongs to, if it is in one."""


class CellForwarder:
    """Brings the commands of one cell to whoever leads it."""

    def __init__(
        self,
        node: str,
        life: str,
        replica: Replica,
        journal: Journal,
        sender: Sender,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._life = life
        self._replica = replica
        self._journal = journal
        self._sender = sender
        self._now_s = now_s
        self._count = 0
        self._pending: dict[str, Pending] = {}
        self._taken = Taken()
        """What came in the term that this node leads; refused once is refused for the term."""
        self._lane: asyncio.Task[None] | None = None
        self._no_quorum_since_s: float | None = None
        self._part = replica.driver.metrics.part

    @property
    def pending(self) -> int:
        """Return how many commands were taken here and not answered."""
        return len(self._pending)

    def submit(self, command: Command, command_id: str = "") -> "asyncio.Future[Committed]":
        """Take a command; the future brings what came of it, or a NodeError."""
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._count += 1
        origin = f"{self._node}.{self._life}.{self._count}"
        pending = Pending(command, command_id, origin, future, self._now_s())
        tracing = self._replica.driver.tracing
        if tracing is not None:
            pending.trace = tracing.follow(self._replica.name, command, future)
        refusal = self._refusal() or self._disputed(command)
        if refusal is not None:
            future.set_exception(refusal)
        elif self._replica.leads:
            self._offer(pending)
        else:
            self._route(pending)
        return future

    def _refusal(self) -> NodeError | None:
        if self._replica.failed:
            return UnavailableError(self._replica.failed)
        if len(self._pending) >= limits.SEQUENCER_QUEUE:
            return OverloadedError(f"{len(self._pending)} commands wait for a leader")
        return NoQuorumError(self._last_known()) if self._lost() else None

    def _lost(self) -> bool:
        """Whether the journal has not answered for so long that nothing is taken."""
        since_s = self._no_quorum_since_s
        lost = since_s is not None and self._now_s() - since_s > NO_QUORUM_S
        return lost and not self._replica.quorum

    def _disputed(self, command: Command) -> NodeError | None:
        """Refuse what trades while replicas differ and nobody can tell which are right."""
        disputed = self._replica.driver.checkpoints.disputed
        if not disputed or in_lane(command) or isinstance(command, Checkpoint):
            return None
        return UnavailableError(f"{disputed}; only cancels are taken until one more node votes")

    def _last_known(self) -> str:
        state = self._replica.driver.cell.state
        stale_s = self._replica.stale_s()
        age = "" if stale_s is None else f", {stale_s:.1f} s ago"
        return (
            f"the journal of {self._replica.name} has no majority; last known is entry"
            f" {state.sequence} of {state.at_ns // 1_000_000} ms{age}"
        )

    # What happens to the replica

    def on_applied(self, record: Record, committed: Committed) -> None:
        """Answer whoever waits for this entry; after a `Lead`, send on what it left out."""
        if record.origin:
            pending = self._pending.pop(record.origin, None)
            if pending is not None and not pending.future.done():
                pending.future.set_result(committed)
            if in_lane(record.command):
                self._taken.add(record.origin)
        if isinstance(record.command, Lead):
            epoch = record.command.epoch
            # Whoever forwards names the epoch: what was meant for an older one is not taken.
            self._taken.clear()
            for pending in self._pending.values():
                if pending.sent_epoch < epoch:
                    pending.sent_epoch, pending.due = _NEVER, True

    def on_link(self, node: str) -> None:
        """Send again what may have been lost with the link; the leader takes nothing twice."""
        if self._replica.leadership.leader == node:
            for pending in list(self._pending.values()):
                self._route(pending)

    def on_refused(self, refused: Refused) -> None:
        """Fail or keep a command that the leader did not take."""
        pending = self._pending.get(refused.origin)
        if pending is None or pending.sent_epoch != refused.epoch:
            return
        if refused.kind == "not_leading":
            # Another copy may be on its way still, so it stays in doubt until a new `Lead`.
            pending.due = True
            return
        del self._pending[refused.origin]
        errors = {"overloaded": OverloadedError, "invalid": InvalidCommandError}
        if not pending.future.done():
            pending.future.set_exception(errors.get(refused.kind, UnavailableError)(refused.text))

    def on_forward(self, node: str, forward: Forward) -> None:
        """Take another node's command, if this one leads and has not taken it."""
        try:
            record = self._replica.driver.cell.decode(forward.record)
            taken = record.origin in self._taken
        except ValueError as error:
            _log.warning("no command of ours", cell=self._replica.name, peer=node, why=str(error))
            return
        epoch = forward.epoch
        known = self._replica.leadership.epoch
        if epoch > known:
            # Its `Lead` is not applied here yet, so nothing was taken in it: ask again soon.
            refusal = NotLeadingError(f"this node does not lead in epoch {epoch} yet")
            self._refuse(node, epoch, record.origin, refusal)
            return
        if taken or epoch != known or not self._replica.leads:
            # This node, or its earlier life, may have taken a copy; only the journal knows.
            return
        self._taken.add(record.origin)
        disputed = self._disputed(record.command)
        if disputed is not None:
            self._refuse(node, epoch, record.origin, disputed)
            return
        self._part.taken += 1
        future = self._replica.driver.submit(
            record.command, record.command_id, record.origin, forward.trace
        )
        future.add_done_callback(partial(self._forwarded, node, epoch, record.origin))

    def look(self) -> None:
        """Send what waits for a leader, write cancels that have none, give up what is too old."""
        now_s = self._now_s()
        if self._replica.quorum:
            self._no_quorum_since_s = None
        elif self._no_quorum_since_s is None:
            self._no_quorum_since_s = now_s
        if self._replica.leads and self._lost():
            # What came before it was known that none is taken.
            self._replica.driver.refuse_waiting(NoQuorumError(self._last_known()))
        if not self._pending:
            return
        for pending in list(self._pending.values()):
            if now_s - pending.since_s > PATIENCE_S:
                self._give_up(pending)
            elif pending.due:
                self._route(pending)
        if self._lane is None and not self._replica.leads and self._replica.quorum:
            # Nobody writes; or somebody does, whom this node does not reach.
            lane_s = self._replica.leadership.terms.lane_s
            lane_open = self._replica.leadership.lane_open(now_s)
            cancels = [
                each
                for each in self._pending.values()
                if in_lane(each.command) and (lane_open or now_s - each.since_s >= lane_s)
            ]
            if cancels and self._replica.leadership.epoch:
                self._lane = asyncio.get_running_loop().create_task(self._write(cancels))

    async def close(self, reason: str) -> None:
        """Answer whoever still waits."""
        if self._lane is not None:
            await asyncio.gather(self._lane, return_exceptions=True)
        for pending in list(self._pending.values()):
            self._give_up(pending, reason)

    # How a command gets to its leader

    def _offer(self, pending: Pending) -> None:
        """Lead, and take it."""
        driver = self._replica.driver
        pending.sent_epoch, pending.due = self._replica.leadership.epoch, False
        inner = driver.submit(pending.command, pending.command_id, pending.origin, pending.trace)
        inner.add_done_callback(partial(self._offered, pending))

    def _offered(self, pending: Pending, inner: "asyncio.Future[Committed]") -> None:
        if inner.cancelled():
            # It was written without a leader, and answered when that entry was applied.
            return
        error = inner.exception()
        if error is None:
            self._pending.pop(pending.origin, None)
            if not pending.future.done():
                pending.future.set_result(inner.result())
        elif isinstance(error, NotLeadingError):
            pending.sent_epoch, pending.due = _NEVER, True
            self._pending[pending.origin] = pending
        elif isinstance(error, OutcomeUnknownError) and not self._replica.failed:
            # Its entry will be seen, or a higher epoch without it.
            self._pending[pending.origin] = pending
        elif not pending.future.done():
            pending.future.set_exception(error)

    def _route(self, pending: Pending) -> None:
        """Bring it to the leader, if there is one that can be reached; else it waits."""
        self._pending[pending.origin] = pending
        replica = self._replica
        if replica.leads:
            del self._pending[pending.origin]
            self._offer(pending)
            return
        leadership = replica.leadership
        if leadership.leader in ("", self._node):
            return
        cell = replica.driver.cell
        try:
            record = cell.encode(pending.command, 0, pending.command_id, pending.origin)
        except (TypeError, UnicodeError) as error:
            del self._pending[pending.origin]
            pending.future.set_exception(InvalidCommandError(str(error)))
            return
        forward = Forward(
            cell=cell.name, epoch=leadership.epoch, record=record, trace=pending.trace
        )
        if self._sender.send(leadership.leader, forward):
            pending.sent_epoch, pending.due = leadership.epoch, False
            self._part.forwarded += 1

    def _forwarded(
        self, node: str, epoch: int, origin: str, future: "asyncio.Future[Committed]"
    ) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, OutcomeUnknownError):
            # It stays known: a second copy must not be taken after the first was refused.
            self._refuse(node, epoch, origin, error)

    def _refuse(self, node: str, epoch: int, origin: str, error: BaseException) -> None:
        kind = "unavailable"
        for name, cls in _KINDS.items():
            if isinstance(error, cls):
                kind = name
        self._part.refuse(kind)
        refused = Refused(
            cell=self._replica.name, epoch=epoch, origin=origin, kind=kind, text=str(error)
        )
        self._sender.send(node, refused)

    async def _write(self, cancels: list[Pending]) -> None:
        """Write cancels without a leader, at the exact next sequence; the replica answers them."""
        replica = self._replica
        cell, head = replica.driver.cell, replica.driver.head
        at_ns = cell.state.at_ns
        payloads = [
            cell.encode(pending.command, at_ns + number, pending.command_id, pending.origin)
            for number, pending in enumerate(cancels[: limits.BATCH_COMMANDS], start=1)
        ]
        try:
            invariant(head.epoch > 0, "a journal begins with a Lead")
            await self._journal.append(head.sequence + 1, head.epoch, payloads)
            _log.info("cancels without a leader", cell=cell.name, count=len(payloads))
            self._part.lane_cancels += len(payloads)
        except JournalConflictError:
            _log.debug("a leader was there after all", cell=cell.name)
        except JournalError as error:
            _log.warning("cancels wait", cell=cell.name, error=str(error))
        finally:
            self._lane = None

    def _give_up(self, pending: Pending, reason: str = "") -> None:
        self._pending.pop(pending.origin, None)
        if pending.future.done():
            return
        if not self._replica.quorum:
            reason = reason or self._last_known()
        reason = reason or f"{self._replica.name} has no leader that answers"
        never = pending.sent_epoch == _NEVER and not in_lane(pending.command)
        self._part.give_up("refused" if never else "unknown")
        error = NoQuorumError if never and not self._replica.quorum else UnavailableError
        pending.future.set_exception(error(reason) if never else OutcomeUnknownError(reason))


_KINDS: Final[Mapping[str, type[NodeError]]] = {
    "overloaded": OverloadedError,
    "invalid": InvalidCommandError,
    "not_leading": NotLeadingError,
}
