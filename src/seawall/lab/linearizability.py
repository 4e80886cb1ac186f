"""Does one order of events explain what all clients saw?  The rule: intervals, no guesses.

A history is linearizable if each operation seems to take effect at one instant between its call and
its return, as a sequential model allows.  An operation whose outcome is unknown has no return: it
may take effect at any time after its call, or never.

The search is Wing and Gong's (*Testing and verifying concurrent objects*, Journal of Parallel and
Distributed Computing 17, 1993): linearize a call that no return precedes, and take it back where
that leads nowhere.  Lowe (*Testing for linearizability*, Concurrency and Computation: Practice and
Experience 29, 2017) remembers which sets of linearized operations were met in which state.  Horn
and Kroening (*Faster linearizability checking via P-compositionality*, FORTE 2015) split a history
by key: it is linearizable exactly if each part is.  A model may leave a choice: the search then
carries all states that are possible.
"""

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct

StateT = TypeVar("StateT", bound=Hashable)
InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
StateC = TypeVar("StateC", bound=Hashable)
InputT_contra = TypeVar("InputT_contra", contravariant=True)
OutputT_contra = TypeVar("OutputT_contra", contravariant=True)
KeyT = TypeVar("KeyT", bound=Hashable)

STEPS: Final = 2_000_000
"""After so many attempts a part is given up as undecided."""


class UndecidedError(Exception):
    """The search took too long: the history is neither shown to be linearizable nor not."""


class Operation(Struct, Generic[InputT, OutputT], frozen=True, kw_only=True):
    """What one client asked and was told."""

    call_s: float
    return_s: float | None
    """None: its outcome is unknown."""
    input: InputT
    output: OutputT | None
    """None: its outcome is unknown, or of no matter."""
    client: str = ""


class Model(Protocol[StateC, InputT_contra, OutputT_contra]):
    """What the operations would do one after the other."""

    @property
    def initial(self) -> StateC: ...

    def step(
        self, state: StateC, asked: InputT_contra, told: OutputT_contra | None
    ) -> Iterable[StateC]:
        """Return the states in which `state` may end; none if `told` cannot be.

        `told` is None if it is not known: return where the operation leads if it takes effect.
        """
        ...


class Violation(Struct, Generic[InputT, OutputT], frozen=True, kw_only=True):
    """Why a history is not linearizable."""

    explained: tuple[Operation[InputT, OutputT], ...]
    """The longest order that was found, of operations that can be explained together."""
    stuck: tuple[Operation[InputT, OutputT], ...]
    """Those that ought to have come next, and none of which fits."""

    def __str__(self) -> str:
        last = "; ".join(_text(each) for each in self.explained[-3:])
        return f"after [{last}] none fits of [{'; '.join(_text(each) for each in self.stuck[:4])}]"


def check_parts(
    operations: Iterable[Operation[InputT, OutputT]],
    key: Callable[[Operation[InputT, OutputT]], KeyT],
    model: Model[StateT, InputT, OutputT],
) -> dict[KeyT, Violation[InputT, OutputT]]:
    """Check each key's operations alone; return the keys that are not linearizable, and why."""
    parts: dict[KeyT, list[Operation[InputT, OutputT]]] = {}
    for operation in operations:
        parts.setdefault(key(operation), []).append(operation)
    found = {name: check(part, model) for name, part in parts.items()}
    return {name: violation for name, violation in found.items() if violation is not None}


def check(
    operations: Sequence[Operation[InputT, OutputT]],
    model: Model[StateT, InputT, OutputT],
    steps: int = STEPS,
) -> Violation[InputT, OutputT] | None:
    """Return None if the history is linearizable; raises UndecidedError after too many steps.

    Operations that touch in one instant count as concurrent.
    """
    return _Search(operations, model).run(steps)


