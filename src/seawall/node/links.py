"""The links between nodes.  The rule: who is not in the topology is not heard.

Each node dials every other and sends on the connection that it dialed; what it hears comes on those
that others dialed.  Messages are MessagePack with a length before it.  Between machines both ends
show a certificate of the cluster's authority that names the node.  A link that brings nothing for
SILENCE_S is closed: a cut network says nothing by itself.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from msgspec import MsgspecError, Struct

from seawall.model.topology import Topology, split_address
from seawall.node.clock import Clock, SystemClock
from seawall.node.peer_messages import (
    PROTOCOL,
    Hello,
    Message,
    Ping,
    Pong,
    decode_message,
    encode_message,
)

PING_S: Final = 0.5
SILENCE_S: Final = 2.0
DIAL_S: Final = (0.1, 1.0)
"""How long it waits before it dials again, at first and at most."""
MESSAGE_BYTES: Final = 4 << 20
HELLO_BYTES: Final = 1 << 12
"""What somebody may send who has not said who it is."""
UNSENT_BYTES: Final = 32 << 20
"""More than this unsent means that the other end does not read."""
_LENGTH: Final = struct.Struct(">I")

_log = structlog.get_logger("seawall.node")


class LinkTls(Struct, frozen=True, kw_only=True):
    """Files; they are read again for every connection, so that they can be renewed."""

    ca: Path
    certificate: Path
    key: Path

    def client(self) -> ssl.SSLContext:
        return self._context(ssl.Purpose.SERVER_AUTH)

    def server(self) -> ssl.SSLContext:
        context = self._context(ssl.Purpose.CLIENT_AUTH)
        context.verify_mode = ssl.CERT_REQUIRED
        # The files are looked at again whenever somebody dials.
        stamp = self._stamp()

        def renewed(_socket: ssl.SSLObject, _name: str | None, used: ssl.SSLContext) -> None:
            nonlocal stamp
            if self._stamp() != stamp:
                used.load_cert_chain(self.certificate, self.key)
                used.load_verify_locations(self.ca)
                stamp = self._stamp()

        context.sni_callback = renewed
        return context

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        context = ssl.create_default_context(purpose, cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        return context

    def _stamp(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in (self.ca, self.certificate, self.key))


class _Framed(asyncio.Protocol):
    """One connection: messages out and in."""

    def __init__(
        self,
        on_message: "Callable[[_Framed, Message], None]",
        among: "set[_Framed] | None" = None,
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer = ""
        """Who is at the other end, once that is known."""
        self.heard_s = 0.0
        self.closed = asyncio.Event()
        self._on_message = on_message
        self._among: set[_Framed] = set() if among is None else among
        """Where it stands while it is open."""
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport, as asked for
        self.heard_s = asyncio.get_running_loop().time()
        self._among.add(self)

    def data_received(self, data: bytes) -> None:
        self.heard_s = asyncio.get_running_loop().time()
        self._buffer += data
        offset = 0
        while len(self._buffer) - offset >= _LENGTH.size:
            if self.transport is None or self.transport.is_closing():
                return
            (length,) = _LENGTH.unpack_from(self._buffer, offset)
            if length > (MESSAGE_BYTES if self.peer else HELLO_BYTES):
                self._drop(f"a message of {length} bytes")
                return
            end = offset + _LENGTH.size + length
            if end > len(self._buffer):
                break
            try:
                message = decode_message(bytes(self._buffer[offset + _LENGTH.size : end]))
            except MsgspecError as error:
                self._drop(f"no message of ours ({error})")
                return
            offset = end
            self._on_message(self, message)
        del self._buffer[:offset]

    def connection_lost(self, _error: Exception | None) -> None:
        self._among.discard(self)
        self.closed.set()

    def send(self, message: Message) -> bool:
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > UNSENT_BYTES:
            self._drop("it does not read")
            return False
        data = encode_message(message)
        transport.write(_LENGTH.pack(len(data)) + data)
        return True

    def names(self) -> set[str]:
        """Return the names in the other end's certificate; none without TLS."""
        certificate = self.transport.get_extra_info("peercert") if self.transport else None
        alternatives = (certificate or {}).get("subjectAltName", ())
        return {name for kind, name in alternatives if kind == "DNS"}

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _drop(self, why: str) -> None:
        _log.warning("link dropped", peer=self.peer, why=why)
        self.close()


