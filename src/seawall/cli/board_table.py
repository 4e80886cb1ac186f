"""`seawall watch board` in a terminal.  The rule: causes first, then everyone, the worst first."""

from typing import Final

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from seawall.model.watch_facts import GRAVITY, Health
from seawall.watch import board_words as words
from seawall.watch.board import Board, Party, Together
from seawall.watch.board_settings import Group

LANGUAGE: Final = "en"
COLOURS: Final = {
    Health.OK: "green",
    Health.DEGRADED: "yellow",
    Health.DOWN: "red",
    Health.MAINTENANCE: "blue",
    Health.UNKNOWN: "bright_black",
}
W: Final = words.ENGLISH


def table(board: Board) -> RenderableType:
    """Return the whole board."""
    parts: list[RenderableType] = [
        Text(words.headline(board, LANGUAGE), style=f"bold {COLOURS[board.health]}"),
        Text(words.explanation(board, LANGUAGE)),
        Text(),
    ]
    for each in board.together:
        parts += [_together(each), Text()]
    if board.providers:
        told = "   ".join(
            f"{escape(each.name)} {_state(each.health)} [dim]({escape(', '.join(each.feeds))})[/]"
            for each in board.providers
        )
        parts += [Text.from_markup(f"{W['providers']}: {told}"), Text()]
    parts.append(_parties(board))
    return Panel(
        Lines(*parts),
        title=f"[bold]{W['title']}[/] [dim]{words.moment(board.at_ns, LANGUAGE)}[/]",
        title_align="left",
        border_style=COLOURS[board.health],
        padding=(1, 2),
    )


def line(board: Board) -> str:
    """Return one line for a log."""
    ill = ", ".join(f"{party.name} {party.health}" for party in words.troubled(board))
    causes = "; ".join(
        f"{W[each.confidence].lower()}{f' {each.cause}' if each.cause else ''}:"
        f" {', '.join(each.parties)}"
        for each in board.together
    )
    parts = [words.moment(board.at_ns, LANGUAGE), words.headline(board, LANGUAGE), ill, causes]
    return " | ".join(part for part in parts if part)


def state(board: Board) -> tuple[object, ...]:
    """Return what a new line is written for when it changes."""
    return (
        tuple((party.name, party.health) for party in board.parties),
        tuple((each.cause, each.parties, each.confidence) for each in board.together),
    )


def _state(health: Health) -> str:
    return f"[{COLOURS[health]}]{W[health].lower()}[/]"


def _together(each: Together) -> Text:
    cause = f": [bold]{escape(each.cause)}[/]" if each.cause else ""
    title = f"\n  {escape(each.title)}" if each.title else ""
    return Text.from_markup(
        f"[bold yellow]{W[each.confidence]}[/]{cause}{title}\n"
        f"  {escape(', '.join(each.parties))}  [dim]since"
        f" {words.moment(each.since_ns, LANGUAGE)}[/]\n"
        f"  [dim]{W[f'{each.confidence}.']}[/]"
    )


def _parties(board: Board) -> Table:
    shown = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "", "since", "what is told"):
        shown.add_column(heading, overflow="fold", no_wrap=heading == "since")
    for group in Group:
        members = [party for party in board.parties if party.group is group]
        if members:
            shown.add_row(f"[dim]{W[group]}[/]")
        for party in sorted(members, key=lambda each: -GRAVITY.index(each.health)):
            since = "" if party.since_ns is None else words.moment(party.since_ns, LANGUAGE)
            shown.add_row(f"  {escape(party.name)}", _state(party.health), since, _told(party))
    return shown


def _told(party: Party) -> str:
    lines = []
    for fact in party.facts[:2]:
        place = words.place(fact)
        lines.append(escape(fact.title) + (f" [dim]{escape(place)}[/]" if place else ""))
    if len(party.facts) > 2:
        lines.append(f"[dim]+{len(party.facts) - 2} more[/]")
    if party.health is not Health.OK and (doubts := words.doubts(party, LANGUAGE)):
        lines.append(f"[dim]{escape(doubts)}[/]")
    return "\n".join(lines)
