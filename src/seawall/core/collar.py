"""The collar of a market that has just reopened.  The rule: nothing trades further than it allows.

While it is set, orders stand within so many basis points of a reference: the price of the auction
that opened the market, or of the last trade where none did.  What was accepted before and is priced
further trades up to the collar, and what is left of it then expires.  Without a reference nothing
is too far.
"""

from typing import Final

from seawall.core.spot_state import Market
from seawall.model.orders import Order

BPS: Final = 10_000
COLLAR: Final = "price_collar"
"""Why what is left of an order expires."""


def set_collar(market: Market, collar_bps: int) -> None:
    """Set or lift it; one that only changes its width keeps its reference."""
    if collar_bps == 0:
        market.collar_ticks = 0
    elif market.collar_bps == 0 or market.collar_ticks == 0:
        market.collar_ticks = market.last_ticks
    market.collar_bps = collar_bps


def is_within(market: Market, ticks: int) -> bool:
    """Whether an order may be priced so."""
    reference = market.collar_ticks
    if market.collar_bps == 0 or reference == 0:
        return True
    return abs(ticks - reference) * BPS <= reference * market.collar_bps


def worst_ticks(market: Market, order: Order) -> int:
    """Return the worst price at which the order may trade now; 0 if any will do."""
    limit = order.price_ticks
    reference = market.collar_ticks
    if market.collar_bps == 0 or reference == 0:
        return limit
    if order.is_buy:
        highest = reference * (BPS + market.collar_bps) // BPS
        return min(limit, highest) if limit else highest
    lowest = -(-reference * (BPS - market.collar_bps) // BPS)
    return max(limit, lowest)


def is_held_back(market: Market, order: Order) -> bool:
    """Whether the collar, and not its own price, ended the order's way through the book."""
    if order.price_ticks == 0 and (market.asks if order.is_buy else market.bids).best() is None:
        return False
    return worst_ticks(market, order) != order.price_ticks
