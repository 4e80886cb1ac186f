"""The methods of the API, by subject.  The rule: one handler, whatever transport it came by.

A transport finds its `Method`, counts its weight, authenticates the caller, then awaits `call`.
"""

from collections.abc import Mapping

from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
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

_COMMANDS = frozenset({Security.TRADE, Security.USER_STREAM, Security.WITHDRAW})
_AUTHENTICATION = frozenset({"timestamp", "recvWindow", "signature", "apiKey"})


async def call(context: Context, method: Method, caller: Caller, params: Params) -> object:
    """Check the parameters' names, count orders and run the handler.

    Raises ApiError only; what the node could not do is turned into one.
    """
    if not method.lenient:
        refuse_unread(method, params)
    if method.order_count:
        context.throttle.admit_orders(caller.user_id, method.order_count, context.now_ns())
    if not method.always and method.security not in _COMMANDS:
        context.need_current()
    try:
        return await method.handler(context, caller, params)
    except NodeError as error:
        raise errors.of_node(error) from error
    except HistoryError as error:
        # A command that was repeated has taken effect, whether or not history can show it.
        unknown = method.security in _COMMANDS
        raise errors.outcome_unknown() if unknown else errors.unavailable() from error


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
