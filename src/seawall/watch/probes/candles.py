"""The newest candles: there, whole, and near the price elsewhere.  The rule: shown is checked.

A price from elsewhere explains nothing by its absence: without one the candle's shape and age are
all that is judged, and the detail says so.
"""

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import Asker, NoAnswerError, judge_status, ms
from seawall.watch.probes.outcome import Outcome, answered, unable
from seawall.watch.probes.public_api import PublicApi, RefusedError, read

MINUTE_MS: Final = 60_000
LATE_MS: Final = 2 * MINUTE_MS + MINUTE_MS // 2
"""The newest began this minute or, at its very start, the one before; and some patience."""
DEAD_MS: Final = 10 * MINUTE_MS
ROWS: Final = 5
Reference = Callable[[], Awaitable[float | None]]


class PriceSource:
    """A price from elsewhere: a number in a JSON document."""

    def __init__(self, asker: Asker, field: str) -> None:
        """`field` is a path such as `price` or `data.0.last`."""
        self._asker = asker
        self._path = [int(step) if step.isdigit() else step for step in field.split(".") if step]

    async def close(self) -> None:
        await self._asker.close()

    async def __call__(self) -> float | None:
        try:
            found = await self._asker.ask("GET")
            if judge_status(found) is not None:
                return None
            price = float(read(found.json(), *self._path))
        except (NoAnswerError, TypeError, ValueError):
            return None
        return price if math.isfinite(price) and price > 0 else None


class CandlesProbe:
    """One market's candles of a minute."""

    def __init__(
        self,
        api: PublicApi,
        symbol: str,
        *,
        off_most: float,
        reference: Reference | None = None,
        wall_ms: Callable[[], float] = lambda: time.time() * 1000,
    ) -> None:
        self._api = api
        self._symbol = symbol
        self._off_most = off_most
        self._reference = reference
        self._wall_ms = wall_ms

    async def close(self) -> None:
        """Leave the connections to whoever made them."""

    async def look(self) -> Outcome:
        params = {"symbol": self._symbol, "interval": "1m", "limit": str(ROWS)}
        try:
            told = await self._api.get("/api/v3/klines", params)
            rows = [_row(each) for each in told.content] if isinstance(told.content, list) else []
        except (NoAnswerError, RefusedError) as error:
            return error.outcome
        if not rows:
            return unable("there are no candles yet: nobody has traded")
        if told.stale:
            return answered(Health.DEGRADED, f"candles are as they were {told.stale} s ago")
        wrong = judge(rows, self._wall_ms())
        if wrong is not None:
            return wrong
        close = rows[-1][4]
        price = None if self._reference is None else await self._reference()
        beside = "nothing to compare with" if price is None else f"elsewhere {price:g}"
        if price is not None and abs(close / price - 1) > self._off_most:
            return answered(Health.DEGRADED, f"the last price is {close:g}, {beside}")
        return answered(
            Health.OK,
            f"whole and new in {ms(told.latency_ns)}; {close:g}, {beside}",
            latency_ns=told.latency_ns,
        )


def judge(rows: Sequence[tuple[float, ...]], now_ms: float) -> Outcome | None:
    """Return what is wrong with minute candles (time, open, high, low, close, volume)."""
    for index, (at_ms, first, high, low, close, volume) in enumerate(rows):
        if at_ms % MINUTE_MS or (index and at_ms - rows[index - 1][0] != MINUTE_MS):
            return answered(Health.DOWN, "the candles' minutes do not follow each other")
        if not 0 < low <= min(first, close) <= max(first, close) <= high or volume < 0:
            return answered(
                Health.DOWN, f"a candle is impossible: {first:g} {high:g} {low:g} {close:g}"
            )
    late_ms = now_ms - rows[-1][0]
    if late_ms > LATE_MS:
        health = Health.DOWN if late_ms > DEAD_MS else Health.DEGRADED
        return answered(health, f"the newest candle began {late_ms / 1000:.0f} s ago")
    if late_ms < -MINUTE_MS:
        return answered(Health.DEGRADED, f"a candle begins {-late_ms / 1000:.0f} s from now")
    return None


def _row(row: Any) -> tuple[float, ...]:
    try:
        found = tuple(float(read(row, place)) for place in range(6))
    except (TypeError, ValueError):
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise NoAnswerError(answered(Health.DOWN, "a candle has what is no number"))
    return found
