"""What the journals say of an incident.  The rule: the record is replayed, nobody is asked.

The control cell's journal is replayed into the plans with every gate as it was recorded; funding's
tells when each withdrawal was first signed, and whether that was while withdrawals were to stop.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdSettings
from seawall.journal.port import Journal
from seawall.lab.drills.incident_users import Asked
from seawall.lab.drills.incident_world import IncidentWorld
from seawall.model import limits
from seawall.model.control_rows import ControlBook, Plan
from seawall.model.funding import WithdrawalState
from seawall.model.funding_commands import GrantLease, PrepareWithdrawal
from seawall.model.funding_rows import FundingBook
from seawall.model.ids import CONTROL, FUNDING, SPOT
from seawall.node.cell import Cell, control_cell, funding_cell, spot_cell

NATIVE_DECIMALS: Final = 18
PAID: Final = (WithdrawalState.SETTLED, WithdrawalState.BROADCAST, WithdrawalState.PREPARED)


class GateRecord(Struct, frozen=True, kw_only=True):
    """One gate as a stage was let in by it."""

    plan: int
    services: tuple[str, ...]
    stage: str
    gate: str
    passed: bool | None
    value: str
    evidence: str
    entered_ns: int


class Signing(Struct, frozen=True, kw_only=True):
    """A withdrawal's first bytes."""

    withdrawal_id: int
    at_ns: int
    lease_until_ns: int
    """Of the lease that was in force."""


class Record(Struct, frozen=True, kw_only=True):
    """What the journals hold."""

    control: ControlBook
    funding: FundingBook
    signings: tuple[Signing, ...]
    entries: int

    @property
    def gates(self) -> tuple[GateRecord, ...]:
        return tuple(gate for plan in self.control.plans.values() for gate in _gates(plan))


def _gates(plan: Plan) -> Iterable[GateRecord]:
    for stage in plan.stages:
        for gate in stage.gates:
            yield GateRecord(
                plan=plan.plan_id,
                services=tuple(plan.services),
                stage=stage.stage.value,
                gate=gate.gate,
                passed=gate.passed,
                value=gate.value,
                evidence=gate.evidence,
                entered_ns=stage.entered_ns,
            )


async def read_record(world: IncidentWorld) -> Record:
    """Replay control's, funding's and spot's journals; raises what a broken one deserves."""
    topology = world.cluster.topology
    client = EtcdClient(
        EtcdSettings(
            endpoints=tuple(place.client for place in topology.etcd),
            tls=world.cluster.tls(topology.etcd[0].name),
        )
    )
    signings: list[Signing] = []
    try:
        control, funding, spot = control_cell(), funding_cell(), spot_cell()
        await _replay(control, await EtcdJournal.open(client, CONTROL))
        await _replay(funding, await EtcdJournal.open(client, FUNDING), signings)
        await _replay(spot, await EtcdJournal.open(client, SPOT))
    finally:
        await client.close()
    for cell in (control, funding, spot):
        await asyncio.to_thread(cell.check)
    return Record(
        control=control.state.book,
        funding=funding.state.book,
        signings=tuple(signings),
        entries=control.state.sequence + funding.state.sequence + spot.state.sequence,
    )


async def _replay(cell: Cell[Any], journal: Journal, signings: list[Signing] | None = None) -> None:
    head = await journal.head()
    lease_until_ns = 0
    while cell.state.sequence < head.sequence:
        limit = min(limits.READ_ENTRIES, head.sequence - cell.state.sequence)
        for entry in await journal.read(cell.state.sequence + 1, limit):
            record = cell.decode(entry.payload)
            cell.commit(record, entry.sequence)
            if signings is None:
                continue
            command = record.command
            if isinstance(command, GrantLease):
                lease_until_ns = command.until_ns
            elif isinstance(command, PrepareWithdrawal):
                row = cell.state.book.withdrawals.get(command.withdrawal_id)
                first = row is not None and len(row.attempts) == 1
                if first and row.attempts[0].tx_id == command.attempt.tx_id:
                    signings.append(
                        Signing(
                            withdrawal_id=command.withdrawal_id,
                            at_ns=record.at_ns,
                            lease_until_ns=lease_until_ns,
                        )
                    )


async def money_problems(world: IncidentWorld, asked: list[Asked], record: Record) -> list[str]:
    """Return every acknowledged withdrawal that was lost, doubled or is not as it is told."""
    found: list[str] = []
    rows = {str(row.withdrawal_id): row for row in record.funding.withdrawals.values()}
    numbers = [each.number for each in asked]
    found += [f"{each} was given twice" for each in numbers if numbers.count(each) > 1]
    for each in asked:
        row = rows.get(each.number)
        if row is None:
            found.append(f"{each.name} was acknowledged, and is not there")
            continue
        if row.address.casefold() != each.address.casefold():
            found.append(f"{each.name} goes to another address")
        held = await world.paid_to(each.address)
        owed = row.atoms - row.fee
        if row.state is WithdrawalState.SETTLED and held != owed:
            found.append(f"{each.name}: {held} wei stand where {owed} were paid")
        elif row.state not in PAID and held:
            found.append(f"{each.name} is {row.state.value}, and {held} wei were paid")
        elif held not in (0, owed):
            found.append(f"{each.name}: {held} wei instead of {owed}")
    return found
