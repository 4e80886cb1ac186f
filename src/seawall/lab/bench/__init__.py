"""Benchmarks: ratios measured in one run, on one machine, named in the result."""

from typing import Final

from seawall.lab.bench.api import API
from seawall.lab.bench.base import Bench, BenchOptions, BenchResult
from seawall.lab.bench.cluster_journal import CLUSTER_JOURNAL
from seawall.lab.bench.cluster_orders import CLUSTER_ORDERS
from seawall.lab.bench.engine import ENGINE
from seawall.lab.bench.journal import JOURNAL
from seawall.lab.bench.payouts import PAYOUTS
from seawall.lab.bench.reconcile import RECONCILE
from seawall.lab.bench.recovery import RECOVERY
from seawall.lab.bench.transfer import TRANSFER

BENCHES: Final[dict[str, Bench]] = {
    bench.name: bench
    for bench in (
        ENGINE,
        JOURNAL,
        CLUSTER_JOURNAL,
        API,
        CLUSTER_ORDERS,
        RECOVERY,
        PAYOUTS,
        RECONCILE,
        TRANSFER,
    )
}

__all__ = ["BENCHES", "Bench", "BenchOptions", "BenchResult"]
