"""One cell's driver, on a journal in memory: what is answered when, and what a fault does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.node.toy import ToyState, toy_cell

from seawall.journal.memory import Fault, MemoryDisk, MemoryJournal
from seawall.model import limits
from seawall.model.commands import Checkpoint, Command, CreateUser, Lead, Tick
from seawall.model.events import CommandRepeated, Event
from seawall.model.ids import Epoch
from seawall.node.cell import Cell
from seawall.node.checkpoints import Checkpoints
from seawall.node.clock import ManualClock
from seawall.node.driver import CellDriver, Committed
from seawall.node.errors import (
    InvalidCommandError,
    NoQuorumError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)
from seawall.node.metrics import NodeMetrics
from seawall.node.replay import replay

HOUR_NS = 3_600_000_000_000
PATIENCE_S = 60


class Desk:
    """A driver that leads, and what it stands on."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.clock = ManualClock(HOUR_NS)
        self.cell: Cell[ToyState] = toy_cell()
        self.metrics = NodeMetrics()
        self.driver = CellDriver(
            self.cell,
            MemoryJournal(self.disk),
            clock=self.clock,
            checkpoints=Checkpoints(self.cell, every=50),
            metrics=self.metrics.cell("toy"),
        )

    async def lead(self) -> None:
        journal = MemoryJournal(self.disk)
        head = await replay(self.cell, journal, Checkpoints(self.cell, 50))
        epoch = head.epoch + 1
        self.driver.start(head, epoch)
        await self.driver.submit(Lead(epoch=Epoch(epoch), node="test"))

    def submit(self, name: str, command_id: str = "") -> "asyncio.Future[Committed]":
        return self.driver.submit(CreateUser(name=name), command_id)

    def kill(self) -> None:
        """End as a process does that is killed: unsynced writes are lost, nobody is told."""
        assert self.driver._task is not None
        self.driver._task.cancel()
        self.disk.crash()

    def durable(self) -> list[str]:
        """Return the names that a replay of the disk would find."""
        found = []
        for entry in self.disk.entries:
            command = self.cell.decode(entry.payload).command
            if isinstance(command, CreateUser):
                found.append(command.name)
        return found


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    await desk.lead()
    yield desk
    desk.disk.sync()
    await desk.driver.close("the test is over")


async def test_arrivals_during_a_sync_form_the_next_batch(desk: Desk) -> None:
    desk.disk.faults.append(Fault.HANG)
    first = desk.submit("first")
    await asyncio.wait_for(desk.disk.hanging.wait(), PATIENCE_S)
    rest = [desk.submit(f"later {n}") for n in range(300)]
    assert not first.done()
    assert desk.durable() == []
    desk.disk.sync()
    answers = await asyncio.gather(first, *rest)
    assert [answer.sequence for answer in answers[:3]] == [2, 3, 4]
    assert sorted(desk.disk.ends)[:4] == [0, 1, 2, 302], "one append for all that waited"
    assert desk.durable() == desk.cell.state.names


async def test_a_batch_is_applied_while_the_next_one_syncs(desk: Desk) -> None:
    desk.disk.faults.extend([Fault.HANG, Fault.HANG])
    first = desk.submit("first")
    await asyncio.wait_for(desk.disk.hanging.wait(), PATIENCE_S)
    second = desk.submit("second")
    desk.disk.sync()
    assert (await first).sequence == 2
    assert desk.disk.hanging.is_set(), "the second append is on its way"
    assert not second.done()
    assert desk.cell.state.names == ["first"]
    desk.disk.sync()
    assert (await second).sequence == 3


async def test_what_has_not_left_can_be_refused_and_what_flies_keeps_its_doubt(desk: Desk) -> None:
    desk.disk.faults.append(Fault.HANG)
    first = desk.submit("first")
    await asyncio.wait_for(desk.disk.hanging.wait(), PATIENCE_S)
    second = desk.submit("second")
    desk.driver.submit_own(Tick())
    desk.driver.refuse_waiting(NoQuorumError("the journal has no majority"))
    with pytest.raises(NoQuorumError):
        await second
    assert not first.done(), "it may be durable: nobody knows yet"
    desk.disk.sync()
    assert (await first).sequence == 2
    third = await desk.submit("third")
    assert third.sequence == 4, "the driver's own tick was between them"
    assert desk.durable() == desk.cell.state.names == ["first", "third"]


async def test_nothing_is_applied_that_is_not_durable() -> None:
    desk = Desk()
    await desk.lead()
    desk.disk.faults.append(Fault.HANG)
    answer = desk.submit("lost")
    await asyncio.wait_for(desk.disk.hanging.wait(), PATIENCE_S)
    assert desk.cell.state.names == []
    desk.kill()
    again = Desk(desk.disk)
    await again.lead()
    assert again.cell.state.names == []
    assert not answer.done()
    await again.driver.close("done")


