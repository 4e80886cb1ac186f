"""One node of a cluster, from its topology to a clean stop.  The rule: what one node does for all,
the leader does.

The node waits for a journal that has a majority, follows, and serves; what must happen once in the
cluster (listing what the configuration names, a demo's market, the treasuries) is done by whichever
node leads the cell that it concerns, and left when the lead is lost.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from seawall import __version__
from seawall.cli import log
from seawall.cli.duties import control_duty, exchange_duty
from seawall.cli.exchange import (
    OnReplay,
    compose_treasuries,
    quieten_collector,
    serving,
    stop_event,
    until_stopped,
)
from seawall.cli.output import CliError, Exit
from seawall.cli.running import Running, forget_running, locked, write_running
from seawall.cli.settings import Configuration
from seawall.cli.waiting import WaitingRoom
from seawall.gateway.app import MASTER_KEY
from seawall.gateway.operator import TOKEN_FILE
from seawall.gateway.server import GatewayServer
from seawall.journal.etcd_client import EtcdClient, EtcdSettings, EtcdTls
from seawall.journal.port import JournalError, JournalUnavailableError
from seawall.lib.invariants import InvariantError
from seawall.model.topology import NodePlace, split_address
from seawall.node.cluster_journals import ClusterJournals
from seawall.node.links import Links, LinkTls
from seawall.node.membership import Membership
from seawall.node.node import Node, NodeSettings
from seawall.node.topology_file import TlsPaths, TopologyFile

AGAIN_S: Final = 0.5
"""How long a node waits before it asks again for a journal that has no majority."""

_log = structlog.get_logger("seawall.cli")


class NodeStarted(Struct, frozen=True, kw_only=True):
    """A running node, to be told to whoever started it."""

    cluster: str
    node: str
    url: str
    port: int
    pid: int
    data: Path
    log: Path | None
    others: list[str]


OnWaiting = Callable[[str], None]


class _Plan(Struct, frozen=True, kw_only=True):
    """What one node is to be."""

    file: TopologyFile
    name: str
    configuration: Configuration
    """Its gateway's address is the topology's."""
    link_tls: LinkTls | None

    @property
    def place(self) -> NodePlace:
        return self.file.topology.find_node(self.name)

    @property
    def data(self) -> Path:
        return Path(self.configuration.exchange.data)


async def run_node(
    file: TopologyFile,
    name: str,
    configuration: Configuration,
    pid: int,
    on_start: Callable[[NodeStarted], None],
    on_waiting: OnWaiting,
    on_replay: OnReplay | None = None,
) -> int:
    """Run until a signal or a fault; return the exit code."""
    host, port = split_address(file.topology.find_node(name).gateway)
    host = configuration.node.listen or host
    gateway = replace(configuration.gateway, host=host, port=port)
    plan = _Plan(
        file=file,
        name=name,
        configuration=replace(configuration, gateway=gateway),
        link_tls=_link_tls(file.tls(name)),
    )
    with locked(plan.data):
        _check_secrets(plan.data)
        logs = log.set_up(configuration.log, plan.data)
        stop = stop_event()
        async with AsyncExitStack() as stack:
            client = EtcdClient(etcd_settings(file, plan.place))
            stack.push_async_callback(client.close)
            journals = ClusterJournals(file, client, plan.data)
            node = await _unless(stop, _open_node(plan, journals, on_waiting, on_replay))
            if node is None:
                return int(Exit.OK)
            stack.push_async_callback(node.close)
            if node.membership is not None:
                await stack.enter_async_context(journals.sealing(node.membership))
                node.metrics.more.append(journals.families)
            server = await stack.enter_async_context(_serving(plan, node, pid))
            quieten_collector()
            _log.info("started", version=__version__, url=server.url, node=name)
            on_start(_started(plan, server, pid, logs))
            code = await until_stopped(node, stop)
        _log.info("stopped", exit_code=code)
        return code


@asynccontextmanager
async def _serving(plan: _Plan, node: Node, pid: int) -> AsyncIterator[GatewayServer]:
    """Serve clients, and do for all what the leader does."""
    treasuries = compose_treasuries(node, plan.configuration, plan.data)
    async with AsyncExitStack() as stack:
        if treasuries is not None:
            stack.push_async_callback(treasuries.stop)
        server = await stack.enter_async_context(
            serving(node, plan.configuration, plan.data, treasuries)
        )
        if treasuries is not None:
            treasuries.start()
        write_running(plan.data, Running(pid=pid, port=server.port, url=server.url))
        stack.callback(forget_running, plan.data)
        await stack.enter_async_context(exchange_duty(node, plan.configuration).running())
        await stack.enter_async_context(control_duty(node, plan.configuration).running())
        yield server


def _started(plan: _Plan, server: GatewayServer, pid: int, logs: Path | None) -> NodeStarted:
    topology = plan.file.topology
    return NodeStarted(
        cluster=topology.name,
        node=plan.name,
        url=server.url,
        port=server.port,
        pid=pid,
        data=plan.data,
        log=logs,
        others=[each.name for each in topology.node if each.name != plan.name],
    )


def etcd_settings(file: TopologyFile, place: NodePlace) -> EtcdSettings:
    """Return where etcd is for this node: its own provider's member first."""
    tls = file.tls(place.name)
    return EtcdSettings(
        endpoints=file.topology.etcd_for(place.provider),
        tls=EtcdTls(ca=tls.ca, certificate=tls.certificate, key=tls.key) if tls else None,
    )


