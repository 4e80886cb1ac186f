"""What every drill takes and gives.  The rule: a drill says what it saw, not what it hoped.

A drill hurts a real exchange and returns a `DrillReport`: promises held or broken, each with its
evidence.  `Drill.perform` writes `report.html` and `report.json`; the exit code is 0 only if every
promise held.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from seawall.lab.progress import Progress, quiet
from seawall.lab.report import render_html


class DrillOptions(Struct, frozen=True, kw_only=True):
    """What may be chosen; a drill passes over what does not concern it."""

    rounds: int = 10
    withdrawals: int | None = None
    """None: as many as the rounds need."""
    fault: str = ""
    """Of the provider-loss drill; empty: each in turn."""
    scenario: str = ""
    """Of the incident drill; empty: the short one."""
    seed: int | None = None
    """None takes a fresh one, which the report names."""


class Promise(Struct, frozen=True, kw_only=True):
    """One promise, and what the drill found."""

    name: str
    held: bool
    evidence: str
    """In plain words, with the numbers."""


class Mark(Struct, frozen=True, kw_only=True):
    """Something that happened at a moment of the drill."""

    at_s: float
    kind: str
    text: str


class Span(Struct, frozen=True, kw_only=True):
    """Something that went on for a while, as "down" or "recovering"."""

    from_s: float
    to_s: float
    kind: str
    text: str = ""


class Table(Struct, frozen=True, kw_only=True):
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    shown: bool = False
    """Whether the command line shows it as well."""


class Series(Struct, frozen=True, kw_only=True):
    """A part of what is counted, drawn as a line of its own."""

    name: str
    per_second: tuple[int, ...]


class Timeline(Struct, frozen=True, kw_only=True):
    """`per_second` counts what was acknowledged in each second of the drill."""

    duration_s: float
    per_second: tuple[int, ...] = ()
    counted: str = "acknowledged commands per second"
    series: tuple[Series, ...] = ()
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()


class DrillReport(Struct, frozen=True, kw_only=True):
    """`numbers` stand at the top level of report.json, under their own names."""

    drill: str
    title: str
    about: str
    """What was done to the exchange, in plain words."""
    started_at: str
    """UTC, ISO 8601."""
    seed: int
    machine: str
    numbers: dict[str, Any]
    promises: tuple[Promise, ...]
    timeline: Timeline
    tables: tuple[Table, ...] = ()
    limits: tuple[str, ...] = ()
    """What this drill does not show."""

    @property
    def held(self) -> bool:
        return all(promise.held for promise in self.promises)

    def to_json(self) -> bytes:
        """Return what report.json holds."""
        fields = msgspec.to_builtins(self)
        numbers = fields.pop("numbers")
        document = {"drill": fields.pop("drill"), "held": self.held, **numbers, **fields}
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


class DrillError(Exception):
    """The drill cannot be held here; the message says what is missing."""


DrillRun = Callable[[DrillOptions, Path, Progress], Awaitable[DrillReport]]


class Drill(Struct, frozen=True, kw_only=True):
    """One entry of `seawall drill list`."""

    name: str
    summary: str
    run: DrillRun
    """Takes the options, a directory for its files, and whom to tell how far it is."""
    rounds: int = 10
    """Unless told otherwise."""

    async def perform(
        self, options: DrillOptions, out: Path, progress: Progress = quiet
    ) -> DrillReport:
        """Run the drill and write `report.html` and `report.json` into `out`."""
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        report = await self.run(options, out, progress)
        await asyncio.to_thread(_write, report, out)
        return report


def _write(report: DrillReport, out: Path) -> None:
    (out / "report.json").write_bytes(report.to_json())
    (out / "report.html").write_text(render_html(report), encoding="utf-8")
