"""A load generator that costs little.  The rule: requests are made before the clock starts.

Each connection has its own prepared requests and sends the next one when the answer to the last
has come: as many requests are on their way as there are connections.  Callbacks on the transport,
no tasks and no streams, so that the measuring side stays well below the measured one.
"""

import asyncio
import base64
import time
from collections.abc import Sequence
from functools import partial
from typing import Final, cast

from msgspec import Struct

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_BAD_TOLD: Final = 3


class LoadError(Exception):
    """The load could not be put on, or was not answered as it should be."""


class Timing(Struct, frozen=True):
    """What one load saw."""

    answers: int
    seconds: float
    latencies_s: list[float]


class _Talker(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, notes the time, sends the next."""

    def __init__(self, requests: Sequence[bytes], end_s: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies_s: list[float] = []
        self.bad: list[bytes] = []
        self._requests = requests
        self._next = 0
        self._end_s = end_s
        self._sent_s = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: uvloop's transports are of their own kind.
        self._transport = cast("asyncio.Transport", transport)
        self.opened()

    def opened(self) -> None:
        self.send()

    def send(self) -> None:
        now_s = time.perf_counter()
        if self._transport is None or now_s >= self._end_s or self._next == len(self._requests):
            self._finish()
            return
        request = self._requests[self._next]
        self._next += 1
        self._sent_s = now_s
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            taken = self.answer_length(self._buffer)
        except ValueError as error:
            self.fail(f"an answer could not be read: {error}")
            return
        if not taken:
            return
        self.latencies_s.append(time.perf_counter() - self._sent_s)
        answer, self._buffer = self._buffer[:taken], self._buffer[taken:]
        if not self.is_good(answer) and len(self.bad) < _BAD_TOLD:
            self.bad.append(answer)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection broke: {exc}")

    def fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadError(why))

    def answer_length(self, buffer: bytes) -> int:
        """Return the length of the first whole answer in the buffer, 0 if there is none yet."""
        end = buffer.find(_END)
        if end < 0:
            return 0
        start = buffer.lower().find(_LENGTH, 0, end)
        if start < 0:
            raise ValueError("it names no length")
        start += len(_LENGTH)
        length = int(buffer[start : buffer.find(b"\r", start)])
        total = end + len(_END) + length
        return total if len(buffer) >= total else 0

    def is_good(self, answer: bytes) -> bool:
        return answer.startswith(b"HTTP/1.1 200")

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self._transport is not None:
            self._transport.close()


class _SocketTalker(_Talker):
    """The same over a WebSocket."""

    def __init__(self, requests: Sequence[bytes], end_s: float, path: str) -> None:
        super().__init__(requests, end_s)
        self._path = path
        self._upgraded = False

    def opened(self) -> None:
        key = base64.b64encode(bytes(16)).decode()
        if self._transport is not None:
            self._transport.write(
                f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            super().data_received(data)
            return
        self._buffer += data
        if _END in self._buffer:
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.fail(f"no WebSocket here: {self._buffer[:80]!r}")
                return
            self._upgraded = True
            self._buffer = b""
            self.send()

    def answer_length(self, buffer: bytes) -> int:
        if len(buffer) < 2:
            return 0
        length, head = buffer[1], 2
        if length == 126:
            length, head = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            length, head = int.from_bytes(buffer[2:10], "big"), 10
        return head + length if len(buffer) >= head + length else 0

    def is_good(self, answer: bytes) -> bool:
        return b'"status":200' in answer


def frame(text: bytes) -> bytes:
    """Return a client's text frame; its mask is zero, which leaves the text as it is."""
    if len(text) < 126:
        length = bytes([0x80 | len(text)])
    else:
        length = bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


def _same(talker: _Talker) -> _Talker:
    return talker


async def put_load(
    host: str,
    port: int,
    requests: Sequence[Sequence[bytes]],
    seconds: float,
    websocket_path: str = "",
) -> Timing:
    """Send each connection's requests for so long, or until they are used up; raise LoadError."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    end_s = began + seconds
    talkers: list[_Talker] = []
    for own in requests:
        talker = (
            _SocketTalker(own, end_s, websocket_path) if websocket_path else _Talker(own, end_s)
        )
        await loop.create_connection(partial(_same, talker), host, port)
        talkers.append(talker)
    await asyncio.gather(*(talker.done for talker in talkers))
    took_s = time.perf_counter() - began
    bad = [answer for talker in talkers for answer in talker.bad]
    if bad:
        raise LoadError(f"not answered with success: {bad[0][:400]!r}")
    latencies = [one for talker in talkers for one in talker.latencies_s]
    return Timing(len(latencies), took_s, latencies)
