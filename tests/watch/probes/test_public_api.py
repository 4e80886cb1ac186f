"""The public API as a customer sees it: of a real gateway, and of servers that lie like one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.gateway.exchange import Exchange, RunningClock, User
from tests.gateway.money import open_bank
from tests.watch.probes.servers import http_server, kind, looked

from seawall.gateway.server import GatewayServer
from seawall.lab.etcd import free_ports
from seawall.model.commands import SetMarketStatus
from seawall.model.ids import Symbol
from seawall.model.trading import MarketStatus
from seawall.watch.probes.candles import MINUTE_MS, CandlesProbe, PriceSource, judge
from seawall.watch.probes.http import Asker
from seawall.watch.probes.outcome import Outcome, Probe
from seawall.watch.probes.public_api import (
    ApiKey,
    NoKeyError,
    PublicApi,
    SignInProbe,
    Told,
    read_key,
)
from seawall.watch.probes.trading import TradingProbe
from seawall.watch.probes.transfers import TransfersProbe

SYMBOL = "BTCUSDT"
KEY = ApiKey(key="k" * 64, secret="s" * 64)


class Market:
    """A served exchange with quotes and a probe's user."""

    def __init__(self, exchange: Exchange, server: GatewayServer, probe: User, bob: User) -> None:
        self.exchange = exchange
        self.url = server.url
        self.server = server
        self.probe = probe
        self.bob = bob

    @property
    def key(self) -> ApiKey:
        return ApiKey(key=self.probe.api_key, secret=self.probe.secret)

    async def open_orders(self) -> list[Any]:
        found = await self.exchange.signed("GET", "/api/v3/openOrders", self.probe)
        orders: list[Any] = found.json()
        return orders

    async def set_status(self, status: MarketStatus) -> None:
        await self.exchange.node.submit_spot(
            SetMarketStatus(symbol=Symbol(SYMBOL), status=status, reason="a drill")
        )


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    async with open_bank(tmp_path, clock=RunningClock(0)) as exchange:
        probe = await exchange.add_user("probe", USDT="100")
        bob = await exchange.add_user("bob", BTC="10", USDT="1000000")
        await exchange.limit(bob, "SELL", "5", "50000")
        await exchange.limit(bob, "BUY", "5", "49000")
        server = GatewayServer(exchange.app)
        await server.start()
        yield Market(exchange, server, probe, bob)
        await server.stop()


async def told(api: PublicApi, make: Callable[[PublicApi], Probe]) -> Outcome:
    try:
        return await looked(make(api), timeout_s=30)
    finally:
        await api.close()


class StubbornApi(PublicApi):
    """Asks the first address first each time, although it never answers."""

    async def signed(
        self, method: str, path: str, params: Mapping[str, str], command_id: str = ""
    ) -> Told:
        self._at = 0
        return await super().signed(method, path, params, command_id)


def trading(api: PublicApi) -> Probe:
    return TradingProbe(api, SYMBOL, "amber")


def candles(api: PublicApi) -> Probe:
    return CandlesProbe(api, SYMBOL, off_most=0.02)


def transfers(api: PublicApi) -> Probe:
    return TransfersProbe(api, "amber", asset="USDT", amount="1")


async def ask(
    url: str, make: Callable[[PublicApi], Probe], key: ApiKey | None = KEY, *before: str
) -> Outcome:
    return await told(PublicApi((*before, url), key=key, answer_s=5), make)


async def test_a_real_exchange_is_well_and_nothing_is_left_behind(market: Market) -> None:
    await market.exchange.order(market.probe, side="BUY", type="MARKET", quantity="0.001")
    outcome = await ask(market.url, SignInProbe, market.key)
    assert (kind(outcome), outcome.latency_ns > 0) == ("ok", True)
    outcome = await ask(market.url, trading, market.key)
    assert kind(outcome) == "ok", outcome
    assert "placed in" in outcome.detail
    outcome = await ask(market.url, transfers, market.key)
    assert (kind(outcome), outcome.detail[:9]) == ("ok", "there and")
    outcome = await ask(market.url, candles, market.key)
    assert kind(outcome) == "ok", outcome
    assert await market.open_orders() == []
    found = await market.exchange.signed("GET", "/api/v3/allOrders", market.probe, symbol=SYMBOL)
    assert [each["status"] for each in found.json()] == ["FILLED", "CANCELED"]


