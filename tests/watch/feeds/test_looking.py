"""Feeds over the wire: what is late, cut, moved, huge or old is unknown, and only that feed's."""

import hashlib
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest
from tests.watch.feeds.samples import CALM, NOW_NS, NOW_S, body, calm, troubled
from tests.watch.feeds.server import FeedServer, feed_server

from seawall.model.watch_facts import Doubt, Health, Reading
from seawall.watch.feeds import feed as feed_module
from seawall.watch.feeds.feed import Feed, FeedSettings
from seawall.watch.feeds.keep import KeepTerms, Payloads
from seawall.watch.feeds.kinds import KINDS
from seawall.watch.feeds.page import BYTES_MOST, SECOND_NS
from seawall.watch.feeds.poll import FeedWatch

PATH = "/status"


class Time:
    """What the clock says."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns

    def later(self, seconds: int) -> None:
        self.now_ns += seconds * SECOND_NS


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as server:
        yield server


def settings(server: FeedServer, kind: str, name: str = "feed", path: str = PATH) -> FeedSettings:
    return FeedSettings(name=name, kind=kind, party="Example", url=server.url + path)


async def look(
    feeds: list[FeedSettings], *, now: Time | None = None, folder: Path | None = None
) -> tuple[Reading, ...]:
    payloads = None if folder is None else Payloads(folder)
    watch = FeedWatch([Feed(each, payloads=payloads) for each in feeds], now_ns=now or Time())
    try:
        return await watch.once()
    finally:
        await watch.close()


def doubts(reading: Reading) -> set[Doubt]:
    return {each.doubt for each in reading.doubts}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"alibaba"}))
async def test_every_kind_is_read_over_the_wire(server: FeedServer, kind: str) -> None:
    path = PATH + KINDS[kind].path
    server.put(path, calm(kind), at_s=NOW_S)
    (reading,) = await look([settings(server, kind)])
    assert reading.health is Health.OK, reading.doubts
    server.put(path, troubled(kind), at_s=NOW_S)
    (reading,) = await look([settings(server, kind)])
    assert reading.health not in {Health.OK, Health.UNKNOWN}


async def test_alibaba_answers_only_to_a_signed_request(server: FeedServer) -> None:
    server.put(PATH, calm("alibaba"), at_s=NOW_S)
    row = settings(server, "alibaba")
    (reading,) = await look([row])
    assert doubts(reading) == {Doubt.NOT_PUBLIC}
    watch = FeedWatch([Feed(row, payloads=None, key="id:secret\n")], now_ns=Time())
    (reading,) = await watch.once()
    await watch.close()
    assert reading.health is Health.OK
    assert server.asked[-1].startswith(f"POST {PATH}?RegionIds=%5B%5D ")
    assert "Credential=id,SignedHeaders=host;x-acs-action" in server.asked[-1]
    assert "secret" not in server.asked[-1]


@pytest.mark.parametrize(
    "headers, what",
    [
        ({"Date": ""}, "no Date"),
        ({"Date": "yesterday"}, "no Date"),
        ({"Date": formatdate(NOW_S - 86_400, usegmt=True)}, "24 hours old"),
        ({"Date": formatdate(NOW_S + 7_300, usegmt=True)}, "from now"),
        ({"Age": "90000"}, "25 hours old"),
        ({"Age": "-5"}, "Age"),
        ({"Last-Modified": "never"}, "Last-Modified"),
        ({"Last-Modified": formatdate(NOW_S + 7_300, usegmt=True)}, "from now"),
    ],
)
async def test_yesterdays_page_is_no_news(
    server: FeedServer, headers: dict[str, str], what: str
) -> None:
    for content in (calm("okx"), troubled("okx")):
        server.put(PATH, content, at_s=NOW_S, headers=headers)
        (reading,) = await look([settings(server, "okx")])
        assert (reading.health, doubts(reading)) == (Health.UNKNOWN, {Doubt.STALE})
        assert what in reading.doubts[0].detail


async def test_a_status_that_stands_still_is_stale(server: FeedServer) -> None:
    """Kraken's timestamp moves with each answer; one of an hour ago is a frozen copy."""
    now = Time()
    server.put(PATH, calm("kraken"), at_s=NOW_S + 3_600)
    now.later(3_600)
    (reading,) = await look([settings(server, "kraken")], now=now)
    assert (reading.health, doubts(reading)) == (Health.UNKNOWN, {Doubt.STALE})


async def test_a_page_never_becomes_older(server: FeedServer) -> None:
    """A calm copy from before the trouble, served with today's date."""
    now, path = Time(), PATH + "/api/v2/summary.json"
    feed = Feed(settings(server, "statuspage"), payloads=None)
    watch = FeedWatch([feed], now_ns=now)
    server.put(path, troubled("statuspage"), at_s=NOW_S)
    (reading,) = await watch.once()
    assert reading.health is Health.DEGRADED
    now.later(60)
    old = CALM["statuspage"] | {
        "page": CALM["statuspage"]["page"] | {"updated_at": "2025-10-20T07:00:00.000Z"}
    }
    server.put(path, body("statuspage", old), at_s=NOW_S + 60)
    (reading,) = await watch.once()
    assert (reading.health, doubts(reading)) == (Health.UNKNOWN, {Doubt.STALE})
    server.put(path, calm("statuspage"), at_s=NOW_S + 60)
    (reading,) = await watch.once()
    await watch.close()
    assert reading.health is Health.OK