class Links:
    """All links of one node to the others of its topology."""

    def __init__(
        self, topology: Topology, node: str, tls: LinkTls | None = None, listen: str = ""
    ) -> None:
        """`listen` is the address to listen on where the topology's is not this machine's own."""
        self.on_message: Callable[[str, Message], None] = lambda _node, _message: None
        self.on_link: Callable[[str], None] = lambda _node: None
        """Called when a link was made, or made again."""
        self.on_time: Callable[[str, int], None] = lambda _node, _now_ns: None
        """Called with what another's clock says."""
        self.clock: Clock = SystemClock()
        """What the others are told."""
        self._topology = topology
        self._node = node
        self._tls = tls
        self._listen = listen
        self._others = {place.name: place for place in topology.node if place.name != node}
        self._out: dict[str, _Framed] = {}
        self._in: set[_Framed] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._pings = 0

    @property
    def linked(self) -> list[str]:
        """Return the nodes that can be sent to."""
        return sorted(self._out)

    async def start(self) -> None:
        """Listen, and begin to dial; raises OSError if the address cannot be had."""
        host, port = split_address(self._topology.find_node(self._node).peer)
        loop = asyncio.get_running_loop()
        tls = self._tls.server() if self._tls else None
        self._server = await loop.create_server(
            lambda: _Framed(self._heard, self._in),
            self._listen or host,
            port,
            ssl=tls,
            ssl_handshake_timeout=SILENCE_S if tls else None,
        )
        self._tasks = [loop.create_task(self._keep(name)) for name in self._others]
        self._tasks.append(loop.create_task(self._sweep()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in [*self._out.values(), *self._in]:
            connection.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def send(self, node: str, message: Message) -> bool:
        """Send if there is a link; whether it arrives is not known."""
        connection = self._out.get(node)
        return connection is not None and connection.send(message)

    async def _keep(self, name: str) -> None:
        """Dial, and dial again; one connection at a time."""
        wait_s, longest_s = DIAL_S
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    connection = await self._dial(name)
            except (OSError, TimeoutError, ssl.SSLError) as error:
                _log.debug("no link", peer=name, error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, longest_s)
                continue
            wait_s = DIAL_S[0]
            _log.info("linked", peer=name)
            self._out[name] = connection
            self.on_link(name)
            try:
                await self._ping_while_open(connection)
            finally:
                self._out.pop(name, None)
                connection.close()
            _log.warning("link lost", peer=name)

    async def _dial(self, name: str) -> _Framed:
        host, port = split_address(self._others[name].peer)
        tls = self._tls.client() if self._tls else None
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Framed(self._answered),
            host,
            port,
            ssl=tls,
            server_hostname=name if tls else None,
        )
        connection.peer = name
        connection.send(Hello(protocol=PROTOCOL, cluster=self._topology.name, node=self._node))
        return connection

    async def _ping_while_open(self, connection: _Framed) -> None:
        loop = asyncio.get_running_loop()
        while not connection.closed.is_set():
            self._pings += 1
            connection.send(Ping(number=self._pings, now_ns=self.clock.now_ns()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.closed.wait(), PING_S)
            if loop.time() - connection.heard_s > SILENCE_S:
                return

    async def _sweep(self) -> None:
        """Hang up on who dialed and says nothing: a cut network does not tell."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_S)
            for connection in list(self._in):
                if loop.time() - connection.heard_s > SILENCE_S:
                    _log.info("silent", peer=connection.peer)
                    connection.close()

    def _answered(self, connection: _Framed, message: Message) -> None:
        """Hear on a connection that this node dialed: pongs only."""
        if not isinstance(message, Pong):
            _log.warning("unexpected", peer=connection.peer, message=type(message).__name__)
            connection.close()

    def _heard(self, connection: _Framed, message: Message) -> None:
        if not connection.peer:
            self._greeted(connection, message)
        elif isinstance(message, Ping):
            self.on_time(connection.peer, message.now_ns)
            connection.send(Pong(number=message.number))
        else:
            self.on_message(connection.peer, message)

    def _greeted(self, connection: _Framed, message: Message) -> None:
        """Let in whoever is of this cluster, and shows that it is who it says."""
        why = self._stranger(connection, message)
        if why:
            _log.warning("refused", why=why)
            connection.close()
        elif isinstance(message, Hello):
            connection.peer = message.node

    def _stranger(self, connection: _Framed, message: Message) -> str:
        if not isinstance(message, Hello):
            return "it did not say who it is"
        if (message.protocol, message.cluster) != (PROTOCOL, self._topology.name):
            return f"{message.node} is of {message.cluster}, protocol {message.protocol}"
        if message.node not in self._others:
            return f"{message.node} is not in the topology"
        if self._tls and message.node not in connection.names():
            return f"its certificate does not name {message.node}"
        return ""
