"""Placing and canceling orders.  The rule: decode, submit, answer from the command's own events."""

from collections.abc import Iterator

from seawall.core.preview import preview_place_order
from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.methods import order_answers, order_terms
from seawall.gateway.methods.account import order_test_commission
from seawall.gateway.methods.list_answers import list_canceled
from seawall.gateway.params import Params
from seawall.model.commands import (
    CancelOpenOrders,
    CancelOrder,
    PlaceOrder,
    SpotCommand,
)
from seawall.model.events import (
    CommandRejected,
    CommandRepeated,
    Event,
    OrderAccepted,
    OrderCanceled,
)
from seawall.model.ids import OrderId, UserId
from seawall.model.orders import Order
from seawall.model.trading import CancelRestriction
from seawall.node.driver import Committed

PLACE_PARAMS = order_terms.ORDER.names | {
    "symbol",
    "newOrderRespType",
    "selfTradePreventionMode",
}
_CANCEL_PARAMS = frozenset(
    {"symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"}
)


async def submit(context: Context, caller: Caller, command: SpotCommand) -> Committed:
    """Send a command to the spot cell, under the caller's command id if there is one."""
    command_id = f"{caller.user_id}:{caller.command_id}" if caller.command_id else ""
    return await context.node.submit_spot(command, command_id)


async def execute(
    context: Context, caller: Caller, command: SpotCommand, order_code: int
) -> Committed:
    """Submit a command, or raise the error that answers its refusal."""
    committed = await submit(context, caller, command)
    answer = committed.answer
    if isinstance(answer, CommandRejected):
        raise errors.rejected(answer.reason, order_code)
    return committed


def repeated(committed: Committed) -> bool:
    return isinstance(committed.answer, CommandRepeated)


def first_accepted(events: list[Event]) -> Order:
    """Return the order that the command placed: only a command places orders."""
    return next(event.order for event in events if isinstance(event, OrderAccepted))


def canceled_orders(events: list[Event], user_id: int, symbol: str) -> Iterator[OrderCanceled]:
    """Yield the user's canceled orders, leaving out what others' countdowns canceled."""
    for event in events:
        if isinstance(event, OrderCanceled):
            order = event.order
            if order.user_id == user_id and order.symbol == symbol:
                yield event


def read_place(context: Context, caller: Caller, params: Params) -> tuple[Market, PlaceOrder]:
    market = order_terms.market_of(context, params)
    terms = order_terms.read_terms(params, market.instrument, caller, order_terms.ORDER)
    command = PlaceOrder(
        user_id=UserId(caller.user_id),
        symbol=market.instrument.symbol,
        terms=terms,
        stp_mode=order_terms.read_stp(params),
    )
    return market, command


async def place(context: Context, caller: Caller, params: Params) -> object:
    market, command = read_place(context, caller, params)
    response = params.one_of("newOrderRespType", order_answers.RESPONSE_TYPES)
    context.metrics.orders += 1
    committed = await execute(context, caller, command, errors.NEW_ORDER_REJECTED)
    terms = command.terms
    if repeated(committed):
        return await present_state(context, caller, params, market, terms.client_order_id)
    return order_answers.accepted(
        market,
        first_accepted(committed.events),
        terms,
        committed.events,
        committed.at_ns,
        params,
        response,
    )


async def present_state(
    context: Context,
    caller: Caller,
    params: Params,
    market: Market,
    client_order_id: str | None,
    order_id: int | None = None,
) -> dict[str, object]:
    """Answer a repeated command with the order as it stands now."""
    row = await context.node.views.order(caller.user_id, market.symbol, order_id, client_order_id)
    if row is None:
        raise errors.command_id_reused()
    answer = order_answers.row_answer(market, row, params)
    answer["transactTime"] = answer["updateTime"]
    return answer


async def place_test(context: Context, caller: Caller, params: Params) -> object:
    _, command = read_place(context, caller, params)
    params.one_of("newOrderRespType", order_answers.RESPONSE_TYPES)
    await context.need_present()
    rejection = preview_place_order(context.node.spot, command)
    if rejection is not None:
        raise errors.rejected(rejection, errors.NEW_ORDER_REJECTED)
    if params.flag("computeCommissionRates"):
        return order_test_commission(context, caller)
    return {}


