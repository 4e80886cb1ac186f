"""What a node of several counts.  The rule: whoever counts only adds; reading waits for no one."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

STATUSES: Final = (
    "leading", "following", "no_leader", "no_quorum", "disputed", "full", "stopped",
)  # fmt: skip
REFUSALS: Final = ("not_leading", "overloaded", "invalid", "unavailable")
GIVEN_UP: Final = ("refused", "unknown")
NEVER_S: Final = float("inf")
"""How stale a replica is of which it was never known that nothing is missing."""


class Part:
    """What one cell's replica and forwarder counted since the start."""

    def __init__(self) -> None:
        self.terms = 0
        """Leads that this node took."""
        self.campaigns_lost = 0
        """Leads that it tried to take, and another was first."""
        self.handovers = 0
        """Leads that it gave to another on purpose."""
        self.forwarded = 0
        """Commands sent to another node that leads; one that is sent again counts again."""
        self.taken = 0
        """Commands of other nodes that this one took as the leader."""
        # All kinds from the start: whoever watches a counter sees only what it grows by.
        self.refused = dict.fromkeys(REFUSALS, 0)
        """Commands of other nodes that it did not take, by kind of refusal."""
        self.given_up = dict.fromkeys(GIVEN_UP, 0)
        """Commands taken here whose submitter was told no, by kind: refused or unknown."""
        self.lane_cancels = 0
        """Cancels that this node made durable while nobody led."""

    def refuse(self, kind: str) -> None:
        self.refused[kind] = self.refused.get(kind, 0) + 1

    def give_up(self, kind: str) -> None:
        self.given_up[kind] = self.given_up.get(kind, 0) + 1


class ReplicaNumbers(Struct, frozen=True, kw_only=True):
    """How one replica is now."""

    status: str
    leads: bool
    epoch: int
    silence_s: float
    """How long nobody wrote though the journal answers."""
    stale_s: float | None
    quorum: bool
    lag_entries: int
    """Entries that the journal named as durable and that are not applied here."""
    pending: int
    """Commands taken here that were not answered."""


_GAUGES: Final = (
    ("leads", "1 while this node leads the cell."),
    ("epoch", "Epoch of the last leader that is known here."),
    ("silence_seconds", "Time since the last entry, while the journal answers; else 0."),
    ("stale_seconds", "Since when it is not known whether something durable is missing here."),
    ("journal_quorum", "1 while the journal answers, which takes a majority of it."),
    ("lag_entries", "Durable entries that are not applied here."),
    ("pending_commands", "Commands taken here that were not answered."),
)
_COUNTERS: Final = (
    ("terms", "Leads that this node took."),
    ("campaigns_lost", "Leads that this node tried to take when another was first."),
    ("handovers", "Leads that this node gave to another on purpose."),
    ("forwarded_commands", "Commands sent to the leader; one sent again counts again."),
    ("taken_commands", "Commands of other nodes that this one took as the leader."),
    ("lane_cancels", "Cancels that this node made durable while nobody led."),
)


def cluster_families(
    cells: Mapping[str, tuple[Part, ReplicaNumbers]], links: Mapping[str, bool]
) -> Iterator[Metric]:
    """Yield all families; those of a node that is alone have no samples."""
    yield _statuses(cells)
    gauges = {
        name: GaugeMetricFamily(f"seawall_{name}", text, labels=["cell"]) for name, text in _GAUGES
    }
    counters = {
        name: CounterMetricFamily(f"seawall_{name}", text, labels=["cell"])
        for name, text in _COUNTERS
    }
    for cell, (part, now) in cells.items():
        for name, value in _values(now):
            gauges[name].add_metric([cell], value)
        for name, count in _counts(part):
            counters[name].add_metric([cell], count)
    yield from gauges.values()
    yield from counters.values()
    yield from _kinds(cells)
    linked = GaugeMetricFamily(
        "seawall_linked", "1 while the other node can be sent to.", labels=["peer"]
    )
    for peer, is_linked in links.items():
        linked.add_metric([peer], is_linked)
    yield linked


def _statuses(cells: Mapping[str, tuple[Part, ReplicaNumbers]]) -> Metric:
    family = GaugeMetricFamily(
        "seawall_replica_status", "1 for what the cell's replica is now.", labels=["cell", "status"]
    )
    for cell, (_, now) in cells.items():
        for status in STATUSES:
            family.add_metric([cell, status], now.status == status)
    return family


def _kinds(cells: Mapping[str, tuple[Part, ReplicaNumbers]]) -> Iterator[Metric]:
    refused = CounterMetricFamily(
        "seawall_refused_forwards",
        "Commands of other nodes that this one did not take, by kind.",
        labels=["cell", "kind"],
    )
    given_up = CounterMetricFamily(
        "seawall_given_up_commands",
        "Commands given up after waiting for a leader: refused (not executed) or unknown.",
        labels=["cell", "kind"],
    )
    for cell, (part, _) in cells.items():
        for kind, count in part.refused.items():
            refused.add_metric([cell, kind], count)
        for kind, count in part.given_up.items():
            given_up.add_metric([cell, kind], count)
    yield refused
    yield given_up


def _values(now: ReplicaNumbers) -> Iterator[tuple[str, float]]:
    yield "leads", now.leads
    yield "epoch", now.epoch
    yield "silence_seconds", now.silence_s
    yield "stale_seconds", NEVER_S if now.stale_s is None else now.stale_s
    yield "journal_quorum", now.quorum
    yield "lag_entries", now.lag_entries
    yield "pending_commands", now.pending


def _counts(part: Part) -> Iterator[tuple[str, int]]:
    yield "terms", part.terms
    yield "campaigns_lost", part.campaigns_lost
    yield "handovers", part.handovers
    yield "forwarded_commands", part.forwarded
    yield "taken_commands", part.taken
    yield "lane_cancels", part.lane_cancels
