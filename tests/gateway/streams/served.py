"""A served exchange for tests of sockets: real node, real server, real clients, one loop."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.gateway.exchange import Exchange, RunningClock, User, open_exchange
from websockets.asyncio.client import ClientConnection, connect

from seawall.gateway.server import GatewayServer
from seawall.gateway.settings import ThrottleSettings
from seawall.node.clock import ManualClock

BUSY = ThrottleSettings(orders_per_10_s=10_000)


class Served:
    """An exchange behind a port, with two funded users."""

    def __init__(self, exchange: Exchange, server: GatewayServer, alice: User, bob: User) -> None:
        self.exchange = exchange
        self.server = server
        self.alice = alice
        self.bob = bob

    def connect(self, path: str, **options: Any) -> connect:
        return connect(f"{self.server.url.replace('http', 'ws', 1)}{path}", **options)

    async def book(self) -> None:
        """Put one order on each side."""
        await self.exchange.limit(self.bob, "SELL", "5", "20001")
        await self.exchange.limit(self.bob, "BUY", "5", "20000")

    async def trade(self, quantity: str = "0.1") -> None:
        answer = await self.exchange.order(self.alice, side="BUY", type="MARKET", quantity=quantity)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def serve(data: Path, clock: ManualClock | None = None) -> AsyncIterator[Served]:
    async with open_exchange(data, BUSY, clock=clock or RunningClock()) as exchange:
        alice = await exchange.add_user("alice", BTC="10", USDT="1000000")
        bob = await exchange.add_user("bob", BTC="100", USDT="10000000")
        server = GatewayServer(exchange.app)
        await server.start()
        try:
            yield Served(exchange, server, alice, bob)
        finally:
            await server.stop()


async def receive(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


async def ask(socket: ClientConnection, message: object) -> Any:
    """Send one message and return what answers it; stream messages in between are left out."""
    await socket.send(message if isinstance(message, str) else json.dumps(message))
    while True:
        answer = await receive(socket)
        if isinstance(answer, dict) and ("id" in answer or "error" in answer):
            return answer


def signed(user: User, **params: Any) -> dict[str, Any]:
    """Return a request's parameters with key and signature, as the WebSocket API wants them."""
    params["apiKey"] = user.api_key
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    digest = hmac.new(user.secret.encode(), payload.encode(), hashlib.sha256)
    return params | {"signature": digest.hexdigest()}
