"""The whole node on a disk: starts, stops, crashes, snapshots, ticks."""

import asyncio
from pathlib import Path

import pytest
import structlog
from tests.node.market import SECOND_NS, SYMBOL, open_node, order, set_up, settings, trade

from seawall.core.state_digest import digest_spot
from seawall.journal.memory import Fault, MemoryDisk, MemoryJournal
from seawall.journal.port import Journal, JournalDamagedError, JournalError
from seawall.lib.prng import Prng
from seawall.model.commands import Command, CreateUser, Lead, Tick
from seawall.model.events import CommandRejected, CommandRepeated, Event, UserCreated
from seawall.model.ids import CELLS, IDENTITY, SPOT
from seawall.node import snapshots
from seawall.node.cell import spot_cell
from seawall.node.clock import ManualClock
from seawall.node.errors import UnavailableError
from seawall.node.node import Node, NodeSettings


def _crash(node: Node) -> None:
    """Let go of the files as a killed process does: no drain, no snapshot, no flush."""
    for driver in node.drivers.values():
        assert driver._task is not None
        driver._task.cancel()
    for journal in node._journals.values():
        journal._store.close()  # type: ignore[attr-defined]  # only SQLite's here


async def test_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    await trade(node, 0, 60)
    digest, sequence = digest_spot(node.spot), node.spot.sequence
    depth, trades = node.views.depth(SYMBOL, 50), await node.views.trades(SYMBOL, 0, 1_000)
    await node.close()

    node = await open_node(tmp_path)
    assert (node.spot.epoch, node.identity.epoch) == (2, 2)
    assert node.spot.sequence == sequence + 1, "only the new claim to lead has been added"
    assert node.views.depth(SYMBOL, 50) == depth
    assert await node.views.trades(SYMBOL, 0, 1_000) == trades
    left = spot_cell()
    left.load(snapshots.read(_snapshots(tmp_path)[0]).state)
    assert left.digest() == digest
    await trade(node, 60, 20)
    await node.close()


