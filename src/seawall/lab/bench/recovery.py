"""`seawall bench recovery`.  The rule: what is measured is a start, as an operator would see it.

First a capture is replayed into a new exchange and its snapshots are taken away: a start
from nothing but the journal gives entries replayed per second.  Then the journal is made long, with
entries written straight into it, and an exchange that has a snapshot at its end is started: how
long a start takes must not depend on what lies behind the snapshot.
"""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from seawall.journal.sqlite import SqliteJournal
from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress, quiet
from seawall.lab.replay import replay
from seawall.model import limits
from seawall.model.commands import SpotRecord, Tick, encode_record
from seawall.model.ids import SPOT
from seawall.node.clock import ManualClock
from seawall.node.node import Node, NodeSettings

STEP_NS: Final = 1_000_000
RESTART_WANTED_S: Final = 5.0
STARTS: Final = 3


async def run_recovery(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure a replay, and starts from a snapshot with a short and a long journal behind it."""
    build = options.root / "build"
    await asyncio.to_thread(build.mkdir, parents=True, exist_ok=True)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="recovery-", dir=build))
    data = folder / "data"
    try:
        progress("replaying a capture", 0, 4)
        await replay([options.capture], data, 0, quiet)
        short_s = await _starts(data)
        progress("starting from the journal alone", 1, 4)
        replayed = await _replayed(data)
        entries = await _lengthen(data, options.entries, progress)
        progress("taking a snapshot at the end", 3, 4)
        behind = await _replayed(data, keep_snapshot=True)
        long_s = await _starts(data)
        size_bytes = await asyncio.to_thread(_size, data / "journal")
        progress("measured", 4, 4)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    rate = replayed["entries"] / replayed["seconds"]
    return BenchResult(
        bench="recovery",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=(
            _row("replay of a captured market", replayed["entries"], replayed["seconds"]),
            _row("restart from the snapshot at its end", replayed["entries"], short_s),
            _row("replay of the long journal's ticks", behind["entries"], behind["seconds"]),
            _row(f"restart, {size_bytes / 1e9:.2f} GB behind its snapshot", entries, long_s),
        ),
        targets=(
            Target(
                name=f"restart with {entries:,} entries behind the snapshot, in seconds",
                wanted=f"{RESTART_WANTED_S:g} or less",
                measured=round(long_s, 3),
                met=long_s <= RESTART_WANTED_S,
            ),
        ),
        notes=(
            f"{rate:,.0f} entries of a real order flow are replayed per second.",
            (
                "Restarts are the median of three: opening journals, loading and checking the"
                " snapshot, taking the lead; without the interpreter's own start."
            ),
        ),
    )


async def _replayed(data: Path, *, keep_snapshot: bool = False) -> dict[str, Any]:
    """Start without a snapshot that covers the end; return entries and seconds."""
    if not keep_snapshot:
        await asyncio.to_thread(shutil.rmtree, data / "snapshots")
        await asyncio.to_thread(shutil.rmtree, data / "views")
    before = await asyncio.to_thread(_snapshot_sequence, data)
    began = time.perf_counter()
    node = await _open(data)
    took_s = time.perf_counter() - began
    entries = node.spot.sequence - before
    await node.close()
    return {"entries": entries, "seconds": took_s}


async def _starts(data: Path) -> float:
    """Return the median time of a start from the snapshot that the last stop left."""
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        node = await _open(data)
        times.append(time.perf_counter() - began)
        await node.close()
    return sorted(times)[STARTS // 2]


async def _open(data: Path) -> Node:
    # The clock stands: the journal's own times go on by a nanosecond with each entry.
    return await Node.open(
        NodeSettings(data=data, name="bench", ticks=False, snapshot_entries=1 << 62),
        ManualClock(0),
    )


async def _lengthen(data: Path, entries: int, progress: Progress) -> int:
    """Write ticks straight into the journal until it has so many entries; return how many."""
    node = await _open(data)
    at_ns, epoch = node.spot.at_ns, node.spot.epoch
    await node.close()
    journal = await SqliteJournal.open(data / "journal" / f"{SPOT}.sqlite", SPOT)
    try:
        head = await journal.head()
        while head.sequence < entries:
            progress("writing entries", head.sequence, entries)
            count = min(limits.BATCH_COMMANDS, entries - head.sequence)
            payloads = []
            for _ in range(count):
                at_ns += STEP_NS
                payloads.append(encode_record(SpotRecord(at_ns=at_ns, command=Tick())))
            head = await journal.append(head.sequence + 1, epoch, payloads)
    finally:
        await journal.close()
    return head.sequence


def _snapshot_sequence(data: Path) -> int:
    """Return where the newest snapshot of the spot cell stands, 0 if there is none."""
    names = [path.stem for path in data.glob("snapshots/spot-*.snap")]
    return max((int(name.removeprefix("spot-")) for name in names), default=0)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _row(what: str, entries: int, seconds: float) -> dict[str, Any]:
    return {
        "what": what,
        "entries": entries,
        "seconds": round(seconds, 3),
        "entries_per_s": round(entries / seconds) if what.startswith("replay") else None,
    }


RECOVERY: Final = Bench(
    name="recovery",
    summary="entries replayed per second, and a restart with a long journal behind its snapshot",
    run=run_recovery,
)
