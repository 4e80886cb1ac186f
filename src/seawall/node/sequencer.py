"""The one place where order is made.  The rule: no I/O; what is to be done is returned as data.

Commands wait here, bounded; what arrives while one append is on its way forms the next batch.  At
most one append is in flight.  If its outcome is unknown, the journal is read, and only what is
surely absent is appended again, at the same sequence: compare-and-append lets one of two win.
"""

from collections import deque
from collections.abc import Callable, Sequence
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
    NotLeadingError,
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


class Adopt(Effect[T]):
    """Others wrote these in our epoch: apply them; what flew is appended anew after them."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries


class Stop(Effect[T]):
    """The cell takes no more commands from this node."""

    def __init__(self, reason: str, *, deposed: bool) -> None:
        self.reason = reason
        self.deposed = deposed
        """Whether only the lead was lost: state and journal are sound, and may be followed."""


class Sequencer(Generic[T]):
    """Orders the commands of one cell while this node leads it."""

    def __init__(self, head_sequence: int, epoch: int) -> None:
        self.stopped = ""
        """Why no commands are taken any more; empty while they are."""
        self.full = ""
        """Why the last append found no space; empty if it found some."""
        self._followed = False
        """Whether, once stopped, only the lead was lost."""
        self._next = head_sequence + 1
        self._epoch = epoch
        self._leads = False
        """Whether the term's `Lead` is durable; until then another may have the same epoch."""
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
            return (
                NotLeadingError(self.stopped) if self._followed else UnavailableError(self.stopped)
            )
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
        self._leads = True
        self._next = batch.last + 1
        return [Commit(batch, head)]

    def on_append_failed(self, error: JournalError) -> list[Effect[T]]:
        """Decide what follows when the append in flight, or the look after it, failed."""
        invariant(self._flying is not None, "only an append in flight can fail")
        if isinstance(error, JournalUnknownError) or self._doubts:
            return self._doubt(error)
        if isinstance(error, JournalConflictError):
            if error.head.sequence < self._next - 1:
                return self._gone_back(error)
            if self._flying is not None and self._leads and error.head.epoch == self._epoch:
                return [Look(self._flying)]
            return self._deposed(f"another node leads: {error}")
        batch = self._landed()
        reason = str(error)
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
        if not self._leads or any(entry.epoch != self._epoch for entry in entries):
            return self._deposed(f"another node leads: entry {batch.first} is not ours")
        # Compare-and-append: with another entry in its place, the batch is in none.
        self._landed()
        for payload, ticket in zip(reversed(batch.payloads), reversed(batch.tickets), strict=True):
            self._waiting.appendleft((payload, ticket))
            self._waiting_bytes += len(payload)
        self._next = entries[-1].sequence + 1
        return [Adopt(entries)]

    def encode_again(self, encode: Callable[[T], bytes]) -> None:
        """Encode anew what waits, for its time has passed."""
        self._waiting = deque((encode(ticket), ticket) for _, ticket in self._waiting)
        self._waiting_bytes = sum(len(payload) for payload, _ in self._waiting)

    def drop(self, surplus: Callable[[T], bool]) -> list[T]:
        """Let go of what waits and is `surplus`; return it."""
        dropped = [ticket for _, ticket in self._waiting if surplus(ticket)]
        if dropped:
            kept = [(payload, ticket) for payload, ticket in self._waiting if not surplus(ticket)]
            self._waiting = deque(kept)
            self._waiting_bytes = sum(len(payload) for payload, _ in kept)
        return dropped

    def on_resign(self, reason: str) -> list[Effect[T]]:
        """Lead no more, of one's own will; nothing may be in flight."""
        invariant(self._flying is None, "whoever resigns has settled what flew")
        return self._stop(reason, NotLeadingError(reason), deposed=True)

    def on_stop(self, reason: str, *, deposed: bool = False) -> list[Effect[T]]:
        """Take no more commands.  What never left is refused; what flies has an unknown outcome."""
        error = NotLeadingError(reason) if deposed else UnavailableError(reason)
        return self._stop(reason, error, deposed=deposed)

    def _deposed(self, reason: str) -> list[Effect[T]]:
        """Lead no more: another holds a higher epoch, so what flew was not written."""
        refused = Refuse(self._landed().tickets, NotLeadingError(reason))
        return [refused, *self.on_resign(reason)]

    def _gone_back(self, error: JournalConflictError) -> list[Effect[T]]:
        """Stop for good: entries that were durable are not there any more."""
        reason = f"the journal has lost entries that were durable: {error}"
        return [Refuse(self._landed().tickets, UnavailableError(reason)), *self.on_stop(reason)]

    def _stop(self, reason: str, error: NodeError, *, deposed: bool) -> list[Effect[T]]:
        effects: list[Effect[T]] = []
        self.stopped = self.stopped or reason
        self._followed = deposed
        if self._flying is not None:
            flying = self._landed()
            effects.append(Refuse(flying.tickets, OutcomeUnknownError(reason)))
        if self._waiting:
            waiting = [ticket for _, ticket in self._waiting]
            self._waiting.clear()
            self._waiting_bytes = 0
            effects.append(Refuse(waiting, error))
        effects.append(Stop(self.stopped, deposed=deposed))
        return effects

    def _doubt(self, error: JournalError) -> list[Effect[T]]:
        """Look again, unless looking has been of no use."""
        self._doubts += 1
        # A journal that stopped itself can be read but not written: nothing will settle it.
        if self._flying is None or self._doubts > limits.APPEND_ATTEMPTS:
            reason = f"the outcome of an append stays unknown: {error}"
            return self.on_stop(reason, deposed=True)
        if isinstance(error, JournalClosedError | JournalDamagedError):
            return self.on_stop(f"the outcome of an append is unknown: {error}")
        return [Look(self._flying)]

    def _landed(self) -> Batch[T]:
        batch = self._flying
        if batch is None:
            raise ValueError("nothing is in flight")
        self._flying = None
        return batch
