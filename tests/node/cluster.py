"""A real cluster in one process: etcd, and nodes with their links on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdSettings
from seawall.journal.port import Journal
from seawall.lab.etcd import EtcdCluster, free_ports
from seawall.model import limits
from seawall.model.topology import EtcdPlace, NodePlace, Provider, Topology
from seawall.node.links import Links
from seawall.node.membership import Membership
from seawall.node.node import Node, NodeSettings

NAMES = ("amber", "blue", "coral")


def topology_of(etcd: EtcdCluster) -> Topology:
    """Return a topology of three nodes on free ports."""
    ports = free_ports(2 * len(NAMES))
    topology = Topology(
        name="test",
        provider=tuple(Provider(name=name) for name in NAMES),
        etcd=tuple(
            EtcdPlace(name=member.name, provider=name, client=member.client, peer=member.peer)
            for name, member in zip(NAMES, etcd.members, strict=False)
        ),
        node=tuple(
            NodePlace(
                name=name,
                provider=name,
                gateway=f"127.0.0.1:{ports[2 * number]}",
                peer=f"127.0.0.1:{ports[2 * number + 1]}",
            )
            for number, name in enumerate(NAMES)
        ),
    )
    topology.check()
    return topology


@asynccontextmanager
async def member(
    topology: Topology, name: str, data: Path, snapshot_entries: int = limits.SNAPSHOT_ENTRIES
) -> AsyncIterator[Node]:
    """Run one node of the topology."""
    provider = topology.find_node(name).provider
    client = EtcdClient(EtcdSettings(endpoints=topology.etcd_for(provider)))

    async def open_journal(cell: str) -> Journal:
        return await EtcdJournal.open(client, cell)

    node = await Node.open(
        NodeSettings(
            data=data / name,
            name=name,
            checkpoint_entries=50,
            snapshot_entries=snapshot_entries,
        ),
        open_journal=open_journal,
        membership=Membership(topology, name, Links(topology, name)),
    )
    try:
        yield node
    finally:
        await node.close()
        await client.close()
