"""How well this gateway has answered lately.  The rule: counted from the metrics, nothing twice.

Looks are kept for a few minutes; what was answered since the oldest of them is the budget's base.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from seawall.gateway.metrics import BUCKETS_NS, Metrics
from seawall.node.gates import Budget

SPAN_NS: Final = 120_000_000_000
ORDERS: Final = ("order.place", "order.cancel", "order.test", "order.cancelReplace")
_FAILED: Final = 500
_P99: Final = 99


class _Look(Struct, frozen=True):
    at_ns: int
    answers: int
    failed: int
    orders: tuple[int, ...]
    all: tuple[int, ...]


class Budgets:
    """The last two minutes."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._looks: deque[_Look] = deque()

    def look(self, now_ns: int) -> Budget:
        """Return what was answered since the oldest look of the span, and take one."""
        now = self._count(now_ns)
        while len(self._looks) > 1 and self._looks[1].at_ns <= now_ns - SPAN_NS:
            self._looks.popleft()
        if self._looks and self._looks[0].at_ns < now_ns - 2 * SPAN_NS:
            # Nobody looked for long: that is another time.
            self._looks.clear()
        if not self._looks:
            self._looks.append(now)
        then = self._looks[0]
        self._looks.append(now)
        orders = _minus(now.orders, then.orders)
        return Budget(
            answers=now.answers - then.answers,
            failed=now.failed - then.failed,
            p99_us=_p99_us(orders if sum(orders) else _minus(now.all, then.all)),
            span_s=(now_ns - then.at_ns) // 1_000_000_000,
        )

    def _count(self, now_ns: int) -> _Look:
        answers = failed = 0
        orders = [0] * (len(BUCKETS_NS) + 1)
        all_of = [0] * (len(BUCKETS_NS) + 1)
        for (route, status), timing in self._metrics.requests.items():
            answers += timing.count
            failed += timing.count if status >= _FAILED else 0
            for number, count in enumerate(timing.buckets):
                all_of[number] += count
                orders[number] += count if route in ORDERS else 0
        return _Look(now_ns, answers, failed, tuple(orders), tuple(all_of))


def _minus(now: tuple[int, ...], then: tuple[int, ...]) -> list[int]:
    return [late - early for late, early in zip(now, then, strict=True)]


def _p99_us(buckets: list[int]) -> int:
    """Return the upper end of the bucket that the 99th of a hundred answers is in."""
    total, seen = sum(buckets), 0
    for number, count in enumerate(buckets):
        seen += count
        if total and seen * 100 >= total * _P99:
            longest = 10 * BUCKETS_NS[-1]
            return (BUCKETS_NS[number] if number < len(BUCKETS_NS) else longest) // 1_000
    return 0
