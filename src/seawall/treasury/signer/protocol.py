"""The signer's socket.  The rule: both ends prove the token before a message is believed.

Frames are a length of four bytes and that many bytes.  Each end sends a nonce of its own and proves
the token over both; the two proofs differ by their role, so that neither can be reflected.
"""

import asyncio
import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

FRAME_BYTES: Final = 1 << 20
HANDSHAKE_S: Final = 5
ANSWER_S: Final = 30
"""The longest that one answer may take, scrypt and a slow disk included."""
NONCE_BYTES: Final = 32
TOKEN_BYTES: Final = 32
_LENGTH_BYTES: Final = 4
_CLIENT: Final = b"seawall signer 1 client"
_SERVER: Final = b"seawall signer 1 server"


class ProtocolError(Exception):
    """The other end is not who it should be, or does not speak as agreed."""


def load_token(path: Path, *, create: bool = False) -> bytes:
    """Read the shared token; `create` makes it, with mode 0600, where there is none."""
    if create and not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(TOKEN_BYTES) + "\n")
    try:
        token = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise ProtocolError(f"{path}: {error}") from None
    if len(token) != TOKEN_BYTES:
        raise ProtocolError(f"{path}: a token has {TOKEN_BYTES} bytes in hexadecimal")
    return token


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return one frame, or raise ProtocolError; the caller sets the deadline."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        if not 0 < length <= FRAME_BYTES:
            raise ProtocolError(f"a frame has 1 to {FRAME_BYTES} bytes")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise ProtocolError(f"the connection ended: {error}") from None


async def write_frame(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not 0 < len(data) <= FRAME_BYTES:
        raise ProtocolError(f"a frame has 1 to {FRAME_BYTES} bytes")
    try:
        writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
        await writer.drain()
    except OSError as error:
        raise ProtocolError(f"the connection ended: {error}") from None


async def greet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: bytes, *, serving: bool
) -> None:
    """Prove the token to the other end and have it prove it; ProtocolError if it cannot."""
    mine = os.urandom(NONCE_BYTES)
    own, other = (_SERVER, _CLIENT) if serving else (_CLIENT, _SERVER)
    async with asyncio.timeout(HANDSHAKE_S):
        await write_frame(writer, mine)
        theirs = await read_frame(reader)
        if len(theirs) != NONCE_BYTES:
            raise ProtocolError("a nonce has 32 bytes")
        if serving:
            # Who calls proves first: the signer proves nothing to strangers.
            _check(await read_frame(reader), _proof(token, other, theirs, mine))
            await write_frame(writer, _proof(token, own, mine, theirs))
        else:
            await write_frame(writer, _proof(token, own, mine, theirs))
            _check(await read_frame(reader), _proof(token, other, theirs, mine))


def _proof(token: bytes, role: bytes, prover: bytes, verifier: bytes) -> bytes:
    return hmac.digest(token, role + prover + verifier, sha256)


def _check(given: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(given, expected):
        raise ProtocolError("the other end does not have the token")
