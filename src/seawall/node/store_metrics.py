"""The journal's store and its archive in numbers.  The rule: as the sealer last saw them.

One node at a time seals; the others tell what they saw when they last did, or nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from seawall.journal.sealing import MemberState, StoreState


class Sealing(Protocol):
    """What a sealer tells."""

    @property
    def state(self) -> StoreState | None: ...

    @property
    def segments(self) -> int: ...

    @property
    def faults(self) -> int: ...


def store_families(sealer: Sealing | None, quota_bytes: int) -> Iterator[Metric]:
    """Yield all families; without a sealer, or before its first look, most have no samples."""
    state = sealer.state if sealer is not None else None
    yield from _members(state.members if state is not None else ())
    yield GaugeMetricFamily(
        "seawall_store_quota_bytes",
        "The quota that the topology says the journal's members have.",
        value=quota_bytes,
    )
    kept = GaugeMetricFamily(
        "seawall_store_kept_entries", "Entries that the journal's store has.", labels=["cell"]
    )
    archived = GaugeMetricFamily(
        "seawall_archived_entries", "The last entry of which enough copies stand.", labels=["cell"]
    )
    for cell in state.cells if state is not None else ():
        kept.add_metric([cell.cell], cell.head - cell.oldest + 1)
        archived.add_metric([cell.cell], cell.archived)
    yield kept
    yield archived
    yield CounterMetricFamily(
        "seawall_archived_segments",
        "Segments that this node wrote to the archive.",
        value=sealer.segments if sealer is not None else 0,
    )
    yield CounterMetricFamily(
        "seawall_sealing_faults",
        "Rounds of sealing that failed on this node.",
        value=sealer.faults if sealer is not None else 0,
    )


def _members(members: Sequence[MemberState]) -> Iterator[Metric]:
    labels = ["member"]
    size = GaugeMetricFamily("seawall_store_bytes", "A member's file.", labels=labels)
    used = GaugeMetricFamily("seawall_store_used_bytes", "What of it is in use.", labels=labels)
    full = GaugeMetricFamily(
        "seawall_store_full", "1 while a member's alarm for space is raised.", labels=labels
    )
    for member in members:
        size.add_metric([member.endpoint], member.file_bytes)
        used.add_metric([member.endpoint], member.used_bytes)
        full.add_metric([member.endpoint], member.is_full)
    yield size
    yield used
    yield full
