"""A whole cluster in virtual time: nodes, clients, faults, and an auditor.  The rule: one seed, one
run.

The very replicas, leadership, forwarding and membership of production run on journals and a network
that the seed torments (`cluster_faults`).  Clients place, cancel, register and read through any
node.  The auditor (`cluster_audit`) then holds what they were told against the journals.

`python -m seawall.lab.cluster_sim [SEEDS] [FIRST]` runs so many seeds.
"""

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, NoReturn

import structlog
from msgspec import Struct

from seawall.core.state_digest import digest_spot
from seawall.lab.bench.own import listing_commands
from seawall.lab.cluster_audit import Audit, Operation, Read, slowest_receipt_s
from seawall.lab.cluster_faults import Faults
from seawall.lab.cluster_process import CELLS, NODES, Shelf, SimNode
from seawall.lab.cluster_world import World
from seawall.lab.virtual_time import run_virtually
from seawall.lib.invariants import InvariantError, invariant
from seawall.lib.prng import Prng
from seawall.model.commands import (
    CancelOpenOrders,
    CancelOrder,
    Command,
    CreateUser,
    OrderTerms,
    PlaceOrder,
    SpotCommand,
)
from seawall.model.ids import IDENTITY, SPOT, Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.errors import OutcomeUnknownError

BTCUSDT: Final = Symbol("BTCUSDT")
CLIENTS: Final = 5
STREAMS: Final = 2
FAULTS: Final = 4
"""Of each stream."""
CALM_S: Final = 12.0
"""After the last fault: long enough for every replica to catch up."""
RESTART_S: Final = 0.5
"""How soon a process that ended by itself is started again."""
RECEIPT_S: Final = 1.0
"""Within so long a cancel has its receipt, if its node reached the journal all the while."""
LAST_S: Final = 20.0


class ClusterReport(Struct, frozen=True, kw_only=True):
    """What one seed did."""

    seed: int
    faults: dict[str, int]
    entries: int
    acknowledged: int
    unknown: int
    refused: int
    reads: int
    terms: int
    lane: int
    outvoted: list[str]
    """Nodes that stopped because most replicas had another state."""
    slowest_receipt_s: float
    virtual_s: float
    digest: str


