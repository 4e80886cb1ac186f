"""`seawall drill`.  The rule: exit 0 only if every promise held.

The laboratory is imported when a drill runs: the command line reads this module for its options.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, print_encoded, print_json

if TYPE_CHECKING:
    from seawall.lab.drills import Drill, DrillOptions, DrillReport


Scenario = Literal[
    "short",
    "provider-cut",
    "provider-killed",
    "chain-frozen",
    "watch-gone",
    "control-gone",
    "network-gone",
]
"""The names of `lab.drills.incident_scenarios`."""


def names(*, json: Json = False) -> int:
    """List the drills."""
    from seawall.lab.drills import DRILLS

    if json:
        print_json([{"name": drill.name, "summary": drill.summary} for drill in DRILLS.values()])
        return 0
    table = Table("drill", "what it does", box=None)
    for drill in DRILLS.values():
        table.add_row(drill.name, escape(drill.summary))
    human.print(table)
    return 0


def perform(
    name: str,
    /,
    *,
    rounds: Annotated[
        int | None, Parameter(validator=lambda _, value: _positive(value or 1))
    ] = None,
    withdrawals: Annotated[
        int | None, Parameter(validator=lambda _, value: _positive(value or 1))
    ] = None,
    fault: Literal["cut", "kill", "pause", "slow", "disk-full"] | None = None,
    scenario: Scenario | None = None,
    seed: int | None = None,
    out: Path = Path("drill-report"),
    json: Json = False,
) -> int:
    """Run a drill, and write report.html and report.json.

    Parameters
    ----------
    name
        Which; `seawall drill list` has them.
    rounds
        How often the exchange is hurt; 4 times by provider-loss, 10 by the others, unless said
        otherwise.
    withdrawals
        How many the payouts drill asks for; 30 a round unless said otherwise.
    fault
        How the provider-loss drill hurts a provider; each way in turn unless said otherwise.
    scenario
        What happens in the incident drill; without it, a short day that ends within a minute or so.
    seed
        Repeats the choices of an earlier run; its report names it.
    out
        Directory of the report.
    """
    from seawall.lab.drills import DrillOptions

    drill = _find(name)
    options = DrillOptions(
        rounds=rounds or drill.rounds,
        withdrawals=withdrawals,
        fault=fault or "",
        scenario=scenario or "",
        seed=seed,
    )
    report = _hold(drill, options, out, quietly=json)
    if json:
        print_encoded(report.to_json())
    else:
        _tell(report, out)
    return int(Exit.OK if report.held else Exit.FAILED)


def _find(name: str) -> "Drill":
    from seawall.lab.drills import DRILLS

    drill = DRILLS.get(name)
    if drill is None:
        raise CliError(
            f"There is no drill `{name}`.",
            f"There is: {', '.join(DRILLS)}. `seawall drill list` says what they do.",
            Exit.USAGE,
        )
    return drill


def _hold(drill: "Drill", options: "DrillOptions", out: Path, *, quietly: bool) -> "DrillReport":
    from seawall.lab.drills import DrillError
    from seawall.lab.progress import bar, quiet

    try:
        if quietly:
            return asyncio.run(drill.perform(options, out, quiet))
        with bar() as progress:
            return asyncio.run(drill.perform(options, out, progress))
    except DrillError as error:
        raise CliError("The drill could not be held.", str(error), Exit.FAILED) from None


def _positive(value: int) -> None:
    if value < 1:
        raise ValueError("there is at least one")


def _tell(report: "DrillReport", out: Path) -> None:
    for promise in report.promises:
        mark = "[green]✓[/]" if promise.held else "[red]✗[/]"
        human.print(f"{mark} {escape(promise.name)} [dim]{escape(promise.evidence)}[/]")
    for shown in report.tables:
        if shown.shown:
            table = Table(*shown.columns, box=None)
            for row in shown.rows:
                table.add_row(*map(escape, row))
            human.print(table)
    for name, value in report.numbers.items():
        told = len(value) if isinstance(value, list) else value
        human.print(f"  {name:<14} {told}", markup=False)
    human.print(f"The report: {out / 'report.html'} (seed {report.seed})", markup=False)
