"""Where time enters.  The rule: the node asks once per command; the journal then remembers."""

import time
from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """Return nanoseconds since the Unix epoch; may jump, the sequencer sees to the order."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()


class ManualClock:
    """A clock that a test or a replay moves by hand, backwards if it likes."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def set(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def advance(self, by_ns: int) -> None:
        self._now_ns += by_ns
