"""What the node counts.  The rule: counting costs the hot path no lock and no label lookup.

Plain ints and lists; Prometheus gets them as families when it asks.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from seawall.node.cluster_metrics import Part, ReplicaNumbers, cluster_families

_SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
)  # fmt: skip
_COMMANDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


class Histogram:
    """Observations by bucket."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self) -> tuple[list[tuple[str, float]], float]:
        """Return cumulative buckets, and the sum."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets, self._sum


class CellMetrics:
    """One cell's numbers."""

    def __init__(self, cell: str) -> None:
        self.cell = cell
        self.commands: dict[tuple[str, str], int] = {}
        """By type and outcome: applied, rejected, repeated, refused, unknown."""
        self.batch_commands = Histogram(_COMMANDS)
        self.append_seconds: dict[str, Histogram] = {}
        """By outcome: durable, adopted (others were first, it goes after them), deposed, failed."""
        self.apply_seconds = Histogram(_SECONDS)
        self.snapshot_seconds = Histogram(_SECONDS)
        self.failed_appends = 0
        self.queue_depth: Callable[[], int] = int
        self.entries: Callable[[], int] = int
        self.part = Part()
        self.replica: Callable[[], ReplicaNumbers] | None = None
        """What a node of several knows of its replica; None where it is alone."""

    def count(self, command_type: str, outcome: str) -> None:
        key = (command_type, outcome)
        self.commands[key] = self.commands.get(key, 0) + 1

    def appended(self, outcome: str, took_s: float, commands: int) -> None:
        self.batch_commands.observe(commands)
        if outcome not in self.append_seconds:
            self.append_seconds[outcome] = Histogram(_SECONDS)
        self.append_seconds[outcome].observe(took_s)


class NodeMetrics(Collector):
    """All cells' numbers, and the views'."""

    def __init__(self) -> None:
        self.cells: dict[str, CellMetrics] = {}
        self.view_lag_entries: Callable[[], int] = int
        """Entries applied whose history is not yet durable in the views."""
        self.node = ""
        self.ready: Callable[[], bool] = bool
        self.links: Callable[[], Mapping[str, bool]] = dict
        """The other nodes, and whether each can be sent to."""
        self.more: list[Callable[[], Iterable[Metric]]] = []
        """Families of parts that the node does not know, such as the journal's store."""

    def cell(self, name: str) -> CellMetrics:
        found = self.cells.get(name)
        if found is None:
            found = self.cells[name] = CellMetrics(name)
        return found

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._histograms()
        yield GaugeMetricFamily(
            "seawall_view_lag_entries",
            "Entries applied whose history is not yet durable in the views.",
            value=self.view_lag_entries(),
        )
        ready = GaugeMetricFamily(
            "seawall_ready", "1 while every cell takes commands here.", labels=["node"]
        )
        ready.add_metric([self.node], self.ready())
        yield ready
        yield from cluster_families(
            {
                name: (cell.part, cell.replica())
                for name, cell in self.cells.items()
                if cell.replica is not None
            },
            self.links(),
        )
        for families in self.more:
            yield from families()

    def _counters(self) -> Iterator[Metric]:
        commands = CounterMetricFamily(
            "seawall_commands",
            "Commands by cell, type and outcome.",
            labels=["cell", "type", "outcome"],
        )
        failed = CounterMetricFamily(
            "seawall_failed_appends", "Appends that did not succeed.", labels=["cell"]
        )
        depth = GaugeMetricFamily(
            "seawall_queue_depth", "Commands waiting for the journal.", labels=["cell"]
        )
        entries = GaugeMetricFamily(
            "seawall_entries", "Sequence of the last applied entry.", labels=["cell"]
        )
        for cell in self.cells.values():
            for (command_type, outcome), count in cell.commands.items():
                commands.add_metric([cell.cell, command_type, outcome], count)
            failed.add_metric([cell.cell], cell.failed_appends)
            depth.add_metric([cell.cell], cell.queue_depth())
            entries.add_metric([cell.cell], cell.entries())
        yield from (commands, failed, depth, entries)

    def _histograms(self) -> Iterator[Metric]:
        for name, text, read in (
            ("batch_commands", "Commands per append.", _batch_commands),
            ("apply_seconds", "Time to apply one batch.", _apply_seconds),
            ("snapshot_seconds", "Time to take one snapshot.", _snapshot_seconds),
        ):
            family = HistogramMetricFamily(f"seawall_{name}", text, labels=["cell"])
            for cell in self.cells.values():
                buckets, total = read(cell).family()
                family.add_metric([cell.cell], buckets=buckets, sum_value=total)
            yield family
        appends = HistogramMetricFamily(
            "seawall_append_seconds",
            "Time of an append until its outcome was known.",
            labels=["cell", "outcome"],
        )
        for cell in self.cells.values():
            for outcome, histogram in cell.append_seconds.items():
                buckets, total = histogram.family()
                appends.add_metric([cell.cell, outcome], buckets=buckets, sum_value=total)
        yield appends


def _batch_commands(cell: CellMetrics) -> Histogram:
    return cell.batch_commands


def _apply_seconds(cell: CellMetrics) -> Histogram:
    return cell.apply_seconds


def _snapshot_seconds(cell: CellMetrics) -> Histogram:
    return cell.snapshot_seconds
