"""Small servers that behave as a test wants it: they answer, lie, hang, or talk nonsense."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from seawall.model.watch_facts import Health
from seawall.watch.probes.looking import Looking
from seawall.watch.probes.outcome import Outcome, Probe

Handler = Callable[[str, str, bytes], "tuple[int, Any] | bytes | None"]
"""Of method, target and body: status and JSON, raw bytes, or None to hang."""

TIMEOUT_S = 0.5
"""How long a look may take that is to be given up."""


@asynccontextmanager
async def http_server(handle: Handler) -> AsyncIterator[str]:
    """Serve HTTP/1.1 by hand, so that nonsense can be served too; yield the address."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
                while await _one(handle, reader, writer):
                    pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        waiting = list(tasks)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _one(handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, target, _ = head.split(" ", 2)
    size = next(
        (int(line.split(":")[1]) for line in head.split("\r\n")
         if line.lower().startswith("content-length:")), 0,
    )  # fmt: skip
    found = handle(method, target, await reader.readexactly(size))
    if found is None:
        await asyncio.Event().wait()
    if isinstance(found, bytes):
        writer.write(found)
        await writer.drain()
        return False
    assert found is not None
    status, content = found
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
    await writer.drain()
    return True


async def looked(probe: Probe, timeout_s: float = 5.0) -> Outcome:
    """Look once as the watch does, in bounded time."""
    looking = Looking(probe, every_s=1, timeout_s=timeout_s, now_ns=lambda: 0)
    try:
        return await looking.look()
    finally:
        await looking.close()


def kind(outcome: Outcome) -> str:
    """Return in one word what a look found."""
    if outcome.health is Health.UNKNOWN:
        return "unable"
    if outcome.health is not Health.DOWN:
        return str(outcome.health)
    return "down" if outcome.sure else "no answer"
