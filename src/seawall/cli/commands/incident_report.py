"""`seawall incident classify` and `report`.  The rule: what nobody stated is shown as unstated.

The incident comes from the exchange, or from a copy of its status document; what people know of it
from their file of facts.  Nothing is sent anywhere.
"""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.markup import escape

from seawall.cli.commands.status import read_document
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.regulator_tables import clocks_table, criteria_table, duties_table, verdict
from seawall.cli.running import operator
from seawall.gateway.sealing import write_private
from seawall.model.control_rows import Incident
from seawall.model.status_document import IncidentLine
from seawall.status.moments import moment
from seawall.status.regulators.conditions import Met
from seawall.status.regulators.drafts import Draft, prepare
from seawall.status.regulators.facts import Facts, Kind
from seawall.status.regulators.facts_file import FactsError, read_facts
from seawall.status.regulators.render import render_html, render_json
from seawall.views.control_view import incident_line

ADVICE = "docs/operating/regulators.md shows a whole file of facts."
MISSING_SHOWN = 8
CLASSIFIED = ("incident", "made", "note", "classification", "timers")
"""What `classify --json` tells of a draft."""

FactsFile = Annotated[
    Path, Parameter(name="--facts", help="TOML file of what people know of the incident.")
]
Document = Annotated[
    str,
    Parameter(
        name="--document",
        help="A status document's file or URL, where the exchange itself cannot be asked.",
    ),
]


def classify(
    number: int,
    /,
    *,
    facts: FactsFile,
    document: Document = "",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Say whether an incident is major, why, and when each report is due. No legal advice.

    What no fact decides is called unknown, and the facts that would decide it are named: nothing is
    called not major because facts are missing.

    Parameters
    ----------
    number
        The incident, as `seawall incident list` shows it.
    """
    found = _prepare(Kind.INITIAL, number, facts, document, data)
    if json:
        told = _parts(found)
        print_json({name: told[name] for name in CLASSIFIED})
        return int(Exit.OK)
    human.print(_told(found))
    return int(Exit.OK)


def report(
    number: int,
    /,
    *,
    kind: Kind,
    facts: FactsFile,
    out: Path = Path(),
    document: Document = "",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Draft a report to the regulator as JSON and as a page to print; a person submits it.

    Parameters
    ----------
    number
        The incident, as `seawall incident list` shows it.
    kind
        Which of the three reports.
    out
        Folder for the two files; each draft has its moment in its name, so none is written over.
    """
    found = _prepare(kind, number, facts, document, data)
    body, page = render_json(found), render_html(found)
    made = moment(found.made_ns).strftime("%Y%m%dT%H%M%SZ")
    name = f"incident-{number}-{kind}-{made}"
    files = {out / f"{name}.json": body.decode(), out / f"{name}.html": page}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            write_private(path, text)
    except OSError as error:
        raise CliError(
            f"{out} cannot be written: {error.strerror}",
            "Choose a folder you may write to, with --out.",
            Exit.UNREACHABLE,
        ) from error
    if json:
        print_json({"files": [str(path) for path in files], **_parts(found)})
        return int(Exit.OK)
    human.print(_told(found))
    for path in files:
        human.print(f"[green]✓[/] {escape(str(path))}")
    if found.missing:
        more = "" if len(found.missing) <= MISSING_SHOWN else ", …"
        human.print(
            f"[yellow]{len(found.missing)} required fields are empty[/]:"
            f" {escape(', '.join(found.missing[:MISSING_SHOWN]))}{more}"
        )
    for note in found.notes:
        human.print(f"[yellow]note[/]: {escape(note)}")
    return int(Exit.OK)


def _prepare(kind: Kind, number: int, facts: Path, document: str, data: Path) -> Draft:
    stated = _facts(facts)
    incident = _of_document(document, number) if document else _of_exchange(data, number)
    return prepare(kind, incident, stated, time.time_ns())


def _facts(path: Path) -> Facts:
    try:
        return read_facts(path.read_text("utf-8"), str(path))
    except FactsError as error:
        raise CliError(str(error), ADVICE, Exit.USAGE) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}", ADVICE, Exit.USAGE) from None


def _of_exchange(data: Path, number: int) -> IncidentLine:
    found = operator(data).get(f"incidents/{number}")
    try:
        return incident_line(msgspec.convert(found, Incident))
    except msgspec.ValidationError as error:
        raise CliError(
            f"The exchange's answer is not understood: {error}",
            "Use the release that the exchange runs.",
        ) from None


def _of_document(source: str, number: int) -> IncidentLine:
    document = asyncio.run(read_document(source))
    for incident in document.incidents:
        if incident.number == number:
            return incident
    there = ", ".join(str(each.number) for each in document.incidents) or "none"
    raise CliError(
        f"{source} has no incident {number}.", f"It tells of these: {there}.", Exit.USAGE
    )


def _parts(found: Draft) -> dict[str, msgspec.Raw]:
    """Return a draft's JSON by its keys, with every number as it was written."""
    return msgspec.json.decode(render_json(found), type=dict[str, msgspec.Raw])


def _told(found: Draft) -> Group:
    """Return all that people must see before they decide."""
    classification = found.classification
    parts: list[RenderableType] = [
        verdict(found),
        escape(classification.because),
        "",
        criteria_table(classification),
        "",
        clocks_table(found.timers),
    ]
    duties = [each for each in classification.duties if each.met is not Met.NO]
    if duties:
        parts += ["", duties_table(duties)]
    if classification.deciding:
        parts += ["", f"[bold]Would decide it[/]: {escape(', '.join(classification.deciding))}"]
    unread = [each for each in classification.sources if not each.verified]
    named = escape("; ".join(each.name for each in unread))
    parts += [
        "",
        f"[dim]Not compared with the published text: {named}[/]",
        f"[dim]{escape(classification.note)}[/]",
    ]
    return Group(*parts)
