"""All WebSockets of a gateway.  The rule: one hub per gateway, and it never outgrows its limits.

The hub hears every journal entry once, drives the public streams by the clock, and keeps count of
the connections.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote

import structlog

from seawall.gateway import errors
from seawall.gateway.context import Context
from seawall.gateway.errors import ApiError
from seawall.gateway.past import Past
from seawall.gateway.publisher import Publisher
from seawall.gateway.socket_protocol import (
    INTERNAL_ERROR,
    TRY_AGAIN_LATER,
    MessageRate,
    Socket,
    socket_of,
)
from seawall.gateway.status_feed import NAME as STATUS
from seawall.gateway.status_feed import StatusFeed
from seawall.gateway.stream_names import is_listen_key
from seawall.gateway.streams import StreamSession, awaited
from seawall.gateway.user_feeds import UserFeeds
from seawall.gateway.ws_api import ApiSession
from seawall.model import limits
from seawall.model.commands import Command
from seawall.model.events import Event
from seawall.model.ids import IDENTITY, SPOT

_LOG = structlog.get_logger(__name__)

_CADENCE_NS: Final = 100_000_000
_PATIENCE_S: Final = 3.0
"""How long streams may be silent, once this node is stale, until their clients are sent away."""
_CUT_OFF: Final = "This node is cut off; connect to another"
_CONNECT_WEIGHT: Final = 2
_DIGITS: Final = 20
_API_PATH: Final = "/ws-api/v3"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Hub:
    """The streams, feeds and connections of one gateway."""

    def __init__(self, context: Context) -> None:
        self._context = context
        past = Past(context.node) if context.clustered else None
        self.publisher = Publisher(context.node, context.metrics, past)
        self.feeds = UserFeeds(context.node, context.metrics, past)
        self.status = StatusFeed(context)
        self._sockets: dict[Socket, StreamSession | ApiSession | None] = {}
        self._stale_since_s: float | None = None
        self._driver: asyncio.Task[None] | None = None
        self._stopped = False
        context.node.add_listener(self._on_entry)

    def start(self) -> None:
        """Begin to send by the clock; done with the first connection."""
        if self._driver is None and not self._stopped:
            self._driver = asyncio.get_running_loop().create_task(self._drive())

    async def stop(self) -> None:
        self._stopped = True
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)

    def _on_entry(
        self, cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]
    ) -> None:
        if self._stopped:
            return
        if cell == SPOT:
            self.publisher.on_entry(at_ns, events)
            self.feeds.on_spot_entry(sequence, at_ns, command, events)
        elif cell == IDENTITY:
            self.feeds.on_identity_entry(at_ns, command, events)

    async def _drive(self) -> None:
        """Tick ten times a second, on the clock's own tenths."""
        while True:
            now_ns = self._context.now_ns()
            await asyncio.sleep((_CADENCE_NS - now_ns % _CADENCE_NS) / 1e9)
            try:
                # What may be old is not sent as new; what it leaves out is told afterwards.
                current = self._context.is_current()
                self.status.tick(self._context.now_ns())
                if self._context.clustered:
                    self._mind(current=current)
                if current:
                    await self.publisher.tick(self._context.now_ns())
            except Exception:  # noqa: BLE001  (whatever it was, the clients are to know)
                _LOG.exception("streams_failed")
                self._close_all()

    def _mind(self, *, current: bool) -> None:
        """Send away who would take silence for calm, once it lasts."""
        if current and not self.publisher.current:
            self.publisher.catch_up_best()
        self.publisher.current = current
        now_s = asyncio.get_running_loop().time()
        if current:
            self._stale_since_s = None
        elif self._stale_since_s is None:
            self._stale_since_s = now_s
        elif self._is_cut_off:
            for socket, session in list(self._sockets.items()):
                if session is not None and session.is_misled:
                    socket.close(TRY_AGAIN_LATER, _CUT_OFF)

    @property
    def _is_cut_off(self) -> bool:
        since_s = self._stale_since_s
        if since_s is None:
            return False
        return asyncio.get_running_loop().time() - since_s > _PATIENCE_S

    def _close_all(self) -> None:
        """Streams must not fall silent behind open connections: clients then come back."""
        for socket in self._sockets:
            socket.close(INTERNAL_ERROR, "Internal error")

    # Connections

    @property
    def connections(self) -> int:
        return len(self._sockets)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection from handshake to end."""
        path = str(scope["path"])
        if not _is_known(path):
            await _refuse(send, errors.NOT_FOUND)
            return
        if self.connections >= limits.WS_SOCKETS or self._stopped:
            self._context.metrics.sockets_refused += 1
            await _refuse(send, errors.UNAVAILABLE)
            return
        is_api = path.rstrip("/") == _API_PATH
        if self._is_cut_off and not is_api:
            names = _names_in(path, _query(scope))
            if names and STATUS not in names:
                await _refuse(send, errors.UNAVAILABLE)
                return
        if is_api:
            try:
                self._context.throttle.admit(
                    _address(scope), _CONNECT_WEIGHT, self._context.now_ns()
                )
            except ApiError as error:
                await _refuse(send, error.status)
                return
        await receive()
        await send({"type": "websocket.accept"})
        socket = socket_of(scope)
        self._sockets[socket] = None
        self._context.metrics.sockets = self.connections
        self.start()
        try:
            if is_api:
                await self._serve_api(socket, scope, receive)
            else:
                await self._serve_streams(socket, scope, receive)
        finally:
            del self._sockets[socket]
            self._context.metrics.sockets = self.connections
            self._context.metrics.slow_subscribers += socket.did_not_read

    async def _serve_streams(self, socket: Socket, scope: Scope, receive: Receive) -> None:
        query = _query(scope)
        path = str(scope["path"])
        session = StreamSession(
            socket,
            self.publisher,
            self.feeds,
            combined=_is_combined(path),
            microseconds=_microseconds(query),
            now_ns=self._context.now_ns,
            status=self.status,
        )
        self._sockets[socket] = session
        rate = self._context.settings.throttle.stream_messages_per_second
        if rate:
            socket.rate = MessageRate(rate)
        socket.farewell = session.farewell
        try:
            names, after = _names_in(path, query), _sequence(query)
            await self._wait_for(names, after or 0)
            session.open(names, after)
            while (text := await _next_message(receive)) is not None:
                if not socket.count_message():
                    return
                if self._context.clustered:
                    await self._wait_for(*awaited(text))
                socket.send_text(session.answer(text))
        finally:
            session.close()

    async def _wait_for(self, names: list[str], sequence: int) -> None:
        """Catch up with what a client knows from another node."""
        await self._context.learn_listen_keys([name for name in names if is_listen_key(name)])
        await self._context.reach(sequence)

    async def _serve_api(self, socket: Socket, scope: Scope, receive: Receive) -> None:
        query = _query(scope)
        session = ApiSession(
            self._context,
            socket,
            self.feeds,
            ip=_address(scope),
            microseconds=_microseconds(query),
            return_rate_limits=query.get("returnRateLimits", "true") != "false",
        )
        self._sockets[socket] = session
        socket.farewell = session.farewell
        try:
            while (text := await _next_message(receive)) is not None:
                await session.take(text)
        finally:
            session.close()


def _is_known(path: str) -> bool:
    first = path.split("/")[1]
    return first in ("ws", "stream") or path.rstrip("/") == _API_PATH


def _is_combined(path: str) -> bool:
    """`/stream` wraps each message; `/stream/ws/…`, which ccxt needs, does not."""
    parts = path.split("/")
    return parts[1] == "stream" and "ws" not in parts[2:3]


def _names_in(path: str, query: Mapping[str, str]) -> list[str]:
    names = path.split("/")[2:]
    if "streams" in query:
        names += query["streams"].split("/")
    return [name for name in names if name][: limits.WS_STREAMS_PER_SOCKET]


def _query(scope: Scope) -> dict[str, str]:
    """Return the query's parameters; a plus is itself, as in `btcusdt@kline_1d@+08:00`."""
    query: dict[str, str] = {}
    for part in bytes(scope["query_string"]).decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        query[unquote(name)] = unquote(value)
    return query


def _sequence(query: Mapping[str, str]) -> int | None:
    """Return the entry after which the streams of the URL are to go on."""
    text = query.get("resumeFrom", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else None


def _microseconds(query: Mapping[str, str]) -> bool:
    return query.get("timeUnit", "").lower() == "microsecond"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _next_message(receive: Receive) -> str | bytes | None:
    """Return the next message, or None at the end of the connection."""
    message = await receive()
    if message["type"] != "websocket.receive":
        return None
    text: str | bytes | None = message.get("text")
    if text is not None:
        return text
    return bytes(message.get("bytes") or b"")


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
