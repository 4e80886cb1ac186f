"""Money going out, as Binance's clients ask for it.  The rule: one `withdrawOrderId`, one payment.

Withdrawals leave the funding wallet.  `walletType` 1 takes the amount from there; 0 first moves all
of it over from the spot wallet; without it, only what is missing is moved.  Both steps are
journaled and happen at most once under a `withdrawOrderId`: a repeat goes on where the first
attempt ended.
"""

from datetime import UTC, datetime

from seawall.core.withdrawals import refuse_request
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import amount_text, trimmed
from seawall.gateway.methods.networks import (
    INSUFFICIENT,
    chosen_listing,
    funding_refusal,
    known_asset,
    need_amount,
    payee,
    submit_funding,
)
from seawall.gateway.methods.pages import page
from seawall.gateway.methods.transfers import client_id, move
from seawall.gateway.params import Params
from seawall.model.commands import RequestTransfer
from seawall.model.funding import TransferState, WithdrawalState
from seawall.model.funding_commands import RequestWithdrawal
from seawall.model.funding_events import WithdrawalChanged
from seawall.model.funding_rows import Withdrawal
from seawall.model.ids import FUNDING, SPOT, UserId
from seawall.model.rejections import Rejection

_STATUS = {
    WithdrawalState.AWAITING_APPROVAL: 2,
    WithdrawalState.QUEUED: 4,
    WithdrawalState.PREPARED: 4,
    WithdrawalState.BROADCAST: 4,
    WithdrawalState.SETTLED: 6,
    WithdrawalState.REJECTED: 3,
    WithdrawalState.CANCELED: 1,
    WithdrawalState.RETURNED: 5,
}


async def apply(context: Context, caller: Caller, params: Params) -> object:
    if params.values.get("addressTag"):
        raise errors.not_required("addressTag")
    asset = known_asset(context, params)
    listing = chosen_listing(context, params, asset)
    network = listing.listing.network
    address = params.need_text("address")
    command = RequestWithdrawal(
        user_id=UserId(caller.user_id),
        asset=asset.code,
        network=network,
        address=await payee(context, network, address),
        atoms=need_amount(params, asset),
        client_withdrawal_id=client_id(params, "withdrawOrderId"),
    )
    if not _asked_before(context, command):
        missing = _missing(context, command, params.integer("walletType", 0, 1))
        if missing > 0:
            await _bring_over(context, command, missing)
    committed = await submit_funding(context, command)
    changed = next(event for event in committed.events if isinstance(event, WithdrawalChanged))
    return {"id": str(changed.withdrawal.withdrawal_id)}


def _asked_before(context: Context, command: RequestWithdrawal) -> bool:
    """Say whether the id is taken; the core then answers with its withdrawal, or refuses."""
    account = context.node.funding.book.accounts.get(command.user_id)
    name = command.client_withdrawal_id
    return account is not None and bool(name) and name in account.withdrawals


def _missing(context: Context, command: RequestWithdrawal, wallet_type: int | None) -> int:
    """Return what is to come over from the spot wallet first."""
    if wallet_type == 1:
        return 0
    if wallet_type == 0:
        return command.atoms
    return command.atoms - context.node.funding.ledger.free(command.user_id, command.asset)


async def _bring_over(context: Context, command: RequestWithdrawal, atoms: int) -> None:
    """Move what is missing, unless the withdrawal would be refused anyway."""
    refusal = refuse_request(context.node.funding, command, coming=atoms)
    if refusal is not None:
        raise funding_refusal(refusal)
    name = f"withdrawal/{command.client_withdrawal_id}" if command.client_withdrawal_id else ""
    box = context.node.spot.mailbox
    earlier = box.client_transfers.get(f"{command.user_id}/{name}") if name else None
    if earlier is not None:
        # An earlier attempt has moved some; what was missing then may not be what is missing now.
        atoms = box.transfers[earlier].atoms
    sent = await move(
        context,
        SPOT,
        RequestTransfer(
            user_id=command.user_id,
            target=FUNDING,
            asset=command.asset,
            atoms=atoms,
            client_transfer_id=name,
        ),
        INSUFFICIENT,
    )
    if sent.transfer.state is TransferState.RETURNED:
        raise errors.rejected(Rejection(sent.transfer.reason), INSUFFICIENT)
    if sent.transfer.state is TransferState.PENDING:
        # The money is on its way: asked again under the same id, it goes on from there.
        raise errors.outcome_unknown()


async def history(context: Context, caller: Caller, params: Params) -> object:
    coin, order_id = params.text("coin"), params.text("withdrawOrderId")
    status = params.integer("status")
    ids = (params.text("idList") or "").split(",") if "idList" in params else None
    found = [
        row
        for row in context.money.withdrawals(caller.user_id)
        if coin in (None, row.asset)
        and order_id in (None, row.client_withdrawal_id)
        and status in (None, _STATUS[row.state])
        and (ids is None or str(row.withdrawal_id) in ids)
    ]
    return [_row(context, row) for row in page(found, params, lambda each: each.requested_ns)]


def _row(context: Context, row: Withdrawal) -> dict[str, object]:
    asset = context.node.funding.book.assets[row.asset]
    latest = row.attempts[-1].tx_id if row.attempts else ""
    answer: dict[str, object] = {
        "id": str(row.withdrawal_id),
        "amount": trimmed(amount_text(asset, row.atoms - row.fee)),
        "transactionFee": trimmed(amount_text(asset, row.fee)),
        "coin": row.asset,
        "status": _STATUS[row.state],
        "address": row.address,
        "addressTag": "",
        "txId": row.tx_id or latest,
        "applyTime": _text(row.requested_ns),
        "network": row.network,
        "transferType": 0,
        "info": row.reason,
        "confirmNo": row.confirmations,
        "walletType": 1,
        "txKey": "",
    }
    if row.client_withdrawal_id:
        answer["withdrawOrderId"] = row.client_withdrawal_id
    if row.state is WithdrawalState.SETTLED:
        answer["completeTime"] = _text(row.updated_ns)
    return answer


def _text(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


_HISTORY_PARAMS = frozenset(
    {"coin", "withdrawOrderId", "status", "idList", "startTime", "endTime", "offset", "limit"}
)

METHODS = (
    Method(
        name="wallet.withdraw",
        rest=("POST /sapi/v1/capital/withdraw/apply",),
        handler=apply,
        security=Security.WITHDRAW,
        weight=100,
        lenient=True,
        params=frozenset(
            {"coin", "network", "address", "amount", "withdrawOrderId", "walletType", "addressTag"}
        ),
        cells=(FUNDING,),
        summary="Asks for a withdrawal; the address gets the amount less the fee. A"
        " `withdrawOrderId` takes effect once. `walletType`: 1 from the funding wallet, 0 from the"
        " spot wallet; without it, from the funding wallet, and from spot what is missing there.",
    ),
    Method(
        name="wallet.withdrawals",
        rest=("GET /sapi/v1/capital/withdraw/history",),
        handler=history,
        security=Security.USER_DATA,
        lenient=True,
        params=frozenset(
            {
                "coin",
                "withdrawOrderId",
                "status",
                "idList",
                "startTime",
                "endTime",
                "offset",
                "limit",
            }
        ),
        cells=(FUNDING,),
        summary="Withdrawals, newest first; `amount` is what the address gets. Status: 2 awaits"
        " approval, 4 processing, 6 paid, 1 canceled, 3 rejected, 5 returned.",
    ),
)
