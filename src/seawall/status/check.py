"""Looks at published copies from outside.  The rule: a copy is right if each of its files is.

Reads `site.json` where readers read it, compares every file with its hash, tells how old the data
is, and which copies are behind the others.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

import httpx
from msgspec import Struct

from seawall.status.gateways import ANSWER_S, DocumentError, fetch
from seawall.status.moments import SECOND_NS
from seawall.status.publisher import read_manifest
from seawall.status.settings import TargetSettings
from seawall.status.site import MANIFEST, MILLISECOND_NS, Manifest
from seawall.status.targets import FAULTS, open_target

AT_ONCE: Final = 8
TRIES: Final = 3
"""A copy that is being changed right now is looked at again."""
SHOWN: Final = 5


class Readable(Protocol):
    """What a copy is read through."""

    async def get(self, path: str) -> bytes | None:
        """Return a file; None if there is none."""


class Copy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One copy, as it was found."""

    place: str
    sequence: int = 0
    age_s: int = 0
    stale: bool = False
    behind: bool = False
    """Another copy has later word."""
    files: int = 0
    wrong: tuple[str, ...] = ()
    """Files that are missing, or are not what `site.json` says."""
    fault: str = ""
    """Why it could not be read at all."""

    @property
    def right(self) -> bool:
        return not (self.fault or self.wrong or self.stale or self.behind)


class _Site:
    """A copy behind a web server."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url.removesuffix("index.html").rstrip("/")
        self._client = client

    async def get(self, path: str) -> bytes | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await fetch(self._client, f"{self._url}/{path}")
        except DocumentError as error:
            if str(error) == "HTTP 404":
                return None
            raise OSError(str(error)) from None
        except httpx.HTTPError as error:
            raise OSError(f"{type(error).__name__}: {error}") from None


async def check(
    places: Sequence[TargetSettings], client: httpx.AsyncClient, now_ns: int, stale_s: int
) -> list[Copy]:
    """Return how every copy was found."""
    found = await asyncio.gather(*(_look(each, client, now_ns, stale_s) for each in places))
    newest = max((copy.sequence for copy in found), default=0)
    ages = [copy.age_s for copy in found if copy.sequence == newest and not copy.fault]
    return [_placed(copy, newest, min(ages, default=0), stale_s) for copy in found]


def _placed(copy: Copy, newest: int, age_s: int, stale_s: int) -> Copy:
    """Say whether a copy is behind: targets differ by a moment, and by no more."""
    behind = copy.sequence < newest and copy.age_s - age_s > stale_s
    return Copy(
        **{name: getattr(copy, name) for name in copy.__struct_fields__} | {"behind": behind}
    )


async def _look(
    settings: TargetSettings, client: httpx.AsyncClient, now_ns: int, stale_s: int
) -> Copy:
    place = settings.url
    try:
        reading = _open(settings, client)
        manifest, wrong = await _compare(reading)
        for _ in range(TRIES - 1):
            if wrong:
                await asyncio.sleep(1)
                manifest, wrong = await _compare(reading)
    except (*FAULTS, ValueError) as error:
        return Copy(place=place, fault=str(error) or type(error).__name__)
    age_s = max((now_ns - manifest.at_ms * MILLISECOND_NS) // SECOND_NS, 0)
    return Copy(
        place=place,
        sequence=manifest.sequence,
        age_s=age_s,
        stale=age_s > stale_s,
        files=len(manifest.files),
        wrong=tuple(wrong),
    )


def _open(settings: TargetSettings, client: httpx.AsyncClient) -> Readable:
    if settings.url.startswith(("http://", "https://")):
        return _Site(settings.url, client)
    return open_target(settings)


async def _compare(reading: Readable) -> tuple[Manifest, list[str]]:
    """Return the manifest, and the files that are not as it says."""
    manifest = read_manifest(await reading.get(MANIFEST))
    if manifest is None:
        raise FileNotFoundError(f"there is no {MANIFEST}")
    gate = asyncio.Semaphore(AT_ONCE)

    async def is_right(path: str, digest: str) -> bool:
        async with gate:
            content = await reading.get(path)
        return content is not None and hashlib.sha256(content).hexdigest() == digest

    paths = list(manifest.files.items())
    right = await asyncio.gather(*(is_right(path, digest) for path, digest in paths))
    return manifest, [path for (path, _), fine in zip(paths, right, strict=True) if not fine]
