"""Other venues: judged numbers, ccxt against servers that speak like them, and against our own."""

import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exchange import Exchange, running_exchange
from tests.texts import CHARACTERS
from tests.watch.feeds.server import FeedServer, feed_server

from seawall.model.watch_facts import Doubt, Health, Reading
from seawall.watch import venues
from seawall.watch.venue_looks import VenueWatch
from seawall.watch.venues import MINUTE_MS, VenueSettings

NOW_MS = 1_760_950_000_000 // MINUTE_MS * MINUTE_MS + 20_000
NOW_NS = NOW_MS * 1_000_000
VENUE = VenueSettings(name="venue", party="Venue", ccxt="okx")


def bars(*, last_ms: int = NOW_MS // MINUTE_MS * MINUTE_MS, count: int = 30) -> list[list[float]]:
    first = last_ms - (count - 1) * MINUTE_MS
    return [[first + n * MINUTE_MS, 100, 102, 99, 101, 5] for n in range(count)]


def ids(reading: Reading) -> set[str]:
    return {fact.incident_id.rpartition("/")[2] for fact in reading.facts}


def test_good_candles_are_good() -> None:
    reading = venues.candles(VENUE, bars(), NOW_NS, (101, 100.5))
    assert (reading.health, reading.facts) == (Health.OK, ())


def test_what_is_wrong_with_candles() -> None:
    whole = bars()
    hole = whole[:10] + whole[13:]
    quiet = [[*bar[:5], 0] if 5 <= n < 12 else bar for n, bar in enumerate(whole)]
    late = bars(last_ms=NOW_MS // MINUTE_MS * MINUTE_MS - 10 * MINUTE_MS)
    shape = [*whole[:-1], [whole[-1][0], 100, 90, 99, 101, 5]]
    for given_bars, others, found in (
        (hole, (), {"hole"}),
        (quiet, (), {"quiet"}),
        (late, (), {"late"}),
        (shape, (), {"shape"}),
        (whole, (110, 111), {"price"}),
        (whole, (110,), set()),
        ([], (), {"none"}),
    ):
        reading = venues.candles(VENUE, given_bars, NOW_NS, others)
        assert ids(reading) == found
        assert (reading.health is Health.OK) == (not found)
    (fact,) = venues.candles(VENUE, hole, NOW_NS).facts
    assert fact.title == "3 minutes of candles are missing"
    assert fact.began_ns == int(whole[10][0]) * 1_000_000
    usual = VenueSettings(name="v", party="V", ccxt="okx", quiet=True)
    assert venues.candles(usual, quiet, NOW_NS).health is Health.OK


@given(
    row=st.lists(
        st.one_of(st.none(), st.text(CHARACTERS), st.booleans(), st.just(float("nan"))), max_size=7
    )
)
def test_candles_that_are_none_are_never_green(row: list[Any]) -> None:
    assert venues.candles(VENUE, [*bars(), row], NOW_NS).health is not Health.OK
    assert venues.candles(VENUE, bars()[::-1], NOW_NS).health is Health.UNKNOWN


def test_books() -> None:
    bid, ask = [[100.0, 1.0]], [[101.0, 1.0]]
    for bids, asks, age_s, health in (
        (bid, ask, 1, Health.OK),
        (bid, ask, 90, Health.DEGRADED),
        (bid, ask, 900, Health.DOWN),
        (bid, ask, -900, Health.UNKNOWN),
        (bid, ask, None, Health.UNKNOWN),
        (ask, bid, 1, Health.DEGRADED),
        ([], ask, 1, Health.DOWN),
        ([[float("nan"), 1.0]], ask, 1, Health.UNKNOWN),
    ):
        told = None if age_s is None else NOW_MS - age_s * 1000
        assert venues.book(VENUE, bids, asks, told, NOW_NS).health is health


def test_withdrawals_by_network() -> None:
    good = {"networks": {"BTC": {"withdraw": True}, "LIGHTNING": {"withdraw": True}}}
    part = {"networks": {"ERC20": {"withdraw": True}, "TRC20": {"withdraw": False}}}
    off = {"networks": {"ERC20": {"withdraw": False}}}
    unsaid = {"networks": {"ERC20": {"withdraw": None}}}
    for eth, health in (
        (good, Health.OK),
        (part, Health.DEGRADED),
        (off, Health.DOWN),
        (unsaid, Health.UNKNOWN),
        ({"withdraw": False}, Health.DOWN),
        ({}, Health.UNKNOWN),
        (None, Health.UNKNOWN),
    ):
        found = venues.withdrawals(VENUE, {"BTC": good, "ETH": eth, "USDT": good}, NOW_NS)
        assert found.health is health
    assert venues.withdrawals(VENUE, part, NOW_NS).health is Health.UNKNOWN
    (doubt,) = venues.withdrawals(VENUE, None, NOW_NS).doubts
    assert doubt.doubt is Doubt.NOT_PUBLIC


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server() as server:
        yield server


def put(server: FeedServer, path: str, document: Any) -> None:
    server.put(path, json.dumps(document).encode(), at_s=time.time(),
               headers={"Content-Type": "application/json"})  # fmt: skip


def like_binance(server: FeedServer, base: str, price: float = 100.0) -> None:
    now_ms = int(time.time() * 1000)
    minute = now_ms // MINUTE_MS * MINUTE_MS
    limits = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"},
    ]  # fmt: skip
    market = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "baseAssetPrecision": 8, "quoteAssetPrecision": 8, "quotePrecision": 8,
        "orderTypes": ["LIMIT"], "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
        "permissions": ["SPOT"], "permissionSets": [["SPOT"]], "filters": limits,
    }  # fmt: skip
    put(server, f"{base}/api/v3/exchangeInfo", {"symbols": [market], "rateLimits": []})
    put(
        server,
        f"{base}/api/v3/depth",
        {"lastUpdateId": 1, "bids": [[str(price - 1), "1"]], "asks": [[str(price + 1), "1"]]},
    )
    trade = {"a": 1, "p": str(price), "q": "1", "f": 1, "l": 1, "T": now_ms, "m": True, "M": True}
    put(server, f"{base}/api/v3/aggTrades", [trade])
    rows = [
        [minute - n * MINUTE_MS, *[str(price)] * 4, "5", minute - n * MINUTE_MS + 59_999,
         "500", 3, "1", "1", "0"]
        for n in range(29, -1, -1)
    ]  # fmt: skip
    put(server, f"{base}/api/v3/klines", rows)


