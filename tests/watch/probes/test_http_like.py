"""The contract of every probe that speaks HTTP, over servers good and bad, and each one's own."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.watch.probes.servers import TIMEOUT_S, http_server, kind, looked

from seawall.lab.etcd import free_ports
from seawall.model.watch_facts import Health
from seawall.watch.probes.evm import EvmProbe
from seawall.watch.probes.http import BYTES_MOST, AddressError, Asker, HttpProbe
from seawall.watch.probes.looking import Looking
from seawall.watch.probes.node import ClockProbe, NodeProbe
from seawall.watch.probes.outcome import Outcome, Probe, answered, shortened

CELL = {
    "cell": "spot", "status": "following", "reason": "", "leader": "blue", "fresh": True,
    "quorum": True, "staleSeconds": 0.1,
}  # fmt: skip
CLUSTER = {"cluster": "c", "node": "amber", "ready": True, "linked": [], "cells": [CELL]}


def block(number: int, at_s: float) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"number": hex(number), "timestamp": hex(int(at_s))},
    }


def node(url: str) -> Probe:
    return NodeProbe(Asker(url), "amber")


def clock(url: str) -> Probe:
    return ClockProbe(Asker(url), wall_ns=time.time_ns)


def evm(url: str) -> Probe:
    return EvmProbe(Asker(url), stalled_s=60)


def plain(url: str) -> Probe:
    return HttpProbe(Asker(url), "/health", says="fine")


GOOD: dict[str, tuple[Callable[[str], Probe], Callable[[], Any]]] = {
    "node": (node, lambda: CLUSTER),
    "clock": (clock, lambda: {"serverTime": int(time.time() * 1000)}),
    "evm": (evm, lambda: block(7, time.time())),
    "http": (plain, lambda: {"all": "fine"}),
}
BAD: dict[str, tuple[Any, str]] = {
    "is well": ("good", "ok"),
    "answers 500": ((500, {}), "no answer"),
    "answers 503": ((503, b"<html>busy"), "no answer"),
    "says we ask too much": ((429, {}), "unable"),
    "redirects": ((302, {}), "no answer"),
    "answers what is no JSON": ((200, b"\xff\xfe{"), "down"),
    "answers another document": ((200, {"status": "up"}), "down"),
    "answers a list": ((200, [1, 2]), "down"),
    "answers nothing": ((200, b""), "down"),
    "sends more than anybody reads": ((200, b"[" * (BYTES_MOST + 1)), "down"),
    "speaks no HTTP": (b"SSH-2.0-OpenSSH_9\r\n\r\n", "down"),
    "lies about what is packed": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "down"
    ),
    "ends in the middle": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "no answer"),
    "breaks the connection": (b"", "no answer"),
    "hangs": (None, "no answer"),
}  # fmt: skip


@pytest.mark.parametrize("probe", GOOD)
@pytest.mark.parametrize("case", BAD)
async def test_every_probe_tells_well_from_ill_from_unknown(probe: str, case: str) -> None:
    make, good = GOOD[probe]
    reply, expected = BAD[case]

    def handle(*_: Any) -> Any:
        return (200, good()) if reply == "good" else reply

    async with http_server(handle) as url:
        outcome = await looked(make(url), TIMEOUT_S if reply is None else 5)
    assert kind(outcome) == expected, outcome
    assert outcome.detail
    assert "127.0.0.1" not in outcome.detail


@pytest.mark.parametrize("probe", GOOD)
async def test_nobody_there_is_refused_and_not_silent(probe: str) -> None:
    (port,) = free_ports(1)
    outcome = await looked(GOOD[probe][0](f"http://127.0.0.1:{port}"))
    assert (kind(outcome), outcome.reached) == ("no answer", True)


@pytest.mark.parametrize("probe", GOOD)
async def test_a_byte_at_a_time_is_no_answer(probe: str) -> None:
    """A time limit for each part would let it go on for ever."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.05)
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert kind(await looked(GOOD[probe][0](url), TIMEOUT_S)) == "no answer"
    server.close()


async def test_a_name_that_does_not_resolve_is_our_trouble() -> None:
    assert kind(await looked(plain("http://no-such-host.invalid"))) == "unable"


def test_an_address_is_never_told() -> None:
    with pytest.raises(AddressError) as told:
        Asker("ftp://user:secret@host")
    assert "secret" not in str(told.value)


NODES: dict[str, tuple[dict[str, Any], Health, bool]] = {
    "well": ({}, Health.OK, True),
    "nobody leads": ({"leader": "", "status": "no_leader"}, Health.OK, False),
    "behind": ({"fresh": False, "staleSeconds": 4.0}, Health.OK, False),
    "cut off": ({"quorum": False, "status": "no_quorum"}, Health.DEGRADED, False),
    "stopped": ({"status": "stopped", "reason": "a flipped bit"}, Health.DEGRADED, False),
    "disputed": ({"status": "disputed", "reason": "most differ"}, Health.DEGRADED, False),
}


@pytest.mark.parametrize("case", NODES)
async def test_a_node_speaks_of_itself_and_of_its_cells(case: str) -> None:
    change, health, good = NODES[case]
    told = {**CLUSTER, "cells": [{**CELL, **change}]}
    async with http_server(lambda *_: (200, told)) as url:
        outcome = await looked(node(url))
    assert (outcome.health, [each.good for each in outcome.cells]) == (health, [good])


