"""Turns configured networks and listings into definitions.  The rule: as cli/definitions.py's."""

from seawall.cli.configuration import ConfigurationError
from seawall.cli.definitions import exact
from seawall.cli.settings import Configuration, ListingSection
from seawall.model.funding import Listing, ListingError, Network
from seawall.model.funding_commands import SetDailyLimit
from seawall.model.ids import AssetCode


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
                block_ms=section.block_ms,
            )
        )
    return found


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
