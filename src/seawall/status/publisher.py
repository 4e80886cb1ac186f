"""Puts the site where it is read.  The rule: no target waits for another, and none goes back.

Each target has a publisher of its own that puts the newest site there is and tries again when that
fails.  Files that are there already are not sent again; pages come after what they lead to, and
`site.json` comes last, so a copy that was broken off is known by it.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from seawall.status.site import MANIFEST, Manifest
from seawall.status.targets import FAULTS, Target

_log = structlog.get_logger("seawall.status")

AT_ONCE: Final = 8
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
LAST: Final = ("history.html", "ar/history.html", "index.html", "ar/index.html")
"""Pages that lead to others, in the order in which they are put."""
_read_manifest: Final = msgspec.json.Decoder(Manifest).decode


class Publisher:
    """One target."""

    def __init__(self, target: Target, *, anew: bool = False) -> None:
        """With `anew` the first site is put even where a newer one is, after a new beginning."""
        self.target = target
        self._anew = anew
        self.published: Manifest | None = None
        """What was last put here."""
        self.fault = ""
        """Why the last try failed; empty if it did not."""
        self.sent = 0
        """Files that were put here, for tests and logs."""
        self._offered: Mapping[str, bytes] | None = None
        self._wake = asyncio.Event()

    def offer(self, site: Mapping[str, bytes]) -> None:
        """Have this site put as soon as may be, instead of any that still waits."""
        self._offered = site
        self._wake.set()

    async def run(self) -> None:
        """Put what is offered, until cancelled."""
        wait_s = FIRST_WAIT_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            site = self._offered
            if site is None:
                continue
            news = self.published is None or bool(self.fault)
            try:
                put = await self.publish(site)
            except FAULTS as error:
                self._failed(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                self._wake.set()
            else:
                wait_s = FIRST_WAIT_S
                if put and news:
                    _log.info("target has the site", target=self.target.url)
                elif news:
                    _log.warning("target has later word than this", target=self.target.url)

    async def publish(self, site: Mapping[str, bytes]) -> bool:
        """Put a site; False if a newer one is there already.  Raises one of FAULTS."""
        manifest = _read_manifest(site[MANIFEST])
        there = read_manifest(await self.target.get(MANIFEST))
        if there is not None and is_newer(there, manifest) and not self._anew:
            # Another publisher has heard from the exchange what this one has not.
            self.fault = ""
            return False
        # The first time everything is put: files may be gone that the manifest still lists.
        known = {} if there is None or self.published is None else there.files
        changed = [path for path, digest in manifest.files.items() if known.get(path) != digest]
        gate = asyncio.Semaphore(AT_ONCE)
        outcomes = await asyncio.gather(
            *(self._put(path, site[path], gate) for path in changed if path not in LAST),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        for path in LAST:
            if path in changed:
                await self._put(path, site[path], gate)
        await self._put(MANIFEST, site[MANIFEST], gate)
        self.published, self.fault, self._anew = manifest, "", False
        return True

    async def _put(self, path: str, content: bytes, gate: asyncio.Semaphore) -> None:
        async with gate:
            await self.target.put(path, content)
        self.sent += 1

    def _failed(self, error: BaseException) -> None:
        fault = f"{type(error).__name__}: {error}"
        if fault != self.fault:
            _log.error("target failed", target=self.target.url, error=fault)
        self.fault = fault


def read_manifest(content: bytes | None) -> Manifest | None:
    """Return the manifest; None if there is none, or something else of its name."""
    if content is None:
        return None
    try:
        return _read_manifest(content)
    except msgspec.DecodeError:
        return None


def is_newer(there: Manifest, here: Manifest) -> bool:
    """Whether what stands there is later word of the same exchange."""
    return there.exchange == here.exchange and there.sequence > here.sequence
