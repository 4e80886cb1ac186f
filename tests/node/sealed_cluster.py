"""Nodes of a cluster as the command `seawall node` composes them: archive, replica log, sealing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace
from tests.node.cluster import NAMES, topology_of

from seawall.journal.etcd_client import EtcdClient, EtcdSettings
from seawall.lab.etcd import EtcdCluster
from seawall.model.topology import ArchivePlace, SealingTerms
from seawall.node.cluster_journals import ClusterJournals
from seawall.node.links import Links
from seawall.node.membership import Membership
from seawall.node.node import Node, NodeSettings
from seawall.node.topology_file import TopologyFile

TERMS = SealingTerms(segment_entries=100, keep_entries=100)


def topology_file(etcd: EtcdCluster, folder: Path, terms: SealingTerms = TERMS) -> TopologyFile:
    """Return a topology with two archives beside it."""
    topology = replace(
        topology_of(etcd),
        archive=tuple(
            ArchivePlace(name=name, provider=name, url=f"file:archives/{name}")
            for name in NAMES[:2]
        ),
        sealing=terms,
    )
    topology.check()
    return TopologyFile(folder=folder, topology=topology)


@asynccontextmanager
async def sealed_member(
    file: TopologyFile, name: str, *, snapshots: bool = True, seals: bool = True
) -> AsyncIterator[Node]:
    """Run one node of the topology."""
    data = file.data(name)
    client = EtcdClient(
        EtcdSettings(endpoints=file.topology.etcd_for(file.topology.find_node(name).provider))
    )
    journals = ClusterJournals(file, client, data)
    membership = Membership(file.topology, name, Links(file.topology, name))
    settings = NodeSettings(
        data=data, name=name, checkpoint_entries=50, snapshot_at_close=snapshots
    )
    try:
        node = await Node.open(settings, open_journal=journals.open, membership=membership)
        try:
            if seals:
                async with journals.sealing(membership, look_s=0.05, round_s=0.1):
                    yield node
            else:
                yield node
        finally:
            await node.close()
    finally:
        await client.close()
