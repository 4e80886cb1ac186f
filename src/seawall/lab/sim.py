"""The simulator's first campaign: a node whose disk fails, crashed and restarted, under an auditor.

The rule: one seed, one run.  The very node of production (sequencer, core, views, snapshots) runs
on a journal in memory that fills up, loses answers, hangs and crashes as a seed decides.  Clients
submit commands under command ids and repeat those whose outcome they do not know.  The auditor
keeps what was acknowledged and, at the end, replays the journal and compares.

`python -m seawall.lab.sim [SEEDS] [FIRST]` runs so many seeds; the first line names the seed.
"""

import asyncio
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_spot
from seawall.journal.memory import Fault, MemoryDisk, MemoryJournal
from seawall.journal.port import Journal
from seawall.lab.bench.own import listing_commands
from seawall.lib.invariants import invariant
from seawall.lib.prng import Prng
from seawall.model.commands import (
    CancelOpenOrders,
    CancelOrder,
    Credit,
    OrderTerms,
    PlaceOrder,
    SpotCommand,
    decode_spot_record,
)
from seawall.model.events import CommandRejected, CommandRepeated, Event
from seawall.model.ids import CELLS, SPOT, AssetCode, Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce
from seawall.node.clock import ManualClock
from seawall.node.driver import Committed
from seawall.node.errors import NodeError
from seawall.node.node import Node, NodeSettings

LIVES: Final = 8
BURSTS: Final = 12
BURST_COMMANDS: Final = 20
TURNS: Final = 40
"""How often the event loop is let go round before a hanging append is looked at."""
START_NS: Final = 1_723_161_254_000_000_000
BTCUSDT: Final = Symbol("BTCUSDT")
USERS: Final = (UserId(1), UserId(2), UserId(3))
FAULTS: Final = (
    Fault.FULL,
    Fault.UNKNOWN_WRITTEN,
    Fault.UNKNOWN_LOST,
    Fault.UNKNOWN_LATE,
    Fault.HANG,
)


class SimReport(Struct, frozen=True, kw_only=True):
    """What one seed did."""

    seed: int
    lives: int
    crashes: int
    entries: int
    acknowledged: int
    repeated: int
    """Commands that were asked for again, since their outcome was not known."""
    refused_by_node: int
    faults: int
    digest: str


