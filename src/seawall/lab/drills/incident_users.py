"""Who uses the exchange while it goes through an incident.  The rule: what was answered is noted.

Traders place and cancel at every gateway; savers ask for withdrawals, each to an address of its
own, so that the chain alone can say which was paid, and how often.  Without an answer the same is
asked again under the same client id; a refusal is an answer, and its moment is noted too.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final

from eth_utils.address import to_checksum_address
from msgspec import Struct, field

from seawall.lab.wire import Answer, BrokenError, Connection, Key
from seawall.lib.prng import Prng

SYMBOL: Final = "BTCUSDC"
ASSET: Final = "ETH"
NETWORK: Final = "ETH"
AMOUNT: Final = "0.01"
PAUSE_S: Final = 0.08
ASK_AGAIN_S: Final = 0.1
ANSWER_S: Final = 3.0
PAGE: Final = 1_000
UNSETTLED: Final = frozenset({-1001, -1007, -1008, -1021})
"""Nobody knows what came of it, or it was surely not executed and another try may help."""


class Moment(Struct, frozen=True, kw_only=True):
    """One answer."""

    at_s: float
    gateway: str
    what: str
    """place, cancel or withdraw"""
    taken: bool
    code: int = 0


class Asked(Struct, kw_only=True):
    """One withdrawal that somebody asked for."""

    name: str
    address: str
    number: str = ""
    """Its id, once it was acknowledged."""
    acknowledged_s: float = 0.0


class Notes(Struct, kw_only=True):
    """What all users wrote down."""

    moments: list[Moment] = field(default_factory=list)
    orders: dict[str, list[str]] = field(default_factory=dict)
    """Client ids of acknowledged orders, by user."""
    withdrawals: list[Asked] = field(default_factory=list)


class User:
    """One account with its connection, at one gateway after the other."""

    def __init__(
        self, name: str, key: Key, gateways: Mapping[str, tuple[str, int]], notes: Notes
    ) -> None:
        self.name = name
        self.key = key
        self.stopping = False
        self._gateways = dict(gateways)
        self._order = list(gateways)
        self._at = 0
        self._notes = notes
        self._connection: Connection | None = None

    @property
    def gateway(self) -> str:
        return self._order[self._at]

    async def ask(self, method: str, path: str, params: Mapping[str, str]) -> Answer | None:
        """Return a definite answer; None if the drill ends before one came."""
        while not self.stopping:
            if self._connection is None:
                self._connection = Connection(*self._gateways[self.gateway], ANSWER_S)
            with contextlib.suppress(BrokenError):
                answer = await self._connection.signed(self.key, method, path, params)
                if answer.status < 500 and code_of(answer) not in UNSETTLED:
                    return answer
            self.close()
            self._at = (self._at + 1) % len(self._order)
            await asyncio.sleep(ASK_AGAIN_S)
        return None

    def note(self, what: str, answer: Answer) -> bool:
        """Write an answer down; return whether it took what was asked."""
        taken = answer.status == 200
        self._notes.moments.append(
            Moment(
                at_s=time.monotonic(),
                gateway=self.gateway,
                what=what,
                taken=taken,
                code=0 if taken else code_of(answer),
            )
        )
        return taken

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Trader(User):
    """Keeps a resting order or two, and cancels them again."""

    def __init__(
        self,
        name: str,
        key: Key,
        gateways: Mapping[str, tuple[str, int]],
        notes: Notes,
        prng: Prng,
    ) -> None:
        super().__init__(name, key, gateways, notes)
        self._prng = prng
        self._mine = notes.orders.setdefault(name, [])
        self._number = 0

    async def trade(self) -> None:
        """Place, and cancel every second one, until told to stop."""
        while not self.stopping:
            await self._place()
            await asyncio.sleep(PAUSE_S)

    async def _place(self) -> None:
        self._number += 1
        name = f"{self.name}-{self._number}"
        side = self._prng.choice(("BUY", "SELL"))
        # Around one price, so that some trade, some rest, and an auction has something to find.
        price = 50_000 + self._prng.between(-40, 40)
        params = {
            "symbol": SYMBOL,
            "side": side,
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.001",
            "price": str(price),
            "newClientOrderId": name,
        }
        answer = await self.ask("POST", "/api/v3/order", params)
        if answer is None:
            return
        # A repeated client id was taken the first time: the answer to that was lost.
        taken = self.note("place", answer) or "Duplicate" in answer.body.decode()
        if taken:
            self._mine.append(name)
            if self._prng.chance(1, 2):
                await self._cancel(name)

    async def _cancel(self, name: str) -> None:
        params = {"symbol": SYMBOL, "origClientOrderId": name}
        answer = await self.ask("DELETE", "/api/v3/order", params)
        if answer is not None:
            self.note("cancel", answer)

    async def lost(self) -> list[str]:
        """Return acknowledged orders that the exchange does not know any more."""
        known: list[str] = []
        after = 0
        while True:
            params = {"symbol": SYMBOL, "limit": str(PAGE), "orderId": str(after)}
            answer = await self.ask("GET", "/api/v3/allOrders", params)
            rows: list[dict[str, Any]] = answer.json() if answer is not None else []
            known += [row["clientOrderId"] for row in rows]
            known += [row.get("origClientOrderId", "") for row in rows]
            if len(rows) < PAGE:
                break
            after = int(rows[-1]["orderId"]) + 1
        there = frozenset(known)
        return [name for name in self._mine if name not in there]


class Saver(User):
    """Asks for a small withdrawal now and then, each to a new address."""

    def __init__(
        self,
        name: str,
        key: Key,
        gateways: Mapping[str, tuple[str, int]],
        notes: Notes,
        prng: Prng,
    ) -> None:
        super().__init__(name, key, gateways, notes)
        self._prng = prng
        self._number = 0
        self._kept = notes.withdrawals

    async def save(self, pause_s: float) -> None:
        """Ask for one withdrawal after the other until told to stop."""
        while not self.stopping:
            await self.withdraw()
            await asyncio.sleep(pause_s)

    async def withdraw(self) -> bool:
        """Ask for one; return whether it was taken."""
        self._number += 1
        asked = Asked(name=f"{self.name}-{self._number}", address=self._new_address())
        params = {
            "coin": ASSET,
            "network": NETWORK,
            "address": asked.address,
            "amount": AMOUNT,
            "withdrawOrderId": asked.name,
            "walletType": "1",
        }
        answer = await self.ask("POST", "/sapi/v1/capital/withdraw/apply", params)
        if answer is None or not self.note("withdraw", answer):
            return False
        asked.number = str(answer.json()["id"])
        asked.acknowledged_s = time.monotonic()
        self._kept.append(asked)
        return True

    async def rows(self) -> list[dict[str, Any]]:
        """Return what the exchange says of all of them."""
        found: list[dict[str, Any]] = []
        while True:
            params = {"limit": str(PAGE), "offset": str(len(found))}
            answer = await self.ask("GET", "/seawall/v1/withdrawals", params)
            page: list[dict[str, Any]] = answer.json()["withdrawals"] if answer is not None else []
            found += page
            if len(page) < PAGE:
                return found

    def _new_address(self) -> str:
        digits = f"{self._prng.bits64():016x}{self._prng.bits64():016x}{self._prng.bits64():016x}"
        return str(to_checksum_address("0x" + digits[:40]))


def code_of(answer: Answer) -> int:
    """Return the exchange's error code, or 0."""
    body = answer.json()
    return int(body.get("code", 0)) if isinstance(body, dict) else 0