async def test_what_an_earlier_life_left_behind_is_canceled(market: Market) -> None:
    for client_id in ("watch-amber-7", "watch-blue-7", "mine"):
        await market.exchange.limit(
            market.probe, "BUY", "0.001", "20000", newClientOrderId=client_id
        )
    assert kind(await ask(market.url, trading, market.key)) == "ok"
    left = {order["clientOrderId"] for order in await market.open_orders()}
    assert left == {"watch-blue-7", "mine"}


@pytest.mark.parametrize(
    "status", [MarketStatus.HALTED, MarketStatus.CANCEL_ONLY, MarketStatus.AUCTION]
)
async def test_a_market_that_is_closed_on_purpose_is_well(
    market: Market, status: MarketStatus
) -> None:
    """Or what was halted for a fault could never be opened again."""
    await market.set_status(MarketStatus.CANCEL_ONLY)
    if status is not MarketStatus.CANCEL_ONLY:
        await market.set_status(status)
    outcome = await ask(market.url, trading, market.key)
    assert kind(outcome) == "ok", outcome
    assert "says so" in outcome.detail


async def test_the_watchers_own_fault_is_not_the_exchanges(market: Market) -> None:
    wrong = ApiKey(key=market.probe.api_key, secret="x" * 64)
    for key in (KEY, wrong):
        for make in (SignInProbe, trading, transfers):
            assert kind(await ask(market.url, make, key)) == "unable"
    assert kind(await ask(market.url, SignInProbe, None)) == "unable"
    poor = await market.exchange.add_user("poor")
    for make in (trading, transfers):
        key = ApiKey(key=poor.api_key, secret=poor.secret)
        outcome = await ask(market.url, make, key)
        assert kind(outcome) == "unable", outcome
    slow = PublicApi([market.url], key=market.key, answer_s=5, wall_ns=lambda: 10**18)
    assert kind(await told(slow, SignInProbe)) == "unable"
    assert kind(await ask(market.url, lambda api: TradingProbe(api, "NONE", "w"))) == "unable"


async def test_without_a_key_only_quotes_are_looked_at(market: Market) -> None:
    outcome = await ask(market.url, trading, None)
    assert (kind(outcome), outcome.detail.endswith("orders are not tried")) == ("ok", True)


async def test_the_next_address_is_asked_when_one_is_gone(market: Market) -> None:
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with http_server(lambda *_: (503, {"code": -1001, "msg": "nobody leads"})) as busy:
        outcome = await ask(market.url, trading, market.key, gone, busy)
        assert kind(outcome) == "ok", outcome
        alone = await ask(busy, trading, market.key, gone)
    assert (kind(alone), alone.detail) == ("no answer", "refused: -1001 nobody leads")


async def test_an_order_is_placed_and_canceled_once_though_an_answer_is_lost(
    market: Market,
) -> None:
    """The first gateway carries everything out, and its answers never arrive."""
    carried: list[str] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        names = {line.split(": ")[0].lower(): line.split(": ")[1] for line in head.split("\r\n")
                 if ": " in line}  # fmt: skip
        if "/api/v3/order" in target:
            asker = Asker(market.url)
            sent = {name: names[name] for name in ("x-mbx-apikey", "x-seawall-command-id")}
            carried.append(str((await asker.ask(method, target, headers=sent)).status))
            await asker.close()
        writer.close()

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    losing = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    # It asks the one that answered last; so each time the losing one is to be first again.
    stubborn = StubbornApi([losing, market.url], key=market.key, answer_s=5)
    outcome = await told(stubborn, trading)
    server.close()
    assert (kind(outcome), carried) == ("ok", ["200", "200"]), outcome
    assert await market.open_orders() == []


async def test_prices_are_compared_with_those_elsewhere(market: Market) -> None:
    await market.exchange.order(market.probe, side="BUY", type="MARKET", quantity="0.001")
    prices: list[Any] = [50_500, "50500", 60_000, -1, "high", None]
    found = []
    for price in prices:
        async with http_server(lambda *_: (200, {"data": [{"last": price}]})) as url:  # noqa: B023 - asked before the next
            source = PriceSource(Asker(url), "data.0.last")
            probe = CandlesProbe(
                api := PublicApi([market.url], answer_s=5), SYMBOL, off_most=0.02,
                reference=source,
            )  # fmt: skip
            found.append(await looked(probe))
            await source.close()
            await api.close()
    assert [kind(each) for each in found] == ["ok", "ok", "degraded", "ok", "ok", "ok"]
    assert ["nothing to compare" in each.detail for each in found[3:]] == [True] * 3