async def test_a_body_that_ends_early_is_unknown(server: FeedServer) -> None:
    server.put(PATH, calm("okx"), at_s=NOW_S, promised=5_000)
    (reading,) = await look([settings(server, "okx")])
    assert doubts(reading) == {Doubt.UNREACHED}


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "204 No Content", "429 Slow Down"])
async def test_other_statuses_are_unknown(server: FeedServer, status: str) -> None:
    server.put(PATH, calm("okx"), at_s=NOW_S, status=status)
    (reading,) = await look([settings(server, "okx")])
    assert reading.health is Health.UNKNOWN
    assert doubts(reading) & {Doubt.HTTP_STATUS, Doubt.UNREACHED}


async def test_redirects_stay_with_the_host(server: FeedServer) -> None:
    server.put(PATH, b"", at_s=NOW_S, status="302 Found", headers={"Location": "/new"})
    server.put("/new", calm("okx"), at_s=NOW_S)
    (reading,) = await look([settings(server, "okx")])
    assert reading.health is Health.OK
    for target in ("http://203.0.113.5/", PATH):
        server.put(PATH, b"", at_s=NOW_S, status="302 Found", headers={"Location": target})
        (reading,) = await look([settings(server, "okx")])
        assert doubts(reading) == {Doubt.HTTP_STATUS}


async def test_a_body_without_end_is_cut(server: FeedServer) -> None:
    server.put(PATH, b" " * (BYTES_MOST + 1) + calm("okx"), at_s=NOW_S)
    (reading,) = await look([settings(server, "okx")])
    assert doubts(reading) == {Doubt.TOO_LARGE}


async def test_one_feeds_trouble_is_no_others(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "ANSWER_S", 0.5)
    server.hang("/hangs")
    server.put("/garbage", b"\xff\xfe\x00", at_s=NOW_S)
    server.put("/calm", calm("binance"), at_s=NOW_S)
    readings = await look(
        [
            settings(server, "okx", "hangs", "/hangs"),
            settings(server, "aws-events", "garbage", "/garbage"),
            settings(server, "binance", "calm", "/calm"),
            FeedSettings(name="nobody", kind="kraken", url="http://127.0.0.1:9/x"),
        ]
    )
    assert [reading.health for reading in readings] == [
        Health.UNKNOWN, Health.UNKNOWN, Health.OK, Health.UNKNOWN,
    ]  # fmt: skip


async def test_addresses_are_not_told(server: FeedServer) -> None:
    server.put(PATH, b"{}", at_s=NOW_S)
    row = FeedSettings(
        name="f", kind="okx", url=server.url.replace("//", "//user:hidden@") + PATH + "?key=hidden"
    )
    (reading,) = await look([row])
    assert "hidden" not in repr(reading)
    assert Feed(row, payloads=None).source.url == server.url


async def test_what_nobody_looked_at_lately_is_unknown(server: FeedServer) -> None:
    now = Time()
    server.put(PATH, calm("okx"), at_s=NOW_S)
    watch = FeedWatch([Feed(settings(server, "okx"), payloads=None)], now_ns=now)
    assert [doubts(each) for each in watch.readings()] == [{Doubt.NOT_ASKED}]
    assert [each.health for each in await watch.once()] == [Health.OK]
    now.later(600)
    assert [doubts(each) for each in watch.readings()] == [{Doubt.STALE}]
    await watch.close()


async def test_rows_ask_for_regions_and_services(server: FeedServer) -> None:
    server.put(PATH, troubled("aws-events"), at_s=NOW_S)
    row = settings(server, "aws-events")
    for regions, services, health in (
        (("us-east-1",), (), Health.DOWN),
        (("US-EAST-1",), ("dynamodb",), Health.DOWN),
        (("eu-central-1",), (), Health.OK),
        ((), ("ec2",), Health.OK),
    ):
        asked = FeedSettings(
            name="f", kind=row.kind, url=row.url, regions=regions, services=services
        )
        (reading,) = await look([asked])
        assert reading.health is health


async def test_payloads_are_kept_under_their_hash(server: FeedServer, tmp_path: Path) -> None:
    for content in (calm("okx"), b"not JSON"):
        server.put(PATH, content, at_s=NOW_S)
        (reading,) = await look([settings(server, "okx")], folder=tmp_path)
        assert (tmp_path / reading.payload).read_bytes() == content
        assert reading.payload == hashlib.sha256(content).hexdigest()


def test_the_folder_of_payloads_is_bounded(tmp_path: Path) -> None:
    bodies = [bytes([number]) * 100 for number in range(20)]
    names = [hashlib.sha256(each).hexdigest() for each in bodies]
    terms = KeepTerms(bytes_most=1_000)
    payloads = Payloads(tmp_path, terms)
    for name, each in zip(names, bodies, strict=True):
        payloads.keep(name, each)
        payloads.keep(names[0], bodies[0])  # seen again and again
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 10
    assert names[0] in left
    again = Payloads(tmp_path, KeepTerms(bytes_most=300))
    again.keep(names[5], bodies[5])
    assert len(list(tmp_path.iterdir())) == 3
