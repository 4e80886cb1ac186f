"""A local server of feeds, byte by byte as a test wants it.  It answers what it was last told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate


class FeedServer:
    """Answers each path with prepared bytes."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._raw: dict[str, bytes] = {}
        self._silent: set[str] = set()

    def put(
        self,
        path: str,
        body: bytes,
        *,
        at_s: float,
        status: str = "200 OK",
        headers: dict[str, str] | None = None,
        promised: int | None = None,
    ) -> None:
        """Answer a path; `promised` is a Content-Length that need not be true."""
        told = {
            "Date": formatdate(at_s, usegmt=True),
            "Content-Length": str(len(body) if promised is None else promised),
            "Connection": "close",
        }
        told |= headers or {}
        lines = [
            f"HTTP/1.1 {status}",
            *(f"{name}: {value}" for name, value in told.items() if value),
        ]
        self._raw[path] = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def hang(self, path: str) -> None:
        """Take the connection, and never answer."""
        self._silent.add(path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ")[1].partition("?")[0]
            self.asked.append(head)
            if path in self._silent:
                await reader.read()
            missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(self._raw.get(path, missing))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def feed_server() -> AsyncIterator[FeedServer]:
    server = FeedServer()
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
