"""What an order and an account do when they are asked one thing after the other.  The rule: no more
is assumed than a client can know.

Sequential models for `linearizability`.  Others trade as well: an open order may be executed
further, or to its end, between any two questions; what was executed is never less than was told
before.  Once an order is canceled nothing of it is executed any more.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Asked(StrEnum):
    PLACE = "place"
    CANCEL = "cancel"
    LOOK = "look"


class Phase(StrEnum):
    ABSENT = "absent"
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"
    """Only told: there was nothing to cancel, or the order was not taken."""


class OrderAsked(Struct, frozen=True):
    """One question about one order."""

    asked: Asked
    order: str
    size: int


class OrderTold(Struct, frozen=True):
    phase: Phase
    executed: int = 0


class Life(Struct, frozen=True):
    """How far an order is: its phase, and bounds of what was executed."""

    phase: Phase
    least: int = 0
    most: int = 0


ABSENT: Final = Life(Phase.ABSENT)


class OrderLife:
    """One order: placed once, executed by others, canceled at most once."""

    initial: Final = ABSENT

    def step(self, state: Life, asked: OrderAsked, told: OrderTold | None) -> Iterator[Life]:
        match asked.asked:
            case Asked.PLACE:
                yield from self._place(state, asked.size, told)
            case Asked.CANCEL:
                yield from self._cancel(state, told)
            case Asked.LOOK:
                yield from [state] if told is None else self._seen(state, told)

    def _place(self, state: Life, size: int, told: OrderTold | None) -> Iterator[Life]:
        placed = Life(Phase.OPEN, 0, size)
        if told is None:
            yield placed if state.phase is Phase.ABSENT else state
        elif state.phase is Phase.ABSENT:
            if told.phase is Phase.REFUSED:
                yield state
            else:
                yield from self._seen(placed, told)

    def _cancel(self, state: Life, told: OrderTold | None) -> Iterator[Life]:
        is_open = state.phase is Phase.OPEN
        canceled = Life(Phase.CANCELED, state.least, state.most)
        if told is None:
            yield canceled if is_open else state
        elif told.phase is Phase.REFUSED:
            if is_open:
                # Others were faster.
                yield Life(Phase.FILLED, state.most, state.most)
                yield Life(Phase.EXPIRED, state.least, state.most)
            else:
                yield state
        elif is_open:
            yield from self._seen(canceled, told)

    @staticmethod
    def _seen(state: Life, told: OrderTold) -> Iterator[Life]:
        """Narrow the state down to what was told of it."""
        phase, executed = told.phase, told.executed
        if phase is Phase.ABSENT:
            if state.phase is Phase.ABSENT:
                yield state
        elif state.least <= executed <= state.most and (
            state.phase is phase
            or (state.phase is Phase.OPEN and phase in {Phase.FILLED, Phase.EXPIRED})
        ):
            if phase is Phase.OPEN:
                yield Life(phase, executed, state.most)
            elif phase is not Phase.FILLED or executed == state.most:
                yield Life(phase, executed, executed)


class HoldAsked(Struct, frozen=True):
    """One question about an account's held balance."""

    asked: Asked
    account: str
    hold: int = 0
    """Of the order that is placed or canceled."""


class HoldTold(Struct, frozen=True):
    """`done`: placed or canceled; `held`: what a look showed."""

    done: bool = True
    held: int = 0


class HeldBalance:
    """What an account's open orders hold together, if nobody but the account changes that.

    Whether an order was there to be canceled is `OrderLife`'s to judge.
    """

    initial: Final = 0

    def step(self, state: int, asked: HoldAsked, told: HoldTold | None) -> Iterator[int]:
        done = told is None or told.done
        match asked.asked:
            case Asked.PLACE:
                yield state + asked.hold if done else state
            case Asked.CANCEL:
                yield state - asked.hold if done else state
            case Asked.LOOK:
                if told is None or told.held == state:
                    yield state


class Cell(Struct, frozen=True):
    """A question to a single value: `write` it, or read it."""

    key: str
    write: int | None = None


class Register:
    """A single value, zero at first."""

    initial: Final = 0

    def step(self, state: int, asked: Cell, told: int | None) -> Iterator[int]:
        if asked.write is not None:
            yield asked.write
        elif told is None or told == state:
            yield state
