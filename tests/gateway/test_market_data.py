"""Market data through the API: shapes, decimals, and what clients derive from them."""

import itertools
from decimal import Decimal
from typing import Any

from tests.gateway.exchange import SECOND_NS, Exchange, User

from seawall.gateway.methods import METHODS, ROUTES

MINUTE_NS = 60 * SECOND_NS


async def trade(exchange: Exchange, seller: User, buyer: User, price: str, size: str) -> None:
    await exchange.limit(seller, "SELL", size, price)
    await exchange.order(buyer, side="BUY", type="MARKET", quantity=size)


async def test_exchange_info_describes_each_market(exchange: Exchange) -> None:
    info = (await exchange.get("/api/v3/exchangeInfo")).json()
    assert [one["symbol"] for one in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "LTCUSDT"]
    assert {limit["rateLimitType"] for limit in info["rateLimits"]} == {
        "REQUEST_WEIGHT",
        "ORDERS",
        "RAW_REQUESTS",
    }
    ether = info["symbols"][1]
    assert ether["status"] == "TRADING"
    assert ether["permissionSets"] == [["SPOT"]]
    filters = {one["filterType"]: one for one in ether["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.000100000000000000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert filters["PERCENT_PRICE_BY_SIDE"]["bidMultiplierDown"] == "0.2"
    assert ether["baseAssetPrecision"] == 18
    some = (await exchange.get("/api/v3/exchangeInfo", symbols='["LTCUSDT","BTCUSDT"]')).json()
    assert [one["symbol"] for one in some["symbols"]] == ["LTCUSDT", "BTCUSDT"]


async def test_depth_and_book_ticker(exchange: Exchange, alice: User) -> None:
    await exchange.limit(alice, "SELL", "1", "50000")
    await exchange.limit(alice, "SELL", "2", "50001")
    await exchange.limit(alice, "BUY", "0.5", "49999.99")
    book = (await exchange.get("/api/v3/depth", symbol="BTCUSDT")).json()
    assert book == {
        "lastUpdateId": 3,
        "bids": [["49999.99000000", "0.50000000"]],
        "asks": [["50000.00000000", "1.00000000"], ["50001.00000000", "2.00000000"]],
    }
    short = (await exchange.get("/api/v3/depth", symbol="BTCUSDT", limit="1")).json()
    assert len(short["asks"]) == 1
    best = (await exchange.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")).json()
    assert best == {
        "symbol": "BTCUSDT",
        "bidPrice": "49999.99000000",
        "bidQty": "0.50000000",
        "askPrice": "50000.00000000",
        "askQty": "1.00000000",
    }
    everyone = (await exchange.get("/api/v3/ticker/bookTicker")).json()
    assert [one["symbol"] for one in everyone] == ["BTCUSDT", "ETHUSDT", "LTCUSDT"]


async def test_trades_and_averages(exchange: Exchange, alice: User, bob: User) -> None:
    await trade(exchange, alice, bob, "50000", "1")
    await trade(exchange, alice, bob, "51000", "3")
    rows = (await exchange.get("/api/v3/trades", symbol="BTCUSDT")).json()
    assert [(row["id"], row["price"], row["qty"], row["quoteQty"]) for row in rows] == [
        (1, "50000.00000000", "1.00000000", "50000.00000000"),
        (2, "51000.00000000", "3.00000000", "153000.00000000"),
    ]
    assert not rows[0]["isBuyerMaker"]
    later = (await exchange.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId=2)).json()
    assert [row["id"] for row in later] == [2]
    aggregates = (await exchange.get("/api/v3/aggTrades", symbol="BTCUSDT")).json()
    assert [(row["a"], row["f"], row["l"], row["m"]) for row in aggregates] == [
        (1, 1, 1, False),
        (2, 2, 2, False),
    ]
    average = (await exchange.get("/api/v3/avgPrice", symbol="BTCUSDT")).json()
    assert (average["mins"], average["price"]) == (5, "50750.00000000")


async def test_tickers_are_consistent_with_themselves(
    exchange: Exchange, alice: User, bob: User
) -> None:
    await trade(exchange, alice, bob, "50000", "1")
    exchange.clock.advance(2 * MINUTE_NS)
    await trade(exchange, alice, bob, "49000", "2")
    for path, extra in (
        ("ticker/24hr", {}),
        ("ticker/tradingDay", {}),
        ("ticker", {"windowSize": "1h"}),
    ):
        found: dict[str, Any] = (
            await exchange.get(f"/api/v3/{path}", symbol="BTCUSDT", **extra)
        ).json()
        number = {name: Decimal(value) for name, value in found.items() if isinstance(value, str)
                  and name != "symbol"}  # fmt: skip
        assert number["priceChange"] == number["lastPrice"] - number["openPrice"] == -1000
        assert found["priceChangePercent"] == "-2.000"
        assert number["volume"] == 3
        low, high = number["lowPrice"], number["highPrice"]
        assert low * number["volume"] <= number["quoteVolume"] <= high * number["volume"]
        assert number["weightedAvgPrice"] == Decimal("49333.33333333")
        assert (found["firstId"], found["lastId"], found["count"]) == (1, 2, 2)
        assert found["openTime"] < found["closeTime"]
        small = (
            await exchange.get(f"/api/v3/{path}", symbol="BTCUSDT", type="MINI", **extra)
        ).json()
        assert "priceChange" not in small
    prices = (await exchange.get("/api/v3/ticker/price", symbols='["BTCUSDT","LTCUSDT"]')).json()
    assert prices == [
        {"symbol": "BTCUSDT", "price": "49000.00000000"},
        {"symbol": "LTCUSDT", "price": "0.00000000"},
    ]


async def test_candles_fill_their_gaps_and_say_so(
    exchange: Exchange, alice: User, bob: User
) -> None:
    await trade(exchange, alice, bob, "50000", "1")
    exchange.clock.advance(3 * MINUTE_NS)
    await trade(exchange, alice, bob, "51000", "1")
    rows = (await exchange.get("/api/v3/klines", symbol="BTCUSDT", interval="1m")).json()
    assert [(row[4], row[5]) for row in rows] == [
        ("50000.00000000", "1.00000000"),
        ("50000.00000000", "0.00000000"),
        ("50000.00000000", "0.00000000"),
        ("51000.00000000", "1.00000000"),
    ]
    assert all(later[0] - row[0] == 60_000 for row, later in itertools.pairwise(rows))
    assert all(row[6] - row[0] == 59_999 and len(row) == 12 for row in rows)
    flagged = (await exchange.get("/seawall/v1/candles", symbol="BTCUSDT", interval="1m")).json()[
        "candles"
    ]
    assert [candle["closed"] for candle in flagged] == [True, True, True, False]
    # Nothing was journaled for three minutes: to the journal the exchange was down.
    assert [candle["complete"] for candle in flagged] == [False, False, False, False]
    same = (await exchange.get("/api/v3/uiKlines", symbol="BTCUSDT", interval="1m")).json()
    assert same == rows


async def test_microseconds_reach_every_time(exchange: Exchange, alice: User, bob: User) -> None:
    await trade(exchange, alice, bob, "50000", "1")
    header = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    rows = (await exchange.client.get("/api/v3/trades?symbol=BTCUSDT", headers=header)).json()
    assert len(str(rows[0]["time"])) == 16
    bars = (
        await exchange.client.get("/api/v3/klines?symbol=BTCUSDT&interval=1m", headers=header)
    ).json()
    assert bars[0][6] - bars[0][0] == 59_999_999


async def test_what_clients_ask_at_start(exchange: Exchange, alice: User) -> None:
    for path in ("/fapi/v1/ping", "/dapi/v1/ping", "/api/v3/ping"):
        assert (await exchange.get(path)).json() == {}
    for path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
        assert (await exchange.get(path)).json()["symbols"] == []
    for path in ("/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs"):
        assert (await exchange.get(path)).json() == []
    assert (await exchange.get("/sapi/v1/system/status")).json() == {"status": 0, "msg": "normal"}
    coins = (await exchange.signed("GET", "/sapi/v1/capital/config/getall", alice)).json()
    assert [coin["coin"] for coin in coins] == ["BTC", "ETH", "LTC", "USDT"]
    fees = (await exchange.signed("GET", "/sapi/v1/asset/tradeFee", alice, symbol="BTCUSDT")).json()
    assert fees == [
        {"symbol": "BTCUSDT", "makerCommission": "0.001000", "takerCommission": "0.001000"}
    ]
    rights = (await exchange.signed("GET", "/sapi/v1/account/apiRestrictions", alice)).json()
    assert rights["enableSpotAndMarginTrading"]


async def test_health_metrics_and_version(exchange: Exchange, alice: User) -> None:
    await exchange.limit(alice, "SELL", "1", "50000")
    assert (await exchange.get("/health/live")).text == "live\n"
    ready = await exchange.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    text = (await exchange.get("/metrics")).text
    assert 'seawall_requests_total{route="order.place",status="200"} 1.0' in text
    assert "seawall_orders_total 1.0" in text
    version = (await exchange.get("/seawall/v1/version")).json()
    assert version["cells"]["spot"]["sequence"] == exchange.node.spot.sequence


async def test_balances_say_when_they_were_true(exchange: Exchange, alice: User) -> None:
    found = (
        await exchange.signed("GET", "/seawall/v1/balances", alice, omitZeroBalances="true")
    ).json()
    assert found["sequence"] == exchange.node.spot.sequence
    assert found["asOf"] == exchange.node.spot.at_ns // 1_000_000
    assert {one["asset"] for one in found["balances"]} == {"BTC", "ETH", "USDT"}
    ether = next(one for one in found["balances"] if one["asset"] == "ETH")
    assert ether["free"] == "100." + "0" * 18


async def test_listen_keys_open_renew_and_close(exchange: Exchange, alice: User) -> None:
    path = "/api/v3/userDataStream"
    key = (await exchange.client.post(path, headers=alice.headers)).json()["listenKey"]
    again = (await exchange.client.post(path, headers=alice.headers)).json()["listenKey"]
    assert again == key
    for verb in ("PUT", "DELETE"):
        answer = await exchange.client.request(
            verb, path, params={"listenKey": key}, headers=alice.headers
        )
        assert (answer.status_code, answer.json()) == (200, {})
    gone = await exchange.client.put(path, params={"listenKey": key}, headers=alice.headers)
    assert gone.json() == {"code": -1125, "msg": "This listenKey does not exist."}


def test_no_route_stands_twice() -> None:
    routes = [route for method in METHODS.values() for route in method.rest]
    assert len(routes) == len(set(routes)) == len(ROUTES)
