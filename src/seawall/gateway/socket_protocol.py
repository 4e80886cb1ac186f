"""Sockets.  The rule: what is sent is encoded once, and nobody's unread bytes may fill our memory.

`SocketProtocol` is uvicorn's own WebSocket protocol with one addition: it hands the application a
`Socket`, which writes ready-made frames straight to the transport.  The transport's buffer is the
subscriber's queue; who lets it grow past `limits.WS_QUEUE_BYTES` is cut off at once.
"""

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from seawall.lib.invariants import invariant
from seawall.model import limits

EXTENSION: Final = "seawall.socket"

_LOGGER: Final = logging.getLogger("seawall.sockets")
_LOGGER.setLevel(logging.WARNING)

POLICY_VIOLATION: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013

_LEAVE_S: Final = 1.0
_FIN_TEXT: Final = 0x81
_SHORT_BYTES: Final = 126
_MEDIUM_BYTES: Final = 1 << 16


def text_frame(payload: bytes) -> bytes:
    """Return one whole unmasked text frame, as a server sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < _SHORT_BYTES:
        return bytes((_FIN_TEXT, size)) + payload
    if size < _MEDIUM_BYTES:
        return struct.pack("!BBH", _FIN_TEXT, 126, size) + payload
    return struct.pack("!BBQ", _FIN_TEXT, 127, size) + payload


class MessageRate:
    """At most so many messages within any one second."""

    __slots__ = ("_times_s",)

    def __init__(self, messages_per_second: int) -> None:
        self._times_s = deque([-1.0] * messages_per_second, maxlen=messages_per_second)

    def admit(self, now_s: float) -> bool:
        oldest_s = self._times_s[0]
        self._times_s.append(now_s)
        return oldest_s < 0 or now_s - oldest_s >= 1


class Socket:
    """The sending half of one connection."""

    __slots__ = ("_protocol", "did_not_read", "farewell", "queue_bytes_max", "rate")

    def __init__(self, protocol: "SocketProtocol") -> None:
        self._protocol = protocol
        self.farewell: Callable[[], bytes] | None = None
        """What to send when the exchange stops."""
        self.queue_bytes_max = limits.WS_QUEUE_BYTES
        self.did_not_read = False
        """It was cut off for letting its queue grow."""
        self.rate: MessageRate | None = None

    @property
    def is_open(self) -> bool:
        protocol = self._protocol
        return protocol.conn.state is State.OPEN and not protocol.transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    def send_frame(self, frame: bytes) -> None:
        """Queue a ready frame; cut the subscriber off if it does not read."""
        if not self.is_open:
            return
        transport = self._protocol.transport
        if transport.get_write_buffer_size() + len(frame) > self.queue_bytes_max:
            self.did_not_read = True
            self.abort()
            return
        transport.write(frame)

    def send_text(self, payload: bytes) -> None:
        self.send_frame(text_frame(payload))

    async def writable(self) -> None:
        """Wait until the client has read most of what was sent."""
        await self._protocol.writable.wait()

    def count_message(self) -> bool:
        """Count one message or control frame of the client; close on one who sends too many."""
        if self.rate is None or self.rate.admit(self._protocol.loop.time()):
            return True
        self.close(POLICY_VIOLATION, "Too many requests")
        return False

    def close(self, code: int, reason: str) -> None:
        """Say good-bye; the connection ends when the client answers, or soon after."""
        if self.is_open:
            self._protocol.close(code, reason)

    def abort(self) -> None:
        """End the connection now and forget what was not sent."""
        self._protocol.transport.abort()


class SocketProtocol(WebSocketsSansIOProtocol):
    """Give to uvicorn as `ws`, with `ws_per_message_deflate` off: frames are shared."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        invariant(not config.ws_per_message_deflate, "frames are shared, so none is compressed")
        # uvicorn's own lines name the path, and so the listen keys in it.
        self.logger = _LOGGER
        self.socket = Socket(self)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:  # Switching Protocols
            self.scope["extensions"][EXTENSION] = {"socket": self.socket}

    def handle_ping(self) -> None:
        """Answer a ping; who sends pings and never reads the pongs is cut off as well."""
        if not self.socket.count_message():
            return
        if self.socket.unsent_bytes > self.socket.queue_bytes_max:
            self.socket.did_not_read = True
            self.socket.abort()
            return
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self.pending_ping_payload is None and not self.socket.count_message():
            return
        super().handle_pong(event)

    def shutdown(self) -> None:
        """Take leave when the server stops, without waiting for those who do not read."""
        farewell = self.socket.farewell
        if farewell is not None and self.handshake_complete:
            self.socket.send_text(farewell())
        super().shutdown()
        self.loop.call_later(_LEAVE_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Cut off a client that does not answer pings: it reads nothing, not even a good-bye."""
        super().keepalive_timeout()
        self.transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame from outside the application's own task."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)


def socket_of(scope: Mapping[str, Any]) -> Socket:
    """Return the socket of a connection that `SocketProtocol` serves."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    invariant(extension is not None, "WebSockets are served by SocketProtocol")
    socket: Socket = extension["socket"]
    return socket
