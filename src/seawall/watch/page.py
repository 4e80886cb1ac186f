"""The watch's page and `/api/wallet`, on loopback.  The rule: no script, nothing from elsewhere.

The page asks for itself again by its own head, so it lives without a line of script.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import msgspec
import uvicorn
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from seawall.watch import words
from seawall.watch.wallet import Report

HOST: Final = "127.0.0.1"
REFRESH_S: Final = 5
HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def render(report: Report, language: str) -> str:
    """Return the whole page."""
    environment = Environment(
        loader=PackageLoader("seawall.watch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    profile = report.profile
    return environment.get_template("wallet.html.j2").render(
        report=report,
        a=report.assessment,
        last=report.last,
        w=words.BOOK[language],
        words=words,
        language=language,
        other="ar" if language == "en" else "en",
        refresh_s=REFRESH_S,
        week=None if profile is None else _week(profile),
    )


def _week(profile: tuple[float, ...]) -> list[list[tuple[float, float]]]:
    """Return each day's hours: what is expected, and how strong to draw it."""
    most = max(*profile, 1e-9)
    return [
        [(each, round(each / most, 3)) for each in profile[day * 24 : day * 24 + 24]]
        for day in range(7)
    ]


def create_app(report: Callable[[], Report]) -> Starlette:
    """Return the application; it asks for a new report at each request."""

    async def page(request: Request) -> Response:
        return HTMLResponse(render(report(), asked_language(request)), headers=HEADERS)

    async def api(_request: Request) -> Response:
        body = msgspec.json.encode(report())
        return Response(body, media_type="application/json", headers=HEADERS)

    return Starlette(routes=[Route("/", page), Route("/api/wallet", api)], middleware=[hosts()])


def hosts() -> Middleware:
    """Return what refuses another site's name that leads here (DNS rebinding)."""
    return Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])


def asked_language(request: Request) -> str:
    """Return the language that a reader asks for."""
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "ar" if asked.lower().startswith("ar") else "en"


class _Server(uvicorn.Server):
    """Leaves the process's signals to the command."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(port: int) -> socket.socket:
    """Return a socket on loopback; port 0 takes a free one.  Raises OSError where it is taken."""
    # Named, so that asyncio answers without Nagle's algorithm; see gateway/server.py.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OverflowError:
        listening.close()
        raise OSError(errno.EINVAL, "a port is a number up to 65,535") from None
    except OSError:
        listening.close()
        raise
    return listening


@asynccontextmanager
async def serving(app: Starlette, listening: socket.socket) -> AsyncIterator[str]:
    """Serve for as long as the block runs; yield the page's address."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://{HOST}:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await task
        listening.close()
