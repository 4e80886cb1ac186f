"""Listen keys.  The rule: one open stream a user; opening it again keeps it open for an hour."""

import secrets

from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.params import Params
from seawall.model.commands import CloseListenKey, IdentityCommand, OpenListenKey, RenewListenKey
from seawall.model.events import CommandRejected, Event, ListenKeyOpened
from seawall.model.ids import UserId

_LISTEN_KEY_BYTES = 30


async def _submit(context: Context, command: IdentityCommand) -> list[Event]:
    committed = await context.node.submit_identity(command)
    first = committed.events[0] if committed.events else None
    if isinstance(first, CommandRejected):
        raise errors.unknown_listen_key()
    events: list[Event] = committed.events
    return events


async def start(context: Context, caller: Caller, params: Params) -> object:
    context.need_sign_in()
    made = secrets.token_hex(_LISTEN_KEY_BYTES)
    events = await _submit(context, OpenListenKey(user_id=UserId(caller.user_id), listen_key=made))
    opened = next(event for event in events if isinstance(event, ListenKeyOpened))
    return {"listenKey": opened.listen_key}


async def keep(context: Context, caller: Caller, params: Params) -> object:
    await _submit(
        context,
        RenewListenKey(user_id=UserId(caller.user_id), listen_key=params.need_text("listenKey")),
    )
    return {}


async def close(context: Context, caller: Caller, params: Params) -> object:
    await _submit(
        context,
        CloseListenKey(user_id=UserId(caller.user_id), listen_key=params.need_text("listenKey")),
    )
    return {}


METHODS = (
    Method(
        name="userDataStream.start",
        rest=("POST /api/v3/userDataStream", "POST /api/v1/userDataStream"),
        websocket=True,
        handler=start,
        security=Security.USER_STREAM,
        weight=2,
        lenient=True,
        summary="Open the user's data stream.",
    ),
    Method(
        name="userDataStream.ping",
        rest=("PUT /api/v3/userDataStream", "PUT /api/v1/userDataStream"),
        websocket=True,
        handler=keep,
        security=Security.USER_STREAM,
        weight=2,
        params=frozenset({"listenKey"}),
        lenient=True,
        summary="Keep it open for another hour.",
    ),
    Method(
        name="userDataStream.stop",
        rest=("DELETE /api/v3/userDataStream", "DELETE /api/v1/userDataStream"),
        websocket=True,
        handler=close,
        security=Security.USER_STREAM,
        weight=2,
        params=frozenset({"listenKey"}),
        lenient=True,
        summary="Close it.",
    ),
)
