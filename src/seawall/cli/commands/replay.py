"""`seawall replay`.  The rule: exit 0 only if exchange and capture are equal afterwards."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.running import locked
from seawall.lab.capture import CaptureError
from seawall.lab.progress import bar, quiet
from seawall.lab.replay import ReplayError, ReplayReport, replay
from seawall.lab.sample import SMALL_CAPTURE


def play(
    *files: Path,
    speed: Annotated[float, Parameter(validator=lambda _, value: _not_negative(value))] = 0,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Play a capture of a real market into a new exchange, and compare the two.

    Parameters
    ----------
    files
        The capture's files: book snapshot, diffs and trades, oldest file first.
    speed
        1 is as it happened, 10 ten times faster; 0, the default, as fast as it goes.
    """
    if not files:
        raise CliError(
            "No capture is named.",
            f"Name its files; a small one ships with Seawall: {SMALL_CAPTURE}",
            Exit.USAGE,
        )
    with locked(data):
        try:
            if json:
                report = asyncio.run(replay(files, data, speed, quiet))
            else:
                with bar() as progress:
                    report = asyncio.run(replay(files, data, speed, progress))
        except (CaptureError, ReplayError) as error:
            raise CliError(
                str(error), "See docs/operating/replay.md; --data names another directory."
            ) from error
    if json:
        print_json(report)
    else:
        _tell(report, data)
    return int(Exit.OK if report.equal else Exit.FAILED)


def _not_negative(value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError("the speed is 0 or more")


def _tell(report: ReplayReport, data: Path) -> None:
    human.print(
        f"{report.symbol}: {report.market_s:,.0f} s of market in {report.took_s:,.1f} s;"
        f" {report.commands:,} commands, {report.trades:,} trades, {report.diffs:,} book diffs."
    )
    if report.equal:
        human.print(
            f"[green]✓[/] The exchange equals the capture: {report.levels:,} levels,"
            f" {report.trades:,} trades, {report.candles:,} candles."
        )
    else:
        human.print(f"[red]✗[/] {report.difference_count:,} differences; the first:")
        for difference in report.differences:
            human.print(f"  {escape(difference)}")
    human.print(f"[dim]digest {report.digest}; check it: seawall journal verify --data {data}[/]")
