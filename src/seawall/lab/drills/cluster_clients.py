"""The users of a cluster under drill.  The rule: no answer is believed but a definite one.

A *keeper* lets orders rest far from the market, where nobody takes them, and cancels them: one
session places, one cancels, one looks, each through another gateway.  What the account holds is its
own doing alone, so that every balance shown can be checked.  Keepers repeat without command ids, as
on any other exchange.  A *dealer* meets other dealers near the middle, from one session that moves
on to the next gateway; it repeats under command ids.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from seawall.lab.drills.cluster_history import CANCEL, LOOK, PLACE, History
from seawall.lab.drills.cluster_session import (
    Gateway,
    Reply,
    Session,
    account_request,
    order_request,
)
from seawall.lab.drills.ledger import Ledger
from seawall.lab.linearizability import Operation
from seawall.lab.sequential import (
    Asked,
    HoldAsked,
    HoldTold,
    OrderAsked,
    OrderTold,
    Phase,
)
from seawall.lab.wire import Key
from seawall.lib.prng import Prng

SYMBOL: Final = "BTCUSDC"
QUOTE: Final = "USDC"
LOT: Final = Decimal("0.00001")
HOLD_UNIT: Final = Decimal("0.00000001")
MIDDLE_CENTS: Final = 6_000_000
SPREAD_CENTS: Final = 400
FAR_CENTS: Final = 3_000_000
STOCK: Final = 60
"""How many open orders a keeper has at hand to cancel while nothing can be placed."""
FAST_PACE_S: Final = 0.05
"""Of whoever has to bring the stock back to its measure."""
PACE_S: Final = 0.1
LOOK_PACE_S: Final = 0.12
DEAL_PACE_S: Final = 0.08
REMEMBERED: Final = 40
NOT_THERE: Final = -2013
CANCEL_REFUSED: Final = -2011
ORDER_REFUSED: Final = -2010
DUPLICATE: Final = "Duplicate order sent."
PHASES: Final = {
    "NEW": Phase.OPEN,
    "PARTIALLY_FILLED": Phase.OPEN,
    "FILLED": Phase.FILLED,
    "CANCELED": Phase.CANCELED,
    "EXPIRED": Phase.EXPIRED,
    "EXPIRED_IN_MATCH": Phase.EXPIRED,
    "REJECTED": Phase.REFUSED,
}
_ASKED: Final = {PLACE: Asked.PLACE, CANCEL: Asked.CANCEL, LOOK: Asked.LOOK}


class UnexpectedError(Exception):
    """The exchange gave an answer that no client of the drill knows what to make of."""


class Order:
    """What its owner knows of an order."""

    __slots__ = ("hold", "name", "size")

    def __init__(self, name: str, size: int, hold: int = 0) -> None:
        self.name = name
        self.size = size
        self.hold = hold


class Account:
    """One user: its key, what it was told, and its orders."""

    def __init__(self, name: str, key: Key, history: History) -> None:
        self.name = name
        self.key = key
        self.history = history
        self.ledger = Ledger()
        self.stock: deque[Order] = deque()
        """Open orders that nobody is about to cancel."""
        self.known: deque[Order] = deque(maxlen=REMEMBERED)
        """Orders worth a look."""

    def note_order(
        self, kind: str, order: Order, began_s: float, session: str, told: OrderTold | None
    ) -> None:
        self.history.orders.append(
            Operation(
                call_s=began_s,
                return_s=None if told is None else time.monotonic(),
                input=OrderAsked(_ASKED[kind], order.name, order.size),
                output=told,
                client=session,
            )
        )

    def note_hold(
        self, kind: str, hold: int, began_s: float, session: str, told: HoldTold | None
    ) -> None:
        self.history.holds.append(
            Operation(
                call_s=began_s,
                return_s=None if told is None else time.monotonic(),
                input=HoldAsked(_ASKED[kind], self.name, hold),
                output=told,
                client=session,
            )
        )


def told_of(body: dict[str, Any]) -> OrderTold:
    """Return what an answer says of its order."""
    executed = int(Decimal(body["executedQty"]) / LOT)
    return OrderTold(PHASES[body["status"]], executed)


class Keeper:
    """A session of an account whose orders nobody else touches."""

    def __init__(self, account: Account, session: Session, prng: Prng) -> None:
        self.account = account
        self.session = session
        self._prng = prng
        self._count = 0

    async def place_all(self) -> None:
        while not self.session.stopping:
            await asyncio.sleep(FAST_PACE_S if len(self.account.stock) < STOCK else PACE_S)
            await self.place()

    async def cancel_all(self) -> None:
        while not self.session.stopping:
            await asyncio.sleep(FAST_PACE_S if len(self.account.stock) > 2 * STOCK else PACE_S)
            if self.account.stock:
                await self.cancel(self.account.stock.popleft())

    async def look_all(self) -> None:
        while not self.session.stopping:
            await asyncio.sleep(LOOK_PACE_S)
            if self.account.known and self._prng.chance(1, 2):
                await self.look(self._prng.choice(tuple(self.account.known)))
            else:
                await self.look_at_balance()

    async def place(self) -> None:
        """Place an order far below the market."""
        self._count += 1
        lots = self._prng.between(20, 900)
        cents = FAR_CENTS + self._prng.below(100_000)
        # Exact: lots of 10**-5 times cents of 10**-2, in units of 10**-8.
        order = Order(f"{self.account.name}-{self._count}", lots, lots * cents * 10)
        params = {
            "symbol": SYMBOL,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": str(lots * LOT),
            "price": str(Decimal(cents) / 100),
            "newClientOrderId": order.name,
            "newOrderRespType": "FULL",
        }
        began_s = time.monotonic()
        self.account.ledger.sent.add(order.name)
        reply = await self.session.ask(order_request(PLACE, params))
        if (
            reply is not None
            and reply.attempts > 1
            and reply.code == ORDER_REFUSED
            and reply.body.get("msg") == DUPLICATE
        ):
            # An earlier attempt did it.
            reply = await self._what_is_there(order)
        told = None if reply is None else told_of(_expect(reply, order.name))
        self.account.note_order(PLACE, order, began_s, self.session.name, told)
        done = None if reply is None else HoldTold()
        self.account.note_hold(PLACE, order.hold, began_s, self.session.name, done)
        if reply is not None:
            self.account.ledger.take_placed(SYMBOL, reply.body, retried=reply.attempts > 1)
            self.account.stock.append(order)
            self.account.known.append(order)

    async def cancel(self, order: Order) -> None:
        """Cancel an order, and make sure that it is."""
        params = {"symbol": SYMBOL, "origClientOrderId": order.name}
        began_s = time.monotonic()
        reply = await self.session.ask(order_request(CANCEL, params))
        if reply is not None and reply.attempts > 1 and reply.code == CANCEL_REFUSED:
            reply = await self._what_is_there(order)
        told = None if reply is None else told_of(_expect(reply, order.name))
        self.account.note_order(CANCEL, order, began_s, self.session.name, told)
        done = None if reply is None else HoldTold()
        self.account.note_hold(CANCEL, order.hold, began_s, self.session.name, done)
        if reply is not None:
            self.account.ledger.take_canceled(SYMBOL, reply.body)

    async def look(self, order: Order) -> None:
        began_s = time.monotonic()
        reply = await self._look(order)
        if reply is None:
            return
        if not reply.current:
            self.account.history.last_known += 1
            return
        told = told_of(reply.body) if reply.ok else OrderTold(Phase.ABSENT)
        self.account.note_order(LOOK, order, began_s, self.session.name, told)

    async def look_at_balance(self) -> None:
        began_s = time.monotonic()
        reply = await self.session.ask(account_request())
        if reply is None:
            return
        if not reply.current:
            self.account.history.last_known += 1
            return
        balances = _expect(reply, "balances")["balances"]
        locked = next(Decimal(row["locked"]) for row in balances if row["asset"] == QUOTE)
        told = HoldTold(held=int(locked / HOLD_UNIT))
        self.account.note_hold(LOOK, 0, began_s, self.session.name, told)

    async def _look(self, order: Order) -> Reply | None:
        params = {"symbol": SYMBOL, "origClientOrderId": order.name}
        reply = await self.session.ask(order_request(LOOK, params))
        if reply is not None and not reply.ok and reply.code != NOT_THERE:
            _expect(reply, order.name)
        return reply

    async def _what_is_there(self, order: Order) -> Reply | None:
        """Look until the answer is of now."""
        while not self.session.stopping:
            reply = await self._look(order)
            if reply is not None and reply.current:
                return Reply(status=reply.status, body=reply.body, attempts=2)
            await asyncio.sleep(LOOK_PACE_S)
        return None


class Dealer:
    """An account with one session, that buys from others and sells to them."""

    def __init__(self, account: Account, session: Session, prng: Prng) -> None:
        self.account = account
        self.session = session
        self._prng = prng
        self._count = 0

    async def deal(self) -> None:
        while not self.session.stopping:
            await asyncio.sleep(DEAL_PACE_S)
            chance = self._prng.below(100)
            if self.account.stock and (chance < 30 or len(self.account.stock) > STOCK):
                await self._cancel(self._draw())
            elif self.account.known and chance < 50:
                await self._look(self._prng.choice(tuple(self.account.known)))
            else:
                await self._place()

    async def _place(self) -> None:
        self._count += 1
        lots = self._prng.between(20, 2_000)
        order = Order(f"{self.account.name}-{self._count}", lots)
        began_s = time.monotonic()
        self.account.ledger.sent.add(order.name)
        reply = await self.session.ask(
            order_request(PLACE, self._terms(order), f"{order.name}-place")
        )
        if reply is None:
            self.account.note_order(PLACE, order, began_s, self.session.name, None)
            return
        if reply.code == ORDER_REFUSED:
            told = OrderTold(Phase.REFUSED)
            self.account.ledger.refused.add(order.name)
        else:
            told = told_of(_expect(reply, order.name))
            self.account.ledger.take_placed(SYMBOL, reply.body, retried=reply.attempts > 1)
            self.account.known.append(order)
            if told.phase is Phase.OPEN:
                self.account.stock.append(order)
        self.account.note_order(PLACE, order, began_s, self.session.name, told)

    async def _cancel(self, order: Order) -> None:
        params = {"symbol": SYMBOL, "origClientOrderId": order.name}
        began_s = time.monotonic()
        reply = await self.session.ask(order_request(CANCEL, params, f"{order.name}-cancel"))
        told = None
        if reply is not None:
            refused = reply.code == CANCEL_REFUSED
            told = OrderTold(Phase.REFUSED) if refused else told_of(_expect(reply, order.name))
            if not refused:
                self.account.ledger.take_canceled(SYMBOL, reply.body)
        self.account.note_order(CANCEL, order, began_s, self.session.name, told)

    async def _look(self, order: Order) -> None:
        params = {"symbol": SYMBOL, "origClientOrderId": order.name}
        began_s = time.monotonic()
        reply = await self.session.ask(order_request(LOOK, params))
        if reply is None:
            return
        if not reply.current:
            self.account.history.last_known += 1
            return
        absent = reply.code == NOT_THERE
        told = OrderTold(Phase.ABSENT) if absent else told_of(_expect(reply, order.name))
        self.account.note_order(LOOK, order, began_s, self.session.name, told)

    def _draw(self) -> Order:
        stock = self.account.stock
        stock.rotate(self._prng.below(len(stock)))
        return stock.popleft()

    def _terms(self, order: Order) -> dict[str, str]:
        """Return an order's parameters: most rest near the middle, some take.

        None is a market order, which would take keepers' orders where dealers' are missing.
        """
        prng = self._prng
        is_buy = prng.chance(1, 2)
        terms = {
            "symbol": SYMBOL,
            "side": "BUY" if is_buy else "SELL",
            "newClientOrderId": order.name,
            "newOrderRespType": "FULL",
            "quantity": str(order.size * LOT),
        }
        away = prng.between(-SPREAD_CENTS // 4, SPREAD_CENTS)
        cents = MIDDLE_CENTS - away if is_buy else MIDDLE_CENTS + away
        priced = {**terms, "price": str(Decimal(cents) / 100)}
        return {**priced, "type": "LIMIT", "timeInForce": "IOC" if prng.chance(1, 4) else "GTC"}


def gateways_from(gateways: Sequence[Gateway], first: int) -> list[Gateway]:
    """Return all gateways, beginning with one."""
    first %= len(gateways)
    return [*gateways[first:], *gateways[:first]]


def _expect(reply: Reply, what: str) -> dict[str, Any]:
    if not reply.ok:
        raise UnexpectedError(f"{what}: {reply.status} {reply.body}")
    return reply.body
