"""One client of the exchange under drill.  The rule: an answer that is missing is asked for again.

A trader sends one request at a time, over REST or over the WebSocket API, and writes down what was
acknowledged.  Where no answer came, it waits until the exchange is back and repeats the call under
the same command id: what took effect before is answered with its present state, not done again.
"""

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
import websockets
from msgspec import Struct
from websockets.asyncio.client import ClientConnection

from seawall.lab.drills import transfers
from seawall.lab.drills.audit import Present
from seawall.lab.drills.ledger import Ledger
from seawall.lab.exchange_process import HOST, ExchangeProcess
from seawall.lab.wire import Answer, BrokenError, Key
from seawall.lib.prng import Prng

ANSWER_S: Final = 5.0
SUCCESS: Final = "SUCCESS"
PAGE: Final = 1_000
UNKNOWN_CODE: Final = -1007
"""The exchange itself does not know whether the command took effect."""
TRANSIENT: Final = frozenset({-1001, -1008})
"""Surely not executed; worth another attempt."""
LOT: Final = Decimal("0.00001")
MIDDLE_CENTS: Final = 6_000_000
SPREAD_CENTS: Final = 400
TRANSFERS_PER_CENT: Final = 6


class Call(Struct, frozen=True, kw_only=True):
    """One request that changes orders."""

    kind: str
    """place, cancel, replace or transfer"""
    method: str
    path: str
    websocket_method: str
    """Empty: it goes over REST in any case."""
    params: dict[str, str]
    client_order_id: str = ""
    """Of the order that it places."""
    command_id: str


class Outcome(Struct, frozen=True, kw_only=True):
    status: int
    body: dict[str, Any]
    """The result, or the error."""