async def test_another_node_at_its_address_is_not_this_node() -> None:
    async with http_server(lambda *_: (200, {**CLUSTER, "node": "coral"})) as url:
        outcome = await looked(node(url))
    assert (kind(outcome), outcome.cells) == ("down", ())


@pytest.mark.parametrize("ahead_ms", [-3_000, 0, 3_000])
async def test_a_clock_lies_within_the_bounds_that_are_told(ahead_ms: int) -> None:
    def handle(*_: Any) -> Any:
        return 200, {"serverTime": time.time_ns() // 1_000_000 + ahead_ms}

    async with http_server(handle) as url:
        outcome = await looked(clock(url))
    assert outcome.offset_ns is not None
    low_ns, high_ns = outcome.offset_ns
    assert low_ns <= ahead_ms * 1_000_000 <= high_ns


class Chain:
    """An endpoint whose newest block a test sets, and the time that goes by."""

    def __init__(self) -> None:
        self.height = 100
        self.at_s = 1_000.0
        self.now_s = 1_000.0
        self.chain_id = 1

    def handle(self, _method: str, _target: str, body: bytes) -> Any:
        if b"eth_chainId" in body:
            return 200, {"jsonrpc": "2.0", "id": 1, "result": hex(self.chain_id)}
        return 200, block(self.height, self.at_s)

    def probe(self, url: str, chain_id: int = 0) -> EvmProbe:
        return EvmProbe(
            Asker(url), stalled_s=60, chain_id=chain_id, wall_s=lambda: self.now_s,
            now_ns=lambda: int(self.now_s * 1e9),
        )  # fmt: skip


async def test_a_chain_that_answers_and_stands_still_is_down() -> None:
    chain = Chain()
    async with http_server(chain.handle) as url:
        probe = chain.probe(url)
        assert kind(await probe.look()) == "ok"
        chain.now_s += 59
        assert kind(await probe.look()) == "ok"
        chain.now_s += 2
        assert kind(await probe.look()) == "down"
        chain.height, chain.at_s = 101, chain.now_s
        assert kind(await probe.look()) == "ok"
        # It lies about its time: the same block, always of now.
        chain.now_s += 61
        chain.at_s = chain.now_s
        assert kind(await probe.look()) == "down"
        chain.height += 1
        chain.at_s = chain.now_s + 3_600
        assert kind(await probe.look()) == "degraded"
        await probe.close()


async def test_a_chain_that_falls_far_back_or_is_another_is_told() -> None:
    chain = Chain()
    async with http_server(chain.handle) as url:
        probe, other = chain.probe(url, chain_id=1), chain.probe(url, chain_id=5)
        assert kind(await probe.look()) == "ok"
        chain.height -= 3
        assert kind(await probe.look()) == "ok", "a reorganisation"
        chain.height -= 90
        assert kind(await probe.look()) == "degraded"
        assert kind(await other.look()) == "down"
        await probe.close()
        await other.close()


class Odd:
    """A probe that does to its caller whatever a probe could."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.release = asyncio.Event()
        self.looks = 0

    async def look(self) -> Outcome:
        self.looks += 1
        if self.how == "crashes":
            raise ZeroDivisionError
        if self.how == "cancels itself":
            raise asyncio.CancelledError
        while self.how == "hangs for good" and not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue
        return answered(Health.OK, "well")

    async def close(self) -> None:
        if self.how == "cannot be closed":
            await asyncio.Event().wait()
        if self.how == "crashes":
            raise ZeroDivisionError


@pytest.mark.parametrize("how", ["crashes", "cancels itself"])
async def test_a_probe_that_breaks_is_unknown_and_harms_nobody(how: str) -> None:
    assert kind(await looked(Odd(how))) == "unable"


async def test_a_probe_that_cannot_be_closed_is_left() -> None:
    assert kind(await looked(Odd("cannot be closed"), TIMEOUT_S)) == "ok"


async def test_a_probe_that_does_not_hear_the_end_holds_one_look_only() -> None:
    probe = Odd("hangs for good")
    looking = Looking(probe, every_s=1, timeout_s=0.05, now_ns=lambda: 0)
    assert kind(await looking.look()) == "no answer"
    assert [kind(await looking.look()) for _ in range(3)] == ["unable"] * 3
    assert probe.looks == 1
    probe.release.set()
    probe.how = "well again"
    assert kind(await looking.look()) == "ok"


async def test_looks_go_on_beside_a_probe_that_hangs() -> None:
    hanging, well = Odd("hangs for good"), Odd("well")
    seen: list[str] = []
    done = asyncio.Event()

    def took(outcome: Outcome, _began_ns: int, _ended_ns: int) -> None:
        seen.append(kind(outcome))
        if len(seen) == 5:
            done.set()

    tasks = [
        asyncio.create_task(
            Looking(probe, every_s=0.01, timeout_s=60, now_ns=time.monotonic_ns).run(heard)
        )
        for probe, heard in ((hanging, lambda *_: None), (well, took))
    ]
    await asyncio.wait_for(done.wait(), 30)
    hanging.release.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (hanging.looks, seen[:5]) == (1, ["ok"] * 5)


def test_a_strangers_words_are_one_short_line() -> None:
    assert shortened("a\x1b[31m\n\tb" + "c" * 500) == "a?[31m b" + "c" * 191 + "…"
