"""Three exchanges in one: nodes over real etcd in one process, each with its gateway on a port."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.gateway.exchange import ASSETS, INSTRUMENTS, Exchange, RunningClock, User
from tests.gateway.streams.served import BUSY
from tests.node.cluster import NAMES, member, topology_of
from tests.tools import program
from websockets.asyncio.client import connect

from seawall.gateway.app import create_app
from seawall.gateway.secrets import make_secrets, share_secrets
from seawall.gateway.server import GatewayServer
from seawall.gateway.settings import GatewaySettings
from seawall.lab.etcd import EtcdCluster
from seawall.model.commands import ListAsset, ListMarket
from seawall.model.ids import AssetCode
from seawall.model.instruments import Asset
from seawall.model.topology import Topology


class Place:
    """One node with its gateway."""

    def __init__(self, name: str, exchange: Exchange, server: GatewayServer) -> None:
        self.name = name
        self.exchange = exchange
        self.server = server

    @property
    def url(self) -> str:
        return self.server.url

    def connect(self, path: str, **options: Any) -> connect:
        return connect(f"{self.url.replace('http', 'ws', 1)}{path}", **options)


class Clustered:
    """All places, and the etcd below them."""

    def __init__(self, etcd: EtcdCluster, topology: Topology, data: Path) -> None:
        self.etcd = etcd
        self.topology = topology
        self.data = data
        self.places: dict[str, Place] = {}
        self._stacks: dict[str, AsyncExitStack] = {}
        make_secrets(data / "secrets-of-all")

    async def start(self, name: str) -> Place:
        """Run one node and its gateway, with the secrets that all share."""
        folder = self.data / name
        share_secrets(self.data / "secrets-of-all", folder)
        stack = self._stacks[name] = AsyncExitStack()
        node = await stack.enter_async_context(member(self.topology, name, self.data))
        settings = GatewaySettings(data=folder, port=0, demo=True, throttle=BUSY)
        app = create_app(node, settings)
        server = GatewayServer(app)
        await server.start()
        stack.push_async_callback(server.stop)
        client = httpx.AsyncClient(base_url=server.url, timeout=60)
        stack.push_async_callback(client.aclose)
        exchange = Exchange(node, app, RunningClock(), client)
        self.places[name] = Place(name, exchange, server)
        return self.places[name]

    async def stop(self, name: str) -> None:
        """Stop one node in an orderly way."""
        await self._stacks.pop(name).aclose()
        del self.places[name]

    async def close(self) -> None:
        for name in list(self._stacks):
            await self.stop(name)


@asynccontextmanager
async def clustered(data: Path) -> AsyncIterator[Clustered]:
    """Run three places with three markets listed."""
    program("etcd")
    etcd = EtcdCluster.local(data / "etcd")
    await etcd.start()
    cluster = Clustered(etcd, topology_of(etcd), data)
    try:
        for name in NAMES:
            await cluster.start(name)
        node = cluster.places[NAMES[0]].exchange.node
        for code, title, decimals in ASSETS:
            listed = Asset(code=AssetCode(code), name=title, decimals=decimals)
            await node.submit_spot(ListAsset(asset=listed))
        for instrument in INSTRUMENTS:
            await node.submit_spot(ListMarket(instrument=instrument))
        yield cluster
    finally:
        await cluster.close()
        await etcd.stop()


async def fund(place: Place, name: str) -> User:
    return await place.exchange.add_user(name, BTC="100", USDT="10000000")
