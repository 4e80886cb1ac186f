"""A client's way to a cluster, by REST or WebSocket.  The rule: what is missing is asked again.

A loyal session stays with its gateway, whatever happens there; a roaming one tries the next when
an answer does not come.  How a missing answer is made good is a real client's choice of two: repeat
under the same command id, which Seawall answers with what the first one did; or, as on any other
exchange, repeat under the same client order id and look what is there.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import websockets
from msgspec import Struct
from websockets.asyncio.client import ClientConnection

from seawall.lab.drills.cluster_history import Ack, History
from seawall.lab.wire import BrokenError, Connection, Key

ANSWER_S: Final = 7.0
"""Longer than a gateway waits for a leader and than a request is valid: whatever was not answered
by then is not begun any more."""
AGAIN_S: Final = 0.05
OK: Final = 200
UNKNOWN_CODE: Final = -1007
TRANSIENT: Final = frozenset({-1001, -1008, -1021})
"""Surely not executed; worth another attempt.  -1021: it lay too long in a paused process."""
_BROKEN: Final = (BrokenError, OSError, EOFError, websockets.WebSocketException, TimeoutError)


class Gateway(Struct, frozen=True):
    """Where a gateway is."""

    name: str
    host: str
    port: int


class Request(Struct, frozen=True, kw_only=True):
    """What is asked, in both protocols."""

    kind: str
    verb: str
    path: str
    method: str
    """Of the WebSocket API."""
    params: dict[str, str]
    command_id: str = ""


class Reply(Struct, frozen=True, kw_only=True):
    """A definite answer."""

    status: int
    body: dict[str, Any]
    attempts: int
    current: bool = True

    @property
    def ok(self) -> bool:
        return self.status == OK

    @property
    def code(self) -> int:
        return int(self.body.get("code", 0))


class Session:
    """One request at a time."""

    def __init__(
        self,
        name: str,
        key: Key,
        gateways: Sequence[Gateway],
        history: History,
        *,
        roams: bool = False,
        websocket: bool = False,
    ) -> None:
        """Begin at the first of `gateways`; a roaming session uses the others as well."""
        self.name = name
        self.stopping = False
        self._key = key
        self._gateways = list(gateways) if roams else [gateways[0]]
        self._at = 0
        self._history = history
        self._websocket = websocket
        self._rest: Connection | None = None
        self._socket: ClientConnection | None = None
        self._numbers = 0

    @property
    def gateway(self) -> Gateway:
        return self._gateways[self._at]

    async def ask(self, request: Request) -> Reply | None:
        """Ask until there is a definite answer; None if the drill ends before that."""
        attempts = 0
        while True:
            attempts += 1
            asked_s = time.monotonic()
            reply = await self._attempt(request, asked_s, attempts)
            if reply is not None:
                return reply
            if self.stopping:
                return None
            await self._turn()

    async def hang_up(self) -> None:
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        if self._socket is not None:
            socket, self._socket = self._socket, None
            with contextlib.suppress(*_BROKEN):
                socket.transport.abort()

    async def _attempt(self, request: Request, asked_s: float, attempts: int) -> Reply | None:
        try:
            if self._websocket:
                status, body, sequence, current = await self._send_message(request)
            else:
                status, body, sequence, current = await self._send(request)
        except _BROKEN:
            self._history.unknown += 1
            await self.hang_up()
            return None
        code = body.get("code", 0) if status != OK else 0
        if code in TRANSIENT:
            self._history.refused_for_now += 1
            return None
        if code == UNKNOWN_CODE or status >= 500:
            self._history.unknown += 1
            return None
        if status == OK:
            self._history.acks.append(
                Ack(
                    session=self.name,
                    gateway=self.gateway.name,
                    kind=request.kind,
                    asked_s=asked_s,
                    told_s=time.monotonic(),
                    sequence=sequence,
                    current=current,
                )
            )
        return Reply(status=status, body=body, attempts=attempts, current=current)

    async def _send(self, request: Request) -> tuple[int, Any, int, bool]:
        if self._rest is None:
            self._rest = Connection(self.gateway.host, self.gateway.port, ANSWER_S)
        answer = await self._rest.signed(
            self._key, request.verb, request.path, request.params, request.command_id
        )
        sequence = answer.header(b"x-seawall-sequence")
        current = answer.header(b"x-seawall-as-of") is None
        try:
            body = answer.json()
        except msgspec.DecodeError as error:
            raise BrokenError(f"{answer.status} without JSON") from error
        return answer.status, body, -1 if sequence is None else int(sequence), current

    async def _send_message(self, request: Request) -> tuple[int, Any, int, bool]:
        async with asyncio.timeout(ANSWER_S):
            if self._socket is None:
                url = f"ws://{self.gateway.host}:{self.gateway.port}/ws-api/v3"
                self._socket = await websockets.connect(url, open_timeout=ANSWER_S)
            self._numbers += 1
            message: dict[str, Any] = {
                "id": f"{self.name}-{self._numbers}",
                "method": request.method,
                "params": self._key.signed_message(request.params),
            }
            if request.command_id:
                message["commandId"] = request.command_id
            await self._socket.send(msgspec.json.encode(message), text=True)
            answer = msgspec.json.decode(await self._socket.recv())
        stale = answer.get("stale", 0)
        sequence = answer.get("sequence", -1)
        body = answer["result"] if answer["status"] == OK else answer["error"]
        return answer["status"], body, sequence, stale == 0

    async def _turn(self) -> None:
        """Wait a moment, and go to the next gateway if this session may."""
        if len(self._gateways) > 1:
            await self.hang_up()
            self._at = (self._at + 1) % len(self._gateways)
        await asyncio.sleep(AGAIN_S)


def order_request(kind: str, params: Mapping[str, str], command_id: str = "") -> Request:
    """Return a request about one order: to place it, cancel it, or look at it."""
    verb = {"place": "POST", "cancel": "DELETE", "look": "GET"}[kind]
    method = {"place": "order.place", "cancel": "order.cancel", "look": "order.status"}[kind]
    return Request(
        kind=kind,
        verb=verb,
        path="/api/v3/order",
        method=method,
        params=dict(params),
        command_id=command_id,
    )


def account_request() -> Request:
    """Return a request for all balances."""
    return Request(
        kind="look", verb="GET", path="/api/v3/account", method="account.status", params={}
    )
