"""Looks at all feeds, each at its own pace.  The rule: one feed's trouble delays no other.

What no look has told lately is unknown: a reading ages, and a watch that stopped shows no green.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from seawall.model.watch_facts import Doubt, Reading
from seawall.watch.feeds.feed import ANSWER_S, Feed
from seawall.watch.feeds.page import SECOND_NS, failed

AGED_LOOKS: Final = 3
"""A reading older than this many of its feed's turns is unknown."""
AT_ONCE: Final = 16


class FeedWatch:
    """All feeds and their newest readings."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        *,
        now_ns: Callable[[], int] = time.time_ns,
        told: Callable[[Reading], None] = lambda _reading: None,
    ) -> None:
        self.feeds = feeds
        self._now_ns = now_ns
        self._told = told
        self._readings: dict[str, Reading] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._client = httpx.AsyncClient(
            timeout=ANSWER_S,
            follow_redirects=False,
            verify=ssl.create_default_context(),
            # Never through a proxy of the environment.
            mounts={f"all://{host}": None for host in ("127.0.0.1", "localhost")},
        )

    async def close(self) -> None:
        await self._client.aclose()

    def readings(self) -> tuple[Reading, ...]:
        """Return the newest of each feed; what is missing or old is unknown."""
        now_ns = self._now_ns()
        found = []
        for feed in self.feeds:
            reading = self._readings.get(feed.settings.name)
            if reading is None:
                reading = failed(feed.source, now_ns, Doubt.NOT_ASKED, "not asked yet")
            elif now_ns - reading.at_ns > (AGED_LOOKS * feed.every_s + ANSWER_S) * SECOND_NS:
                reading = failed(feed.source, now_ns, Doubt.STALE, "the last look is too old")
            found.append(reading)
        return tuple(found)

    async def once(self) -> tuple[Reading, ...]:
        """Look at all once."""
        await asyncio.gather(*(self._look(feed) for feed in self.feeds))
        return self.readings()

    async def run(self) -> None:
        """Look for ever."""
        async with asyncio.TaskGroup() as group:
            for feed in self.feeds:
                group.create_task(self._follow(feed))

    async def _follow(self, feed: Feed) -> None:
        while True:
            await self._look(feed)
            await asyncio.sleep(feed.every_s)

    async def _look(self, feed: Feed) -> None:
        async with self._places:
            reading = await feed.look(self._client, self._now_ns)
        self._readings[feed.settings.name] = reading
        self._told(reading)
