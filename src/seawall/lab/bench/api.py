"""`seawall bench api`.  The rule: the yardstick is an echo on the same server, in the same minute.

An order is signed, checked, journaled, synced, matched and published before it is answered; the
echo answers with its own parameters and does nothing.  Both get the same number of connections
and the same parameters, signature included; they take turns in short slices.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from msgspec import Struct

from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.load import Timing, frame, put_load
from seawall.lab.drills.kill import CONFIGURATION, FUNDS, SYMBOL
from seawall.lab.exchange_process import HOST, ExchangeProcess
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress
from seawall.lab.wire import Key

CONNECTIONS: Final = (1, 16, 64)
JUDGED_CONNECTIONS: Final = 64
SLICES: Final = 4
PER_SECOND: Final = 12_000
"""Requests prepared for each second of a slice, over all connections: more than are used."""
WANTED: Final = 0.6
WEBSOCKET_PATH: Final = "/ws-api/v3"
MANY_ORDERS_TIER: Final = 9
"""Of the default configuration."""
RECV_WINDOW_MS: Final = "60000"


class Pair(Struct, frozen=True, kw_only=True):
    """What is measured, and its yardstick."""

    name: str
    websocket_path: str
    order: Callable[[Key, dict[str, str]], bytes]
    echo: Callable[[Key, dict[str, str]], bytes]


async def run_api(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure order entry over REST and over the WebSocket API."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="seawall-bench-"))
    exchange = ExchangeProcess(folder, CONFIGURATION)
    rows: list[dict[str, Any]] = []
    try:
        await exchange.spawn()
        await exchange.ready()
        keys = [await _hire(exchange, f"bench-{number}") for number in range(2)]
        names = count(1)
        cases = [(pair, connections) for pair in PAIRS for connections in CONNECTIONS]
        for number, (pair, connections) in enumerate(cases):
            progress(f"{pair.name}, {connections} connections", number, len(cases))
            bench = _Case(exchange.port, keys, names, pair, connections, options.seconds)
            rows += await asyncio.to_thread(uvloop.run, bench.run())
        progress("measured", len(cases), len(cases))
        await exchange.stop()
    finally:
        await exchange.kill()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return BenchResult(
        bench="api",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=_targets(rows),
        notes=(
            "The load generator runs beside the server on the same machine and shares its cores.",
        ),
    )


async def _hire(exchange: ExchangeProcess, name: str) -> Key:
    """Return a funded user's key; at many connections more of its orders rest than is usual."""
    key = await exchange.fund(name, FUNDS)
    await exchange.operator("tiers", {"tier": MANY_ORDERS_TIER, "user": name})
    return key


class _Case:
    """One pair at one number of connections."""

    def __init__(
        self,
        port: int,
        keys: list[Key],
        names: "count[int]",
        pair: Pair,
        connections: int,
        seconds: float,
    ) -> None:
        self._port = port
        self._keys = keys
        self._names = names
        self._pair = pair
        self._connections = connections
        self._slice_s = seconds / SLICES

    async def run(self) -> list[dict[str, Any]]:
        """Measure both in turns; return a row for each."""
        echoes: list[Timing] = []
        orders: list[Timing] = []
        for _ in range(SLICES):
            echoes.append(await self._slice(self._pair.echo))
            orders.append(await self._slice(self._pair.order))
        echo, order = _row(echoes), _row(orders)
        ratio = round(order["per_s"] / echo["per_s"], 3)
        head = {"transport": self._pair.name, "connections": self._connections}
        return [
            {**head, "what": "echo", **echo, "of_echo": 1.0},
            {**head, "what": "order", **order, "of_echo": ratio},
        ]

    async def _slice(self, make: Callable[[Key, dict[str, str]], bytes]) -> Timing:
        each = max(50, int(PER_SECOND * self._slice_s) // self._connections)
        requests = [[self._request(make) for _ in range(each)] for _ in range(self._connections)]
        return await put_load(HOST, self._port, requests, self._slice_s, self._pair.websocket_path)

    def _request(self, make: Callable[[Key, dict[str, str]], bytes]) -> bytes:
        """Return an order that rests, then one of the other user that takes it."""
        number = next(self._names)
        # The users change sides with each pair, so that neither runs out of money.
        is_buy = number % 4 in {0, 3}
        params = {
            "symbol": SYMBOL,
            "side": "BUY" if is_buy else "SELL",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.001",
            "price": "60000",
            "newClientOrderId": f"bench-{number}",
            "recvWindow": RECV_WINDOW_MS,
        }
        return make(self._keys[number % 2], params)


def _rest_order(key: Key, params: dict[str, str]) -> bytes:
    return _http("/api/v3/order", key, params)


def _rest_echo(key: Key, params: dict[str, str]) -> bytes:
    return _http("/seawall/v1/echo", key, params)


def _http(path: str, key: Key, params: dict[str, str]) -> bytes:
    return (
        f"POST {path}?{key.signed(params)} HTTP/1.1\r\nHost: {HOST}\r\n"
        f"X-MBX-APIKEY: {key.api_key}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def _socket_order(key: Key, params: dict[str, str]) -> bytes:
    return _message("order.place", key.signed_message(params))


def _socket_echo(key: Key, params: dict[str, str]) -> bytes:
    return _message("seawall.echo", key.signed_message(params))


def _message(method: str, params: dict[str, str]) -> bytes:
    request = {"id": params["newClientOrderId"], "method": method, "params": params}
    return frame(msgspec.json.encode(request))


PAIRS: Final = (
    Pair(name="REST", websocket_path="", order=_rest_order, echo=_rest_echo),
    Pair(name="WebSocket", websocket_path=WEBSOCKET_PATH, order=_socket_order, echo=_socket_echo),
)


def _row(timings: list[Timing]) -> dict[str, Any]:
    latencies = sorted(one for timing in timings for one in timing.latencies_s)
    answers = sum(timing.answers for timing in timings)
    return {
        "per_s": round(answers / sum(timing.seconds for timing in timings)),
        "p50_ms": round(latencies[len(latencies) // 2] * 1_000, 3),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1_000, 3),
    }


def _targets(rows: list[dict[str, Any]]) -> tuple[Target, ...]:
    return tuple(
        Target(
            name=f"{row['transport']} orders against the echo, {row['connections']} connections",
            wanted=f"{WANTED:g} or more",
            measured=row["of_echo"],
            met=row["of_echo"] >= WANTED,
        )
        for row in rows
        if row["what"] == "order" and row["connections"] == JUDGED_CONNECTIONS
    )


API: Final = Bench(
    name="api",
    summary="order entry over REST and WebSocket, against an echo on the same server",
    run=run_api,
)
