"""How each provider of a local cluster is.  The rule: as its own member and node say now."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aetcd import rpc
from msgspec import Struct

from seawall.journal.etcd_client import EtcdClient, EtcdError, EtcdSettings
from seawall.lab.local_provider import LocalProvider
from seawall.model.ids import SPOT

if TYPE_CHECKING:
    from seawall.lab.local_cluster import LocalCluster

ASK_S: Final = 1.0


class ProviderStatus(Struct, frozen=True, kw_only=True):
    """One provider, for people."""

    name: str
    state: str
    """up, or what befell it last."""
    etcd: str
    """leads, follows, alone (it knows no leader), silent or down"""
    node: str
    """The spot cell's status, silent or down."""
    leads: list[str]
    """Cells that its node leads, as far as that knows."""
    sequence: int | None
    """Of the spot cell, as applied there."""
    stale_s: float | None
    """Since when that may miss something."""
    gateway: str


class ClusterWatch:
    """Asks all members and nodes; keeps its channels open."""

    def __init__(self, cluster: "LocalCluster") -> None:
        self._cluster = cluster
        first = cluster.topology.node[0].name
        self._clients = {
            place.name: EtcdClient(EtcdSettings(endpoints=(place.client,), tls=cluster.tls(first)))
            for place in cluster.topology.etcd
        }

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    async def look(self) -> list[ProviderStatus]:
        providers = self._cluster.providers.values()
        return list(await asyncio.gather(*(self._provider(each) for each in providers)))

    async def etcd_leader(self) -> str:
        """Return the member that leads etcd, as it says itself; "" if none does."""
        said = await asyncio.gather(*(self._etcd(name) for name in self._clients))
        for name, status in zip(self._clients, said, strict=True):
            if status == "leads":
                return name
        return ""

    async def _provider(self, provider: LocalProvider) -> ProviderStatus:
        etcd, node = "", ""
        leads: list[str] = []
        spot: dict[str, Any] = {}
        for member in provider.members:
            etcd = "down" if member.pid is None else await self._etcd(member.name)
        for each in provider.nodes:
            found = None if each.process.pid is None else await self._cluster.ask(each.name)
            node = "down" if each.process.pid is None else "silent"
            if found is not None:
                cells = found["cells"]
                spot = next(cell for cell in cells if cell["cell"] == SPOT)
                node = spot["status"]
                leads += [cell["cell"] for cell in cells if cell["status"] == "leading"]
        return ProviderStatus(
            name=provider.name,
            state=provider.state,
            etcd=etcd,
            node=node,
            leads=leads,
            sequence=spot.get("sequence"),
            stale_s=spot.get("staleSeconds"),
            gateway=", ".join(self._cluster.gateways[each.name] for each in provider.nodes),
        )

    async def _etcd(self, name: str) -> str:
        client = self._clients[name]
        try:
            status = await client.once(client.members[0], "Status", rpc.StatusRequest(), ASK_S)
        except EtcdError:
            return "silent"
        if not status.leader:
            return "alone"
        return "leads" if status.leader == status.header.member_id else "follows"
