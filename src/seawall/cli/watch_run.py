"""One watcher as a process.  The rule: whatever it needs is there before it looks at anything."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any, Final

import structlog
from msgspec import Struct

from seawall.cli.board_file import read_board
from seawall.cli.configuration import ConfigurationError
from seawall.cli.output import CliError, Exit
from seawall.model.signals import SignalKind
from seawall.node.topology_file import TopologyFile
from seawall.watch.aims import Aims, Place
from seawall.watch.feeds.feed import Feed
from seawall.watch.feeds.keep import Payloads
from seawall.watch.feeds.poll import FeedWatch
from seawall.watch.page import listen, serving
from seawall.watch.patrol import Explaining, Patrol
from seawall.watch.probes.candles import Reference
from seawall.watch.probes.public_api import NoKeyError
from seawall.watch.probes.public_api import read_key as read_api_key
from seawall.watch.probes.tls import TlsFiles
from seawall.watch.report_reader import NoTokenError, ReportReader, read_token
from seawall.watch.report_store import ReportStore
from seawall.watch.reporter import Delivery, Reporter
from seawall.watch.signing import Numbers, SigningError, read_key
from seawall.watch.venue_looks import VenueWatch
from seawall.watch.watch_page import WatchTold, create_app, told
from seawall.watch.watch_settings import WatchSettings, WatchSettingsError
from seawall.watch.watcher import WatcherTerms

REDRAW_S: Final = 0.5
USERS_ADVICE: Final = "Make one with `seawall operators add NAME --role viewer`; chmod 600 it."
KEY_ADVICE: Final = "Make one with `seawall watch key NAME`, and register its public half."

log = structlog.stdlib.get_logger(__name__)


class WatchPlan(Struct, frozen=True, kw_only=True):
    """What one watcher is to do."""

    file: TopologyFile
    settings: WatchSettings
    name: str
    provider: str
    data: Path
    report_to: tuple[str, ...]
    serve: int | None = None


def key_file(data: Path, name: str) -> Path:
    """Return where a watcher's key lies."""
    return data / "watch" / f"{name}.key"


async def run_watch(
    plan: WatchPlan,
    show: Callable[[WatchTold], None],
    on_start: Callable[[str], None],
) -> int:
    """Watch until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        patrol, reporter = await _compose(plan, stack)

        def ask() -> WatchTold:
            return told(plan.name, patrol.rows(), reporter)

        url = ""
        if plan.serve is not None:
            url = await stack.enter_async_context(serving(create_app(ask), _listen(plan.serve)))
        on_start(url)
        work: asyncio.Future[Any] = asyncio.gather(patrol.run(), reporter.run())
        ended: asyncio.Future[Any] = asyncio.create_task(stop.wait())
        try:
            while not (
                await asyncio.wait(
                    [work, ended], timeout=REDRAW_S, return_when=asyncio.FIRST_COMPLETED
                )
            )[0]:
                show(ask())
            if work.done():
                await work
        finally:
            work.cancel()
            ended.cancel()
            await asyncio.gather(work, ended, return_exceptions=True)
    return int(Exit.OK)


async def _compose(plan: WatchPlan, stack: contextlib.AsyncExitStack) -> tuple[Patrol, Reporter]:
    topology = plan.file.topology
    folder = plan.data / "watch"
    try:
        plan.settings.check([each.name for each in topology.provider])
        key = read_key(key_file(plan.data, plan.name))
        numbers = Numbers(folder / f"{plan.name}.number", time.time_ns)
        stack.callback(numbers.close)
        api_file = plan.settings.key_file
        place = Place(
            name=plan.name, provider=plan.provider, folder=folder, files=_tls(plan),
            key=read_api_key(plan.data / api_file) if api_file else None, wall_ns=time.time_ns,
        )  # fmt: skip
    except WatchSettingsError as error:
        raise ConfigurationError(
            f"[watch] {error}", "docs/operating/watchers.md has all."
        ) from None
    except SigningError as error:
        raise CliError(str(error), KEY_ADVICE, Exit.USAGE) from None
    except NoKeyError as error:
        raise CliError(str(error), "Make one with `seawall keys create`.", Exit.USAGE) from None
    explaining_by, reference = _explaining(plan)
    aims = Aims(plan.settings, topology, place, reference)
    stack.push_async_callback(aims.close)
    gateways = (
        plan.report_to
        or plan.settings.report_to
        # Its own provider's first: if that is cut off, so is the watcher.
        or tuple(
            f"http://{node.gateway}"
            for node in sorted(topology.node, key=lambda node: node.provider != plan.provider)
        )
    )
    reporter = Reporter(gateways, key, told=_note())
    stack.push_async_callback(reporter.close)
    terms = WatcherTerms(
        name=plan.name, provider=plan.provider,
        providers=tuple(each.name for each in topology.provider),
        clock_ms=plan.settings.clock_ms,
        every_ns=plan.settings.every_ms * 1_000_000,
        timeout_ns=plan.settings.timeout_ms * 1_000_000,
    )  # fmt: skip
    patrol = Patrol(
        terms, aims.targets, number=numbers.next, send=reporter.put, explaining_by=explaining_by,
        users=_users(plan),
    )  # fmt: skip
    stack.push_async_callback(patrol.close)
    return patrol, reporter


def _tls(plan: WatchPlan) -> TlsFiles | None:
    """Return the watcher's certificate: its own, or that of the node where it stands."""
    topology = plan.file.topology
    names = [plan.name]
    names += [node.name for node in topology.node if node.provider == plan.provider]
    names += [member.name for member in topology.etcd if member.provider == plan.provider]
    for name in names:
        paths = plan.file.tls(name)
        if paths is None:
            return None
        if paths.certificate.is_file() and paths.key.is_file():
            return TlsFiles(ca=paths.ca, certificate=paths.certificate, key=paths.key)
    raise CliError(
        f"The topology has TLS, and there is no certificate for {names[0]}.",
        "Put one where the topology's [tls] says, or stand at a provider whose node has one.",
        Exit.USAGE,
    )