async def test_time_strictly_increases_though_the_clock_goes_back(desk: Desk) -> None:
    times = [(await desk.submit("a")).at_ns]
    desk.clock.advance(-HOUR_NS)
    times += [(await desk.submit("b")).at_ns, (await desk.submit("c")).at_ns]
    desk.clock.advance(2 * HOUR_NS)
    times.append((await desk.submit("d")).at_ns)
    assert times[:3] == [HOUR_NS + 1, HOUR_NS + 2, HOUR_NS + 3]
    assert times[3] == 2 * HOUR_NS


async def test_time_goes_on_from_the_journal_after_a_restart(desk: Desk) -> None:
    last = (await desk.submit("a")).at_ns
    again = Desk(desk.disk)
    again.clock.set(0)
    await again.lead()
    assert (await again.submit("b")).at_ns > last
    await again.driver.close("done")


async def test_a_full_journal_refuses_and_recovers_by_itself(desk: Desk) -> None:
    desk.disk.faults.append(Fault.FULL)
    with pytest.raises(UnavailableError, match="full"):
        await desk.submit("refused")
    assert "full" in desk.driver.full
    assert not desk.driver.stopped
    assert (await desk.submit("taken")).sequence == 2
    assert not desk.driver.full
    assert desk.durable() == ["taken"]


@pytest.mark.parametrize("fault", [Fault.UNKNOWN_WRITTEN, Fault.UNKNOWN_LOST, Fault.UNKNOWN_LATE])
async def test_an_unknown_append_is_settled_by_reading(desk: Desk, fault: Fault) -> None:
    desk.disk.faults.append(fault)
    assert (await desk.submit("once")).sequence == 2
    assert desk.durable() == ["once"]


async def test_a_damaged_journal_stops_the_cell(desk: Desk) -> None:
    stopped: list[str] = []
    desk.driver.on_stop = stopped.append
    desk.disk.faults.append(Fault.DAMAGED)
    with pytest.raises(UnavailableError, match="damaged"):
        await desk.submit("refused")
    with pytest.raises(UnavailableError, match="damaged"):
        await desk.submit("refused too")
    assert stopped == [desk.driver.stopped]


async def test_a_deposed_leader_answers_nobody_and_stops(desk: Desk) -> None:
    rival = Desk(desk.disk)
    await rival.lead()
    await rival.submit("theirs")
    with pytest.raises(UnavailableError, match="another node leads"):
        await desk.submit("ours")
    assert "another node leads" in desk.driver.stopped
    assert rival.durable() == ["theirs"]
    await rival.driver.close("done")


async def test_a_broken_invariant_stops_and_leaves_outcomes_unknown(desk: Desk) -> None:
    answers = [desk.submit(name) for name in ("good", "poison", "after", "after too")]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(results[0], Committed)
    assert all(isinstance(result, OutcomeUnknownError) for result in results[1:])
    assert "entry 3: InvariantError: nobody is called poison" in desk.driver.stopped
    with pytest.raises(UnavailableError, match="poison"):
        await desk.submit("late")
    assert desk.driver.broken


async def test_what_flies_and_what_waits_when_an_invariant_breaks(desk: Desk) -> None:
    desk.disk.faults.extend([Fault.HANG, Fault.HANG])
    poisoned = desk.submit("poison")
    await asyncio.wait_for(desk.disk.hanging.wait(), PATIENCE_S)
    flying = desk.submit("flying")
    desk.disk.sync()
    await asyncio.wait({poisoned}, timeout=PATIENCE_S)
    assert isinstance(poisoned.exception(), OutcomeUnknownError)
    assert isinstance(flying.exception(), OutcomeUnknownError)
    desk.disk.sync()
    await desk.driver.close("done")
    assert desk.cell.state.names == [], "nothing is applied after the break"


async def test_a_command_id_takes_effect_once_also_across_a_restart(desk: Desk) -> None:
    first, second = await asyncio.gather(desk.submit("a", "id"), desk.submit("a", "id"))
    (repeated,) = second.events
    assert isinstance(repeated, CommandRepeated)
    assert repeated.sequence == first.sequence
    await desk.driver.close("restart")
    again = Desk(desk.disk)
    await again.lead()
    (repeated,) = (await again.submit("a", "id")).events
    assert isinstance(repeated, CommandRepeated)
    assert repeated.sequence == first.sequence
    assert again.cell.state.names == ["a"]
    await again.driver.close("done")


