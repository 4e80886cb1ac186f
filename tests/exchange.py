"""A living exchange for tests: real node, real server, its own thread and loop.

Two accounts keep every market busy: a maker quotes both sides, a taker trades against it a few
times a second.  The tests' own account is funded and left alone.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvloop

from seawall.cli.bootstrap import bootstrap
from seawall.cli.configuration import load
from seawall.gateway.app import App, create_app
from seawall.gateway.server import GatewayServer
from seawall.gateway.settings import GatewaySettings, ThrottleSettings
from seawall.model.commands import CancelOpenOrders, OrderTerms, PlaceOrder
from seawall.model.ids import Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.node import Node
from seawall.node.settings import NodeSettings

T = TypeVar("T")

FUNDS = {"BTC": "1000", "ETH": "10000", "LTC": "100000", "BNB": "100000", "USDT": "100000000"}
PRICES_TICKS = {
    "BTCUSDT": 6_000_000,
    "ETHUSDT": 250_000,
    "LTCUSDT": 7_000,
    "BNBUSDT": 55_000,
    "ETHBTC": 4_166,
}
SIZES_LOTS = {"BTCUSDT": 500, "ETHUSDT": 500, "LTCUSDT": 2_000, "BNBUSDT": 300, "ETHBTC": 300}
QUOTES = 25
PULSE_S = 0.2

GENEROUS = ThrottleSettings(
    weight_per_minute=1_000_000,
    orders_per_10_s=100_000,
    orders_per_day=10_000_000,
    requests_per_5_minutes=10_000_000,
)
"""Client suites ask more in a minute than one well-behaved client does."""


class Account:
    """A user of the exchange, with an HMAC key."""

    def __init__(self, name: str, api_key: str, secret_key: str) -> None:
        self.name = name
        self.api_key = api_key
        self.secret_key = secret_key


class Exchange:
    """The exchange as a test sees it; its insides live on another thread."""

    def __init__(self, data: Path, *, busy: bool, throttle: ThrottleSettings) -> None:
        self.data = data
        self.url = ""
        self.websocket_url = ""
        self.node: Node
        self.app: App
        self.account = Account("", "", "")
        self._busy = busy
        self._throttle = throttle
        self._loop = uvloop.new_event_loop()
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._main, name="exchange", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(30)
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the exchange's own loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def open_account(self, name: str, funds: dict[str, str] | None = None, **key: Any) -> Account:
        """Create a user with a key, as an operator does."""
        self.operator("users", {"name": name})
        made = self.operator("keys", {"user": name, **key})
        for asset, amount in (FUNDS if funds is None else funds).items():
            self.operator(
                "credits", {"user": name, "asset": asset, "amount": amount, "reference": "start"}
            )
        return Account(name, made["apiKey"], made.get("secretKey", ""))

    def operator(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        token = (self.data / "operator.token").read_text().strip()
        answer = httpx.post(
            f"{self.url}/seawall/v1/operator/{what}",
            json=body,
            headers={"X-Seawall-Operator": token},
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as error:
            self._failed = error
            self._ready.set()
            raise
        finally:
            self._loop.close()

    async def _live(self) -> None:
        self.node = await Node.open(NodeSettings(data=self.data))
        await bootstrap(self.node, load(None, {}))
        settings = GatewaySettings(data=self.data, port=0, demo=True, throttle=self._throttle)
        self.app = create_app(self.node, settings)
        server = GatewayServer(self.app)
        await server.start()
        self.url = server.url
        self.websocket_url = server.url.replace("http", "ws", 1)
        pulse = asyncio.create_task(self._pulse())
        self._loop.call_soon(self._ready.set)
        await self._stop.wait()
        pulse.cancel()
        with suppress(asyncio.CancelledError):
            await pulse
        await server.stop()
        await self.node.close()

    async def _pulse(self) -> None:
        """Quote, then trade a little, again and again."""
        if not self._busy:
            return
        while not {"maker", "taker"} <= self.node.identity.by_name.keys():
            await asyncio.sleep(0.01)
        maker = self.node.identity.by_name["maker"].user_id
        taker = self.node.identity.by_name["taker"].user_id
        while not self._funded(maker) or not self._funded(taker):
            await asyncio.sleep(0.01)
        for symbol in PRICES_TICKS:
            await self._quote(maker, symbol)
        number = 0
        while True:
            number += 1
            for symbol in PRICES_TICKS:
                side = Side.BUY if number % 2 else Side.SELL
                await self._place(taker, symbol, side, 0, 1 + number % 7)
            if number % 50 == 0:
                for symbol in PRICES_TICKS:
                    await self._quote(maker, symbol)
            await asyncio.sleep(PULSE_S)

    def _funded(self, user_id: int) -> bool:
        return len(self.node.spot.ledger.balances.get(user_id, {})) >= len(FUNDS)

    async def _quote(self, maker: int, symbol: str) -> None:
        await self.node.submit_spot(CancelOpenOrders(user_id=UserId(maker), symbol=Symbol(symbol)))
        middle = PRICES_TICKS[symbol]
        for level in range(1, QUOTES + 1):
            for side, ticks in ((Side.BUY, middle - level), (Side.SELL, middle + level)):
                await self._place(maker, symbol, side, ticks, SIZES_LOTS[symbol] * (10 + level))

    async def _place(self, user_id: int, symbol: str, side: Side, ticks: int, lots: int) -> None:
        instrument = self.node.spot.markets[symbol].instrument
        size = (lots if ticks else lots * SIZES_LOTS[symbol]) * instrument.lot_size
        await self.node.submit_spot(
            PlaceOrder(
                user_id=UserId(user_id),
                symbol=Symbol(symbol),
                terms=OrderTerms(
                    side=side,
                    type=OrderType.LIMIT if ticks else OrderType.MARKET,
                    client_order_id="pulse" if not ticks else f"{side}{ticks}",
                    time_in_force=TimeInForce.GTC if ticks else None,
                    size=size,
                    price=ticks * instrument.tick_price if ticks else None,
                ),
            )
        )


@contextmanager
def running_exchange(
    data: Path, *, busy: bool = True, throttle: ThrottleSettings = GENEROUS
) -> Iterator[Exchange]:
    """Start an exchange with a funded account, and stop it cleanly."""
    exchange = Exchange(data, busy=busy, throttle=throttle)
    exchange.start()
    try:
        if busy:
            exchange.open_account("maker")
            exchange.open_account("taker")
        exchange.account = exchange.open_account("alice")
        yield exchange
    finally:
        exchange.stop()
