"""`seawall watch board`.  The rule: exit 0 only when all could be seen and nobody is in trouble."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.live import Live

from seawall.cli.board_file import read_board
from seawall.cli.board_table import line, state, table
from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, notes, print_json
from seawall.model.watch_facts import Health
from seawall.watch.board import Board
from seawall.watch.board_page import create_app, write
from seawall.watch.board_watch import BoardWatch
from seawall.watch.page import listen, serving

REDRAW_S = 1
WRITE_EVERY_S = 10


def board(
    *,
    config: Annotated[Path, Parameter(name="--config")],
    serve: Annotated[int | None, Parameter(name="--serve")] = None,
    out: Annotated[Path | None, Parameter(name="--out")] = None,
    once: Annotated[bool, Parameter(name="--once", negative=())] = False,
    json: Json = False,
) -> int:
    """Show which clouds, exchanges, wallets and analytics sites are in trouble together.

    Parameters
    ----------
    config
        TOML file of who is watched and by which feeds; docs/operating/board.md has a whole one.
    serve
        Show a page and /api/board on this port of 127.0.0.1; 0 takes a free one.
    out
        Write the page in both languages, and board.json, into this folder.
    once
        Look once, print, and end. Exit 0: all calm; 1: someone is in trouble; 3: not all is known.
    """
    if json and not once:
        raise CliError(
            "A watch that goes on has no one document to print.",
            "Add --once, or --serve PORT and read /api/board.",
            Exit.USAGE,
        )
    if once and serve is not None:
        raise CliError("One look serves no page.", "Leave --once away, or use --out.", Exit.USAGE)
    told = read_board(config)
    try:
        watch = BoardWatch(told.settings, keep=told.keep, keys=told.keys)
    except OSError as error:
        raise CliError(
            f"Answers cannot be kept: {error}", "Mend `keep`.", Exit.UNREACHABLE
        ) from None
    if once:
        found = asyncio.run(_once(watch))
        if out is not None:
            _write(found, out)
        if json:
            print_json(found)
        else:
            human.print(table(found))
        return exit_code(found)
    return asyncio.run(_live(watch, serve, out))


def exit_code(found: Board) -> int:
    """Return what the board means to a program."""
    healths = {party.health for party in found.parties}
    if healths & {Health.DEGRADED, Health.DOWN}:
        return int(Exit.FAILED)
    return int(Exit.UNREACHABLE if Health.UNKNOWN in healths else Exit.OK)


def _write(found: Board, out: Path) -> None:
    try:
        write(found, out)
    except OSError as error:
        raise CliError(
            f"{out} cannot be written: {error}", "Name a folder with --out.", Exit.UNREACHABLE
        ) from None


async def _once(watch: BoardWatch) -> Board:
    try:
        return await watch.once()
    finally:
        await watch.close()


async def _live(watch: BoardWatch, port: int | None, out: Path | None) -> int:
    """Watch until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(watch.close)
        if port is not None:
            try:
                page = serving(create_app(watch.board), listen(port))
            except OSError as error:
                raise CliError(
                    f"Port {port} cannot be had: {error.strerror}.", "Name another, or 0.",
                    Exit.USAGE,
                ) from None  # fmt: skip
            url = await stack.enter_async_context(page)
            notes.print(f"Page: {url}   JSON: {url}api/board   (Ctrl-C ends)")
        await _show(watch, stop, out)
    return int(Exit.OK)


async def _show(watch: BoardWatch, stop: asyncio.Event, out: Path | None) -> None:
    work = asyncio.create_task(watch.run())
    ended = asyncio.create_task(stop.wait())
    said: tuple[object, ...] = ()
    rounds = 0
    live = Live(console=human, refresh_per_second=1) if human.is_terminal else None
    try:
        with live or contextlib.nullcontext():
            while not (
                await asyncio.wait(
                    [work, ended], timeout=REDRAW_S, return_when=asyncio.FIRST_COMPLETED
                )
            )[0]:
                found = watch.board()
                if out is not None and rounds % WRITE_EVERY_S == 0:
                    _write(found, out)
                rounds += 1
                if live is not None:
                    live.update(table(found))
                elif state(found) != said:
                    # Where nobody looks, a line for each change.
                    human.print(line(found), markup=False)
                said = state(found)
        if work.done():
            await work
    finally:
        for task in (work, ended):
            task.cancel()
        await asyncio.gather(work, ended, return_exceptions=True)
