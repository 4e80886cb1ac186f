"""Order books as their followers see them.  The rule: snapshot plus diffs is the book, exactly.

A snapshot carries the update id it stands at.  A diff covers all update ids from its first to its
last; it applies to any snapshot whose id is at least first - 1 and below last, and each diff of
one accumulator begins right after the one before.  This is Binance's contract for local books.
"""

from bisect import bisect_left, insort

from seawall.lib.invariants import InvariantError, invariant
from seawall.model.events import LevelChanged
from seawall.views.rows import Best, Depth, DepthDiffRow


class DepthDiff:
    """Collects a book's changes until someone drains them; a stream has one per cadence."""

    def __init__(self, update_id: int) -> None:
        self._drained_id = update_id
        self._last_id = update_id
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}

    def add(self, event: LevelChanged) -> None:
        side = self._bids if event.is_bid else self._asks
        side[event.price_ticks] = event.visible_lots
        self._last_id = event.update_id

    def drain(self) -> DepthDiffRow | None:
        """Return what changed since the last call, None if nothing did."""
        if self._last_id == self._drained_id:
            return None
        diff = DepthDiffRow(
            first_update_id=self._drained_id + 1,
            last_update_id=self._last_id,
            bids=sorted(self._bids.items(), reverse=True),
            asks=sorted(self._asks.items()),
        )
        self._drained_id = self._last_id
        self._bids = {}
        self._asks = {}
        return diff


class DepthView:
    """One market's visible levels."""

    def __init__(self) -> None:
        self.update_id = 0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._bid_keys: list[int] = []
        """Sorted so that the best stands last: prices of bids, negated prices of asks."""
        self._ask_keys: list[int] = []
        self._diffs: list[DepthDiff] = []

    def apply(self, event: LevelChanged) -> None:
        if event.update_id != self.update_id + 1:
            raise InvariantError("a book's updates come without a gap")
        self.update_id = event.update_id
        ticks = event.price_ticks
        lots = event.visible_lots
        if event.is_bid:
            levels, keys, key = self._bids, self._bid_keys, ticks
        else:
            levels, keys, key = self._asks, self._ask_keys, -ticks
        if lots:
            if ticks not in levels:
                insort(keys, key)
            levels[ticks] = lots
        elif ticks in levels:
            del levels[ticks]
            del keys[bisect_left(keys, key)]
        for diff in self._diffs:
            diff.add(event)

    def depth(self, limit: int) -> Depth:
        """Return the best `limit` levels of each side."""
        bids, asks = self._bids, self._asks
        return Depth(
            update_id=self.update_id,
            bids=[(key, bids[key]) for key in reversed(self._bid_keys[-limit:])],
            asks=[(-key, asks[-key]) for key in reversed(self._ask_keys[-limit:])],
        )

    def best(self) -> Best:
        bid = self._bid_keys[-1] if self._bid_keys else 0
        ask = -self._ask_keys[-1] if self._ask_keys else 0
        return Best(
            update_id=self.update_id,
            bid_ticks=bid,
            bid_lots=self._bids.get(bid, 0),
            ask_ticks=ask,
            ask_lots=self._asks.get(ask, 0),
        )

    def open_diff(self) -> DepthDiff:
        """Return a new accumulator, empty as of now; give it back with `close_diff`."""
        diff = DepthDiff(self.update_id)
        self._diffs.append(diff)
        return diff

    def close_diff(self, diff: DepthDiff) -> None:
        self._diffs.remove(diff)

    def dump(self) -> Depth:
        return self.depth(max(len(self._bid_keys), len(self._ask_keys), 1))

    def load(self, dumped: Depth) -> None:
        """Take over a dumped book; accumulators opened before would miss what it skips."""
        invariant(not self._diffs, "a book is loaded before anyone follows it")
        self.update_id = dumped.update_id
        self._bids = dict(dumped.bids)
        self._asks = dict(dumped.asks)
        self._bid_keys = sorted(self._bids)
        self._ask_keys = sorted(-ticks for ticks in self._asks)
