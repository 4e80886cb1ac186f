"""What every client asks first.  The rule: what is said of a market is what the core enforces."""

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method
from seawall.gateway.encode import SYMBOL_STATUS, Scale, scale_of
from seawall.gateway.methods.order_terms import known_market
from seawall.gateway.params import Params
from seawall.model.instruments import Instrument
from seawall.model.trading import OrderType

_PPM = 1_000_000
_FEE_DECIMALS = 8
_TAKING = ("TRADING", "CANCEL_ONLY")


async def ping(context: Context, caller: Caller, params: Params) -> object:
    return {}


async def server_time(context: Context, caller: Caller, params: Params) -> object:
    return {"serverTime": params.time(context.now_ns())}


def chosen_markets(context: Context, params: Params) -> list[Market]:
    """Return the markets that `symbol`, `symbols` and `symbolStatus` ask for; all if none do."""
    state = context.node.spot
    one, many = params.symbol(), params.symbols()
    if one is not None and many is not None:
        raise errors.bad_combination()
    if one is not None:
        found = [known_market(context, one)]
    elif many is not None:
        found = [known_market(context, symbol) for symbol in many]
    else:
        found = list(state.markets.values())
    status = params.text("symbolStatus")
    if status is None:
        return found
    if status not in SYMBOL_STATUS.values():
        raise errors.bad_symbol_status()
    return [market for market in found if shown_status(context, market) == status]


def shown_status(context: Context, market: Market) -> str:
    """Return a market's status in Binance's words; no market trades while no command is taken."""
    status = SYMBOL_STATUS[market.status]
    return "BREAK" if status in _TAKING and not context.node.ready else status


async def exchange_info(context: Context, caller: Caller, params: Params) -> object:
    permissions = params.text("permissions")
    show_sets = params.flag("showPermissionSets")
    markets = chosen_markets(context, params)
    if permissions is not None and "SPOT" not in permissions:
        markets = []
    shown = [symbol_info(market, shown_status(context, market)) for market in markets]
    if show_sets is False:
        for one in shown:
            one["permissionSets"] = []
    return {
        "timezone": "UTC",
        "serverTime": params.time(context.now_ns()),
        "rateLimits": context.throttle.limits(),
        "exchangeFilters": [],
        "symbols": shown,
    }


def symbol_info(market: Market, status: str) -> dict[str, object]:
    instrument = market.instrument
    scale = scale_of(instrument)
    types = instrument.order_types
    stops = OrderType.STOP_LOSS in types or OrderType.TAKE_PROFIT in types
    return {
        "symbol": market.symbol,
        "status": status,
        "baseAsset": market.base,
        "baseAssetPrecision": scale.lots.decimals,
        "quoteAsset": market.quote,
        "quotePrecision": scale.ticks.decimals,
        "quoteAssetPrecision": max(instrument.quote_decimals, _FEE_DECIMALS),
        "baseCommissionPrecision": scale.lots.decimals,
        "quoteCommissionPrecision": max(instrument.quote_decimals, _FEE_DECIMALS),
        "orderTypes": list(types),
        "icebergAllowed": instrument.iceberg_parts > 1,
        "ocoAllowed": stops,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": OrderType.MARKET in types,
        "allowTrailingStop": stops,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters_of(instrument, scale),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": instrument.stp_default,
        "allowedSelfTradePreventionModes": list(instrument.stp_modes),
    }


def filters_of(instrument: Instrument, scale: Scale) -> list[dict[str, object]]:
    """Return the instrument's filters as Binance names them."""
    filters: list[dict[str, object]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": scale.prices(instrument.min_price),
            "maxPrice": scale.prices(instrument.max_price),
            "tickSize": scale.prices(instrument.tick_price),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": scale.base(instrument.min_size),
            "maxQty": scale.base(instrument.max_size),
            "stepSize": scale.base(instrument.lot_size),
        },
        {"filterType": "ICEBERG_PARTS", "limit": instrument.iceberg_parts},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": scale.base(instrument.min_size),
            "maxQty": scale.base(instrument.max_market_size),
            "stepSize": scale.base(instrument.lot_size),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": instrument.trailing_min_bps,
            "maxTrailingAboveDelta": instrument.trailing_max_bps,
            "minTrailingBelowDelta": instrument.trailing_min_bps,
            "maxTrailingBelowDelta": instrument.trailing_max_bps,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": _multiplier(instrument.bid_up_ppm),
            "bidMultiplierDown": _multiplier(instrument.bid_down_ppm),
            "askMultiplierUp": _multiplier(instrument.ask_up_ppm),
            "askMultiplierDown": _multiplier(instrument.ask_down_ppm),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": scale.quote(instrument.min_notional),
            "applyMinToMarket": True,
            "maxNotional": scale.quote(instrument.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": instrument.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": instrument.max_algo_orders},
        {
            "filterType": "MAX_NUM_ICEBERG_ORDERS",
            "maxNumIcebergOrders": instrument.max_iceberg_orders,
        },
    ]
    if instrument.max_position:
        filters.append(
            {"filterType": "MAX_POSITION", "maxPosition": scale.base(instrument.max_position)}
        )
    return filters


def _multiplier(ppm: int) -> str:
    whole, part = divmod(ppm, _PPM)
    text = f"{part:06d}".rstrip("0")
    return f"{whole}.{text}" if text else str(whole)


METHODS = (
    Method(
        name="ping",
        rest=("GET /api/v3/ping", "GET /api/v1/ping"),
        websocket=True,
        handler=ping,
        always=True,
        cells=(),
        summary="Whether the exchange answers.",
    ),
    Method(
        name="time",
        rest=("GET /api/v3/time", "GET /api/v1/time"),
        websocket=True,
        handler=server_time,
        always=True,
        cells=(),
        summary="The exchange's clock.",
    ),
    Method(
        name="exchangeInfo",
        rest=("GET /api/v3/exchangeInfo", "GET /api/v1/exchangeInfo"),
        websocket=True,
        handler=exchange_info,
        weight=20,
        params=frozenset(
            {"symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"}
        ),
        always=True,
        summary="Markets, their filters, and the rate limits.",
    ),
)
