"""The server under the gateway.  The rule: no client may hold what it does not pay for.

uvicorn with httptools and the sans-I/O WebSocket protocol, on one port.  Added here: a deadline for
each request's head and body, most bytes for a head, a bound on connections.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from seawall.gateway.app import App
from seawall.gateway.settings import GatewaySettings
from seawall.gateway.socket_protocol import SocketProtocol

_SWEEP_S = 0.5
_BACKLOG = 2_048
_GRACE_S = 5
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class GuardedProtocol(HttpToolsProtocol):
    """Counts the bytes of each head, and knows until when a request must have arrived."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        settings: GatewaySettings = config.loaded_app.settings
        self._request_s = settings.request_s
        self._head_bytes_max = settings.header_bytes_max
        self._head_bytes = 0
        self._in_head = True
        # Who connects and says nothing has as long as who stays connected and says nothing more.
        self.deadline_s = self.loop.time() + settings.keep_alive_s
        """When a request under way, or a first one, must be here; 0 while there is none."""

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_is_too_large():
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self.deadline_s = self.loop.time() + self._request_s
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self.deadline_s = 0.0
        super().on_message_complete()

    def _head_is_too_large(self) -> bool:
        return self._in_head and self._head_bytes > self._head_bytes_max

    def cut_off(self) -> None:
        """End a connection whose request did not arrive in time."""
        self.deadline_s = 0.0
        self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn's server without its hold on the process's signals, which belong to the caller."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class GatewayServer:
    """One listening gateway: start, then stop."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.settings = app.settings
        self.port = 0
        self._server = _Server(
            Config(
                app,
                http=GuardedProtocol,
                ws=SocketProtocol,
                ws_max_size=app.settings.body_bytes_max,
                ws_per_message_deflate=False,
                interface="asgi3",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=app.settings.keep_alive_s,
                timeout_graceful_shutdown=_GRACE_S,
                limit_concurrency=app.settings.connections_max,
                backlog=_BACKLOG,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host = self.settings.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}"

    async def start(self) -> None:
        """Bind and listen; returns when connections are taken, raises OSError if they cannot be."""
        bound = _bind(self.settings.host, self.settings.port)
        self.port = bound.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(self._server.serve(sockets=[bound]))
        ready = loop.create_task(self._server.ready.wait())
        await asyncio.wait({ready, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._serving.done():
            await self._serving
        self._sweeping = loop.create_task(self._sweep())

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Take no more connections, finish the requests under way, then end."""
        if self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def _sweep(self) -> None:
        """Cut off who sends too slowly: one walk for all, no timer for each."""
        loop = asyncio.get_running_loop()
        connections = self._server.server_state.connections
        metrics = self.app.context.metrics
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = loop.time()
            metrics.connections = len(connections)
            for protocol in list(connections):
                if isinstance(protocol, GuardedProtocol) and 0 < protocol.deadline_s < now_s:
                    metrics.slow_clients += 1
                    protocol.cut_off()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named: with it, each answer
    # in two writes waits forty milliseconds for an acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


async def serve(app: App) -> None:
    """Serve until cancelled."""
    server = GatewayServer(app)
    await server.start()
    try:
        await server.wait()
    finally:
        await server.stop()
