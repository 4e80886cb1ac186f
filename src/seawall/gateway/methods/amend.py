"""Amending orders.  The rule: what an amendment made of an order, the amendment itself says."""

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import scale_of
from seawall.gateway.methods.list_answers import contingency_text, list_orders
from seawall.gateway.methods.order_answers import conditional, list_id
from seawall.gateway.methods.order_terms import market_of
from seawall.gateway.methods.orders import execute, present_state, read_which, repeated
from seawall.gateway.params import Params
from seawall.model.commands import AmendOrder
from seawall.model.events import OrderAmended
from seawall.model.ids import UserId
from seawall.model.trading import Side
from seawall.node.driver import Committed
from seawall.views.rows import AmendmentRow


async def amend(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    order_id, client_order_id = read_which(params)
    size = params.decimal("newQty", market.instrument.base_decimals)
    if size is None:
        raise errors.missing("newQty")
    if size == 0:
        raise errors.zero("quantity")
    command = AmendOrder(
        user_id=UserId(caller.user_id),
        symbol=market.instrument.symbol,
        order_id=order_id,
        client_order_id=client_order_id,
        new_client_order_id=params.client_id("newClientOrderId") or "",
        size=size,
    )
    committed = await execute(context, caller, command, errors.AMEND_REJECTED)
    if repeated(committed):
        client = command.new_client_order_id or client_order_id
        return await present_state(context, caller, params, market, client, order_id)
    return _amended(market, command, committed, params)


def _named(event: OrderAmended, command: AmendOrder) -> bool:
    """Return whether it is the order that was asked for, not the other one of its pair."""
    if command.order_id is not None:
        return event.order.order_id == command.order_id
    return event.previous_client_order_id == command.client_order_id


def _amended(
    market: Market, command: AmendOrder, committed: Committed, params: Params
) -> dict[str, object]:
    event = next(
        event
        for event in committed.events
        if isinstance(event, OrderAmended) and _named(event, command)
    )
    order, scale = event.order, scale_of(market.instrument)
    answer: dict[str, object] = {
        "transactTime": params.time(committed.at_ns),
        "executionId": committed.sequence,
        "amendedOrder": {
            "symbol": market.symbol,
            "orderId": order.order_id,
            "orderListId": list_id(order),
            "origClientOrderId": event.previous_client_order_id,
            "clientOrderId": event.client_order_id,
            "price": scale.price(event.price_ticks),
            "qty": scale.size(event.size_lots),
            "executedQty": scale.size(event.filled_lots),
            "preventedQty": scale.size(event.prevented_lots),
            "quoteOrderQty": scale.quote(order.quote_amount),
            "cumulativeQuoteQty": scale.quote(event.filled_quote),
            "status": event.status,
            "timeInForce": order.time_in_force,
            "type": order.order_type,
            "side": Side.BUY if order.is_buy else Side.SELL,
            "workingTime": params.time(event.working_ns) if event.working_ns >= 0 else -1,
            "selfTradePreventionMode": order.stp_mode,
            **conditional(order, scale),
        },
    }
    order_list = order.order_list
    if order_list is not None:
        ids = [each.order_id for each in order_list.orders]
        answer["listStatus"] = {
            "orderListId": order_list.order_list_id,
            "contingencyType": contingency_text(order_list.contingency),
            "listOrderStatus": "EXECUTING",
            "listClientOrderId": order_list.list_client_order_id,
            "symbol": order_list.symbol,
            "orders": list_orders(
                order_list.symbol, zip(ids, event.list_client_order_ids, strict=True)
            ),
        }
    return answer


async def amendments(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    rows = await context.node.views.amendments(
        caller.user_id,
        market.symbol,
        params.need_integer("orderId"),
        params.integer("fromExecutionId"),
        params.limit(500, 1_000),
    )
    return [_amendment(market, row, params) for row in rows]


def _amendment(market: Market, row: AmendmentRow, params: Params) -> dict[str, object]:
    scale = scale_of(market.instrument)
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "executionId": row.execution_id,
        "origClientOrderId": row.previous_client_order_id,
        "newClientOrderId": row.client_order_id,
        "origQty": scale.size(row.previous_lots),
        "newQty": scale.size(row.size_lots),
        "time": params.time(row.at_ns),
    }


METHODS = (
    Method(
        name="order.amend.keepPriority",
        rest=("PUT /api/v3/order/amend/keepPriority",),
        websocket=True,
        handler=amend,
        security=Security.TRADE,
        weight=4,
        params=frozenset({"symbol", "orderId", "origClientOrderId", "newClientOrderId", "newQty"}),
        summary="Make an order smaller without losing its place in the queue.",
    ),
    Method(
        name="order.amendments",
        rest=("GET /api/v3/order/amendments",),
        websocket=True,
        handler=amendments,
        security=Security.USER_DATA,
        weight=4,
        params=frozenset({"symbol", "orderId", "fromExecutionId", "limit"}),
        summary="How an order was amended.",
    ),
)
