"""Whether a name leads to its addresses.  The rule: name servers are asked, and no cache of ours.

Over UDP, as clients' resolvers do.  The servers of one name are asked at once, and one that
answers rightly is enough: that is how many a resolver needs.
"""

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seawall.model.watch_facts import Health
from seawall.watch.probes.dns_message import (
    TYPE_A,
    TYPE_AAAA,
    DnsAnswer,
    MessageError,
    decode,
    encode,
)
from seawall.watch.probes.http import ms
from seawall.watch.probes.outcome import Outcome, answered, failed, of_error, unable

PORT: Final = 53
RESOLVERS: Final = Path("/etc/resolv.conf")


class DnsProbe:
    """One name."""

    def __init__(
        self,
        name: str,
        *,
        servers: Sequence[str] = (),
        expect: Sequence[str] = (),
        answer_s: float,
        resolvers: Path = RESOLVERS,
    ) -> None:
        """`servers` are addresses, with a port where it is not 53; `expect` are all addresses
        that the name may have, where they are known.
        """
        encode(0, name, TYPE_A)
        self._name = name
        self._servers = tuple(servers)
        self._expect = {str(ipaddress.ip_address(each)) for each in expect}
        self._kind = TYPE_AAAA if any(":" in each for each in self._expect) else TYPE_A
        self._answer_s = answer_s
        self._resolvers = resolvers

    async def close(self) -> None:
        """Nothing is kept open."""

    async def look(self) -> Outcome:
        servers = self._servers or usual_servers(self._resolvers)
        if not servers:
            return unable("this machine names no resolver")
        found = await asyncio.gather(*(self._ask(server) for server in servers))
        # The best: OK before DEGRADED before a surely wrong answer before silence.
        order = (Health.OK, Health.DEGRADED, Health.DOWN, Health.UNKNOWN)
        return min(found, key=lambda each: (order.index(each.health), not each.sure))

    async def _ask(self, server: str) -> Outcome:
        question = encode(secrets.randbits(16), self._name, self._kind)
        began_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(self._answer_s):
                found = await _exchange(*address(server), question)
        except (OSError, TimeoutError) as error:
            return of_error(error)
        return self._judge(found, time.monotonic_ns() - began_ns)

    def _judge(self, found: DnsAnswer, took_ns: int) -> Outcome:
        if found.error in {"SERVFAIL", "REFUSED"}:
            return failed(f"the name server answers {found.error}", reached=True)
        if found.error:
            return answered(Health.DOWN, f"the name server answers {found.error}")
        if not found.addresses:
            return answered(Health.DOWN, "the name has no address")
        strange = [each for each in found.addresses if each not in self._expect]
        if self._expect and strange:
            return answered(Health.DOWN, f"the name leads elsewhere: {', '.join(strange[:3])}")
        shown = ", ".join(found.addresses[:3])
        return answered(Health.OK, f"{shown} in {ms(took_ns)}", latency_ns=took_ns)


class _Waiting(asyncio.DatagramProtocol):
    """Takes the first datagram that answers the question; others may be forged."""

    def __init__(self, question: bytes, answer: "asyncio.Future[DnsAnswer]") -> None:
        self._question = question
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if not self._answer.done():
            try:
                self._answer.set_result(decode(self._question, data))
            except MessageError:
                return

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def _exchange(host: str, port: int, question: bytes) -> DnsAnswer:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[DnsAnswer] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Waiting(question, answer), remote_addr=(host, port)
    )
    try:
        transport.sendto(question)
        return await answer
    finally:
        transport.close()


def address(text: str) -> tuple[str, int]:
    """Return host and port of `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[...]:5353`."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    return str(ipaddress.ip_address(text)), PORT


def usual_servers(file: Path) -> tuple[str, ...]:
    """Return the servers that this machine's file of resolvers names."""
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return tuple(each[1] for each in words if len(each) > 1 and each[0] == "nameserver")
