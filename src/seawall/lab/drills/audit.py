"""What was acknowledged against what is there.  The rule: every difference has a name.

A pure comparison: it takes what one trader was told and what the exchange now says of that trader,
and returns findings.  *Lost*: acknowledged and not there, or changed.  *Duplicated*: there more
than once.  *Phantom*: there although it was refused.  *Balance*: money that does not add up.
Transfers between a trader's wallets are lost or doubled under names of their own.
"""

from collections import Counter
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from seawall.lab.drills import transfers
from seawall.lab.drills.ledger import Canceled, Fill, Ledger, Placed
from seawall.lab.drills.transfers import Wallet

Row = dict[str, Any]
"""One object of an answer, as the API wrote it."""


NO_WALLET: Final = Wallet(transfers=[], free={})


class Kind(StrEnum):
    LOST = "lost"
    DUPLICATED = "duplicated"
    PHANTOM = "phantom"
    BALANCE = "balance"
    TRANSFER_LOST = "transfer_lost"
    TRANSFER_DOUBLED = "transfer_doubled"


class Finding(Struct, frozen=True, kw_only=True):
    kind: Kind
    text: str


class Market(Struct, frozen=True):
    base: str
    quote: str


class Present(Struct, frozen=True, kw_only=True):
    """What the exchange says of one trader now."""

    orders: list[Row]
    trades: list[Row]
    balances: dict[str, tuple[Decimal, Decimal]]
    """Free and locked by asset."""
    wallet: Wallet = NO_WALLET


def audit(
    ledger: Ledger,
    present: Present,
    funds: dict[str, Decimal],
    markets: dict[str, Market],
) -> list[Finding]:
    """Return everything that does not agree."""
    return [
        *_orders(ledger, present),
        *_cancels(ledger, present),
        *_fills(ledger, present),
        *_duplicates(ledger, present),
        *_balances(present, funds, markets),
        *_transfers(ledger, present.wallet),
    ]


def _transfers(ledger: Ledger, wallet: Wallet) -> list[Finding]:
    found = {
        Kind.TRANSFER_LOST: transfers.lost(ledger, wallet),
        Kind.TRANSFER_DOUBLED: transfers.doubled(wallet),
        Kind.PHANTOM: transfers.phantoms(ledger, wallet),
        Kind.BALANCE: transfers.wrong_balances(wallet),
    }
    return [Finding(kind=kind, text=text) for kind, texts in found.items() for text in texts]


def _orders(ledger: Ledger, present: Present) -> list[Finding]:
    by_id = {order["orderId"]: order for order in present.orders}
    findings = []
    for placed in ledger.placed.values():
        problem = _order_problem(placed, by_id.get(placed.order_id))
        if problem:
            text = f"order {placed.order_id} ({placed.client_order_id}): {problem}"
            findings.append(Finding(kind=Kind.LOST, text=text))
    return findings


def _order_problem(placed: Placed, order: Row | None) -> str:
    if order is None:
        return "acknowledged, not there"
    if (order["clientOrderId"], order["side"]) != (placed.client_order_id, placed.side):
        return f"now {order['clientOrderId']} {order['side']}"
    if Decimal(order["origQty"]) != Decimal(placed.quantity):
        return f"its size was {placed.quantity}, now {order['origQty']}"
    if Decimal(order["executedQty"]) < Decimal(placed.executed):
        return f"{placed.executed} of it was executed, now {order['executedQty']}"
    return ""


def _cancels(ledger: Ledger, present: Present) -> list[Finding]:
    by_id = {order["orderId"]: order for order in present.orders}
    findings = []
    for canceled in ledger.canceled.values():
        problem = _cancel_problem(canceled, by_id.get(canceled.order_id))
        if problem:
            text = f"cancel of order {canceled.order_id}: {problem}"
            findings.append(Finding(kind=Kind.LOST, text=text))
    return findings


def _cancel_problem(canceled: Canceled, order: Row | None) -> str:
    if order is None:
        return "the order is not there"
    if order["status"] != "CANCELED":
        return f"acknowledged, but the order is {order['status']}"
    if Decimal(order["executedQty"]) != Decimal(canceled.executed):
        return f"{canceled.executed} was executed when it was canceled, now {order['executedQty']}"
    return ""


