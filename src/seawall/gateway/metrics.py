"""What the gateway counts.  The rule: counting costs the hot path a dict lookup and no lock.

The numbers are plain ints until Prometheus asks; the collector turns them into families then.
"""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BUCKETS_NS = [
    250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
    100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 10_000_000_000,
]  # fmt: skip


class Timing:
    """Answers of one route with one status."""

    __slots__ = ("buckets", "count", "sum_ns")

    def __init__(self) -> None:
        self.count = 0
        self.sum_ns = 0
        self.buckets = [0] * (len(BUCKETS_NS) + 1)

    def add(self, took_ns: int) -> None:
        self.count += 1
        self.sum_ns += took_ns
        self.buckets[bisect_left(BUCKETS_NS, took_ns)] += 1


class Metrics(Collector):
    """Requests by route and status, orders, refusals by the throttle, open connections."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], Timing] = {}
        self.orders = 0
        self.throttled = 0
        self.connections = 0
        self.slow_clients = 0
        self.sockets = 0
        self.sockets_refused = 0
        self.slow_subscribers = 0
        self.stream_messages = 0

    def answered(self, route: str, status: int, took_ns: int) -> None:
        timing = self.requests.get((route, status))
        if timing is None:
            timing = self.requests[route, status] = Timing()
        timing.add(took_ns)

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "seawall_requests", "Requests by route and status.", labels=["route", "status"]
        )
        seconds = HistogramMetricFamily(
            "seawall_request_seconds", "Time from request to answer.", labels=["route"]
        )
        by_route: dict[str, Timing] = {}
        for (route, status), timing in self.requests.items():
            requests.add_metric([route, str(status)], timing.count)
            _merge(by_route.setdefault(route, Timing()), timing)
        for route, timing in by_route.items():
            seconds.add_metric([route], _cumulative(timing), timing.sum_ns / 1e9)
        yield requests
        yield seconds
        yield CounterMetricFamily("seawall_orders", "Orders sent in.", value=self.orders)
        yield CounterMetricFamily(
            "seawall_throttled", "Requests refused with 429 or 418.", value=self.throttled
        )
        yield CounterMetricFamily(
            "seawall_slow_clients",
            "Connections closed because a request did not arrive in time.",
            value=self.slow_clients,
        )
        yield GaugeMetricFamily("seawall_sockets", "Open WebSockets.", value=self.sockets)
        yield CounterMetricFamily(
            "seawall_sockets_refused",
            "WebSockets refused because there were too many.",
            value=self.sockets_refused,
        )
        yield CounterMetricFamily(
            "seawall_slow_subscribers",
            "WebSockets cut off because their client did not read.",
            value=self.slow_subscribers,
        )
        yield CounterMetricFamily(
            "seawall_stream_messages",
            "Messages of streams encoded; each may have had many receivers.",
            value=self.stream_messages,
        )
        yield GaugeMetricFamily(
            "seawall_http_connections", "Open connections.", value=self.connections
        )


def _merge(into: Timing, timing: Timing) -> None:
    into.count += timing.count
    into.sum_ns += timing.sum_ns
    into.buckets = [a + b for a, b in zip(into.buckets, timing.buckets, strict=True)]


def _cumulative(timing: Timing) -> list[tuple[str, float]]:
    bounds = [str(bound / 1e9) for bound in BUCKETS_NS] + ["+Inf"]
    total = 0
    cumulative: list[tuple[str, float]] = []
    for bound, count in zip(bounds, timing.buckets, strict=True):
        total += count
        cumulative.append((bound, total))
    return cumulative
