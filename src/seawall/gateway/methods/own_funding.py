"""`/seawall/v1` for money in and out.  The rule: whoever waits is told why, where and how long."""

from seawall.core.withdrawal_queue import outlook
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import amount_text
from seawall.gateway.methods.networks import payee, slow, submit_funding
from seawall.gateway.methods.pages import page
from seawall.gateway.methods.transfers import Sent
from seawall.gateway.params import Params
from seawall.model.funding import Wait
from seawall.model.funding_commands import (
    AddAddress,
    CancelWithdrawal,
    RemoveAddress,
    SetAllowList,
)
from seawall.model.funding_rows import Withdrawal
from seawall.model.ids import FUNDING, SPOT, UserId


async def withdrawals(context: Context, caller: Caller, params: Params) -> object:
    rows = context.money.withdrawals(caller.user_id)
    if params.flag("open"):
        rows = [row for row in rows if not row.state.ended]
    return {
        "withdrawals": [
            withdrawal_row(context, row, params)
            for row in page(rows, params, lambda each: each.requested_ns)
        ],
    }


def withdrawal_row(context: Context, row: Withdrawal, params: Params) -> dict[str, object]:
    """Return a withdrawal with its prospects."""
    state = context.node.funding
    seen = outlook(state, row)
    # What the journal does not know: only a payment that could be signed waits for its fee.
    late = slow(context, row.network) if seen.wait is Wait.SIGNING else ""
    asset = state.book.assets[row.asset]
    return {
        "id": row.withdrawal_id,
        "withdrawOrderId": row.client_withdrawal_id,
        "asset": row.asset,
        "network": row.network,
        "address": row.address,
        "amount": amount_text(asset, row.atoms),
        "fee": amount_text(asset, row.fee),
        "state": row.state,
        "cancelable": row.state.cancelable,
        "reason": seen.wait or row.reason,
        "detail": late or seen.detail,
        "position": seen.position,
        "estimateMs": None if late else seen.estimate_ms,
        "approvals": len(row.approvals),
        "txIds": [attempt.tx_id for attempt in row.attempts],
        "txId": row.tx_id,
        "confirmations": row.confirmations,
        "requestedAt": params.time(row.requested_ns),
        "updatedAt": params.time(row.updated_ns),
    }


async def cancel_withdrawal(context: Context, caller: Caller, params: Params) -> object:
    number = params.need_integer("id")
    await submit_funding(
        context, CancelWithdrawal(user_id=UserId(caller.user_id), withdrawal_id=number)
    )
    return withdrawal_row(context, context.node.funding.book.withdrawals[number], params)


async def transfers(context: Context, caller: Caller, params: Params) -> object:
    node = context.node
    now_ns = max(node.spot.at_ns, node.funding.at_ns)
    rows = [Sent(source, row) for source, row in context.money.transfers(caller.user_id)]
    return {
        "transfers": [
            _transfer_row(context, sent, params, now_ns)
            for sent in page(rows, params, lambda each: each.transfer.requested_ns)
        ],
    }


def _transfer_row(context: Context, sent: Sent, params: Params, now_ns: int) -> dict[str, object]:
    transfer = sent.transfer
    asset = context.node.spot.assets[transfer.asset]
    ended_ns = transfer.settled_ns or now_ns
    return {
        "id": sent.number,
        "clientTransferId": transfer.client_transfer_id,
        "source": sent.source,
        "target": transfer.target,
        "asset": transfer.asset,
        "amount": amount_text(asset, transfer.atoms),
        "state": transfer.state,
        "reason": transfer.reason,
        "requestedAt": params.time(transfer.requested_ns),
        "ageMs": max(0, ended_ns - transfer.requested_ns) // 1_000_000,
    }


async def addresses(context: Context, caller: Caller, params: Params) -> object:
    return _book(context, caller, params)