def like_okx(server: FeedServer, base: str) -> None:
    now_ms = int(time.time() * 1000)
    minute = now_ms // MINUTE_MS * MINUTE_MS
    api = f"{base}/api/v5"
    market = {
        "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT",
        "tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001", "state": "live",
        "settleCcy": "", "ctVal": "", "lever": "10", "uly": "", "category": "1", "alias": "",
        "expTime": "", "listTime": "1548133413000", "instFamily": "", "ctMult": "", "stk": "",
        "optType": "", "maxLmtSz": "9", "maxMktSz": "9",
    }  # fmt: skip
    put(server, f"{api}/public/instruments", {"code": "0", "data": [market], "msg": ""})
    put(server, f"{api}/market/books", {"code": "0", "msg": "", "data": [
        {"asks": [["101", "1", "0", "1"]], "bids": [["99", "1", "0", "1"]],
         "ts": str(now_ms - 120_000)}]})  # fmt: skip
    rows = [
        [str(minute - n * MINUTE_MS), *["100"] * 4, "5", "500", "500", "1"]
        for n in range(30) if n not in {7, 8}
    ]  # fmt: skip
    put(server, f"{api}/market/candles", {"code": "0", "msg": "", "data": rows})


async def look(*rows: VenueSettings) -> dict[str, Reading]:
    watch = VenueWatch(rows)
    try:
        return {reading.feed: reading for reading in await watch.once()}
    finally:
        await watch.close()


async def test_ccxt_sees_what_venues_show(server: FeedServer) -> None:
    """Three agree on the price and one does not; one stands still and has a hole; one is away."""
    for base, price in (("/a", 100.0), ("/b", 100.5), ("/odd", 120.0)):
        like_binance(server, base, price)
    like_okx(server, "/okx")
    found = await look(
        *(VenueSettings(name=name, party=name, ccxt="binance", url=f"{server.url}/{name}")
          for name in ("a", "b", "odd")),
        VenueSettings(name="okx", party="OKX", ccxt="okx", url=f"{server.url}/okx"),
        VenueSettings(name="away", party="Away", ccxt="kraken", url="http://127.0.0.1:9"),
        VenueSettings(name="new", party="New", ccxt="no_such_venue"),
    )  # fmt: skip
    assert {name: reading.health for name, reading in found.items() if name[0] in "ab"} == {
        "a/withdrawals": Health.UNKNOWN, "a/book": Health.OK, "a/candles": Health.OK,
        "b/withdrawals": Health.UNKNOWN, "b/book": Health.OK, "b/candles": Health.OK,
        "away/withdrawals": Health.UNKNOWN, "away/book": Health.UNKNOWN,
        "away/candles": Health.UNKNOWN,
    }  # fmt: skip
    assert [each.doubt for each in found["a/withdrawals"].doubts] == [Doubt.NOT_PUBLIC]
    assert ids(found["odd/candles"]) == {"price"}
    assert ids(found["okx/book"]) == {"old"}
    assert ids(found["okx/candles"]) == {"hole"}
    assert {found[f"new/{what}"].health for what in ("withdrawals", "book", "candles")} == {
        Health.UNKNOWN
    }


async def test_without_ccxt_every_venue_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt.async_support", None)
    found = await look(VENUE)
    assert {reading.health for reading in found.values()} == {Health.UNKNOWN}
    assert "seawall[venues]" in found["venue/book"].doubts[0].detail


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with running_exchange(tmp_path) as opened:
        # Until it has traded, there is nothing to see.
        while not httpx.get(f"{opened.url}/api/v3/trades?symbol=BTCUSDT").json():
            time.sleep(0.1)
        yield opened


async def test_our_own_exchange_is_seen_through_ccxt(exchange: Exchange) -> None:
    found = await look(
        VenueSettings(name="own", party="Own", ccxt="binance", url=exchange.url, quiet=True)
    )
    assert found["own/book"].health is Health.OK, found["own/book"]
    assert found["own/candles"].health is Health.OK, found["own/candles"]