class ClusterSimulation:
    """One seed's run."""

    def __init__(self, seed: int) -> None:
        self.nodes: dict[str, SimNode] = {}
        self._seed = seed
        self._prng = Prng(seed)
        self.world = World(NODES, CELLS, self._prng)
        self._faults = Faults(self, self._prng)
        self._shelves: dict[str, Shelf] = {name: {} for name in NODES}
        self.operations: list[Operation] = []
        self._reads: list[Read] = []
        self._troubles: list[tuple[str, float, float]] = []
        """When a node did not reach the journal, or was not there: node, from, to."""
        self._outvoted: list[str] = []
        self._broken: list[str] = []
        self._restarts: set[asyncio.Task[None]] = set()
        self._count = 0
        self._began_s = self.world.now_s()

    async def run(self) -> ClusterReport:
        for name in NODES:
            await self.begin(name)
        for command in listing_commands():
            await self.nodes["blue"].membership.submit(SPOT, command)
        clients = [asyncio.ensure_future(self._client(UserId(1 + n % 2))) for n in range(CLIENTS)]
        await asyncio.gather(*(self._faults.stream(FAULTS) for _ in range(STREAMS)))
        await asyncio.sleep(CALM_S)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await self._last_words()
        return self._audit()

    async def begin(self, name: str) -> None:
        """Start a process; it replays, then follows."""
        node = SimNode(self.world, name, self._shelves[name])
        node.on_failed = self._failed
        self.nodes[name] = node
        await node.start()

    def note(self, name: str, began_s: float) -> None:
        """Take note that a node was not well from then until now."""
        self._troubles.append((name, began_s, self.world.now_s()))

    def _failed(self, node: SimNode, reason: str) -> None:
        """Start a process again that ended by itself, as a supervisor does."""
        if node.dead:
            return
        if node.outvoted:
            self._outvoted.append(node.name)
        elif node.name != self._faults.flipped:
            self._broken.append(f"{node.name}: {reason}")
        task = asyncio.get_running_loop().create_task(self._again(node))
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _again(self, node: SimNode) -> None:
        began_s = self.world.now_s()
        await asyncio.sleep(RESTART_S)
        if not node.dead:
            await node.kill()
            await self.begin(node.name)
        # Until it was found, its wrong state kept others waiting.
        for name in NODES:
            self.note(name, began_s - LAST_S)

    # Clients

    async def _client(self, user: UserId) -> None:
        while True:
            await asyncio.sleep(self.world.pick_s((0.0, 0.15)))
            node = self.nodes[self._prng.choice(NODES)]
            if not node.started or node.dead or node.name in self.world.paused:
                continue
            if self._prng.chance(1, 5):
                await self._read(node, self._prng.choice(CELLS))
            elif self._prng.chance(1, 8):
                self._count += 1
                await self._ask(node, IDENTITY, CreateUser(name=f"u{self._count}"))
            else:
                await self._ask(node, SPOT, self._command(user))

    async def _ask(self, node: SimNode, cell: str, command: Command) -> None:
        operation = Operation(
            node=node.name, cell=cell, command=command, asked_s=self.world.now_s()
        )
        self.operations.append(operation)
        future = node.membership.submit(cell, command)
        while not future.done():
            if node.dead:
                # Its node was killed: a connection that was reset tells nothing.
                operation.unknown = True
                return
            await asyncio.wait([future], timeout=0.1)
        operation.told_s = self.world.now_s()
        error = future.exception()
        if error is None:
            operation.sequence = future.result().sequence
        else:
            operation.unknown = isinstance(error, OutcomeUnknownError)

    async def _read(self, node: SimNode, cell: str) -> None:
        asked_s = self.world.now_s()
        reading = asyncio.ensure_future(node.membership.confirm(cell))
        while not reading.done():
            if node.dead:
                reading.cancel()
                return
            await asyncio.wait([reading], timeout=0.1)
        if reading.result():
            sequence = node.replica(cell).sequence
            told_s = self.world.now_s()
            self._reads.append(Read(cell=cell, asked_s=asked_s, told_s=told_s, sequence=sequence))

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

    # The end

    async def _last_words(self) -> None:
        """Each node takes a command again, and all replicas reach the same entry."""
        invariant(not self._broken, f"only a wrong bit stops a replica: {self._broken}")
        for name in NODES:
            for cell, command in ((SPOT, self._command(UserId(1))), (IDENTITY, self._user())):
                asked = self.nodes[name].membership.submit(cell, command)
                await asyncio.wait([asked], timeout=LAST_S)
                invariant(asked.done(), f"{name} does not answer after the calm")
                error = asked.exception()
                invariant(error is None, f"{name} takes no command after the calm: {error}")
                for node in self.nodes.values():
                    reached = await node.replica(cell).wait_applied(asked.result().sequence, 2.0)
                    invariant(reached, f"{node.name} is behind after the calm")

    def _user(self) -> CreateUser:
        self._count += 1
        return CreateUser(name=f"u{self._count}")

    def _audit(self) -> ClusterReport:
        audit = Audit(self.world, self.nodes)
        audit.check(self.operations, self._reads)
        states = [audit.cells[cell].state for cell in CELLS]
        told = [each for each in self.operations if each.sequence]
        return ClusterReport(
            seed=self._seed,
            faults=self._faults.met,
            entries=sum(state.sequence for state in states),
            acknowledged=len(told),
            unknown=sum(each.unknown for each in self.operations),
            refused=sum(not each.unknown and not each.sequence for each in self.operations),
            reads=len(self._reads),
            terms=sum(state.epoch for state in states),
            lane=audit.lane,
            outvoted=self._outvoted,
            slowest_receipt_s=slowest_receipt_s(told, self._troubles),
            virtual_s=self.world.now_s() - self._began_s,
            digest=digest_spot(audit.cells[SPOT].state),
        )


async def _run(seed: int) -> ClusterReport:
    return await ClusterSimulation(seed).run()


def simulate(seed: int) -> ClusterReport:
    """Run one seed; raise InvariantError if a promise was broken."""
    report = run_virtually(_run(seed))
    invariant(
        report.slowest_receipt_s <= RECEIPT_S, f"a cancel waited {report.slowest_receipt_s} s"
    )
    return report


def keep_quiet() -> None:
    """Log nothing: troubles are what these worlds are for."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), processors=[_drop]
    )


def _drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> NoReturn:
    raise structlog.DropEvent


def main(seeds: int = 100, first: int = 1) -> int:
    """Run the campaign; return how many seeds broke a promise."""
    keep_quiet()
    failed = 0
    for seed in range(first, first + seeds):
        sys.stdout.write(f"cluster seed {seed}: ")
        sys.stdout.flush()
        try:
            report = simulate(seed)
        except InvariantError as error:
            failed += 1
            sys.stdout.write(f"BROKEN: {error}\n")
            continue
        sys.stdout.write(
            f"{report.entries} entries, {report.terms} terms, {report.acknowledged} acknowledged,"
            f" {report.unknown} unknown, {report.refused} refused, {report.reads} reads, slowest"
            f" receipt {report.slowest_receipt_s:.2f} s, {report.virtual_s:.0f} s"
            f"{', outvoted ' + ' '.join(report.outvoted) if report.outvoted else ''}: held\n"
        )
    sys.stdout.write(f"{seeds - failed} of {seeds} seeds held\n")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