def _book(context: Context, caller: Caller, params: Params) -> dict[str, object]:
    state = context.node.funding
    account = state.book.accounts.get(caller.user_id)
    book = {} if account is None else account.book
    until_ns = 0 if account is None else account.book_until_ns
    return {
        "onlyBook": account is not None and (account.only_book or state.at_ns < until_ns),
        "addresses": [
            {
                "network": network,
                "address": address,
                "label": entry.label,
                "addedAt": params.time(entry.added_ns),
                "usableAt": params.time(entry.added_ns + state.book.address_wait_ns),
            }
            for network, entries in book.items()
            for address, entry in entries.items()
        ],
    }


async def add_address(context: Context, caller: Caller, params: Params) -> object:
    network = _network(context, params)
    await submit_funding(
        context,
        AddAddress(
            user_id=UserId(caller.user_id),
            network=network,
            address=await payee(context, network, params.need_text("address")),
            label=params.text("label") or "",
        ),
    )
    return _book(context, caller, params)


async def remove_address(context: Context, caller: Caller, params: Params) -> object:
    network = _network(context, params)
    await submit_funding(
        context,
        RemoveAddress(
            user_id=UserId(caller.user_id),
            network=network,
            address=await payee(context, network, params.need_text("address")),
        ),
    )
    return _book(context, caller, params)


async def only_book(context: Context, caller: Caller, params: Params) -> object:
    wanted = params.flag("onlyBook")
    if wanted is None:
        raise errors.missing("onlyBook")
    await submit_funding(context, SetAllowList(user_id=UserId(caller.user_id), only_book=wanted))
    return _book(context, caller, params)


def _network(context: Context, params: Params) -> str:
    network = params.need_text("network")
    if network not in context.node.funding.book.networks:
        raise errors.invalid_value("network")
    return network


METHODS = (
    Method(
        name="seawall.withdrawals",
        rest=("GET /seawall/v1/withdrawals",),
        handler=withdrawals,
        security=Security.USER_DATA,
        weight=5,
        always=True,
        params=frozenset({"open", "startTime", "endTime", "offset", "limit"}),
        cells=(FUNDING,),
        dated=True,
        summary="Withdrawals with state, reason, place in the queue and time to arrival.",
    ),
    Method(
        name="seawall.withdrawals.cancel",
        rest=("DELETE /seawall/v1/withdrawals",),
        handler=cancel_withdrawal,
        security=Security.WITHDRAW,
        params=frozenset({"id"}),
        cells=(FUNDING,),
        dated=True,
        summary="Takes a withdrawal back while nothing was signed.",
    ),
    Method(
        name="seawall.transfers",
        rest=("GET /seawall/v1/transfers",),
        handler=transfers,
        security=Security.USER_DATA,
        weight=5,
        always=True,
        params=frozenset({"startTime", "endTime", "offset", "limit"}),
        cells=(FUNDING, SPOT),
        dated=True,
        summary="Transfers between the user's wallets, each with its state and age.",
    ),
    Method(
        name="seawall.addresses",
        rest=("GET /seawall/v1/addresses",),
        handler=addresses,
        security=Security.USER_DATA,
        always=True,
        params=frozenset(),
        cells=(FUNDING,),
        dated=True,
        summary="The address book, and whether withdrawals go to its addresses only.",
    ),
    Method(
        name="seawall.addresses.add",
        rest=("POST /seawall/v1/addresses",),
        handler=add_address,
        security=Security.WITHDRAW,
        params=frozenset({"network", "address", "label"}),
        cells=(FUNDING,),
        dated=True,
        summary="Enters an address; it can be paid to by the book once its waiting time is over.",
    ),
    Method(
        name="seawall.addresses.remove",
        rest=("DELETE /seawall/v1/addresses",),
        handler=remove_address,
        security=Security.WITHDRAW,
        params=frozenset({"network", "address"}),
        cells=(FUNDING,),
        dated=True,
        summary="Strikes an address from the book.",
    ),
    Method(
        name="seawall.addresses.only",
        rest=("POST /seawall/v1/addresses/only",),
        handler=only_book,
        security=Security.WITHDRAW,
        params=frozenset({"onlyBook"}),
        cells=(FUNDING,),
        dated=True,
        summary="Keeps withdrawals to the book from now on, or leaves it after the waiting time.",
    ),
)
