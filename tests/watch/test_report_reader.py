"""Summaries over HTTP.  The rule: what a gateway does not tell is unknown, and stops no other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from seawall.model.user_reports import CountedReport, ReportSummary, Topic
from seawall.model.watch_facts import Health
from seawall.watch.report_reader import HEADER, PATH, ReportReader
from seawall.watch.report_store import ReportStore

NOW_NS = 1_767_225_600 * 10**9
TOKEN = "of the operators"  # a test's own
Answer = Callable[[str], tuple[int, bytes]]


def summary(*reporters: str, told: bool = True) -> bytes:
    reports = tuple(
        CountedReport(topic=Topic.SIGN_IN, reporter=each, time=NOW_NS // 10**6)
        for each in reporters
    )
    return msgspec.json.encode(
        ReportSummary(
            node="n", now=NOW_NS // 10**6, since=0, window_seconds=3_600, topics=(),
            reports=reports if told else None,
        )
    )  # fmt: skip


@asynccontextmanager
async def gateway(answer: Answer) -> AsyncIterator[str]:
    """Serve one answer per connection on loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith(f"GET {PATH} ")
        token = next(
            line.partition(": ")[2]
            for line in head.split("\r\n")
            if line.lower().startswith(f"{HEADER}: ")
        )
        status, body = answer(token)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n" % (status, len(body)))
        writer.write(b"connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def read(
    tmp_path: Path, urls: dict[str, str], then: Callable[[ReportReader], Awaitable[None]]
) -> None:
    store = ReportStore(tmp_path / "reports.json")
    reader = ReportReader(urls, TOKEN, store, now_ns=lambda: NOW_NS)
    try:
        await then(reader)
    finally:
        await reader.close()


def sign_in(reader: ReportReader) -> tuple[Health, str]:
    found = next(each for each in reader.signals() if each.dependency == "users/sign_in")
    return found.health, found.detail


async def test_a_crowd_over_two_gateways_is_heard_once_each(tmp_path: Path) -> None:
    crowd = [f"u{each}" for each in range(8)]

    def one(token: str) -> tuple[int, bytes]:
        assert token == TOKEN
        return 200, summary(*crowd)

    async def again(reader: ReportReader) -> None:
        await reader.ask()
        await reader.ask()
        health, detail = sign_in(reader)
        assert health is Health.OK
        assert detail.startswith("8 users reported")

    async with gateway(one) as amber, gateway(one) as blue:
        await read(tmp_path, {"amber": amber, "blue": blue}, again)
        # They are remembered over a restart, and more come.
        crowd += [f"v{each}" for each in range(8)]

        async def more(reader: ReportReader) -> None:
            await reader.ask()
            health, detail = sign_in(reader)
            assert health is Health.DEGRADED
            assert detail.startswith("16 users reported")

        await read(tmp_path, {"amber": amber, "blue": blue}, more)


@pytest.mark.parametrize(
    "status, body",
    [(403, b"{}"), (200, b"{"), (200, b"[]"), (200, b'"\xff"'), (500, b""),
     (200, summary(told=False)), (200, b"x" * (5 << 20))],
)  # fmt: skip
async def test_what_is_no_summary_is_unknown_and_stops_no_other(
    tmp_path: Path, status: int, body: bytes
) -> None:
    async def look(reader: ReportReader) -> None:
        await reader.ask()
        health, detail = sign_in(reader)
        assert health is Health.OK
        assert "1 of 2 gateways told" in detail

    async def alone(reader: ReportReader) -> None:
        await reader.ask()
        assert sign_in(reader)[0] is Health.UNKNOWN

    async with (
        gateway(lambda _: (status, body)) as bad,
        gateway(lambda _: (200, summary())) as good,
    ):
        await read(tmp_path, {"bad": bad, "good": good}, look)
        await read(tmp_path / "other", {"bad": bad}, alone)


async def test_a_gateway_that_is_gone_is_unknown(tmp_path: Path) -> None:
    async with gateway(lambda _: (200, summary())) as gone:
        pass

    async def look(reader: ReportReader) -> None:
        await reader.ask()
        assert sign_in(reader)[0] is Health.UNKNOWN

    await read(tmp_path, {"amber": gone}, look)
