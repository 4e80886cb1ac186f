"""The site as last built, for a look at it on this machine.  The rule: loopback, and memory.

Readers read the targets; nothing that they need is served from here.
"""

from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from seawall.status.targets import content_type


def create_app(site: Callable[[], Mapping[str, bytes]]) -> Starlette:
    """Return the application; names of other hosts that lead here are refused."""

    async def file(request: Request) -> Response:
        path = request.path_params["path"] or "index.html"
        content = site().get(path)
        if content is None:
            content = site().get(f"{path.rstrip('/')}/index.html")
            path = "index.html"
        if content is None:
            text = "There is no such page." if site() else "No word has come from any gateway yet."
            return PlainTextResponse(text + "\n", 404 if site() else 503)
        headers = {"content-type": content_type(path), "cache-control": "no-store"}
        return Response(content, headers=headers)

    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=[Route("/{path:path}", file)], middleware=[hosts])
