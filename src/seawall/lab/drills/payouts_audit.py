"""What left the exchange against what it owed.  The rule: believe the chain and what clients heard.

A pure comparison of evidence from outside.  Every withdrawal goes to an address of its own, so
whether it was paid once can be counted.  *Double*: more left for a withdrawal than it asked for, or
something left that nobody asked for, or for which its owner has the money back.  *Lost*: it was
acknowledged, and is neither on chain nor with its owner.  *Waiting*: it has not ended.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field

COIN = ""
"""The contract of the network's own coin."""


class PayoutKind(StrEnum):
    DOUBLE = "double"
    LOST = "lost"
    WAITING = "waiting"
    BALANCE = "balance"
    UNJOURNALED = "unjournaled"


class PayoutFinding(Struct, frozen=True, kw_only=True):
    kind: PayoutKind
    text: str


class Asked(Struct, kw_only=True):
    """One withdrawal as its owner knows it."""

    name: str
    """Its `withdrawOrderId`."""
    user: str
    asset: str
    address: str
    atoms: int
    """What was asked for; the address gets it less the fee."""
    number: int = 0
    """The exchange's own, once acknowledged."""
    numbers: set[int] = field(default_factory=set)
    """All that repetitions of the request were answered with."""
    refused: str = ""
    canceled: bool = False
    """Whether a cancel was acknowledged."""


class Told(Struct, frozen=True, kw_only=True):
    """What the exchange says of one withdrawal at the end."""

    number: int
    name: str
    state: str
    address: str
    atoms: int
    fee: int
    tx_id: str

    @property
    def paid(self) -> bool:
        return self.state == "settled"

    @property
    def returned(self) -> bool:
        return self.state in {"rejected", "canceled", "returned"}


class Paid(Struct, frozen=True, kw_only=True):
    """Something that left one of the exchange's own addresses, as a block shows it."""

    tx_id: str
    source: str
    nonce: int
    payee: str
    contract: str
    units: int
    block: int


class Evidence(Struct, frozen=True, kw_only=True):
    """All of it."""

    asked: Sequence[Asked]
    told: Mapping[str, Sequence[Told]]
    """By user."""
    paid: Sequence[Paid]
    """In the chain as it is at the end, without what went to the exchange's own addresses."""
    ever_paid: Sequence[Paid]
    """The same over every block that ever was, those of abandoned branches too."""
    contracts: Mapping[str, str]
    """By asset."""
    unit: Mapping[str, int]
    """Atoms in one unit on chain, by asset."""
    journaled: Collection[str]
    """Transactions whose bytes stand in the journal."""
    balances: Mapping[tuple[str, str], int]
    """What each user owns at the end in all wallets, by user and asset, in atoms."""
    deposited: Mapping[tuple[str, str], int]
    """What came to each user's address and is final, less what was not the user's to have."""
    held: Mapping[str, int]
    """What stands at the exchange's addresses at the end, by asset, in atoms."""
    costs: int
    """What the network charged them, in atoms of its coin."""
    native: str


def audit_payouts(seen: Evidence) -> list[PayoutFinding]:
    """Return everything that does not agree."""
    return [
        *_payments(seen),
        *_strays(seen),
        *_branches(seen),
        *_repeats(seen),
        *_unjournaled(seen),
        *_users(seen),
        *_vaults(seen),
    ]


def _payments(seen: Evidence) -> list[PayoutFinding]:
    """Look at each withdrawal that was ever asked for."""
    by_payee: dict[str, list[Paid]] = defaultdict(list)
    for paid in seen.paid:
        by_payee[paid.payee].append(paid)
    told = {(user, row.name): row for user, rows in seen.told.items() for row in rows}
    findings = []
    for asked in seen.asked:
        row = told.get((asked.user, asked.name))
        found = _judge(seen, asked, row, by_payee[asked.address])
        if found is not None:
            text = f"{asked.user}'s {asked.name} of {asked.atoms} {asked.asset}: {found[1]}"
            findings.append(PayoutFinding(kind=found[0], text=text))
    return findings


def _judge(
    seen: Evidence, asked: Asked, row: Told | None, paid: list[Paid]
) -> tuple[PayoutKind, str] | None:
    """Return what is wrong with one withdrawal, the worst first."""
    names = ", ".join(one.tx_id for one in paid)
    if len(paid) > 1:
        return PayoutKind.DOUBLE, f"paid {len(paid)} times: {names}"
    if row is None:
        if paid:
            return PayoutKind.DOUBLE, f"unknown to the exchange and paid: {names}"
        return (PayoutKind.LOST, "acknowledged and not there") if asked.number else None
    if paid and not row.paid:
        # While it waits, a payment is one that its owner could have once more.
        kind = PayoutKind.DOUBLE if row.returned else PayoutKind.WAITING
        return kind, f"is {row.state} and was paid: {names}"
    if paid and (asked.canceled or asked.refused):
        return PayoutKind.DOUBLE, f"canceled or refused, and paid: {names}"
    if (row.address, row.atoms) != (asked.address, asked.atoms) and not asked.refused:
        return PayoutKind.LOST, f"now it says {row.atoms} to {row.address}"
    if row.paid:
        return _judge_settled(seen, asked, row, paid)
    return None if row.returned else (PayoutKind.WAITING, f"is {row.state}")


