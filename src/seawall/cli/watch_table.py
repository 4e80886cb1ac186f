"""`seawall watch wallet` in a terminal.  The rule: the verdict stands first, in words."""

from typing import Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seawall.watch import words
from seawall.watch.chain_silence import Reason, Verdict
from seawall.watch.pulse import Health
from seawall.watch.wallet import Report

COLOURS: Final = {
    Verdict.ACTIVE: "green",
    Verdict.WALLET_SILENT: "red",
    Verdict.NODE_STALLED: "yellow",
    Verdict.NODE_BEHIND: "yellow",
    Verdict.ENDPOINTS_DISAGREE: "yellow",
    Verdict.UNKNOWN: "bright_black",
}
LANGUAGE: Final = "en"


def table(report: Report) -> RenderableType:
    """Return everything that is known."""
    assessment = report.assessment
    colour = COLOURS[assessment.verdict]
    parts: list[RenderableType] = [
        Text(words.headline(report, LANGUAGE), style=f"bold {colour}"),
        Text(words.explanation(report, LANGUAGE)),
        Text(),
    ]
    if assessment.reason is Reason.LEARNING:
        parts += [ProgressBar(total=1, completed=report.history.progress, width=40), Text()]
    return Panel(
        Group(*parts, _facts(report), Text(), _endpoints(report)),
        title=f"[bold]{report.wallet}[/]",
        title_align="left",
        border_style=colour,
        padding=(1, 2),
    )


def line(report: Report) -> str:
    """Return one line for a log."""
    return (
        f"{words.moment(report.at_s, LANGUAGE)} {words.headline(report, LANGUAGE)}:"
        f" {words.explanation(report, LANGUAGE)}"
    )


def _facts(report: Report) -> Table:
    assessment, history = report.assessment, report.history
    shown = Table.grid(padding=(0, 3))
    shown.add_column(style="dim")
    shown.add_column(overflow="fold")
    shown.add_row("last sent", _last(report))
    shown.add_row("silent for", words.span(assessment.silence_s, LANGUAGE))
    shown.add_row(
        "chance of that",
        f"{words.chance(assessment.probability, LANGUAGE)}"
        f" [dim](silent below {words.chance(assessment.threshold, LANGUAGE)})[/]",
    )
    shown.add_row("usual now", f"{words.rate(assessment.expected_per_hour, LANGUAGE)} per hour")
    if assessment.silent_since_s is not None:
        shown.add_row("beyond chance since", words.moment(assessment.silent_since_s, LANGUAGE))
    else:
        shown.add_row("named silent at", words.moment(assessment.alarm_at_s, LANGUAGE))
    shown.add_row(
        "learned from",
        f"{history.transactions:,} transactions since {words.moment(history.since_s, LANGUAGE)}",
    )
    if assessment.false_alarms_per_year is not None:
        shown.add_row(
            "false alarms", f"{words.rate(assessment.false_alarms_per_year, LANGUAGE)} a year"
        )
    if history.archive is False:
        shown.add_row("note", words.ENGLISH["no_archive"])
    if history.trouble:
        shown.add_row("trouble", escape(history.trouble))
    return shown


def _last(report: Report) -> str:
    last = report.last
    if last is None:
        return words.ENGLISH["nothing"]
    target = f" to {last.to}" if last.to else ""
    failed = " (it failed)" if last.failed else ""
    return (
        f"[bold]{escape(words.moved_what(last, LANGUAGE))}[/]{target}{failed}\n"
        f"[dim]{words.moment(last.at_s, LANGUAGE)} in {escape(last.tx_id)}[/]"
    )


def _endpoints(report: Report) -> Table:
    shown = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("endpoint", "state", "block", "newest block's age", ""):
        shown.add_column(heading)
    for each in report.assessment.endpoints:
        colour = "green" if each.health is Health.CURRENT else "yellow"
        age_s = None if each.block_at_s is None else max(report.at_s - each.block_at_s, 0)
        shown.add_row(
            escape(each.name),
            f"[{colour}]{words.ENGLISH[f'health.{each.health}']}[/]",
            "unknown" if each.block is None else f"{each.block:,}",
            words.span(age_s, LANGUAGE),
            escape(each.trouble),
        )
    return shown
