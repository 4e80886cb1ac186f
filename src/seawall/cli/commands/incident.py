"""`seawall incident`.  The rule: each act has a person, and the timeline keeps it."""

from pathlib import Path
from typing import Literal

from rich.markup import escape

from seawall.cli.commands.posture import Severity
from seawall.cli.control_tables import coloured, incidents_table, moment, timeline_table
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import Exit, human, print_json
from seawall.cli.running import operator

Phase = Literal["investigating", "identified", "monitoring"]


def names(*, every: bool = False, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show open incidents, newest first.

    Parameters
    ----------
    every
        Those that have ended as well.
    """
    found = operator(data).get("incidents")
    if not every:
        found["incidents"] = [row for row in found["incidents"] if not row.get("resolved_ns")]
    if json:
        print_json(found)
        return int(Exit.OK)
    human.print(
        incidents_table(found["incidents"]) if found["incidents"] else "No incident is open."
    )
    return int(Exit.OK)


def show(number: int, /, *, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show one incident with all that happened and was said.

    Parameters
    ----------
    number
        Its number, as `seawall incident list` shows it.
    """
    found = operator(data).get(f"incidents/{number}")
    if json:
        print_json(found)
        return int(Exit.OK)
    ended = found.get("resolved_ns", 0)
    human.print(
        f"Incident {number}: {escape(found.get('title_en') or found['kind'])},"
        f" {coloured(found['severity'])}, {coloured(found.get('phase', 'investigating'))}"
    )
    human.print(
        f"opened {moment(found['opened_ns'])}" + (f", ended {moment(ended)}" if ended else "")
    )
    if found.get("dependencies"):
        human.print(f"because of {escape(', '.join(found['dependencies']))}")
    human.print(f"services: {escape(', '.join(found.get('services', ()))) or 'none'}")
    human.print(timeline_table(found))
    return int(Exit.OK)


def begin(
    title: str,
    /,
    *services: str,
    person: str,
    arabic: str = "",
    severity: Severity = "major",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Open an incident by hand; it is on the status site within seconds.

    Parameters
    ----------
    title
        What happens, in words for users, in English.
    services
        Names or patterns of the services that it concerns; none closes nothing.
    person
        Who opens it.
    arabic
        The title in Arabic.
    severity
        How bad it is; the runbook says how often something is said.
    """
    body = {
        "severity": severity,
        "services": services,
        "titleEn": title,
        "titleAr": arabic,
        "person": person,
    }
    done = operator(data).post("incidents", body)
    if json:
        print_json(done)
    else:
        human.print(f"[green]✓[/] Incident {done['incident']} is open.")
    return int(Exit.OK)


def resolve(
    number: int,
    /,
    *,
    person: str,
    english: str = "",
    arabic: str = "",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """End an incident; refused while a service of it is not open.

    Parameters
    ----------
    number
        Its number.
    person
        Who ends it.
    english
        Last words.
    arabic
        The same in Arabic.
    """
    body = {"wordsEn": english, "wordsAr": arabic, "person": person}
    done = operator(data).post(f"incidents/{number}/resolve", body)
    if json:
        print_json(done)
    else:
        human.print(f"[green]✓[/] Incident {number} has ended.")
    return int(Exit.OK)


def announce(
    number: int,
    /,
    *,
    person: str,
    english: str,
    arabic: str = "",
    phase: Phase | None = None,
    severity: Severity | None = None,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Say something of an incident in public, beside what is said by itself.

    Parameters
    ----------
    number
        The incident, as `seawall incident list` shows it.
    person
        Who says it; the status site does not show the name.
    english
        The words.
    arabic
        The same in Arabic; without them Arabic readers see the English ones, marked as such.
    phase
        Where work on it stands from now on.
    severity
        How bad it is from now on.
    """
    body = {
        "wordsEn": english,
        "wordsAr": arabic,
        "person": person,
        "phase": phase,
        "severity": severity,
    }
    done = operator(data).post(f"incidents/{number}/updates", body)
    if json:
        print_json(done)
    else:
        human.print(f"[green]✓[/] Said of incident {number}; the status site has it in seconds.")
    return int(Exit.OK)
