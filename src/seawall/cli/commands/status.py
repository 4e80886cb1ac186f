"""`seawall status`.  The rule: exit 0 only for a site that is whole and current everywhere."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Annotated

import httpx
from cyclopts import Parameter
from msgspec import structs
from rich.markup import escape
from rich.table import Table

from seawall.cli import log
from seawall.cli.configuration import load
from seawall.cli.options import Config, Json
from seawall.cli.output import CliError, Exit, human, notes, print_json
from seawall.model.status_document import StatusDocument
from seawall.status import gateways
from seawall.status.check import SHOWN, Copy, check
from seawall.status.gateways import DocumentError, decode, fetch
from seawall.status.preview import create_app
from seawall.status.publisher import Publisher
from seawall.status.running import StatusRun
from seawall.status.settings import StatusSettings, TargetSettings
from seawall.status.site import SiteSettings, build
from seawall.status.targets import FAULTS, Folder
from seawall.status.words import Words
from seawall.watch.page import listen, serving

AGES = Words("en")
ADVICE = "docs/operating/status-site.md has a whole [status]."


def run(
    *,
    config: Config = None,
    listen_at: Annotated[str, Parameter(name="--listen")] = "",
    anew: Annotated[bool, Parameter(name="--anew", negative=())] = False,
) -> int:
    """Keep the public status site current at every target, and tell subscribers, until Ctrl-C.

    Parameters
    ----------
    listen_at
        Show the site on this machine too, as 127.0.0.1:PORT; port 0 takes a free one.
    anew
        Forget the last document, and replace what is published even by older word: for an
        exchange whose journals have begun anew.
    """
    whole = load(config, os.environ)
    settings = whole.status
    if not settings.gateways or not settings.target:
        raise CliError(
            "[status] names no gateway to ask, or no target to put the site at.", ADVICE, Exit.USAGE
        )
    if len(settings.target) == 1:
        notes.print("One target only: the site stands no longer than that does.")
    port = None if not listen_at else _port(listen_at)
    log.set_up(structs.replace(whole.log, to="stderr"), Path(settings.data))
    return asyncio.run(_run(settings, port, anew=anew))


def build_once(
    source: str,
    *,
    out: Annotated[Path, Parameter(name="--out")],
    url: Annotated[str, Parameter(name="--url")] = "",
    config: Config = None,
    json: Json = False,
) -> int:
    """Build the site once into a folder.

    Parameters
    ----------
    source
        A status document's file, its URL, or a gateway's.
    out
        The folder.
    url
        Where readers will find it; the configuration's `status.url` otherwise.
    """
    settings = load(config, os.environ).status
    document = asyncio.run(read_document(source))
    told = SiteSettings(name=settings.name, url=url or settings.url, stale_s=settings.stale_s)
    site = build(document, time.time_ns(), told)
    publisher = Publisher(Folder(f"file:{out}"), anew=True)
    try:
        asyncio.run(publisher.publish(site))
    except FAULTS as error:
        raise CliError(
            f"{out} cannot be written: {error}", "Name another folder.", Exit.UNREACHABLE
        ) from None
    if json:
        print_json({"out": out, "files": len(site), "sequence": document.sequence})
    else:
        human.print(f"{len(site)} files in {escape(str(out))}, of entry {document.sequence}.")
    return int(Exit.OK)


def check_copies(
    *places: str,
    config: Config = None,
    stale_s: Annotated[int | None, Parameter(name="--stale-s")] = None,
    json: Json = False,
) -> int:
    """Read published copies as a reader would, and say whether they are whole and current.

    Parameters
    ----------
    places
        URLs or folders; without any, the targets of the configuration.
    stale_s
        Data older than this is out of date; the configuration's `status.stale_s` otherwise.
    """
    settings = load(config, os.environ).status
    wanted = [TargetSettings(url=_place(each)) for each in places] or list(settings.target)
    if not wanted:
        raise CliError("Nothing to check is named.", "Name a URL or a folder.", Exit.USAGE)
    most_s = settings.stale_s if stale_s is None else stale_s
    copies = asyncio.run(_check(wanted, most_s))
    if json:
        print_json({"copies": copies, "right": all(copy.right for copy in copies)})
    else:
        human.print(_table(copies))
    if all(copy.fault for copy in copies):
        return int(Exit.UNREACHABLE)
    return int(Exit.OK if all(copy.right for copy in copies) else Exit.FAILED)


def _place(text: str) -> str:
    return text if ":" in text else f"file:{text}"


def _port(text: str) -> int:
    host, _, port = text.rpartition(":")
    if host not in {"127.0.0.1", "localhost"} or not port.isdigit():
        raise CliError(
            f"--listen {text}: the site is shown on this machine only.",
            "Write 127.0.0.1:PORT; readers read the targets.",
            Exit.USAGE,
        )
    return int(port)


async def _run(settings: StatusSettings, port: int | None, *, anew: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        try:
            running = StatusRun(settings, client=client, now_ns=time.time_ns, anew=anew)
        except (ValueError, OSError) as error:
            raise CliError(str(error), ADVICE, Exit.USAGE) from None
        if port is not None:
            try:
                page = serving(create_app(lambda: running.site), listen(port))
            except OSError as error:
                raise CliError(
                    f"Port {port} cannot be had: {error.strerror}.", "Name another, or 0.",
                    Exit.USAGE,
                ) from None  # fmt: skip
            url = await stack.enter_async_context(page)
            notes.print(f"Page: {url}   (Ctrl-C ends)")
        await running.run(stop)
    return int(Exit.OK)


async def read_document(source: str) -> StatusDocument:
    """Return the document of a file, a URL or a gateway, or raise CliError."""
    try:
        if not source.startswith(("http://", "https://")):
            return decode(await asyncio.to_thread(Path(source).read_bytes))
        url = httpx.URL(source)
        if url.path in {"", "/"}:
            url = url.copy_with(path=gateways.PATH)
        async with httpx.AsyncClient() as client:
            return decode(await fetch(client, str(url)))
    except (DocumentError, OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise CliError(
            f"{source}: {error}", "Name a status document, or a gateway.", Exit.UNREACHABLE
        ) from None


async def _check(places: list[TargetSettings], stale_s: int) -> list[Copy]:
    async with httpx.AsyncClient() as client:
        return await check(places, client, time.time_ns(), stale_s)


def _table(copies: list[Copy]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("copy", "entry", "age", "files", "verdict"):
        table.add_column(name, justify="right" if name in {"entry", "age", "files"} else "left")
    for copy in copies:
        if copy.fault:
            table.add_row(
                escape(copy.place), "", "", "", f"[red]not readable[/]: {escape(copy.fault)}"
            )
            continue
        table.add_row(
            escape(copy.place), str(copy.sequence), AGES.duration(copy.age_s), str(copy.files),
            _verdict(copy),
        )  # fmt: skip
    return table


def _verdict(copy: Copy) -> str:
    told = []
    if copy.wrong:
        more = ", …" if len(copy.wrong) > SHOWN else ""
        named = ", ".join(copy.wrong[:SHOWN])
        told.append(f"[red]{len(copy.wrong)} files differ[/]: {escape(named)}{more}")
    if copy.stale:
        told.append("[red]out of date[/]")
    if copy.behind:
        told.append("[red]behind the others[/]")
    return "; ".join(told) or "[green]whole and current[/]"
