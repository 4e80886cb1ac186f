"""While the journal is stopped, full or silent, nothing old is shown as new, nor undone as done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.exchange import Exchange, User, open_exchange, picked

from seawall.journal.memory import Fault, MemoryDisk, MemoryJournal
from seawall.journal.port import Journal
from seawall.model.commands import Command, Tick
from seawall.model.events import Event
from seawall.model.ids import SPOT
from seawall.model.limits import CURRENT_S
from seawall.views.history import HistoryUnavailableError

SECOND_NS = 1_000_000_000
QUOTES = (
    "depth?symbol=BTCUSDT", "ticker/price", "ticker/24hr", "ticker/bookTicker",
    "avgPrice?symbol=BTCUSDT", "trades?symbol=BTCUSDT", "klines?symbol=BTCUSDT&interval=1m",
)  # fmt: skip
OWN = ("account", "openOrders")
REFUSED = {
    "code": -1001,
    "msg": "Internal error; unable to process your request. Please try again.",
}


class Troubled:
    """An exchange whose spot journal fails as told, and a user with one order in it."""

    def __init__(self, exchange: Exchange, alice: User, disk: MemoryDisk) -> None:
        self.exchange = exchange
        self.alice = alice
        self.disk = disk

    async def fail(self, fault: Fault) -> None:
        """Have the next append fail, and make it."""
        self.disk.faults.append(fault)
        assert await self.place() == (503, REFUSED)

    async def place(self) -> tuple[int, Any]:
        answer = await self.exchange.order(
            self.alice, side="SELL", type="LIMIT", timeInForce="GTC", quantity="1", price="50000"
        )
        return answer.status_code, answer.json()

    async def questions(self) -> set[tuple[int, int]]:
        """Return status and code of all that Binance's paths say of quotes and balances."""
        answers = [
            *[await self.exchange.client.get(f"/api/v3/{path}") for path in QUOTES],
            *[await self.exchange.signed("GET", f"/api/v3/{path}", self.alice) for path in OWN],
        ]
        return {
            (answer.status_code, 0 if answer.status_code == 200 else answer.json()["code"])
            for answer in answers
        }

    async def balances(self) -> Any:
        return (await self.exchange.signed("GET", "/seawall/v1/balances", self.alice)).json()

    async def standing(self) -> tuple[Any, ...]:
        """Return readiness, system status, and how a market is shown on both sides."""
        get = self.exchange.get
        info = (await get("/api/v3/exchangeInfo", symbol="BTCUSDT")).json()["symbols"][0]
        markets = (await get("/seawall/v1/markets")).json()
        return (
            (await get("/health/ready")).status_code,
            (await get("/sapi/v1/system/status")).json()["status"],
            info["status"],
            markets["current"],
            bool(markets["markets"][0]["accepts"]),
        )


@asynccontextmanager
async def troubled(data: Path, *, ticks: bool = False) -> AsyncIterator[Troubled]:
    disks: dict[str, MemoryDisk] = {}

    async def open_journal(name: str) -> Journal:
        disks[name] = MemoryDisk()
        return MemoryJournal(disks[name])

    async with open_exchange(data, ticks=ticks, open_journal=open_journal) as exchange:
        alice = await exchange.add_user("alice", BTC="10")
        await exchange.limit(alice, "SELL", "1", "50000")
        try:
            yield Troubled(exchange, alice, disks[SPOT])
        finally:
            disks[SPOT].sync()


async def test_a_stopped_cell_shows_nothing_as_fresh(tmp_path: Path) -> None:
    async with troubled(tmp_path) as it:
        assert await it.standing() == (200, 0, "TRADING", True, True)
        before = await it.balances()
        await it.fail(Fault.DAMAGED)
        assert await it.standing() == (503, 1, "BREAK", False, False)
        assert await it.questions() == {(503, -1001)}
        test = await it.exchange.signed(
            "POST", "/api/v3/order/test", it.alice,
            symbol="BTCUSDT", side="SELL", type="MARKET", quantity="1",
        )  # fmt: skip
        assert test.json() == REFUSED
        it.exchange.clock.advance(SECOND_NS)
        after = await it.balances()
        assert after == before | {"current": False, "stale": 1.0}
        assert picked(before, "current", "stale") == (True, 0.0)
        assert any(one["free"] != "0.00000000" for one in after["balances"])
        assert await it.place() == (503, REFUSED)


async def test_a_full_journal_takes_nothing_but_answers(tmp_path: Path) -> None:
    async with troubled(tmp_path) as it:
        before = await it.balances()
        await it.fail(Fault.FULL)
        assert await it.standing() == (503, 1, "BREAK", True, False)
        assert await it.questions() == {(200, 0)}
        account = (await it.exchange.signed("GET", "/api/v3/account", it.alice)).json()
        assert picked(account, "canTrade", "updateTime") == (False, before["asOf"])
        assert await it.balances() == before, "as of the last entry there is"
        status, placed = await it.place()
        assert (status, placed["status"]) == (200, "NEW"), "there is space again"
        assert await it.standing() == (200, 0, "TRADING", True, True)


async def test_a_journal_that_does_not_answer_ends_what_is_current(tmp_path: Path) -> None:
    async with troubled(tmp_path, ticks=True) as it:
        before = await it.balances()
        it.disk.faults.append(Fault.HANG)
        cancel = asyncio.create_task(
            it.exchange.signed("DELETE", "/api/v3/openOrders", it.alice, symbol="BTCUSDT")
        )
        await it.disk.hanging.wait()
        it.exchange.clock.advance((CURRENT_S + 1) * SECOND_NS)
        assert await it.questions() == {(503, -1001)}
        assert (await it.standing())[:4] == (503, 1, "TRADING", False)
        assert picked(await it.balances(), "current", "asOf") == (False, before["asOf"])
        ticked = asyncio.Event()

        def on_entry(
            cell: str, _sequence: int, _at_ns: int, command: Command, _events: list[Event]
        ) -> None:
            if cell == SPOT and isinstance(command, Tick):
                ticked.set()

        it.exchange.node.add_listener(on_entry)
        it.disk.sync()
        canceled = (await cancel).json()
        assert [one["status"] for one in canceled] == ["CANCELED"]
        await ticked.wait()
        assert await it.questions() == {(200, 0)}
        assert await it.standing() == (200, 0, "TRADING", True, True)


async def test_history_that_cannot_be_read_is_no_empty_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object) -> None:
        raise HistoryUnavailableError("the disk gives no reads")

    async with troubled(tmp_path) as it:
        monkeypatch.setattr(it.exchange.node.views, "_read", unreadable)
        for path in ("allOrders", "myTrades"):
            answer = await it.exchange.signed("GET", f"/api/v3/{path}", it.alice, symbol="BTCUSDT")
            assert (answer.status_code, answer.json()) == (503, REFUSED)
        header = {"X-Seawall-Command-Id": "again"}
        terms = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC"}
        sizes = {"quantity": "1", "price": "50000"}
        answers = [
            await it.exchange.signed("POST", "/api/v3/order", it.alice, header, **terms, **sizes)
            for _ in range(2)
        ]
        assert answers[0].json()["status"] == "NEW", "answered from its own events"
        assert (answers[1].status_code, answers[1].json()["code"]) == (503, -1007)
