"""Brings the journal to the configuration.  The rule: what was listed keeps its units for ever.

Runs at every start.  What the configuration adds is listed; changed filters and fees are changed;
what it no longer names stays, for users may own it.
"""

from seawall.cli import definitions, funding_definitions
from seawall.cli.output import CliError
from seawall.cli.settings import Configuration
from seawall.model.commands import (
    ChangeMarket,
    ListAsset,
    ListMarket,
    SetFeeTier,
    SpotCommand,
)
from seawall.model.events import CommandRejected
from seawall.model.funding_commands import (
    FundingCommand,
    ListNetwork,
    OfferAsset,
    SetAddressWait,
)
from seawall.model.instruments import Instrument
from seawall.node.driver import Committed
from seawall.node.node import Node

NETWORK_UNITS = ("kind", "chain_id", "native", "native_decimals")
UNITS = ("base", "quote", "base_decimals", "quote_decimals", "tick_price", "lot_size")


async def bootstrap(node: Node, configuration: Configuration) -> int:
    """Submit what is missing; return how many commands that took, or raise CliError."""
    commands = [
        *_assets(node, configuration),
        *_tiers(node, configuration),
        *_markets(node, configuration),
    ]
    for command in commands:
        _accepted(await node.submit_spot(command))
    # One step after the other: a network names assets, a listing names networks.
    count = len(commands)
    for step in (_funding_assets, _networks, _listings, _funding_rules):
        funding = step(node, configuration)
        for funding_command in funding:
            _accepted(await node.submit_funding(funding_command))
        count += len(funding)
    return count


def _accepted(committed: Committed) -> None:
    refused = committed.answer
    if isinstance(refused, CommandRejected):
        raise CliError(
            f"The configuration was refused: {refused.reason} {refused.detail}".rstrip(),
            "Compare it with what is listed already: seawall config check --data …",
        )


def _assets(node: Node, configuration: Configuration) -> list[SpotCommand]:
    found: list[SpotCommand] = []
    for asset in definitions.assets(configuration):
        listed = node.spot.assets.get(asset.code)
        if listed is None:
            found.append(ListAsset(asset=asset))
        elif listed.decimals != asset.decimals:
            raise CliError(
                f"{asset.code} was listed with {listed.decimals} decimals,"
                f" and the configuration says {asset.decimals}.",
                f"Set assets.{asset.code}.decimals back to {listed.decimals}.",
            )
    return found


def _funding_assets(node: Node, _configuration: Configuration) -> list[FundingCommand]:
    """List in the funding cell what is listed in the spot cell, which has checked the units."""
    listed = node.funding.book.assets
    return [
        ListAsset(asset=asset) for code, asset in node.spot.assets.items() if code not in listed
    ]


def _networks(node: Node, configuration: Configuration) -> list[FundingCommand]:
    found: list[FundingCommand] = []
    for network in funding_definitions.networks(configuration):
        listed = node.funding.book.networks.get(network.code)
        if listed is None:
            found.append(ListNetwork(network=network))
            continue
        for name in NETWORK_UNITS:
            if getattr(listed.network, name) != getattr(network, name):
                raise CliError(
                    f"Network {network.code} was listed with another {name.replace('_', ' ')}"
                    " than the configuration says.",
                    "Set it back; another chain is a new network with a new code.",
                )
    return found


def _listings(node: Node, configuration: Configuration) -> list[FundingCommand]:
    found: list[FundingCommand] = []
    for listing in funding_definitions.listings(configuration):
        known = node.funding.listing(listing.asset, listing.network)
        if known is None or known.listing != listing:
            found.append(OfferAsset(listing=listing))
    return found


def _funding_rules(node: Node, configuration: Configuration) -> list[FundingCommand]:
    book = node.funding.book
    found: list[FundingCommand] = [
        limit
        for limit in funding_definitions.daily_limits(configuration)
        if book.daily_limits.get(f"{limit.tier}/{limit.asset}") != limit.atoms
    ]
    wait_ms = configuration.funding.address_wait_s * 1_000
    if book.address_wait_ns != wait_ms * 1_000_000:
        found.append(SetAddressWait(wait_ms=wait_ms))
    return found


def _tiers(node: Node, configuration: Configuration) -> list[SpotCommand]:
    return [
        SetFeeTier(tier=tier)
        for tier in definitions.tiers(configuration)
        if node.spot.tiers.get(tier.tier) != tier
    ]


def _markets(node: Node, configuration: Configuration) -> list[SpotCommand]:
    found: list[SpotCommand] = []
    for instrument in definitions.instruments(configuration):
        market = node.spot.markets.get(instrument.symbol)
        if market is None:
            found.append(ListMarket(instrument=instrument))
        elif market.instrument != instrument:
            _check_units(market.instrument, instrument)
            found.append(ChangeMarket(instrument=instrument))
    return found


def _check_units(listed: Instrument, wanted: Instrument) -> None:
    for name in UNITS:
        if getattr(listed, name) != getattr(wanted, name):
            raise CliError(
                f"{listed.symbol} was listed with another {name.replace('_', ' ')}"
                " than the configuration says.",
                "Set it back; a market with other units is a new market with a new symbol.",
            )
