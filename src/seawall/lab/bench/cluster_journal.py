"""`seawall bench cluster-journal`.  The rule: the same bytes, the same etcd, turn by turn.

The yardstick is etcd's own rate of bare appends: one `Put` of the same payloads under a new key,
one in flight, over a channel like the journal's.  The journal adds its comparison, its head, its
chain of hashes and its frame.  Three members on this machine's disk, with the timing that
docs/operating/etcd.md names.
"""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from aetcd import rpc

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.journal import JUDGED_BATCH, make_payloads, percentile_ms
from seawall.lab.etcd import EtcdCluster
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress

BATCHES: Final = (1, 10, 100, 500, 1_000)
MEMBERS: Final = 3
SLICE_S: Final = 0.25
WANTED: Final = 0.7
_KEPT: Final = 200
"""Bare keys that are written round and round, so that etcd stays small."""


async def run_cluster_journal(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure durable commands per second for several batch sizes."""
    folder = Path(await asyncio.to_thread(_folder, options))
    payloads = make_payloads(options.seed, max(BATCHES))
    cluster = EtcdCluster.local(folder, size=MEMBERS)
    rows = []
    try:
        await cluster.start()
        client = EtcdClient(cluster.settings())
        for number, batch in enumerate(BATCHES):
            progress(f"appending {batch} at a time", number, len(BATCHES))
            rows.append(await _measure(client, payloads[:batch], options.seconds))
        await client.close()
    finally:
        await cluster.kill()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("measured", len(BATCHES), len(BATCHES))
    judged = next(row for row in rows if row["batch"] == JUDGED_BATCH)
    return BenchResult(
        bench="cluster-journal",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=(
            Target(
                name=f"durable commands against bare appends to etcd, {JUDGED_BATCH} at a time",
                wanted=f"{WANTED:g} or more",
                measured=judged["of_bare"],
                met=judged["of_bare"] >= WANTED,
            ),
        ),
        notes=(f"{MEMBERS} members on one machine: they share its cores and its disk",),
    )


def _folder(options: BenchOptions) -> str:
    build = options.root / "build"
    build.mkdir(parents=True, exist_ok=True)
    # Not the system's temporary directory: that may be in memory, where nothing is synced.
    return tempfile.mkdtemp(prefix="cluster-journal-", dir=build)


async def _measure(client: EtcdClient, payloads: list[bytes], seconds: float) -> dict[str, Any]:
    journal = await EtcdJournal.open(client, "spot", namespace=f"batch-{len(payloads)}")
    data = b"".join(payloads)
    ours: list[float] = []
    bare: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or not ours:
        ours += await _journal_slice(journal, payloads)
        bare += await _bare_slice(client, data)
    await journal.close()
    rate, bare_rate = (len(payloads) * len(times) / sum(times) for times in (ours, bare))
    return {
        "batch": len(payloads),
        "bytes": len(data),
        "journal_per_s": round(rate),
        "bare_per_s": round(bare_rate),
        "of_bare": round(rate / bare_rate, 3),
        "journal_p50_ms": percentile_ms(ours, 50),
        "journal_p99_ms": percentile_ms(ours, 99),
        "bare_p50_ms": percentile_ms(bare, 50),
        "bare_p99_ms": percentile_ms(bare, 99),
    }


async def _journal_slice(journal: EtcdJournal, payloads: list[bytes]) -> list[float]:
    times: list[float] = []
    head = await journal.head()
    end = time.perf_counter() + SLICE_S
    while (began := time.perf_counter()) < end:
        head = await journal.append(head.sequence + 1, 1, payloads)
        times.append(time.perf_counter() - began)
    return times


async def _bare_slice(client: EtcdClient, data: bytes) -> list[float]:
    put = client.preferred.method("Put")
    times: list[float] = []
    end = time.perf_counter() + SLICE_S
    while (began := time.perf_counter()) < end:
        await put(rpc.PutRequest(key=b"bare/%d" % (len(times) % _KEPT), value=data))
        times.append(time.perf_counter() - began)
    return times


CLUSTER_JOURNAL: Final = Bench(
    name="cluster-journal",
    summary="durable commands per second on three etcd members, against bare appends to them",
    run=run_cluster_journal,
)
