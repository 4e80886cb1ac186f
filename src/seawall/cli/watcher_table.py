"""`seawall watch run` in a terminal.  The rule: the worst first, and what became of the reports."""

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from seawall.cli.board_table import COLOURS
from seawall.model.watch_facts import GRAVITY, Health
from seawall.watch.reporter import Delivery
from seawall.watch.watch_page import WatchTold
from seawall.watch.watcher import Row


def table(told: WatchTold) -> RenderableType:
    """Return the whole picture."""
    shown = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "", "phi", "p50 ms", "p99 ms", "what is seen"):
        number = heading in {"phi", "p50 ms", "p99 ms"}
        shown.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in sorted(told.rows, key=lambda row: -GRAVITY.index(row.signal.health)):
        shown.add_row(*_cells(row))
    worst = max((row.signal.health for row in told.rows), key=GRAVITY.index, default=Health.UNKNOWN)
    return Panel(
        Lines(shown, Text(), Text(_reports(told), style="dim")),
        title=f"[bold]{escape(told.watcher)}[/]",
        title_align="left",
        border_style=COLOURS[worst],
        padding=(1, 2),
    )


def _cells(row: Row) -> tuple[str, ...]:
    signal = row.signal
    colour = COLOURS[signal.health]
    return (
        escape(signal.dependency),
        f"[{colour}]{signal.health}[/]",
        f"{signal.suspicion_milli / 1000:.1f}" if signal.suspicion_milli else "",
        f"{row.p50_ms:.1f}" if row.p50_ms else "",
        f"{row.p99_ms:.1f}" if row.p99_ms else "",
        escape(signal.detail),
    )


def _reports(told: WatchTold) -> str:
    counted = f"reports: {told.accepted:,} taken, {told.refused:,} refused, {told.lost:,} lost"
    if told.last is None:
        return f"{counted}; none was sent yet"
    return f"{counted}; {outcome(told.last)}"


def outcome(delivery: Delivery) -> str:
    """Return what became of one report, for people."""
    if delivery.accepted:
        return f"the last went to {delivery.gateway} in {delivery.took_ns / 1e6:.0f} ms"
    return f"the last: {delivery.detail}"
