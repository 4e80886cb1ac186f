"""A living exchange for tests: real node, real server, its own thread and loop.

Two accounts keep every market busy: a maker quotes both sides, a taker trades against it a few
times a second.  The tests' own account is funded and left alone.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvloop

from seawall.cli.bootstrap import bootstrap
from seawall.cli.configuration import load
from seawall.gateway.app import App, create_app
from seawall.gateway.server import GatewayServer
from seawall.gateway.settings import GatewaySettings, ThrottleSettings
from seawall.model.commands import CancelOrder, OrderTerms, PlaceOrder
from seawall.model.events import OrderAccepted
from seawall.model.ids import OrderId, Symbol, UserId
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
REQUOTE = 20

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
        self.active: list[int] = []
        """Users who trade along with the taker."""
        self._busy = busy
        self._orders = 0
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
            if self._failed is not None:
                raise self._failed

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

    def keep_trading(self, account: Account) -> None:
        """Have an account trade along, for tests that wait for its events."""
        user_id = self.node.identity.by_name[account.name].user_id
        self._loop.call_soon_threadsafe(self.active.append, user_id)

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
        ended = await asyncio.gather(pulse, return_exceptions=True)
        await server.stop()
        await self.node.close()
        if self._busy and not isinstance(ended[0], asyncio.CancelledError):
            raise RuntimeError("the market stopped") from ended[0]

    async def _pulse(self) -> None:
        """Quote, then trade a little, again and again."""
        if not self._busy:
            return
        maker, taker = [await self._funded_user(name) for name in ("maker", "taker")]
        quotes = {symbol: await self._quote(maker, symbol) for symbol in PRICES_TICKS}
        number = 0
        while True:
            number += 1
            side = Side.BUY if number % 2 else Side.SELL
            for symbol in PRICES_TICKS:
                lots = (1 + number % 7) * SIZES_LOTS[symbol]
                for user_id in (taker, *self.active):
                    await self._place(user_id, symbol, side, 0, lots)
            if number % REQUOTE == 0:
                for symbol, old in quotes.items():
                    quotes[symbol] = await self._quote(maker, symbol)
                    for order_id in old:
                        await self._cancel(maker, symbol, order_id)
            await asyncio.sleep(PULSE_S)

    async def _funded_user(self, name: str) -> int:
        """Wait until the user of that name exists and has all of its money."""
        while True:
            user = self.node.identity.by_name.get(name)
            if user is not None:
                balances = self.node.spot.ledger.balances.get(user.user_id, {})
                if len(balances) >= len(FUNDS):
                    return user.user_id
            await asyncio.sleep(0.01)

    async def _quote(self, maker: int, symbol: str) -> list[OrderId]:
        """Place both sides anew; return the ids, to be canceled once the next quotes stand."""
        middle = PRICES_TICKS[symbol]
        placed: list[OrderId] = []
        for level in range(1, QUOTES + 1):
            lots = SIZES_LOTS[symbol] * (40 + level)
            for side, ticks in ((Side.BUY, middle - level), (Side.SELL, middle + level)):
                placed += await self._place(maker, symbol, side, ticks, lots)
        return placed

    async def _place(
        self, user_id: int, symbol: str, side: Side, ticks: int, lots: int
    ) -> list[OrderId]:
        """Place a limit order or, at no price, a market order; return its id.

        Or no id: a test may have halted the market, and the others go on.
        """
        instrument = self.node.spot.markets[symbol].instrument
        self._orders += 1
        committed = await self.node.submit_spot(
            PlaceOrder(
                user_id=UserId(user_id),
                symbol=Symbol(symbol),
                terms=OrderTerms(
                    side=side,
                    type=OrderType.LIMIT if ticks else OrderType.MARKET,
                    client_order_id=f"pulse{self._orders}",
                    time_in_force=TimeInForce.GTC if ticks else None,
                    size=lots * instrument.lot_size,
                    price=ticks * instrument.tick_price if ticks else None,
                ),
            )
        )
        return [
            OrderId(event.order.order_id)
            for event in committed.events
            if isinstance(event, OrderAccepted)
        ]

    async def _cancel(self, user_id: int, symbol: str, order_id: OrderId) -> None:
        """Cancel what is left of an order, if anything is."""
        await self.node.submit_spot(
            CancelOrder(user_id=UserId(user_id), symbol=Symbol(symbol), order_id=order_id)
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
