"""Incident control in numbers.  The rule: as this node has it, against this node's own clock.

A node that is cut off tells them too: there the lease has run out, and all watchers are silent.
Whoever asks several nodes takes the newest word, the largest of what is left and the least of ages.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from seawall.core.control.state import ControlState
from seawall.core.control.ways import POSTURES
from seawall.core.funding_state import FundingState
from seawall.model.control_rows import ControlBook
from seawall.model.ids import CONTROL, FUNDING
from seawall.model.posture import IncidentPhase, PlanStatus, Severity, service_kind
from seawall.model.watch_facts import Health

_NEVER_S: Final = float("inf")
_UNDER_WAY: Final = (PlanStatus.WAITING, PlanStatus.CHECKING, PlanStatus.APPROVAL)


def control_families(control: ControlState, funding: FundingState, now_ns: int) -> Iterator[Metric]:
    """Yield all families; what there is none of has no sample, or counts 0."""
    book = control.book
    yield from _lease(book, funding, now_ns)
    yield _services(book)
    yield from _incidents(book, now_ns)
    yield from _plans(book)
    yield from _witnesses(book, now_ns)
    yield from _cover(book)
    yield _gauge(
        "statement_age_seconds",
        "Time since the books were measured that the last signed statement tells.",
        [] if book.statement is None else [_seconds(now_ns - book.statement.measured_ns)],
    )


def _lease(book: ControlBook, funding: FundingState, now_ns: int) -> Iterator[Metric]:
    left = GaugeMetricFamily(
        "seawall_lease_seconds",
        "How long withdrawals may go on without further word; below 0 they have stopped.",
        labels=["cell"],
    )
    if book.lease.number:
        left.add_metric([CONTROL], _seconds(book.lease.until_ns - now_ns))
    if funding.book.lease_number:
        left.add_metric([FUNDING], _seconds(funding.book.lease_until_ns - now_ns))
    yield left
    yield _gauge(
        "lease_refused",
        "1 while control does not extend the lease of withdrawals.",
        [bool(book.lease.refused)],
    )


def _services(book: ControlBook) -> Metric:
    family = GaugeMetricFamily(
        "seawall_services", "Services by what control has ordered.", labels=["kind", "posture"]
    )
    rows = [(service_kind(row.service), row.posture) for row in book.services.values()]
    for kind, postures in POSTURES.items():
        for posture in postures:
            family.add_metric([kind, posture], rows.count((kind, posture)))
    return family


def _incidents(book: ControlBook, now_ns: int) -> Iterator[Metric]:
    opened = [row for row in book.incidents.values() if row.phase is not IncidentPhase.RESOLVED]
    family = GaugeMetricFamily(
        "seawall_incidents", "Incidents that are not resolved.", labels=["severity"]
    )
    for severity in Severity:
        family.add_metric([severity], sum(row.severity is severity for row in opened))
    yield family
    due = [row.next_update_ns for row in opened if row.next_update_ns]
    yield _gauge(
        "update_due_seconds",
        "Until the next promised word on an open incident; below 0 it is overdue.",
        [_seconds(min(due) - now_ns)] if due else [],
    )
    yield _gauge(
        "missed_updates",
        "Promised words on open incidents that came late.",
        [sum(row.missed_updates for row in opened)],
    )


def _plans(book: ControlBook) -> Iterator[Metric]:
    running = [plan for plan in book.plans.values() if plan.status in _UNDER_WAY]
    family = GaugeMetricFamily(
        "seawall_plans", "Ways back by what they wait for.", labels=["status"]
    )
    for status in _UNDER_WAY:
        family.add_metric([status], sum(plan.status is status for plan in running))
    yield family
    yield _gauge(
        "held_plans", "Ways back that people hold.", [sum(bool(plan.held) for plan in running)]
    )


def _witnesses(book: ControlBook, now_ns: int) -> Iterator[Metric]:
    silence = GaugeMetricFamily(
        "seawall_watcher_silence_seconds",
        "Since the watcher's last report that was taken; infinite before the first.",
        labels=["watcher"],
    )
    for row in book.watchers.values():
        heard_ns = row.observed_ns
        silence.add_metric([row.watcher], _seconds(now_ns - heard_ns) if heard_ns else _NEVER_S)
    yield silence
    verdicts = GaugeMetricFamily(
        "seawall_dependencies", "Dependencies by their verdict.", labels=["health"]
    )
    found = [verdict.health for verdict in book.verdicts.values()]
    for health in Health:
        verdicts.add_metric([health], found.count(health))
    yield verdicts


def _cover(book: ControlBook) -> Iterator[Metric]:
    labels = ["asset", "network"]
    hot = GaugeMetricFamily(
        "seawall_hot_wallet", "What the hot wallet can pay, in the asset.", labels=labels
    )
    queued = GaugeMetricFamily(
        "seawall_queued_withdrawals", "What waits to be paid, in the asset.", labels=labels
    )
    wanted = GaugeMetricFamily(
        "seawall_top_up_wanted",
        "What people are asked to bring from cold storage, in the asset.",
        labels=labels,
    )
    for key, cover in book.covers.items():
        asset, _, network = key.partition("/")
        unit = 10**cover.decimals
        hot.add_metric([asset, network], cover.hot_atoms / unit)
        queued.add_metric([asset, network], cover.queued_atoms / unit)
        # A way back asks for more than the queue; without one, the queue is what is lacking.
        lacking = max(cover.top_up_atoms, cover.queued_atoms - cover.hot_atoms, 0)
        wanted.add_metric([asset, network], lacking / unit)
    yield from (hot, queued, wanted)


def _gauge(name: str, text: str, values: Iterable[float]) -> Metric:
    family = GaugeMetricFamily(f"seawall_{name}", text, labels=[])
    for value in values:
        family.add_metric([], value)
    return family


def _seconds(span_ns: int) -> float:
    return span_ns / 1_000_000_000
