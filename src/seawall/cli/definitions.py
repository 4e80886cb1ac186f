"""Turns configured numbers into definitions.  The rule: exact, or refused with the key named."""

from seawall.cli.configuration import ConfigurationError
from seawall.cli.settings import Configuration, MarketSection
from seawall.model.amounts import DecimalPrecisionError, DecimalSyntaxError, parse_decimal
from seawall.model.ids import AssetCode, Symbol
from seawall.model.instruments import Asset, FeeTier, Instrument, InstrumentError

PRICE_DECIMALS = 8
PPM_DECIMALS = 6


def assets(configuration: Configuration) -> list[Asset]:
    return [
        Asset(code=AssetCode(code), name=section.name, decimals=section.decimals)
        for code, section in configuration.assets.items()
    ]


def tiers(configuration: Configuration) -> list[FeeTier]:
    """Return the fee tiers, lowest first; there must be a tier 0."""
    found = []
    for number, section in configuration.tiers.items():
        place = f"tiers.{number}"
        if not number.isdecimal():
            raise ConfigurationError(f"`{place}`: a tier is a number", "Name it 0, 1, 2, …")
        found.append(
            FeeTier(
                tier=int(number),
                maker_ppm=exact(f"{place}.maker", section.maker, PPM_DECIMALS),
                taker_ppm=exact(f"{place}.taker", section.taker, PPM_DECIMALS),
                max_orders=section.max_orders,
            )
        )
    if all(tier.tier for tier in found):
        raise ConfigurationError("`tiers.0` is missing", "Add it: every account starts there.")
    return sorted(found, key=lambda tier: tier.tier)


def instruments(configuration: Configuration) -> list[Instrument]:
    """Return the markets, checked against themselves and their assets."""
    found = []
    for symbol, section in configuration.markets.items():
        instrument = _instrument(symbol, section, configuration)
        try:
            instrument.check()
        except InstrumentError as error:
            raise ConfigurationError(
                f"`markets.{symbol}`: {error}", "Change the market's numbers so that it holds."
            ) from error
        found.append(instrument)
    return found


def _instrument(symbol: str, market: MarketSection, configuration: Configuration) -> Instrument:
    for name in (market.base, market.quote):
        if name not in configuration.assets:
            raise ConfigurationError(
                f"`markets.{symbol}` trades {name}, which is no asset",
                f"Add [assets.{name}] with its name and decimals.",
            )
    base = configuration.assets[market.base].decimals
    quote = configuration.assets[market.quote].decimals

    def price(key: str, text: str) -> int:
        return exact(f"markets.{symbol}.{key}", text, PRICE_DECIMALS)

    def size(key: str, text: str) -> int:
        return exact(f"markets.{symbol}.{key}", text, base)

    def notional(key: str, text: str) -> int:
        return exact(f"markets.{symbol}.{key}", text, quote)

    def ppm(key: str, text: str) -> int:
        return exact(f"markets.{symbol}.{key}", text, PPM_DECIMALS)

    return Instrument(
        symbol=Symbol(symbol),
        base=AssetCode(market.base),
        quote=AssetCode(market.quote),
        base_decimals=base,
        quote_decimals=quote,
        price_decimals=PRICE_DECIMALS,
        tick_price=price("tick", market.tick),
        lot_size=size("lot", market.lot),
        min_price=price("min_price", market.min_price or market.tick),
        max_price=price("max_price", market.max_price),
        min_size=size("min_size", market.min_size or market.lot),
        max_size=size("max_size", market.max_size),
        max_market_size=size("max_market_size", market.max_market_size or market.max_size),
        min_notional=notional("min_notional", market.min_notional),
        max_notional=notional("max_notional", market.max_notional),
        bid_up_ppm=ppm("bid_up", market.bid_up),
        bid_down_ppm=ppm("bid_down", market.bid_down),
        ask_up_ppm=ppm("ask_up", market.ask_up),
        ask_down_ppm=ppm("ask_down", market.ask_down),
        max_orders=market.max_orders,
        max_algo_orders=market.max_algo_orders,
        max_iceberg_orders=market.max_iceberg_orders,
        iceberg_parts=market.iceberg_parts,
        max_position=size("max_position", market.max_position or "0"),
        trailing_min_bps=market.trailing_min_bps,
        trailing_max_bps=market.trailing_max_bps,
    )


def exact(place: str, text: str, decimals: int) -> int:
    """Return the amount as a whole number of units, or name the place that is wrong."""
    try:
        return parse_decimal(text, decimals)
    except DecimalSyntaxError as error:
        raise ConfigurationError(
            f"`{place}` is `{text}`, which is not a decimal number",
            'Write digits and at most one point, in quotes: "0.01".',
        ) from error
    except DecimalPrecisionError as error:
        raise ConfigurationError(
            f"`{place}` is `{text}`, which has more than {decimals} decimals",
            "Round it, or give the asset more decimals.",
        ) from error
