"""A whole cluster in virtual time: nodes, clients, faults, and an auditor.  The rule: one seed, one
run.

The very replicas, leadership and forwarding of production run on a journal and a network that the
seed torments: cuts in one direction or both, lost majorities, killed and paused nodes, flapping.
Clients place, cancel and read through any node.  The auditor holds what they were told against the
journal: nothing acknowledged is missing, nothing happened twice, whoever was answered first stands
first, no read is older than what its reader knew, and every replica ends in the same state.

`python -m seawall.lab.cluster_sim [SEEDS] [FIRST]` runs so many seeds.
"""

import asyncio
import logging
import sys
from collections import Counter
from typing import Final

import structlog
from msgspec import Struct

from seawall.core.invariants import check_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_spot
from seawall.lab.bench.own import listing_commands
from seawall.lab.cluster_world import World, WorldJournal, WorldSender
from seawall.lab.virtual_time import run_virtually
from seawall.lib.invariants import invariant
from seawall.lib.prng import Prng
from seawall.model.commands import (
    CancelOpenOrders,
    CancelOrder,
    OrderTerms,
    PlaceOrder,
    SpotCommand,
    decode_spot_record,
)
from seawall.model.events import CommandRejected
from seawall.model.ids import Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.cell import Cell, spot_cell
from seawall.node.checkpoints import Checkpoints
from seawall.node.clock import ManualClock
from seawall.node.driver import CellDriver, Committed
from seawall.node.errors import NodeError, OutcomeUnknownError
from seawall.node.forwarding import LOOK_S, CellForwarder
from seawall.node.lane import in_lane
from seawall.node.leadership import Leadership
from seawall.node.metrics import CellMetrics
from seawall.node.peer_messages import Forward, Message, Refused, TakeOver
from seawall.node.replay import replay
from seawall.node.replica import Replica

NODES: Final = ("amber", "blue", "coral")
START_NS: Final = 1_746_000_000_000_000_000
HOUR_NS: Final = 3_600_000_000_000
BTCUSDT: Final = Symbol("BTCUSDT")
CHECKPOINT_ENTRIES: Final = 40
CLIENTS: Final = 5
FAULTS: Final = 6
CALM_S: Final = 12.0
"""After the last fault: long enough for every replica to catch up."""
RECEIPT_S: Final = 1.0
"""Within so long a cancel has its receipt, if its node reached the journal all the while."""


class Operation(Struct, kw_only=True):
    """What a client asked, and what it was told."""

    node: str
    command: SpotCommand
    asked_s: float
    told_s: float = 0.0
    sequence: int = 0
    """0: refused or unknown."""
    unknown: bool = False


class Read(Struct, frozen=True, kw_only=True):
    """What a client saw, confirmed."""

    asked_s: float
    told_s: float
    sequence: int


class ClusterReport(Struct, frozen=True, kw_only=True):
    """What one seed did."""

    seed: int
    entries: int
    acknowledged: int
    unknown: int
    refused: int
    reads: int
    terms: int
    lane: int
    slowest_receipt_s: float
    virtual_s: float
    digest: str