class Liar:
    """Answers as an exchange does that is well, but for what a test changes."""

    def __init__(self, **changes: Any) -> None:
        self.update_id = 1
        self.answers: dict[str, Any] = {
            "GET /api/v3/ticker/bookTicker": {"bidPrice": "49000.00", "askPrice": "50000.00"},
            "GET /api/v3/exchangeInfo": {"symbols": [self.rules()]},
            "GET /api/v3/openOrders": [],
            "GET /api/v3/depth": self.depth,
            "POST /api/v3/order": {"clientOrderId": "watch-amber-1", "status": "NEW"},
            "DELETE /api/v3/order": {"status": "CANCELED"},
            "GET /api/v3/account": {"balances": []},
            "GET /api/v3/klines": [row(0)],
            "POST /sapi/v1/asset/transfer": {"tranId": 5},
            "GET /sapi/v1/asset/transfer": {"rows": [{"tranId": 5, "status": "CONFIRMED"}]},
        } | changes

    def rules(self, status: str = "TRADING") -> dict[str, Any]:
        return {
            "status": status,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00001", "minQty": "0.00001"},
                {"filterType": "NOTIONAL", "minNotional": "5.00"},
            ],
        }

    def depth(self) -> dict[str, Any]:
        self.update_id += 1
        return {"lastUpdateId": self.update_id}

    def handle(self, method: str, target: str, _body: bytes) -> Any:
        parts = urlsplit(target)
        if parts.path == "/api/v3/order" and method == "POST":
            query = parse_qs(parts.query)
            assert float(query["price"][0]) < 49_000
            assert 5 <= float(query["price"][0]) * float(query["quantity"][0]) < 10
        found = self.answers[f"{method} {parts.path}"]
        if callable(found):
            found = found()
        return found if isinstance(found, tuple | bytes) else (200, found)


def row(age_min: float, *numbers: float, off_ms: int = 0) -> list[Any]:
    first, high, low, close, volume = numbers or (10, 12, 9, 11, 1)
    at_ms = (time.time() // 60 - age_min) * MINUTE_MS + off_ms
    return [at_ms, str(first), str(high), str(low), str(close), str(volume)]


def stale(age: str, body: bytes = b'{"bidPrice":"1","askPrice":"2","balances":[]}') -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Seawall-Stale: %s\r\nContent-Length: %d\r\n\r\n"
    )
    return head % (age.encode(), len(body)) + body


BOOK, DEPTH = "GET /api/v3/ticker/bookTicker", "GET /api/v3/depth"
PLACE, CANCEL = "POST /api/v3/order", "DELETE /api/v3/order"
MOVE, MOVES = "POST /sapi/v1/asset/transfer", "GET /sapi/v1/asset/transfer"
RULES, CANDLES, ACCOUNT = "GET /api/v3/exchangeInfo", "GET /api/v3/klines", "GET /api/v3/account"
CLOSED = (400, {"code": -1013, "msg": "Market is closed."})