def _fills(ledger: Ledger, present: Present) -> list[Finding]:
    by_id = {(trade["symbol"], trade["id"], trade["orderId"]): trade for trade in present.trades}
    findings = []
    for placed in ledger.placed.values():
        for fill in placed.fills:
            trade = by_id.get((placed.symbol, fill.trade_id, placed.order_id))
            if trade is None or not _same_fill(fill, trade):
                text = f"fill {fill.trade_id} of order {placed.order_id}: acknowledged {fill}"
                findings.append(Finding(kind=Kind.LOST, text=f"{text}, now {trade}"))
    return findings


def _same_fill(fill: Fill, trade: Row) -> bool:
    return (
        Decimal(trade["price"]) == Decimal(fill.price)
        and Decimal(trade["qty"]) == Decimal(fill.quantity)
        and Decimal(trade["commission"]) == Decimal(fill.commission)
    )


def _duplicates(ledger: Ledger, present: Present) -> list[Finding]:
    """Find what is there too often, and what should not be there at all."""
    findings = []
    for name, count in Counter(order["clientOrderId"] for order in present.orders).items():
        if count > 1:
            text = f"order {name} was executed {count} times"
            findings.append(Finding(kind=Kind.DUPLICATED, text=text))
        if name in ledger.refused:
            text = f"order {name} was refused or never received, and is there"
            findings.append(Finding(kind=Kind.PHANTOM, text=text))
        elif name not in ledger.sent:
            findings.append(Finding(kind=Kind.PHANTOM, text=f"order {name} was never sent"))
    trades = Counter((trade["symbol"], trade["id"], trade["isBuyer"]) for trade in present.trades)
    findings += [
        Finding(kind=Kind.DUPLICATED, text=f"trade {trade[1]} of {trade[0]} is there {count} times")
        for trade, count in trades.items()
        if count > 1
    ]
    filled: dict[int, Decimal] = {}
    for trade in present.trades:
        filled[trade["orderId"]] = filled.get(trade["orderId"], Decimal(0)) + Decimal(trade["qty"])
    for order in present.orders:
        executed = Decimal(order["executedQty"])
        if filled.get(order["orderId"], Decimal(0)) != executed:
            text = (
                f"order {order['orderId']} has {executed} executed and trades of"
                f" {filled.get(order['orderId'], 0)}"
            )
            findings.append(Finding(kind=Kind.BALANCE, text=text))
    return findings


def _balances(
    present: Present, funds: dict[str, Decimal], markets: dict[str, Market]
) -> list[Finding]:
    """Compute every balance from deposits, transfers and trades, and every hold from orders."""
    owned = dict(funds)
    for asset, amount in present.wallet.moved().items():
        _add(owned, asset, -amount)
    for trade in present.trades:
        market = markets[trade["symbol"]]
        sign = 1 if trade["isBuyer"] else -1
        _add(owned, market.base, sign * Decimal(trade["qty"]))
        _add(owned, market.quote, -sign * Decimal(trade["quoteQty"]))
        _add(owned, trade["commissionAsset"], -Decimal(trade["commission"]))
    held: dict[str, Decimal] = {}
    for order in present.orders:
        if order["status"] in {"NEW", "PARTIALLY_FILLED"}:
            market = markets[order["symbol"]]
            left = Decimal(order["origQty"]) - Decimal(order["executedQty"])
            left -= Decimal(order.get("preventedQuantity", 0))
            if order["side"] == "BUY":
                _add(held, market.quote, left * Decimal(order["price"]))
            else:
                _add(held, market.base, left)
    findings = []
    for asset in sorted({*owned, *present.balances}):
        free, locked = present.balances.get(asset, (Decimal(0), Decimal(0)))
        wanted, hold = owned.get(asset, Decimal(0)), held.get(asset, Decimal(0))
        if (free + locked, locked) != (wanted, hold):
            text = (
                f"{asset}: {free} free and {locked} locked; deposits and trades make {wanted},"
                f" open orders hold {hold}"
            )
            findings.append(Finding(kind=Kind.BALANCE, text=text))
    return findings


def _add(sums: dict[str, Decimal], asset: str, amount: Decimal) -> None:
    sums[asset] = sums.get(asset, Decimal(0)) + amount
