"""The gateway on a real socket: the server's own limits."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from seawall.gateway.app import create_app
from seawall.gateway.server import GatewayServer
from seawall.gateway.settings import GatewaySettings
from seawall.node.node import Node
from seawall.node.settings import NodeSettings


@asynccontextmanager
async def listening(
    data: Path,
    *,
    request_s: float = 10,
    keep_alive_s: int = 75,
    connections_max: int = 1_000,
) -> AsyncIterator[GatewayServer]:
    node = await Node.open(NodeSettings(data=data))
    settings = GatewaySettings(
        data=data,
        port=0,
        request_s=request_s,
        keep_alive_s=keep_alive_s,
        connections_max=connections_max,
    )
    server = GatewayServer(create_app(node, settings))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await node.close()


async def exchange_bytes(port: int, *parts: bytes) -> bytes:
    """Send the parts and return all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_requests_of_one_connection_are_answered_in_turn(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        head = b"GET /api/v3/ping HTTP/1.1\r\nhost: x\r\n"
        answer = await exchange_bytes(
            server.port, (head + b"\r\n") * 2 + head + b"connection: close\r\n\r\n"
        )
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert b"server: uvicorn" not in answer


async def test_who_sends_a_request_too_slowly_is_cut_off(tmp_path: Path) -> None:
    async with listening(tmp_path, request_s=0.3) as server:
        for part in (
            b"GET /api/v3/ping HT",
            b"POST /api/v3/order HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsymbol=",
        ):
            assert await exchange_bytes(server.port, part) == b""
        assert server.app.context.metrics.slow_clients == 2


async def test_who_connects_and_says_nothing_is_cut_off(tmp_path: Path) -> None:
    async with listening(tmp_path, keep_alive_s=1) as server:
        assert await exchange_bytes(server.port) == b""


async def test_a_head_may_not_grow_for_ever(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        endless = b"GET /api/v3/ping HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 200_000
        answer = await exchange_bytes(server.port, endless)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_a_chunked_body_may_not_grow_for_ever(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        head = b"POST /seawall/v1/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"%x\r\n%b\r\n" % (20_000, b"a" * 20_000)
        answer = await exchange_bytes(server.port, head, *[chunk] * 5)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_what_is_no_http_is_refused(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        answer = await exchange_bytes(server.port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/api/v3/ping")).status_code == 200


async def test_a_thousand_idle_connections_leave_room_for_orders(tmp_path: Path) -> None:
    async with listening(tmp_path, connections_max=1_500) as server:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(1_000)]
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/api/v3/time")).status_code == 200
        for _, writer in idle:
            writer.close()


async def test_connections_past_the_most_are_told_so(tmp_path: Path) -> None:
    async with listening(tmp_path, connections_max=5) as server:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
        await asyncio.sleep(0)
        answer = await exchange_bytes(
            server.port, b"GET /api/v3/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 503 ")
        for _, writer in idle:
            writer.close()


async def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    async with listening(tmp_path / "one") as server:
        node = await Node.open(NodeSettings(data=tmp_path / "two"))
        settings = GatewaySettings(data=tmp_path / "two", port=server.port)
        second = GatewayServer(create_app(node, settings))
        refused = False
        try:
            await second.start()
        except OSError:
            refused = True
        await second.app.close()
        await node.close()
        assert refused


async def test_answers_wait_for_no_acknowledgement(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(60):
                while not server._server.server_state.connections:  # noqa: ASYNC110  (it tells nobody)
                    await asyncio.sleep(0.01)
            (connection,) = server._server.server_state.connections
            found = connection.transport.get_extra_info("socket")
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            writer.close()
