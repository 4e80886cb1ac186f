"""Transfers between a trader's wallets under drill.  The rule: acknowledged is arrived, once.

What was acknowledged, what the exchange now lists, and how the two differ.  That money went where
the list says, the balances of both wallets show.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from seawall.lab.drills.ledger import Ledger
from seawall.lib.prng import Prng

Row = dict[str, Any]
Ask = Callable[[str, str, Mapping[str, str]], Awaitable[Any]]
"""Verb, path and parameters; returns the answer, or raises."""

PATH: Final = "/sapi/v1/asset/transfer"
TO_FUNDING: Final = "MAIN_FUNDING"
TO_SPOT: Final = "FUNDING_MAIN"
ROWS: Final = 100
LISTED: Final = 1_000
"""More than these one question does not list: the rest is asked for by time."""


def draw(prng: Prng, name: str) -> dict[str, str]:
    """Return a transfer's parameters; some ask for more than there may be."""
    asset, unit = prng.choice((("BTC", Decimal("0.001")), ("USDC", Decimal("0.5"))))
    return {
        "type": prng.choice((TO_FUNDING, TO_SPOT)),
        "asset": asset,
        "amount": str(prng.between(1, 500) * unit),
        "clientTranId": name,
    }


class Wallet(Struct, frozen=True, kw_only=True):
    """What the exchange says of a trader's transfers and funding wallet."""

    transfers: list[Row]
    free: dict[str, Decimal]

    def moved(self) -> dict[str, Decimal]:
        """Return by asset what went from spot to funding, less what came back."""
        sums: dict[str, Decimal] = {}
        for row in self.transfers:
            if row["status"] != "FAILED":
                sign = 1 if row["type"] == TO_FUNDING else -1
                sums[row["asset"]] = sums.get(row["asset"], Decimal(0)) + sign * Decimal(
                    row["amount"]
                )
        return sums


async def look(ask: Ask) -> Wallet:
    """Ask for all transfers ever made, and for the funding wallet."""
    rows: dict[int, Row] = {}
    for kind in (TO_FUNDING, TO_SPOT):
        until: dict[str, str] = {}
        while True:
            known = len(rows)
            found = await _listed(ask, kind, until)
            rows |= {row["tranId"]: row for row in found}
            if len(found) < LISTED or len(rows) == known:
                break
            until = {"endTime": str(min(row["timestamp"] for row in found))}
    free = await ask("POST", "/sapi/v1/asset/get-funding-asset", {})
    return Wallet(
        transfers=list(rows.values()), free={row["asset"]: Decimal(row["free"]) for row in free}
    )


async def _listed(ask: Ask, kind: str, until: Mapping[str, str]) -> list[Row]:
    rows: list[Row] = []
    while True:
        current = str(len(rows) // ROWS + 1)
        params = {"type": kind, "size": str(ROWS), "current": current, **until}
        part = (await ask("GET", PATH, params))["rows"]
        rows += part
        if len(part) < ROWS:
            return rows


def lost(ledger: Ledger, wallet: Wallet) -> list[str]:
    """Say which acknowledged transfers are not there, not as they were, or have not arrived."""
    by_id = {row["tranId"]: row for row in wallet.transfers}
    found = []
    for sent in ledger.transfers.values():
        row = by_id.get(sent.number)
        what = f"transfer {sent.number} ({sent.name})"
        if row is None:
            found.append(f"{what}: acknowledged, not there")
        elif (row["clientTranId"], row["type"], row["asset"], Decimal(row["amount"])) != (
            sent.name,
            sent.kind,
            sent.asset,
            Decimal(sent.amount),
        ):
            found.append(f"{what}: now {row}")
        elif row["status"] != "CONFIRMED":
            found.append(f"{what}: it is {row['status']}")
    return found


def doubled(wallet: Wallet) -> list[str]:
    """Say which transfers took effect more than once."""
    counts = Counter(row["clientTranId"] for row in wallet.transfers)
    return [f"transfer {name} is there {n} times" for name, n in counts.items() if n > 1]


def phantoms(ledger: Ledger, wallet: Wallet) -> list[str]:
    """Say which transfers are there although they were refused, or never sent."""
    return [
        f"transfer {row['clientTranId']} was refused or never sent, and is there"
        for row in wallet.transfers
        if row["clientTranId"] in ledger.refused_transfers
        or row["clientTranId"] not in ledger.sent_transfers
    ]


def wrong_balances(wallet: Wallet) -> list[str]:
    """Say where the funding wallet is not what the transfers make it."""
    moved = wallet.moved()
    return [
        f"{asset} in the funding wallet: {wallet.free.get(asset, 0)};"
        f" transfers make {moved.get(asset, 0)}"
        for asset in sorted({*moved, *wallet.free})
        if moved.get(asset, Decimal(0)) != wallet.free.get(asset, Decimal(0))
    ]