class SimNode:
    """One node's life: replica, forwarder, and the timer that a node has."""

    def __init__(self, world: World, name: str, life: int, preference: tuple[str, ...]) -> None:
        self.world = world
        self.name = name
        self.cell: Cell[SpotState] = spot_cell()
        # Clocks differ by up to an hour: order is the journal's, not theirs.
        self._clock = ManualClock(START_NS + (world.prng.below(3) - 1) * HOUR_NS)
        self._journal = WorldJournal(world, name)
        self._checkpoints = Checkpoints(self.cell, CHECKPOINT_ENTRIES)
        self.driver = CellDriver(
            self.cell,
            self._journal,
            clock=self._clock,
            checkpoints=self._checkpoints,
            metrics=CellMetrics(name),
        )
        leadership = Leadership(name, preference, world.now_s())
        self.replica = Replica(self.driver, self._journal, leadership, world.now_s)
        self.forwarder = CellForwarder(
            name, str(life), self.replica, self._journal, WorldSender(world, name), world.now_s
        )
        self.replica.on_applied = self.forwarder.on_applied
        self._timer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Replay what there is, then follow or lead."""
        while True:
            try:
                head = await replay(self.cell, self._journal, self._checkpoints)
                break
            except NodeError:
                raise
            except Exception:  # noqa: BLE001  (no majority: a node waits for one)
                await asyncio.sleep(0.2)
        self.driver.follow(head)
        self.replica.start()
        self.world.receivers[self.name] = self._on_message
        self._timer = asyncio.get_running_loop().create_task(self._look())

    async def kill(self) -> None:
        """End as a killed process does: what it knew is gone."""
        self.world.receivers.pop(self.name, None)
        for task in (self._timer, self.replica._task, self.driver._task):  # noqa: SLF001  (a kill asks nobody)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _on_message(self, source: str, message: Message) -> None:
        match message:
            case Forward():
                self.forwarder.on_forward(source, message)
            case Refused():
                self.forwarder.on_refused(message)
            case TakeOver():
                self.replica.take_over()
            case _:
                raise TypeError(f"no node sends {message}")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.world.awake(self.name)
            self._clock.advance(int(LOOK_S * 1e9))
            self.forwarder.look()


class ClusterSimulation:
    """One seed's run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._prng = Prng(seed)
        self._world = World(NODES, self._prng)
        self._nodes: dict[str, SimNode] = {}
        self._lives: Counter[str] = Counter()
        self._operations: list[Operation] = []
        self._reads: list[Read] = []
        self._troubles: list[tuple[str, float, float]] = []
        """When a node did not reach the journal, or was not there: node, from, to."""
        self._calm = False
        self._count = 0

    async def run(self) -> ClusterReport:
        for name in NODES:
            await self._start(name)
        self._seed_book = [
            await self._nodes["blue"].forwarder.submit(c) for c in listing_commands()
        ]
        clients = [asyncio.ensure_future(self._client(UserId(1 + n % 2))) for n in range(CLIENTS)]
        for _ in range(FAULTS):
            await asyncio.sleep(self._world.pick_s((0.2, 4.0)))
            await self._fault()
        await self._heal()
        self._calm = True
        await asyncio.sleep(CALM_S)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await self._last_words()
        return self._audit()

    async def _start(self, name: str) -> None:
        self._lives[name] += 1
        node = SimNode(self._world, name, self._lives[name], NODES)
        self._nodes[name] = node
        await node.start()

    # Clients

    async def _client(self, user: UserId) -> None:
        while True:
            await asyncio.sleep(self._world.pick_s((0.0, 0.15)))
            name = self._prng.choice(NODES)
            if name not in self._world.receivers or name in self._world.paused:
                continue
            if self._prng.chance(1, 5):
                await self._read(name)
            else:
                await self._ask(name, self._command(user))

    async def _ask(self, name: str, command: SpotCommand) -> None:
        node = self._nodes[name]
        operation = Operation(node=name, command=command, asked_s=self._world.now_s())
        self._operations.append(operation)
        future = node.forwarder.submit(command)
        while not future.done():
            if self._nodes[name] is not node:
                # Its node was killed: a connection that was reset tells nothing.
                operation.unknown = True
                return
            await asyncio.wait([future], timeout=0.1)
        operation.told_s = self._world.now_s()
        error = future.exception()
        if error is None:
            operation.sequence = future.result().sequence
        else:
            operation.unknown = isinstance(error, OutcomeUnknownError)

    async def _read(self, name: str) -> None:
        node = self._nodes[name]
        asked_s = self._world.now_s()
        if await node.replica.confirm() and self._nodes[name] is node:
            sequence = node.replica.sequence
            self._reads.append(Read(asked_s=asked_s, told_s=self._world.now_s(), sequence=sequence))

    def _command(self, user: UserId) -> SpotCommand:
        prng = self._prng
        self._count += 1
        if prng.chance(1, 3):
            name = f"o{prng.below(self._count + 1)}"
            return CancelOrder(user_id=user, symbol=BTCUSDT, client_order_id=name)
        if prng.chance(1, 15):
            return CancelOpenOrders(user_id=user, symbol=BTCUSDT)
        is_buy = prng.chance(1, 2)
        away = prng.between(-5, 60)
        terms = OrderTerms(
            side=Side.BUY if is_buy else Side.SELL,
            type=OrderType.LIMIT,
            client_order_id=f"o{self._count}",
            time_in_force=TimeInForce.GTC,
            size=prng.between(1, 500) * 1_000,
            price=(100_000 - away if is_buy else 100_000 + away) * 1_000_000,
        )
        return PlaceOrder(user_id=user, symbol=BTCUSDT, terms=terms)

    # Faults

    async def _fault(self) -> None:
        world, name = self._world, self._prng.choice(NODES)
        if self._prng.chance(1, 2):
            # The leader is where it hurts.
            leaders = [each for each in NODES if self._nodes[each].replica.leads]
            name = leaders[0] if leaders else name
        kind = self._prng.below(7)
        began_s = world.now_s()
        lasts_s = world.pick_s((0.05, 5.0))
        if kind == 0:
            world.majority = False
            await asyncio.sleep(lasts_s)
            world.majority = True
            self._note_all(began_s)
        elif kind == 1:
            await self._nodes[name].kill()
            await asyncio.sleep(lasts_s)
            await self._start(name)
            self._note(name, began_s)
        elif kind == 2:
            world.pause(name)
            await asyncio.sleep(lasts_s)
            world.resume(name)
            self._note(name, began_s)
        elif kind == 3:
            world.cut_off.add(name)
            await asyncio.sleep(lasts_s)
            world.cut_off.discard(name)
            self._note(name, began_s)
        elif kind == 4:
            self._cut_links(name)
            await asyncio.sleep(lasts_s)
        elif kind == 5:
            await self._flap(name)
            self._note(name, began_s)
        else:
            await self._hand_over(name)

    async def _flap(self, name: str) -> None:
        for _ in range(self._prng.between(2, 5)):
            self._world.cut_off.add(name)
            self._cut_links(name)
            await asyncio.sleep(self._world.pick_s((0.1, 1.5)))
            self._world.cut_off.discard(name)
            self._mend_links()
            await asyncio.sleep(self._world.pick_s((0.1, 1.5)))

    async def _hand_over(self, name: str) -> None:
        replica = self._nodes[name].replica
        target = self._prng.choice([each for each in NODES if each != name])
        if replica.leads and self._world.reaches_journal(name):
            sequence = await replica.hand_over("planned")
            self._world.post(name, target, TakeOver(cell=replica.name, sequence=sequence))

    def _cut_links(self, name: str) -> None:
        both = self._prng.chance(1, 2)
        for other in NODES:
            if other != name:
                self._world.cut_links.add((name, other))
                if both:
                    self._world.cut_links.add((other, name))

    def _mend_links(self) -> None:
        cut, self._world.cut_links = self._world.cut_links, set()
        for source, target in sorted(cut):
            self._nodes[source].forwarder.on_link(target)

    async def _heal(self) -> None:
        self._world.majority = True
        self._world.cut_off.clear()
        for name in NODES:
            self._world.resume(name)
        self._mend_links()
        for name in NODES:
            if name not in self._world.receivers:
                await self._start(name)

    def _note(self, name: str, began_s: float) -> None:
        self._troubles.append((name, began_s, self._world.now_s()))

    def _note_all(self, began_s: float) -> None:
        for name in NODES:
            self._note(name, began_s)

    # The end

    async def _last_words(self) -> None:
        """Each node takes a command again, and all replicas reach the same entry."""
        for name in NODES:
            invariant(not self._nodes[name].replica.failed, self._nodes[name].replica.failed)
            committed: Committed = await self._nodes[name].forwarder.submit(
                self._command(UserId(1))
            )
            for node in self._nodes.values():
                reached = await node.replica.wait_applied(committed.sequence, 2.0)
                invariant(reached, f"{node.name} is behind after the calm")

    def _audit(self) -> ClusterReport:
        state, origins, lane = self._replayed()
        check_spot(state)
        digest = digest_spot(state)
        told = [each for each in self._operations if each.sequence]
        for operation in told:
            payload = self._world.disk.entries[operation.sequence - 1].payload
            found = decode_spot_record(payload).command
            invariant(found == operation.command, "an answer names the entry of its command")
        twice = [origin for origin, count in origins.items() if count > 1]
        invariant(not twice, f"each command stands in the journal at most once: {twice[:3]}")
        self._check_refused()
        self._check_order(told)
        return ClusterReport(
            seed=self._seed,
            entries=state.sequence,
            acknowledged=len(told),
            unknown=sum(each.unknown for each in self._operations),
            refused=sum(not each.unknown and not each.sequence for each in self._operations),
            reads=len(self._reads),
            terms=state.epoch,
            lane=lane,
            slowest_receipt_s=self._slowest_receipt(told),
            virtual_s=self._world.now_s(),
            digest=digest,
        )

    def _replayed(self) -> tuple[SpotState, "Counter[str]", int]:
        """Apply the journal anew; return state, entries by origin, and cancels that took effect."""
        cell = spot_cell()
        origins: Counter[str] = Counter()
        lane = 0
        at_sequence = {node.replica.sequence: node for node in self._nodes.values()}
        for entry in self._world.disk.entries:
            record = cell.decode(entry.payload)
            events = cell.commit(record, entry.sequence)
            if record.origin:
                origins[record.origin] += 1
            lane += in_lane(record.command) and not any(
                isinstance(event, CommandRejected) for event in events
            )
            node = at_sequence.get(entry.sequence)
            if node is not None:
                invariant(node.cell.digest() == cell.digest(), f"{node.name} differs")
        return cell.state, origins, lane

    def _check_refused(self) -> None:
        """Hold it against the journal: what was refused as surely not executed is not there."""
        found = {
            command.terms.client_order_id
            for entry in self._world.disk.entries
            if isinstance(command := decode_spot_record(entry.payload).command, PlaceOrder)
        }
        for operation in self._operations:
            if operation.told_s and not operation.sequence and not operation.unknown:
                command = operation.command
                if isinstance(command, PlaceOrder):
                    invariant(
                        command.terms.client_order_id not in found, "refused means not executed"
                    )

    def _check_order(self, told: list[Operation]) -> None:
        """Whoever was answered before another asked stands before it; reads know what was told."""
        by_end = sorted(told, key=lambda each: each.told_s)
        events = [(each.asked_s, each.sequence) for each in told]
        events += [(each.asked_s, each.sequence) for each in self._reads]
        seen = sorted(
            [(each.told_s, each.sequence) for each in by_end]
            + [(each.told_s, each.sequence) for each in self._reads]
        )
        highest, place = 0, 0
        for asked_s, sequence in sorted(events):
            while place < len(seen) and seen[place][0] < asked_s:
                highest = max(highest, seen[place][1])
                place += 1
            invariant(sequence >= highest, f"{sequence} was told after {highest} was known")

    def _slowest_receipt(self, told: list[Operation]) -> float:
        """Return the slowest cancel's time, of those whose node was well all the while."""
        slowest = 0.0
        for operation in told:
            if in_lane(operation.command):
                began, ended = operation.asked_s, operation.told_s
                troubled = any(
                    name == operation.node and since < ended and began < until + 0.2
                    for name, since, until in self._troubles
                )
                if not troubled:
                    slowest = max(slowest, ended - began)
        return slowest


def simulate(seed: int) -> ClusterReport:
    """Run one seed; raise InvariantError if a promise was broken."""
    report = run_virtually(ClusterSimulation(seed).run())
    invariant(
        report.slowest_receipt_s <= RECEIPT_S, f"a cancel waited {report.slowest_receipt_s} s"
    )
    return report


def main(seeds: int = 100, first: int = 1) -> None:
    """Run the campaign; the seed is printed before it runs, so that a failure names its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for seed in range(first, first + seeds):
        sys.stdout.write(f"seed {seed} ")
        sys.stdout.flush()
        report = simulate(seed)
        sys.stdout.write(
            f"{report.entries} entries, {report.terms} terms, {report.acknowledged} acknowledged,"
            f" {report.unknown} unknown, {report.refused} refused, {report.reads} reads, slowest"
            f" receipt {report.slowest_receipt_s:.2f} s, {report.virtual_s - 1_000:.0f} s: held\n"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
