"""The one place where order is made.  The rule: no I/O; what is to be done is returned as data.

Commands wait here, bounded; what arrives while one append is on its way forms the next batch.  At
most one append is in flight.  If its outcome is unknown, the journal is read, and only what is
surely absent is appended again, at the same sequence: compare-and-append lets one of two win.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from seawall.journal.port import (
    Entry,
    Head,
    JournalClosedError,
    JournalConflictError,
    JournalDamagedError,
    JournalError,
    JournalFullError,
    JournalLimitError,
    JournalUnknownError,
)
from seawall.lib.invariants import invariant
from seawall.model import limits
from seawall.node.errors import (
    NodeError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)

T = TypeVar("T")

_FINAL: Final = (
    JournalConflictError,
    JournalDamagedError,
    JournalClosedError,
    JournalLimitError,
)
"""After these the journal takes nothing more from this node."""


class Batch(Generic[T]):
    """Commands of one append, each with its submitter's ticket."""

    def __init__(self, first: int, epoch: int, payloads: list[bytes], tickets: list[T]) -> None:
        self.first = first
        self.epoch = epoch
        self.payloads = payloads
        self.tickets = tickets

    @property
    def last(self) -> int:
        return self.first + len(self.payloads) - 1


class Effect(Generic[T]):
    """Something for the driver to do."""


class Append(Effect[T]):
    """Append the batch; answer with `on_append_ok` or `on_append_failed`."""

    def __init__(self, batch: Batch[T]) -> None:
        self.batch = batch


class Look(Effect[T]):
    """Read the journal where the batch belongs; answer with `on_read` or `on_append_failed`."""

    def __init__(self, batch: Batch[T]) -> None:
        self.batch = batch


class Commit(Effect[T]):
    """The batch is durable: apply it and answer its submitters."""

    def __init__(self, batch: Batch[T], head: Head) -> None:
        self.batch = batch
        self.head = head


class Refuse(Effect[T]):
    """Answer these submitters with the error."""

    def __init__(self, tickets: Sequence[T], error: NodeError) -> None:
        self.tickets = tickets
        self.error = error


class Stop(Effect[T]):
    """The cell takes no more commands from this node."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Sequencer(Generic[T]):
    """Orders the commands of one cell while this node leads it."""

    def __init__(self, head_sequence: int, epoch: int) -> None:
        self.stopped = ""
        """Why no commands are taken any more; empty while they are."""
        self.full = ""
        """Why the last append found no space; empty if it found some."""
        self._next = head_sequence + 1
        self._epoch = epoch
        self._waiting: deque[tuple[bytes, T]] = deque()
        self._waiting_bytes = 0
        self._flying: Batch[T] | None = None
        self._doubts = 0
        """How often the outcome of the append in flight was unknown."""

    @property
    def depth(self) -> int:
        """Return how many commands wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        return self._flying is None and not self._waiting

    def on_submit(self, encoded: bytes, ticket: T) -> NodeError | None:
        """Queue a command; or say why not, and it surely never is."""
        if self.stopped:
            return UnavailableError(self.stopped)
        if (
            len(self._waiting) >= limits.SEQUENCER_QUEUE
            or self._waiting_bytes + len(encoded) > limits.SEQUENCER_BYTES
        ):
            return OverloadedError(f"{len(self._waiting)} commands wait for the journal")
        self._waiting.append((encoded, ticket))
        self._waiting_bytes += len(encoded)
        return None

    def next_batch(self) -> Batch[T] | None:
        """Take what waits, up to the limits; None while an append is in flight."""
        if self._flying is not None or not self._waiting or self.stopped:
            return None
        payloads: list[bytes] = []
        tickets: list[T] = []
        size_bytes = 0
        while self._waiting and len(payloads) < limits.BATCH_COMMANDS:
            encoded, ticket = self._waiting[0]
            if payloads and size_bytes + len(encoded) > limits.BATCH_BYTES:
                break
            self._waiting.popleft()
            payloads.append(encoded)
            tickets.append(ticket)
            size_bytes += len(encoded)
        self._waiting_bytes -= size_bytes
        self._flying = Batch(self._next, self._epoch, payloads, tickets)
        self._doubts = 0
        return self._flying

    def on_append_ok(self, head: Head) -> list[Effect[T]]:
        """Take note that the append in flight is durable."""
        batch = self._landed()
        invariant(head.sequence == batch.last, "an append ends where its batch does")
        self.full = ""
        self._next = batch.last + 1
        return [Commit(batch, head)]

    def on_append_failed(self, error: JournalError) -> list[Effect[T]]:
        """Decide what follows when the append in flight, or the look after it, failed."""
        invariant(self._flying is not None, "only an append in flight can fail")
        if isinstance(error, JournalUnknownError) or self._doubts:
            return self._doubt(error)
        batch = self._landed()
        reason = str(error)
        if isinstance(error, JournalConflictError):
            reason = f"another node leads: {error}"
        refused: Effect[T] = Refuse(batch.tickets, UnavailableError(reason))
        if isinstance(error, _FINAL):
            return [refused, *self.on_stop(reason)]
        if isinstance(error, JournalFullError):
            self.full = reason
        return [refused]

    def on_read(self, entries: Sequence[Entry]) -> list[Effect[T]]:
        """Decide by what stands in the journal where the batch in flight belongs."""
        batch = self._flying
        if batch is None:
            raise ValueError("nothing is in flight")
        if not entries:
            return [Append(batch)]
        found = [(entry.epoch, entry.payload) for entry in entries[: len(batch.payloads)]]
        if found == [(batch.epoch, payload) for payload in batch.payloads]:
            last = entries[len(batch.payloads) - 1]
            return self.on_append_ok(Head(last.sequence, last.epoch, last.hash))
        self._landed()
        reason = f"another node leads: entry {batch.first} is not ours"
        return [Refuse(batch.tickets, UnavailableError(reason)), *self.on_stop(reason)]

    def on_stop(self, reason: str) -> list[Effect[T]]:
        """Take no more commands.  What never left is refused; what flies has an unknown outcome."""
        effects: list[Effect[T]] = []
        self.stopped = self.stopped or reason
        if self._flying is not None:
            flying = self._landed()
            effects.append(Refuse(flying.tickets, OutcomeUnknownError(reason)))
        if self._waiting:
            waiting = [ticket for _, ticket in self._waiting]
            self._waiting.clear()
            self._waiting_bytes = 0
            effects.append(Refuse(waiting, UnavailableError(reason)))
        effects.append(Stop(self.stopped))
        return effects

    def _doubt(self, error: JournalError) -> list[Effect[T]]:
        """Look again, unless looking has been of no use."""
        self._doubts += 1
        # A journal that stopped itself can be read but not written: nothing will settle it.
        if self._flying is None or self._doubts > limits.APPEND_ATTEMPTS:
            return self.on_stop(f"the outcome of an append stays unknown: {error}")
        if isinstance(error, JournalClosedError | JournalDamagedError):
            return self.on_stop(f"the outcome of an append is unknown: {error}")
        return [Look(self._flying)]

    def _landed(self) -> Batch[T]:
        batch = self._flying
        if batch is None:
            raise ValueError("nothing is in flight")
        self._flying = None
        return batch
