"""`GET /seawall/v1/status-document`: what the public status site is built from.

The rule: any node answers, from what it has, and says of when that is; nothing of users is in it.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.gateway.context import Context
from seawall.gateway.errors import ApiError
from seawall.gateway.operator import json_response
from seawall.model.ids import CONTROL, FUNDING, SPOT
from seawall.model.status_document import StatusDocument
from seawall.views.control_view import Sources, build_document

PATH = "/seawall/v1/status-document"
STATUS_CALLS = (
    (
        f"GET {PATH}",
        "everybody",
        (
            "services, incidents, ways back with their gates, queues, history and the last signed"
            " statement, with the moment that all of it is of; times in nanoseconds"
        ),
    ),
)
"""Request, who asks, and what, for the reference."""
KEPT_NS = 1_000_000_000
"""A document is made at most once in so long."""
_HEADERS = {"cache-control": "public, max-age=1", "access-control-allow-origin": "*"}


class StatusDesk:
    """Makes the document, and keeps it for a moment."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._made_ns = 0
        self._body = b""

    def routes(self) -> list[Route]:
        return [Route(PATH, self._answer, methods=["GET"])]

    async def _answer(self, _: Request) -> Response:
        try:
            # A replica that is known to be wrong says nothing; one that is behind says of when.
            self._context.need_sound((CONTROL, FUNDING, SPOT))
        except ApiError as error:
            return json_response(error.body(), error.status)
        now_ns = self._context.now_ns()
        if not self._body or not 0 <= now_ns - self._made_ns < KEPT_NS:
            self._made_ns = now_ns
            self._body = msgspec.json.encode(self.document(now_ns))
        return Response(self._body, 200, _HEADERS, media_type="application/json")

    def document(self, now_ns: int) -> StatusDocument:
        node = self._context.node
        name = node.settings.name
        sources = Sources(node.control, node.spot, node.funding, node.views.interruptions())
        return build_document(
            sources,
            exchange=self._context.settings.name,
            node=name,
            made_ns=now_ns,
        )
