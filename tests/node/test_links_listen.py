"""A node that listens elsewhere than the topology says is reached where it listens."""

import asyncio

from seawall.lab.etcd import free_ports
from seawall.model.topology import EtcdPlace, NodePlace, Provider, Topology
from seawall.node.links import Links


async def test_links_listen_where_they_are_told() -> None:
    ports = free_ports(2)
    # Documentation's addresses: nothing can be bound to them here.
    topology = Topology(
        name="test",
        provider=(Provider(name="one"),),
        etcd=(EtcdPlace(name="one", provider="one", client="192.0.2.1:1", peer="192.0.2.1:2"),),
        node=(
            NodePlace(
                name="far", provider="one", gateway="192.0.2.1:3", peer=f"192.0.2.1:{ports[0]}"
            ),
            NodePlace(
                name="near", provider="one", gateway="127.0.0.1:4", peer=f"127.0.0.1:{ports[1]}"
            ),
        ),
    )
    told = Links(topology, "far", listen="127.0.0.1")
    await told.start()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        writer.close()
        await writer.wait_closed()
    finally:
        await told.close()
