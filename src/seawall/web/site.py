"""Serves the page in front of the API.  The rule: files are read at start; no path is opened.

`dist/` holds the page that Vite built from `web/`.  Where nobody could build it, `plain/` stands
in: one page with a small canvas of its own.
"""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_HERE: Final = Path(__file__).parent
_POLICY: Final = (
    # The chart sets its own style attributes; nothing else comes from anywhere but here.
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    b" connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FOR_EVER: Final = b"public, max-age=31536000, immutable"


class PageFile(Struct, frozen=True, kw_only=True):
    """One file, ready to send."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    tag: bytes


class Site:
    """The page's files by path, and the application behind them."""

    def __init__(self, application: Application, root: Path | None = None) -> None:
        self._application = application
        self.root = root or page_root()
        self._files = _load(self.root)

    @property
    def built(self) -> bool:
        """Whether this is the page that Vite built, not the plain one."""
        return self.root.name == "dist"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            found = self._files.get(scope["path"])
            if found is not None:
                await _answer(found, scope, send)
                return
        await self._application(scope, receive, send)


def page_root() -> Path:
    """Return the built page's folder, or the plain page's."""
    built = _HERE / "dist"
    return built if (built / "index.html").is_file() else _HERE / "plain"


def _load(root: Path) -> dict[str, PageFile]:
    found: dict[str, PageFile] = {}
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.name == "stamp":
            continue
        name = "/" + path.relative_to(root).as_posix()
        found[name] = _page_file(path, for_ever=name.startswith("/assets/"))
    found["/"] = found["/index.html"]
    return found


def _page_file(path: Path, *, for_ever: bool) -> PageFile:
    body = path.read_bytes()
    tag = b'"%b"' % hashlib.sha256(body).hexdigest()[:20].encode()
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    headers = (
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"etag", tag),
        (b"cache-control", _FOR_EVER if for_ever else b"no-cache"),
        (b"content-security-policy", _POLICY),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )
    return PageFile(body=body, headers=headers, tag=tag)


async def _answer(found: PageFile, scope: Scope, send: Send) -> None:
    unchanged = dict(scope["headers"]).get(b"if-none-match") == found.tag
    headers = [pair for pair in found.headers if not (unchanged and pair[0] == b"content-length")]
    status = 304 if unchanged else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = b"" if unchanged or scope["method"] == "HEAD" else found.body
    await send({"type": "http.response.body", "body": body})
