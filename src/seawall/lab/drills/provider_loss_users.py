"""Who trades while a provider is lost.  The rule: every gateway is used in every way.

Three keepers with three sessions each, three dealers with one, and a stream of each dealer's own
events; two thirds by REST, one third over the WebSocket API.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import msgspec
import websockets

from seawall.lab.drills.audit import Finding, Kind, Present
from seawall.lab.drills.cluster_clients import (
    STOCK,
    SYMBOL,
    Account,
    Dealer,
    Keeper,
    UnexpectedError,
    gateways_from,
)
from seawall.lab.drills.cluster_history import History, Streamed
from seawall.lab.drills.cluster_session import Gateway, Session
from seawall.lab.drills.ledger import Ledger
from seawall.lab.drills.present import ask_present
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.wire import BrokenError
from seawall.lib.prng import Prng

KEEPERS: Final = 3
DEALERS: Final = 3
FUNDS: Final = {"BTC": "1000", "USDC": "100000000"}
ANSWER_S: Final = 15.0
SILENCE_S: Final = 10.0
"""A stream without a word for so long is opened anew, at the next gateway."""
_BROKEN: Final = (OSError, EOFError, websockets.WebSocketException, TimeoutError, BrokenError)


class Users:
    """Everybody who trades."""

    def __init__(self, history: History) -> None:
        self.accounts: list[Account] = []
        self.failures: list[str] = []
        self._history = history
        self._sessions: list[Session] = []
        self._work: list[tuple[str, Coroutine[Any, Any, None]]] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._streams: list[asyncio.Task[None]] = []
        self._to_stream: list[tuple[Account, list[Gateway]]] = []

    @classmethod
    async def hire(
        cls, cluster: LocalCluster, gateways: Sequence[Gateway], history: History, prng: Prng
    ) -> "Users":
        """Create accounts and sessions; nobody trades yet."""
        users = cls(history)
        for number in range(KEEPERS):
            key = await cluster.fund(f"keeper{number}", FUNDS)
            account = Account(f"keeper{number}", key, history)
            users.accounts.append(account)
            for place, what in enumerate(("place", "cancel", "look")):
                session = Session(
                    f"{account.name}-{what}",
                    key,
                    gateways_from(gateways, number + place),
                    history,
                    websocket=place == number,
                )
                keeper = Keeper(account, session, prng.fork())
                work = (keeper.place_all, keeper.cancel_all, keeper.look_all)[place]
                users._add(session, work())
        for number in range(DEALERS):
            key = await cluster.fund(f"dealer{number}", FUNDS)
            account = Account(f"dealer{number}", key, history)
            users.accounts.append(account)
            around = gateways_from(gateways, number)
            session = Session(account.name, key, around, history, roams=True, websocket=number == 0)
            users._add(session, Dealer(account, session, prng.fork()).deal())
            users._to_stream.append((account, gateways_from(gateways, number + 1)))
        return users

    @property
    def ledgers(self) -> dict[str, Ledger]:
        return {account.name: account.ledger for account in self.accounts}

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        for name, work in self._work:
            task = loop.create_task(work)
            task.add_done_callback(self._ended)
            self._tasks[name] = task
        self._work.clear()
        self._streams = [
            loop.create_task(self._stream(account, around)) for account, around in self._to_stream
        ]

    async def stocked(self, patience_s: float) -> None:
        """Wait until keepers have orders to cancel while none can be placed, or long enough."""
        keepers = self.accounts[:KEEPERS]
        until_s = asyncio.get_running_loop().time() + patience_s
        while asyncio.get_running_loop().time() < until_s and not self.failures:
            if min(len(keeper.stock) for keeper in keepers) >= STOCK:
                return
            await asyncio.sleep(0.1)

    async def stop(self, patience_s: float) -> list[str]:
        """Let everybody finish; return who did not."""
        for session in self._sessions:
            session.stopping = True
        late: set[asyncio.Task[None]] = set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=patience_s)
        names = [f"{name} got no last answer" for name, task in self._tasks.items() if task in late]
        for task in (*late, *self._streams):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._streams, return_exceptions=True)
        for session in self._sessions:
            await session.hang_up()
        return names

    async def present(self, account: Account, gateway: Gateway) -> Present:
        """Ask a gateway for everything that it knows of the account."""
        return await ask_present(account.key, gateway.host, gateway.port, SYMBOL, ANSWER_S)

    def streamed_and_gone(self, account: Account, present: Present) -> list[Finding]:
        """Return what the account's stream told and is not there."""
        trades = {row["id"] for row in present.trades}
        orders = {row["clientOrderId"] for row in present.orders}
        rows = [each.row for each in self._history.streamed if each.account == account.name]
        found = [
            Finding(kind=Kind.LOST, text=f"trade {row['t']} was streamed, and is not there")
            for row in rows
            if row["x"] == "TRADE" and row["t"] not in trades
        ]
        found += [
            Finding(kind=Kind.LOST, text=f"order {row['c']} was streamed, and is not there")
            for row in rows
            if row["x"] == "NEW" and row["c"] not in orders
        ]
        return found

    def _add(self, session: Session, work: Coroutine[Any, Any, None]) -> None:
        self._sessions.append(session)
        self._work.append((session.name, work))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(f"{type(error).__name__}: {error}")

    async def _stream(self, account: Account, around: Sequence[Gateway]) -> None:
        """Listen to the account's own events, at one gateway after the other."""
        at = 0
        while True:
            gateway = around[at % len(around)]
            at += 1
            with contextlib.suppress(*_BROKEN):
                await self._listen(account, gateway)
            await asyncio.sleep(0.1)

    async def _listen(self, account: Account, gateway: Gateway) -> None:
        url = f"ws://{gateway.host}:{gateway.port}/ws-api/v3"
        async with websockets.connect(url, open_timeout=SILENCE_S, close_timeout=1) as socket:
            request = {
                "id": 1,
                "method": "userDataStream.subscribe.signature",
                "params": account.key.signed_message({}),
            }
            await socket.send(msgspec.json.encode(request), text=True)
            while True:
                async with asyncio.timeout(SILENCE_S):
                    message = msgspec.json.decode(await socket.recv())
                if message.get("status", 200) != 200:
                    raise BrokenError(str(message))
                row = message.get("event", message)
                if row.get("e") == "executionReport":
                    self._history.streamed.append(Streamed(account.name, row))


__all__ = ["FUNDS", "UnexpectedError", "Users"]
