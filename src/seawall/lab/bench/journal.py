"""`seawall bench journal`.  The rule: the same bytes, the same disk, turn by turn.

The yardstick is a plain file to which the same payloads are written and then synced with
fdatasync: what the disk itself can do.  The journal adds its chain of hashes, its sequences and the
search for torn writes.  Both take turns in short slices, since disks have moods.
"""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from seawall.journal.sqlite import SqliteJournal
from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.flow import make_flow
from seawall.lab.bench.own import command_of
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress
from seawall.model.commands import SpotRecord, encode_record

BATCHES: Final = (1, 10, 100, 500, 1_000)
JUDGED_BATCH: Final = 500
"""With group commit, a busy exchange's batch; the target is about these."""
SLICE_S: Final = 0.25
START_NS: Final = 1_723_161_254_000_000_000
WANTED: Final = 0.6


async def run_journal(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure durable commands per second for several batch sizes."""
    folder = Path(await asyncio.to_thread(_folder, options))
    payloads = _payloads(options.seed, max(BATCHES))
    rows = []
    try:
        for number, batch in enumerate(BATCHES):
            progress(f"appending {batch} at a time", number, len(BATCHES))
            rows.append(await _measure(folder, payloads[:batch], options.seconds))
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("measured", len(BATCHES), len(BATCHES))
    judged = next(row for row in rows if row["batch"] == JUDGED_BATCH)
    return BenchResult(
        bench="journal",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=(
            Target(
                name=f"durable commands against the disk's own fdatasync, {JUDGED_BATCH} at a time",
                wanted=f"{WANTED:g} or more",
                measured=judged["ratio"],
                met=judged["ratio"] >= WANTED,
            ),
        ),
    )


def _folder(options: BenchOptions) -> str:
    build = options.root / "build"
    build.mkdir(parents=True, exist_ok=True)
    # Not the system's temporary directory: that may be in memory, where nothing is synced.
    return tempfile.mkdtemp(prefix="journal-", dir=build)


def _payloads(seed: int, count: int) -> list[bytes]:
    """Return real records: the bench's own order flow, encoded as the node does."""
    return [
        encode_record(SpotRecord(at_ns=START_NS + number, command=command_of(step)))
        for number, step in enumerate(make_flow(seed, count).steps)
    ]


async def _measure(folder: Path, payloads: list[bytes], seconds: float) -> dict[str, Any]:
    journal = await SqliteJournal.open(folder / f"batch-{len(payloads)}.sqlite", "spot")
    handle = await asyncio.to_thread(_open_plain, folder / f"batch-{len(payloads)}.plain")
    data = b"".join(payloads)
    ours: list[float] = []
    plain: list[float] = []
    began = time.perf_counter()
    try:
        while time.perf_counter() - began < seconds or not plain:
            ours += await _journal_slice(journal, payloads)
            plain += await asyncio.to_thread(_plain_slice, handle, data)
    finally:
        os.close(handle)
        await journal.close()
    own_rate = len(payloads) * len(ours) / sum(ours)
    plain_rate = len(payloads) * len(plain) / sum(plain)
    return {
        "batch": len(payloads),
        "bytes": len(data),
        "journal_commands_per_s": round(own_rate),
        "fdatasync_commands_per_s": round(plain_rate),
        "ratio": round(own_rate / plain_rate, 3),
        "journal_p50_ms": _percentile_ms(ours, 50),
        "journal_p99_ms": _percentile_ms(ours, 99),
        "fdatasync_p50_ms": _percentile_ms(plain, 50),
        "fdatasync_p99_ms": _percentile_ms(plain, 99),
    }


async def _journal_slice(journal: SqliteJournal, payloads: list[bytes]) -> list[float]:
    times: list[float] = []
    head = await journal.head()
    end = time.perf_counter() + SLICE_S
    while (began := time.perf_counter()) < end:
        head = await journal.append(head.sequence + 1, 1, payloads)
        times.append(time.perf_counter() - began)
    return times


def _open_plain(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _plain_slice(handle: int, data: bytes) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + SLICE_S
    while (began := time.perf_counter()) < end:
        os.write(handle, data)
        os.fdatasync(handle)
        times.append(time.perf_counter() - began)
    return times


def _percentile_ms(times: list[float], percent: int) -> float:
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1_000, 3)


JOURNAL: Final = Bench(
    name="journal",
    summary="durable commands per second, against the disk's own fdatasync of the same bytes",
    run=run_journal,
)
