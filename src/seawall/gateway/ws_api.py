"""The WebSocket API, `/ws-api/v3`.  The rule: the same methods as REST, each answered by its id.

A request is one text frame; its parameters reach the handlers as the text that was sent, so that no
number passes through a float.  Requests of one socket run side by side, at most
`limits.WS_PENDING_REQUESTS` of them; then the socket is not read further.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from msgspec import Raw, Struct, field

from seawall.gateway import errors
from seawall.gateway import stream_payloads as payloads
from seawall.gateway.auth import Credential, check_timestamp
from seawall.gateway.context import (
    PERMISSIONS,
    Caller,
    Context,
    Method,
    Security,
    checked_command_id,
)
from seawall.gateway.encode import encode_json
from seawall.gateway.errors import ApiError
from seawall.gateway.freshness import Freshness
from seawall.gateway.methods import WS_METHODS, call, weight_of
from seawall.gateway.params import Params
from seawall.gateway.past import CannotResumeError
from seawall.gateway.socket_protocol import INTERNAL_ERROR, Socket
from seawall.gateway.stream_payloads import MICROSECOND_NS, MILLISECOND_NS
from seawall.gateway.user_feeds import Feed, UserFeeds
from seawall.model import limits

_LOG = structlog.get_logger(__name__)

SUBSCRIPTIONS_MAX: Final = 1_000
"""Live user data subscriptions of one socket."""

_VERSION: Final = "v3/"
_RESUME: Final = "resumeFrom"
_SHOW_LIMITS: Final = "returnRateLimits"
"""Every request may have it; no handler reads it, but a signature covers it."""
_AUTHENTICATION: Final = frozenset({"apiKey", "signature", "timestamp", "recvWindow"})
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_NULL: Final = Raw(b"null")


class Envelope(Struct, frozen=True):
    """One request as it came: an object, its parts not yet looked into."""

    id: Raw = _NULL
    method: Raw = _NULL
    params: Raw = _NULL
    command_id: Raw = field(default=_NULL, name="commandId")
    """Seawall's own: what `X-Seawall-Command-Id` is over REST."""


