"""Holds what a simulated cluster told its clients against its journals.  The rule: no mercy.

Nothing acknowledged is missing, nothing happened twice, what was refused as surely not executed is
not there, whoever was answered first stands first, no read is older than what its reader could
know, one order of events explains every answer about an order, journal time is true time, and every
replica ends in the same state.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from seawall.core.invariants import check_spot
from seawall.lab.cluster_lives import unexplained
from seawall.lab.cluster_process import CELLS, SimNode
from seawall.lab.cluster_world import World
from seawall.lib.invariants import invariant
from seawall.model.commands import Command, CreateUser, PlaceOrder
from seawall.model.events import CommandRejected
from seawall.model.ids import SPOT
from seawall.node.cell import Cell, Record, identity_cell, spot_cell
from seawall.node.lane import in_lane

AHEAD_NS: Final = 1_500_000_000
"""How far journal time may be ahead of true time: clocks that agree differ by up to a second."""


class Operation(Struct, kw_only=True):
    """What a client asked, and what it was told."""

    node: str
    cell: str
    command: Command
    asked_s: float
    told_s: float = 0.0
    sequence: int = 0
    """0: refused or unknown."""
    unknown: bool = False


class Read(Struct, frozen=True, kw_only=True):
    """What a client saw, confirmed."""

    cell: str
    asked_s: float
    told_s: float
    sequence: int


class Audit:
    """One run's journals, replayed."""

    def __init__(self, world: World, nodes: Mapping[str, SimNode]) -> None:
        self.lane = 0
        """Cancels that took effect."""
        self.cells: dict[str, Cell[Any]] = {SPOT: spot_cell(), CELLS[1]: identity_cell()}
        self._world = world
        self._names: set[str] = set()
        """By what name commands that make something stand in the journals."""
        for name, cell in self.cells.items():
            self._replay(name, cell, nodes)
        check_spot(self.cells[SPOT].state)

    def check(self, operations: list[Operation], reads: list[Read]) -> None:
        """Raise InvariantError if anything that was told is not so."""
        for name in CELLS:
            told = [each for each in operations if each.cell == name and each.sequence]
            self._check_told(name, told)
            _check_order(told, [each for each in reads if each.cell == name])
        self._check_refused(operations)
        orders = [each for each in operations if each.cell == SPOT]
        wrong = unexplained(orders, self._world.disks[SPOT].entries)
        invariant(not wrong, f"one order of events explains every answer: {wrong[:1]}")

    def _replay(self, name: str, cell: Cell[Any], nodes: Mapping[str, SimNode]) -> None:
        origins: Counter[str] = Counter()
        standing: dict[int, list[SimNode]] = {}
        for node in nodes.values():
            standing.setdefault(node.replica(name).sequence, []).append(node)
        for entry in self._world.disks[name].entries:
            record = cell.decode(entry.payload)
            events = cell.commit(record, entry.sequence)
            self._check_time(name, entry.sequence, record)
            self._names.add(_name_of(record.command))
            if record.origin:
                origins[record.origin] += 1
            self.lane += in_lane(record.command) and not any(
                isinstance(event, CommandRejected) for event in events
            )
            for node in standing.get(entry.sequence, []):
                same = node.replica(name).driver.cell.digest() == cell.digest()
                invariant(same, f"{node.name}'s {name} differs")
        twice = [origin for origin, count in origins.items() if count > 1]
        invariant(not twice, f"each command stands in the journal at most once: {twice[:3]}")

    def _check_time(self, name: str, sequence: int, record: Record) -> None:
        written_ns = self._world.true_ns(self._world.written_s[name][sequence - 1])
        ahead_ns = record.at_ns - written_ns
        invariant(
            ahead_ns <= AHEAD_NS, f"{name} {sequence} is dated {ahead_ns / 1e9:.1f} s in the future"
        )

    def _check_told(self, name: str, told: list[Operation]) -> None:
        entries = self._world.disks[name].entries
        for operation in told:
            invariant(operation.sequence <= len(entries), "what was acknowledged is there")
            found = self.cells[name].decode(entries[operation.sequence - 1].payload).command
            invariant(found == operation.command, "an answer names the entry of its command")

    def _check_refused(self, operations: list[Operation]) -> None:
        """Hold it against the journal: what was refused as surely not executed is not there."""
        for operation in operations:
            name = _name_of(operation.command)
            if name and operation.told_s and not operation.sequence and not operation.unknown:
                invariant(name not in self._names, f"refused means not executed: {name}")


def _name_of(command: Command) -> str:
    match command:
        case PlaceOrder(terms=terms):
            return terms.client_order_id
        case CreateUser(name=name):
            return name
        case _:
            return ""


def _check_order(told: list[Operation], reads: list[Read]) -> None:
    """Whoever was answered before another asked stands before it; reads know what was told."""
    both: list[Operation | Read] = [*told, *reads]
    asked = [(each.asked_s, each.sequence) for each in both]
    seen = sorted((each.told_s, each.sequence) for each in both)
    highest, place = 0, 0
    for asked_s, sequence in sorted(asked):
        while place < len(seen) and seen[place][0] < asked_s:
            highest = max(highest, seen[place][1])
            place += 1
        invariant(sequence >= highest, f"{sequence} was told after {highest} was known")


def slowest_receipt_s(told: Iterable[Operation], troubles: list[tuple[str, float, float]]) -> float:
    """Return the slowest cancel's time, of those whose node was well all the while."""
    slowest = 0.0
    for operation in told:
        if in_lane(operation.command):
            began, ended = operation.asked_s, operation.told_s
            troubled = any(
                name == operation.node and since < ended and began < until + 0.2
                for name, since, until in troubles
            )
            if not troubled:
                slowest = max(slowest, ended - began)
    return slowest
