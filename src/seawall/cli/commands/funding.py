"""`seawall funding`.  The rule: whoever acts is named, and each act says why."""

from pathlib import Path
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import human, print_json
from seawall.cli.running import operator

Service = Literal["deposit", "withdrawal"]
"""The names of `model.funding.Service`."""
Row = dict[str, Any]


def queue(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show every open withdrawal, why it waits, and what each listing can pay."""
    found = operator(data).get("funding/queue")
    if json:
        print_json(found)
        return 0
    table = Table("id", "user", "amount", "to", "state", "waits for", "approvals", box=None)
    for row in found["withdrawals"]:
        table.add_row(
            str(row["id"]),
            escape(row["user"]),
            f"{row['amount']} {row['asset']}",
            f"{row['address']} on {row['network']}",
            row["state"],
            escape(" ".join(filter(None, (row["reason"], row["detail"])))),
            escape(", ".join(row["approvals"])) or "-",
        )
    human.print(table if found["withdrawals"] else "No withdrawal is open.")
    human.print(_services(found["listings"]))
    return 0


def approve(
    withdrawal_id: int, /, *, person: str, data: Data = Path(DEFAULT_DATA), json: Json = False
) -> int:
    """Let a withdrawal pass; two people have to.

    Parameters
    ----------
    withdrawal_id
        Its id, as `seawall funding queue` shows it.
    person
        Who approves.
    """
    row = operator(data).post("funding/approve", {"id": withdrawal_id, "person": person})
    return _tell_one(row, json=json)


def reject(
    withdrawal_id: int,
    /,
    *,
    person: str,
    reason: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Refuse a withdrawal while nothing was signed; its user has the money back.

    Parameters
    ----------
    withdrawal_id
        Its id, as `seawall funding queue` shows it.
    person
        Who rejects.
    reason
        Why, in words for its user.
    """
    body = {"id": withdrawal_id, "person": person, "reason": reason}
    return _tell_one(operator(data).post("funding/reject", body), json=json)


def pause(
    asset: str,
    network: str,
    /,
    *,
    person: str,
    reason: str,
    service: Service = "withdrawal",
    limited: bool = False,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Stop deposits or withdrawals of an asset on a network; its users see the reason.

    Parameters
    ----------
    asset
        The asset, as ETH.
    network
        The network's code.
    person
        Who pauses.
    reason
        Why, in words for its users.
    service
        deposit or withdrawal.
    limited
        Let small withdrawals through.
    """
    body = _change(asset, network, person, reason, service)
    body["status"] = "limited" if limited else "paused"
    return _tell_listing(operator(data).post("funding/pause", body), json=json)


def resume(
    asset: str,
    network: str,
    /,
    *,
    person: str,
    reason: str,
    service: Service = "withdrawal",
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Open deposits or withdrawals of an asset on a network again.

    Parameters
    ----------
    asset
        The asset, as ETH.
    network
        The network's code.
    person
        Who opens.
    reason
        Why, in words for its users.
    service
        deposit or withdrawal.
    """
    body = _change(asset, network, person, reason, service)
    return _tell_listing(operator(data).post("funding/resume", body), json=json)


def top_ups(*, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show what the hot wallets lack, and what came from cold storage and is not booked.

    Wanted is what brings a hot wallet to its floor once all that waits has been paid.
    """
    return _tell_top_ups(operator(data).get("funding/top-ups"), json=json)


def topped_up(
    network: str,
    transaction: str,
    /,
    *,
    person: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Book a final transaction from cold storage to the hot wallet, as it stands on chain.

    Parameters
    ----------
    network
        The network's code.
    transaction
        Its id.
    person
        Who books it.
    """
    body = {"network": network.upper(), "transaction": transaction, "person": person}
    return _tell_top_ups(operator(data).post("funding/top-ups", body), json=json)


def reconcile(*, now: bool = False, data: Data = Path(DEFAULT_DATA), json: Json = False) -> int:
    """Show how chain and ledger compare; exit 1 if they differ anywhere.

    Parameters
    ----------
    now
        Compare now, instead of showing the last comparison.
    """
    at = operator(data)
    found = at.post("funding/reconcile", {}) if now else at.get("funding/reconcile")
    differ = [row for row in found["listings"] if row["difference"].strip("-0.")]
    if json:
        print_json(found)
    else:
        table = Table("asset", "network", "block", "chain less ledger", "hot", "cold", box=None)
        for row in found["listings"]:
            block = str(row["reconciledBlock"]) if row["reconciledAt"] else "never"
            table.add_row(
                row["asset"], row["network"], block, row["difference"], row["hot"], row["cold"]
            )
        human.print(table)
    return int(bool(differ))


def _tell_top_ups(found: Row, *, json: bool) -> int:
    if json:
        print_json(found)
        return 0
    names = ("asset", "network", "hot", "floor", "under way", "waiting", "wanted", "cold")
    table = Table(*names, "send to", "not booked", box=None)
    for row in found["topUps"]:
        table.add_row(
            row["asset"],
            row["network"],
            row["hot"],
            row["floor"],
            row["underWay"],
            f"{row['waitingAmount']} in {row['waiting']}",
            row["wanted"],
            row["cold"],
            row["to"] or "-",
            row["unbooked"],
        )
    human.print(table if found["topUps"] else "The hot wallets lack nothing.")
    return 0


def _change(asset: str, network: str, person: str, reason: str, service: str) -> Row:
    return {
        "asset": asset.upper(),
        "network": network.upper(),
        "person": person,
        "reason": reason,
        "service": service,
    }


def _tell_one(row: Row, *, json: bool) -> int:
    if json:
        print_json(row)
    else:
        waits = f", {row['reason']}" if row["reason"] else ""
        human.print(
            f"[green]✓[/] Withdrawal {row['id']} of {escape(row['user'])}"
            f" ({row['amount']} {row['asset']}) is {row['state']}{escape(waits)}"
        )
    return 0


def _tell_listing(row: Row, *, json: bool) -> int:
    if json:
        print_json(row)
    else:
        human.print(_services([row]))
    return 0


def _services(listings: list[Row]) -> Table:
    table = Table(
        "asset", "network", "deposits", "withdrawals", "queued", "can pay now", "reason", box=None
    )
    for row in listings:
        reasons = [
            row[name]["reason"]
            for name in ("deposit", "withdrawal")
            if row[name]["status"] != "open"
        ]
        table.add_row(
            row["asset"],
            row["network"],
            row["deposit"]["status"],
            row["withdrawal"]["status"],
            str(row["queued"]),
            row["payable"],
            escape("; ".join(reasons)),
        )
    return table
