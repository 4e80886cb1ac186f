"""Names of streams.  The rule: a name that parses is served, any other is refused by name.

Names are spelled as Binance spells them: a lower-case symbol, `@`, what is streamed, and for some
an interval, a number of levels, or a speed.
"""

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

INTERVALS: Final = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w",
    "1M",
)  # fmt: skip
WINDOWS_MINUTES: Final = {"1h": 60, "4h": 240, "1d": 1440}
LEVELS: Final = (5, 10, 20)
UTC_PLUS_8_MINUTES: Final = 480

_SYMBOL = re.compile(r"[a-z0-9]{1,20}", re.ASCII)
_LISTEN_KEY = re.compile(r"[A-Za-z0-9]{32,128}", re.ASCII)


class StreamKind(StrEnum):
    """What a stream carries."""

    TRADE = "trade"
    AGG_TRADE = "aggTrade"
    KLINE = "kline"
    DEPTH = "depth"
    PARTIAL_DEPTH = "partialDepth"
    BOOK_TICKER = "bookTicker"
    MINI_TICKER = "miniTicker"
    TICKER = "ticker"
    WINDOW_TICKER = "windowTicker"
    AVG_PRICE = "avgPrice"


class Stream(Struct, frozen=True, kw_only=True):
    """One parsed name.  `symbol` is in upper case, and empty for all markets together."""

    name: str
    kind: StreamKind
    symbol: str = ""
    interval: str = ""
    """Of candles, or the window of a ticker."""
    offset_minutes: int = 0
    levels: int = 0
    speed_ms: int = 1000
    """How often it is sent; 0 is at once."""


def is_listen_key(name: str) -> bool:
    """Whether the name has the form of a listen key; only the identity cell knows if it is one."""
    return _LISTEN_KEY.fullmatch(name) is not None


def parse_stream(name: str) -> Stream | None:
    """Return the stream of this name, or None if there is no such stream."""
    if name.startswith("!"):
        return _parse_all_markets(name)
    symbol, _, rest = name.partition("@")
    if _SYMBOL.fullmatch(symbol) is None or name.endswith("@"):
        return None
    return _parse_one_market(name, symbol.upper(), rest)


def _parse_all_markets(name: str) -> Stream | None:
    if name == "!miniTicker@arr":
        return Stream(name=name, kind=StreamKind.MINI_TICKER)
    if name == "!ticker@arr":
        return Stream(name=name, kind=StreamKind.TICKER)
    if name == "!bookTicker":
        return Stream(name=name, kind=StreamKind.BOOK_TICKER, speed_ms=0)
    window = name.removeprefix("!ticker_").removesuffix("@arr")
    if window in WINDOWS_MINUTES and name == f"!ticker_{window}@arr":
        return Stream(name=name, kind=StreamKind.WINDOW_TICKER, interval=window)
    return None


def _parse_one_market(name: str, symbol: str, rest: str) -> Stream | None:
    match rest:
        case "trade":
            return Stream(name=name, kind=StreamKind.TRADE, symbol=symbol, speed_ms=0)
        case "aggTrade":
            return Stream(name=name, kind=StreamKind.AGG_TRADE, symbol=symbol, speed_ms=0)
        case "bookTicker":
            return Stream(name=name, kind=StreamKind.BOOK_TICKER, symbol=symbol, speed_ms=0)
        case "miniTicker":
            return Stream(name=name, kind=StreamKind.MINI_TICKER, symbol=symbol)
        case "ticker":
            return Stream(name=name, kind=StreamKind.TICKER, symbol=symbol)
        case "avgPrice":
            return Stream(name=name, kind=StreamKind.AVG_PRICE, symbol=symbol)
        case _:
            return (
                _parse_depth(name, symbol, rest)
                or _parse_kline(name, symbol, rest)
                or _parse_window(name, symbol, rest)
            )


def _parse_depth(name: str, symbol: str, rest: str) -> Stream | None:
    what, _, speed = rest.partition("@")
    if not what.startswith("depth") or speed not in ("", "100ms", "1000ms"):
        return None
    speed_ms = 100 if speed == "100ms" else 1000
    if what == "depth":
        return Stream(name=name, kind=StreamKind.DEPTH, symbol=symbol, speed_ms=speed_ms)
    for levels in LEVELS:
        if what == f"depth{levels}":
            return Stream(
                name=name,
                kind=StreamKind.PARTIAL_DEPTH,
                symbol=symbol,
                levels=levels,
                speed_ms=speed_ms,
            )
    return None


def _parse_kline(name: str, symbol: str, rest: str) -> Stream | None:
    what, _, zone = rest.partition("@")
    interval = what.removeprefix("kline_")
    if interval == what or interval not in INTERVALS or zone not in ("", "+08:00"):
        return None
    return Stream(
        name=name,
        kind=StreamKind.KLINE,
        symbol=symbol,
        interval=interval,
        offset_minutes=UTC_PLUS_8_MINUTES if zone else 0,
        speed_ms=1000 if interval == "1s" else 2000,
    )


def _parse_window(name: str, symbol: str, rest: str) -> Stream | None:
    window = rest.removeprefix("ticker_")
    if window == rest or window not in WINDOWS_MINUTES:
        return None
    return Stream(name=name, kind=StreamKind.WINDOW_TICKER, symbol=symbol, interval=window)
