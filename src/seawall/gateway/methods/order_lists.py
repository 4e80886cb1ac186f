"""Order lists: OCO, OTO, OTOCO.  The rule: the core hears each leg as an order of its own."""

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.methods import order_answers, order_terms
from seawall.gateway.methods.list_answers import (
    list_canceled,
    list_placed,
    list_row,
    live_list_row,
)
from seawall.gateway.methods.order_terms import Fields, leg, read_terms, terms_of
from seawall.gateway.methods.orders import execute, repeated
from seawall.gateway.params import Params
from seawall.model.commands import CancelOrderList, OrderTerms, PlaceOrderList
from seawall.model.events import OrderCanceled, OrderListStarted
from seawall.model.ids import OrderListId, UserId
from seawall.model.trading import Contingency, OrderType, Side, TimeInForce

_COMMON = frozenset({"symbol", "listClientOrderId", "newOrderRespType", "selfTradePreventionMode"})
_ABOVE = leg("above", side="side", size="quantity")
_BELOW = leg("below", side="side", size="quantity")
_WORKING = leg("working", side="workingSide", size="workingQuantity")
_PENDING = leg("pending", side="pendingSide", size="pendingQuantity")
_PENDING_ABOVE = leg("pendingAbove", side="pendingSide", size="pendingQuantity")
_PENDING_BELOW = leg("pendingBelow", side="pendingSide", size="pendingQuantity")

_LIMIT_LEG = Fields(
    side="side",
    type="",
    size="quantity",
    price="price",
    stop_price="",
    trailing="",
    time_in_force="",
    iceberg="limitIcebergQty",
    client_order_id="limitClientOrderId",
    strategy_id="limitStrategyId",
    strategy_type="limitStrategyType",
)
_STOP_LEG = Fields(
    side="side",
    type="",
    size="quantity",
    price="stopLimitPrice",
    stop_price="stopPrice",
    trailing="trailingDelta",
    time_in_force="stopLimitTimeInForce",
    iceberg="stopIcebergQty",
    client_order_id="stopClientOrderId",
    strategy_id="stopStrategyId",
    strategy_type="stopStrategyType",
)
_IN_OCO = frozenset(OrderType) - {OrderType.MARKET, OrderType.LIMIT}
_WORKING_TYPES = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER})


async def place_oco(context: Context, caller: Caller, params: Params) -> object:
    market = order_terms.market_of(context, params)
    above = read_terms(params, market.instrument, caller, _ABOVE)
    below = read_terms(params, market.instrument, caller, _BELOW)
    _check_oco(above, below)
    return await _place(context, caller, params, market, Contingency.OCO, (above, below))


async def place_legacy_oco(context: Context, caller: Caller, params: Params) -> object:
    """Place an OCO in its old form: a limit maker and a stop, told apart by their parameters."""
    market = order_terms.market_of(context, params)
    instrument = market.instrument
    try:
        side = Side(params.need_text("side"))
    except ValueError:
        raise errors.bad_side() from None
    limit = terms_of(params, instrument, caller, _LIMIT_LEG, side, OrderType.LIMIT_MAKER)
    stop_type = OrderType.STOP_LOSS
    if "stopLimitPrice" in params:
        stop_type = OrderType.STOP_LOSS_LIMIT
    stop = terms_of(params, instrument, caller, _STOP_LEG, side, stop_type)
    orders = (limit, stop) if side is Side.SELL else (stop, limit)
    return await _place(context, caller, params, market, Contingency.OCO, orders)


async def place_oto(context: Context, caller: Caller, params: Params) -> object:
    market = order_terms.market_of(context, params)
    working = _read_working(params, market, caller)
    pending = read_terms(params, market.instrument, caller, _PENDING)
    return await _place(context, caller, params, market, Contingency.OTO, (working, pending))


