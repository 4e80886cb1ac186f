"""Asks other venues through ccxt's public calls.  The rule: each venue alone, each with its time.

ccxt is an extra (`seawall[venues]`); without it every venue is unknown, and says why.
"""

import asyncio
import contextlib
import importlib
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from seawall.model.watch_facts import Doubt, Reading
from seawall.watch import venues
from seawall.watch.venues import CANDLES, VenueSettings

LOOK_S: Final = 20.0
"""For each of a venue's answers."""
AGED_LOOKS: Final = 3
SECOND_NS: Final = 1_000_000_000
LOOKS: Final = ("withdrawals", "book", "candles")
T = TypeVar("T")
Bars = Sequence[Sequence[float | None]]


class MissingError(Exception):
    """ccxt is not installed, or knows no such venue."""


class _Refused(Exception):  # noqa: N818 - it carries a reading, and is never seen outside
    def __init__(self, doubt: Doubt, detail: str) -> None:
        super().__init__(detail)
        self.doubt = doubt


class Venue:
    """One venue."""

    def __init__(self, settings: VenueSettings, now_ns: Callable[[], int]) -> None:
        self.settings = settings
        self._now_ns = now_ns
        self._client: Any = None
        self.bars: Bars = ()

    async def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):
                await self._client.close()

    async def look(self) -> list[Reading]:
        """Return the readings of withdrawals and book; fetch the bars for later."""
        return [
            await self._judged("withdrawals", self._withdrawals),
            await self._judged("book", self._book),
        ]

    async def fetch_bars(self) -> Reading | None:
        """Fetch candles; return a reading only if that failed."""
        self.bars = ()
        try:
            bars = await self._ask("fetch_ohlcv", self.settings.symbol, "1m", None, CANDLES)
        except _Refused as error:
            return self._unread("candles", error)
        if not isinstance(bars, list):
            return self._unread("candles", _Refused(Doubt.MALFORMED, "no list of candles"))
        self.bars = bars
        return None

    def judge_bars(self, others: Sequence[float]) -> Reading:
        try:
            return venues.candles(self.settings, self.bars, self._now_ns(), others)
        except Exception as error:  # noqa: BLE001 - a stranger's numbers must not stop the board
            return self._unread("candles", _Refused(Doubt.BROKEN, type(error).__name__))

    def close_price(self) -> float | None:
        """Return its newest price."""
        with contextlib.suppress(Exception):
            price = float(self.bars[-1][4] or 0)
            return price if price > 0 else None
        return None

    async def _withdrawals(self) -> Reading:
        found = await self._ask("fetch_currencies")
        return venues.withdrawals(self.settings, found, self._now_ns())

    async def _book(self) -> Reading:
        symbol = self.settings.symbol
        found = await self._ask("fetch_order_book", symbol, 20)
        told_ms = found.get("timestamp")
        if told_ms is None:
            trades = await self._ask("fetch_trades", symbol, None, 5)
            told_ms = max((trade["timestamp"] for trade in trades), default=None)
        return venues.book(self.settings, found["bids"], found["asks"], told_ms, self._now_ns())

    async def _judged(self, what: str, look: Callable[[], Awaitable[Reading]]) -> Reading:
        try:
            return await look()
        except _Refused as error:
            return self._unread(what, error)
        except Exception as error:  # noqa: BLE001 - a stranger's answer must not stop the board
            return self._unread(what, _Refused(Doubt.MALFORMED, type(error).__name__))

    def _unread(self, what: str, error: _Refused) -> Reading:
        return venues.unread(self.settings, what, self._now_ns(), error.doubt, str(error))

    async def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            if self._client is None:
                self._client = open_client(self.settings)
            async with asyncio.timeout(LOOK_S):
                return await getattr(self._client, method)(*arguments)
        except TimeoutError:
            raise _Refused(Doubt.UNREACHED, "no answer in time") from None
        except MissingError as error:
            raise _Refused(Doubt.NOT_ASKED, str(error)) from None
        except Exception as error:  # noqa: BLE001 - ccxt raises whatever a stranger's answer makes it
            # Its text may be a whole page; its name says enough.
            raise _Refused(Doubt.UNREACHED, f"{method}: {type(error).__name__}") from None


