"""`/seawall/v1/user-reports` and `/report`: users say what they cannot do.

The rule: it works while nothing else does.  It reads no journal and writes none; what one node was
told is in its memory alone, and watchers gather it from all nodes.
"""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from seawall.gateway import errors
from seawall.gateway.auth import without_signature
from seawall.gateway.context import PERMISSIONS, Context, Security
from seawall.gateway.encode import encode_json
from seawall.gateway.errors import FORBIDDEN, ApiError
from seawall.gateway.operator import HEADER, Operator, json_response
from seawall.gateway.params import parse_pairs
from seawall.gateway.report_counts import ReportCounts, Reporters
from seawall.gateway.report_page import HEADERS, language_of, render
from seawall.model.user_reports import ReportSummary, Topic

WEIGHT: Final = 20
"""Of a report: an address can send three hundred a minute, whatever they say."""
READ_WEIGHT: Final = 2
BODY_BYTES: Final = 4_096
_SEE_OTHER: Final = 303

USER_REPORT_CALLS: Final = (
    (
        "POST /seawall/v1/user-reports",
        "anybody, or signed as any request is",
        "`topic`, as a form or as JSON: one of " + ", ".join(f"`{topic}`" for topic in Topic),
    ),
    (
        "GET /seawall/v1/user-reports/summary",
        "anybody; with the operators' token it also names the reporters by pseudonym",
        "how many reported each topic, by hour, at this node",
    ),
    ("GET, POST /report", "anybody", "the same as a page without script"),
)
"""Request, who may, and what it takes or tells, for the reference."""


class _Body(Struct, forbid_unknown_fields=True):
    topic: Topic


class ReportDesk:
    """Takes reports, and tells how many came."""

    def __init__(self, context: Context, operator: Operator) -> None:
        self._context = context
        self._told = operator.guarded(self._whole_summary)
        self._counts = ReportCounts(context.now_ns())

    def routes(self) -> list[Route]:
        at = "/seawall/v1/user-reports"
        return [
            Route(at, self._take, methods=["POST"]),
            Route(f"{at}/summary", self._tell, methods=["GET"]),
            Route("/report", self._page, methods=["GET"]),
            Route("/report", self._take_form, methods=["POST"]),
        ]

    # The API

    async def _take(self, request: Request) -> Response:
        try:
            _refuse_foreign(request)
            topic, counted, signed_in = await self._count(request)
        except ApiError as error:
            return _refusal(error)
        return json_response(
            {
                "topic": topic,
                "counted": counted,
                "signedIn": signed_in,
                "windowSeconds": self._summary().window_seconds,
            }
        )

    async def _tell(self, request: Request) -> Response:
        if HEADER in request.headers:
            return await self._told(request)
        try:
            self._admit(request, READ_WEIGHT)
        except ApiError as error:
            return _refusal(error)
        return Response(encode_json(self._summary()), media_type="application/json")

    async def _whole_summary(self, _: Request) -> object:
        node = self._context.node.settings.name
        return self._counts.summary(node, self._context.now_ns(), reports=True)

    async def _count(self, request: Request) -> tuple[Topic, bool, bool]:
        """Return what was reported, whether it counted, and whether a user signed it."""
        now_ns = self._admit(request, WEIGHT)
        body = await _read(request)
        user_id = self._user(request, body, now_ns)
        reporters = Reporters(self._context.sealer.pseudonym, user_id, _ip(request))
        topic = _topic(body)
        return topic, self._counts.add(topic, reporters, now_ns), user_id > 0

    def _user(self, request: Request, body: bytes, now_ns: int) -> int:
        """Return who signed the request; 0 is nobody."""
        api_key = request.headers.get("x-mbx-apikey", "")
        if not api_key:
            return 0
        query: bytes = request.scope["query_string"]
        values = {} if body[:1] == b"{" else parse_pairs(body)
        payload = without_signature(query) + without_signature(body)
        key = self._context.keys.authenticate(
            api_key, PERMISSIONS[Security.USER_DATA], values | parse_pairs(query), payload,
            _ip(request), now_ns,
        )  # fmt: skip
        return key.user_id

    def _admit(self, request: Request, weight: int) -> int:
        now_ns = self._context.now_ns()
        self._context.throttle.admit(_ip(request), weight, now_ns)
        return now_ns

    # The page

    async def _page(self, request: Request) -> Response:
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
        said = None
        for outcome in ("thanks", "again"):
            topic = _named(request.query_params.get(outcome, ""))
            if topic is not None:
                said = (outcome, topic)
        try:
            self._admit(request, READ_WEIGHT)
        except ApiError as error:
            return self._show(language_of(asked), error=error)
        return self._show(language_of(asked), said=said)

    async def _take_form(self, request: Request) -> Response:
        language = language_of(request.query_params.get("lang", ""))
        try:
            _refuse_foreign(request)
            topic, counted, _ = await self._count(request)
        except ApiError as error:
            return self._show(language, error=error)
        outcome = "thanks" if counted else "again"
        # What a browser asks again, when its page is loaded anew, is then no report.
        return RedirectResponse(f"/report?lang={language}&{outcome}={topic}", _SEE_OTHER)

    def _show(
        self, language: str, *, said: tuple[str, Topic] | None = None, error: ApiError | None = None
    ) -> Response:
        since = datetime.fromtimestamp(self._counts.since_ns // 1_000_000_000, UTC)
        page = render(
            self._summary(),
            language=language,
            since=f"{since:%Y-%m-%d %H:%M} UTC",
            said=said,
            trouble=error.message if error else "",
        )
        headers = dict(HEADERS)
        if error is not None and error.retry_after_s:
            headers["retry-after"] = str(error.retry_after_s)
        return HTMLResponse(page, error.status if error else 200, headers)

    def _summary(self) -> ReportSummary:
        node = self._context.node.settings.name
        return self._counts.summary(node, self._context.now_ns(), reports=False)


def _refuse_foreign(request: Request) -> None:
    """Refuse what another site's page sends through a visitor's browser.

    Otherwise one page with many visitors could make a crowd.  Programs send neither header.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise ApiError(FORBIDDEN, -1002, "Reports are taken from our own page, or from programs.")


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise errors.body_too_large()
    return bytes(body)


def _topic(body: bytes) -> Topic:
    if body[:1] in (b"{", b"["):
        try:
            return msgspec.json.decode(body, type=_Body).topic
        except msgspec.ValidationError:
            raise errors.invalid_value("topic") from None
        except msgspec.DecodeError:
            raise errors.bad_json() from None
    name = parse_pairs(body).get("topic")
    if not name:
        raise errors.missing("topic")
    topic = _named(name)
    if topic is None:
        raise errors.invalid_value("topic")
    return topic


def _named(name: str) -> Topic | None:
    return next((topic for topic in Topic if topic == name), None)


def _refusal(error: ApiError) -> Response:
    response = json_response(error.body(), error.status)
    if error.retry_after_s:
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def _ip(request: Request) -> str:
    return request.client.host if request.client is not None else ""
