"""A whole exchange in a temporary folder, for the gateway's tests: real node, no network."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from seawall.core.snapshots import dump_spot
from seawall.core.state_digest import digest_identity, digest_spot
from seawall.gateway.app import App, create_app
from seawall.gateway.operator import HEADER, read_token
from seawall.gateway.settings import GatewaySettings, ThrottleSettings
from seawall.gateway.treasury_port import DepositAddresses, Reconciling
from seawall.model.commands import ListAsset, ListMarket
from seawall.model.ids import AssetCode, Symbol
from seawall.model.instruments import Asset, Instrument
from seawall.node.clock import ManualClock
from seawall.node.node import Node, OpenJournal
from seawall.node.settings import NodeSettings

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000

ASSETS = (
    ("BTC", "Bitcoin", 8),
    ("ETH", "Ether", 18),
    ("LTC", "Litecoin", 8),
    ("USDT", "Tether USD", 8),
)
BTCUSDT = Instrument(
    symbol=Symbol("BTCUSDT"),
    base=AssetCode("BTC"),
    quote=AssetCode("USDT"),
    base_decimals=8,
    quote_decimals=8,
    tick_price=1_000_000,
    lot_size=1_000,
    min_price=1_000_000,
    max_price=100_000_000_000_000,
    min_size=1_000,
    max_size=900_000_000_000,
    max_market_size=10_000_000_000,
    min_notional=500_000_000,
    max_notional=900_000_000_000_000,
)
LTCUSDT = Instrument(
    symbol=Symbol("LTCUSDT"),
    base=AssetCode("LTC"),
    quote=AssetCode("USDT"),
    base_decimals=8,
    quote_decimals=8,
    tick_price=1_000_000,
    lot_size=100_000,
    min_price=1_000_000,
    max_price=10_000_000_000_000,
    min_size=100_000,
    max_size=9_000_000_000_000,
    max_market_size=1_000_000_000_000,
    min_notional=500_000_000,
    max_notional=900_000_000_000_000,
)
ETHUSDT = Instrument(
    symbol=Symbol("ETHUSDT"),
    base=AssetCode("ETH"),
    quote=AssetCode("USDT"),
    base_decimals=18,
    quote_decimals=8,
    tick_price=1_000_000,
    lot_size=10**14,
    min_price=1_000_000,
    max_price=100_000_000_000_000,
    min_size=10**14,
    max_size=10**22,
    max_market_size=10**21,
    min_notional=500_000_000,
    max_notional=900_000_000_000_000,
)
INSTRUMENTS = (BTCUSDT, ETHUSDT, LTCUSDT)


def picked(answer: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(answer[name] for name in names)


class User:
    """Somebody with a key, and the means to sign."""

    def __init__(self, name: str, api_key: str, secret: str) -> None:
        self.name = name
        self.api_key = api_key
        self.secret = secret

    @property
    def headers(self) -> dict[str, str]:
        return {"X-MBX-APIKEY": self.api_key}

    def sign(self, payload: str) -> str:
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class RunningClock(ManualClock):
    """The machine's clock, for clients that have their own."""

    def now_ns(self) -> int:
        return time.time_ns()


class Exchange:
    """A node, its gateway, and a client on it."""

    def __init__(self, node: Node, app: App, clock: ManualClock, client: httpx.AsyncClient) -> None:
        self.node = node
        self.app = app
        self.clock = clock
        self.client = client
        self.users: dict[str, User] = {}

    @property
    def operator_headers(self) -> dict[str, str]:
        return {HEADER: read_token(self.app.context)}

    def digests(self) -> tuple[str, str]:
        return digest_spot(self.node.spot), digest_identity(self.node.identity)

    def substance(self) -> object:
        """Return the spot state but for its place in the journal, which a refusal moves too."""
        state = json.loads(dump_spot(self.node.spot))
        for name in ("sequence", "at_ns"):
            del state[name]
        return state

    def now_ms(self) -> int:
        return self.clock.now_ns() // 1_000_000

    async def operate(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self.client.post(
            f"/seawall/v1/operator/{path}", json=body, headers=self.operator_headers
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def add_user(self, name: str, **money: str) -> User:
        """Create a user with an HMAC key and money."""
        await self.operate("users", {"name": name})
        made = await self.operate("keys", {"user": name})
        for asset, amount in money.items():
            await self.operate(
                "credits",
                {"user": name, "asset": asset, "amount": amount, "reference": f"{name}-{asset}"},
            )
        user = User(name, made["apiKey"], made["secretKey"])
        self.users[name] = user
        return user

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params)

    async def signed(
        self,
        verb: str,
        path: str,
        user: User,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> httpx.Response:
        """Send a signed request, all in the query."""
        params.setdefault("timestamp", self.now_ms())
        query = urlencode(params)
        return await self.client.request(
            verb,
            f"{path}?{query}&signature={user.sign(query)}",
            headers={**user.headers, **(headers or {})},
        )

    async def order(self, user: User, **params: Any) -> httpx.Response:
        params.setdefault("symbol", "BTCUSDT")
        return await self.signed("POST", "/api/v3/order", user, **params)

    async def limit(
        self, user: User, side: str, quantity: str, price: str, **params: Any
    ) -> dict[str, Any]:
        """Place a limit order that must be taken."""
        answer = await self.order(
            user,
            side=side,
            type="LIMIT",
            timeInForce="GTC",
            quantity=quantity,
            price=price,
            **params,
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def open_exchange(
    data: Path,
    throttle: ThrottleSettings | None = None,
    *,
    demo: bool = True,
    clock: ManualClock | None = None,
    ticks: bool = False,
    open_journal: OpenJournal | None = None,
    addresses: DepositAddresses | None = None,
    reconciling: Reconciling | None = None,
) -> AsyncIterator[Exchange]:
    """Open a node with three markets, and a gateway over it."""
    clock = clock or ManualClock(START_NS)
    node = await Node.open(
        NodeSettings(data=data, ticks=ticks), clock=clock, open_journal=open_journal
    )
    settings = GatewaySettings(
        data=data, port=0, demo=demo, throttle=throttle or ThrottleSettings()
    )
    app = create_app(node, settings, addresses=addresses, reconciling=reconciling)
    if not node.spot.markets:
        for code, name, decimals in ASSETS:
            await node.submit_spot(
                ListAsset(asset=Asset(code=AssetCode(code), name=name, decimals=decimals))
            )
        for instrument in INSTRUMENTS:
            await node.submit_spot(ListMarket(instrument=instrument))
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(
            app=app, raise_app_exceptions=False, client=("127.0.0.1", 50_000)
        ),
        base_url="http://exchange",
    )
    try:
        yield Exchange(node, app, clock, client)
    finally:
        await client.aclose()
        await app.close()
        await node.close()
