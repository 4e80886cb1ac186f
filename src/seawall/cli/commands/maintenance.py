"""`seawall announce planned`.  The rule: planned work is told before it begins, with its end."""

import time
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from seawall.cli.control_tables import moment
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.running import operator

MILLISECONDS = 1_000
NS = 1_000_000_000


def planned(
    title: str,
    /,
    *services: str,
    person: str,
    in_minutes: int,
    for_minutes: int,
    arabic: str = "",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Announce planned work on the status site; it closes nothing by itself.

    Parameters
    ----------
    title
        What is done, in words for users, in English.
    services
        Names or patterns of the services that it concerns.
    person
        Who announces it.
    in_minutes
        When it begins, from now.
    for_minutes
        How long it is to last.
    arabic
        The title in Arabic.
    """
    if in_minutes < 0 or for_minutes < 1:
        raise CliError(
            "Planned work begins now or later, and lasts a minute or more.",
            "Give --in-minutes 0 or more and --for-minutes 1 or more.",
            Exit.USAGE,
        )
    begins_at = int(time.time() * MILLISECONDS) + in_minutes * 60 * MILLISECONDS
    body = {
        "titleEn": title,
        "titleAr": arabic,
        "services": services,
        "beginsAt": begins_at,
        "endsAt": begins_at + for_minutes * 60 * MILLISECONDS,
        "person": person,
    }
    return _tell(operator(data).post("maintenances", body), json=json)


def done(
    number: int,
    /,
    *,
    person: str,
    english: str = "",
    arabic: str = "",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Say that planned work has ended.

    Parameters
    ----------
    number
        Its number.
    person
        Who says so.
    english
        Last words.
    arabic
        The same in Arabic.
    """
    body = {"wordsEn": english, "wordsAr": arabic, "completed": True, "person": person}
    return _tell(operator(data).post(f"maintenances/{number}", body), json=json)


def _tell(found: dict[str, list[dict[str, object]]], *, json: bool) -> int:
    if json:
        print_json(found)
        return int(Exit.OK)
    table = Table("no.", "what", "services", "begins", "ends", "", box=None)
    for row in found["maintenances"]:
        table.add_row(
            str(row["number"]),
            escape(str(row["title_en"])),
            escape(", ".join(map(str, _listed(row["services"])))),
            moment(int(str(row["begins_ns"]))),
            moment(int(str(row["ends_ns"]))),
            "done" if row.get("completed_ns") else "",
        )
    human.print(table)
    return int(Exit.OK)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
