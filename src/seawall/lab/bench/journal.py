"""`seawall bench journal`.  The rule: the same bytes, the same disk, turn by turn.

The yardstick is a plain file to which the same payloads are written and then synced with
fdatasync: what the disk itself can do.  There are two: a file that grows, whose every sync also
writes the file's new size, and one that was written before and is overwritten, which is the fastest
that a disk can be.  The journal adds its chain of hashes, its sequences and its indexes.  All take
turns in short slices, since disks have moods.
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
LAID_OUT_BYTES: Final = 32 << 20
WANTED: Final = 0.6


async def run_journal(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure durable commands per second for several batch sizes."""
    folder = Path(await asyncio.to_thread(_folder, options))
    payloads = make_payloads(options.seed, max(BATCHES))
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
        targets=tuple(
            Target(
                name=f"durable commands against {what}, {JUDGED_BATCH} at a time",
                wanted=f"{WANTED:g} or more",
                measured=judged[column],
                met=judged[column] >= WANTED,
            )
            for what, column in (
                ("fdatasync of a growing file", "of_growing"),
                ("fdatasync of a file laid out before", "of_laid_out"),
            )
        ),
    )


def _folder(options: BenchOptions) -> str:
    build = options.root / "build"
    build.mkdir(parents=True, exist_ok=True)
    # Not the system's temporary directory: that may be in memory, where nothing is synced.
    return tempfile.mkdtemp(prefix="journal-", dir=build)


def make_payloads(seed: int, count: int) -> list[bytes]:
    """Return real records: the bench's own order flow, encoded as the node does."""
    return [
        encode_record(SpotRecord(at_ns=START_NS + number, command=command_of(step)))
        for number, step in enumerate(make_flow(seed, count).steps)
    ]


async def _measure(folder: Path, payloads: list[bytes], seconds: float) -> dict[str, Any]:
    journal = await SqliteJournal.open(folder / f"batch-{len(payloads)}.sqlite", "spot")
    data = b"".join(payloads)
    growing = _PlainFile(folder / "growing", data, laid_out_bytes=0)
    laid_out = _PlainFile(folder / "laid-out", data, laid_out_bytes=LAID_OUT_BYTES)
    ours: list[float] = []
    began = time.perf_counter()
    try:
        await asyncio.to_thread(laid_out.lay_out)
        while time.perf_counter() - began < seconds or not ours:
            ours += await _journal_slice(journal, payloads)
            await asyncio.to_thread(growing.write_slice)
            await asyncio.to_thread(laid_out.write_slice)
    finally:
        growing.close()
        laid_out.close()
        await journal.close()
    rate = len(payloads) * len(ours) / sum(ours)
    return {
        "batch": len(payloads),
        "bytes": len(data),
        "journal_per_s": round(rate),
        "growing_per_s": round(growing.rate(len(payloads))),
        "laid_out_per_s": round(laid_out.rate(len(payloads))),
        "of_growing": round(rate / growing.rate(len(payloads)), 3),
        "of_laid_out": round(rate / laid_out.rate(len(payloads)), 3),
        "journal_p50_ms": percentile_ms(ours, 50),
        "journal_p99_ms": percentile_ms(ours, 99),
    }


class _PlainFile:
    """A file that is written and synced, either growing or overwritten round and round."""

    def __init__(self, path: Path, data: bytes, laid_out_bytes: int) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._data = data
        self._laid_out_bytes = laid_out_bytes
        self._at = 0
        self._times: list[float] = []

    def lay_out(self) -> None:
        """Write the whole file once, so that later syncs change nothing but its contents."""
        os.pwrite(self._handle, bytes(self._laid_out_bytes), 0)
        os.fsync(self._handle)

    def write_slice(self) -> None:
        end = time.perf_counter() + SLICE_S
        while (began := time.perf_counter()) < end:
            if self._laid_out_bytes and self._at + len(self._data) > self._laid_out_bytes:
                self._at = 0
            os.pwrite(self._handle, self._data, self._at)
            os.fdatasync(self._handle)
            self._at += len(self._data)
            self._times.append(time.perf_counter() - began)

    def rate(self, commands: int) -> float:
        return commands * len(self._times) / sum(self._times)

    def close(self) -> None:
        os.close(self._handle)


async def _journal_slice(journal: SqliteJournal, payloads: list[bytes]) -> list[float]:
    times: list[float] = []
    head = await journal.head()
    end = time.perf_counter() + SLICE_S
    while (began := time.perf_counter()) < end:
        head = await journal.append(head.sequence + 1, 1, payloads)
        times.append(time.perf_counter() - began)
    return times


def percentile_ms(times: list[float], percent: int) -> float:
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1_000, 3)


JOURNAL: Final = Bench(
    name="journal",
    summary="durable commands per second, against the disk's own fdatasync of the same bytes",
    run=run_journal,
)
