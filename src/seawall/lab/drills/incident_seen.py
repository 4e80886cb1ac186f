"""What an onlooker sees of an incident.  The rule: what is public, and when it was first there.

Asks every gateway for its status document again and again, and reads the published site's files as
any reader of it would.  Moments are this machine's monotonic seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from seawall.lab.wire import BrokenError, Connection
from seawall.model.posture import Posture, ServiceKind, Stage
from seawall.model.status_document import StatusDocument

LOOK_S: Final = 0.1
ANSWER_S: Final = 1.0
DOCUMENT: Final = "/seawall/v1/status-document"


class Seen(Struct, frozen=True, kw_only=True):
    """One service at one moment, when it was another than before."""

    at_s: float
    service: str
    kind: ServiceKind
    posture: Posture
    stage: Stage | None
    reason: str


class Onlooker:
    """Looks until told to stop."""

    def __init__(self, gateways: Mapping[str, tuple[str, int]], sites: list[Path]) -> None:
        self.changes: list[Seen] = []
        self.posted_s: dict[str, float] = {}
        """When each published target first named an incident."""
        self.document: StatusDocument | None = None
        """The newest."""
        self._connections = {
            name: Connection(host, port, ANSWER_S) for name, (host, port) in gateways.items()
        }
        self._sites = sites
        self._last: dict[str, Seen] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch(name)) for name in self._connections]
        self._tasks.append(loop.create_task(self._read_sites()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._connections.values():
            connection.close()

    async def until(self, holds: Callable[[StatusDocument], bool], patience_s: float) -> bool:
        """Wait until the newest document is so; False if that takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self.document is None or not holds(self.document):
                    self._news.clear()
                    await self._news.wait()
                return True
        return False

    async def _watch(self, name: str) -> None:
        while True:
            with contextlib.suppress(BrokenError, msgspec.MsgspecError):
                answer = await self._connections[name].request("GET", DOCUMENT)
                if answer.status == 200:
                    self._take(msgspec.json.decode(answer.body, type=StatusDocument))
            await asyncio.sleep(LOOK_S)

    def _take(self, document: StatusDocument) -> None:
        """Note what is new; a gateway that is behind says nothing new."""
        if self.document is not None and document.sequence <= self.document.sequence:
            return
        self.document = document
        at_s = time.monotonic()
        for line in document.services:
            before = self._last.get(line.service)
            if before is None or (before.posture, before.stage) != (line.posture, line.stage):
                seen = Seen(
                    at_s=at_s,
                    service=line.service,
                    kind=line.kind,
                    posture=line.posture,
                    stage=line.stage,
                    reason=line.reason,
                )
                self._last[line.service] = seen
                self.changes.append(seen)
        self._news.set()

    async def _read_sites(self) -> None:
        while True:
            for site in self._sites:
                if site.name not in self.posted_s and await asyncio.to_thread(_names_one, site):
                    self.posted_s[site.name] = time.monotonic()
            await asyncio.sleep(LOOK_S)


def _names_one(site: Path) -> bool:
    """Whether the published feed has an incident that is open."""
    try:
        feed: dict[str, Any] = msgspec.json.decode(
            (site / "api" / "v2" / "incidents" / "unresolved.json").read_bytes()
        )
    except (OSError, msgspec.DecodeError):
        return False
    return bool(feed.get("incidents"))
