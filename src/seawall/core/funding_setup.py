"""What the funding cell is told of assets, networks and terms.  The rule: listed once, checked."""

from seawall.core.funding_state import FundingState
from seawall.model import limits
from seawall.model.commands import ListAsset
from seawall.model.events import AssetListed, CommandRejected, Event
from seawall.model.funding import Listing, ListingError, Network, Service
from seawall.model.funding_commands import (
    ListNetwork,
    OfferAsset,
    SetAddressWait,
    SetDailyLimit,
    SetFundingTier,
    SetService,
)
from seawall.model.funding_events import AssetOffered, FundingRuleSet, NetworkListed, ServiceChanged
from seawall.model.funding_rows import ListingState, NetworkState, ServiceState
from seawall.model.rejections import Rejection


def list_asset(state: FundingState, command: ListAsset) -> list[Event]:
    if command.asset.code in state.book.assets:
        return [CommandRejected(Rejection.ALREADY_EXISTS, command.asset.code)]
    if not command.asset.code or "/" in command.asset.code:
        return [CommandRejected(Rejection.INVALID_DEFINITION, command.asset.code)]
    if not 0 <= command.asset.decimals <= limits.ASSET_DECIMALS:
        return [CommandRejected(Rejection.INVALID_DEFINITION, command.asset.code)]
    state.book.assets[command.asset.code] = command.asset
    return [AssetListed(command.asset)]


def list_network(state: FundingState, command: ListNetwork) -> list[Event]:
    network = command.network
    if network.code in state.book.networks:
        return [CommandRejected(Rejection.ALREADY_EXISTS, network.code)]
    native = state.book.assets.get(network.native)
    if native is None:
        return [CommandRejected(Rejection.UNKNOWN_ASSET, network.native)]
    if network.finality < 1 or network.block_ms < 1 or not network.code or "/" in network.code:
        return [CommandRejected(Rejection.INVALID_DEFINITION, network.code)]
    if native.decimals != network.native_decimals:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "native_decimals")]
    number = len(state.book.networks)
    state.book.networks[network.code] = NetworkState(network=network, number=number)
    return [NetworkListed(network)]


def offer_asset(state: FundingState, command: OfferAsset) -> list[Event]:
    """List an asset on a network; for one that is listed, change all but contract and decimals."""
    terms = command.listing
    asset = state.book.assets.get(terms.asset)
    if asset is None:
        return [CommandRejected(Rejection.UNKNOWN_ASSET, terms.asset)]
    network = state.book.networks.get(terms.network)
    if network is None:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK, terms.network)]
    try:
        terms.check(asset.decimals)
    except ListingError as error:
        return [CommandRejected(Rejection.INVALID_DEFINITION, str(error))]
    wrong = _wrong_contract(state, network.network, terms)
    if wrong:
        return [CommandRejected(Rejection.INVALID_DEFINITION, wrong)]
    known = state.listing(terms.asset, terms.network)
    if known is None:
        state.book.listings[f"{terms.asset}/{terms.network}"] = ListingState(
            listing=terms,
            deposit=ServiceState(since_ns=state.at_ns),
            withdrawal=ServiceState(since_ns=state.at_ns),
        )
        return [AssetOffered(terms)]
    if (known.listing.contract, known.listing.chain_decimals) != (
        terms.contract,
        terms.chain_decimals,
    ):
        return [CommandRejected(Rejection.INVALID_DEFINITION, "contract and decimals stay")]
    known.listing = terms
    return [AssetOffered(terms)]


def _wrong_contract(state: FundingState, network: Network, terms: Listing) -> str:
    """Say what is wrong with where the asset lives on chain, or nothing."""
    if (terms.asset == network.native) == bool(terms.contract):
        return "contract: the network's own coin has none, every other asset has one"
    if not terms.contract and terms.chain_decimals != network.native_decimals:
        return "chain_decimals: the network's own coin has the network's"
    for listing in state.book.listings.values():
        known = listing.listing
        if (known.network, known.contract) == (terms.network, terms.contract) and (
            known.asset != terms.asset
        ):
            return f"contract: it is {known.asset}"
    return ""


def set_service(state: FundingState, command: SetService) -> list[Event]:
    """Move a service; an order of the control cell counts once, and never after a later one."""
    listing = state.listing(command.asset, command.network)
    if listing is None:
        return [CommandRejected(Rejection.UNKNOWN_LISTING)]
    if not command.reason:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "reason")]
    match command.service:
        case Service.DEPOSIT:
            service = listing.deposit
        case Service.WITHDRAWAL:
            service = listing.withdrawal
    limits_given = (command.per_withdrawal, command.per_user, command.total)
    if min(command.order, *limits_given) < 0:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "order and limits")]
    if 0 < command.order < service.order:
        return [CommandRejected(Rejection.STALE_ORDER, f"{service.order} is the last")]
    if command.order:
        if command.order == service.order:
            return []
    elif (service.status, service.reason) == (command.status, command.reason) and (
        (service.per_withdrawal, service.per_user, service.total) == limits_given
    ):
        return []
    service.status = command.status
    service.reason = command.reason
    service.person = command.person
    service.since_ns = state.at_ns
    service.order = command.order or service.order
    service.per_withdrawal, service.per_user, service.total = limits_given
    service.prepared = 0
    service.prepared_by = {}
    return [
        ServiceChanged(
            command.asset, command.network, command.service, command.status, command.reason
        )
    ]


def set_daily_limit(state: FundingState, command: SetDailyLimit) -> list[Event]:
    if command.asset not in state.book.assets:
        return [CommandRejected(Rejection.UNKNOWN_ASSET)]
    if command.atoms < 0 or command.tier < 0:
        return [CommandRejected(Rejection.INVALID_DEFINITION)]
    state.book.daily_limits[f"{command.tier}/{command.asset}"] = command.atoms
    return [FundingRuleSet("daily_limit")]


def set_funding_tier(state: FundingState, command: SetFundingTier) -> list[Event]:
    if command.tier < 0:
        return [CommandRejected(Rejection.UNKNOWN_TIER)]
    state.account(command.user_id).tier = command.tier
    return [FundingRuleSet("tier")]


def set_address_wait(state: FundingState, command: SetAddressWait) -> list[Event]:
    if command.wait_ms < 0:
        return [CommandRejected(Rejection.INVALID_DEFINITION)]
    state.book.address_wait_ns = command.wait_ms * 1_000_000
    return [FundingRuleSet("address_wait")]
