"""Cancel-replace.  The rule: what happened to each half is said, whatever happened to the other."""

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.methods import order_answers, order_terms
from seawall.gateway.methods.order_answers import row_answer
from seawall.gateway.methods.orders import (
    PLACE_PARAMS,
    answer_canceled,
    first_accepted,
    read_place,
    read_restriction,
    read_which,
    repeated,
    submit,
)
from seawall.gateway.params import Params
from seawall.model.commands import CancelOrder, CancelReplaceOrder
from seawall.model.events import CancelReplaceDecided
from seawall.model.ids import UserId
from seawall.model.rejections import Rejection
from seawall.model.trading import CancelReplaceMode, OrderStatus
from seawall.node.driver import Committed

SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
NOT_ATTEMPTED = "NOT_ATTEMPTED"


async def cancel_replace(context: Context, caller: Caller, params: Params) -> object:
    market, command = _read(context, caller, params)
    response = params.one_of("newOrderRespType", order_answers.RESPONSE_TYPES)
    params.one_of("orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY"))
    context.metrics.orders += 1
    committed = await submit(context, caller, command)
    if repeated(committed):
        return await _present(context, params, market, command)
    return _answer(market, command, committed, params, response)


def _read(context: Context, caller: Caller, params: Params) -> tuple[Market, CancelReplaceOrder]:
    market, place = read_place(context, caller, params)
    mode_text = params.need_text("cancelReplaceMode")
    try:
        mode = CancelReplaceMode(mode_text)
    except ValueError:
        raise errors.invalid_value("cancelReplaceMode") from None
    order_id, client_order_id = read_which(params, "cancelOrderId", "cancelOrigClientOrderId")
    command = CancelReplaceOrder(
        mode=mode,
        cancel=CancelOrder(
            user_id=UserId(caller.user_id),
            symbol=market.instrument.symbol,
            order_id=order_id,
            client_order_id=client_order_id,
            cancel_client_order_id=order_terms.client_id(params, "cancelNewClientOrderId", caller),
            restriction=read_restriction(params),
        ),
        place=place,
    )
    return market, command


async def _present(
    context: Context, params: Params, market: Market, command: CancelReplaceOrder
) -> dict[str, object]:
    """Answer a repeated command: what has become of the order it canceled and of the one it placed.

    Only one that took effect, at least in part, is remembered.
    """
    views, cancel = context.node.views, command.cancel
    placed = await views.order(
        cancel.user_id, market.symbol, None, command.place.terms.client_order_id
    )
    old = await views.order(cancel.user_id, market.symbol, cancel.order_id, cancel.client_order_id)
    # An id that the new order bears again was free: the old order was gone.
    reborn = old is not None and placed is not None and old.order_id == placed.order_id
    canceled = reborn or (old is not None and old.status is OrderStatus.CANCELED)
    if placed is None and not canceled:
        raise errors.command_id_reused()
    both = _both(
        SUCCESS if canceled else FAILURE,
        FAILURE if placed is None else SUCCESS,
        None if old is None or reborn else row_answer(market, old, params),
        None if placed is None else row_answer(market, placed, params),
    )
    if placed is None or not canceled:
        raise errors.cancel_replace_partial(both)
    return both


def _answer(
    market: Market,
    command: CancelReplaceOrder,
    committed: Committed,
    params: Params,
    response: str | None,
) -> dict[str, object]:
    decided = next(event for event in committed.events if isinstance(event, CancelReplaceDecided))
    cancel_failed = decided.cancel_reason is not None
    place_failed = decided.place_reason is not None or not decided.place_attempted
    canceled = (
        _refused(decided.cancel_reason, errors.CANCEL_REJECTED)
        if decided.cancel_reason is not None
        else answer_canceled(market, committed, command.cancel, params)
    )
    placed: dict[str, object] | None = None
    if decided.place_reason is not None:
        placed = _refused(decided.place_reason, errors.NEW_ORDER_REJECTED)
    elif decided.place_attempted:
        order = first_accepted(committed.events)
        placed = order_answers.accepted(
            market,
            order,
            command.place.terms,
            committed.events,
            committed.at_ns,
            params,
            response,
        )
    place_result = SUCCESS
    if place_failed:
        place_result = FAILURE if decided.place_attempted else NOT_ATTEMPTED
    both = _both(FAILURE if cancel_failed else SUCCESS, place_result, canceled, placed)
    if cancel_failed and place_failed:
        raise errors.cancel_replace_failed(both)
    if cancel_failed or place_failed:
        raise errors.cancel_replace_partial(both)
    return both


def _both(
    cancel_result: str, place_result: str, canceled: object, placed: object
) -> dict[str, object]:
    return {
        "cancelResult": cancel_result,
        "newOrderResult": place_result,
        "cancelResponse": canceled,
        "newOrderResponse": placed,
    }


def _refused(reason: Rejection, order_code: int) -> dict[str, object]:
    return errors.rejected(reason, order_code).body()


METHODS = (
    Method(
        name="order.cancelReplace",
        rest=("POST /api/v3/order/cancelReplace",),
        websocket=True,
        handler=cancel_replace,
        security=Security.TRADE,
        order_count=1,
        params=PLACE_PARAMS
        | {
            "cancelReplaceMode",
            "cancelNewClientOrderId",
            "cancelOrigClientOrderId",
            "cancelOrderId",
            "cancelRestrictions",
            "orderRateLimitExceededMode",
        },
        summary="Cancel an order and place another in one step.",
    ),
)