class Simulation:
    """One seed's run."""

    def __init__(self, seed: int, data: Path) -> None:
        self.seed = seed
        self._prng = Prng(seed)
        self._data = data
        self._disks = {cell: MemoryDisk() for cell in CELLS}
        self._clock = ManualClock(START_NS)
        self._next_id = 0
        self._acknowledged: dict[str, tuple[int, str]] = {}
        """Sequence and outcome of every answered command, by command id."""
        self._unknown: dict[str, SpotCommand] = {}
        self._counts: Counter[str] = Counter()
        self._digest = ""

    def run(self) -> SimReport:
        """Live several lives, then audit; raises InvariantError if a promise was broken."""
        for _ in range(LIVES):
            with asyncio.Runner() as runner:
                runner.run(self._live())
        self._audit()
        return SimReport(
            seed=self.seed,
            lives=LIVES,
            crashes=self._counts["crashes"],
            entries=self._disks[SPOT].head.sequence,
            acknowledged=len(self._acknowledged),
            repeated=self._counts["repeated"],
            refused_by_node=self._counts["refused"],
            faults=self._counts["faults"],
            digest=self._digest,
        )

    async def _live(self) -> None:
        """Start, settle what was left open, work, and end well or badly."""
        settings = NodeSettings(
            data=self._data, ticks=False, snapshot_entries=150, checkpoint_entries=60
        )
        node = await Node.open(settings, self._clock, open_journal=self._open_journal)
        crashed = False
        if not node.spot.markets:
            await self._burst(node, listing_commands())
        again, self._unknown = self._unknown, {}
        self._counts["repeated"] += len(again)
        crashed = await self._submit(node, again)
        for _ in range(BURSTS):
            if crashed or not node.ready:
                break
            self._plan_fault()
            commands = [self._command() for _ in range(1 + self._prng.below(BURST_COMMANDS))]
            crashed = await self._burst(node, commands)
        self._disks[SPOT].faults.clear()
        if crashed:
            self._counts["crashes"] += 1
            # The process is gone: its views' file is let go, everything else is just dropped.
            await node.views.close()
            return
        await node.close()
        self._digest = digest_spot(node.spot)

    async def _burst(self, node: Node, commands: list[SpotCommand]) -> bool:
        named: dict[str, SpotCommand] = {}
        for command in commands:
            self._next_id += 1
            named[f"sim-{self._next_id}"] = command
        return await self._submit(node, named)

    async def _submit(self, node: Node, named: dict[str, SpotCommand]) -> bool:
        """Submit all, and note what came of each; return whether the process crashed meanwhile."""
        waiting: dict[str, asyncio.Future[Committed]] = {}
        for command_id, command in named.items():
            self._clock.advance(self._prng.below(2_000_000))
            try:
                waiting[command_id] = node.submit_spot(command, command_id)
            except NodeError:
                self._counts["refused"] += 1
        disk = self._disks[SPOT]
        crashed = False
        while not crashed and not all(future.done() for future in waiting.values()):
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if disk.hanging.is_set():
                crashed = self._prng.chance(1, 2)
                if crashed and self._prng.chance(1, 2):
                    disk.sync()  # it was durable, but nobody was told
                elif crashed:
                    disk.crash()
                else:
                    disk.sync()
        for command_id, future in waiting.items():
            self._note(command_id, named[command_id], future, crashed=crashed)
        return crashed

    def _note(
        self,
        command_id: str,
        command: SpotCommand,
        future: "asyncio.Future[Committed]",
        *,
        crashed: bool,
    ) -> None:
        if not future.done() or (crashed and future.exception() is not None):
            future.cancel()
            self._unknown[command_id] = command
            return
        error = future.exception()
        if error is None:
            committed = future.result()
            self._acknowledged[command_id] = (committed.sequence, _outcome(committed.events))
        elif isinstance(error, NodeError):
            # Surely not executed or unknown: to ask again under the same id is right for both.
            self._unknown[command_id] = command
        else:
            raise error

    def _plan_fault(self) -> None:
        if self._prng.chance(1, 3):
            self._counts["faults"] += 1
            self._disks[SPOT].faults.append(self._prng.choice(FAULTS))

    async def _open_journal(self, cell: str) -> Journal:
        return MemoryJournal(self._disks[cell])

    def _command(self) -> SpotCommand:
        prng = self._prng
        user = prng.choice(USERS)
        chance = prng.below(100)
        name = f"o{self._next_id}-{prng.below(1_000_000)}"
        if chance < 3:
            return CancelOpenOrders(user_id=user, symbol=BTCUSDT)
        if chance < 6:
            asset = AssetCode(prng.choice(("BTC", "USDT")))
            return Credit(user_id=user, asset=asset, atoms=10**9, reference=name)
        if chance < 30:
            order_id = f"o{prng.below(self._next_id + 1)}-0"
            return CancelOrder(user_id=user, symbol=BTCUSDT, client_order_id=order_id)
        is_buy = prng.chance(1, 2)
        away = prng.between(-20, 100)
        terms = OrderTerms(
            side=Side.BUY if is_buy else Side.SELL,
            type=OrderType.LIMIT,
            client_order_id=f"o{self._next_id}-0" if prng.chance(1, 2) else name,
            time_in_force=prng.choice(tuple(TimeInForce)),
            size=prng.between(1, 500) * 1_000,
            price=(100_000 - away if is_buy else 100_000 + away) * 1_000_000,
        )
        return PlaceOrder(user_id=user, symbol=BTCUSDT, terms=terms)

    def _audit(self) -> None:
        """Replay the whole journal, and hold every acknowledgement against it."""
        state = SpotState()
        effects: Counter[str] = Counter()
        for entry in self._disks[SPOT].entries:
            record = decode_spot_record(entry.payload)
            events = commit_spot(
                state,
                record.command,
                sequence=entry.sequence,
                at_ns=record.at_ns,
                command_id=record.command_id,
            )
            outcome = _outcome(events)
            effects[record.command_id] += outcome == "applied"
            known = self._acknowledged.get(record.command_id)
            if known is not None and known[0] == entry.sequence:
                invariant(known[1] == outcome, "an acknowledged outcome is the journal's")
        check_spot(state)
        for command_id, (sequence, _) in self._acknowledged.items():
            invariant(sequence <= state.sequence, "what was acknowledged is in the journal")
            payload = self._disks[SPOT].entries[sequence - 1].payload
            found = decode_spot_record(payload).command_id
            invariant(found == command_id, "what was acknowledged is where it was said to be")
        twice = [name for name, count in effects.items() if name and count > 1]
        invariant(not twice, "a command id takes effect at most once")
        with asyncio.Runner() as runner:
            runner.run(self._compare(state))

    async def _compare(self, state: SpotState) -> None:
        """Start once more: snapshots and journal together give the journal's own state."""
        settings = NodeSettings(data=self._data, ticks=False)
        node = await Node.open(settings, self._clock, open_journal=self._open_journal)
        lead = self._disks[SPOT].entries[-1]
        record = decode_spot_record(lead.payload)
        commit_spot(state, record.command, sequence=lead.sequence, at_ns=record.at_ns)
        self._digest = digest_spot(state)
        invariant(digest_spot(node.spot) == self._digest, "a restart gives the journal's state")
        await node.close()


def _outcome(events: list[Event]) -> str:
    for event in events:
        if isinstance(event, CommandRejected):
            return "rejected"
        if isinstance(event, CommandRepeated):
            return "repeated"
    return "applied"


def simulate(seed: int) -> SimReport:
    """Run one seed in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="seawall-sim-") as folder:
        return Simulation(seed, Path(folder)).run()


def main(seeds: int = 100, first: int = 1) -> None:
    """Run the campaign; the seed is printed before it runs, so that a failure names its own."""
    # The node warns of every fault that was planned.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for seed in range(first, first + seeds):
        sys.stdout.write(f"seed {seed} ")
        sys.stdout.flush()
        report = simulate(seed)
        sys.stdout.write(
            f"{report.entries} entries, {report.crashes} crashes, {report.faults} faults,"
            f" {report.repeated} repeats: held\n"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
