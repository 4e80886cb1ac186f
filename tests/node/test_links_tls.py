"""Between machines: only nodes of the topology, shown by the authority, are heard."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from seawall.lab.certificates import Authority
from seawall.lab.etcd import HOST, free_ports
from seawall.model.topology import EtcdPlace, NodePlace, Provider, Topology, split_address
from seawall.node.links import Links, LinkTls
from seawall.node.peer_messages import PROTOCOL, AskLead, Hello, Message, encode_message

PATIENCE_S = 60
NAMES = ("amber", "blue")
MESSAGE = AskLead(cell="spot")


@pytest.fixture
def topology() -> Topology:
    ports = free_ports(6)
    return Topology(
        name="test",
        provider=tuple(Provider(name=name) for name in NAMES),
        etcd=(
            EtcdPlace(
                name="amber",
                provider="amber",
                client=f"{HOST}:{ports[4]}",
                peer=f"{HOST}:{ports[5]}",
            ),
        ),
        node=tuple(
            NodePlace(
                name=name,
                provider=name,
                gateway=f"{HOST}:{ports[2 * number]}",
                peer=f"{HOST}:{ports[2 * number + 1]}",
            )
            for number, name in enumerate(NAMES)
        ),
    )


def files(folder: Path, name: str) -> LinkTls:
    authority = Authority(folder)
    certificate, key = authority.issue(name, [HOST])
    return LinkTls(ca=authority.ca, certificate=certificate, key=key)


@contextlib.asynccontextmanager
async def linked(topology: Topology, name: str, tls: LinkTls) -> AsyncIterator[Links]:
    links = Links(topology, name, tls)
    await links.start()
    try:
        yield links
    finally:
        await links.close()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110  (a link tells nobody that it is there)
            await asyncio.sleep(0.01)


async def say(topology: Topology, context: ssl.SSLContext, *messages: Message) -> None:
    """Dial amber, send what a node would, and wait until it hangs up."""
    host, port = split_address(topology.find_node("amber").peer)
    with contextlib.suppress(OSError, ssl.SSLError):
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname="amber"
        )
        with contextlib.closing(writer):
            for message in messages:
                data = encode_message(message)
                writer.write(struct.pack(">I", len(data)) + data)
            async with asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b""


async def test_only_who_the_authority_names_is_heard(tmp_path: Path, topology: Topology) -> None:
    own = files(tmp_path / "tls", "amber")
    heard: list[tuple[str, Message]] = []
    async with linked(topology, "amber", own) as amber:
        amber.on_message = lambda node, message: heard.append((node, message))

        def hello(node: str, cluster: str = "test") -> Hello:
            return Hello(protocol=PROTOCOL, cluster=cluster, node=node)

        # With a certificate of the authority, but for another name than it says.
        named = files(tmp_path / "tls", "coral").client()
        await say(topology, named, hello("blue"), MESSAGE)
        # Of the authority, by its true name, which the topology does not have.
        await say(topology, named, hello("coral"), MESSAGE)
        blue = files(tmp_path / "tls", "blue")
        # The right name, in another cluster; and one that does not say who it is.
        await say(topology, blue.client(), hello("blue", "another"), MESSAGE)
        await say(topology, blue.client(), MESSAGE)
        # The right name, shown by another authority.
        forged = files(tmp_path / "others", "blue")
        own_ca = LinkTls(ca=own.ca, certificate=forged.certificate, key=forged.key)
        await say(topology, own_ca.client(), hello("blue"), MESSAGE)
        # No certificate at all.
        bare = ssl.create_default_context(cafile=str(own.ca))
        await say(topology, bare, hello("blue"), MESSAGE)
        assert not heard

        # The true blue is heard, and hears.
        async with linked(topology, "blue", blue) as other:
            await until(lambda: amber.linked == ["blue"] and other.linked == ["amber"])
            assert other.send("amber", MESSAGE)
            await until(lambda: heard == [("blue", MESSAGE)])


async def test_a_node_does_not_talk_to_who_only_says_that_it_is_another(
    tmp_path: Path, topology: Topology
) -> None:
    """Whoever answers at blue's address without blue's certificate is sent nothing."""
    forged = files(tmp_path / "others", "blue")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(forged.certificate, forged.key)
    host, port = split_address(topology.find_node("blue").peer)
    came = bytearray()
    hung_up = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak TLS by hand, to see both that amber dials and what it says."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await reader.read(1 << 16):
                incoming.write(data)
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    came.extend(tls.read())
                writer.write(outgoing.read())
        hung_up.set()
        writer.close()

    server = await asyncio.start_server(listen, host, port)
    async with linked(topology, "amber", files(tmp_path / "tls", "amber")) as amber:
        await asyncio.wait_for(hung_up.wait(), PATIENCE_S)
        assert amber.linked == []
    server.close()
    await server.wait_closed()
    assert not came


async def test_renewed_certificates_are_taken_up_without_a_restart(
    tmp_path: Path, topology: Topology
) -> None:
    folder = tmp_path / "tls"
    amber_tls, blue_tls = files(folder, "amber"), files(folder, "blue")
    host, port = split_address(topology.find_node("amber").peer)

    async def shown() -> bytes:
        """Return the certificate that amber shows to blue."""
        _, writer = await asyncio.open_connection(
            host, port, ssl=blue_tls.client(), server_hostname="amber"
        )
        tls = writer.get_extra_info("ssl_object")
        certificate: bytes = tls.getpeercert(binary_form=True)
        writer.close()
        return certificate

    async with linked(topology, "amber", amber_tls):
        async with linked(topology, "blue", blue_tls) as blue:
            await until(lambda: blue.linked == ["amber"])
        first = await shown()
        assert first == await shown()
        for name in NAMES:
            Authority(folder).issue(name, [HOST])
        async with asyncio.timeout(PATIENCE_S):
            while await shown() == first:  # noqa: ASYNC110  (what is awaited is the dial itself)
                await asyncio.sleep(0.01)
        # blue dials with its new certificate, and is let in by amber's new one.
        async with linked(topology, "blue", blue_tls) as blue:
            await until(lambda: blue.linked == ["amber"])