_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_params = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class ApiSession:
    """One connection to the WebSocket API."""

    def __init__(
        self,
        context: Context,
        socket: Socket,
        feeds: UserFeeds,
        *,
        ip: str,
        microseconds: bool,
        return_rate_limits: bool,
    ) -> None:
        self.socket = socket
        self._context = context
        self._feeds = feeds
        self._ip = ip
        self._microseconds = microseconds
        self._unit_ns = MICROSECOND_NS if microseconds else MILLISECOND_NS
        self._return_rate_limits = return_rate_limits
        self._connected_ns = context.now_ns()
        self._authorized_ns = 0
        self._api_key = ""
        """Of the session's log-on; empty where there was none."""
        self._subscriptions: dict[int, Feed] = {}
        self._next_subscription_id = 0
        self._starting: list[tuple[Feed, int | None]] = []
        """Subscriptions whose answer has not been sent."""
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()

    # Requests

    async def take(self, text: str | bytes) -> None:
        """Start on one request; returns at once unless too many are under way already."""
        await self._room.wait()
        task = asyncio.get_running_loop().create_task(self._serve(text))
        self._running.add(task)
        task.add_done_callback(self._done)
        if len(self._running) >= limits.WS_PENDING_REQUESTS:
            self._room.clear()

    def close(self) -> None:
        """Forget the subscriptions.  Requests under way run on: their commands may be durable."""
        for feed in self._subscriptions.values():
            self._feeds.remove(feed)
        self._subscriptions.clear()

    @property
    def is_misled(self) -> bool:
        """Whether it hears user data that fall silent, and nothing of why."""
        return bool(self._subscriptions)

    def farewell(self) -> bytes:
        """Return what is sent when the exchange stops."""
        event = payloads.server_shutdown(self._context.now_ns(), self._unit_ns)
        return encode_json({"event": event})

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.set()
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("websocket_request_failed", exc_info=task.exception())
            self.socket.close(INTERNAL_ERROR, "Internal error")

    async def _serve(self, text: str | bytes) -> None:
        answer = await self._answer(text)
        self.socket.send_text(answer)
        # Who subscribes learns the id first, then what it missed.
        starting, self._starting = self._starting, []
        for feed, after in starting:
            self._feeds.add(feed, after)
        await self.socket.writable()

    async def _answer(self, text: str | bytes) -> bytes:
        request_id = _NULL
        user_id = 0
        shows_limits = self._return_rate_limits
        method: Method | None = None
        body: dict[str, object]
        freshness: Freshness | None = None
        try:
            envelope = _read(text)
            request_id = _id(envelope)
            name = _method(envelope)
            values = _values(envelope)
            shows_limits = _flag(values.get(_SHOW_LIMITS), default=shows_limits)
            method = WS_METHODS.get(name)
            if method is None:
                await self._context.learn_key(values.get("apiKey", ""))
                await self._context.reach(Params(values).integer(_RESUME) or 0)
                result = self._session_request(name, values)
            else:
                await self._context.learn_key(values.get("apiKey") or self._api_key)
                caller, params = self._admit(method, values, _command_id(envelope))
                user_id = caller.user_id
                answer = await call(self._context, method, caller, params)
                result, freshness = answer.content, answer.freshness
            body = {"id": request_id, "status": 200, "result": result}
            if freshness is not None and self._context.clustered:
                body |= freshness.fields(params)
        except ApiError as error:
            body = {"id": request_id, "status": error.status, "error": self._error(error)}
        if shows_limits:
            body["rateLimits"] = self._rate_limits(method, user_id)
        return encode_json(body)

    def _error(self, error: ApiError) -> dict[str, object]:
        answer = error.body()
        if error.retry_after_s:
            now_ns = self._context.now_ns()
            answer["data"] = {
                "serverTime": now_ns // self._unit_ns,
                "retryAfter": (now_ns + error.retry_after_s * 1_000_000_000) // self._unit_ns,
            }
        return answer

    def _rate_limits(self, method: Method | None, user_id: int) -> list[dict[str, object]]:
        throttle = self._context.throttle
        now_ns = self._context.now_ns()
        shown = throttle.ip_limits(self._ip, now_ns)
        if method is not None and method.order_count and user_id:
            shown = throttle.order_limits(user_id, now_ns) + shown
        return shown

    # Who asks

    def _admit(
        self, method: Method, values: dict[str, str], command_id: str
    ) -> tuple[Caller, Params]:
        """Count the request and find out who asks; raise if they may not."""
        read = {name: values[name] for name in values if name != _SHOW_LIMITS}
        params = Params(read, microseconds=self._microseconds)
        now_ns = self._context.now_ns()
        self._context.throttle.admit(self._ip, weight_of(method, params), now_ns)
        permission = PERMISSIONS.get(method.security)
        if permission is not None:
            return self._caller(self._authenticate(values, permission), command_id), params
        api_key = read.pop("apiKey", "") or self._api_key
        if method.security is Security.USER_STREAM:
            return self._caller(self._context.keys.known(api_key, self._ip), command_id), params
        return Caller(ip=self._ip), params

    def _authenticate(self, values: Mapping[str, str], permission: str) -> Credential:
        """Check the request's own signature or, where it has none, the session's log-on."""
        now_ns = self._context.now_ns()
        if "apiKey" not in values and "signature" not in values and self._api_key:
            key = self._context.keys.known(self._api_key, self._ip)
            timestamp = values.get("timestamp")
            if not timestamp:
                raise errors.missing("timestamp")
            check_timestamp(timestamp, values.get("recvWindow"), now_ns)
            if permission not in key.permissions:
                raise errors.bad_key()
            return key
        api_key = values.get("apiKey")
        if not api_key:
            raise errors.missing("apiKey")
        return self._context.keys.authenticate(
            api_key, permission, values, signature_payload(values), self._ip, now_ns
        )

    def _caller(self, key: Credential, command_id: str) -> Caller:
        return Caller(
            user_id=key.user_id,
            api_key=key.api_key,
            permissions=key.permissions,
            ip=self._ip,
            command_id=command_id,
        )

    # The session itself

    def _session_request(self, name: str, values: dict[str, str]) -> object:
        """Answer the methods that are about this connection, and so have no REST twin."""
        if name not in SESSION_METHODS:
            raise errors.bad(-1000, f"Unknown method '{name[:64]}'.")
        self._context.throttle.admit(self._ip, SESSION_METHODS[name], self._context.now_ns())
        match name:
            case "session.logon":
                return self._log_on(values)
            case "session.status":
                _refuse_unread(values, 0)
                return self._status()
            case "session.logout":
                _refuse_unread(values, 0)
                return self._log_out()
            case "session.subscriptions":
                _refuse_unread(values, 0)
                return [{"subscriptionId": each} for each in self._subscriptions]
            case "userDataStream.subscribe":
                _refuse_unread(values, 1, _RESUME)
                return self._subscribe_session(values)
            case "userDataStream.subscribe.signature":
                return self._subscribe(self._authenticate_only(values, _RESUME), values)
            case _:
                return self._unsubscribe(values)

    def _authenticate_only(self, values: dict[str, str], *more: str) -> Credential:
        if "apiKey" not in values:
            raise errors.missing("apiKey")
        key = self._authenticate(values, "read")
        rest = {name: values[name] for name in values if name not in _AUTHENTICATION}
        _refuse_unread(rest, len(more), *more)
        return key

    def _log_on(self, values: dict[str, str]) -> dict[str, object]:
        self._context.need_sign_in()
        key = self._authenticate_only(values)
        self._api_key = key.api_key
        self._authorized_ns = self._context.now_ns()
        return self._status()

    def _log_out(self) -> dict[str, object]:
        for feed in list(self._subscriptions.values()):
            if feed.api_key == self._api_key:
                self._feeds.end(feed, self._context.now_ns())
        self._api_key = ""
        return self._status()

    def _status(self) -> dict[str, object]:
        on = bool(self._api_key)
        return {
            "apiKey": self._api_key if on else None,
            "authorizedSince": self._authorized_ns // self._unit_ns if on else None,
            "connectedSince": self._connected_ns // self._unit_ns,
            "returnRateLimits": self._return_rate_limits,
            "serverTime": self._context.now_ns() // self._unit_ns,
            "userDataStream": bool(self._subscriptions),
        }

    def _subscribe_session(self, values: dict[str, str]) -> dict[str, object]:
        if not self._api_key:
            raise errors.bad(-2015, "Session is not authenticated; use session.logon first.")
        key = self._context.keys.known(self._api_key, self._ip)
        if "read" not in key.permissions:
            raise errors.bad_key()
        return self._subscribe(key, values)

    def _subscribe(self, key: Credential, values: dict[str, str]) -> dict[str, object]:
        """Listen to the key's user; a user already listened to keeps the one subscription."""
        after = Params(values).integer(_RESUME)
        if any(feed.user_id == key.user_id for feed in self._subscriptions.values()):
            raise errors.bad(-2035, "User Data Stream subscription already active.")
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise errors.bad(
                -1034,
                f"Too many User Data Stream subscriptions; current limit is '{SUBSCRIPTIONS_MAX}'.",
            )
        if after is not None:
            try:
                self._feeds.check(key.user_id, after)
            except CannotResumeError as error:
                raise errors.cannot_resume(str(error)) from None
        subscription_id = self._next_subscription_id
        self._next_subscription_id += 1
        feed = Feed(
            user_id=key.user_id,
            socket=self.socket,
            prefix=b'{"subscriptionId":%d,"event":' % subscription_id,
            suffix=b"}",
            microseconds=self._microseconds,
            api_key=key.api_key,
            on_end=self._feed_ended,
        )
        self._subscriptions[subscription_id] = feed
        self._starting.append((feed, after))
        return {"subscriptionId": subscription_id}

    def _unsubscribe(self, values: dict[str, str]) -> dict[str, object]:
        """End one subscription or, where none is named, all."""
        _refuse_unread(values, 1, "subscriptionId")
        wanted = Params(values).integer("subscriptionId")
        if wanted is not None and wanted not in self._subscriptions:
            raise errors.bad(-2036, "User Data Stream subscription not active.")
        chosen = list(self._subscriptions) if wanted is None else [wanted]
        for subscription_id in chosen:
            self._feeds.end(self._subscriptions[subscription_id], self._context.now_ns())
        return {}

    def _feed_ended(self, ended: Feed) -> None:
        for subscription_id, feed in self._subscriptions.items():
            if feed is ended:
                del self._subscriptions[subscription_id]
                return