async def place_otoco(context: Context, caller: Caller, params: Params) -> object:
    market = order_terms.market_of(context, params)
    working = _read_working(params, market, caller)
    above = read_terms(params, market.instrument, caller, _PENDING_ABOVE)
    below = read_terms(params, market.instrument, caller, _PENDING_BELOW)
    _check_oco(above, below)
    return await _place(context, caller, params, market, Contingency.OTOCO, (working, above, below))


def _read_working(params: Params, market: Market, caller: Caller) -> OrderTerms:
    working = read_terms(params, market.instrument, caller, _WORKING)
    if working.type not in _WORKING_TYPES:
        raise errors.bad_order_type()
    return working


def _check_oco(above: OrderTerms, below: OrderTerms) -> None:
    """Raise what Binance answers when the legs cannot stand as they are named."""
    for terms in (above, below):
        if terms.type not in _IN_OCO:
            raise errors.oco_type()
        iceberg_needs_gtc = terms.iceberg_size is not None and terms.time_in_force not in (
            None,
            TimeInForce.GTC,
        )
        if iceberg_needs_gtc:
            raise errors.oco_iceberg()
    if above.type is OrderType.LIMIT_MAKER and below.type is OrderType.LIMIT_MAKER:
        raise errors.oco_both_limit()
    buy = above.side is Side.BUY
    if (above if buy else below).type is OrderType.LIMIT_MAKER:
        raise errors.oco_limit_misplaced(buy)
    profits = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
    losses = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
    if (below if buy else above).type in losses:
        raise errors.oco_stop_misplaced(buy)
    if (above if buy else below).type in profits:
        raise errors.oco_profit_misplaced(buy)


async def _place(
    context: Context,
    caller: Caller,
    params: Params,
    market: Market,
    contingency: Contingency,
    orders: tuple[OrderTerms, ...],
) -> object:
    response = params.one_of("newOrderRespType", order_answers.RESPONSE_TYPES)
    ids = [terms.client_order_id for terms in orders]
    if len(set(ids)) != len(ids):
        raise errors.rejected_duplicate()
    command = PlaceOrderList(
        user_id=UserId(caller.user_id),
        symbol=market.instrument.symbol,
        contingency=contingency,
        list_client_order_id=order_terms.client_id(params, "listClientOrderId", caller),
        orders=orders,
        stp_mode=order_terms.read_stp(params),
    )
    context.metrics.orders += len(orders)
    committed = await execute(context, caller, command, errors.NEW_ORDER_REJECTED)
    if repeated(committed):
        return await _present_list(context, caller, params, command.list_client_order_id)
    started = next(
        event.order_list for event in committed.events if isinstance(event, OrderListStarted)
    )
    return list_placed(market, started, orders, committed, params, response)


async def _present_list(
    context: Context, caller: Caller, params: Params, list_client_order_id: str
) -> object:
    row = await context.node.views.order_list(caller.user_id, None, list_client_order_id)
    if row is None:
        raise errors.command_id_reused()
    return list_row(row, params)


async def cancel_list(context: Context, caller: Caller, params: Params) -> object:
    market = order_terms.market_of(context, params)
    by_id = params.integer("orderListId")
    by_client = params.text("listClientOrderId")
    if by_id is None and by_client is None:
        raise errors.either_missing("orderListId", "listClientOrderId")
    cancel_id = order_terms.client_id(params, "newClientOrderId", caller)
    command = CancelOrderList(
        user_id=UserId(caller.user_id),
        symbol=market.instrument.symbol,
        order_list_id=None if by_id is None else OrderListId(by_id),
        list_client_order_id=by_client,
        cancel_client_order_id=cancel_id,
    )
    committed = await execute(context, caller, command, errors.CANCEL_REJECTED)
    if repeated(committed):
        row = await context.node.views.order_list(caller.user_id, by_id, by_client)
        if row is None:
            raise errors.command_id_reused()
        return list_row(row, params)
    canceled_list = next(
        event.order.order_list
        for event in reversed(committed.events)
        if isinstance(event, OrderCanceled)
        and event.order.user_id == caller.user_id
        and event.order.order_list is not None
    )
    return list_canceled(market, canceled_list, cancel_id, committed, params)


