"""Other venues, judged from their public market data.  The rule: what is not told is not assumed.

Pure judgement: a driver fetches (`venue_looks.py`), this says what the numbers mean.  Three
readings a venue: withdrawals, book, candles.  Times are nanoseconds, prices what the venue says.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, Final

from msgspec import Struct

from seawall.model.watch_facts import Doubt, Fact, Health, Reading, Uncertain, conclude

MILLISECOND_NS: Final = 1_000_000
MINUTE_MS: Final = 60_000
CANDLES: Final = 30
BOOK_OLD_S: Final = 60
BOOK_DEAD_S: Final = 600
CANDLE_LATE_MS: Final = 3 * MINUTE_MS
QUIET_BARS: Final = 5
"""So many minutes in a row without a trade, in a market that trades every second."""
PRICE_OFF: Final = 0.02
OTHERS_LEAST: Final = 2
"""With one other, nobody knows which of the two is wrong."""
AHEAD_MS: Final = 5 * MINUTE_MS


class VenueSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the table."""

    name: str
    party: str
    ccxt: str
    """The exchange's name in ccxt; one that speaks another's API takes that one's."""
    url: str = ""
    """Where its API is; empty: where ccxt knows it."""
    symbol: str = "BTC/USDT"
    assets: tuple[str, ...] = ("BTC", "ETH", "USDT")
    every_s: int = 120
    quiet: bool = False
    """Whether minutes without a trade are usual there."""


class Judged:
    """One reading under way."""

    def __init__(self, venue: VenueSettings, what: str, at_ns: int) -> None:
        self.feed = f"{venue.name}/{what}"
        self._venue = venue
        self._at_ns = at_ns
        self._facts: list[Fact] = []
        self._doubts: list[Uncertain] = []

    def add(
        self, name: str, title: str, health: Health, *, service: str, began_ns: int | None = None
    ) -> None:
        self._facts.append(
            Fact(
                feed=self.feed, party=self._venue.party, incident_id=f"{self.feed}/{name}",
                title=title, health=health, services=(service,), began_ns=began_ns,
                updated_ns=self._at_ns,
            )
        )  # fmt: skip

    def doubt(self, doubt: Doubt, detail: str) -> None:
        self._doubts.append(Uncertain(doubt=doubt, detail=detail))

    def finish(self) -> Reading:
        return conclude(
            feed=self.feed, party=self._venue.party, at_ns=self._at_ns,
            facts=tuple(self._facts), doubts=tuple(self._doubts),
        )  # fmt: skip


def unread(venue: VenueSettings, what: str, at_ns: int, doubt: Doubt, detail: str) -> Reading:
    """Return the reading of what could not be fetched."""
    judged = Judged(venue, what, at_ns)
    judged.doubt(doubt, detail)
    return judged.finish()


def withdrawals(venue: VenueSettings, currencies: Mapping[str, Any] | None, at_ns: int) -> Reading:
    """Judge the flags of each network, from ccxt's `fetch_currencies`."""
    judged = Judged(venue, "withdrawals", at_ns)
    if not currencies:
        judged.doubt(Doubt.NOT_PUBLIC, "its flags are told to customers only")
        return judged.finish()
    for asset in venue.assets:
        currency = currencies.get(asset)
        if not isinstance(currency, Mapping):
            judged.doubt(Doubt.UNKNOWN_WORD, f"it lists no {asset}")
            continue
        flags = _flags(currency)
        off = [name for name, flag in flags.items() if flag is False]
        unsaid = [name for name, flag in flags.items() if flag is not True and flag is not False]
        if unsaid or not flags:
            judged.doubt(Doubt.NOT_PUBLIC, f"{asset}: nothing told of {', '.join(unsaid) or 'it'}")
        if off:
            all_off = len(off) == len(flags)
            judged.add(
                asset,
                f"withdrawals of {asset} are off" + ("" if all_off else f" on {', '.join(off)}"),
                Health.DOWN if all_off else Health.DEGRADED,
                service="withdrawals",
            )
    return judged.finish()


def _flags(currency: Mapping[str, Any]) -> dict[str, Any]:
    networks = currency.get("networks")
    if isinstance(networks, Mapping) and networks:
        return {
            str(name): network.get("withdraw") if isinstance(network, Mapping) else None
            for name, network in networks.items()
        }
    return {"it": currency["withdraw"]} if "withdraw" in currency else {}


