"""An exchange against a capture.  The rule: each difference is counted, the first are told."""

import heapq
from collections.abc import AsyncIterator, Sequence
from itertools import zip_longest
from typing import Final

from seawall.core.book import Ladder
from seawall.core.spot_state import Market
from seawall.lab.capture import DECIMALS, Capture, Trade
from seawall.lab.expected import ExpectedBook, ExpectedCandle, expected_candles
from seawall.model.amounts import format_decimal
from seawall.views.rows import Candle
from seawall.views.views import Views

DIFFERENCES_TOLD: Final = 20
ALL_LEVELS: Final = 0
NS_PER_MS: Final = 1_000_000
INTERVALS_MS: Final = {
    "1s": 1_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
}
CANDLES_PER_READ: Final = 1_000


class Differences:
    """Counts them all, keeps the first in words."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, found: Sequence[str]) -> None:
        self.count += len(found)
        self.first += found[: DIFFERENCES_TOLD - len(self.first)]


def book_differences(market: Market, expected: ExpectedBook, levels: int) -> list[str]:
    """Compare the best `levels` of each side, or all of them."""
    return [
        *_side_differences(market, market.bids, expected.bids, levels),
        *_side_differences(market, market.asks, expected.asks, levels),
    ]


def _side_differences(
    market: Market, ladder: Ladder, expected: dict[int, int], levels: int
) -> list[str]:
    count = levels or max(len(expected), len(ladder.keys))
    pick = heapq.nlargest if ladder.highest_first else heapq.nsmallest
    wanted = [(price, expected[price]) for price in pick(count, expected)]
    found = [
        (level.price_ticks * market.tick_price, level.visible_lots * market.lot_size)
        for level in (ladder.levels[key] for key in ladder.keys[: -count - 1 : -1])
    ]
    if wanted == found:
        return []
    side = "bid" if ladder.highest_first else "ask"
    return [
        f"{side} level {place}: captured {_level(one)}, here {_level(other)}"
        for place, (one, other) in enumerate(zip_longest(wanted, found), start=1)
        if one != other
    ]


def trade_differences(found: Sequence[Trade], expected: Sequence[Trade]) -> list[str]:
    """Compare one by one: price, size, maker's side and time."""
    return [
        f"trade {number}: captured {_trade(one)}, here {_trade(other)}"
        for number, (one, other) in enumerate(zip_longest(expected, found), start=1)
        if _trade(one) != _trade(other)
    ]


async def compare_candles(views: Views, market: Market, capture: Capture) -> tuple[int, list[str]]:
    """Compare every interval's candles; return how many, and what differs."""
    trades = list(capture.trades)
    compared, wrong = 0, []
    for interval, interval_ms in INTERVALS_MS.items():
        expected = expected_candles(trades, interval_ms)
        found = {
            candle.open_ns // NS_PER_MS: _as_expected(market, candle)
            async for candle in _read_candles(views, capture, interval, interval_ms)
            if candle.trade_count
        }
        compared += len(expected)
        for open_ms in sorted({*expected, *found}):
            one, other = expected.get(open_ms), found.get(open_ms)
            if one != other:
                wrong.append(f"candle {interval} at {open_ms}: captured {one}, here {other}")
    return compared, wrong


async def _read_candles(
    views: Views, capture: Capture, interval: str, interval_ms: int
) -> AsyncIterator[Candle]:
    end_ns = (capture.end_ms + interval_ms) * NS_PER_MS
    start_ns = (capture.start_ms - capture.start_ms % interval_ms) * NS_PER_MS
    while start_ns < end_ns:
        candles = await views.candles(
            capture.symbol, interval, start_ns, end_ns, CANDLES_PER_READ, end_ns
        )
        for candle in candles:
            yield candle
        if len(candles) < CANDLES_PER_READ:
            return
        start_ns = candles[-1].close_ns + 1


def _as_expected(market: Market, candle: Candle) -> ExpectedCandle:
    # Quote atoms of 8 decimals are 10**-8; the capture's product of price and size is 10**-16.
    scale = 10 ** (2 * DECIMALS - market.instrument.quote_decimals)
    return ExpectedCandle(
        open_ms=candle.open_ns // NS_PER_MS,
        open=candle.open_ticks * market.tick_price,
        high=candle.high_ticks * market.tick_price,
        low=candle.low_ticks * market.tick_price,
        close=candle.close_ticks * market.tick_price,
        volume=candle.size_lots * market.lot_size,
        quote_volume=candle.quote_atoms * scale,
        trades=candle.trade_count,
        taker_buy_volume=candle.taker_buy_lots * market.lot_size,
        taker_buy_quote_volume=candle.taker_buy_quote * scale,
    )


def _level(level: tuple[int, int] | None) -> str:
    if level is None:
        return "nothing"
    price, size = level
    return f"{format_decimal(size, DECIMALS)} at {format_decimal(price, DECIMALS)}"


def _trade(trade: Trade | None) -> str:
    if trade is None:
        return "nothing"
    side = "buyer" if trade.buyer_is_maker else "seller"
    size, price = format_decimal(trade.size, DECIMALS), format_decimal(trade.price, DECIMALS)
    return f"{size} at {price}, maker {side}, at {trade.at_ms} ms"
