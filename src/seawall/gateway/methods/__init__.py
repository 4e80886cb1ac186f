"""The methods of the API, by subject.  The rule: one handler, whatever transport it came by.

A transport finds its `Method`, counts its weight, authenticates the caller, then awaits `call`.
"""

from collections.abc import Mapping

from seawall.gateway import errors
from seawall.gateway.context import COMMANDS, Caller, Context, Method, Security
from seawall.gateway.errors import ApiError
from seawall.gateway.freshness import Answer, Freshness
from seawall.gateway.methods.catalogue import ALL
from seawall.gateway.params import Params
from seawall.node.errors import NodeError
from seawall.views.history import HistoryError

METHODS: Mapping[str, Method] = {method.name: method for method in ALL}
"""By name, REST-only ones included."""
ROUTES: Mapping[str, Method] = {route: method for method in ALL for route in method.rest}
"""By verb and path, as in `GET /api/v3/time`."""
WS_METHODS: Mapping[str, Method] = {method.name: method for method in ALL if method.websocket}
"""Those that `/ws-api/v3` offers."""

_AUTHENTICATION = frozenset({"timestamp", "recvWindow", "signature", "apiKey"})
_OF_THE_PRESENT = range(-2999, -1999)
"""Codes that tell how things stand, such as -2013, that there is no such order; others tell what is
wrong with the request."""


async def call(
    context: Context, method: Method, caller: Caller, params: Params, *, last_known: bool = False
) -> Answer:
    """Carry out a method, in a trace of its own where requests are traced; see `_carry_out`."""
    tracing = context.node.tracing
    if tracing is None:
        return await _carry_out(context, method, caller, params, last_known=last_known)
    with tracing.request(method.name):
        return await _carry_out(context, method, caller, params, last_known=last_known)


async def _carry_out(
    context: Context, method: Method, caller: Caller, params: Params, *, last_known: bool
) -> Answer:
    """Check the parameters' names, count orders, and run the handler.

    `last_known` asks for quotes even where they may be old.  Raises ApiError only; what the node
    could not do is turned into one.
    """
    if not method.lenient:
        refuse_unread(method, params)
    if method.order_count:
        context.throttle.admit_orders(caller.user_id, method.order_count, context.now_ns())
    is_command = method.security in COMMANDS
    freshness: Freshness | None = None
    try:
        if is_command or not method.cells:
            content = await method.handler(context, caller, params)
            freshness = context.freshness(method.cells, current=True) if method.dated else None
        else:
            freshness = await _freshness(context, method, last_known=last_known)
            content = await method.handler(context, caller, params)
    except ApiError as error:
        if freshness is not None and not freshness.current and error.code in _OF_THE_PRESENT:
            # What is missing here may be there: only a current node can say that it is not.
            raise errors.not_current(freshness.words()) from error
        raise
    except NodeError as error:
        raise errors.of_node(error) from error
    except HistoryError as error:
        # A command that was repeated has taken effect, whether or not history can show it.
        raise errors.outcome_unknown() if is_command else errors.unavailable() from error
    if freshness is not None and (method.dated or not freshness.current):
        content = _dated(method, content, freshness, params)
    return Answer(content, freshness)


async def _freshness(context: Context, method: Method, *, last_known: bool) -> Freshness | None:
    """Return what the answer will be true of, taken before it is read; None if that is plain.

    Refuses where nothing may be said.
    """
    if not context.clustered:
        if not method.always:
            for cell in method.cells:
                context.need_current(cell)
        return context.freshness(method.cells) if method.dated else None
    if method.security is Security.NONE:
        context.need_sound(method.cells)
        found = context.freshness(method.cells)
        if method.quotes and not found.current and not last_known:
            raise errors.not_current(found.words())
        return found
    current = await context.confirm(method.cells)
    return context.freshness(method.cells, current=current)


def _dated(method: Method, content: object, freshness: Freshness, params: Params) -> object:
    """Say in an object what it is true of; lists have no place for it."""
    if not isinstance(content, dict):
        return content
    fields = freshness.fields(params)
    if method.dated:
        fields["current"] = freshness.current
    return content | fields


def weight_of(method: Method, params: Params) -> int:
    return method.weight if method.weigh is None else method.weigh(params)


def refuse_unread(method: Method, params: Params) -> None:
    """Refuse parameters the method does not read, as Binance does."""
    known = method.params
    signed = method.security in (Security.USER_DATA, Security.TRADE, Security.WITHDRAW)
    read = 0
    for name in params.values:
        if name in known or (signed and name in _AUTHENTICATION):
            read += 1
    sent = len(params.values)
    if read != sent:
        if signed:
            raise errors.unread(read, sent)
        raise errors.too_many_parameters(len(known), sent)