def _judge_settled(
    seen: Evidence, asked: Asked, row: Told, paid: list[Paid]
) -> tuple[PayoutKind, str] | None:
    if not paid:
        return PayoutKind.LOST, f"said to be paid with {row.tx_id}, and no block has it"
    units, rest = divmod(row.atoms - row.fee, seen.unit[asked.asset])
    right = paid[0].contract == seen.contracts[asked.asset] and not rest
    if not right or paid[0].units < units:
        return PayoutKind.LOST, f"{paid[0].units} units of {paid[0].contract or 'coin'} arrived"
    if paid[0].units > units:
        return PayoutKind.DOUBLE, f"{paid[0].units} units arrived, and {units} were due"
    if paid[0].tx_id != row.tx_id:
        return PayoutKind.LOST, f"paid with {paid[0].tx_id}, and its owner was told {row.tx_id}"
    return None


def _strays(seen: Evidence) -> list[PayoutFinding]:
    """Find what left for addresses that nobody asked to be paid at."""
    known = {asked.address for asked in seen.asked}
    return [
        PayoutFinding(
            kind=PayoutKind.DOUBLE,
            text=f"{paid.units} units of {paid.contract or 'coin'} left for {paid.payee}, which"
            f" nobody asked for: {paid.tx_id}",
        )
        for paid in seen.paid
        if paid.payee not in known
    ]


def _branches(seen: Evidence) -> list[PayoutFinding]:
    """Find payees that two nonces would have paid, had the branches come together."""
    slots: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for paid in seen.ever_paid:
        slots[paid.payee].add((paid.source, paid.nonce))
    return [
        PayoutFinding(
            kind=PayoutKind.DOUBLE,
            text=f"{payee} was paid at {len(used)} nonces in different branches: {sorted(used)}",
        )
        for payee, used in slots.items()
        if len(used) > 1
    ]


def _repeats(seen: Evidence) -> list[PayoutFinding]:
    """Find requests that took effect more than once, or changed their number."""
    findings = []
    for asked in seen.asked:
        rows = [row for row in seen.told.get(asked.user, ()) if row.name == asked.name]
        numbers = {row.number for row in rows} | asked.numbers
        if len(numbers) > 1:
            text = f"{asked.user}'s {asked.name} stands for {sorted(numbers)}"
            findings.append(PayoutFinding(kind=PayoutKind.DOUBLE, text=text))
    return findings


def _unjournaled(seen: Evidence) -> list[PayoutFinding]:
    strange = {paid.tx_id for paid in seen.ever_paid if paid.tx_id not in seen.journaled}
    return [
        PayoutFinding(kind=PayoutKind.UNJOURNALED, text=f"{tx_id} was sent and is not journaled")
        for tx_id in sorted(strange)
    ]


def _users(seen: Evidence) -> list[PayoutFinding]:
    """Compute what each user must own: what came, less what was paid for."""
    due = dict(seen.deposited)
    asset_of = {(asked.user, asked.name): asked.asset for asked in seen.asked}
    for user, rows in seen.told.items():
        for row in rows:
            asset = asset_of.get((user, row.name))
            if asset is not None and row.paid:
                due[user, asset] = due.get((user, asset), 0) - row.atoms
    return [
        PayoutFinding(
            kind=PayoutKind.BALANCE,
            text=f"{user} should own {due.get((user, asset), 0)} {asset}, and owns"
            f" {seen.balances.get((user, asset), 0)}",
        )
        for user, asset in sorted({*due, *seen.balances})
        if due.get((user, asset), 0) != seen.balances.get((user, asset), 0)
    ]


def _vaults(seen: Evidence) -> list[PayoutFinding]:
    """Compare what stands on chain with what is owed, to the last unit, per asset."""
    findings = []
    for asset in seen.contracts:
        owed = sum(atoms for (_, code), atoms in seen.balances.items() if code == asset)
        of_asset = {asked.name for asked in seen.asked if asked.asset == asset}
        earned = sum(
            row.fee
            for rows in seen.told.values()
            for row in rows
            if row.paid and row.name in of_asset
        )
        spent = seen.costs if asset == seen.native else 0
        if seen.held[asset] != owed + earned - spent:
            text = (
                f"{seen.held[asset]} {asset} stand on chain; users own {owed}, {earned} were earned"
                f" in fees and the network charged {spent}"
            )
            findings.append(PayoutFinding(kind=PayoutKind.BALANCE, text=text))
    return findings