async def _open_node(
    plan: _Plan, journals: ClusterJournals, on_waiting: OnWaiting, on_replay: OnReplay | None
) -> Node:
    """Open the node once the journal answers, however long that takes."""
    settings = NodeSettings(
        data=plan.data,
        name=plan.name,
        snapshot_entries=plan.configuration.node.snapshot_entries,
    )
    topology = plan.file.topology
    section = plan.configuration.gateway
    async with WaitingRoom(section.host, section.port) as room:
        while True:
            listen = plan.configuration.node.listen
            links = Links(topology, plan.name, plan.link_tls, listen)
            try:
                return await Node.open(
                    settings,
                    progress=on_replay,
                    open_journal=journals.open,
                    membership=Membership(topology, plan.name, links),
                )
            except JournalUnavailableError as error:
                if await room.open(str(error)):
                    _log.warning("waiting for the journal", why=str(error))
                    on_waiting(str(error))
            except (JournalError, InvariantError, OSError) as error:
                _log.exception("the node did not start")
                raise _no_start(plan, error) from error
            await asyncio.sleep(AGAIN_S)


def _no_start(plan: _Plan, error: Exception) -> CliError:
    if isinstance(error, OSError):
        peer = plan.place.peer
        if error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
            what = f"{peer} cannot be listened on: {error.strerror}"
            advice = "The topology says where this node listens for the others."
            return CliError(what, advice, Exit.UNREACHABLE)
        return CliError(f"{plan.name} cannot start: {error}", "See its log.", Exit.UNREACHABLE)
    return CliError(
        f"The journal of {plan.file.topology.name} cannot be used: {error}",
        "Nothing was changed. See docs/operating/cluster.md.",
    )


async def _unless(stop: asyncio.Event, opening: Coroutine[Any, Any, Node]) -> Node | None:
    """Return the node, or None if a signal came first."""
    task = asyncio.ensure_future(opening)
    asked = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


def _link_tls(paths: TlsPaths | None) -> LinkTls | None:
    if paths is None:
        return None
    for path in (paths.ca, paths.certificate, paths.key):
        if not path.is_file():
            raise CliError(
                f"{path} is missing: the topology says that the cluster uses TLS.",
                "Put the node's certificate there; see docs/operating/cluster.md.",
                Exit.USAGE,
            )
    return LinkTls(ca=paths.ca, certificate=paths.certificate, key=paths.key)


def _check_secrets(data: Path) -> None:
    """Refuse to start without what all nodes share: each would make its own."""
    for path in (data / MASTER_KEY, data / TOKEN_FILE):
        if not path.is_file():
            raise CliError(
                f"{path} is missing: all nodes of a cluster share one.",
                f"Copy it from another node, or make a first set: seawall cluster secrets {data}",
                Exit.USAGE,
            )
