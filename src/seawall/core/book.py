"""Price-time priority.  The rule: better price first, then earlier arrival; nothing decides here.

`Ladder` is one side of a book, or one direction of waiting stop orders.  Keys are sorted so that
the best stands last: a price that comes first when low is kept negated.
"""

from bisect import bisect_left, insort

from seawall.lib.invariants import invariant
from seawall.model.orders import Level, Order


class Ladder:
    """Levels of one side, best last in `keys`."""

    def __init__(self, highest_first: bool) -> None:
        self.highest_first = highest_first
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.count = 0

    def best(self) -> Level | None:
        if not self.keys:
            return None
        return self.levels[self.keys[-1]]

    def best_first(self) -> list[Level]:
        """Return all levels, best price first."""
        return [self.levels[key] for key in reversed(self.keys)]

    def add(self, order: Order, price_ticks: int, visible_lots: int) -> None:
        """Put the order last in its level."""
        key = price_ticks if self.highest_first else -price_ticks
        level = self.levels.get(key)
        if level is None:
            level = Level(price_ticks)
            self.levels[key] = level
            insort(self.keys, key)
        order.visible_lots = visible_lots
        self._append(level, order)
        level.visible_lots += visible_lots
        level.total_lots += order.open_lots
        level.count += 1
        self.count += 1

    def remove(self, order: Order) -> Level:
        """Take the order out, whatever is left of it; return the level it stood in."""
        level = order.level
        if level is None:
            raise ValueError("the order stands in no level")
        self._unlink(level, order)
        level.visible_lots -= order.visible_lots
        level.total_lots -= order.open_lots
        level.count -= 1
        self.count -= 1
        order.visible_lots = 0
        if level.count == 0:
            invariant(level.total_lots == 0, "an empty level holds nothing")
            key = level.price_ticks if self.highest_first else -level.price_ticks
            del self.levels[key]
            if self.keys[-1] == key:
                self.keys.pop()
            else:
                del self.keys[bisect_left(self.keys, key)]
        return level

    def reduce(self, order: Order, lots: int) -> None:
        """Account for `lots` less of the order, already taken from its `open_lots`.

        The order keeps its place; an iceberg whose visible part is used up shows its next part
        at the end of the queue.
        """
        level = order.level
        if level is None:
            raise ValueError("the order stands in no level")
        level.total_lots -= lots
        taken = min(lots, order.visible_lots)
        order.visible_lots -= taken
        level.visible_lots -= taken
        if order.visible_lots == 0 and order.open_lots > 0:
            shown = min(order.iceberg_lots, order.open_lots)
            invariant(shown > 0, "only an iceberg hides a part of its size")
            order.visible_lots = shown
            level.visible_lots += shown
            self._unlink(level, order)
            self._append(level, order)

    def shrink(self, order: Order, lots: int) -> None:
        """Account for `lots` less of the order, already taken from its `open_lots`, by its owner.

        What it shows shrinks only as far as it must, and it keeps its place.
        """
        level = order.level
        if level is None:
            raise ValueError("the order stands in no level")
        level.total_lots -= lots
        hidden = order.visible_lots - order.open_lots
        if hidden > 0:
            order.visible_lots -= hidden
            level.visible_lots -= hidden

    def _append(self, level: Level, order: Order) -> None:
        order.level = level
        order.before = level.tail
        order.after = None
        if level.tail is None:
            level.head = order
        else:
            level.tail.after = order
        level.tail = order

    def _unlink(self, level: Level, order: Order) -> None:
        if order.before is None:
            level.head = order.after
        else:
            order.before.after = order.after
        if order.after is None:
            level.tail = order.before
        else:
            order.after.before = order.before
        order.level = None
        order.before = None
        order.after = None
