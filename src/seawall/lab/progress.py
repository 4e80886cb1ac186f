"""How long-running lab work says how far it is.  The rule: work reports, it never prints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much there is (0: unknown)."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report to nobody."""


@contextmanager
def bar() -> Iterator[Progress]:
    """Show progress as a bar on standard error, so that standard output stays the result."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, description=what, completed=done, total=total or None)

        yield show
