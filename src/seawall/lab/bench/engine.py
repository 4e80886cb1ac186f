"""`seawall bench engine`.  The rule: one flow for all, and what each engine leaves out is said.

Seawall commits every command with ledger, holds, fees, filters and events; the other engines match
and no more.  Each runs in a process of its own, the best of two runs counts.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

import seawall
from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.flow import make_flow, write_flow
from seawall.lab.bench.measured import Measured
from seawall.lab.bench.rivals import NOT_MEASURED, RIVALS, Rival
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress

MODULE: Final = "seawall.lab.bench.measure"
STEPS: Final = 200_000
STEPS_PER_S: Final = 50_000
RUNS: Final = 2
PYTHON_RATIO: Final = 10.0
INSTALL_S: Final = 300
GRACE_S: Final = 60
ERROR_CHARS: Final = 160


class Subject(Struct, frozen=True, kw_only=True):
    """Something to measure, as a command line and a search path."""

    name: str
    kind: str
    arguments: tuple[str, ...]
    path: tuple[str, ...]


async def run_engine(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure Seawall, plain and compiled, and every rival that installs."""
    folder = options.root / "build" / "bench"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    flow_file = folder / f"flow-{options.seed}.json"
    steps = min(STEPS, int(options.seconds * STEPS_PER_S))
    flow = await asyncio.to_thread(make_flow, options.seed, steps)
    await asyncio.to_thread(write_flow, flow, flow_file)
    subjects = _own(options, flow_file)
    notes = [f"{name} is not measured: {why}." for name, why in NOT_MEASURED.items()]
    if options.rivals:
        for number, rival in enumerate(RIVALS):
            progress(f"installing {rival.package}", number, len(RIVALS))
            failed = await _install(rival, folder / rival.package)
            if failed:
                notes.append(f"{rival.package} does not install: {failed}")
            else:
                subjects.append(_rival(rival, folder / rival.package, flow_file, options.seconds))
    rows: list[dict[str, Any]] = []
    for number, subject in enumerate(subjects):
        progress(f"measuring {subject.name}", number, len(subjects))
        best, failed = await _best(subject, options.seconds)
        if best is None:
            notes.append(f"{subject.name} did not finish: {failed}")
            continue
        if best.complete and best.fills not in {-1, flow.fills} and "capture" not in subject.name:
            notes.append(f"{subject.name} made {best.fills} fills, the flow has {flow.fills}")
        rows.append(_row(subject, best))
    progress("measured", len(subjects), len(subjects))
    _compare(rows)
    return BenchResult(
        bench="engine",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=_targets(rows),
        notes=(
            (
                "Seawall's figures include ledger, holds, fees, filters and events for each"
                " command; the other engines only match."
            ),
            *notes,
        ),
    )


def _own(options: BenchOptions, flow_file: Path) -> list[Subject]:
    """Return Seawall in all the ways in which it is there: compiled, plain, as it runs now."""
    here = str(Path(seawall.__file__).resolve().parent.parent)
    places = {
        "compiled": (options.root / "build" / "compiled").resolve(),
        "plain": (options.root / "src").resolve(),
    }
    there = {name: str(path) for name, path in places.items() if (path / "seawall").is_dir()}
    if here not in there.values():
        there["installed"] = here
    seconds = str(options.seconds)
    subjects = []
    for name, path in there.items():
        for what, arguments in (
            ("", ("flow", str(flow_file), seconds)),
            (", capture", ("capture", seconds)),
        ):
            subjects.append(
                Subject(
                    name=f"seawall ({name}{what})",
                    kind=f"seawall {name}",
                    arguments=("-m", MODULE, *arguments),
                    path=(path,),
                )
            )
    return subjects


def _rival(rival: Rival, folder: Path, flow_file: Path, seconds: float) -> Subject:
    here = str(Path(seawall.__file__).resolve().parent.parent)
    return Subject(
        name=rival.package,
        kind=rival.kind,
        arguments=(
            "-m", MODULE, rival.package, str(flow_file), str(seconds)
        ),
        path=(here, str(folder.resolve())),
    )  # fmt: skip


async def _install(rival: Rival, folder: Path) -> str:
    """Install the rival into a folder of its own; return why it does not install, or nothing."""
    if await asyncio.to_thread(folder.is_dir):
        return ""
    arguments = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    code, output = await _run(
        (*arguments, "--target", str(folder), rival.requirement), (), INSTALL_S
    )
    if code != 0:
        await asyncio.to_thread(_remove_if_empty, folder)
        return _last_line(output)
    return ""


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


async def _best(subject: Subject, seconds: float) -> tuple[Measured | None, str]:
    best: Measured | None = None
    for _ in range(RUNS):
        code, output = await _run(subject.arguments, subject.path, seconds * 4 + GRACE_S)
        if code != 0:
            return None, _last_line(output)
        measured = msgspec.json.decode(output.splitlines()[-1], type=Measured)
        if best is None or measured.rate > best.rate:
            best = measured
    return best, ""


async def _run(
    arguments: tuple[str, ...], path: tuple[str, ...], timeout_s: float
) -> tuple[int, str]:
    """Run this Python with `path` in front; a process that hangs is killed and said to hang."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)} if path else None
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, "one of its calls never returned"
    said = output if process.returncode == 0 else errors
    return process.returncode or 0, said.decode(errors="replace")


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1][:ERROR_CHARS] if lines else "it said nothing"


def _row(subject: Subject, measured: Measured) -> dict[str, Any]:
    return {
        "engine": subject.name,
        "kind": subject.kind,
        "commands_per_s": round(measured.rate),
        "commands": measured.steps,
        "fills": measured.fills if measured.fills >= 0 else None,
    }


def _compare(rows: list[dict[str, Any]]) -> None:
    """Add how many times faster Seawall, as fast as it is here, is than each."""
    own = _own_rate(rows)
    for row in rows:
        row["seawall_is_times_as_fast"] = round(own / row["commands_per_s"], 2)


def _own_rate(rows: list[dict[str, Any]]) -> float:
    rates: list[float] = [
        row["commands_per_s"]
        for row in rows
        if row["kind"].startswith("seawall") and "capture" not in row["engine"]
    ]
    return max(rates)


def _targets(rows: list[dict[str, Any]]) -> tuple[Target, ...]:
    own = _own_rate(rows)
    targets = []
    for kind, wanted in (("native", 1.0), ("python", PYTHON_RATIO)):
        rivals = [row for row in rows if row["kind"] == kind]
        if rivals:
            fastest = max(rivals, key=lambda row: row["commands_per_s"])
            ratio = own / fastest["commands_per_s"]
            targets.append(
                Target(
                    name=f"against the fastest {kind} engine, {fastest['engine']}",
                    wanted=f"{wanted:g} times or more",
                    measured=round(ratio, 2),
                    met=ratio >= wanted,
                )
            )
    return tuple(targets)


ENGINE: Final = Bench(
    name="engine",
    summary="commands per second through the core, against other engines from PyPI",
    run=run_engine,
)
