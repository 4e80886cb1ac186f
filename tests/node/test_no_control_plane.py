"""Recovery needs only what already runs: no cloud's kit, no name server, no unknown address."""

import ast
import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from tests.node.cluster import NAMES, member, topology_of
from tests.tools import program

from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.ids import SPOT
from seawall.model.topology import Topology
from seawall.node.node import Node

SOURCES: Final = Path(__file__).parents[2] / "src" / "seawall"
CLOUDS: Final = {
    "aiobotocore", "alibabacloud", "aliyunsdkcore", "azure", "boto", "boto3", "botocore", "consul",
    "digitalocean", "dns", "googleapiclient", "google.cloud", "hcloud", "hvac", "kazoo",
    "kubernetes", "libcloud", "linode_api4", "oci", "openstack", "tencentcloud",
}  # fmt: skip
STORES: Final = {"obstore", "fsspec", "s3fs", "gcsfs", "adlfs", "minio"}
MAY_STORE: Final = {"journal/archive.py"}
PATIENCE_S: Final = 60


def _imports(file: Path) -> Iterator[str]:
    for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def test_nodes_journals_and_gateways_import_no_kit_of_a_cloud() -> None:
    stores = set()
    for package in ("lib", "model", "core", "views", "journal", "node", "gateway"):
        files = sorted((SOURCES / package).rglob("*.py"))
        assert files
        for file in files:
            for name in _imports(file):
                parts = name.split(".")
                assert not {parts[0], ".".join(parts[:2])} & CLOUDS, f"{file} imports {name}"
                if parts[0] in STORES:
                    stores.add(file.relative_to(SOURCES).as_posix())
    assert stores <= MAY_STORE


class Recorder:
    """What this process asks of the network, as Python's audit events tell it."""

    def __init__(self) -> None:
        self.on = False
        self.connects: set[tuple[str, int]] = set()
        self.names: set[str] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            self.connects.add(arguments[1][:2])
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            self.names.add(str(arguments[0]))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    sys.addaudithook(recorder)
    recorder.on = True
    yield recorder
    # A hook cannot be taken away.
    recorder.on = False


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.stop()


async def test_a_cluster_starts_elects_and_fails_over_by_the_topologys_addresses_alone(
    etcd: EtcdCluster, tmp_path: Path, recorder: Recorder
) -> None:
    topology = topology_of(etcd)
    before = _connections()
    seen: set[tuple[int, tuple[str, int]]] = set()
    async with AsyncExitStack() as stack:
        nodes: dict[str, Node] = {}
        stacks: dict[str, AsyncExitStack] = {}
        for name in NAMES:
            stacks[name] = await stack.enter_async_context(AsyncExitStack())
            nodes[name] = await stacks[name].enter_async_context(member(topology, name, tmp_path))
        for command in listing_commands():
            await nodes["coral"].submit_spot(command)
        seen |= _connections()
        (leader,) = [name for name, node in nodes.items() if node.leads(SPOT)]
        del nodes[leader]
        await stacks[leader].aclose()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if any(node.leads(SPOT) for node in nodes.values()):
                    break
                await asyncio.sleep(0.02)
        seen |= _connections()
    known = _addresses(topology)
    assert recorder.connects, "the recorder records"
    assert recorder.connects <= known
    # gRPC connects by itself, past Python: what is connected tells.
    own_ports = {port for _, port in known}
    dialed = {far for near_port, far in seen - before if near_port not in own_ports}
    assert dialed, "etcd is connected to"
    assert dialed <= known
    assert not {name for name in recorder.names if not _is_address(name)}


def _addresses(topology: Topology) -> set[tuple[str, int]]:
    found = [place.peer for place in topology.node]
    found += [address for place in topology.etcd for address in (place.client, place.peer)]
    return {(address.rpartition(":")[0], int(address.rpartition(":")[2])) for address in found}


def _connections() -> set[tuple[int, tuple[str, int]]]:
    """Return this process's connections: the near end's port, and the far end."""
    return {
        (each.laddr.port, (each.raddr.ip.removeprefix("::ffff:"), each.raddr.port))
        for each in psutil.Process().net_connections(kind="tcp")
        if each.raddr
    }


def _is_address(name: str) -> bool:
    return all(part.isdigit() for part in name.split("."))
