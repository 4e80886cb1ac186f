"""Reports on their way: signed, numbered for ever upwards, to whichever gateway takes them."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tests.watch.probes.servers import http_server

from seawall.lab.etcd import free_ports
from seawall.model.signals import SignedReport, WatchReport
from seawall.watch.reporter import PATH, Delivery, Reporter
from seawall.watch.signing import (
    Numbers,
    SigningError,
    make_key,
    public_half,
    read_key,
    sign,
)

KEY = Ed25519PrivateKey.generate()


def report(number: int) -> WatchReport:
    return WatchReport(watcher="w", number=number, observed_ns=number, signals=())


class Gateway:
    """Takes reports, and counts them."""

    def __init__(self, reply: Any = (200, {"accepted": True})) -> None:
        self.reply = reply
        self.taken: list[WatchReport] = []
        self.asked = asyncio.Event()

    def handle(self, method: str, target: str, body: bytes) -> Any:
        assert (method, target) == ("POST", PATH)
        signed = msgspec.json.decode(body, type=SignedReport)
        KEY.public_key().verify(bytes.fromhex(signed.signature), signed.report.encode())
        self.taken.append(msgspec.json.decode(signed.report, type=WatchReport))
        self.asked.set()
        return self.reply


async def delivered(*gateways: Gateway | str, answer_s: float = 5.0) -> Delivery:
    """Deliver one report to these in turn; a text is an address where nobody is."""
    stack = [http_server(each.handle) for each in gateways if isinstance(each, Gateway)]
    opened = [await each.__aenter__() for each in stack]
    running = iter(opened)
    urls = [each if isinstance(each, str) else next(running) for each in gateways]
    reporter = Reporter(urls, KEY, answer_s=answer_s, hedge_s=0.05)
    try:
        return await reporter.deliver(sign(report(7), KEY), 7)
    finally:
        await reporter.close()
        for each in stack:
            await each.__aexit__(None, None, None)


def nobody() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


async def test_the_first_that_answers_takes_it() -> None:
    first, second = Gateway(), Gateway()
    delivery = await delivered(first, second)
    assert delivery.accepted
    assert ([each.number for each in first.taken], second.taken) == ([7], [])


@pytest.mark.parametrize(
    "reply",
    [None, (503, {"msg": "nobody leads"}), (404, {}), (429, {}), b"nonsense\r\n\r\n", b""],
    ids=["hangs", "503", "404", "429", "nonsense", "breaks off"],
)
async def test_a_gateway_in_trouble_is_passed_by(reply: Any) -> None:
    good = Gateway()
    assert (await delivered(Gateway(reply), nobody(), good)).accepted
    assert [each.number for each in good.taken] == [7]


async def test_a_slow_gateway_is_not_waited_for_and_its_answer_counts_all_the_same() -> None:
    """The second has taken it already: that it came twice is no refusal."""
    duplicate = Gateway((409, {"reason": "this number was used"}))
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    def handle(method: str, target: str, body: bytes) -> Any:
        release.set()
        return duplicate.handle(method, target, body)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with http_server(handle) as other:
        reporter = Reporter([url, other], KEY, answer_s=30, hedge_s=0.05)
        assert (await reporter.deliver(sign(report(7), KEY), 7)).accepted
        await reporter.close()
    server.close()


async def test_taken_before_is_taken_if_it_was_asked_of_two_and_a_refusal_if_of_one() -> None:
    before = (409, {"msg": "taken before"})
    assert (await delivered(Gateway(None), Gateway(before), answer_s=30)).accepted
    delivery = await delivered(Gateway(before))
    assert (delivery.accepted, delivery.detail[-12:]) == (False, "taken before")


async def test_a_refusal_is_told_with_its_reason_and_nobody_else_is_asked() -> None:
    refusing, other = Gateway((403, {"reason": "unknown watcher"})), Gateway()
    delivery = await delivered(refusing, other)
    assert not delivery.accepted
    assert delivery.detail.endswith("HTTP 403 unknown watcher")
    assert not other.taken


async def test_without_any_gateway_it_is_given_up_in_time() -> None:
    delivery = await delivered(Gateway(None), nobody(), Gateway(None), answer_s=0.3)
    assert (delivery.accepted, delivery.gateway) == (False, "")


async def test_old_rounds_are_dropped_and_not_queued() -> None:
    gateway = Gateway(None)
    heard: list[Delivery] = []
    done = asyncio.Event()

    def told(delivery: Delivery) -> None:
        heard.append(delivery)
        if delivery.accepted:
            done.set()

    async with http_server(gateway.handle) as url:
        reporter = Reporter([url], KEY, told=told, answer_s=0.5)
        task = asyncio.create_task(reporter.run())
        reporter.put(report(1))
        await asyncio.wait_for(gateway.asked.wait(), 30)
        for number in range(2, 50):
            reporter.put(report(number))
        gateway.reply = (200, {"accepted": True})
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await reporter.close()
    assert [(each.number, each.accepted) for each in heard] == [(1, False), (49, True)]
    assert [each.number for each in gateway.taken] == [1, 49]
    assert (reporter.dropped, reporter.lost, reporter.accepted) == (47, 1, 1)


def test_a_signature_is_over_the_very_bytes() -> None:
    signed = sign(report(3), KEY)
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_half(KEY)))
    public.verify(bytes.fromhex(signed.signature), signed.report.encode())
    with pytest.raises(InvalidSignature):
        public.verify(bytes.fromhex(signed.signature), signed.report.replace("3", "4").encode())


def test_a_key_is_its_owners_only_and_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "watch" / "amber.key"
    public = make_key(file)
    assert public_half(read_key(file)) == public
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        make_key(file)
    file.chmod(0o644)
    with pytest.raises(SigningError, match="chmod 600"):
        read_key(file)
    file.chmod(0o600)
    file.write_text("no key")
    with pytest.raises(SigningError, match="holds no key"):
        read_key(file)
    with pytest.raises(SigningError, match="cannot be read"):
        read_key(tmp_path / "none")


def test_numbers_rise_over_restarts_and_clocks_that_are_set_back(tmp_path: Path) -> None:
    now_ns = [10**18]
    file = tmp_path / "watch" / "w.number"
    used: list[int] = []
    for life in range(4):
        numbers = Numbers(file, lambda: now_ns[0])
        for step in (0, 5, -(10**15), 7, 3 * 10**15, 10**8):
            now_ns[0] += step
            used.append(numbers.next())
            numbers._thread.submit(int).result()
        if life % 2:
            # The others end as in a crash: nothing is told to them.
            numbers.close()
            numbers._thread.shutdown(wait=True)
        now_ns[0] -= 9 * 10**15
    assert used == sorted(set(used))


def test_a_disk_that_hangs_stops_no_number(tmp_path: Path) -> None:
    now_ns = [10**18]
    release = threading.Event()
    numbers = Numbers(tmp_path / "w.number", lambda: now_ns[0])
    numbers._thread.submit(release.wait, 60)
    found = []
    for _ in range(100):
        now_ns[0] += 10**9
        found.append(numbers.next())
    assert found == [10**18 + (place + 1) * 10**9 for place in range(100)]
    release.set()
    numbers.close()


def test_restarts_in_a_row_do_not_run_ahead_of_the_clock(tmp_path: Path) -> None:
    """The control cell refuses a number that is half a minute ahead."""
    now_ns = [10**18]
    for _ in range(20):
        now_ns[0] += 3 * 10**9
        number = Numbers(tmp_path / "w.number", lambda: now_ns[0]).next()
        assert number - now_ns[0] <= 10**10


def test_a_number_is_the_clock_where_that_serves(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path / "w.number", time.time_ns)
    before_ns = time.time_ns()
    assert before_ns <= numbers.next() <= time.time_ns()


def test_a_file_of_numbers_that_says_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.number").write_text("many")
    with pytest.raises(SigningError, match="holds no number"):
        Numbers(tmp_path / "w.number", time.time_ns)
    with pytest.raises(SigningError, match="cannot be used"):
        Numbers(tmp_path / "w.number" / "below", time.time_ns)
