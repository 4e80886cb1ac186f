"""A client of the exchange's API for drills and benchmarks.  The rule: what is unknown is said so.

One HTTP/1.1 connection over a plain socket, one request at a time: it costs the measuring side as
little as it can, and it tells an answer from a connection that broke before the answer came.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

COMMAND_ID: Final = "X-Seawall-Command-Id"
LIMIT_BYTES: Final = 16 << 20
"""The largest answer that is read."""


class BrokenError(Exception):
    """No answer came: the request may or may not have taken effect."""


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    head: bytes = b""
    """The status line and the headers."""

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value; `name` in small letters."""
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.lower() == name:
                return value.strip()
        return None

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Key(Struct, frozen=True):
    """An API key, and how it signs."""

    api_key: str
    secret: str

    def sign(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def signed(self, params: Mapping[str, str]) -> str:
        """Return a query string with timestamp and signature."""
        text = urlencode({**params, "timestamp": str(time.time_ns() // 1_000_000)})
        return f"{text}&signature={self.sign(text)}"

    def signed_message(self, params: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters of a WebSocket API request, signed as that wants it."""
        stamped = {
            **params,
            "apiKey": self.api_key,
            "timestamp": str(time.time_ns() // 1_000_000),
        }
        text = "&".join(f"{name}={stamped[name]}" for name in sorted(stamped))
        return {**stamped, "signature": self.sign(text)}


class Connection:
    """One kept-alive connection, opened when it is first used and after it broke."""

    def __init__(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send one request and return its answer, or raise BrokenError."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        head += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method in {"POST", "PUT"}:
            head.append(f"Content-Length: {len(body)}")
        data = "\r\n".join([*head, "", ""]).encode("latin-1") + body
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(data)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise BrokenError(f"{method} {target.partition('?')[0]}: {error!r}") from error

    async def signed(
        self,
        key: Key,
        method: str,
        path: str,
        params: Mapping[str, str],
        command_id: str = "",
    ) -> Answer:
        """Send a signed request, its parameters in the query."""
        headers = {"X-MBX-APIKEY": key.api_key}
        if command_id:
            headers[COMMAND_ID] = command_id
        return await self.request(method, f"{path}?{key.signed(params)}", headers)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, data: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=LIMIT_BYTES)
        reader, writer = self._streams
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = _content_length(head)
        return Answer(status, await reader.readexactly(length), head)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
            if length <= LIMIT_BYTES:
                return length
    raise ValueError("an answer names its length")
