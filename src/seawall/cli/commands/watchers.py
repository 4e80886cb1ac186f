"""`seawall watch believe`, `disbelieve` and `watchers`.  The rule: only who is named is heard."""

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from seawall.cli.control_tables import age
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import Exit, human, print_json
from seawall.cli.running import operator


def names(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show whose reports are believed, and when each was last heard."""
    return _tell(operator(data).get("watchers"), json=json)


def believe(
    watcher: str,
    provider: str,
    key: str,
    /,
    *,
    person: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Believe a watcher's reports from now on.

    Parameters
    ----------
    watcher
        Its name.
    provider
        Where it stands; all watchers at one provider are one witness.
    key
        Its public key, as `seawall watch key` prints it.
    person
        Who vouches for it.
    """
    body = {"watcher": watcher, "provider": provider, "key": key, "person": person}
    return _tell(operator(data).post("watchers", body), json=json)


def disbelieve(
    watcher: str, /, *, person: str, data: Data = Path(DEFAULT_DATA), json: Json = False
) -> int:
    """Believe a watcher no more; what it said last is forgotten.

    Parameters
    ----------
    watcher
        Its name.
    person
        Who says so.
    """
    body = {"watcher": watcher, "person": person}
    return _tell(operator(data).delete("watchers", body), json=json)


def _tell(found: dict[str, Any], *, json: bool) -> int:
    if json:
        print_json(found)
        return int(Exit.OK)
    table = Table("watcher", "provider", "last heard", "key", box=None)
    rows = found["watchers"]
    for row in rows:
        heard = f"{age(row.get('observed_ns', 0))} ago" if row.get("observed_ns") else "never"
        table.add_row(escape(row["watcher"]), escape(row["provider"]), heard, f"{row['key'][:16]}…")
    human.print(table if rows else "Nobody is believed: no dependency is known to be well.")
    return int(Exit.OK)