@pytest.mark.parametrize(
    "command, command_id",
    [
        (CreateUser(name="x" * limits.COMMAND_BYTES), ""),
        (CreateUser(name="x"), "i" * (limits.COMMAND_ID_CHARS + 1)),
        (CreateUser(name=7), ""),  # type: ignore[arg-type]  # what a careless caller may pass
        (CreateUser(name="\ud800"), ""),
    ],
    ids=["large", "long id", "mistyped", "no text"],
)
async def test_what_could_not_be_replayed_is_never_journaled(
    desk: Desk, command: CreateUser, command_id: str
) -> None:
    with pytest.raises(InvalidCommandError):
        await desk.driver.submit(command, command_id)
    assert (await desk.submit("fine")).sequence == 2


async def test_the_queue_is_bounded(desk: Desk) -> None:
    answers = [desk.submit("x") for _ in range(limits.SEQUENCER_QUEUE + 1)]
    with pytest.raises(OverloadedError):
        await answers[-1]
    assert len(await asyncio.gather(*answers[:-1])) == limits.SEQUENCER_QUEUE


async def test_listeners_stand_exactly_at_their_entry_and_before_the_answer(desk: Desk) -> None:
    heard: list[tuple[int, str, bool]] = []
    answers: list[asyncio.Future[Committed]] = []

    def listen(cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]) -> None:
        if isinstance(command, CreateUser):
            assert desk.cell.state.sequence == sequence
            assert desk.cell.state.names[-1] == command.name
            heard.append((sequence, command.name, answers[len(heard)].done()))

    desk.driver.listeners.append(listen)
    answers += [desk.submit(f"user {n}") for n in range(20)]
    await asyncio.gather(*answers)
    assert heard == [(2 + n, f"user {n}", False) for n in range(20)]


async def test_a_listeners_fault_is_its_own(desk: Desk) -> None:
    def fail(cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]) -> None:
        raise ValueError("an edge stumbles")

    desk.driver.listeners.append(fail)
    assert (await desk.submit("a")).sequence == 2
    assert not desk.driver.stopped


async def test_a_fault_of_the_views_stops_the_cell(desk: Desk) -> None:
    def fail(cell: str, sequence: int, at_ns: int, command: Command, events: list[Event]) -> None:
        raise ValueError("a view is wrong")

    desk.driver.views = fail
    with pytest.raises(OutcomeUnknownError, match="a view is wrong"):
        await desk.submit("a")


async def test_a_submitter_that_goes_away_changes_nothing(desk: Desk) -> None:
    gone = desk.submit("gone")
    gone.cancel()
    await desk.submit("here")
    assert desk.cell.state.names == ["gone", "here"]


async def test_closing_answers_what_was_taken(desk: Desk) -> None:
    answers = [desk.submit(f"user {n}") for n in range(2_500)]
    await desk.driver.close("the node was closed")
    assert all(answer.done() and answer.exception() is None for answer in answers)
    with pytest.raises(UnavailableError, match="the node was closed"):
        await desk.submit("late")


async def test_checkpoints_are_journaled_and_met_again(desk: Desk) -> None:
    await asyncio.gather(*(desk.submit(f"user {n}") for n in range(220)))
    await desk.driver.drain()
    commands = [desk.cell.decode(entry.payload).command for entry in desk.disk.entries]
    told = [command.sequence for command in commands if isinstance(command, Checkpoint)]
    assert told == [50, 100, 150, 200]
    replica, checkpoints = toy_cell(), None
    checkpoints = Checkpoints(replica, 50)
    await replay(replica, MemoryJournal(desk.disk), checkpoints)
    assert checkpoints.compared == 4
    assert replica.digest() == desk.cell.digest()


async def test_a_replica_that_differs_stops_at_the_checkpoint(desk: Desk) -> None:
    await asyncio.gather(*(desk.submit(f"user {n}") for n in range(120)))
    await desk.driver.drain()
    liar = toy_cell(digest=lambda state: f"another {state.sequence > 60}")
    with pytest.raises(Exception, match="toy: the digest after entry 50 is the leader's"):
        await replay(liar, MemoryJournal(desk.disk), Checkpoints(liar, 50))


async def test_commands_are_counted_by_outcome(desk: Desk) -> None:
    await desk.submit("a", "id")
    await desk.submit("a", "id")
    desk.disk.faults.append(Fault.FULL)
    with pytest.raises(UnavailableError):
        await desk.driver.submit(Tick())
    assert desk.metrics.cells["toy"].commands == {
        ("Lead", "applied"): 1,
        ("CreateUser", "applied"): 1,
        ("CreateUser", "repeated"): 1,
        ("Tick", "refused"): 1,
    }
    families = {family.name: family for family in desk.metrics.collect()}
    assert families["seawall_entries"].samples[0].value == 3
    assert families["seawall_batch_commands"].samples[-2].value == 4, "appends, the failed one too"
