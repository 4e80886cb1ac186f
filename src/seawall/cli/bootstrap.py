"""Brings the journal to the configuration.  The rule: what was listed keeps its units for ever.

Runs at every start.  What the configuration adds is listed; changed filters and fees are changed;
what it no longer names stays, for users may own it.
"""

from seawall.cli import definitions
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
from seawall.model.instruments import Instrument
from seawall.node.node import Node

UNITS = ("base", "quote", "base_decimals", "quote_decimals", "tick_price", "lot_size")


async def bootstrap(node: Node, configuration: Configuration) -> int:
    """Submit what is missing; return how many commands that took, or raise CliError."""
    commands = [
        *_assets(node, configuration),
        *_tiers(node, configuration),
        *_markets(node, configuration),
    ]
    for command in commands:
        committed = await node.submit_spot(command)
        for event in committed.events:
            if isinstance(event, CommandRejected):
                raise CliError(
                    f"The configuration was refused: {event.reason} {event.detail}".rstrip(),
                    "Compare it with what is listed already: seawall config check --data …",
                )
    return len(commands)


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
