"""What a cluster's clients were told, against what may be.  The rule: each check names its breach.

Linearizability of orders and of held balances; no answer older than what its client knew; nothing
acknowledged by a provider that was cut off; replicas' digests against a replay of the journal; no
command in the journal twice.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from seawall.journal.port import Journal
from seawall.lab.drills.cluster_history import CANCEL, PLACE, Ack, History
from seawall.lab.linearizability import UndecidedError, check_parts
from seawall.lab.sequential import HeldBalance, OrderLife
from seawall.lib.invariants import InvariantError
from seawall.model import limits
from seawall.node import snapshots
from seawall.node.cell import Cell
from seawall.node.snapshots import SnapshotError

TOLD: Final = 3


class Isolation(Struct, frozen=True, kw_only=True):
    """When a provider was surely cut off from the others."""

    gateway: str
    from_s: float
    to_s: float


def not_linearizable(history: History) -> list[str]:
    """Return what no order of events explains."""
    found = []
    try:
        orders = check_parts(history.orders, lambda each: each.input.order, OrderLife())
        found += [f"order {name}: {violation}" for name, violation in orders.items()]
        held = check_parts(history.holds, lambda each: each.input.account, HeldBalance())
        found += [f"balance of {name}: {violation}" for name, violation in held.items()]
    except UndecidedError as error:
        found.append(f"not decided: {error}")
    return found


def went_back(acks: Sequence[Ack]) -> list[str]:
    """Return answers that knew less than an earlier one to the same client.

    An answer that says itself that it may be old is held only against those of its own gateway.
    """
    highest: Counter[tuple[str, str]] = Counter()
    found = []
    for ack in sorted(acks, key=lambda each: each.told_s):
        if ack.sequence < 0:
            continue
        scope = (ack.session, "" if ack.current else ack.gateway)
        if ack.sequence < highest[scope]:
            found.append(
                f"{ack.session} was told {ack.kind} of entry {ack.sequence} by {ack.gateway} after"
                f" {highest[scope]}"
            )
        for each in {(ack.session, ack.gateway), scope}:
            highest[each] = max(highest[each], ack.sequence)
    return found


def isolated_acks(acks: Sequence[Ack], isolations: Sequence[Isolation]) -> list[str]:
    """Return successes that a gateway gave though it was asked when it was already cut off."""
    return [
        f"{ack.gateway} answered {ack.kind} {ack.asked_s - isolation.from_s:.2f} s after the cut"
        for isolation in isolations
        for ack in acks
        if ack.gateway == isolation.gateway
        and isolation.from_s < ack.asked_s
        and ack.told_s < isolation.to_s
        and (ack.kind in {PLACE, CANCEL} or ack.current)
    ]


class Replicas(Struct, frozen=True, kw_only=True):
    """What the journal's replay says of the nodes' states."""

    equal: bool
    entries: int
    twice: tuple[str, ...]
    """Origins of commands that stand in the journal more than once."""
    said: tuple[str, ...]


async def compare_replicas(
    cells: Sequence[Cell[Any]], journals: Mapping[str, Journal], folders: Mapping[str, Path]
) -> Replicas:
    """Replay each cell from the journal, and compare every node's last snapshot on the way."""
    said: list[str] = []
    twice: list[str] = []
    entries = 0
    for cell in cells:
        expected = await asyncio.to_thread(_snapshots, cell.name, folders, said)
        origins: Counter[str] = Counter()
        try:
            await _replay(cell, journals[cell.name], expected, origins, said)
        except InvariantError as error:
            said.append(f"{cell.name}: {error}")
        entries += cell.state.sequence
        twice += [origin for origin, count in origins.items() if count > 1]
        said += [
            f"{node}'s {cell.name} is at {sequence}, which the journal does not reach"
            for node, (sequence, _) in expected.items()
            if sequence > cell.state.sequence
        ]
    return Replicas(equal=not said, entries=entries, twice=tuple(twice), said=tuple(said))


async def _replay(
    cell: Cell[Any],
    journal: Journal,
    expected: dict[str, tuple[int, str]],
    origins: "Counter[str]",
    said: list[str],
) -> None:
    head = await journal.head()
    while cell.state.sequence < head.sequence:
        limit = min(limits.READ_ENTRIES, head.sequence - cell.state.sequence)
        for entry in await journal.read(cell.state.sequence + 1, limit):
            record = cell.decode(entry.payload)
            cell.commit(record, entry.sequence)
            if record.origin:
                origins[record.origin] += 1
            for node, (sequence, digest) in expected.items():
                if sequence == entry.sequence and cell.digest() != digest:
                    said.append(f"{node}'s {cell.name} differs from the journal at {sequence}")


def _snapshots(
    cell: str, folders: Mapping[str, Path], said: list[str]
) -> dict[str, tuple[int, str]]:
    """Return sequence and digest of the newest snapshot of each node."""
    found = {}
    for node, folder in folders.items():
        paths = snapshots.newest_first(folder / "snapshots", cell)
        try:
            header = snapshots.read(paths[0]).header
        except (SnapshotError, IndexError) as error:
            said.append(f"{node} left no snapshot of {cell} ({error})")
        else:
            found[node] = (header.sequence, header.digest)
    return found


def longest_gap(times_s: Sequence[float], from_s: float, to_s: float) -> float:
    """Return the longest time between two successes that touches the interval.

    `times_s` are in order.  What has no success before or after counts to the interval's border.
    """
    longest, last = 0.0, None
    for at_s in times_s:
        if at_s >= from_s:
            longest = max(longest, at_s - (from_s if last is None else last))
            if at_s > to_s:
                return longest
        last = at_s
    return max(longest, to_s - max(from_s, last or from_s))


def first_after(times_s: Sequence[float], at_s: float) -> float | None:
    """Return how long after a moment the first success came."""
    return next((each - at_s for each in times_s if each > at_s), None)
