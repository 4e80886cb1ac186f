"""A market's status and its allowed moves.  The rule: what is not in the table is refused.

Statuses and what they accept are explained in docs/operating/market-status.md, whose diagram is
drawn from this table.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from seawall.core.auction import expire_market_orders, publish_indicative, uncross
from seawall.core.collar import BPS, set_collar
from seawall.core.spot_state import Market, SpotState
from seawall.model.commands import SetMarketStatus
from seawall.model.events import CommandRejected, Event, IndicativeChanged, MarketStatusChanged
from seawall.model.rejections import Rejection
from seawall.model.trading import MarketStatus


class Move(StrEnum):
    """What a change of status brings with it."""

    PLAIN = "plain"
    CALL = "call"
    """Orders gather; the indicative price is published."""
    UNCROSS = "uncross"
    """All that can trade does, at one price."""
    ABANDON = "abandon"
    """Nothing trades; market orders expire; the book may stay crossed."""
    BY_PERSON = "by_person"
    """Skips the auction: refused to a runbook, and while the book is crossed."""
    POST = "post"
    """Refused while the book is crossed."""
    COLLAR = "collar"
    """Only the collar changes; refused to a person where it does not."""


# fmt: off
TRANSITIONS: Final[Mapping[tuple[MarketStatus, MarketStatus], Move]] = MappingProxyType({
    (MarketStatus.OPEN,        MarketStatus.OPEN):        Move.COLLAR,
    (MarketStatus.OPEN,        MarketStatus.POST_ONLY):   Move.PLAIN,
    (MarketStatus.OPEN,        MarketStatus.AUCTION):     Move.CALL,
    (MarketStatus.OPEN,        MarketStatus.CANCEL_ONLY): Move.PLAIN,
    (MarketStatus.OPEN,        MarketStatus.HALTED):      Move.PLAIN,
    (MarketStatus.POST_ONLY,   MarketStatus.OPEN):        Move.PLAIN,
    (MarketStatus.POST_ONLY,   MarketStatus.AUCTION):     Move.CALL,
    (MarketStatus.POST_ONLY,   MarketStatus.CANCEL_ONLY): Move.PLAIN,
    (MarketStatus.POST_ONLY,   MarketStatus.HALTED):      Move.PLAIN,
    (MarketStatus.AUCTION,     MarketStatus.OPEN):        Move.UNCROSS,
    (MarketStatus.AUCTION,     MarketStatus.CANCEL_ONLY): Move.ABANDON,
    (MarketStatus.AUCTION,     MarketStatus.HALTED):      Move.ABANDON,
    (MarketStatus.CANCEL_ONLY, MarketStatus.OPEN):        Move.BY_PERSON,
    (MarketStatus.CANCEL_ONLY, MarketStatus.POST_ONLY):   Move.POST,
    (MarketStatus.CANCEL_ONLY, MarketStatus.AUCTION):     Move.CALL,
    (MarketStatus.CANCEL_ONLY, MarketStatus.HALTED):      Move.PLAIN,
    (MarketStatus.HALTED,      MarketStatus.OPEN):        Move.BY_PERSON,
    (MarketStatus.HALTED,      MarketStatus.AUCTION):     Move.CALL,
    (MarketStatus.HALTED,      MarketStatus.CANCEL_ONLY): Move.PLAIN,
})
# fmt: on


def set_market_status(state: SpotState, command: SetMarketStatus, events: list[Event]) -> None:
    """Move the market to another status, with what the move brings; or refuse.

    An order of the control cell counts once, and never after a later one.
    """
    market = state.markets.get(command.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return
    if command.order < 0 or not 0 <= command.collar_bps < BPS:
        events.append(CommandRejected(Rejection.INVALID_DEFINITION, "order and collar_bps"))
        return
    if 0 < command.order < market.status_order:
        events.append(CommandRejected(Rejection.STALE_ORDER, f"{market.status_order} is the last"))
        return
    if command.order and command.order == market.status_order:
        return
    previous = market.status
    move = TRANSITIONS.get((previous, command.status))
    refusal = _refusal(market, command, move)
    if refusal:
        events.append(CommandRejected(Rejection.INVALID_STATUS_CHANGE, refusal))
        return
    # Nothing below may fail.
    if command.order:
        market.status_order = command.order
    if move is Move.UNCROSS:
        uncross(state, market, events)
    elif move is Move.ABANDON:
        expire_market_orders(state, market, events)
    market.status = command.status
    market.status_reason = command.reason
    if previous is not command.status:
        market.status_since_ns = state.at_ns
    # Last: an uncross has made the price that the collar is about.
    set_collar(market, command.collar_bps if command.status is MarketStatus.OPEN else 0)
    events.append(MarketStatusChanged(market.symbol, previous, command.status, command.reason))
    if move is Move.CALL:
        publish_indicative(market, events)
    elif command.status is not MarketStatus.AUCTION and market.indicative != (0, 0, 0):
        market.indicative = (0, 0, 0)
        events.append(IndicativeChanged(market.symbol, 0, 0, 0))


def _refusal(market: Market, command: SetMarketStatus, move: Move | None) -> str:
    """Return why the move is refused, or nothing."""
    if market.status is command.status:
        # An order that finds its status there already takes it over, under its number.
        unchanged = move is not Move.COLLAR or market.collar_bps == command.collar_bps
        if unchanged and not command.order:
            return f"{market.status} to {command.status}"
        return ""
    if move is None:
        return f"{market.status} to {command.status}"
    if move is Move.BY_PERSON and command.automatic:
        return "only a person may skip the auction"
    if move in {Move.BY_PERSON, Move.POST} and is_crossed(market):
        return "the book is crossed: an auction must come first"
    return ""


def is_crossed(market: Market) -> bool:
    """Whether a bid stands at or above an ask, as an abandoned auction may leave them."""
    bid = market.bids.best()
    ask = market.asks.best()
    return bid is not None and ask is not None and bid.price_ticks >= ask.price_ticks