SESSION_METHODS: Final = {
    "session.logon": 2,
    "session.status": 2,
    "session.logout": 2,
    "session.subscriptions": 2,
    "userDataStream.subscribe": 2,
    "userDataStream.subscribe.signature": 2,
    "userDataStream.unsubscribe": 2,
}
"""Methods of the connection itself, with their weights."""


def signature_payload(values: Mapping[str, str]) -> bytes:
    """Return what a request's signature covers: all else it says, by name, as a query."""
    return "&".join(
        f"{name}={values[name]}" for name in sorted(values) if name != "signature"
    ).encode()


def _read(text: str | bytes) -> Envelope:
    try:
        return _decode_envelope(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise errors.bad(-1135, "Invalid JSON Request; expected an object.") from None


def _id(envelope: Envelope) -> Raw:
    if bytes(envelope.id)[:1] in (b"[", b"{", b"t", b"f"):
        raise errors.bad(
            -1135, "Invalid 'id' in JSON request; expected an integer, a string or null."
        )
    return envelope.id


def _method(envelope: Envelope) -> str:
    if bytes(envelope.method)[:1] != b'"':
        raise errors.bad(-1135, "Invalid 'method' in JSON request; expected a string.")
    return _text(envelope.method).removeprefix(_VERSION)


def _command_id(envelope: Envelope) -> str:
    text = bytes(envelope.command_id)
    if text == b"null":
        return ""
    if text[:1] != b'"':
        raise errors.bad(-1135, "Invalid 'commandId' in JSON request; expected a string.")
    return checked_command_id(_text(envelope.command_id), "commandId")


def _values(envelope: Envelope) -> dict[str, str]:
    """Return the parameters as the text they were sent as; null is as if not sent."""
    raw_params = bytes(envelope.params)
    if raw_params == b"null":
        return {}
    if raw_params[:1] != b"{":
        raise errors.bad(-1135, "Invalid 'params' in JSON request; expected an object.")
    values: dict[str, str] = {}
    for name, raw in _members(raw_params):
        if _NAME.fullmatch(name) is None:
            raise errors.undecodable()
        text = bytes(raw)
        if text == b"null":
            continue
        if text[:1] == b"{":
            raise errors.invalid_value(name)
        values[name] = _text(raw) if text[:1] == b'"' else _as_sent(text)
    return values


def _members(raw_params: bytes) -> list[tuple[str, Raw]]:
    """Take the object apart; a frame's bytes need not be UTF-8."""
    try:
        return list(_decode_params(raw_params).items())
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.undecodable() from None


def _as_sent(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise errors.undecodable() from None


def _text(raw: Raw) -> str:
    try:
        return _decode_text(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.undecodable() from None


def _flag(value: str | None, *, default: bool) -> bool:
    if value is None:
        return default
    if value not in ("true", "false"):
        raise errors.invalid_value("returnRateLimits")
    return value == "true"


def _refuse_unread(values: Mapping[str, str], allowed: int, *names: str) -> None:
    sent = [name for name in values if name != _SHOW_LIMITS]
    if any(name not in names for name in sent):
        raise errors.too_many_parameters(allowed, len(sent))
