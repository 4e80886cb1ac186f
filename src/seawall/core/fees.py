"""Trading fees and the average price.  The rule: a fee is rounded down, in what the trade gives.

A buyer pays in base, a seller in quote, each at the rate of its tier.  Rounding down means that
nobody ever pays more than the stated rate; a trade may be too small to cost anything.
"""

from typing import Final

from seawall.core.spot_state import Market, SpotState

PPM: Final = 1_000_000
MINUTE_NS: Final = 60_000_000_000
AVERAGE_MINUTES: Final = 5
"""The present minute counts as one of them, as far as it has gone."""


def taker_fee(state: SpotState, user_id: int, received_atoms: int) -> int:
    rate: int = state.tiers[state.accounts[user_id].tier].taker_ppm
    return received_atoms * rate // PPM


def maker_fee(state: SpotState, user_id: int, received_atoms: int) -> int:
    rate: int = state.tiers[state.accounts[user_id].tier].maker_ppm
    return received_atoms * rate // PPM


def note_trade(market: Market, at_ns: int, ticks: int, lots: int) -> None:
    """Take a trade into the last price and the average of the last minutes."""
    market.last_ticks = ticks
    if market.sweep_ticks == 0:
        market.sweep_ticks = ticks
    minute = at_ns // MINUTE_NS
    buckets = market.average_buckets
    weighted = ticks * lots
    if buckets and buckets[-1][0] == minute:
        newest = buckets[-1]
        newest[1] += lots
        newest[2] += weighted
    else:
        buckets.append([minute, lots, weighted])
        while buckets[0][0] <= minute - AVERAGE_MINUTES:
            oldest = buckets.pop(0)
            market.window_lots -= oldest[1]
            market.window_weighted -= oldest[2]
    market.window_lots += lots
    market.window_weighted += weighted


def average_price(market: Market, at_ns: int) -> tuple[int, int]:
    """Return the price that filters compare with, as ticks times lots, and lots.

    The volume-weighted average of the last five minutes; the last price if nothing traded since;
    (0, 0) before the first trade.
    """
    buckets = market.average_buckets
    oldest_minute = at_ns // MINUTE_NS - AVERAGE_MINUTES + 1
    if buckets and buckets[0][0] >= oldest_minute:
        return market.window_weighted, market.window_lots
    lots = 0
    weighted = 0
    for bucket in buckets:
        if bucket[0] >= oldest_minute:
            lots += bucket[1]
            weighted += bucket[2]
    if lots == 0 and market.last_ticks:
        return market.last_ticks, 1
    return weighted, lots