def _explaining(
    plan: WatchPlan,
) -> tuple[list[tuple[SignalKind, Explaining]], Reference | None]:
    """Return feeds and venues of the board's table, and the price that the venues tell."""
    if not plan.settings.board:
        return [], None
    board = read_board(plan.data / plan.settings.board)
    payloads = None if board.keep is None else Payloads(board.keep)
    feeds = [
        Feed(row, payloads=payloads, key=board.keys.get(row.name, ""))
        for row in board.settings.feed
    ]
    found: list[tuple[SignalKind, Explaining]] = []
    if feeds:
        found.append((SignalKind.FEED, FeedWatch(feeds)))
    if not board.settings.venue:
        return found, None
    venues = VenueWatch(board.settings.venue)
    found.append((SignalKind.VENUE, venues))

    async def reference() -> float | None:
        return venues.price(plan.settings.symbol)

    return found, reference


def _users(plan: WatchPlan) -> ReportReader | None:
    """Return who reads users' reports at every node's gateway, if a token for it is named."""
    if not plan.settings.users_token:
        return None
    try:
        token = read_token(plan.data / plan.settings.users_token)
    except NoTokenError as error:
        raise CliError(f"users_token: {error}", USERS_ADVICE, Exit.USAGE) from None
    gateways = {node.name: f"http://{node.gateway}" for node in plan.file.topology.node}
    store = ReportStore(plan.data / "watch" / f"{plan.name}.users.json")
    return ReportReader(gateways, token, store)


def _note() -> Callable[[Delivery], None]:
    """Return what logs a report that did not arrive, and the first one after it that did."""
    said = ""

    def note(delivery: Delivery) -> None:
        nonlocal said
        if delivery.accepted and said:
            log.info("reports arrive again", gateway=delivery.gateway)
        elif not delivery.accepted and delivery.detail != said:
            log.warning("a report did not arrive", reason=delivery.detail)
        said = "" if delivery.accepted else delivery.detail

    return note


def _listen(port: int) -> socket:
    try:
        return listen(port)
    except OSError as error:
        raise CliError(
            f"Port {port} cannot be had: {error.strerror}.", "Name another, or 0.", Exit.USAGE
        ) from None
