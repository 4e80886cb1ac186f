"""Assets on networks, as the wallet's methods need them.  The rule: flags tell this very moment."""

from seawall.core import stage_limits
from seawall.core.withdrawals import daily_room
from seawall.gateway import errors
from seawall.gateway.context import Context
from seawall.gateway.encode import amount_text, trimmed
from seawall.gateway.params import Params
from seawall.gateway.treasury_port import (
    AddressRefusedError,
    DepositAddresses,
    TreasuryOffError,
)
from seawall.model.events import CommandRejected
from seawall.model.funding import NetworkKind, Service, ServiceStatus
from seawall.model.funding_commands import FundingCommand
from seawall.model.funding_rows import ListingState, ServiceState
from seawall.model.ids import FUNDING
from seawall.model.instruments import Asset
from seawall.model.posture import withdrawal_service
from seawall.node.driver import Committed
from seawall.views.control_view import lease_over

INSUFFICIENT = -4026
STOPPED = "withdrawals stopped by themselves: nobody has said lately that all is well"
NO_TREASURY = "no treasury runs: nothing can come in or go out"
_ADDRESSES = {NetworkKind.EVM: "^(0x)[0-9A-Fa-f]{40}$", NetworkKind.UTXO: "^[0-9A-Za-z]{25,90}$"}
_MINUTE_MS = 60_000


def known_asset(context: Context, params: Params, name: str = "coin") -> Asset:
    asset = context.node.funding.book.assets.get(params.need_text(name))
    if asset is None:
        raise errors.invalid_value(name)
    return asset


def listings_of(context: Context, asset: str) -> list[ListingState]:
    listings = context.node.funding.book.listings.values()
    return [listing for listing in listings if listing.listing.asset == asset]


def chosen_listing(context: Context, params: Params, asset: Asset) -> ListingState:
    """Return the asset on the network that was named, or on its first one."""
    network = params.text("network")
    for listing in listings_of(context, asset.code):
        if network in (None, listing.listing.network):
            return listing
    raise errors.not_listed() if network is None else errors.invalid_value("network")


def need_addresses(context: Context) -> DepositAddresses:
    if context.addresses is None:
        raise errors.no_treasury()
    return context.addresses


async def payee(context: Context, network: str, text: str) -> str:
    """Return an address in its canonical form, or refuse it."""
    try:
        return await need_addresses(context).payee(network, text)
    except AddressRefusedError as error:
        raise errors.bad_address(str(error)) from None
    except TreasuryOffError as error:
        raise errors.treasury_off(str(error)) from None


async def derive(context: Context, network: str, index: int) -> str:
    """Return the deposit address at an index, or say why it cannot be known now."""
    try:
        return await need_addresses(context).derive(network, index)
    except TreasuryOffError as error:
        raise errors.treasury_off(str(error)) from None


def need_amount(params: Params, asset: Asset, name: str = "amount") -> int:
    atoms = params.decimal(name, asset.decimals)
    if atoms is None:
        raise errors.missing(name)
    return atoms


async def submit_funding(context: Context, command: FundingCommand) -> Committed:
    """Submit a command, or raise the error that answers its refusal."""
    committed = await context.node.submit_funding(command)
    refused = committed.answer
    if isinstance(refused, CommandRejected):
        raise funding_refusal(refused)
    return committed


def funding_refusal(refused: CommandRejected) -> errors.ApiError:
    return errors.rejected(refused.reason, INSUFFICIENT)


def network_rows(context: Context, user_id: int, asset: str) -> list[dict[str, object]]:
    """Return the asset's networks, as capital/config/getall shows them."""
    return [
        _row(context, user_id, listing, is_default=number == 0)
        for number, listing in enumerate(listings_of(context, asset))
    ]


def _row(
    context: Context, user_id: int, state: ListingState, *, is_default: bool
) -> dict[str, object]:
    terms = state.listing
    book = context.node.funding.book
    asset = book.assets[terms.asset]
    network = book.networks[terms.network].network

    def amount(atoms: int) -> str:
        return trimmed(amount_text(asset, atoms))

    runs, why = _runs(context, terms.network, Service.DEPOSIT, state.deposit)
    pays, why_not = _runs(context, terms.network, Service.WITHDRAWAL, state.withdrawal)
    if pays and lease_over(context.node.funding, context.now_ns()):
        pays, why_not = False, STOPPED
    elif why_not == state.withdrawal.reason:
        why_not += way_back(context, withdrawal_service(terms.asset, terms.network))
    most = daily_room(context.node.funding, user_id, terms.asset)
    if state.withdrawal.status is ServiceStatus.LIMITED:
        largest = stage_limits.largest(state)
        most = largest if most is None else min(most, largest)
    unit = int(10 ** (asset.decimals - terms.chain_decimals))
    return {
        "network": terms.network,
        "coin": terms.asset,
        "name": network.name,
        "isDefault": is_default,
        "depositEnable": runs,
        "depositDesc": why,
        "withdrawEnable": pays,
        "withdrawDesc": why_not,
        "specialTips": "",
        "specialWithdrawTips": slow(context, terms.network),
        "resetAddressStatus": False,
        "addressRegex": _ADDRESSES[network.kind],
        "memoRegex": "",
        "withdrawFee": amount(terms.withdrawal_fee),
        "withdrawMin": amount(terms.min_withdrawal),
        "withdrawMax": "9999999999" if most is None else amount(max(most, 0)),
        "withdrawInternalMin": amount(unit),
        "withdrawIntegerMultiple": amount(unit),
        "depositDust": amount(terms.min_deposit),
        "minConfirm": network.finality,
        "unLockConfirm": network.finality,
        "sameAddress": False,
        "withdrawTag": False,
        "estimatedArrivalTime": -(-network.finality * network.block_ms // _MINUTE_MS),
        "busy": bool(state.queue),
        "contractAddressUrl": "",
        "contractAddress": terms.contract,
    }


def way_back(context: Context, service: str) -> str:
    """Return where a service stands on its way back, in words; nothing if it is on none."""
    book = context.node.control.book
    row = book.services.get(service)
    plan = book.plans.get(row.plan) if row is not None else None
    if row is None or row.stage is None or plan is None:
        return ""
    gate = next((each.gate for each in plan.gates if not each.passed), "")
    waits = f", waits for {gate}" if gate else ""
    return f" (reopening: {row.stage.value}{waits})"


def slow(context: Context, network: str) -> str:
    """Return why payments of the network take longer now, or nothing."""
    return "" if context.addresses is None else context.addresses.waits(network)


def _runs(
    context: Context, network: str, service: Service, state: ServiceState
) -> tuple[bool, str]:
    """Return whether a service does its work now, and the reason it gives."""
    if context.addresses is None:
        return False, NO_TREASURY
    if not context.is_current(FUNDING):
        return False, "the funding cell does not answer"
    if state.status is ServiceStatus.PAUSED:
        return False, state.reason
    off = context.addresses.off(network, service)
    if off:
        return False, off
    return True, "" if state.status is ServiceStatus.OPEN else state.reason
