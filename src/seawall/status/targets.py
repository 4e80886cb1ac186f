"""Places where the site is put.  The rule: a reader of any of them never gets half a file.

`file:FOLDER` is a folder that any web server serves; everything else is an object store by URL
(`s3://…`, `gs://…`, `az://…`, `memory:///`), through obstore.
"""

import asyncio
import os
import tempfile
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from seawall.status.settings import TargetSettings

FAULTS: Final = (BaseError, OSError, TimeoutError)
TIMEOUT_S: Final = 30
_RETRIES: Final = 2
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".atom": "application/atom+xml; charset=utf-8",
    ".rss": "application/rss+xml; charset=utf-8",
    ".pem": "text/plain; charset=utf-8",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"
SHORT: Final = "public, max-age=10"
_by_scheme: Final[Any] = from_url
"""Its overloads differ by the scheme, which is known only here and now."""


class Target(Protocol):
    """One place."""

    url: str

    async def put(self, path: str, content: bytes) -> None:
        """Write a file whole, or raise one of FAULTS."""

    async def get(self, path: str) -> bytes | None:
        """Return a file; None if there is none of this name."""


def content_type(path: str) -> str:
    return _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")


def cache_control(path: str) -> str:
    """Return how long a reader may keep a file; assets have their content in their names."""
    return FOR_EVER if path.startswith("assets/") else SHORT


def open_target(settings: TargetSettings) -> Target:
    """Return the place that a URL names; ValueError if it names none."""
    if settings.url.startswith("file:"):
        return Folder(settings.url)
    if "://" not in settings.url:
        raise ValueError(f"{settings.url}: a target is file:FOLDER, or s3://…, gs://…, az://…")
    try:
        return Store(settings)
    except (BaseError, ValueError, TypeError) as error:
        raise ValueError(f"{settings.url}: {error}") from None


class Folder:
    """A folder on this machine."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = Path(url.removeprefix("file://").removeprefix("file:")).absolute()

    async def put(self, path: str, content: bytes) -> None:
        await asyncio.to_thread(self._put, path, content)

    def _put(self, path: str, content: bytes) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place: whoever reads gets the old file or the new one.
        handle, made = tempfile.mkstemp(dir=place.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            # Web servers run as somebody else.
            os.chmod(made, 0o644)  # noqa: PTH101 - by the same text that mkstemp gave
            Path(made).replace(place)
        except OSError:
            Path(made).unlink(missing_ok=True)
            raise

    async def get(self, path: str) -> bytes | None:
        try:
            return await asyncio.to_thread((self.folder / path).read_bytes)
        except FileNotFoundError:
            return None


class Store:
    """An object store; what it takes is whole or not there."""

    def __init__(self, settings: TargetSettings) -> None:
        self.url = settings.url
        more: dict[str, Any] = {}
        if not settings.url.startswith("memory:"):
            endpoint = settings.options.get("endpoint", "")
            more = {
                "config": settings.options or None,
                "client_options": {
                    "timeout": timedelta(seconds=TIMEOUT_S),
                    "allow_http": endpoint.startswith("http://"),
                },
                "retry_config": {
                    "max_retries": _RETRIES,
                    "retry_timeout": timedelta(seconds=TIMEOUT_S),
                },
            }
        self.store: Any = _by_scheme(settings.url, **more)

    async def put(self, path: str, content: bytes) -> None:
        attributes = {"Content-Type": content_type(path), "Cache-Control": cache_control(path)}
        async with asyncio.timeout(2 * TIMEOUT_S):
            await obstore.put_async(
                self.store, path, content, attributes=attributes, use_multipart=False
            )

    async def get(self, path: str) -> bytes | None:
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                found = await obstore.get_async(self.store, path)
                return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
