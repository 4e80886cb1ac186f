"""One node of a cluster, from its topology to a clean stop.  The rule: what one node does for all,
the leader does.

The node waits for a journal that has a majority, follows, and serves; what must happen once in the
cluster (listing what the configuration names, a demo's market, the treasuries) is done by whichever
node leads the cell that it concerns, and left when the lead is lost.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from seawall import __version__
from seawall.cli import log
from seawall.cli.duties import exchange_duty
from seawall.cli.exchange import OnReplay, quieten_collector, serving, stop_event, until_stopped
from seawall.cli.output import CliError, Exit
from seawall.cli.running import Running, forget_running, locked, write_running
from seawall.cli.settings import Configuration
from seawall.gateway.app import MASTER_KEY
from seawall.gateway.operator import TOKEN_FILE
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
    place = file.topology.find_node(name)
    data = Path(configuration.exchange.data)
    host, port = split_address(place.gateway)
    host = configuration.node.listen or host
    gateway = replace(configuration.gateway, host=host, port=port)
    configuration = replace(configuration, gateway=gateway)
    with locked(data):
        logs = log.set_up(configuration.log, data)
        _check_secrets(data)
        stop = stop_event()
        async with AsyncExitStack() as stack:
            client = EtcdClient(etcd_settings(file, place))
            stack.push_async_callback(client.close)
            journals = ClusterJournals(file, client, data)
            opening = _open_node(file, name, configuration, journals, on_waiting, on_replay)
            node = await _unless(stop, opening)
            if node is None:
                return int(Exit.OK)
            stack.push_async_callback(node.close)
            if node.membership is not None:
                await stack.enter_async_context(journals.sealing(node.membership))
            server = await stack.enter_async_context(serving(node, configuration, data, None))
            write_running(data, Running(pid=pid, port=server.port, url=server.url))
            stack.callback(forget_running, data)
            await stack.enter_async_context(exchange_duty(node, configuration).running())
            quieten_collector()
            _log.info("started", version=__version__, url=server.url, node=name)
            on_start(
                NodeStarted(
                    cluster=file.topology.name,
                    node=name,
                    url=server.url,
                    port=server.port,
                    pid=pid,
                    data=data,
                    log=logs,
                    others=[each.name for each in file.topology.node if each.name != name],
                )
            )
            code = await until_stopped(node, stop)
        _log.info("stopped", exit_code=code)
        return code


def etcd_settings(file: TopologyFile, place: NodePlace) -> EtcdSettings:
    """Return where etcd is for this node: its own provider's member first."""
    tls = file.tls(place.name)
    return EtcdSettings(
        endpoints=file.topology.etcd_for(place.provider),
        tls=EtcdTls(ca=tls.ca, certificate=tls.certificate, key=tls.key) if tls else None,
    )


async def _open_node(
    file: TopologyFile,
    name: str,
    configuration: Configuration,
    journals: ClusterJournals,
    on_waiting: OnWaiting,
    on_replay: OnReplay | None,
) -> Node:
    """Open the node once the journal answers, however long that takes."""
    data = Path(configuration.exchange.data)
    settings = NodeSettings(
        data=data, name=name, snapshot_entries=configuration.node.snapshot_entries
    )
    waits = False
    while True:
        listen = configuration.node.listen
        links = Links(file.topology, name, _link_tls(file.tls(name)), listen)
        try:
            return await Node.open(
                settings,
                progress=on_replay,
                open_journal=journals.open,
                membership=Membership(file.topology, name, links),
            )
        except JournalUnavailableError as error:
            if not waits:
                _log.warning("waiting for the journal", why=str(error))
                on_waiting(str(error))
            waits = True
        except (JournalError, InvariantError) as error:
            _log.exception("the node did not start")
            raise CliError(
                f"The journal of {file.topology.name} cannot be used: {error}",
                "Nothing was changed. See docs/operating/cluster.md.",
            ) from error
        except OSError as error:
            address = file.topology.find_node(name).peer
            raise CliError(
                f"{address} cannot be listened on: {error.strerror or error}",
                "The topology says where this node listens for the others.",
                Exit.UNREACHABLE,
            ) from error
        await asyncio.sleep(AGAIN_S)


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
