"""A captured market, played round and round.  The rule: missed time is not rushed through.

`Feed` says what has become due since it was last asked.  At the end of the capture it begins again
from the snapshot; a process that was held up goes on from where it was.
"""

from typing import Final

from seawall.lab.capture import Capture, Diff, Trade
from seawall.lab.expected import ExpectedBook

LATE_MS: Final = 2_000


class Feed:
    """One reader of the capture, which begins `offset_ms` into it."""

    def __init__(self, capture: Capture, offset_ms: int, now_ms: int) -> None:
        self._capture = capture
        self.book = ExpectedBook(capture.snapshot)
        self._next = 0
        self._origin_ms = now_ms - offset_ms - capture.start_ms
        """What to add to the capture's time to have the present's."""
        while self._due(now_ms):
            self._step()

    def advance(self, now_ms: int) -> list[Trade]:
        """Apply the diffs that have become due, and return the trades."""
        if self._next == len(self._capture.events):
            self._begin_again(now_ms)
        behind_ms = now_ms - self._origin_ms - self._capture.events[self._next].at_ms
        if behind_ms > LATE_MS:
            self._origin_ms += behind_ms
        trades: list[Trade] = []
        while self._due(now_ms):
            trade = self._step()
            if trade is not None:
                trades.append(trade)
        return trades

    def _due(self, now_ms: int) -> bool:
        events = self._capture.events
        return self._next < len(events) and events[self._next].at_ms <= now_ms - self._origin_ms

    def _step(self) -> Trade | None:
        event = self._capture.events[self._next]
        self._next += 1
        if isinstance(event, Diff):
            self.book.apply(event)
            return None
        return event

    def _begin_again(self, now_ms: int) -> None:
        self._next = 0
        self.book = ExpectedBook(self._capture.snapshot)
        self._origin_ms = now_ms - self._capture.start_ms
