"""What every benchmark takes and gives.  The rule: a figure is told beside what it is compared to.

Machines differ and are noisy, so each benchmark measures its yardstick in the same run, and its
targets are ratios.  `Bench.perform` writes the result as JSON; `docs/BENCHMARKS.md` shows them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from seawall.lab.progress import Progress, quiet
from seawall.lab.sample import SMALL_CAPTURE


class BenchOptions(Struct, frozen=True, kw_only=True):
    """What may be chosen; a benchmark passes over what does not concern it."""

    seconds: float = 5.0
    """For each thing measured."""
    seed: int = 1
    entries: int = 10_000_000
    """Journal entries behind the snapshot, for `recovery`."""
    users: int = 100_000
    """With a deposit address each, for `reconcile`."""
    rivals: bool = True
    """Whether `engine` installs and measures other engines (into build/bench)."""
    capture: Path = SMALL_CAPTURE
    """What `recovery` replays."""
    root: Path = Path()
    """The source checkout, where build/ and bench/results/ are."""


class Target(Struct, frozen=True, kw_only=True):
    """One comparison that was asked for."""

    name: str
    wanted: str
    measured: float
    met: bool


class BenchResult(Struct, frozen=True, kw_only=True):
    bench: str
    machine: str
    measured_at: str
    """UTC, ISO 8601."""
    rows: tuple[dict[str, Any], ...]
    """What was measured, one row each; all rows of one benchmark share their keys."""
    targets: tuple[Target, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


BenchRun = Callable[[BenchOptions, Progress], Awaitable[BenchResult]]


class Bench(Struct, frozen=True, kw_only=True):
    """One entry of `seawall bench`."""

    name: str
    summary: str
    run: BenchRun

    async def perform(
        self, options: BenchOptions, out: Path | None = None, progress: Progress = quiet
    ) -> BenchResult:
        """Measure, and write `NAME.json` into `out` if one is given."""
        result = await self.run(options, progress)
        if out is not None:
            await asyncio.to_thread(_write, result, out)
        return result


def _write(result: BenchResult, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{result.bench}.json").write_bytes(result.to_json())
