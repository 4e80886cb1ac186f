"""Gives the control cell its runbook and watchers.  The rule: a person's runbook outranks a file's.

Runs at every start, at the node that leads the control cell.  A runbook that a person adopted stays
until a person adopts another; the configuration's is adopted where there was none, or where the
last one came from the configuration too.
"""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Final

import structlog

from seawall.cli.output import CliError, Exit
from seawall.cli.settings import Configuration, ControlSection
from seawall.core.control.runbook import RunbookError, read_runbook
from seawall.model.control_commands import AdoptRunbook, ControlCommand, RegisterWatcher
from seawall.model.events import CommandRejected
from seawall.node.node import Node

PERSON: Final = "configuration"
SHIPPED: Final = ("default", "alone")
ALONE: Final = "alone"
WATCHED: Final = "default"

_log = structlog.get_logger("seawall.cli")


def runbook_text(name: str) -> str:
    """Return a shipped runbook's text, or a file's; raise CliError if there is none."""
    if name in SHIPPED:
        return files("seawall.cli").joinpath("runbooks", f"{name}.toml").read_text("utf-8")
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(
            f"The runbook {name} cannot be read: {error}",
            f"Name a file, or one that comes with Seawall: {', '.join(SHIPPED)}.",
            Exit.USAGE,
        ) from error


def check_runbook(name: str) -> str:
    """Return the text of a runbook that can be adopted, or raise CliError with the line."""
    text = runbook_text(name)
    try:
        read_runbook(text)
    except RunbookError as error:
        raise CliError(
            f"The runbook {name}: {error}",
            "docs/operating/runbook.md explains every key.",
            Exit.USAGE,
        ) from error
    return text


def check_control(section: ControlSection) -> None:
    """Refuse a runbook that cannot be adopted before anything starts."""
    if section.runbook:
        check_runbook(section.runbook)


async def bootstrap_control(node: Node, configuration: Configuration) -> int:
    """Submit what is missing; return how many commands that took, or raise CliError."""
    section = configuration.control
    # Where nobody is believed, a runbook that waits for a quorum would never open anything.
    usual = WATCHED if section.watcher else ALONE
    commands: list[ControlCommand] = []
    text = check_runbook(section.runbook or usual)
    book = node.control.book
    ours = book.runbook_person in {"", PERSON}
    if ours and book.runbook_hash != hashlib.sha256(text.encode()).hexdigest():
        commands.append(AdoptRunbook(text=text, person=PERSON))
    elif not ours and section.runbook:
        _log.info("the runbook stays that a person adopted", person=book.runbook_person)
    for watcher in section.watcher:
        known = book.watchers.get(watcher.name)
        if known is None or (known.provider, known.key) != (watcher.provider, watcher.key):
            commands.append(
                RegisterWatcher(
                    watcher=watcher.name,
                    provider=watcher.provider,
                    key=watcher.key,
                    person=PERSON,
                )
            )
    for command in commands:
        refused = (await node.submit_control(command)).answer
        if isinstance(refused, CommandRejected):
            raise CliError(
                f"The control cell refused: {refused.reason} {refused.detail}".rstrip(),
                "See [control] in the configuration.",
            )
    return len(commands)
