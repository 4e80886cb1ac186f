"""`seawall bench transfer`.  The rule: an order on the same connection, in the same minute.

A transfer between wallets is answered once the money has arrived: it is journaled in the one cell,
carried to the other and journaled there, and its end is journaled in the first.  An order is
journaled once.  One connection sends order, transfer there and transfer back in turn.
"""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.drills.kill import CONFIGURATION, FUNDS, SYMBOL
from seawall.lab.exchange_process import ExchangeProcess
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress
from seawall.lab.wire import Connection, Key

WANTED: Final = 4.0
"""Times an order's latency: three entries in two journals, one after the other, instead of one."""
WARM: Final = 20
LEAST: Final = 30
ORDER: Final = "order that rests, then its cancel: per request"
CASES: Final = (
    (ORDER, ""),
    ("transfer, funding to spot", "FUNDING_MAIN"),
    ("transfer, spot to funding", "MAIN_FUNDING"),
)


class UnansweredError(Exception):
    """A request was not answered with success."""


async def run_transfer(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure the latency of transfers and of orders."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-bench-"))
    exchange = ExchangeProcess(folder, CONFIGURATION)
    try:
        await exchange.spawn()
        await exchange.ready()
        key = await exchange.fund("bench", FUNDS)
        connection = exchange.connection()
        try:
            bench = Requests(connection, key)
            await bench.transfer("MAIN_FUNDING", "1000")
            times = await bench.measure(3 * options.seconds, progress)
        finally:
            connection.close()
        await exchange.stop()
    finally:
        await exchange.kill()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("measured", 1, 1)
    order_ms = _row(ORDER, times[ORDER], 1.0)["p50_ms"]
    rows = [_row(name, times[name], order_ms) for name, _ in CASES]
    return BenchResult(
        bench="transfer",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=tuple(
            Target(
                name=f"{row['what']}, median, in orders",
                wanted=f"{WANTED:g} or less",
                measured=row["of_order"],
                met=row["of_order"] <= WANTED,
            )
            for row in rows[1:]
        ),
        notes=(
            "One request is on its way at a time; what a group commit saves shows nowhere here.",
        ),
    )


class Requests:
    """One user's requests over one connection."""

    def __init__(self, connection: Connection, key: Key, prefix: str = "bench-") -> None:
        self._connection = connection
        self._key = key
        self._prefix = prefix
        """Of the client order ids, which one user may use once."""
        self._sent = 0

    async def measure(self, seconds: float, progress: Progress) -> dict[str, list[float]]:
        """Return the seconds that each took, by what it was; the first ones warm up."""
        times: dict[str, list[float]] = {name: [] for name, _ in CASES}
        began = time.perf_counter()
        rounds = 0
        while time.perf_counter() - began < seconds or rounds < WARM + LEAST:
            for name, kind in CASES:
                sent = time.perf_counter()
                if kind:
                    await self.transfer(kind, "1")
                    took = time.perf_counter() - sent
                else:
                    await self.order()
                    took = (time.perf_counter() - sent) / 2
                if rounds >= WARM:
                    times[name].append(took)
            rounds += 1
            progress("ordering and transferring", rounds, 0)
        return times

    async def transfer(self, kind: str, amount: str) -> None:
        """Move money; it has arrived when this returns."""
        params = {"type": kind, "asset": "USDC", "amount": amount}
        await self._request("POST", "/sapi/v1/asset/transfer", params)

    async def order(self) -> None:
        """Place an order that rests, and cancel it, so that the book stays as it is."""
        self._sent += 1
        name = f"{self._prefix}{self._sent}"
        order = {
            "symbol": SYMBOL,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.001",
            "price": "60000",
            "newClientOrderId": name,
        }
        await self._request("POST", "/api/v3/order", order)
        canceled = {"symbol": SYMBOL, "origClientOrderId": name}
        await self._request("DELETE", "/api/v3/order", canceled)

    async def _request(self, method: str, path: str, params: dict[str, str]) -> None:
        target = f"{path}?{self._key.signed(params)}"
        headers = {"X-MBX-APIKEY": self._key.api_key}
        answer = await self._connection.request(method, target, headers)
        if answer.status != 200:
            raise UnansweredError(f"{method} {path}: {answer.status} {answer.body.decode()}")


def _row(what: str, times: list[float], order_ms: float) -> dict[str, Any]:
    ordered = sorted(times)
    p50 = 1_000 * ordered[len(ordered) // 2]
    return {
        "what": what,
        "requests": len(ordered),
        "p50_ms": round(p50, 3),
        "p99_ms": round(1_000 * ordered[len(ordered) * 99 // 100], 3),
        "of_order": 1.0 if what == ORDER else round(p50 / order_ms, 2),
    }


TRANSFER: Final = Bench(
    name="transfer",
    summary="transfers between funding and spot until they have arrived, against orders",
    run=run_transfer,
)