class Trader:
    """Trades until told to stop."""

    def __init__(
        self,
        name: str,
        key: Key,
        symbol: str,
        exchange: ExchangeProcess,
        up: asyncio.Event,
        prng: Prng,
        *,
        websocket: bool,
    ) -> None:
        self.name = name
        self.symbol = symbol
        self.ledger = Ledger()
        self.stopping = False
        self._key = key
        self._exchange = exchange
        self._up = up
        self._prng = prng
        self._rest = exchange.connection(ANSWER_S)
        self._websocket = websocket
        self._socket: ClientConnection | None = None
        self._calls = 0
        self._open: list[int] = []
        """Ids of orders that may still be open."""

    async def run(self) -> None:
        while not self.stopping:
            await self._up.wait()
            await self._perform(self._next_call())
        await self._hang_up()

    async def _perform(self, call: Call) -> None:
        """Bring one call to a definite end, whatever happens to the exchange meanwhile."""
        if call.client_order_id:
            self.ledger.sent.add(call.client_order_id)
        if call.kind == "transfer":
            self.ledger.sent_transfers.add(call.params["clientTranId"])
        over_websocket = self._websocket and bool(call.websocket_method)
        outcome = await self._send(call, over_websocket=over_websocket)
        retried = False
        while outcome is None:
            self.ledger.unknown += 1
            retried = True
            await self._up.wait()
            outcome = await self._send(call, over_websocket=over_websocket)
        self._write_down(call, outcome, retried=retried)

    async def _send(self, call: Call, *, over_websocket: bool) -> Outcome | None:
        """Return what was answered; None if it is not known whether the call took effect."""
        try:
            if over_websocket:
                outcome = await self._send_message(call)
            else:
                answer = await self._rest.signed(
                    self._key, call.method, call.path, call.params, call.command_id
                )
                outcome = Outcome(status=answer.status, body=answer.json())
        except (BrokenError, OSError, EOFError, websockets.WebSocketException, TimeoutError):
            await self._hang_up()
            # The kernel may notice the death before the one who killed does.
            await asyncio.sleep(0.02)
            return None
        code = outcome.body.get("code", 0)
        if code in TRANSIENT:
            # Surely not executed; for simplicity it is asked again like an unknown one.
            await asyncio.sleep(0.05)
        return None if code in TRANSIENT or code == UNKNOWN_CODE else outcome

    async def _send_message(self, call: Call) -> Outcome:
        if self._socket is None:
            url = f"ws://{HOST}:{self._exchange.port}/ws-api/v3"
            self._socket = await websockets.connect(url, open_timeout=ANSWER_S)
        request = {
            "id": call.command_id,
            "method": call.websocket_method,
            "params": self._key.signed_message(call.params),
            "commandId": call.command_id,
        }
        await self._socket.send(msgspec.json.encode(request), text=True)
        async with asyncio.timeout(ANSWER_S):
            answer = msgspec.json.decode(await self._socket.recv())
        body = answer["result"] if answer["status"] == 200 else answer["error"]
        return Outcome(status=answer["status"], body=body)

    def _write_down(self, call: Call, outcome: Outcome, *, retried: bool) -> None:
        self.ledger.acknowledged_at_s.append(time.monotonic())
        body = outcome.body
        if call.kind == "transfer":
            self.ledger.take_transfer(call.params, body)
        elif call.kind == "replace":
            # Half of it may have failed; a repeat shows the present state of that half's order.
            both = body.get("data", body)
            canceled = both.get("cancelResult") == SUCCESS
            self._write_canceled(both["cancelResponse"] if canceled else None)
            placed = both.get("newOrderResult") == SUCCESS
            self._write_placed(call, both["newOrderResponse"] if placed else None, retried=retried)
        elif call.kind == "place":
            self._write_placed(call, body, retried=retried)
        else:
            self._write_canceled(body)

    def _write_placed(self, call: Call, body: dict[str, Any] | None, *, retried: bool) -> None:
        if body is None or "orderId" not in body:
            self.ledger.refused.add(call.client_order_id)
            return
        self.ledger.take_placed(self.symbol, body, retried=retried)
        if body["status"] in {"NEW", "PARTIALLY_FILLED"}:
            self._open.append(body["orderId"])

    def _write_canceled(self, body: dict[str, Any] | None) -> None:
        if body is not None and "orderId" in body:
            self.ledger.take_canceled(self.symbol, body)

    # What to do next

    def _next_call(self) -> Call:
        self._calls += 1
        chance = self._prng.below(100)
        if self._open and (chance < 25 or len(self._open) > 100):
            return self._cancel(self._draw_open())
        if self._open and chance < 35:
            return self._replace(self._draw_open())
        if chance >= 100 - TRANSFERS_PER_CENT:
            return self._transfer()
        return self._place()

    def _draw_open(self) -> int:
        place = self._prng.below(len(self._open))
        self._open[place], self._open[-1] = self._open[-1], self._open[place]
        return self._open.pop()

    def _place(self) -> Call:
        name = f"{self.name}-{self._calls}"
        return self._call("place", "POST", "/api/v3/order", "order.place", self._terms(name), name)

    def _replace(self, order_id: int) -> Call:
        name = f"{self.name}-{self._calls}"
        mode = self._prng.choice(("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        params = {
            **self._terms(name),
            "cancelReplaceMode": mode,
            "cancelOrderId": str(order_id),
        }
        return self._call(
            "replace", "POST", "/api/v3/order/cancelReplace", "order.cancelReplace", params, name
        )

    def _cancel(self, order_id: int) -> Call:
        params = {"symbol": self.symbol, "orderId": str(order_id)}
        return self._call("cancel", "DELETE", "/api/v3/order", "order.cancel", params, "")

    def _transfer(self) -> Call:
        """Move something between the wallets; its own client id makes it happen once."""
        params = transfers.draw(self._prng, f"{self.name}-t{self._calls}")
        return Call(
            kind="transfer",
            method="POST",
            path=transfers.PATH,
            websocket_method="",
            params=params,
            command_id="",
        )

    def _call(
        self,
        kind: str,
        method: str,
        path: str,
        websocket_method: str,
        params: dict[str, str],
        client_order_id: str,
    ) -> Call:
        return Call(
            kind=kind,
            method=method,
            path=path,
            websocket_method=websocket_method,
            params=params,
            client_order_id=client_order_id,
            command_id=f"drill-{self.name}-{self._calls}",
        )

    def _terms(self, name: str) -> dict[str, str]:
        """Return an order's parameters: most rest near the middle, some take."""
        prng = self._prng
        is_buy = prng.chance(1, 2)
        terms = {
            "symbol": self.symbol,
            "side": "BUY" if is_buy else "SELL",
            "newClientOrderId": name,
            "newOrderRespType": "FULL",
            "quantity": str(prng.between(20, 2_000) * LOT),
        }
        chance = prng.below(100)
        if chance < 15:
            return {**terms, "type": "MARKET"}
        away = prng.between(-SPREAD_CENTS // 4, SPREAD_CENTS)
        cents = MIDDLE_CENTS - away if is_buy else MIDDLE_CENTS + away
        priced = {**terms, "price": str(Decimal(cents) / 100)}
        if chance < 25:
            return {**priced, "type": "LIMIT_MAKER"}
        return {**priced, "type": "LIMIT", "timeInForce": "IOC" if chance < 35 else "GTC"}

    # What is there now

    async def present(self) -> Present:
        """Ask the exchange for everything that it knows of this trader."""
        orders = await self._pages("/api/v3/allOrders", "orderId", "orderId")
        trades = await self._pages("/api/v3/myTrades", "fromId", "id")
        account = self._expect(await self._get("/api/v3/account", {}))
        balances = {
            balance["asset"]: (Decimal(balance["free"]), Decimal(balance["locked"]))
            for balance in account["balances"]
        }
        wallet = await transfers.look(self._ask)
        self._rest.close()
        return Present(orders=orders, trades=trades, balances=balances, wallet=wallet)

    async def _ask(self, verb: str, path: str, params: Mapping[str, str]) -> Any:
        return self._expect(await self._rest.signed(self._key, verb, path, params))

    async def _pages(self, path: str, from_name: str, id_name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        first = 0
        while True:
            params = {"symbol": self.symbol, from_name: str(first), "limit": str(PAGE)}
            page = self._expect(await self._get(path, params))
            rows += page
            if len(page) < PAGE:
                return rows
            first = page[-1][id_name] + 1

    async def _get(self, path: str, params: Mapping[str, str]) -> Answer:
        return await self._rest.signed(self._key, "GET", path, params)

    @staticmethod
    def _expect(answer: Answer) -> Any:
        if answer.status != 200:
            raise BrokenError(f"{answer.status} {answer.body.decode(errors='replace')}")
        return answer.json()

    async def _hang_up(self) -> None:
        self._rest.close()
        if self._socket is not None:
            socket, self._socket = self._socket, None
            socket.transport.abort()
