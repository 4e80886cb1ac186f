"""`seawall bench cluster-orders`.  The rule: the same order, to one machine's journal and to three.

An exchange on its own, with SQLite, and a cluster of three nodes with etcd and TLS run side by side
on this machine; one connection to each gateway places an order that rests and cancels it, in turn.
"""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.transfer import LEAST, WARM, Requests
from seawall.lab.drills.kill import CONFIGURATION, FUNDS
from seawall.lab.drills.provider_loss import three_providers
from seawall.lab.exchange_process import ExchangeProcess
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress
from seawall.model.ids import SPOT

ALONE: Final = "alone, SQLite"
LEADER: Final = "cluster, at the leader's gateway"
FOLLOWER: Final = "cluster, at another gateway"
WANTED: Final = 6.0
"""Times the latency alone: a majority's sync and its network, and the way back to a follower."""


async def run_cluster_orders(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure the latency of orders, alone and in a cluster."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-bench-"))
    exchange = ExchangeProcess(folder / "alone", CONFIGURATION)
    cluster = LocalCluster(
        three_providers(), folder / "cluster", configuration=CONFIGURATION, demo=True
    )
    try:
        progress("starting an exchange and a cluster", 0, 0)
        await exchange.spawn()
        await cluster.start()
        await exchange.ready()
        times = await _measure(exchange, cluster, 3 * options.seconds, progress)
        await exchange.stop()
    finally:
        await cluster.stop()
        await exchange.kill()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("measured", 1, 1)
    alone_ms = _row(ALONE, times[ALONE], 1.0)["p50_ms"]
    rows = [_row(what, found, alone_ms) for what, found in times.items()]
    return BenchResult(
        bench="cluster-orders",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=tuple(
            Target(
                name=f"{row['what']}, median, times alone",
                wanted=f"{WANTED:g} or less",
                measured=row["of_alone"],
                met=row["of_alone"] <= WANTED,
            )
            for row in rows[1:]
        ),
        notes=("Nine processes share this machine's cores; providers have cores of their own.",),
    )


async def _measure(
    exchange: ExchangeProcess, cluster: LocalCluster, seconds: float, progress: Progress
) -> dict[str, list[float]]:
    """Return the seconds that a request took, by where it went; the first ones warm up."""
    leader = await cluster.leader(SPOT)
    follower = next(name for name in cluster.gateways if name != leader)
    alone_key = await exchange.fund("bench", FUNDS)
    key = await cluster.fund("bench", FUNDS)
    connections = {
        ALONE: exchange.connection(),
        LEADER: cluster.connection(leader),
        FOLLOWER: cluster.connection(follower),
    }
    users = {
        what: Requests(connection, alone_key if what == ALONE else key, prefix=f"{number}-")
        for number, (what, connection) in enumerate(connections.items())
    }
    times: dict[str, list[float]] = {what: [] for what in users}
    began, rounds = time.perf_counter(), 0
    try:
        while time.perf_counter() - began < seconds or rounds < WARM + LEAST:
            for what, user in users.items():
                sent = time.perf_counter()
                await user.order()
                if rounds >= WARM:
                    times[what].append((time.perf_counter() - sent) / 2)
            rounds += 1
            progress("ordering alone and in a cluster", rounds, 0)
    finally:
        for connection in connections.values():
            connection.close()
    return times


def _row(what: str, times: list[float], alone_ms: float) -> dict[str, Any]:
    ordered = sorted(times)
    p50 = 1_000 * ordered[len(ordered) // 2]
    return {
        "what": what,
        "requests": len(ordered),
        "p50_ms": round(p50, 3),
        "p99_ms": round(1_000 * ordered[len(ordered) * 99 // 100], 3),
        "of_alone": 1.0 if what == ALONE else round(p50 / alone_ms, 2),
    }


CLUSTER_ORDERS: Final = Bench(
    name="cluster-orders",
    summary="orders through a cluster of three providers, against an exchange alone",
    run=run_cluster_orders,
)
