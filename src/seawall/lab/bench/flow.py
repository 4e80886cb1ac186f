"""An order flow that every engine can run.  The rule: one seed, one flow, the same for all.

Limit orders around a price that wanders, cancels of orders that still rest, and orders that take
exactly what stands at the best prices: no engine needs more than limit orders and cancels, and
none is asked for anything that it must refuse.
"""

from collections import deque
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from seawall.lib.prng import Prng

PLACE: Final = 0
CANCEL: Final = 1
TAKE: Final = 2
MID_TICKS: Final = 100_000
SPREAD_TICKS: Final = 200
RESTING_ORDERS: Final = 2_000
"""The flow keeps about so many orders in the book."""


class Step(Struct, frozen=True, array_like=True):
    """`order_id` is the new order's, or the one to cancel; it counts from 1 without holes."""

    kind: int
    order_id: int
    is_buy: bool
    price_ticks: int
    lots: int


class Flow(Struct, frozen=True):
    steps: list[Step]
    fills: int
    """How often a maker is met; every engine must come to the same."""


class _Book:
    """Just enough of a book to know what still rests; slow and obvious."""

    def __init__(self) -> None:
        self.sides: dict[bool, dict[int, deque[int]]] = {True: {}, False: {}}
        self.lots: dict[int, int] = {}
        self.places: dict[int, tuple[bool, int]] = {}
        self.ids: list[int] = []
        """Ids that may still rest; those that no longer do are passed over when drawn."""

    def best(self, is_buy: bool) -> int | None:
        side = self.sides[is_buy]
        if not side:
            return None
        return max(side) if is_buy else min(side)

    def add(self, order_id: int, is_buy: bool, price: int, lots: int) -> None:
        self.sides[is_buy].setdefault(price, deque()).append(order_id)
        self.lots[order_id] = lots
        self.places[order_id] = (is_buy, price)
        self.ids.append(order_id)

    def drop(self, order_id: int) -> None:
        is_buy, price = self.places.pop(order_id)
        del self.lots[order_id]
        level = self.sides[is_buy][price]
        level.remove(order_id)
        if not level:
            del self.sides[is_buy][price]

    def draw(self, prng: Prng) -> int:
        while True:
            place = prng.below(len(self.ids))
            self.ids[place], self.ids[-1] = self.ids[-1], self.ids[place]
            order_id = self.ids.pop()
            if order_id in self.lots:
                return order_id


def make_flow(seed: int, count: int) -> Flow:
    """Return `count` steps: 54 % orders that rest, 34 % cancels, 12 % orders that take."""
    prng, book = Prng(seed), _Book()
    steps: list[Step] = []
    fills, next_id, middle = 0, 1, MID_TICKS
    while len(steps) < count:
        middle += prng.below(3) - 1
        chance = prng.below(100)
        resting = len(book.lots)
        if resting > RESTING_ORDERS // 4 and chance < (34 if resting < RESTING_ORDERS else 50):
            order_id = book.draw(prng)
            is_buy, price = book.places[order_id]
            steps.append(Step(CANCEL, order_id, is_buy, price, book.lots[order_id]))
            book.drop(order_id)
        elif resting > RESTING_ORDERS // 4 and chance >= 88:
            step, met = _take(prng, book, next_id)
            steps.append(step)
            fills += met
            next_id += 1
        else:
            step = _rest(prng, book, next_id, middle)
            steps.append(step)
            next_id += 1
    return Flow(steps, fills)


def _rest(prng: Prng, book: _Book, order_id: int, middle: int) -> Step:
    is_buy = prng.chance(1, 2)
    away = 1 + min(prng.below(SPREAD_TICKS), prng.below(SPREAD_TICKS))
    other = book.best(not is_buy)
    price = middle - away if is_buy else middle + away
    if other is not None:
        price = min(price, other - 1) if is_buy else max(price, other + 1)
    lots = 1 + prng.below(100)
    book.add(order_id, is_buy, price, lots)
    return Step(PLACE, order_id, is_buy, price, lots)


def _take(prng: Prng, book: _Book, order_id: int) -> tuple[Step, int]:
    """Take one to three makers of the best level, the last one perhaps in part."""
    best_bid, best_ask = book.best(is_buy=True), book.best(is_buy=False)
    is_buy = best_bid is None or (best_ask is not None and prng.chance(1, 2))
    price = best_ask if is_buy else best_bid
    if price is None:
        raise ValueError("nothing rests, so nothing can be taken")
    queue = list(book.sides[not is_buy][price])[: 1 + prng.below(3)]
    lots = 0
    for maker in queue[:-1]:
        lots += book.lots[maker]
        book.drop(maker)
    last = queue[-1]
    part = 1 + prng.below(book.lots[last])
    lots += part
    if part == book.lots[last]:
        book.drop(last)
    else:
        book.lots[last] -= part
    return Step(TAKE, order_id, is_buy, price, lots), len(queue)


def write_flow(flow: Flow, path: Path) -> None:
    path.write_bytes(msgspec.json.encode(flow))


def read_flow(path: Path) -> Flow:
    return msgspec.json.decode(path.read_bytes(), type=Flow)
