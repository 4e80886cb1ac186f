"""`seawall config`.  The rule: what `check` accepts, `up` accepts."""

import os
from decimal import Decimal

import msgspec
from rich.table import Table

from seawall.cli import definitions
from seawall.cli.configuration import load
from seawall.cli.options import Config, Json
from seawall.cli.output import human, print_json
from seawall.cli.settings import Configuration
from seawall.model.amounts import format_decimal
from seawall.model.instruments import Instrument


def check(*, config: Config = None, json: Json = False) -> int:
    """Check the configuration, and print the markets it makes."""
    found = load(config, os.environ)
    assets = definitions.assets(found)
    tiers = definitions.tiers(found)
    markets = definitions.instruments(found)
    if json:
        print_json({"valid": True, "assets": assets, "tiers": tiers, "markets": markets})
        return 0
    human.print(_markets(markets))
    fees = Table("tier", "maker", "taker", title="fees", title_justify="left", box=None)
    for tier in tiers:
        fees.add_row(str(tier.tier), _percent(tier.maker_ppm), _percent(tier.taker_ppm))
    human.print(fees)
    human.print(
        f"[green]✓[/] The configuration is valid: {len(assets)} assets, {len(markets)} markets;"
        f" it would listen on {found.gateway.host}:{found.gateway.port}"
        f" and keep its data in {found.exchange.data}."
    )
    return 0


def show(*, config: Config = None, json: Json = False) -> int:
    """Print every setting with its present value, as TOML."""
    found = load(config, os.environ)
    if json:
        print_json(found)
    else:
        human.print(as_toml(found), markup=False, end="")
    return 0


def as_toml(configuration: Configuration) -> str:
    """Return the configuration as TOML that reads back the same."""
    lines: list[str] = []
    _write(msgspec.to_builtins(configuration), (), lines)
    return "\n".join(lines).strip() + "\n"


def _write(table: dict[str, object], path: tuple[str, ...], lines: list[str]) -> None:
    values = {name: value for name, value in table.items() if not isinstance(value, dict)}
    if path and values:
        lines.append(f"\n[{'.'.join(path)}]")
    # JSON's texts, numbers, booleans and lists are also TOML's.
    lines += [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()]
    for name, value in table.items():
        if isinstance(value, dict):
            _write(value, (*path, name), lines)


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


def _plain(atoms: int, decimals: int) -> str:
    text = format_decimal(atoms, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(ppm: int) -> str:
    return f"{Decimal(ppm) / 10_000} %"