def book(
    venue: VenueSettings,
    bids: Sequence[Sequence[float]],
    asks: Sequence[Sequence[float]],
    told_ms: int | None,
    at_ns: int,
) -> Reading:
    """Judge a book; `told_ms` is its own time or, where it has none, the last trade's."""
    judged = Judged(venue, "book", at_ns)
    if not bids or not asks:
        judged.add("empty", "a side of the book is empty", Health.DOWN, service="trading")
    elif not _number(bids[0][0]) or not _number(asks[0][0]):
        judged.doubt(Doubt.MALFORMED, "its best prices are no numbers")
    elif bids[0][0] >= asks[0][0]:
        judged.add("crossed", "bids stand above asks", Health.DEGRADED, service="trading")
    if told_ms is None:
        judged.doubt(Doubt.STALE, "neither the book nor a trade tells its time")
        return judged.finish()
    age_s = (at_ns // MILLISECOND_NS - told_ms) // 1000
    if age_s < -AHEAD_MS // 1000:
        judged.doubt(Doubt.STALE, f"its time is {-age_s} seconds from now")
    elif age_s > BOOK_OLD_S:
        health = Health.DOWN if age_s > BOOK_DEAD_S else Health.DEGRADED
        began_ns = told_ms * MILLISECOND_NS
        judged.add(
            "old", f"the market stands still for {age_s} seconds", health,
            service="trading", began_ns=began_ns,
        )  # fmt: skip
    return judged.finish()


def candles(
    venue: VenueSettings,
    bars: Sequence[Sequence[float | None]],
    at_ns: int,
    others: Sequence[float] = (),
) -> Reading:
    """Judge minute bars (time in ms, open, high, low, close, volume), oldest first."""
    judged = Judged(venue, "candles", at_ns)
    if not bars:
        judged.add("none", "there are no candles", Health.DOWN, service="market data")
        return judged.finish()
    if not all(len(bar) >= 6 and all(map(_number, bar[:6])) for bar in bars):
        judged.doubt(Doubt.MALFORMED, "a candle without its six numbers")
        return judged.finish()
    rows = [[float(value or 0) for value in bar[:6]] for bar in bars]
    _times(judged, [int(row[0]) for row in rows], at_ns)
    for _, opened, high, low, closed, volume in rows:
        if not low <= min(opened, closed) <= max(opened, closed) <= high or low <= 0 or volume < 0:
            judged.add("shape", "a candle is impossible", Health.DEGRADED, service="market data")
            break
    if not venue.quiet and _longest_quiet(rows) >= QUIET_BARS:
        judged.add(
            "quiet", f"{_longest_quiet(rows)} minutes in a row without a trade",
            Health.DEGRADED, service="trading",
        )  # fmt: skip
    if len(others) >= OTHERS_LEAST:
        middle = median(others)
        off = rows[-1][4] / middle - 1
        if abs(off) > PRICE_OFF:
            judged.add(
                "price", f"its price is {off:+.1%} from the others'", Health.DEGRADED,
                service="market data",
            )  # fmt: skip
    return judged.finish()


def _times(judged: Judged, times: Sequence[int], at_ns: int) -> None:
    now_ms = at_ns // MILLISECOND_NS
    steps = [later - earlier for earlier, later in pairwise(times)]
    if any(step <= 0 for step in steps):
        judged.doubt(Doubt.MALFORMED, "its candles go back in time")
        return
    if times[-1] - now_ms > AHEAD_MS:
        judged.doubt(Doubt.STALE, "its candles are from the future")
        return
    missing = sum(step // MINUTE_MS - 1 for step in steps)
    if missing:
        first = next(
            earlier for earlier, step in zip(times, steps, strict=False) if step > MINUTE_MS
        )
        judged.add(
            "hole", f"{missing} minutes of candles are missing", Health.DEGRADED,
            service="market data", began_ns=(first + MINUTE_MS) * MILLISECOND_NS,
        )  # fmt: skip
    late_ms = now_ms - times[-1] - MINUTE_MS
    if late_ms > CANDLE_LATE_MS:
        judged.add(
            "late", f"the newest candle is {late_ms // MINUTE_MS} minutes late", Health.DEGRADED,
            service="market data", began_ns=(times[-1] + MINUTE_MS) * MILLISECOND_NS,
        )  # fmt: skip


def _longest_quiet(rows: Sequence[Sequence[float]]) -> int:
    longest = now = 0
    for row in rows:
        now = now + 1 if row[5] == 0 else 0
        longest = max(longest, now)
    return longest


def _number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
