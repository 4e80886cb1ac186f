"""`seawall runbook`.  The rule: what is adopted was read first, and stands in the journal."""

from pathlib import Path

from rich.markup import escape
from rich.syntax import Syntax

from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import Exit, human, print_json
from seawall.cli.running import operator


def show(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Print the runbook in force, with its hash and who adopted it."""
    found = operator(data).get("runbook")
    if json:
        print_json(found)
        return int(Exit.OK)
    if not found["text"]:
        human.print("No runbook was adopted: nothing is decided by itself.")
        return int(Exit.OK)
    human.print(
        f"{escape(found['version'])}, adopted by {escape(found['person'])},"
        f" sha256 {found['hash'][:16]}…"
    )
    human.print(Syntax(found["text"], "toml", background_color="default"))
    return int(Exit.OK)


def check(file: str, /, *, json: Json = False) -> int:
    """Read a runbook as its adoption would; what is wrong is told with its line.

    Parameters
    ----------
    file
        A TOML file; or `default` or `alone`, which come with Seawall.
    """
    from seawall.cli.control import check_runbook
    from seawall.core.control.runbook import read_runbook

    runbook = read_runbook(check_runbook(file))
    if json:
        print_json({"version": runbook.version, "ok": True})
        return int(Exit.OK)
    human.print(
        f"[green]✓[/] {escape(runbook.version)}: {len(runbook.dependency)} kinds of dependency,"
        f" {len(runbook.rule)} rules, {len(runbook.market.stage)} stages for markets,"
        f" {len(runbook.withdrawal.stage)} for withdrawals"
    )
    return int(Exit.OK)


def adopt(file: str, /, *, person: str, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Rule by a runbook from now on, whatever the configuration names.

    Parameters
    ----------
    file
        A TOML file; or `default` or `alone`, which come with Seawall.
    person
        Who adopts it.
    """
    from seawall.cli.control import check_runbook

    found = operator(data).post("runbook", {"text": check_runbook(file), "person": person})
    if json:
        print_json(found)
    else:
        human.print(f"[green]✓[/] {escape(found['version'])} is in force.")
    return int(Exit.OK)