async def get_list(context: Context, caller: Caller, params: Params) -> object:
    by_id = params.integer("orderListId")
    by_client = params.text("origClientOrderId")
    if by_id is None and by_client is None:
        raise errors.either_missing("origClientOrderId", "orderListId")
    row = await context.node.views.order_list(caller.user_id, by_id, by_client)
    if row is None:
        raise errors.no_such_order_list()
    return list_row(row, params)


async def all_lists(context: Context, caller: Caller, params: Params) -> object:
    from_id = params.integer("fromId")
    start, end = params.moment_ns("startTime"), params.moment_ns("endTime")
    if from_id is not None and (start is not None or end is not None):
        raise errors.bad_combination()
    rows = await context.node.views.order_lists(
        caller.user_id, from_id, start, end, params.limit(500, 1_000)
    )
    return [list_row(row, params) for row in rows]


async def open_lists(context: Context, caller: Caller, params: Params) -> object:
    account = context.node.spot.accounts.get(caller.user_id)
    if account is None:
        return []
    return [
        list_row(live_list_row(order_list, updated_ns=order_list.created_ns), params)
        for order_list in account.open_lists.values()
    ]


METHODS = (
    Method(
        name="orderList.place.oco",
        rest=("POST /api/v3/orderList/oco",),
        websocket=True,
        handler=place_oco,
        security=Security.TRADE,
        order_count=2,
        params=_COMMON | _ABOVE.names | _BELOW.names,
        summary="Place two orders of which one cancels the other.",
    ),
    Method(
        name="orderList.place",
        rest=("POST /api/v3/order/oco",),
        websocket=True,
        handler=place_legacy_oco,
        security=Security.TRADE,
        order_count=2,
        params=_COMMON | _LIMIT_LEG.names | _STOP_LEG.names,
        summary="Place an OCO in its older form.",
    ),
    Method(
        name="orderList.place.oto",
        rest=("POST /api/v3/orderList/oto",),
        websocket=True,
        handler=place_oto,
        security=Security.TRADE,
        order_count=2,
        params=_COMMON | _WORKING.names | _PENDING.names,
        summary="Place an order and another that starts when it has filled.",
    ),
    Method(
        name="orderList.place.otoco",
        rest=("POST /api/v3/orderList/otoco",),
        websocket=True,
        handler=place_otoco,
        security=Security.TRADE,
        order_count=3,
        params=_COMMON | _WORKING.names | _PENDING_ABOVE.names | _PENDING_BELOW.names,
        summary="Place an order and an OCO that starts when it has filled.",
    ),
    Method(
        name="orderList.cancel",
        rest=("DELETE /api/v3/orderList",),
        websocket=True,
        handler=cancel_list,
        security=Security.TRADE,
        params=frozenset({"symbol", "orderListId", "listClientOrderId", "newClientOrderId"}),
        summary="Cancel an order list.",
    ),
    Method(
        name="orderList.status",
        rest=("GET /api/v3/orderList",),
        websocket=True,
        handler=get_list,
        security=Security.USER_DATA,
        weight=4,
        params=frozenset({"orderListId", "origClientOrderId"}),
        summary="One order list.",
    ),
    Method(
        name="allOrderLists",
        rest=("GET /api/v3/allOrderList",),
        websocket=True,
        handler=all_lists,
        security=Security.USER_DATA,
        weight=20,
        params=frozenset({"fromId", "startTime", "endTime", "limit"}),
        summary="Order lists, open and ended.",
    ),
    Method(
        name="openOrderLists.status",
        rest=("GET /api/v3/openOrderList",),
        websocket=True,
        handler=open_lists,
        security=Security.USER_DATA,
        weight=6,
        summary="Open order lists.",
    ),
)
