"""The signer's door.  The rule: one local socket, mode 0600, few callers, each with a deadline."""

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Final

import structlog
from msgspec import MsgspecError

from seawall.treasury.signer.messages import Failed, decode_request, encode
from seawall.treasury.signer.protocol import (
    ANSWER_S,
    ProtocolError,
    greet,
    read_frame,
    write_frame,
)
from seawall.treasury.signer.service import SignerService

CALLERS: Final = 8
"""Connections at once; the node needs one."""

_log = structlog.get_logger()


class SignerServer:
    """Serves one `SignerService` on a unix socket."""

    def __init__(self, service: SignerService, token: bytes, path: Path) -> None:
        self._service = service
        self._token = token
        self._path = path
        self._callers = 0
        self._closing = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket left by a killed signer is replaced, a living one is not."""
        if self._path.exists():
            _refuse_living(self._path)
            self._path.unlink()
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            door.bind(str(self._path))
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._meet, sock=door)

    async def close(self) -> None:
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._callers += 1
        try:
            if self._callers <= CALLERS:
                await self._serve(reader, writer)
        except (ProtocolError, TimeoutError) as error:
            _log.info("signer.caller_left", why=str(error) or "too slow")
        except asyncio.CancelledError:
            # Only `close` cancels, and waits; the streams' own callback would print it as an error.
            if not self._closing:
                raise
        finally:
            self._callers -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, self._token, serving=True)
        while True:
            # A caller may be quiet between requests for as long as it likes.
            data = await read_frame(reader)
            try:
                answer = self._service.answer(decode_request(data))
            except MsgspecError as error:
                answer = Failed(detail=f"not a request: {error}")
            async with asyncio.timeout(ANSWER_S):
                await write_frame(writer, encode(answer))


def _refuse_living(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ProtocolError(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise ProtocolError(f"{path}: a signer answers there already")