async def test_the_journal_alone_is_enough(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    await trade(node, 0, 80)
    digest, sequence, at_ns = digest_spot(node.spot), node.spot.sequence, node.spot.at_ns
    depth, trades = node.views.depth(SYMBOL, 50), await node.views.trades(SYMBOL, 0, 1_000)
    await node.close()
    for path in (tmp_path / "snapshots").iterdir():
        path.unlink()
    for path in (tmp_path / "views").iterdir():
        path.unlink()
    node = await open_node(tmp_path)
    # All but the claim to lead, which is newer than what was noted.
    assert node.spot.sequence == sequence + 1
    assert node.views.depth(SYMBOL, 50) == depth
    assert await node.views.trades(SYMBOL, 0, 1_000) == trades
    node.spot.epoch = 1
    node.spot.sequence, node.spot.at_ns = sequence, at_ns
    assert digest_spot(node.spot) == digest
    _crash(node)
    await node.views.close()


async def test_a_crash_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    random = Prng(41)
    answered: dict[str, tuple[int, int]] = {}
    placed = 0
    for life in range(6):
        node = await open_node(tmp_path, snapshot_entries=37)
        if life == 0:
            await set_up(node)
        for command_id, (sequence, _) in answered.items():
            (repeated,) = (await node.submit_spot(order(int(command_id)), command_id)).events[:1]
            assert isinstance(repeated, CommandRepeated)
            assert repeated.sequence == sequence
        for _ in range(random.between(5, 40)):
            placed += 1
            committed = await node.submit_spot(order(placed), str(placed))
            assert not isinstance(committed.events[0], CommandRejected)
            answered[str(placed)] = (committed.sequence, committed.at_ns)
        _crash(node)
        await node.views.close()
    node = await open_node(tmp_path)
    assert len(node.spot.command_ids) == placed
    await node.close()


async def test_snapshots_are_taken_as_entries_pass_and_two_are_kept(tmp_path: Path) -> None:
    node = await open_node(tmp_path, snapshot_entries=25)
    await set_up(node)
    for first in range(0, 200, 20):
        await trade(node, first, 20)
        await asyncio.gather(*node._keeping.values())
    taken = [int(path.stem.removeprefix("spot-")) for path in _snapshots(tmp_path)]
    assert len(taken) == 2
    assert node.spot.sequence - taken[0] <= 45
    _crash(node)
    await node.views.close()
    replayed: list[tuple[str, int]] = []

    async def progress(cell: str, done: int, total: int) -> None:
        replayed.append((cell, done))

    again = await Node.open(settings(tmp_path), ManualClock(0), progress=progress)
    assert again._snapshot_at[SPOT] == taken[0], "the newest was used"
    await again.close()


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


async def test_a_damaged_snapshot_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    await trade(node, 0, 30)
    await node.close()
    node = await open_node(tmp_path)
    await trade(node, 30, 30)
    await node.close()
    newest, older = _snapshots(tmp_path)
    _damage(newest)
    with structlog.testing.capture_logs() as logs:
        node = await open_node(tmp_path)
    assert [log["path"] for log in logs if log["event"] == "snapshot passed over"] == [str(newest)]
    assert node._snapshot_at[SPOT] == int(older.stem.removeprefix("spot-"))
    assert {f"command-{n}" for n in range(60)} <= set(node.spot.command_ids)
    await node.close()


async def test_a_snapshot_of_another_history_is_passed_over(tmp_path: Path) -> None:
    """A whole snapshot, and a whole journal, that do not belong together."""
    for name, count in (("one", 30), ("other", 31)):
        node = await open_node(tmp_path / name)
        await set_up(node)
        await trade(node, 0, count)
        await node.close()
    (foreign,) = _snapshots(tmp_path / "other")
    (own,) = _snapshots(tmp_path / "one")
    own.unlink()
    own.with_name(foreign.name).write_bytes(foreign.read_bytes())
    with structlog.testing.capture_logs() as logs:
        node = await open_node(tmp_path / "one")
    assert [log["reason"] for log in logs if log["event"] == "snapshot passed over"] == [
        f"the journal has another hash at {foreign.stem.removeprefix('spot-')}"
    ]
    assert len(node.spot.command_ids) == 30
    await node.close()


async def test_a_damaged_journal_refuses_to_start(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    await node.close()
    (tmp_path / "journal" / "spot.sqlite-wal").unlink()
    with pytest.raises(JournalDamagedError, match="missing"):
        await open_node(tmp_path)
    with pytest.raises(JournalDamagedError, match="missing"):
        await open_node(tmp_path)


async def test_one_data_directory_has_one_node(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    with pytest.raises(JournalError, match="in use by another process"):
        await open_node(tmp_path)
    await set_up(node)
    await node.close()


async def test_listeners_hear_every_cell(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    heard: list[tuple[str, int, type[Command]]] = []

    def listen(cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]) -> None:
        heard.append((cell, sequence, type(command)))

    node.add_listener(listen)
    created = await node.submit_identity(CreateUser(name="a"))
    assert isinstance(created.events[0], UserCreated)
    await node.submit_spot(Tick())
    node.remove_listener(listen)
    await node.submit_spot(Tick())
    assert heard == [(IDENTITY, 2, CreateUser), (SPOT, 2, Tick)]
    await node.close()


async def test_a_quiet_node_ticks_each_second(tmp_path: Path) -> None:
    node = await Node.open(NodeSettings(data=tmp_path, controls=False))
    ticked = asyncio.Event()
    heard: list[tuple[str, int]] = []

    def listen(cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]) -> None:
        assert isinstance(command, Tick)
        heard.append((cell, at_ns))
        if len(heard) == 2 * len(CELLS):
            ticked.set()

    node.add_listener(listen)
    await asyncio.wait_for(ticked.wait(), 60)
    await node.close()
    times = [at_ns for cell, at_ns in heard if cell == SPOT]
    assert times[1] - times[0] >= SECOND_NS // 2


async def test_a_cell_that_stops_says_why_and_leaves_the_other(tmp_path: Path) -> None:
    disks = {cell: MemoryDisk() for cell in CELLS}

    async def open_journal(name: str) -> Journal:
        return MemoryJournal(disks[name])

    node = await Node.open(settings(tmp_path), ManualClock(1), open_journal=open_journal)
    assert node.ready
    disks[SPOT].faults.append(Fault.FULL)
    with pytest.raises(UnavailableError):
        await node.submit_spot(Tick())
    assert [cell.status for cell in node.health().cells] == [
        "leading",
        "leading",
        "full",
        "leading",
    ]
    await node.submit_spot(Tick())
    assert node.ready

    disks[SPOT].faults.append(Fault.DAMAGED)
    with pytest.raises(UnavailableError, match="damaged, as planned"):
        await node.submit_spot(Tick())
    assert await node.wait_stopped() == "the disk is damaged, as planned"
    health = node.health()
    assert not health.ok
    assert [cell.status for cell in health.cells] == ["leading", "leading", "stopped", "leading"]
    assert (await node.submit_identity(CreateUser(name="a"))).sequence == 2
    await node.close()
    assert not _snapshots(tmp_path), "a stopped cell leaves no snapshot"


async def test_a_lead_is_the_first_entry_of_every_life(tmp_path: Path) -> None:
    disk = MemoryDisk()

    async def open_journal(name: str) -> Journal:
        return MemoryJournal(disk if name == SPOT else None)

    for _ in range(3):
        node = await Node.open(settings(tmp_path), ManualClock(1), open_journal=open_journal)
        await node.submit_spot(Tick())
        await node.close()
    commands = [spot_cell().decode(entry.payload).command for entry in disk.entries]
    leads = [command.epoch for command in commands if isinstance(command, Lead)]
    assert leads == [1, 2, 3]
    assert [entry.epoch for entry in disk.entries] == [1, 1, 2, 2, 3, 3]


def _snapshots(data: Path) -> list[Path]:
    return snapshots.newest_first(data / "snapshots", SPOT)
