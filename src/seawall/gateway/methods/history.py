"""What a user ordered and traded.  The rule: open orders come from the core, ended ones from views.

A user sees their own rows only: the caller's id is part of every question.
"""

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import scale_of
from seawall.gateway.methods.order_answers import live_row, row_answer
from seawall.gateway.methods.order_terms import known_market, market_of
from seawall.gateway.methods.orders import read_which
from seawall.gateway.params import Params
from seawall.views.rows import PreventedMatchRow, UserTradeRow

_DAY_HOURS = 24
_DAY_NS = _DAY_HOURS * 3_600_000_000_000


async def order_status(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    order_id, client_order_id = read_which(params)
    row = await context.node.views.order(caller.user_id, market.symbol, order_id, client_order_id)
    if row is None:
        raise errors.no_such_order()
    return row_answer(market, row, params)


async def open_orders(context: Context, caller: Caller, params: Params) -> object:
    symbol = params.symbol()
    if symbol is not None:
        known_market(context, symbol)
    account = context.node.spot.accounts.get(caller.user_id)
    if account is None:
        return []
    markets = context.node.spot.markets
    return [
        row_answer(markets[order.symbol], live_row(order), params)
        for order in account.open_orders.values()
        if symbol is None or order.symbol == symbol
    ]


def read_range(params: Params) -> tuple[int | None, int | None]:
    """Return startTime and endTime; together they may span a day at most."""
    start, end = params.moment_ns("startTime"), params.moment_ns("endTime")
    if start is not None and end is not None:
        if end < start:
            raise errors.bad_combination()
        if end - start > _DAY_NS:
            raise errors.lookup_too_long(_DAY_HOURS)
    return start, end


async def all_orders(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    start, end = read_range(params)
    rows = await context.node.views.orders(
        caller.user_id,
        market.symbol,
        params.integer("orderId"),
        start,
        end,
        params.limit(500, 1_000),
    )
    return [row_answer(market, row, params) for row in rows]


async def my_trades(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    start, end = read_range(params)
    rows = await context.node.views.user_trades(
        caller.user_id,
        market.symbol,
        params.integer("orderId"),
        params.integer("fromId"),
        start,
        end,
        params.limit(500, 1_000),
    )
    return [_trade(market, row, params) for row in rows]


def _trade(market: Market, row: UserTradeRow, params: Params) -> dict[str, object]:
    scale = scale_of(market.instrument)
    return {
        "symbol": row.symbol,
        "id": row.trade_id,
        "orderId": row.order_id,
        "orderListId": row.order_list_id,
        "price": scale.price(row.price_ticks),
        "qty": scale.size(row.size_lots),
        "quoteQty": scale.quote(row.quote_atoms),
        "commission": scale.base(row.fee_atoms) if row.is_buyer else scale.quote(row.fee_atoms),
        "commissionAsset": market.base if row.is_buyer else market.quote,
        "time": params.time(row.at_ns),
        "isBuyer": row.is_buyer,
        "isMaker": row.is_maker,
        "isBestMatch": row.best_match,
    }


async def prevented_matches(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    match_id = params.integer("preventedMatchId")
    order_id = params.integer("orderId")
    from_id = params.integer("fromPreventedMatchId")
    if match_id is None and order_id is None:
        raise errors.either_missing("preventedMatchId", "orderId")
    rows = await context.node.views.prevented_matches(
        caller.user_id, market.symbol, match_id, order_id, from_id, params.limit(500, 1_000)
    )
    return [_prevented(market, row, params) for row in rows]


def _prevented(market: Market, row: PreventedMatchRow, params: Params) -> dict[str, object]:
    scale = scale_of(market.instrument)
    answer: dict[str, object] = {
        "symbol": row.symbol,
        "preventedMatchId": row.prevented_match_id,
        "takerOrderId": row.taker_order_id,
        "makerSymbol": row.symbol,
        "makerOrderId": row.maker_order_id,
        "tradeGroupId": -1,
        "selfTradePreventionMode": row.stp_mode,
        "price": scale.price(row.price_ticks),
        "transactTime": params.time(row.at_ns),
    }
    if row.taker_lots:
        answer["takerPreventedQuantity"] = scale.size(row.taker_lots)
    if row.maker_lots:
        answer["makerPreventedQuantity"] = scale.size(row.maker_lots)
    return answer


async def allocations(context: Context, caller: Caller, params: Params) -> object:
    """Answer with none: no order is routed through several books here."""
    market_of(context, params)
    return []


METHODS = (
    Method(
        name="order.status",
        rest=("GET /api/v3/order",),
        websocket=True,
        handler=order_status,
        security=Security.USER_DATA,
        weight=4,
        params=frozenset({"symbol", "orderId", "origClientOrderId"}),
        summary="One order, open or ended.",
    ),
    Method(
        name="openOrders.status",
        rest=("GET /api/v3/openOrders",),
        websocket=True,
        handler=open_orders,
        security=Security.USER_DATA,
        weigh=lambda params: 6 if "symbol" in params else 80,
        params=frozenset({"symbol"}),
        summary="Open orders, oldest first.",
    ),
    Method(
        name="allOrders",
        rest=("GET /api/v3/allOrders",),
        websocket=True,
        handler=all_orders,
        security=Security.USER_DATA,
        weight=20,
        params=frozenset({"symbol", "orderId", "startTime", "endTime", "limit"}),
        summary="Orders of a market, open and ended.",
    ),
    Method(
        name="myTrades",
        rest=("GET /api/v3/myTrades",),
        websocket=True,
        handler=my_trades,
        security=Security.USER_DATA,
        weigh=lambda params: 5 if "orderId" in params else 20,
        params=frozenset({"symbol", "orderId", "startTime", "endTime", "fromId", "limit"}),
        summary="The user's own trades in a market.",
    ),
    Method(
        name="myPreventedMatches",
        rest=("GET /api/v3/myPreventedMatches",),
        websocket=True,
        handler=prevented_matches,
        security=Security.USER_DATA,
        weigh=lambda params: 2 if "preventedMatchId" in params else 20,
        params=frozenset(
            {"symbol", "preventedMatchId", "orderId", "fromPreventedMatchId", "limit"}
        ),
        summary="Matches that self-trade prevention kept apart.",
    ),
    Method(
        name="myAllocations",
        rest=("GET /api/v3/myAllocations",),
        websocket=True,
        handler=allocations,
        security=Security.USER_DATA,
        weight=20,
        params=frozenset(
            {"symbol", "startTime", "endTime", "fromAllocationId", "limit", "orderId"}
        ),
        summary="Always empty: no order is routed through several books.",
    ),
)
