"""Probes of ports, certificates, names and disks, against real ones on loopback."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.watch.probes.servers import TIMEOUT_S, kind, looked

from seawall.lab.certificates import DAYS, Authority
from seawall.lab.etcd import free_ports
from seawall.watch.probes.disk import DiskProbe
from seawall.watch.probes.dns import DnsProbe, address, usual_servers
from seawall.watch.probes.dns_message import TYPE_A, DnsAnswer, MessageError, decode, encode
from seawall.watch.probes.outcome import Outcome, failed
from seawall.watch.probes.tcp import TcpProbe
from seawall.watch.probes.tls import DAY_S, TlsFiles, TlsProbe

HOST = "127.0.0.1"


@asynccontextmanager
async def serving(
    tls: ssl.SSLContext | None = None, says: bytes = b"", *, hangs: bool = False
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(says)
            if hangs:
                await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_port_that_takes_connections_is_well_and_a_closed_one_refuses() -> None:
    async with serving() as port:
        outcome = await looked(TcpProbe(HOST, port))
        assert (kind(outcome), outcome.latency_ns > 0) == ("ok", True)
    (port,) = free_ports(1)
    outcome = await looked(TcpProbe(HOST, port))
    assert (kind(outcome), outcome.reached) == ("no answer", True)


async def test_a_port_that_takes_nothing_any_more_is_silent() -> None:
    """The queue of a listener that accepts nobody is full: packets are dropped, as in a cut."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex((HOST, port))
        await asyncio.sleep(0.05)
        outcome = await looked(TcpProbe(HOST, port), TIMEOUT_S)
        for each in fillers:
            each.close()
    assert (kind(outcome), outcome.reached) == ("no answer", False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def files(authority: Authority, name: str, *hosts: str) -> TlsFiles:
    certificate, key = authority.issue(name, hosts)
    return TlsFiles(ca=authority.ca, certificate=certificate, key=key)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize(
    "left_days, expected", [(400, "ok"), (13.5, "degraded"), (0.1, "degraded"), (-0.1, "down")]
)
async def test_a_certificate_is_trouble_before_it_ends(
    authority: Authority, left_days: float, expected: str
) -> None:
    own = files(authority, "server", HOST)
    end_s = time.time() + DAYS * DAY_S

    async with serving(server_context(own)) as port:
        probe = TlsProbe(HOST, port, own, now_s=lambda: end_s - left_days * DAY_S)
        assert kind(await looked(probe)) == expected


async def test_certificates_that_are_not_to_be_believed(
    authority: Authority, tmp_path: Path
) -> None:
    own, elsewhere = files(authority, "one", HOST), files(authority, "two", "elsewhere.example")
    other = files(Authority(tmp_path / "other"), "three", HOST)
    for presented, told in ((elsewhere, "mismatch"), (other, "issuer|self-signed|verify")):
        async with serving(server_context(presented)) as port:
            outcome = await looked(TlsProbe(HOST, port, own))
        assert kind(outcome) == "down"
        assert any(word in outcome.detail for word in told.split("|")), outcome.detail


async def test_what_is_no_tls_what_hangs_and_who_is_not_there(authority: Authority) -> None:
    own = files(authority, "four", HOST)
    async with serving(says=b"220 mail.example ready\r\n" * 3, hangs=True) as port:
        assert kind(await looked(TlsProbe(HOST, port, own))) == "down"
    async with serving(hangs=True) as port:
        assert kind(await looked(TlsProbe(HOST, port, own), TIMEOUT_S)) == "no answer"
    async with serving() as port:
        assert kind(await looked(TlsProbe(HOST, port, own))) == "no answer"
    outcome = await looked(TlsProbe(HOST, free_ports(1)[0], own))
    assert (kind(outcome), outcome.reached) == ("no answer", True)
    missing = TlsFiles(ca=own.ca, certificate=own.ca.with_name("none"), key=own.key)
    assert kind(await looked(TlsProbe(HOST, 1, missing))) == "unable"


async def test_a_disk_that_keeps_a_file_is_well_and_a_slow_one_is_degraded(tmp_path: Path) -> None:
    assert kind(await looked(DiskProbe(tmp_path, slow_ms=60_000))) == "ok"
    assert kind(await looked(DiskProbe(tmp_path, slow_ms=0))) == "degraded"
    outcome = await looked(DiskProbe(tmp_path / "none"))
    assert kind(outcome) == "down"


async def test_a_disk_that_hangs_hangs_nobody(tmp_path: Path) -> None:
    release = threading.Event()

    class Hanging(DiskProbe):
        def sync(self) -> int:
            release.wait(60)
            return super().sync()

    probe = Hanging(tmp_path, slow_ms=1)
    looking = [kind(await looked_open(probe)) for _ in range(3)]
    assert looking == ["no answer"] * 3
    assert "waited" in (await probe.look()).detail
    release.set()
    deadline_s = time.monotonic() + 30
    while kind(await looked_open(probe)) == "no answer":
        assert time.monotonic() < deadline_s
    await probe.close()


async def looked_open(probe: DiskProbe) -> Outcome:
    """Look in bounded time, and leave the probe open."""
    try:
        async with asyncio.timeout(0.1):
            return await probe.look()
    except TimeoutError:
        return failed("no answer", reached=False)


Reply = Callable[[bytes], bytes | None]


@asynccontextmanager
async def name_server(reply: Reply) -> AsyncIterator[str]:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            if (found := reply(data)) is not None:
                self.transport.sendto(found, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Server, local_addr=(HOST, 0)
    )
    try:
        yield f"{HOST}:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


def records(*addresses: str, code: int = 0, number: int | None = None) -> Callable[[bytes], bytes]:
    def reply(question: bytes) -> bytes:
        head = question[:2] if number is None else number.to_bytes(2, "big")
        body = b"".join(
            b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton(each) for each in addresses
        )
        flags = bytes([0x81, 0x80 | code])
        return (
            head + flags + b"\0\x01\0" + bytes([len(addresses)]) + b"\0" * 4 + question[12:] + body
        )

    return reply


NAMES: dict[str, tuple[Reply, tuple[str, ...], str]] = {
    "leads where it should": (records("192.0.2.1", "192.0.2.2"), (), "ok"),
    "leads where it is expected": (records("192.0.2.1"), ("192.0.2.1", "192.0.2.9"), "ok"),
    "leads elsewhere": (records("192.0.2.1", "203.0.113.5"), ("192.0.2.1",), "down"),
    "does not exist": (records(code=3), (), "down"),
    "has no address": (records(), (), "down"),
    "server fails": (records(code=2), (), "no answer"),
    "server refuses": (records(code=5), (), "no answer"),
    "another's answer": (records("192.0.2.1", number=0), (), "no answer"),
    "nonsense": (lambda _: b"\x01\x02\x03", (), "no answer"),
    "half an answer": (lambda question: records("192.0.2.1")(question)[:-2], (), "no answer"),
    "silence": (lambda _: None, (), "no answer"),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
async def test_a_name_and_what_its_server_says(case: str) -> None:
    reply, expect, expected = NAMES[case]
    async with name_server(reply) as server:
        probe = DnsProbe("api.exchange.example", servers=[server], expect=expect, answer_s=0.3)
        assert kind(await looked(probe)) == expected


async def test_one_name_server_that_answers_is_enough(tmp_path: Path) -> None:
    nobody = f"{HOST}:{free_ports(1)[0]}"
    async with name_server(records("192.0.2.1")) as server, name_server(lambda _: None) as silent:
        probe = DnsProbe("a.example", servers=[silent, nobody, server], answer_s=0.3)
        assert kind(await looked(probe)) == "ok"
    assert kind(await looked(DnsProbe("a.example", servers=[nobody], answer_s=0.3))) == "no answer"
    resolvers = tmp_path / "resolv.conf"
    assert kind(await looked(DnsProbe("a.example", answer_s=1, resolvers=resolvers))) == "unable"
    resolvers.write_text("# ours\nsearch example\nnameserver 192.0.2.53\nnameserver 2001:db8::1\n")
    assert usual_servers(resolvers) == ("192.0.2.53", "2001:db8::1")
    assert address("2001:db8::1") == ("2001:db8::1", 53)
    assert address("[2001:db8::1]:5353") == ("2001:db8::1", 5353)


@given(st.binary(max_size=300))
def test_no_bytes_upset_the_reader_of_answers(message: bytes) -> None:
    question = encode(7, "a.example", TYPE_A)
    for each in (message, question[:2] + b"\x81\x80" + message, records()(question)[:6] + message):
        try:
            found = decode(question, each)
        except MessageError:
            continue
        assert isinstance(found, DnsAnswer)


@given(st.integers(0, 40), st.binary(max_size=40))
def test_a_broken_answer_to_the_right_question_is_no_crash(cut: int, end: bytes) -> None:
    question = encode(7, "a.example", TYPE_A)
    whole = records("192.0.2.1", "192.0.2.2")(question)
    try:
        found = decode(question, whole[: len(whole) - cut] + end)
    except MessageError:
        return
    assert len(found.addresses) <= 2


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", "a." * 130, "\ud800.example"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        encode(1, name, TYPE_A)


async def test_a_folder_that_this_watcher_may_not_write_is_its_own_trouble(tmp_path: Path) -> None:
    class Forbidden(DiskProbe):
        def sync(self) -> int:
            raise PermissionError(13, "Permission denied")

    assert kind(await looked(Forbidden(tmp_path))) == "unable"
