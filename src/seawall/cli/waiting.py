"""What a gateway says before there is anything to serve.  The rule: nothing as if it were known.

A node that starts while the journal has no majority cannot know what was acknowledged since it
last ran.  Until it does, it lives, is not ready, and says why.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog

HEAD_BYTES: Final = 16_384
HEAD_S: Final = 5.0
LIVE: Final = "/health/live"
TRY_AGAIN: Final = -1001

_log = structlog.get_logger("seawall.cli")


class WaitingRoom:
    """Answers every request of one address with why it waits, once it is opened."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._why = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def open(self, why: str) -> bool:
        """Answer from now on; return whether that is news."""
        is_news, self._why = not self._why, why
        if not is_news:
            return False
        try:
            self._server = await asyncio.start_server(
                self._answer, self._host, self._port, limit=HEAD_BYTES
            )
        except OSError as error:
            _log.warning("nobody is told that the node waits", why=str(error))
        return True

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.closing(writer),
            contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError),
        ):
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b"\r\n", 1)[0].split(b" ")[1:2]
                writer.write(self._response(target == [LIVE.encode()]))
                await writer.drain()

    def _response(self, live: bool) -> bytes:
        status, kind, body = "200 OK", "text/plain", b"live\n"
        if not live:
            status, kind = "503 Service Unavailable", "application/json"
            text = f"This node waits for a journal with a majority: {self._why}"
            body = msgspec.json.encode(
                {"code": TRY_AGAIN, "msg": text, "ready": False, "status": "no_quorum"}
            )
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        return head.encode() + body
