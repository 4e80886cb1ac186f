"""Turns configured networks and listings into definitions.  The rule: as cli/definitions.py's."""

from typing import Final

from seawall.cli.configuration import ConfigurationError
from seawall.cli.definitions import exact
from seawall.cli.settings import Configuration, ListingSection, NetworkSection
from seawall.model.funding import Listing, ListingError, Network, NetworkKind
from seawall.model.funding_commands import SetDailyLimit
from seawall.model.ids import AssetCode

DEMO_CHAIN_ID: Final = 31337
"""What development chains call themselves."""


def networks(configuration: Configuration) -> list[Network]:
    """Return the networks; a demo's are final sooner."""
    found: list[Network] = []
    for section in configuration.network:
        place = f"network {section.code}"
        in_demo = configuration.exchange.demo and section.finality_in_demo
        if any(network.code == section.code for network in found):
            raise ConfigurationError(
                f"{place} stands twice", "Give each network a code of its own."
            )
        found.append(
            Network(
                code=section.code,
                name=section.name,
                kind=section.kind,
                chain_id=section.chain_id,
                finality=section.finality_in_demo if in_demo else section.finality,
                native=AssetCode(section.native),
                native_decimals=_decimals(configuration, section.native, place),
                block_ms=_block_ms(configuration, section),
            )
        )
    return found


def _block_ms(configuration: Configuration, section: NetworkSection) -> int:
    """Return the usual time between blocks; a demo's own chain has its own."""
    own = has_demo_chain(configuration) and _can_be_demo(section.kind, section.chain_id)
    return configuration.demo.block_ms if own else section.block_ms


def has_demo_chain(configuration: Configuration) -> bool:
    """Return whether `up` brings a chain along: in a demo, unless treasuries are configured."""
    wanted = configuration.exchange.demo and configuration.demo.chain and not configuration.treasury
    return wanted and any(
        _can_be_demo(section.kind, section.chain_id) for section in configuration.network
    )


def demo_network(configuration: Configuration) -> Network:
    """Return the network that the demo's chain serves; there is one."""
    return next(
        network
        for network in networks(configuration)
        if _can_be_demo(network.kind, network.chain_id)
    )


def _can_be_demo(kind: NetworkKind, chain_id: int) -> bool:
    return kind is NetworkKind.EVM and chain_id == DEMO_CHAIN_ID


def listings(configuration: Configuration) -> list[Listing]:
    """Return the listings, each checked against its asset and its network."""
    by_code = {network.code: network for network in networks(configuration)}
    found = []
    for section in configuration.listing:
        place = f"listing of {section.asset} on {section.network}"
        network = by_code.get(section.network)
        if network is None:
            raise ConfigurationError(
                f"{place}: there is no network {section.network}",
                "Add a [[network]] with this code, or name one that there is.",
            )
        decimals = _decimals(configuration, section.asset, place)
        listing = _listing(section, decimals, place)
        try:
            listing.check(decimals)
        except ListingError as error:
            raise ConfigurationError(str(error), "Change the listing so that it holds.") from error
        if (section.asset == network.native) == bool(section.contract):
            raise ConfigurationError(
                f"{place}: the network's own coin has no contract, every other asset has one",
                "Mend `contract`.",
            )
        found.append(listing)
    return found


def _listing(section: ListingSection, decimals: int, place: str) -> Listing:
    def amount(name: str) -> int:
        return exact(f"{place}: {name}", getattr(section, name), decimals)

    return Listing(
        asset=AssetCode(section.asset),
        network=section.network,
        chain_decimals=section.chain_decimals,
        contract=section.contract,
        min_deposit=amount("min_deposit"),
        min_withdrawal=amount("min_withdrawal"),
        withdrawal_fee=amount("withdrawal_fee"),
        approval_above=amount("approval_above"),
        limited_max=amount("limited_max"),
        hot_floor=amount("hot_floor"),
    )


def daily_limits(configuration: Configuration) -> list[SetDailyLimit]:
    found = []
    for section in configuration.daily_limit:
        place = f"daily_limit of {section.asset} for tier {section.tier}"
        decimals = _decimals(configuration, section.asset, place)
        atoms = exact(place, section.amount, decimals)
        found.append(SetDailyLimit(tier=section.tier, asset=AssetCode(section.asset), atoms=atoms))
    return found


def _decimals(configuration: Configuration, asset: str, place: str) -> int:
    section = configuration.assets.get(asset)
    if section is None:
        raise ConfigurationError(
            f"{place}: {asset} is no asset", f"Add [assets.{asset}] with its name and decimals."
        )
    return section.decimals