def open_client(settings: VenueSettings) -> Any:
    """Return ccxt's client, without any key, looking where the row says."""
    try:
        library = importlib.import_module("ccxt.async_support")
    except ImportError:
        raise MissingError("ccxt is not installed: pip install 'seawall[venues]'") from None
    if settings.ccxt not in library.exchanges:
        raise MissingError(f"ccxt knows no {settings.ccxt}")
    client = getattr(library, settings.ccxt)(
        {
            "enableRateLimit": True,
            "timeout": int(LOOK_S * 1000),
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        }
    )
    if settings.url:
        client.urls["api"] = _moved(client.urls["api"], settings.url.rstrip("/"))
    return client


def _moved(urls: Any, base: str) -> Any:
    """Return ccxt's addresses with another host."""
    if isinstance(urls, dict):
        return {name: _moved(url, base) for name, url in urls.items()}
    return base + urlsplit(urls).path if isinstance(urls, str) else urls


class VenueWatch:
    """All venues and their newest readings."""

    def __init__(
        self,
        rows: Sequence[VenueSettings],
        *,
        now_ns: Callable[[], int] = time.time_ns,
        told: Callable[[Reading], None] = lambda _reading: None,
    ) -> None:
        self._venues = [Venue(row, now_ns) for row in rows]
        self._now_ns = now_ns
        self._told = told
        self._readings: dict[str, Reading] = {}

    async def close(self) -> None:
        await asyncio.gather(*(venue.close() for venue in self._venues))

    def readings(self) -> tuple[Reading, ...]:
        """Return the newest of each look; what is missing or old is unknown."""
        now_ns = self._now_ns()
        found = []
        for venue in self._venues:
            old_ns = int((AGED_LOOKS * venue.settings.every_s + 5 * LOOK_S) * SECOND_NS)
            for what in LOOKS:
                reading = self._readings.get(f"{venue.settings.name}/{what}")
                if reading is None:
                    reading = venues.unread(
                        venue.settings, what, now_ns, Doubt.NOT_ASKED, "not asked yet"
                    )
                elif now_ns - reading.at_ns > old_ns:
                    reading = venues.unread(
                        venue.settings, what, now_ns, Doubt.STALE, "the last look is too old"
                    )
                found.append(reading)
        return tuple(found)

    def price(self, symbol: str) -> float | None:
        """Return what most venues ask for it, such as `BTCUSDT`; None where none tells."""
        prices = [
            price
            for venue in self._venues
            if venue.settings.symbol.replace("/", "") == symbol
            and (price := venue.close_price()) is not None
        ]
        return median(prices) if prices else None

    async def once(self) -> tuple[Reading, ...]:
        """Look at all once; the candles of all are compared."""
        failed = await asyncio.gather(*(venue.fetch_bars() for venue in self._venues))
        await asyncio.gather(*map(self._rest, self._venues, failed))
        return self.readings()

    async def run(self) -> None:
        """Look for ever."""
        async with asyncio.TaskGroup() as group:
            for venue in self._venues:
                group.create_task(self._follow(venue))

    async def _follow(self, venue: Venue) -> None:
        while True:
            await self._look(venue)
            await asyncio.sleep(venue.settings.every_s)

    async def _look(self, venue: Venue) -> None:
        await self._rest(venue, await venue.fetch_bars())

    async def _rest(self, venue: Venue, failed: Reading | None) -> None:
        for reading in await venue.look():
            self._take(reading)
        self._take(failed or venue.judge_bars(self._others(venue)))

    def _others(self, venue: Venue) -> list[float]:
        """Return what the same thing costs elsewhere."""
        prices = [
            other.close_price()
            for other in self._venues
            if other is not venue and other.settings.symbol == venue.settings.symbol
        ]
        return [price for price in prices if price is not None]

    def _take(self, reading: Reading) -> None:
        self._readings[reading.feed] = reading
        self._told(reading)
