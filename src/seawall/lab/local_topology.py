"""A topology moved to this machine.  The rule: what was moved once stays there.

Each cluster gets a network of its own, 10.77.N.0/24 between namespaces or 127.0.N.0/24 on loopback,
so that several may run at once; a lock that the kernel lets go of says whose it is.  etcd remembers
its members by address, so a cluster keeps its network for as long as it keeps its data.
"""

import fcntl
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from msgspec.structs import replace

from seawall.model.topology import TlsFiles, Topology, TopologyError, split_address
from seawall.node.topology_file import read_topology

FILE: Final = "topology.toml"
NUMBERS: Final = range(7, 250)
TLS: Final = TlsFiles(ca="tls/ca.crt", certificate="tls/{name}.crt", key="tls/{name}.key")


class Place:
    """A cluster's network, held until it is let go."""

    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number = number
        self._lock = lock

    def let_go(self) -> None:
        self._lock.close()


def take_place(topology: Topology, directory: Path, *, namespaces: bool) -> tuple[Place, Topology]:
    """Return a network that nobody else uses and the topology on it, as in `directory`'s file."""
    file = directory / FILE
    if file.exists():
        known = read_topology(file).topology
        host, _ = split_address(known.node[0].gateway)
        if host.startswith("127.") == namespaces:
            raise TopologyError(
                f"{file} was made {'without' if namespaces else 'with'} namespaces, and cannot be"
                " moved: run it as it was made, or remove the directory"
            )
        number = network_number(known)
        lock = _lock(number)
        if lock is None:
            raise TopologyError(f"another cluster uses the network of {host} on this machine")
        return Place(number, lock), known
    for number in NUMBERS:
        lock = _lock(number)
        if lock is not None:
            moved = move(topology, f"10.77.{number}" if namespaces else f"127.0.{number}")
            file.write_text(to_toml(moved), "utf-8")
            return Place(number, lock), moved
    raise TopologyError("every network for local clusters is in use on this machine")


def network_number(topology: Topology) -> int:
    """Return which of the networks for local clusters the topology is on."""
    host, _ = split_address(topology.node[0].gateway)
    return int(host.split(".")[2])


def move(topology: Topology, network: str) -> Topology:
    """Give each provider an address of its own in `network`, the first three numbers of a /24."""
    hosts = {provider.name: f"{network}.{11 + n}" for n, provider in enumerate(topology.provider)}

    def at(address: str, provider: str) -> str:
        return f"{hosts[provider]}:{split_address(address)[1]}"

    moved = replace(
        topology,
        etcd=tuple(
            replace(each, client=at(each.client, each.provider), peer=at(each.peer, each.provider))
            for each in topology.etcd
        ),
        node=tuple(
            replace(
                each, gateway=at(each.gateway, each.provider), peer=at(each.peer, each.provider)
            )
            for each in topology.node
        ),
        tls=TLS if topology.tls else None,
    )
    moved.check()
    return moved


def to_toml(topology: Topology) -> str:
    """Write a topology as its file."""
    plain = msgspec.to_builtins(topology)
    lines = [f"name = {_value(plain.pop('name'))}"]
    tables: list[tuple[str, dict[str, Any]]] = []
    for kind, value in plain.items():
        if isinstance(value, dict):
            tables.append((f"[{kind}]", value))
        else:
            tables += [(f"[[{kind}]]", each) for each in value or ()]
    for heading, table in tables:
        lines += ["", heading, *_rows(table)]
    return "\n".join(lines) + "\n"


def _rows(table: dict[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        yield f"{name} = {_value(value)}"


def _value(value: object) -> str:
    # JSON's strings and lists of them are TOML's.
    return json.dumps(value)


def _lock(number: int) -> IO[str] | None:
    path = Path(tempfile.gettempdir()) / f"seawall-network-{number}.lock"
    try:
        handle = path.open("a+")
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle
