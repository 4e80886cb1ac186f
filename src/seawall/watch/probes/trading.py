"""Quotes, and an order placed and canceled.  The rule: it never trades, and leaves nothing behind.

The order only makes, a tenth below the best bid, and as small as the market takes.  A market that
is closed on purpose, and says so, is well: or nothing that was halted could ever be opened again.
"""

import time
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_UP, Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import NoAnswerError, ms
from seawall.watch.probes.outcome import Outcome, answered, unable
from seawall.watch.probes.public_api import PublicApi, RefusedError, Told, read

PREFIX: Final = "watch"
SHARE: Final = Decimal("0.9")
"""Of the best bid."""
NEAR: Final = Decimal(10)
"""Where nobody quotes."""
ROOM: Final = Decimal("1.1")
"""Above the smallest order, so that rounding keeps it large enough."""
RULES_LOOKS: Final = 200
OLD_S: Final = 3.0
CLOSED: Final = (-1013, "Market is closed.")
TOO_FAR: Final = "Filter failure: PERCENT_PRICE"
POOR: Final = "insufficient balance"


class Rules(Struct, frozen=True, kw_only=True):
    """What the market takes."""

    status: str
    tick: Decimal
    step: Decimal
    least: Decimal
    min_size: Decimal


class TradingProbe:
    """One market.  Without a key only its quotes are looked at."""

    def __init__(
        self,
        api: PublicApi,
        symbol: str,
        name: str,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Take the watcher's name: other watchers' orders are left alone."""
        self._wall_ns = wall_ns
        self._api = api
        self._symbol = symbol
        self._prefix = f"{PREFIX}-{name}-"[:28]
        self._number = 0
        self._rules: Rules | None = None
        self._looks = 0
        self._tidy = False

    async def close(self) -> None:
        """Leave the connections to whoever made them."""

    async def look(self) -> Outcome:
        try:
            return await self._look()
        except (NoAnswerError, RefusedError) as error:
            self._tidy = False
            return error.outcome

    async def _look(self) -> Outcome:
        quotes = await self._api.get("/api/v3/ticker/bookTicker", {"symbol": self._symbol})
        if quotes.stale:
            return _old(quotes)
        bid, ask = (_decimal(read(quotes.content, name)) for name in ("bidPrice", "askPrice"))
        # An auction's book may be crossed; then the market says that it is no usual one.
        if bid and ask and bid >= ask and (await self._read_rules()).status == "TRADING":
            return answered(Health.DEGRADED, f"bid {bid} is not below ask {ask}")
        if self._api.key is None:
            return answered(
                Health.OK,
                f"quotes in {ms(quotes.latency_ns)}; orders are not tried",
                latency_ns=quotes.latency_ns,
            )
        if not self._tidy:
            await self._leave_nothing()
            self._tidy = True
        return await self._order(bid or ask / 2 or NEAR)

    async def _order(self, near: Decimal) -> Outcome:
        rules = await self._usual_rules()
        price = max(
            (near * SHARE).quantize(rules.tick, ROUND_DOWN) // rules.tick * rules.tick, rules.tick
        )
        size = max(rules.least * ROOM / price, rules.min_size)
        size = (size / rules.step).to_integral_value(ROUND_UP) * rules.step
        before = await self._update_id()
        try:
            placed = await self._place(price, size)
        except RefusedError as error:
            return await self._refused(error)
        shown = await self._update_id()
        ended = await self._cancel(str(read(placed.content, "clientOrderId")))
        status = read(ended.content, "status")
        if status != "CANCELED":
            return answered(Health.DOWN, f"an order that was canceled is {status}")
        if shown <= before:
            return answered(Health.DEGRADED, "the book stands still though an order was taken")
        took_ns = placed.latency_ns + ended.latency_ns
        told = f"placed in {ms(placed.latency_ns)}, canceled in {ms(ended.latency_ns)}"
        return answered(Health.OK, told, latency_ns=took_ns)

    async def _place(self, price: Decimal, size: Decimal) -> Told:
        self._number += 1
        client_id = f"{self._prefix}{self._number % 10_000_000}"
        return await self._api.signed(
            "POST",
            "/api/v3/order",
            {
                "symbol": self._symbol,
                "side": "BUY",
                "type": "LIMIT_MAKER",
                "price": f"{price:f}",
                "quantity": f"{size:f}",
                "newClientOrderId": client_id,
            },
            self._command_id(),
        )

    def _command_id(self) -> str:
        """Return an id for one command, which a gateway that is asked again does not do twice."""
        return f"{self._prefix}{self._wall_ns()}"

    async def _cancel(self, client_id: str) -> Told:
        try:
            return await self._api.signed(
                "DELETE",
                "/api/v3/order",
                {"symbol": self._symbol, "origClientOrderId": client_id},
                self._command_id(),
            )
        except RefusedError as error:
            if error.status >= 500:
                raise
            raise NoAnswerError(
                answered(Health.DOWN, f"an order was taken and cannot be canceled: {error}")
            ) from None

    async def _refused(self, error: RefusedError) -> Outcome:
        if POOR in error.text:
            return unable("the probe's user has too little money")
        if error.text.startswith(TOO_FAR):
            return answered(Health.OK, "an order far from the market is refused, as it must be")
        if (error.code, error.text) != CLOSED:
            raise error
        self._rules = None
        status = (await self._read_rules()).status
        if status == "TRADING":
            return answered(Health.DEGRADED, "the market is open, and refuses orders as closed")
        return answered(Health.OK, f"the market is {status}, and says so")

    async def _leave_nothing(self) -> None:
        """Cancel what an earlier look, or an earlier life, could not."""
        path, params = "/api/v3/openOrders", {"symbol": self._symbol}
        found = (await self._api.signed("GET", path, params)).content
        for order in found if isinstance(found, list) else []:
            client_id = str(read(order, "clientOrderId"))
            if client_id.startswith(self._prefix):
                await self._cancel(client_id)

    async def _update_id(self) -> int:
        told = await self._api.get("/api/v3/depth", {"symbol": self._symbol, "limit": "1"})
        found = read(told.content, "lastUpdateId")
        return found if isinstance(found, int) else 0

    async def _usual_rules(self) -> Rules:
        self._looks += 1
        if self._rules is None or self._looks % RULES_LOOKS == 0:
            self._rules = await self._read_rules()
        return self._rules

    async def _read_rules(self) -> Rules:
        told = await self._api.get("/api/v3/exchangeInfo", {"symbol": self._symbol})
        market = read(told.content, "symbols", 0)
        filters = {str(read(each, "filterType")): each for each in read(market, "filters")}
        return Rules(
            status=str(read(market, "status")),
            tick=_positive(read(filters, "PRICE_FILTER", "tickSize")),
            step=_positive(read(filters, "LOT_SIZE", "stepSize")),
            min_size=_positive(read(filters, "LOT_SIZE", "minQty")),
            least=_positive(read(filters, "NOTIONAL", "minNotional")),
        )


def _old(told: Told) -> Outcome:
    try:
        old = float(told.stale) > OLD_S
    except ValueError:
        old = True
    # A moment of it comes with every change of the leader.
    health = Health.DOWN if old else Health.DEGRADED
    return Outcome(
        health=health, detail=f"quotes are as they were {told.stale} s ago", sure=not old
    )


def _decimal(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise NoAnswerError(answered(Health.DOWN, f"{str(value)[:30]!r} is no price or size"))
    return found


def _positive(value: Any) -> Decimal:
    found = _decimal(value)
    if not found:
        raise NoAnswerError(answered(Health.DOWN, "a rule of the market is zero"))
    return found
