"""The composition root: one exchange, from configuration to clean stop.  The rule: parts meet here.

Starts in the order of dependence (directory, journals, listings, gateway, demo) and stops in the
reverse.  A cell that stops by itself ends the process with exit code 1: whoever supervises it
starts it again, and the journal has everything that was acknowledged.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from seawall import __version__
from seawall.cli import log
from seawall.cli.bootstrap import bootstrap
from seawall.cli.control import bootstrap_control
from seawall.cli.demo import demo_market
from seawall.cli.demo_status import demo_status
from seawall.cli.funding_definitions import has_demo_chain
from seawall.cli.output import CliError, Exit
from seawall.cli.running import Running, forget_running, locked, write_running
from seawall.cli.settings import Configuration
from seawall.cli.telemetry import traced
from seawall.gateway.app import create_app
from seawall.gateway.server import GatewayServer
from seawall.gateway.settings import GatewaySettings
from seawall.journal.port import JournalError
from seawall.lib.invariants import InvariantError
from seawall.node.node import Node, NodeSettings
from seawall.web.site import Site, page_root

if TYPE_CHECKING:
    from seawall.cli.demo_chain import DemoMoney
    from seawall.cli.treasury import Treasuries

COLLECTOR_THRESHOLDS: Final = (20_000, 20, 50)
"""See docs/decisions/0009: by default the collector looks every few orders."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OnReplay = Callable[[str, int, int], Awaitable[None]]
_log = structlog.get_logger("seawall.cli")


class Started(Struct, frozen=True, kw_only=True):
    """A running exchange, to be told to whoever started it."""

    url: str
    port: int
    pid: int
    data: Path
    log: Path | None
    demo: bool
    keys: Path | None
    """`demo-keys.json`, in a demo."""
    page: str
    """`built` or `plain`."""
    restored: int
    """Entries of the spot cell's journal at the start."""
    chain: str
    """The program of a demo's own chain; "" without one."""
    status: str
    """Where a demo's status site is; "" without one."""
    no_chain: str
    """Why a demo that should have a chain has none."""


async def run_exchange(
    configuration: Configuration,
    pid: int,
    on_start: Callable[[Started], None],
    on_replay: OnReplay | None = None,
) -> int:
    """Run until a signal or a fault; return the exit code."""
    data = Path(configuration.exchange.data)
    with locked(data):
        file = log.set_up(configuration.log, data)
        stop = stop_event()
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(_open_node(configuration, data, on_replay))
            restored = node.spot.sequence if node.spot.epoch > 1 else 0
            await bootstrap(node, configuration)
            await bootstrap_control(node, configuration)
            money = await _demo_money(node, configuration, data, stack)
            if money is not None and money.treasury:
                configuration = replace(configuration, treasury=money.treasury)
            treasuries = compose_treasuries(node, configuration, data)
            if treasuries is not None:
                stack.push_async_callback(treasuries.stop)
            server = await stack.enter_async_context(serving(node, configuration, data, treasuries))
            if treasuries is not None:
                treasuries.start()
            running = Running(pid=pid, port=server.port, url=server.url)
            write_running(data, running)
            stack.callback(forget_running, data)
            keys, page = None, ""
            if configuration.exchange.demo:
                keys = await stack.enter_async_context(demo_market(node, data, server.url))
                if configuration.demo.status:
                    page = await stack.enter_async_context(demo_status(data, server.url))
            quieten_collector()
            _log.info("started", version=__version__, url=server.url, restored=restored)
            on_start(
                Started(
                    url=server.url,
                    port=server.port,
                    pid=pid,
                    data=data,
                    log=file,
                    demo=configuration.exchange.demo,
                    keys=keys,
                    page="built" if page_root().name == "dist" else "plain",
                    restored=restored,
                    chain=money.program if money is not None else "",
                    status=page,
                    no_chain=money.why_not if money is not None else "",
                )
            )
            code = await until_stopped(node, stop)
        _log.info("stopped", exit_code=code)
        return code


def quieten_collector() -> None:
    """Let what is there for long alone, and look for cycles less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def stop_event() -> asyncio.Event:
    """Return an event that the first signal sets; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stopping() -> None:
        stop.set()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, stopping)
    return stop


async def until_stopped(node: Node, stop: asyncio.Event) -> int:
    asked = asyncio.ensure_future(stop.wait())
    fault = asyncio.ensure_future(node.wait_stopped())
    await asyncio.wait({asked, fault}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not fault.done():
        fault.cancel()
        return int(Exit.OK)
    _log.error("a cell stopped", reason=fault.result())
    return int(Exit.FAILED)


@asynccontextmanager
async def _open_node(
    configuration: Configuration, data: Path, on_replay: OnReplay | None
) -> AsyncIterator[Node]:
    settings = NodeSettings(
        data=data,
        name=configuration.node.name,
        snapshot_entries=configuration.node.snapshot_entries,
    )
    try:
        node = await Node.open(settings, progress=on_replay)
    except (JournalError, InvariantError) as error:
        _log.exception("the node did not start")
        raise CliError(
            f"The journal in {data} cannot be used: {error}",
            f"Nothing was changed. Look closer: seawall journal verify --data {data}",
        ) from error
    try:
        yield node
    finally:
        await node.close()


async def _demo_money(
    node: Node, configuration: Configuration, data: Path, stack: AsyncExitStack
) -> "DemoMoney | None":
    """Start a demo's chain and signer."""
    if not has_demo_chain(configuration):
        return None
    from seawall.cli.demo_chain import demo_chain

    return await stack.enter_async_context(demo_chain(node, configuration, data))


def compose_treasuries(node: Node, configuration: Configuration, data: Path) -> "Treasuries | None":
    """Return the networks' treasuries; None where none is configured."""
    if not configuration.treasury:
        return None
    # Chains' libraries take a second to load.
    from seawall.cli.treasury import Treasuries
    from seawall.cli.treasury_definitions import treasuries

    return Treasuries(node, treasuries(configuration), data / "treasury")


@asynccontextmanager
async def serving(
    node: Node, configuration: Configuration, data: Path, treasuries: "Treasuries | None"
) -> AsyncIterator[GatewayServer]:
    section = configuration.gateway
    settings = GatewaySettings(
        name=configuration.exchange.name,
        data=data,
        host=section.host,
        port=section.port,
        demo=configuration.exchange.demo,
        throttle=section.throttle,
        operators=section.operators,
        trusted_proxies=section.trusted_proxies,
        access_log=section.access_log,
    )
    app = create_app(node, settings, Site, addresses=treasuries, reconciling=treasuries)
    server = GatewayServer(app)
    try:
        await server.start()
    except OSError as error:
        raise CliError(
            f"{section.host}:{section.port} cannot be listened on: {error.strerror}",
            "Choose another port with --port; 0 takes a free one.",
            Exit.UNREACHABLE,
        ) from error
    try:
        async with traced(node, configuration.telemetry):
            yield server
    finally:
        await server.stop()
