"""Histories known to be linearizable or not, and small ones against brute force."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.lab.linearizability import Model, Operation, UndecidedError, check, check_parts
from seawall.lab.sequential import (
    Asked,
    Cell,
    HeldBalance,
    HoldAsked,
    HoldTold,
    OrderAsked,
    OrderLife,
    OrderTold,
    Phase,
    Register,
)
from seawall.lib.prng import Prng

Op = Operation[Any, Any]


def op(call_s: float, return_s: float | None, asked: object, told: object = None) -> Op:
    return Operation(call_s=call_s, return_s=return_s, input=asked, output=told)


def put(call_s: float, return_s: float | None, value: int) -> Op:
    return op(call_s, return_s, Cell("x", value))


def get(call_s: float, return_s: float, value: int) -> Op:
    return op(call_s, return_s, Cell("x"), value)


REGISTERS: dict[str, tuple[bool, list[Op]]] = {
    "nothing happened": (True, []),
    "one after the other": (True, [put(0, 1, 5), get(2, 3, 5)]),
    "a read that missed a write": (False, [put(0, 1, 5), get(2, 3, 0)]),
    "a read beside a write sees either": (True, [put(0, 9, 5), get(1, 2, 0), get(3, 4, 5)]),
    "reads go back": (False, [put(0, 9, 5), get(1, 2, 5), get(3, 4, 0)]),
    "reads that overlap may differ": (True, [put(0, 9, 5), get(1, 4, 5), get(2, 3, 0)]),
    # Herlihy and Wing's register: two writes beside each other, read in both orders.
    "two writes, two orders": (
        False,
        [put(0, 9, 1), put(0, 9, 2), get(10, 11, 1), get(12, 13, 2)],
    ),
    "an unknown write took effect late": (
        True,
        [put(0, None, 5), get(1, 2, 0), get(3, 4, 0), get(5, 6, 5)],
    ),
    "an unknown write never took effect": (True, [put(0, None, 5), get(1, 2, 0), get(3, 4, 0)]),
    "an unknown write took effect and was undone": (
        False,
        [put(0, None, 5), get(1, 2, 0), get(3, 4, 5), get(5, 6, 0)],
    ),
    "an unknown write was seen before it was asked": (False, [get(0, 1, 5), put(2, None, 5)]),
    "two unknown writes explain a read each": (
        True,
        [put(0, None, 5), put(0, None, 6), get(1, 2, 6), get(3, 4, 5)],
    ),
    "one unknown write explains one change": (
        False,
        [put(0, None, 5), put(3, 4, 6), get(1, 2, 5), get(5, 6, 6), get(7, 8, 5)],
    ),
}


@pytest.mark.parametrize(("linearizable", "history"), REGISTERS.values(), ids=REGISTERS)
def test_register(linearizable: bool, history: list[Op]) -> None:
    assert (check(history, Register()) is None) is linearizable


def ask(
    call_s: float, return_s: float | None, asked: Asked, phase: Phase | None = None, done: int = 0
) -> Op:
    told = OrderTold(phase, done) if phase else None
    return op(call_s, return_s, OrderAsked(asked, "a", 10), told)


PLACE, CANCEL, LOOK = Asked.PLACE, Asked.CANCEL, Asked.LOOK
OPEN, FILLED, CANCELED, EXPIRED = Phase.OPEN, Phase.FILLED, Phase.CANCELED, Phase.EXPIRED
REFUSED = Phase.REFUSED
ORDERS: dict[str, tuple[bool, list[Op]]] = {
    "a life": (
        True,
        [
            ask(0, 1, LOOK, Phase.ABSENT),
            ask(2, 3, PLACE, OPEN),
            ask(4, 5, LOOK, OPEN, 4),
            ask(6, 7, CANCEL, CANCELED, 7),
            ask(8, 9, LOOK, CANCELED, 7),
            ask(10, 11, CANCEL, REFUSED),
        ],
    ),
    "acknowledged and gone": (False, [ask(0, 1, PLACE, OPEN), ask(2, 3, LOOK, Phase.ABSENT)]),
    "canceled and open again": (
        False,
        [ask(0, 1, PLACE, OPEN), ask(2, 3, CANCEL, CANCELED), ask(4, 5, LOOK, OPEN)],
    ),
    "canceled and matched later": (
        False,
        [ask(0, 1, PLACE, OPEN), ask(2, 3, CANCEL, CANCELED, 2), ask(4, 5, LOOK, CANCELED, 3)],
    ),
    "canceled and filled": (
        False,
        [ask(0, 1, PLACE, OPEN), ask(2, 3, CANCEL, CANCELED), ask(4, 5, LOOK, FILLED, 10)],
    ),
    "executed less than before": (
        False,
        [ask(0, 1, PLACE, OPEN, 3), ask(2, 3, LOOK, OPEN, 2)],
    ),
    "a look beside the cancel": (
        True,
        [
            ask(0, 1, PLACE, OPEN),
            ask(2, 9, CANCEL, CANCELED, 1),
            ask(3, 4, LOOK, OPEN, 1),
            ask(5, 6, LOOK, CANCELED, 1),
        ],
    ),
    "an unknown cancel held, and the order was shown open after": (
        False,
        [
            ask(0, 1, PLACE, OPEN),
            ask(2, None, CANCEL),
            ask(3, 4, LOOK, CANCELED),
            ask(5, 6, LOOK, OPEN),
        ],
    ),
    "an unknown cancel did nothing for a while": (
        True,
        [
            ask(0, 1, PLACE, OPEN),
            ask(2, None, CANCEL),
            ask(3, 4, LOOK, OPEN, 5),
            ask(5, 6, LOOK, CANCELED, 6),
        ],
    ),
    "nobody canceled it": (False, [ask(0, 1, PLACE, OPEN), ask(2, 3, LOOK, CANCELED)]),
    "refused a cancel though it stayed open": (
        False,
        [ask(0, 1, PLACE, OPEN), ask(2, 3, CANCEL, REFUSED), ask(4, 5, LOOK, OPEN)],
    ),
    "filled before the cancel came": (
        True,
        [ask(0, 1, PLACE, OPEN), ask(2, 3, CANCEL, REFUSED), ask(4, 5, LOOK, FILLED, 10)],
    ),
    "refused, and there": (False, [ask(0, 1, PLACE, REFUSED), ask(2, 3, LOOK, OPEN)]),
    "an unknown order expired": (True, [ask(0, None, PLACE), ask(2, 3, LOOK, EXPIRED, 4)]),
    "executed twice": (False, [ask(0, 1, PLACE, FILLED, 10), ask(2, 3, PLACE, FILLED, 10)]),
    "filled by less than its size": (False, [ask(0, 1, PLACE, FILLED, 9)]),
}


@pytest.mark.parametrize(("linearizable", "history"), ORDERS.values(), ids=ORDERS)
def test_order(linearizable: bool, history: list[Op]) -> None:
    assert (check(history, OrderLife()) is None) is linearizable


def hold(
    call_s: float,
    return_s: float | None,
    asked: Asked,
    size: int = 0,
    *,
    done: bool = True,
    held: int = 0,
) -> Op:
    told = None if return_s is None else HoldTold(done=done, held=held)
    return op(call_s, return_s, HoldAsked(asked, "me", size), told)


HOLDS: dict[str, tuple[bool, list[Op]]] = {
    "held and let go": (
        True,
        [
            hold(0, 1, PLACE, 5),
            hold(0, 1, PLACE, 7),
            hold(2, 3, LOOK, held=12),
            hold(4, 5, CANCEL, 5),
            hold(6, 7, LOOK, held=7),
            hold(8, 9, CANCEL, 5, done=False),
        ],
    ),
    "a balance that is zero by mistake": (
        False,
        [hold(0, 1, PLACE, 5), hold(2, 3, LOOK, held=0)],
    ),
    "a balance of two moments": (
        False,
        [
            hold(0, 1, PLACE, 5),
            hold(2, 3, CANCEL, 5),
            hold(4, 5, PLACE, 7),
            hold(6, 7, LOOK, held=12),
        ],
    ),
    "an unknown order holds or not, but stays": (
        False,
        [
            hold(0, None, PLACE, 5),
            hold(1, 2, LOOK, held=5),
            hold(3, 4, LOOK, held=0),
        ],
    ),
    "an unknown cancel": (
        True,
        [
            hold(0, 1, PLACE, 5),
            hold(2, None, CANCEL, 5),
            hold(3, 4, LOOK, held=5),
            hold(5, 6, LOOK, held=0),
        ],
    ),
}


@pytest.mark.parametrize(("linearizable", "history"), HOLDS.values(), ids=HOLDS)
def test_held_balance(linearizable: bool, history: list[Op]) -> None:
    assert (check(history, HeldBalance()) is None) is linearizable


def test_parts_are_judged_alone_and_the_wrong_one_is_named() -> None:
    good = [op(n, n + 1, Cell("good", n)) for n in range(50)]
    bad = [op(0, 1, Cell("bad", 5)), op(2, 3, Cell("bad"), 6)]
    found = check_parts([*good, *bad], lambda each: str(each.input.key), Register())
    assert list(found) == ["bad"]
    assert found["bad"].explained == (bad[0],)
    assert found["bad"].stuck == (bad[1],)
    assert "-> 6 in 2.0000..3.0000" in str(found["bad"])


def true_history(prng: Prng, count: int) -> list[Op]:
    """Let each operation take effect at its own moment, somewhere within its interval."""
    value = 0
    history = []
    for moment in range(count):
        call_s = moment - prng.below(60) / 10
        return_s = moment + prng.below(60) / 10
        if prng.chance(1, 3):
            value = prng.below(50)
            history.append(put(call_s, return_s, value))
        else:
            history.append(get(call_s, return_s, value))
    return history


def test_a_long_history_of_many_clients() -> None:
    history = true_history(Prng(7), 3_000)
    assert check(history, Register()) is None
    place = next(n for n in range(2_500, 3_000) if history[n].output is not None)
    lie = get(history[place].call_s, history[place].return_s or 0.0, 99)
    found = check([*history[:place], lie, *history[place + 1 :]], Register())
    assert found is not None
    assert lie in found.stuck


def test_too_long_a_search_says_so() -> None:
    history = [put(0, 100, n) for n in range(12)] + [get(101, 102, 99)]
    with pytest.raises(UndecidedError):
        check(history, Register(), steps=50)


def brute_force(history: Sequence[Op], model: Model[Any, Any, Any]) -> bool:
    """Try every order of every choice of the unknown ones."""
    done = [each for each in history if each.return_s is not None]
    unknown = [each for each in history if each.return_s is None]
    return any(
        _explains(order, model)
        for bits in range(1 << len(unknown))
        for order in permutations(
            [*done, *(each for n, each in enumerate(unknown) if bits >> n & 1)]
        )
    )


def _explains(order: Sequence[Op], model: Model[Any, Any, Any]) -> bool:
    for place, later in enumerate(order):
        for earlier in order[:place]:
            if later.return_s is not None and later.return_s < earlier.call_s:
                return False
    states: Iterable[Any] = {model.initial}
    for each in order:
        states = {after for state in states for after in model.step(state, each.input, each.output)}
    return bool(states)


TIMES = st.tuples(st.integers(0, 8), st.integers(0, 5), st.booleans())
REGISTER_OPS = st.tuples(TIMES, st.booleans(), st.integers(0, 2))
ORDER_OPS = st.tuples(TIMES, st.sampled_from(Asked), st.sampled_from(Phase), st.integers(0, 2))


@given(st.lists(REGISTER_OPS, max_size=5))
def test_registers_agree_with_brute_force(drawn: list[Any]) -> None:
    history = [
        put(call, None if unknown else call + length, value)
        if writes
        else get(call, call + length, value)
        for (call, length, unknown), writes, value in drawn
    ]
    assert (check(history, Register()) is None) is brute_force(history, Register())


@given(st.lists(ORDER_OPS, max_size=5))
def test_orders_agree_with_brute_force(drawn: list[Any]) -> None:
    history = [
        op(
            call,
            None if unknown else call + length,
            OrderAsked(asked, "a", 2),
            None if unknown else OrderTold(phase, executed),
        )
        for (call, length, unknown), asked, phase, executed in drawn
    ]
    assert (check(history, OrderLife()) is None) is brute_force(history, OrderLife())
