"""`seawall watch`.  The rule: exit 0 only for a wallet that was seen to send as usual."""

import asyncio
import contextlib
import signal
from enum import IntEnum
from typing import Annotated

from cyclopts import Parameter
from eth_utils.address import is_address, is_checksum_address, to_checksum_address
from rich.live import Live

from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, notes, print_json
from seawall.cli.watch_table import line, table
from seawall.watch.chain_silence import THRESHOLD, WEEKS, Verdict
from seawall.watch.page import create_app, listen, serving
from seawall.watch.rpc import RpcError
from seawall.watch.wallet import Report, WalletWatch, WatchError, WatchSettings

WEEKS_MOST = 52
REDRAW_PER_S = 2
ADVICE = "docs/operating/watch.md says what can be watched."


def wallet(
    address: str,
    *,
    rpc: Annotated[tuple[str, ...], Parameter(name="--rpc", negative=())],
    threshold: float = THRESHOLD,
    history_weeks: int = WEEKS,
    serve: Annotated[int | None, Parameter(name="--serve")] = None,
    once: Annotated[bool, Parameter(name="--once", negative=())] = False,
    json: Json = False,
) -> int:
    """Watch any wallet of an EVM chain, and say when it has gone silent.

    Parameters
    ----------
    address
        The wallet: an account with a key, not a contract.
    rpc
        An endpoint of a node, such as http://127.0.0.1:8545; repeat it for more.
    threshold
        The probability below which a silence is no chance.
    history_weeks
        How many weeks of its past to learn from.
    serve
        Show a page and /api/wallet on this port of 127.0.0.1; 0 takes a free one.
    once
        Look once, print, and end. Exit 0: it sends as usual; 1: it is silent; 3: not to be told.
    """
    if json and not once:
        raise CliError(
            "A watch that goes on has no one document to print.",
            "Add --once, or --serve PORT and read /api/wallet.",
            Exit.USAGE,
        )
    watch = _watch(address, rpc, threshold, history_weeks)
    if once:
        report = asyncio.run(_once(watch, quiet=json))
        if json:
            print_json(report)
        else:
            human.print(table(report))
        return exit_code(report)
    return asyncio.run(_live(watch, serve))


def exit_code(report: Report) -> int:
    """Return what the verdict means to a program."""
    codes: dict[Verdict, IntEnum] = {Verdict.ACTIVE: Exit.OK, Verdict.WALLET_SILENT: Exit.FAILED}
    return int(codes.get(report.assessment.verdict, Exit.UNREACHABLE))


def _watch(address: str, rpc: tuple[str, ...], threshold: float, weeks: int) -> WalletWatch:
    mixed = address.removeprefix("0x") not in {address[2:].lower(), address[2:].upper()}
    if not is_address(address) or (mixed and not is_checksum_address(address)):
        raise CliError(
            f"{address} is no address of an EVM chain, or its checksum is wrong.",
            "Addresses of Litecoin, Bitcoin and their like cannot be watched.",
            Exit.USAGE,
        )
    if not 0 < threshold < 1 or not 1 <= weeks <= WEEKS_MOST:
        raise CliError(
            "The threshold lies between 0 and 1, the history has 1 to 52 weeks.",
            "Usual are --threshold 1e-4 and --history-weeks 4.",
            Exit.USAGE,
        )
    try:
        return WalletWatch(
            WatchSettings(
                wallet=to_checksum_address(address), urls=rpc, threshold=threshold, weeks=weeks
            )
        )
    except RpcError as error:
        raise CliError(
            f"--rpc: {error}.", "Name it like http://127.0.0.1:8545 .", Exit.USAGE
        ) from None


async def _once(watch: WalletWatch, *, quiet: bool) -> Report:
    work = asyncio.create_task(watch.once())
    try:
        if not quiet and notes.is_terminal:
            with notes.status("Looking …") as status:
                while not (await asyncio.wait([work], timeout=0.2))[0]:
                    status.update(f"Reading its past … {watch.report().history.progress:.0%}")
        return await work
    except WatchError as error:
        raise CliError(str(error), ADVICE, Exit.USAGE) from None
    finally:
        await watch.close()


async def _live(watch: WalletWatch, port: int | None) -> int:
    """Watch until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with contextlib.AsyncExitStack() as stack:
            url = "" if port is None else await stack.enter_async_context(_page(watch, port))
            await _show(watch, stop, url)
    except WatchError as error:
        raise CliError(str(error), ADVICE, Exit.USAGE) from None
    finally:
        await watch.close()
    return int(Exit.OK)


def _page(watch: WalletWatch, port: int) -> contextlib.AbstractAsyncContextManager[str]:
    try:
        return serving(create_app(watch.report), listen(port))
    except OSError as error:
        raise CliError(
            f"Port {port} cannot be had: {error.strerror}.", "Name another, or 0.", Exit.USAGE
        ) from None


async def _show(watch: WalletWatch, stop: asyncio.Event, url: str) -> None:
    work = asyncio.create_task(watch.run())
    ended = asyncio.create_task(stop.wait())
    if url:
        notes.print(f"Page: {url}   JSON: {url}api/wallet   (Ctrl-C ends)")
    said: Verdict | None = None
    live = Live(console=human, refresh_per_second=REDRAW_PER_S) if human.is_terminal else None
    try:
        with live or contextlib.nullcontext():
            while not (
                await asyncio.wait([work, ended], timeout=1, return_when=asyncio.FIRST_COMPLETED)
            )[0]:
                report = watch.report()
                if live is not None:
                    live.update(table(report))
                elif report.assessment.verdict is not said:
                    # Where nobody looks, a line for each change.
                    human.print(line(report))
                said = report.assessment.verdict
        if work.done():
            await work
    finally:
        for task in (work, ended):
            task.cancel()
        await asyncio.gather(work, ended, return_exceptions=True)
