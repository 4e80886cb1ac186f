"""Live equals rebuilt: whatever is killed, wherever, and however often history was written."""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.flow import Exchange, Step, flows

from seawall.core.snapshots import dump_spot, load_spot
from seawall.model.commands import Tick
from seawall.views.compare import HistoryMissingError, compare_views, digest_views, read_watermark
from seawall.views.history import HistoryBehindError
from seawall.views.views import Views


async def rebuilt(exchange: Exchange, data: Path) -> bytes:
    """Replay all commands into fresh views, written once at the end; return their dump."""
    again = Exchange(Views.open(data))
    again.replay(exchange.entries)
    dumped = again.followers().dump()
    await again.followers().close()
    return dumped


def copy_as_killed(data: Path, target: Path) -> None:
    """Copy what a SIGKILL would leave: the files, without the memory shared between processes."""
    shutil.copytree(data, target, ignore=shutil.ignore_patterns("*-shm"))


async def live_and_rebuilt(
    folder: Path, flow: list[Step], flush_at: set[int], snapshot_at: int, kill_at: int
) -> None:
    live = Exchange(Views.open(folder / "live"))
    live.list_markets()
    snapshot: tuple[int, bytes, bytes] | None = None
    for number, step in enumerate(flow):
        live.step(step)
        if number in flush_at:
            await live.followers().flush()
        if number == snapshot_at:
            snapshot = (live.state.sequence, dump_spot(live.state), live.followers().dump())
            await live.followers().flush()
        if number == kill_at:
            await live.followers().candles("AB", "1m", None, None, 5, live.state.at_ns)
            copy_as_killed(folder / "live", folder / "killed")
            await live.followers().close()
            live = await restarted(live, folder / "killed", snapshot)
    data = folder / ("killed" if (folder / "killed").exists() else "live")
    dumped = live.followers().dump()
    await live.followers().close()
    assert await rebuilt(live, folder / "rebuilt") == dumped
    assert read_watermark(data) == live.state.sequence
    assert compare_views(data, folder / "rebuilt") == []
    assert digest_views(data) == digest_views(folder / "rebuilt")


async def restarted(
    dead: Exchange, data: Path, snapshot: tuple[int, bytes, bytes] | None
) -> Exchange:
    views = Views.open(data)
    views.check_journal(dead.state.sequence)
    again = Exchange(views)
    first = 0
    if snapshot is not None:
        first, state, view_dump = snapshot
        again.state = load_spot(state)
        views.load(view_dump)
        again.entries = dead.entries[:first]
        again.trades = [one for one in dead.trades if one[0] <= again.state.at_ns]
    again.replay(dead.entries[first:])
    return again


@settings(deadline=None, max_examples=40)
@given(flows, st.sets(st.integers(0, 60), max_size=6), st.integers(-1, 60), st.integers(-1, 60))
def test_live_equals_rebuilt(
    flow: list[Step], flush_at: set[int], snapshot_at: int, kill_at: int
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(live_and_rebuilt(Path(folder), flow, flush_at, snapshot_at, kill_at))


async def traded(data: Path) -> Exchange:
    exchange = Exchange(Views.open(data))
    exchange.list_markets()
    for ticks in (100, 101, 102):
        exchange.order(1, "SELL", ticks, 5)
    exchange.order(2, "BUY", 102, 12)
    await exchange.followers().flush()
    return exchange


async def test_compare_names_each_difference(tmp_path: Path) -> None:
    exchange = await traded(tmp_path / "live")
    await exchange.followers().close()
    await rebuilt(exchange, tmp_path / "rebuilt")
    assert compare_views(tmp_path / "live", tmp_path / "rebuilt") == []
    with sqlite3.connect(tmp_path / "live" / "views" / "history.sqlite") as connection:
        connection.execute("UPDATE candles SET close_ticks = 99 WHERE interval = '1m'")
        connection.execute("DELETE FROM trades WHERE trade_id = 2")
    connection.close()
    found = compare_views(tmp_path / "live", tmp_path / "rebuilt")
    assert len(found) == 2
    assert found[0].startswith("trades: 1 rows differ, first: ('AB', 2, 101, ")
    assert found[0].endswith(" only in rebuilt")
    assert found[1].startswith("candles: 1 rows differ, first: live ('AB', '1m', 17")
    assert "99" in found[1]


async def test_compare_wants_one_sequence(tmp_path: Path) -> None:
    exchange = await traded(tmp_path / "live")
    await exchange.followers().close()
    exchange.views = None
    exchange.commit(Tick())
    await rebuilt(exchange, tmp_path / "rebuilt")
    (found,) = compare_views(tmp_path / "live", tmp_path / "rebuilt")
    assert found == "watermark: live 26, rebuilt 27; compare at one sequence"
    with pytest.raises(HistoryMissingError):
        read_watermark(tmp_path / "nowhere")


async def test_a_snapshot_past_history_is_refused(tmp_path: Path) -> None:
    exchange = await traded(tmp_path / "live")
    dumped = exchange.followers().dump()
    await exchange.followers().close()
    fresh = Views.open(tmp_path / "fresh")
    with pytest.raises(HistoryBehindError):
        fresh.load(dumped)
    assert fresh.sequence == 0
    await fresh.close()


async def test_history_of_another_journal_is_discarded(tmp_path: Path) -> None:
    exchange = await traded(tmp_path / "live")
    await exchange.followers().close()
    views = Views.open(tmp_path / "live")
    assert views.watermark == exchange.state.sequence
    views.check_journal(exchange.state.sequence - 1)
    assert views.watermark == 0
    exchange.entries.pop()
    again = Exchange(views)
    again.replay(exchange.entries)
    await views.close()
    await rebuilt(exchange, tmp_path / "rebuilt")
    assert compare_views(tmp_path / "live", tmp_path / "rebuilt") == []


@pytest.mark.parametrize("damage", ["header", "empty", "truncated", "format", "marked"])
async def test_a_damaged_history_is_discarded_and_rebuilt(tmp_path: Path, damage: str) -> None:
    exchange = await traded(tmp_path / "live")
    await exchange.followers().close()
    path = tmp_path / "live" / "views" / "history.sqlite"
    match damage:
        case "header":
            path.write_bytes(b"not a database at all, but long enough to be read as one" * 99)
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(path.read_bytes()[: 3 * 4096])
        case "format":
            with sqlite3.connect(path) as connection:
                connection.execute("UPDATE meta SET value = 999 WHERE name = 'schema'")
            connection.close()
        case _:
            (path.parent / "history.damaged").touch()
    views = Views.open(tmp_path / "live")
    assert views.watermark == 0
    Exchange(views).replay(exchange.entries)
    assert len(await views.trades("AB", None, 10)) == 3
    await views.close()
    await rebuilt(exchange, tmp_path / "rebuilt")
    assert compare_views(tmp_path / "live", tmp_path / "rebuilt") == []
