"""Links that fail: silence, garbage, an end that does not read, a handshake that never ends."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seawall.lab.certificates import Authority
from seawall.lab.etcd import free_ports
from seawall.model.topology import EtcdPlace, NodePlace, Provider, Topology, split_address
from seawall.node import links as module
from seawall.node.links import Links, LinkTls
from seawall.node.peer_messages import (
    PROTOCOL,
    AskLead,
    Forward,
    Hello,
    Message,
    Ping,
    encode_message,
)

HOST = "127.0.0.1"
NAMES = ("amber", "blue")
MESSAGE = AskLead(cell="spot")
PATIENCE_S = 60


@pytest.fixture
def topology() -> Topology:
    ports = free_ports(2 * len(NAMES) + 2)
    return Topology(
        name="test",
        provider=(Provider(name="one"),),
        etcd=(
            EtcdPlace(
                name="one", provider="one", client=f"{HOST}:{ports[4]}", peer=f"{HOST}:{ports[5]}"
            ),
        ),
        node=tuple(
            NodePlace(
                name=name,
                provider="one",
                gateway=f"{HOST}:{ports[2 * number]}",
                peer=f"{HOST}:{ports[2 * number + 1]}",
            )
            for number, name in enumerate(NAMES)
        ),
    )


@asynccontextmanager
async def running(
    topology: Topology, name: str, tls: LinkTls | None = None
) -> AsyncIterator[Links]:
    links = Links(topology, name, tls)
    await links.start()
    try:
        yield links
    finally:
        await links.close()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  (a link tells nobody that it was lost)
            await asyncio.sleep(0.01)


def framed(message: Message) -> bytes:
    data = encode_message(message)
    return struct.pack(">I", len(data)) + data


HELLO = framed(Hello(protocol=PROTOCOL, cluster="test", node="blue"))
STRANGER = framed(Hello(protocol=PROTOCOL, cluster="test", node="coral"))


async def hung_up(topology: Topology, data: bytes) -> None:
    """Dial amber and send this; return once it has hung up."""
    reader, writer = await asyncio.open_connection(*split_address(topology.find_node("amber").peer))
    writer.write(data)
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_whoever_sends_garbage_or_nothing_is_hung_up_on(topology: Topology) -> None:
    heard: list[tuple[str, Message]] = []
    async with running(topology, "amber") as amber:
        amber.on_message = lambda node, message: heard.append((node, message))
        for data in (
            os.urandom(100),
            struct.pack(">I", 5) + b"\xc1\xc1\xc1\xc1\xc1",
            struct.pack(">I", 1 << 31),
            # Too much for one who has not said who it is, though a node may send it.
            struct.pack(">I", module.HELLO_BYTES + 1),
            HELLO + struct.pack(">I", module.MESSAGE_BYTES + 1),
            HELLO + struct.pack(">I", 3) + b"\x93\x01\x02",
            # A stranger is refused, and what it sent after that is not heard.
            framed(Hello(protocol=PROTOCOL, cluster="test", node="coral"))
            + HELLO
            + framed(MESSAGE),
            # Nothing, or half a message, for as long as nobody may be silent.
            b"",
            HELLO + b"\x00\x00",
        ):
            await hung_up(topology, data)
        assert not heard
        async with running(topology, "blue") as blue:
            await until(lambda: blue.linked == ["amber"])
            blue.send("amber", MESSAGE)
            await until(lambda: heard == [("blue", MESSAGE)])


@asynccontextmanager
async def deaf_blue(
    topology: Topology, *, reads: bool
) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Stand where blue should be, and answer nothing; yield who dialed."""
    taken: list[asyncio.StreamWriter] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        if not reads:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's can

    server = await asyncio.start_server(take, *split_address(topology.find_node("blue").peer))
    try:
        yield taken
    finally:
        server.close()
        for writer in taken:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


async def test_a_link_that_brings_nothing_back_is_given_up_and_made_again(
    topology: Topology,
) -> None:
    """A half-open link looks like a peer that takes bytes and answers none."""
    async with running(topology, "amber") as amber:
        async with deaf_blue(topology, reads=True) as taken:
            await until(lambda: len(taken) > 1)
        # Whoever really is blue is linked to, with nobody's help.
        async with running(topology, "blue"):
            made: list[str] = []
            amber.on_link = made.append
            await until(lambda: made == ["blue"])


async def test_an_end_that_does_not_read_is_dropped_before_memory_runs_out(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 600.0)
    monkeypatch.setattr(module, "UNSENT_BYTES", 4 << 20)
    large = Forward(cell="spot", epoch=1, record=bytes(1 << 20))
    async with deaf_blue(topology, reads=False) as taken, running(topology, "amber") as amber:
        await until(lambda: amber.linked == ["blue"])
        sent = 0
        while amber.send("blue", large):
            sent += 1
            assert sent < 1_000
            await asyncio.sleep(0)
        await until(lambda: len(taken) > 1)


async def test_a_handshake_that_never_ends_holds_nothing_up(
    topology: Topology, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    tls = {}
    for name in NAMES:
        certificate, key = authority.issue(name, [HOST])
        tls[name] = LinkTls(ca=authority.ca, certificate=certificate, key=key)
    async with running(topology, "amber", tls["amber"]):
        address = split_address(topology.find_node("amber").peer)
        stalled = [await asyncio.open_connection(*address) for _ in range(20)]
        async with running(topology, "blue", tls["blue"]) as blue:
            await until(lambda: blue.linked == ["amber"])
        for reader, writer in stalled:
            async with asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b""
            writer.close()


async def test_the_time_is_told_with_every_ping(topology: Topology) -> None:
    told: list[tuple[str, int]] = []
    async with running(topology, "amber") as amber:
        amber.on_time = lambda node, now_ns: told.append((node, now_ns))
        _, writer = await asyncio.open_connection(*split_address(topology.find_node("amber").peer))
        writer.write(HELLO + framed(Ping(number=1, now_ns=12_345)))
        await until(lambda: told == [("blue", 12_345)])
        writer.close()
