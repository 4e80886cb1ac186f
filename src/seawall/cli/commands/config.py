"""`seawall config`.  The rule: what `check` accepts, `up` accepts."""

import os
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from rich.table import Table

from seawall.cli import definitions, funding_definitions
from seawall.cli.configuration import load
from seawall.cli.options import Config, Json
from seawall.cli.output import human, print_json
from seawall.cli.settings import Configuration
from seawall.model.amounts import format_decimal
from seawall.model.funding import Listing
from seawall.model.ids import AssetCode
from seawall.model.instruments import Asset, Instrument

HIDDEN: Final = "(hidden: it may hold an access key)"


def check(*, config: Config = None, json: Json = False) -> int:
    """Check the configuration, and print the markets it makes."""
    found = load(config, os.environ)
    assets = definitions.assets(found)
    tiers = definitions.tiers(found)
    markets = definitions.instruments(found)
    networks = funding_definitions.networks(found)
    listings = funding_definitions.listings(found)
    limits = funding_definitions.daily_limits(found)
    plans = _treasuries(found)
    if json:
        print_json(
            {
                "valid": True,
                "assets": assets,
                "tiers": tiers,
                "markets": markets,
                "networks": networks,
                "listings": listings,
                "dailyLimits": limits,
                "treasuries": plans,
            }
        )
        return 0
    human.print(_markets(markets))
    fees = Table("tier", "maker", "taker", title="fees", title_justify="left", box=None)
    for tier in tiers:
        fees.add_row(str(tier.tier), _percent(tier.maker_ppm), _percent(tier.taker_ppm))
    human.print(fees)
    human.print(_listings(listings, {asset.code: asset for asset in assets}))
    for plan in plans:
        human.print(
            f"treasury of {plan['network']}: signer at {plan['signer']}, {plan['agreeing']} of the"
            f" endpoints {', '.join(plan['endpoints'])} must agree, sweeps"
            f" {', '.join(plan['sweeps']) or 'nothing'}",
            markup=False,
        )
    human.print(
        f"[green]✓[/] The configuration is valid: {len(assets)} assets, {len(markets)} markets,"
        f" {len(networks)} networks;"
        f" it would listen on {found.gateway.host}:{found.gateway.port}"
        f" and keep its data in {found.exchange.data}."
    )
    return 0


def _treasuries(configuration: Configuration) -> list[dict[str, Any]]:
    """Return what may be told of the treasuries: never an endpoint's address, it may hold a key."""
    if not configuration.treasury:
        return []
    from seawall.cli.treasury_definitions import treasuries

    return [
        {
            "network": plan.network.code,
            "signer": str(plan.signer),
            "endpoints": [endpoint.name for endpoint in plan.chain.endpoints],
            "agreeing": plan.chain.agreeing,
            "sweeps": [bounds.asset for bounds in plan.sweeps],
        }
        for plan in treasuries(configuration)
    ]


def show(*, config: Config = None, json: Json = False) -> int:
    """Print every setting with its present value, as TOML; endpoints' addresses stay hidden."""
    found = _hidden(load(config, os.environ))
    if json:
        print_json(found)
    else:
        human.print(as_toml(found), markup=False, end="")
    return 0


def _hidden(configuration: Configuration) -> Configuration:
    """Take out the addresses of endpoints, which may hold access keys."""
    sections = {
        code: replace(section, endpoint=[replace(one, url=HIDDEN) for one in section.endpoint])
        for code, section in configuration.treasury.items()
    }
    return replace(configuration, treasury=sections)


def as_toml(configuration: Configuration) -> str:
    """Return the configuration as TOML that reads back the same."""
    lines: list[str] = []
    _write(msgspec.to_builtins(configuration), (), lines)
    return "\n".join(lines).strip() + "\n"


def _write(table: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    lists = {name: value for name, value in table.items() if _is_tables(value)}
    values = {
        name: value
        for name, value in table.items()
        if not isinstance(value, dict) and name not in lists
    }
    if path and values:
        lines.append(f"\n[{'.'.join(path)}]")
    # JSON's texts, numbers, booleans and lists are also TOML's.
    lines += [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()]
    for name, value in table.items():
        if isinstance(value, dict):
            _write(value, (*path, name), lines)
    for name, rows in lists.items():
        for row in rows:
            lines.append(f"\n[[{'.'.join((*path, name))}]]")
            _write(row, (), lines)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _markets(markets: list[Instrument]) -> Table:
    table = Table("market", "tick", "lot", "smallest order", "largest order", box=None)
    for market in markets:
        notionals = [
            f"{_plain(atoms, market.quote_decimals)} {market.quote}"
            for atoms in (market.min_notional, market.max_notional)
        ]
        tick = _plain(market.tick_price, market.price_decimals)
        table.add_row(
            market.symbol, tick, _plain(market.lot_size, market.base_decimals), *notionals
        )
    return table


def _listings(listings: list[Listing], assets: dict[AssetCode, Asset]) -> Table:
    columns = ("asset", "network", "least deposit", "least withdrawal", "fee", "two people above")
    table = Table(*columns, title="money in and out", title_justify="left", box=None)
    for terms in listings:
        amounts = (
            terms.min_deposit,
            terms.min_withdrawal,
            terms.withdrawal_fee,
            terms.approval_above,
        )
        decimals = assets[terms.asset].decimals
        table.add_row(terms.asset, terms.network, *[_plain(atoms, decimals) for atoms in amounts])
    return table


def _plain(atoms: int, decimals: int) -> str:
    text = format_decimal(atoms, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(ppm: int) -> str:
    return f"{Decimal(ppm) / 10_000} %"
