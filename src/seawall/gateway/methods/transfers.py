"""Transfers between a user's own wallets.  The rule: one client id is one transfer, for ever.

The answer waits until the money has arrived, so that whoever was answered can use it; if it does
not arrive in time it is still on its way, and the list of transfers says so.
"""

from typing import Final

from msgspec import Struct

from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import amount_text, trimmed
from seawall.gateway.methods.networks import known_asset, need_amount
from seawall.gateway.methods.pages import page
from seawall.gateway.params import Params
from seawall.model.commands import RequestTransfer
from seawall.model.events import CommandRejected
from seawall.model.funding import TransferState
from seawall.model.funding_events import TransferRequested
from seawall.model.ids import FUNDING, MONEY_CELLS, SPOT, UserId
from seawall.model.limits import COMMAND_ID_CHARS, QUERY_ROWS
from seawall.model.mailbox import Transfer

TYPES: Final = {"MAIN_FUNDING": (SPOT, FUNDING), "FUNDING_MAIN": (FUNDING, SPOT)}
"""Source and target of each type that there is."""
INSUFFICIENT: Final = -5013
ARRIVAL_S: Final = 5
_STATUS = {
    TransferState.PENDING: "PENDING",
    TransferState.CONFIRMED: "CONFIRMED",
    TransferState.RETURNED: "FAILED",
}
_CELLS_PER_ID: Final = 16
"""Each cell numbers its own transfers; a client sees one number, with the cell in its remainder."""


class Sent(Struct, frozen=True):
    """A transfer with the cell it left."""

    source: str
    transfer: Transfer

    @property
    def number(self) -> int:
        """Its number among all cells' transfers."""
        return self.transfer.transfer_id * _CELLS_PER_ID + MONEY_CELLS.index(self.source)

    @property
    def kind(self) -> str:
        wanted = (self.source, self.transfer.target)
        return next(name for name, ends in TYPES.items() if ends == wanted)


async def move(
    context: Context, source: str, command: RequestTransfer, insufficient: int = INSUFFICIENT
) -> Sent:
    """Move money between wallets and wait a while for its arrival; a refusal is raised."""
    node = context.node
    submit = node.submit_spot if source == SPOT else node.submit_funding
    committed = await submit(command)
    refused = committed.answer
    if isinstance(refused, CommandRejected):
        raise errors.rejected(refused.reason, insufficient)
    asked = next(event for event in committed.events if isinstance(event, TransferRequested))
    await node.relay.settled(source, asked.transfer, ARRIVAL_S)
    return Sent(source, asked.transfer)


async def transfer(context: Context, caller: Caller, params: Params) -> object:
    source, target = _ends(params)
    asset = known_asset(context, params, "asset")
    sent = await move(
        context,
        source,
        RequestTransfer(
            user_id=UserId(caller.user_id),
            target=target,
            asset=asset.code,
            atoms=need_amount(params, asset),
            client_transfer_id=client_id(params, "clientTranId"),
        ),
    )
    return {"tranId": sent.number}


def _ends(params: Params) -> tuple[str, str]:
    params.need_text("type")
    kind = params.one_of("type", TYPES)
    return TYPES[kind or ""]


def client_id(params: Params, name: str) -> str:
    """Return a client's own id, or nothing."""
    text = params.text(name) or ""
    if len(text) > COMMAND_ID_CHARS or not (text.isascii() and text.isprintable()):
        raise errors.invalid_value(name)
    return text


async def history(context: Context, caller: Caller, params: Params) -> object:
    ends = _ends(params)
    found = [
        Sent(source, row)
        for source, row in context.money.transfers(caller.user_id)
        if (source, row.target) == ends
    ]
    rows = page(found, params, lambda sent: sent.transfer.requested_ns)
    size = min(params.integer("size", low=1) or 10, QUERY_ROWS)
    first = ((params.integer("current", low=1) or 1) - 1) * size
    return {
        "total": len(rows),
        "rows": [row(context, sent, params) for sent in rows[first : first + size]],
    }


def row(context: Context, sent: Sent, params: Params) -> dict[str, object]:
    """Return a transfer as asset/transfer shows it."""
    transfer = sent.transfer
    asset = context.node.spot.assets[transfer.asset]
    return {
        "timestamp": params.time(transfer.requested_ns),
        "asset": transfer.asset,
        "amount": trimmed(amount_text(asset, transfer.atoms)),
        "type": sent.kind,
        "status": _STATUS[transfer.state],
        "tranId": sent.number,
        "clientTranId": transfer.client_transfer_id,
    }


METHODS = (
    Method(
        name="wallet.transfer",
        rest=("POST /sapi/v1/asset/transfer",),
        handler=transfer,
        security=Security.TRADE,
        weight=10,
        lenient=True,
        params=frozenset({"type", "asset", "amount", "clientTranId"}),
        summary="Moves money between the user's wallets: MAIN_FUNDING or FUNDING_MAIN; a"
        " `clientTranId` takes effect once.",
    ),
    Method(
        name="wallet.transfers",
        rest=("GET /sapi/v1/asset/transfer",),
        handler=history,
        security=Security.USER_DATA,
        lenient=True,
        params=frozenset({"type", "startTime", "endTime", "current", "size"}),
        cells=MONEY_CELLS,
        summary="Transfers of a type, newest first.",
    ),
)
