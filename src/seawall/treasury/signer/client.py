"""The node's end of the signer's socket.  The rule: no answer means unknown; ask the same again.

Asking again is safe: the signer answers the same request with the same bytes.
"""

import asyncio
from pathlib import Path

from msgspec import MsgspecError

from seawall.treasury.signer.messages import Answer, Request, decode_answer, encode
from seawall.treasury.signer.protocol import (
    ANSWER_S,
    ProtocolError,
    greet,
    read_frame,
    write_frame,
)


class SignerSilentError(Exception):
    """The signer is not there, or did not answer: it may have signed, or not."""


class SignerClient:
    """One connection, made when it is needed and made anew when it broke."""

    def __init__(self, socket: Path, token: bytes) -> None:
        self._socket = socket
        self._token = token
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> Answer:
        """Return the signer's answer, or raise SignerSilentError."""
        async with self._lock:
            try:
                reader, writer = self._streams or await self._connect()
                async with asyncio.timeout(ANSWER_S):
                    await write_frame(writer, encode(request))
                    return decode_answer(await read_frame(reader))
            except (ProtocolError, OSError, TimeoutError, MsgspecError) as error:
                await self._drop()
                raise SignerSilentError(str(error) or "no answer in time") from None
            except asyncio.CancelledError:
                # The answer is still to come: the next request must not take it for its own.
                await self._drop()
                raise

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        self._streams = (reader, writer)
        await greet(reader, writer, self._token, serving=False)
        return self._streams

    async def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
