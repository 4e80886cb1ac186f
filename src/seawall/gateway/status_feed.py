"""The stream `seawall@status`: whether what this node tells is the present.

The rule: it is told at once.

Who subscribes to it is told when the node loses the journal, each second for as long as that lasts,
and when it is over; everybody else is sent away meanwhile, for Binance's streams cannot say it.
"""

from typing import Final

from seawall.gateway.context import Context
from seawall.gateway.encode import encode_json
from seawall.gateway.socket_protocol import Socket
from seawall.gateway.stream_payloads import MICROSECOND_NS, MILLISECOND_NS
from seawall.model.ids import SPOT

NAME: Final = "seawall@status"

_EACH_NS: Final = 1_000_000_000
_PREFIX: Final = b'{"stream":"' + NAME.encode() + b'","data":'


class StatusFeed:
    """Those who want to know."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sockets: dict[Socket, tuple[bool, int]] = {}
        """Whether messages are wrapped, and the unit of time in ns."""
        self._current = True
        self._told_ns = 0

    def add(self, socket: Socket, *, combined: bool, microseconds: bool) -> None:
        unit_ns = MICROSECOND_NS if microseconds else MILLISECOND_NS
        self._sockets[socket] = (combined, unit_ns)
        self._tell(socket, self._context.now_ns())

    def remove(self, socket: Socket) -> None:
        self._sockets.pop(socket, None)

    def tick(self, now_ns: int) -> None:
        """Tell all when it changed, and while it is bad each second."""
        current = self._context.is_current()
        if current == self._current and (current or now_ns - self._told_ns < _EACH_NS):
            return
        self._current = current
        self._told_ns = now_ns
        for socket in list(self._sockets):
            self._tell(socket, now_ns)

    def _tell(self, socket: Socket, now_ns: int) -> None:
        combined, unit_ns = self._sockets[socket]
        payload = encode_json(self.event(now_ns, unit_ns))
        socket.send_text(_PREFIX + payload + b"}" if combined else payload)

    def event(self, now_ns: int, unit_ns: int) -> dict[str, object]:
        freshness = self._context.freshness((SPOT,))
        as_of = self._context.node.as_of(SPOT)
        return {
            "e": "seawallStatus",
            "E": now_ns // unit_ns,
            "state": "current" if freshness.current else "stale",
            "asOf": freshness.at_ns // unit_ns,
            "sequence": freshness.sequence,
            "stale": freshness.age,
            "leader": as_of.leader,
            "quorum": as_of.quorum,
        }
