"""An incident's class and clocks, as tables.  The rule: each line names the article it rests on."""

from collections.abc import Iterable
from typing import Final

from rich.markup import escape
from rich.table import Table

from seawall.cli.control_tables import moment, span
from seawall.status.regulators.classify import Classification, Outcome
from seawall.status.regulators.clocks import Timer, TimerState
from seawall.status.regulators.conditions import Condition, Met, missing_of
from seawall.status.regulators.drafts import Draft
from seawall.status.regulators.duties import Duty

_MET: Final = {Met.YES: "[red]met[/]", Met.NO: "[green]not met[/]", Met.UNKNOWN: "[yellow]?[/]"}
_OUTCOME: Final = {
    Outcome.MAJOR: "[bold red]major[/]",
    Outcome.CANNOT_TELL: "[bold yellow]cannot be told yet[/]",
    Outcome.NOT_MAJOR: "[bold green]not major[/]",
}
_STATE: Final = {
    TimerState.DONE: "[green]done[/]",
    TimerState.DONE_LATE: "[red]done late[/]",
    TimerState.RUNNING: "[yellow]running[/]",
    TimerState.OVERDUE: "[bold red]overdue[/]",
    TimerState.NO_LIMIT: "[yellow]at once[/]",
    TimerState.WAITING: "waiting",
}
_UNDER: Final = {
    Met.YES: "",
    Met.NO: " The entity is stated not to be under DORA.",
    Met.UNKNOWN: " Whether the entity is under DORA is not stated.",
}


def verdict(found: Draft) -> str:
    """Return the class in one line."""
    classification = found.classification
    return (
        f"Incident {found.incident} under DORA: {_OUTCOME[classification.outcome]},"
        f" as of {moment(found.made_ns)}.{_UNDER[classification.under_dora]}"
    )


def criteria_table(found: Classification) -> Table:
    """Show each criterion, and under it its conditions with what was stated."""
    table = Table("criterion", "", "source", "stated, or missing", box=None)
    for each in found.criteria:
        table.add_row(f"[bold]{escape(each.title)}[/]", _MET[each.met], escape(each.source), "")
        for condition in each.conditions:
            table.add_row(
                f"  {escape(condition.text)}", _MET[condition.met], escape(condition.source),
                _stated(condition),
            )  # fmt: skip
    return table


def clocks_table(timers: Iterable[Timer]) -> Table:
    """Show when each report is due."""
    table = Table("report", "rule", "clock", "due", "left", "handed in", "note", box=None)
    for each in timers:
        table.add_row(
            escape(each.title) + ("" if each.needed is Met.YES else " [yellow](if it applies)[/]"),
            escape(each.source),
            _STATE[each.state],
            _due(each),
            _left(each),
            moment(each.done_ns) if each.done_ns else "",
            escape(each.note),
        )
    return table


def duties_table(duties: Iterable[Duty]) -> Table:
    """Show what other rules ask, where that is not excluded."""
    table = Table("duty", "", "source", "limit", "missing", box=None)
    for each in duties:
        missing = escape(", ".join(each.missing))
        table.add_row(
            escape(each.title), "[red]applies[/]" if each.met is Met.YES else "[yellow]?[/]",
            escape(each.source), escape(each.limit), missing,
        )  # fmt: skip
    return table


def _stated(condition: Condition) -> str:
    missing = missing_of([condition])
    told = escape(condition.value)
    if missing:
        told += f"{' ' if told else ''}[yellow]not stated: {escape(', '.join(missing))}[/]"
    return told


def _due(timer: Timer) -> str:
    if not timer.due_ns:
        return ""
    return moment(timer.due_ns) + (" at the latest" if timer.projected else "")


def _left(timer: Timer) -> str:
    if not timer.due_ns or timer.done_ns:
        return ""
    if timer.state is TimerState.OVERDUE:
        return "[red]none[/]"
    return span(timer.left_ns) if timer.left_ns else ""
