"""`seawall bench`.  The rule: every figure stands beside what it is compared to."""

import asyncio
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, print_encoded
from seawall.lab.bench.base import BenchOptions, BenchResult
from seawall.lab.progress import bar, quiet


def bench(
    name: str,
    /,
    *,
    seconds: float = 5.0,
    entries: int = 10_000_000,
    users: int = 100_000,
    seed: int = 1,
    rivals: bool = True,
    out: Path | None = None,
    json: Json = False,
) -> int:
    """Measure a part of the exchange against a yardstick of the same run.

    Parameters
    ----------
    name
        engine, journal, cluster-journal, api, cluster-orders, recovery, payouts, reconcile or
        transfer.
    seconds
        How long each thing is measured.
    entries
        Journal entries behind the snapshot, for recovery.
    users
        Users with a deposit address each, for reconcile.
    seed
        Of the flow that is played.
    rivals
        Whether engine also measures other engines, which are installed into build/bench.
    out
        Directory for NAME.json.
    """
    # The engines and servers that are measured are loaded only now.
    from seawall.lab.bench import BENCHES

    found = BENCHES.get(name)
    if found is None:
        raise CliError(
            f"There is no benchmark `{name}`.", f"There is: {', '.join(BENCHES)}.", Exit.USAGE
        )
    options = BenchOptions(seconds=seconds, seed=seed, entries=entries, users=users, rivals=rivals)
    if json:
        result = asyncio.run(found.perform(options, out, quiet))
        print_encoded(result.to_json())
    else:
        with bar() as progress:
            result = asyncio.run(found.perform(options, out, progress))
        _tell(result)
    return int(Exit.OK if all(target.met for target in result.targets) else Exit.FAILED)


def _tell(result: BenchResult) -> None:
    columns = list(result.rows[0]) if result.rows else []
    table = Table(title=f"{result.bench} on {result.machine}", title_justify="left", box=None)
    for column in columns:
        numbers = isinstance(result.rows[0][column], int | float)
        table.add_column(
            column.replace("_", " "), justify="right" if numbers else "left", overflow="fold"
        )
    for row in result.rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    human.print(table)
    for target in result.targets:
        mark = "[green]✓[/]" if target.met else "[red]✗[/]"
        human.print(f"{mark} {escape(target.name)}: {target.measured:.3g}, wanted {target.wanted}")
    for note in result.notes:
        human.print(f"[dim]{escape(note)}[/]")


def _cell(value: object) -> str:
    if isinstance(value, bool | str):
        return escape(str(value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if isinstance(value, float) else ""