def lies() -> dict[str, tuple[Callable[[PublicApi], Probe], dict[str, Any], str]]:
    """Return what is told, as of now: a candle's age counts from the test, not from its import."""
    return {
        "all is well": (trading, {}, "ok"),
        "quotes are old": (trading, {BOOK: stale("9.000")}, "no answer"),
        "quotes are a little old": (trading, {BOOK: stale("0.800")}, "degraded"),
        "quotes of unknown age": (trading, {BOOK: stale("unknown")}, "no answer"),
        "quotes are crossed": (trading, {BOOK: {"bidPrice": "5", "askPrice": "4"}}, "degraded"),
        "quotes are no numbers": (trading, {BOOK: {"bidPrice": "NaN", "askPrice": "4"}}, "down"),
        "quotes are not there": (trading, {BOOK: {}}, "down"),
        "quotes are a list": (trading, {BOOK: [1]}, "down"),
        "the book stands still": (trading, {DEPTH: {"lastUpdateId": 4}}, "degraded"),
        "open, and refuses": (trading, {PLACE: CLOSED}, "degraded"),
        "refuses for its collar": (
            trading,
            {PLACE: (400, {"code": -1013, "msg": "Filter failure: PERCENT_PRICE_BY_SIDE"})}, "ok",
        ),
        "refuses without reason": (trading, {PLACE: (400, {"code": -9, "msg": "no"})}, "no answer"),
        "takes, and cannot cancel": (
            trading, {CANCEL: (400, {"code": -2011, "msg": "Unknown order sent."})}, "down",
        ),
        "cancels, and does not": (trading, {CANCEL: {"status": "FILLED"}}, "down"),
        "rules that are no rules": (trading, {RULES: {"symbols": []}}, "down"),
        "nobody leads": (trading, {PLACE: (503, {"code": -1001, "msg": "wait"})}, "no answer"),
        "too much asked": (trading, {PLACE: (429, {"code": -1003, "msg": "slow"})}, "unable"),
        "signs in": (SignInProbe, {}, "ok"),
        "shows an old account": (SignInProbe, {ACCOUNT: stale("4.000")}, "degraded"),
        "shows no account": (SignInProbe, {ACCOUNT: {"msg": "hi"}}, "down"),
        "cannot sign in": (SignInProbe, {ACCOUNT: (500, b"oops")}, "no answer"),
        "moves": (transfers, {}, "ok"),
        "is paused": (
            transfers,
            {MOVE: (400, {"code": -4019, "msg": "Transfers between wallets are paused."})}, "ok",
        ),
        "is on its way": (
            transfers, {MOVES: {"rows": [{"tranId": 5, "status": "PENDING"}]}}, "degraded",
        ),
        "is lost": (transfers, {MOVES: {"rows": []}}, "down"),
        "moves on failure": (transfers, {MOVE: (503, {"code": -1001, "msg": "wait"})}, "no answer"),
        "candles": (candles, {}, "ok"),
        "candles are late": (candles, {CANDLES: [row(4)]}, "degraded"),
        "candles have ended": (candles, {CANDLES: [row(30)]}, "down"),
        "candles of tomorrow": (candles, {CANDLES: [row(-30)]}, "degraded"),
        "no candles": (candles, {CANDLES: []}, "unable"),
        "candles with a hole": (candles, {CANDLES: [row(3), row(0)]}, "down"),
        "candles off the minute": (candles, {CANDLES: [row(0, off_ms=500)]}, "down"),
        "candles that cannot be": (candles, {CANDLES: [row(0, 10, 9, 8, 9, 1)]}, "down"),
        "candles below nothing": (candles, {CANDLES: [row(0, 10, 12, 9, 11, -1)]}, "down"),
        "candles of nothing": (candles, {CANDLES: [row(0, 0, 0, 0, 0, 0)]}, "down"),
        "candles of words": (candles, {CANDLES: [["a"] * 6]}, "down"),
        "candles of infinity": (candles, {CANDLES: [row(0, 10, float("inf"), 9, 11, 1)]}, "down"),
    }  # fmt: skip


@pytest.mark.parametrize("case", lies())
async def test_an_exchange_that_lies_or_is_ill(case: str) -> None:
    make, changes, expected = lies()[case]
    async with http_server(Liar(**changes).handle) as url:
        outcome = await ask(url, make)
    assert kind(outcome) == expected, outcome


async def test_an_auctions_book_may_be_crossed() -> None:
    liar = Liar()
    liar.answers |= {
        BOOK: {"bidPrice": "5", "askPrice": "4"},
        PLACE: CLOSED,
        RULES: {"symbols": [liar.rules("AUCTION_MATCH")]},
    }
    async with http_server(liar.handle) as url:
        outcome = await ask(url, trading)
    assert (kind(outcome), outcome.detail) == ("ok", "the market is AUCTION_MATCH, and says so")


def test_whole_candles_are_well() -> None:
    rows = [(float(minute * MINUTE_MS), 10.0, 12.0, 9.0, 11.0, 0.0) for minute in range(5)]
    assert judge(rows, 4 * MINUTE_MS + 30_000) is None
    assert judge(rows, 5 * MINUTE_MS + 30_000) is None


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("abc:def\n")
    with pytest.raises(NoKeyError, match="chmod 600"):
        read_key(file)
    file.chmod(0o600)
    assert read_key(file) == ApiKey(key="abc", secret="def")
    for text in ("abc", ":def", "abc:", "a:b\nc:d"):
        file.write_text(text)
        with pytest.raises(NoKeyError, match="key:secret"):
            read_key(file)
    with pytest.raises(NoKeyError, match="cannot be read"):
        read_key(tmp_path / "none")
