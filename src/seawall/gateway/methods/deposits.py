"""Money coming in, as Binance's clients ask for it.  The rule: credited only at finality.

An address belongs to one user for ever, on every network where it is the same; it is derived when
it is first asked for.
"""

import contextlib

from seawall.core.deposits import address_index
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import amount_text, trimmed
from seawall.gateway.methods.networks import (
    chosen_listing,
    derive,
    funding_refusal,
    known_asset,
    need_addresses,
)
from seawall.gateway.methods.pages import page
from seawall.gateway.params import Params
from seawall.gateway.treasury_port import TreasuryOffError
from seawall.model.events import CommandRejected
from seawall.model.funding import DepositState
from seawall.model.funding_commands import OpenDepositAddress
from seawall.model.funding_rows import Deposit
from seawall.model.ids import FUNDING, UserId
from seawall.model.rejections import Rejection

_STATUS = {
    DepositState.SEEN: 0,
    DepositState.CREDITED: 1,
    DepositState.REVERTED: 2,
    DepositState.IGNORED: 7,
}
_INDEX_ATTEMPTS = 20
"""Several users may ask for the next index at once; all but one take the one after."""


async def address(context: Context, caller: Caller, params: Params) -> object:
    asset = known_asset(context, params)
    listing = chosen_listing(context, params, asset)
    network = listing.listing.network
    text = await address_of(context, caller.user_id, network)
    return {"coin": asset.code, "address": text, "tag": "", "url": "", "network": network}


async def address_of(context: Context, user_id: int, network: str) -> str:
    """Return the user's address on a network, opened now if there is none.

    It is opened on every network where it is the same: what is sent over the wrong one is seen.
    """
    need_addresses(context)
    state = context.node.funding
    for _ in range(_INDEX_ATTEMPTS):
        account = state.book.accounts.get(user_id)
        known = account.deposit_addresses if account else {}
        index = address_index(state, user_id, network)
        text = known.get(network) or await derive(context, network, index)
        same = [code for code in await _where(context, network, index, text) if code not in known]
        refused = await _open(context, user_id, index, text, same)
        if refused is None:
            return text
        if refused.reason is not Rejection.INDEX_TAKEN:
            raise funding_refusal(refused)
    raise errors.overloaded()


async def _where(context: Context, network: str, index: int, text: str) -> list[str]:
    """Return the networks on which this is the address at the index; the one asked for is last."""
    networks = context.node.funding.book.networks
    found = []
    for code, each in networks.items():
        if code == network or each.network.kind is not networks[network].network.kind:
            continue
        with contextlib.suppress(TreasuryOffError):
            if await need_addresses(context).derive(code, index) == text:
                found.append(code)
    return [*found, network]


async def _open(
    context: Context, user_id: int, index: int, text: str, networks: list[str]
) -> CommandRejected | None:
    for network in networks:
        committed = await context.node.submit_funding(
            OpenDepositAddress(user_id=UserId(user_id), network=network, index=index, address=text)
        )
        if isinstance(committed.answer, CommandRejected):
            return committed.answer
    return None


async def history(context: Context, caller: Caller, params: Params) -> object:
    coin, tx_id = params.text("coin"), params.text("txId")
    status = params.integer("status")
    found = [
        deposit
        for deposit in context.money.deposits(caller.user_id)
        if coin in (None, deposit.asset)
        and tx_id in (None, deposit.tx_id)
        and status in (None, _STATUS[deposit.state])
    ]
    return [
        _row(context, deposit, params) for deposit in page(found, params, lambda row: row.seen_ns)
    ]


def _row(context: Context, deposit: Deposit, params: Params) -> dict[str, object]:
    book = context.node.funding.book
    asset = book.assets.get(deposit.asset)
    finality = book.networks[deposit.network].network.finality
    credited = deposit.state is DepositState.CREDITED
    # What is not listed has no decimals that we know.
    amount = str(deposit.atoms)
    if asset is not None:
        amount = trimmed(amount_text(asset, deposit.atoms))
    return {
        "id": f"{deposit.tx_id}-{deposit.output}",
        "amount": amount,
        "coin": deposit.asset,
        "network": deposit.network,
        "status": _STATUS[deposit.state],
        "address": deposit.address,
        "addressTag": "",
        "txId": deposit.tx_id,
        "insertTime": params.time(deposit.seen_ns),
        "completeTime": params.time(deposit.updated_ns) if credited else None,
        "transferType": 0,
        "confirmTimes": f"{deposit.confirmations}/{finality}",
        "unlockConfirm": finality,
        "walletType": 1,
        "info": deposit.reason,
    }


METHODS = (
    Method(
        name="wallet.depositAddress",
        rest=("GET /sapi/v1/capital/deposit/address",),
        handler=address,
        security=Security.USER_DATA,
        weight=10,
        lenient=True,
        always=True,
        params=frozenset({"coin", "network"}),
        cells=(FUNDING,),
        summary="The user's own address; without `network`, on the asset's first one.",
    ),
    Method(
        name="wallet.deposits",
        rest=("GET /sapi/v1/capital/deposit/hisrec",),
        handler=history,
        security=Security.USER_DATA,
        lenient=True,
        params=frozenset({"coin", "status", "startTime", "endTime", "offset", "limit", "txId"}),
        cells=(FUNDING,),
        summary="Deposits, newest first. Status: 0 seen, 1 credited, 2 reverted, 7 ignored;"
        " they arrive in the funding wallet.",
    ),
)
