"""Books and trades.  The rule: read from the views, never from the core's books."""

from seawall.gateway.context import Caller, Context, Method
from seawall.gateway.encode import ZERO, Scale, scale_of
from seawall.gateway.methods.order_terms import market_of
from seawall.gateway.params import Params
from seawall.views.rows import AggTradeRow, TradeRow

_DEPTH_MAX = 5_000


async def depth(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    limit = params.limit(100, _DEPTH_MAX)
    params.text("symbolStatus")
    book = context.node.views.depth(market.symbol, limit)
    scale = scale_of(market.instrument)
    price, size = scale.price, scale.size
    return {
        "lastUpdateId": book.update_id,
        "bids": [(price(ticks), size(lots)) for ticks, lots in book.bids],
        "asks": [(price(ticks), size(lots)) for ticks, lots in book.asks],
    }


def depth_weight(params: Params) -> int:
    limit = params.values.get("limit", "")
    number = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 10 else 100
    for most, weight in ((100, 5), (500, 25), (1_000, 50)):
        if number <= most:
            return weight
    return 250


def _trade(row: TradeRow, scale: Scale, params: Params) -> dict[str, object]:
    return {
        "id": row.trade_id,
        "price": scale.price(row.price_ticks),
        "qty": scale.size(row.size_lots),
        "quoteQty": scale.quote(row.quote_atoms),
        "time": params.time(row.at_ns),
        "isBuyerMaker": row.buyer_is_maker,
        "isBestMatch": row.best_match,
    }


async def trades(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    rows = await context.node.views.trades(
        market.symbol, params.integer("fromId"), params.limit(500, 1_000)
    )
    scale = scale_of(market.instrument)
    return [_trade(row, scale, params) for row in rows]


async def aggregate_trades(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    rows = await context.node.views.agg_trades(
        market.symbol,
        params.integer("fromId"),
        params.moment_ns("startTime"),
        params.moment_ns("endTime"),
        params.limit(500, 1_000),
    )
    scale = scale_of(market.instrument)
    return [_aggregate(row, scale, params) for row in rows]


def _aggregate(row: AggTradeRow, scale: Scale, params: Params) -> dict[str, object]:
    return {
        "a": row.agg_id,
        "p": scale.price(row.price_ticks),
        "q": scale.size(row.size_lots),
        "f": row.first_trade_id,
        "l": row.last_trade_id,
        "T": params.time(row.at_ns),
        "m": row.buyer_is_maker,
        "M": row.best_match,
    }


async def average_price(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    average = context.node.views.average_price(market.symbol)
    scale = scale_of(market.instrument)
    price = ZERO
    if average.size_lots:
        # Ticks times lots over lots, in the price's own finest unit, rounded down.
        units = average.tick_lots * market.tick_price // average.size_lots
        price = scale.prices(units)
    elif average.last_ticks:
        price = scale.price(average.last_ticks)
    closed = params.time(average.close_ns) if average.close_ns >= 0 else 0
    return {"mins": average.minutes, "price": price, "closeTime": closed}


METHODS = (
    Method(
        name="depth",
        rest=("GET /api/v3/depth", "GET /api/v1/depth"),
        websocket=True,
        handler=depth,
        weigh=depth_weight,
        params=frozenset({"symbol", "limit", "symbolStatus"}),
        quotes=True,
        summary="The order book.",
    ),
    Method(
        name="trades.recent",
        rest=("GET /api/v3/trades", "GET /api/v1/trades"),
        websocket=True,
        handler=trades,
        weight=25,
        params=frozenset({"symbol", "limit"}),
        summary="The latest trades.",
    ),
    Method(
        name="trades.historical",
        rest=("GET /api/v3/historicalTrades", "GET /api/v1/historicalTrades"),
        websocket=True,
        handler=trades,
        weight=25,
        params=frozenset({"symbol", "limit", "fromId"}),
        summary="Trades from an id on.",
    ),
    Method(
        name="trades.aggregate",
        rest=("GET /api/v3/aggTrades", "GET /api/v1/aggTrades"),
        websocket=True,
        handler=aggregate_trades,
        weight=4,
        params=frozenset({"symbol", "limit", "fromId", "startTime", "endTime"}),
        summary="Trades, the fills of one taker at one price taken together.",
    ),
    Method(
        name="avgPrice",
        rest=("GET /api/v3/avgPrice",),
        websocket=True,
        handler=average_price,
        weight=2,
        params=frozenset({"symbol"}),
        quotes=True,
        summary="The average price of the last five minutes.",
    ),
)