class _Event:
    """A call or a return, in a list from which pairs are taken and put back."""

    __slots__ = ("after", "before", "is_call", "number", "pair")

    def __init__(self, number: int, *, is_call: bool) -> None:
        self.number = number
        self.is_call = is_call
        self.pair: _Event | None = None
        """A call's return; None if there is none."""
        self.before: _Event | None = None
        self.after: _Event | None = None

    def take(self) -> None:
        for event in (self, self.pair):
            if event is not None:
                if event.before is not None:
                    event.before.after = event.after
                if event.after is not None:
                    event.after.before = event.before

    def put_back(self) -> None:
        for event in (self.pair, self):
            if event is not None:
                if event.before is not None:
                    event.before.after = event
                if event.after is not None:
                    event.after.before = event


class _Search(Generic[StateT, InputT, OutputT]):
    """One history's search."""

    def __init__(
        self,
        operations: Sequence[Operation[InputT, OutputT]],
        model: Model[StateT, InputT, OutputT],
    ) -> None:
        self._operations = operations
        self._model = model
        self._head = _Event(-1, is_call=True)
        self._open = sum(each.return_s is not None for each in operations)
        """Returns that are still in the list."""
        self._order: list[tuple[_Event, frozenset[StateT]]] = []
        """The calls that are linearized, each with the states before it."""
        self._best: tuple[int, ...] = ()
        self._stuck: tuple[int, ...] = ()
        self._link()

    def run(self, steps: int) -> Violation[InputT, OutputT] | None:
        states = frozenset([self._model.initial])
        linearized = 0
        met: set[tuple[int, frozenset[StateT]]] = set()
        event = self._head.after
        while self._open:
            if event is None:
                raise UndecidedError("a return that is open stands in the list")
            if not event.is_call:
                # Its operation had to take effect before this.
                self._note()
                if not self._order:
                    return self._violation()
                event, states = self._order.pop()
                linearized &= ~(1 << event.number)
                event.put_back()
                self._open += event.pair is not None
                event = event.after
                continue
            after = self._step(states, event.number)
            reached = (linearized | 1 << event.number, after)
            if not after or reached in met:
                event = event.after
                continue
            if len(met) >= steps:
                raise UndecidedError(f"{len(self._operations)} operations, {steps} steps")
            met.add(reached)
            self._order.append((event, states))
            linearized, states = reached
            event.take()
            self._open -= event.pair is not None
            event = self._head.after
        return None

    def _link(self) -> None:
        """Make the list of events by time, calls before returns of the same instant."""
        timed: list[tuple[float, int, int, _Event]] = []
        for number, operation in enumerate(self._operations):
            call = _Event(number, is_call=True)
            timed.append((operation.call_s, 0, number, call))
            if operation.return_s is not None:
                call.pair = _Event(number, is_call=False)
                timed.append((max(operation.return_s, operation.call_s), 1, number, call.pair))
        last = self._head
        heapq.heapify(timed)
        while timed:
            event = heapq.heappop(timed)[3]
            last.after, event.before = event, last
            last = event

    def _step(self, states: frozenset[StateT], number: int) -> frozenset[StateT]:
        operation = self._operations[number]
        return frozenset(
            after
            for state in states
            for after in self._model.step(state, operation.input, operation.output)
        )

    def _note(self) -> None:
        """Keep the longest order so far, and what stood there to come next."""
        if self._stuck and len(self._order) <= len(self._best):
            return
        self._best = tuple(event.number for event, _ in self._order)
        stuck = []
        event = self._head.after
        while event is not None and event.is_call:
            stuck.append(event.number)
            event = event.after
        self._stuck = tuple(stuck)

    def _violation(self) -> Violation[InputT, OutputT]:
        return Violation(
            explained=tuple(self._operations[number] for number in self._best),
            stuck=tuple(self._operations[number] for number in self._stuck),
        )


def _text(operation: Operation[InputT, OutputT]) -> str:
    until = "?" if operation.return_s is None else f"{operation.return_s:.4f}"
    who = f"{operation.client} " if operation.client else ""
    return f"{who}{operation.input} -> {operation.output} in {operation.call_s:.4f}..{until}"
