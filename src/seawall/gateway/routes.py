"""The REST half of the gateway.  The rule: one dict lookup finds the method, and no framework runs.

Raw ASGI: a request costs what decoding, authenticating and encoding it cost.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter_ns
from typing import Any

import structlog

from seawall.gateway import errors
from seawall.gateway.auth import without_signature
from seawall.gateway.context import (
    COMMANDS,
    PERMISSIONS,
    Caller,
    Context,
    Method,
    Security,
    checked_command_id,
)
from seawall.gateway.encode import encode_json
from seawall.gateway.errors import ApiError
from seawall.gateway.freshness import LAST_KNOWN, SEQUENCE, Answer, Freshness, Header
from seawall.gateway.methods import ROUTES, call, weight_of
from seawall.gateway.params import Params, merge_pairs
from seawall.model.ids import SPOT

_LOG = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON: Header = (b"content-type", b"application/json;charset=UTF-8")
_CLOSE: Header = (b"connection", b"close")
_NOBODY = Caller()


class Request:
    """What the hot path needs of one request's head."""

    __slots__ = (
        "api_key",
        "body_bytes",
        "chunked",
        "command_id",
        "ip",
        "last_known",
        "query",
        "sequence",
        "unit",
        "used_weight",
        "user_id",
    )  # fmt: skip

    def __init__(self, scope: Scope) -> None:
        self.query: bytes = scope["query_string"]
        client = scope.get("client")
        self.ip: str = client[0] if client else ""
        self.api_key = ""
        self.command_id = ""
        self.last_known = False
        self.unit = b""
        self.body_bytes = 0
        self.chunked = False
        self.user_id = 0
        self.sequence = -1
        self.used_weight = -1
        for name, value in scope["headers"]:
            if name == b"x-mbx-apikey":
                self.api_key = value.decode("latin-1")
            elif name == b"content-length":
                self.body_bytes = int(value) if value.isdigit() else 0
            elif name == b"transfer-encoding":
                self.chunked = True
            elif name == b"x-mbx-time-unit":
                self.unit = value
            elif name == b"x-seawall-command-id":
                self.command_id = value.decode("latin-1")
            elif name == LAST_KNOWN:
                self.last_known = value.lower() in (b"1", b"true")


class Rest:
    """Answers the requests of the route table."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def serve(self, method: Method, scope: Scope, receive: Receive, send: Send) -> None:
        started_ns = perf_counter_ns()
        request = Request(scope)
        status = 200
        extra: list[Header] = []
        freshness: Freshness | None = None
        try:
            answer = await self._answer(method, request, receive)
            freshness = answer.freshness
            body = encode_json(answer.content)
        except ApiError as error:
            status = error.status
            body = encode_json(error.body())
            extra = self._error_headers(error)
        except Exception:  # noqa: BLE001  # the client learns that it failed, the operator why
            _LOG.exception("request_failed", route=method.name)
            failed = errors.internal()
            status, body = failed.status, encode_json(failed.body())
        headers = [_JSON, (b"content-length", b"%d" % len(body)), *extra]
        self._add_freshness(headers, method, request, freshness, status)
        self._add_counts(headers, method, request)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        took_ns = perf_counter_ns() - started_ns
        self._context.metrics.answered(method.name, status, took_ns)
        if self._context.settings.access_log:
            _LOG.info(
                "request", route=method.name, status=status, ip=request.ip, took_us=took_ns // 1_000
            )

    async def _answer(self, method: Method, request: Request, receive: Receive) -> Answer:
        context = self._context
        now_ns = context.now_ns()
        body = b""
        if request.body_bytes or request.chunked:
            body = await self._read_body(request, receive)
        values = merge_pairs(request.query, body)
        params = Params(values, microseconds=self._microseconds(request))
        request.used_weight = context.throttle.admit(request.ip, weight_of(method, params), now_ns)
        if context.clustered and method.security is not Security.NONE:
            await context.learn_key(request.api_key)
        caller = self._caller(method, request, values, body, now_ns)
        request.user_id = caller.user_id
        request.sequence = context.sequence(method.cells)
        return await call(context, method, caller, params, last_known=request.last_known)

    async def _read_body(self, request: Request, receive: Receive) -> bytes:
        most = self._context.settings.body_bytes_max
        if request.body_bytes > most:
            raise errors.body_too_large()
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            if len(body) > most:
                raise errors.body_too_large()
            message = await receive()
            body += message.get("body", b"")
        if len(body) > most:
            raise errors.body_too_large()
        return bytes(body)

    def _caller(
        self, method: Method, request: Request, values: dict[str, str], body: bytes, now_ns: int
    ) -> Caller:
        security = method.security
        if security is Security.NONE:
            return Caller(ip=request.ip) if request.ip else _NOBODY
        keys = self._context.keys
        if security is Security.USER_STREAM:
            key = keys.known(request.api_key, request.ip)
        else:
            payload = without_signature(request.query) + without_signature(body)
            key = keys.authenticate(
                request.api_key, PERMISSIONS[security], values, payload, request.ip, now_ns
            )
        return Caller(
            user_id=key.user_id,
            api_key=key.api_key,
            permissions=key.permissions,
            ip=request.ip,
            command_id=checked_command_id(request.command_id, "X-Seawall-Command-Id"),
        )

    @staticmethod
    def _microseconds(request: Request) -> bool:
        unit = request.unit
        if not unit:
            return False
        upper = unit.upper()
        if upper == b"MICROSECOND":
            return True
        if upper == b"MILLISECOND":
            return False
        raise errors.bad_time_unit()

    def _error_headers(self, error: ApiError) -> list[Header]:
        extra: list[Header] = []
        if error.retry_after_s:
            extra.append((b"retry-after", b"%d" % error.retry_after_s))
        if error.status in (errors.TOO_MANY, errors.BANNED):
            self._context.metrics.throttled += 1
        elif error.status == errors.TOO_LARGE:
            extra.append(_CLOSE)
        return extra

    def _add_freshness(
        self,
        headers: list[Header],
        method: Method,
        request: Request,
        freshness: Freshness | None,
        status: int,
    ) -> None:
        """Say up to which entry everything is in the answer and, if that may be old, of when."""
        context = self._context
        if freshness is None and context.clustered and status == errors.UNAVAILABLE:
            freshness = context.freshness(method.cells or (SPOT,))
        if freshness is None:
            sequence = request.sequence
            if sequence < 0 or method.security in COMMANDS:
                sequence = context.sequence(method.cells)
        else:
            sequence = freshness.sequence
            if not freshness.current:
                headers += freshness.headers()
        headers.append((SEQUENCE, b"%d" % sequence))

    def _add_counts(self, headers: list[Header], method: Method, request: Request) -> None:
        if request.used_weight >= 0:
            used = b"%d" % request.used_weight
            headers.append((b"x-mbx-used-weight", used))
            headers.append((b"x-mbx-used-weight-1m", used))
        if method.order_count and request.user_id:
            throttle = self._context.throttle
            short, long = throttle.orders_used(request.user_id, self._context.now_ns())
            headers.append((b"x-mbx-order-count-10s", b"%d" % short))
            headers.append((b"x-mbx-order-count-1d", b"%d" % long))


def find_route(scope: Scope) -> Method | None:
    return ROUTES.get(f"{scope['method']} {scope['path']}")


def allowed_verbs(path: str) -> list[str]:
    """Return the verbs that a path answers to."""
    return [route.partition(" ")[0] for route in ROUTES if route.partition(" ")[2] == path]