def read_which(
    params: Params, order_id: str = "orderId", client_id: str = "origClientOrderId"
) -> tuple[OrderId | None, str | None]:
    """Return the order id and the client's id of the order meant; one must be there."""
    by_id = params.integer(order_id)
    by_client = params.text(client_id)
    if by_id is None and by_client is None:
        raise errors.either_missing(client_id, order_id)
    return None if by_id is None else OrderId(by_id), by_client


def read_restriction(params: Params) -> CancelRestriction | None:
    value = params.text("cancelRestrictions")
    if value is None:
        return None
    try:
        return CancelRestriction(value)
    except ValueError:
        raise errors.bad_cancel_restrictions() from None


async def cancel(context: Context, caller: Caller, params: Params) -> object:
    market = order_terms.market_of(context, params)
    order_id, client_order_id = read_which(params)
    cancel_id = order_terms.client_id(params, "newClientOrderId", caller)
    command = CancelOrder(
        user_id=UserId(caller.user_id),
        symbol=market.instrument.symbol,
        order_id=order_id,
        client_order_id=client_order_id,
        cancel_client_order_id=cancel_id,
        restriction=read_restriction(params),
    )
    committed = await execute(context, caller, command, errors.CANCEL_REJECTED)
    if repeated(committed):
        return await present_state(context, caller, params, market, client_order_id, order_id)
    return answer_canceled(market, committed, command, params)


def answer_canceled(
    market: Market, committed: Committed, command: CancelOrder, params: Params
) -> dict[str, object]:
    """Answer with the order that was named, though its whole list went with it."""
    named = [
        event.order
        for event in canceled_orders(committed.events, command.user_id, command.symbol)
        if event.order.order_id == command.order_id
        or (command.order_id is None and event.order.client_order_id == command.client_order_id)
    ]
    # A client's id may have been used before; the command's own event stands last.
    return order_answers.canceled(
        market, named[-1], command.cancel_client_order_id, committed.at_ns, params
    )


async def cancel_open(context: Context, caller: Caller, params: Params) -> object:
    market = order_terms.market_of(context, params)
    command = CancelOpenOrders(user_id=UserId(caller.user_id), symbol=market.instrument.symbol)
    committed = await execute(context, caller, command, errors.CANCEL_REJECTED)
    answers: list[object] = []
    lists_seen: list[int] = []
    for event in canceled_orders(committed.events, caller.user_id, market.symbol):
        order_list = event.order.order_list
        if order_list is None:
            cancel_id = event.cancel_client_order_id or event.order.client_order_id
            answers.append(
                order_answers.canceled(market, event.order, cancel_id, committed.at_ns, params)
            )
        elif order_list.order_list_id not in lists_seen:
            lists_seen.append(order_list.order_list_id)
            answers.append(list_canceled(market, order_list, "", committed, params))
    return answers


METHODS = (
    Method(
        name="order.place",
        rest=("POST /api/v3/order",),
        websocket=True,
        handler=place,
        security=Security.TRADE,
        order_count=1,
        params=PLACE_PARAMS,
        summary="Place an order.",
    ),
    Method(
        name="order.test",
        rest=("POST /api/v3/order/test",),
        websocket=True,
        handler=place_test,
        security=Security.TRADE,
        weigh=lambda params: 20 if "computeCommissionRates" in params else 1,
        params=PLACE_PARAMS | {"computeCommissionRates"},
        summary="Check an order without placing it.",
    ),
    Method(
        name="order.cancel",
        rest=("DELETE /api/v3/order",),
        websocket=True,
        handler=cancel,
        security=Security.TRADE,
        params=_CANCEL_PARAMS,
        summary="Cancel an order.",
    ),
    Method(
        name="openOrders.cancelAll",
        rest=("DELETE /api/v3/openOrders",),
        websocket=True,
        handler=cancel_open,
        security=Security.TRADE,
        params=frozenset({"symbol"}),
        summary="Cancel all open orders of a market.",
    ),
)
