"""Feeds, venues and the board that they make.  The rule: the board is made when it is asked for.

So a page that is asked for after the watch has stopped looking shows what is unknown by then.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from seawall.model.watch_facts import Reading
from seawall.watch.board import Board, Onsets, assess
from seawall.watch.board_settings import BoardSettings
from seawall.watch.feeds.feed import Feed
from seawall.watch.feeds.keep import Payloads
from seawall.watch.feeds.poll import FeedWatch
from seawall.watch.venue_looks import VenueWatch


class BoardWatch:
    """One ecosystem, watched."""

    def __init__(
        self,
        settings: BoardSettings,
        *,
        keep: Path | None = None,
        keys: Mapping[str, str] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        told: Callable[[Reading], None] = lambda _reading: None,
    ) -> None:
        """`keys` has the access key of each feed that needs one; `told` hears each raw reading."""
        self._settings = settings
        self._now_ns = now_ns
        self._onsets = Onsets()
        payloads = None if keep is None else Payloads(keep)
        keys = keys or {}
        self._feeds = FeedWatch(
            [Feed(row, payloads=payloads, key=keys.get(row.name, "")) for row in settings.feed],
            now_ns=now_ns,
            told=told,
        )
        self._venues = VenueWatch(settings.venue, now_ns=now_ns, told=told)

    async def close(self) -> None:
        await self._feeds.close()
        await self._venues.close()

    def board(self) -> Board:
        """Return the board as of now."""
        readings = (*self._feeds.readings(), *self._venues.readings())
        return assess(self._settings, readings, self._now_ns(), self._onsets)

    async def once(self) -> Board:
        """Look at everything once."""
        await asyncio.gather(self._feeds.once(), self._venues.once())
        return self.board()

    async def run(self) -> None:
        """Look for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feeds.run())
            group.create_task(self._venues.run())
