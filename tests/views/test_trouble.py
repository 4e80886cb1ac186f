"""History in trouble: killed, damaged while open, and on a disk that takes nothing."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.views.endless_writer import SEED, STEPS
from tests.views.flow import Exchange, random_flow

from seawall.model.limits import VIEW_FLUSH_EVENTS
from seawall.views.compare import compare_views, read_watermark
from seawall.views.history import (
    BACKLOG_BATCHES,
    History,
    HistoryDamagedError,
    HistoryUnavailableError,
)
from seawall.views.views import Views

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lines", [1, 9, 30])
def test_history_survives_a_kill_at_any_moment(tmp_path: Path, lines: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.views.endless_writer", str(tmp_path / "killed")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(("src", "."))},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    watermark = read_watermark(tmp_path / "killed")
    assert watermark >= told[-1]
    asyncio.run(replay_until(tmp_path / "rebuilt", watermark))
    assert compare_views(tmp_path / "killed", tmp_path / "rebuilt") == []


async def replay_until(data: Path, sequence: int) -> None:
    again = Exchange(Views.open(data))
    again.list_markets()
    flow = iter(random_flow(SEED, STEPS))
    while again.state.sequence < sequence:
        again.step(next(flow))
    await again.followers().close()


async def test_damage_met_while_open_is_named_and_mended_by_the_next_start(tmp_path: Path) -> None:
    exchange = Exchange(Views.open(tmp_path))
    exchange.list_markets()
    for step in random_flow(3, 900):
        exchange.step(step)
    await exchange.followers().close()
    path = tmp_path / "views" / "history.sqlite"
    with sqlite3.connect(path) as connection:
        (root_page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'orders'"
        ).fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root_page - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)
    views = Views.open(tmp_path)
    with pytest.raises(HistoryDamagedError):
        await views.orders(1, "AB", None, None, None, 10)
    await views.close()
    mended = Views.open(tmp_path)
    assert mended.watermark == 0
    Exchange(mended).replay(exchange.entries)
    assert len(await mended.orders(1, "AB", None, None, None, 10)) == 10
    await mended.close()


async def test_a_full_disk_loses_nothing_that_a_reader_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = Exchange(Views.open(tmp_path / "live"))
    exchange.list_markets()
    views = exchange.followers()
    await views.flush()
    written = views.watermark
    whole = History._transact
    is_full = True

    def transact(self: History, batch: object) -> None:
        if is_full:
            raise sqlite3.OperationalError("database or disk is full")
        whole(self, batch)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(History, "_transact", transact)
    exchange.order(1, "SELL", 100, 5)
    exchange.order(2, "BUY", 100, 5)
    for _ in range(3):
        with pytest.raises(HistoryUnavailableError):
            await views.user_trades(1, "AB", None, None, None, None, 10)
        with pytest.raises(HistoryUnavailableError):
            await views.flush()
    assert views.watermark == written
    # What memory knows is still answered.
    assert len(await views.trades("AB", None, 10)) == 1
    is_full = False
    assert len(await views.user_trades(1, "AB", None, None, None, None, 10)) == 1
    await views.flush()
    assert views.watermark == views.sequence == exchange.state.sequence
    await views.close()


async def test_a_disk_full_for_long_bounds_memory_and_keeps_the_watermark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = Exchange(Views.open(tmp_path / "live"))
    exchange.list_markets()
    views = exchange.followers()
    await views.flush()
    written = views.watermark

    def refuse(_self: History, _batch: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as full:
        full.setattr(History, "_transact", refuse)
        for _ in range(BACKLOG_BATCHES + 2):
            exchange.order(1, "SELL", 100, 1)
            exchange.order(2, "BUY", 100, 1)
            with pytest.raises(HistoryUnavailableError):
                await views.flush()
        assert len(views._history._backlog) <= BACKLOG_BATCHES
    # Batches were dropped, so none may be written past the hole, and readers are told so.
    with pytest.raises(HistoryUnavailableError):
        await views.orders(1, "AB", None, None, None, 10)
    with pytest.raises(HistoryUnavailableError):
        await views.close()
    assert read_watermark(tmp_path / "live") == written
    again = Exchange(Views.open(tmp_path / "live"))
    again.replay(exchange.entries)
    assert len(await again.followers().user_trades(1, "AB", None, None, None, None, 1_000)) == (
        BACKLOG_BATCHES + 2
    )
    await again.followers().close()


async def test_a_busy_exchange_writes_history_by_itself(tmp_path: Path) -> None:
    exchange = Exchange(Views.open(tmp_path))
    exchange.list_markets()
    views = exchange.followers()
    seen = 0
    while seen < 2 * VIEW_FLUSH_EVENTS:
        exchange.order(1, "SELL", 100, 1)
        exchange.order(2, "BUY", 100, 1)
        seen += len(exchange.events)
    views._in_flight[-1].result()
    assert views.watermark > 0
    assert len(views._pending.orders) < VIEW_FLUSH_EVENTS
    await views.close()
