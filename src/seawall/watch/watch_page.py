"""A watcher's own metrics and `/api/watch`, on loopback.  The rule: only what it tells anyway."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.model.watch_facts import Health
from seawall.watch.page import HEADERS, hosts
from seawall.watch.reporter import Delivery, Reporter
from seawall.watch.watcher import Row

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class WatchTold(Struct, frozen=True, kw_only=True):
    """What `/api/watch` answers."""

    watcher: str
    rows: tuple[Row, ...]
    accepted: int
    refused: int
    lost: int
    dropped: int
    last: Delivery | None


def told(name: str, rows: list[Row], reporter: Reporter) -> WatchTold:
    """Return everything as it is now."""
    return WatchTold(
        watcher=name, rows=tuple(rows), accepted=reporter.accepted, refused=reporter.refused,
        lost=reporter.lost, dropped=reporter.dropped, last=reporter.last,
    )  # fmt: skip


class _Collector:
    def __init__(self, ask: Callable[[], WatchTold]) -> None:
        self._ask = ask

    def collect(self) -> Iterator[Metric]:
        now = self._ask()
        health = GaugeMetricFamily(
            "seawall_watch_health", "1 for how a dependency looks now.",
            labels=["dependency", "health"],
        )  # fmt: skip
        phi = GaugeMetricFamily(
            "seawall_watch_phi", "Suspicion of the accrual detector.", labels=["dependency"]
        )
        latency = GaugeMetricFamily(
            "seawall_watch_latency_seconds", "Quantiles of the newest answers' times.",
            labels=["dependency", "quantile"],
        )  # fmt: skip
        for row in now.rows:
            name = row.signal.dependency
            for each in Health:
                health.add_metric([name, each], float(row.signal.health is each))
            phi.add_metric([name], row.signal.suspicion_milli / 1000)
            latency.add_metric([name, "0.5"], row.p50_ms / 1000)
            latency.add_metric([name, "0.99"], row.p99_ms / 1000)
        reports = CounterMetricFamily(
            "seawall_watch_reports", "Reports by what became of them.", labels=["outcome"]
        )
        for outcome in ("accepted", "refused", "lost", "dropped"):
            reports.add_metric([outcome], getattr(now, outcome))
        yield from (health, phi, latency, reports)


def create_app(ask: Callable[[], WatchTold]) -> Starlette:
    """Return the application."""
    registry = CollectorRegistry()
    registry.register(_Collector(ask))

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=TEXT, headers=HEADERS)

    async def api(_request: Request) -> Response:
        body = msgspec.json.encode(ask())
        return Response(body, media_type="application/json", headers=HEADERS)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/api/watch", api)], middleware=[hosts()]
    )
