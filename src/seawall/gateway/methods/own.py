"""`/seawall/v1`: what Binance's format is too small for.  The rule: it says how current it is."""

from seawall import __version__
from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import scale_of
from seawall.gateway.methods.account import shown_balances
from seawall.gateway.methods.candles import read_candles
from seawall.gateway.methods.order_terms import market_of
from seawall.gateway.methods.orders import execute, repeated
from seawall.gateway.params import Params
from seawall.model.commands import SetCountdownCancel
from seawall.model.events import CountdownSet
from seawall.model.ids import UserId
from seawall.model.trading import MarketStatus

_ACCEPTS = {
    MarketStatus.OPEN: ("place", "amend", "cancel"),
    MarketStatus.POST_ONLY: ("place_maker", "amend", "cancel"),
    MarketStatus.AUCTION: ("place_auction", "amend", "cancel"),
    MarketStatus.CANCEL_ONLY: ("cancel",),
    MarketStatus.HALTED: ("cancel",),
}
"""What a market takes in each status."""
_COUNTDOWN_MS_MAX = 86_400_000


async def version(context: Context, caller: Caller, params: Params) -> object:
    node = context.node
    return {
        "name": "seawall",
        "version": __version__,
        "node": node.settings.name,
        "demo": context.settings.demo,
        "cells": {
            "identity": {"sequence": node.identity.sequence, "epoch": node.identity.epoch},
            "funding": {"sequence": node.funding.sequence, "epoch": node.funding.epoch},
            "spot": {"sequence": node.spot.sequence, "epoch": node.spot.epoch},
        },
    }


async def markets(context: Context, caller: Caller, params: Params) -> object:
    node = context.node
    return {
        "markets": [
            _market(market, params, taken=node.ready) for market in node.spot.markets.values()
        ],
    }


def _market(market: Market, params: Params, *, taken: bool) -> dict[str, object]:
    return {
        "symbol": market.symbol,
        "base": market.base,
        "quote": market.quote,
        "status": market.status,
        "reason": market.status_reason,
        "since": params.time(market.status_since_ns),
        "accepts": _ACCEPTS[market.status] if taken else (),
    }


async def balances(context: Context, caller: Caller, params: Params) -> object:
    return {
        "balances": shown_balances(
            context, caller.user_id, omit_zero=bool(params.flag("omitZeroBalances"))
        ),
    }


async def candles(context: Context, caller: Caller, params: Params) -> object:
    market, found = await read_candles(context, params)
    scale = scale_of(market.instrument)
    return {
        "symbol": market.symbol,
        "interval": params.text("interval"),
        "candles": [
            {
                "openTime": params.time(candle.open_ns),
                "closeTime": params.time(candle.close_ns),
                "open": scale.price(candle.open_ticks),
                "high": scale.price(candle.high_ticks),
                "low": scale.price(candle.low_ticks),
                "close": scale.price(candle.close_ticks),
                "volume": scale.size(candle.size_lots),
                "quoteVolume": scale.quote(candle.quote_atoms),
                "trades": candle.trade_count,
                "closed": candle.closed,
                "complete": candle.complete,
            }
            for candle in found
        ],
    }


async def countdown_cancel(context: Context, caller: Caller, params: Params) -> object:
    market = market_of(context, params)
    countdown_ms = params.need_integer("countdownTime", 0, _COUNTDOWN_MS_MAX)
    command = SetCountdownCancel(
        user_id=UserId(caller.user_id),
        symbol=market.instrument.symbol,
        countdown_ms=countdown_ms,
    )
    committed = await execute(context, caller, command, errors.NEW_ORDER_REJECTED)
    if repeated(committed):
        deadline_ns = context.node.spot.deadlines.get((caller.user_id, market.symbol), 0)
    else:
        # Those that ran out stand before it.
        deadline_ns = next(
            event.deadline_ns
            for event in reversed(committed.events)
            if isinstance(event, CountdownSet)
        )
    return {
        "symbol": market.symbol,
        "countdownTime": countdown_ms,
        "deadline": params.time(deadline_ns),
    }


async def echo(context: Context, caller: Caller, params: Params) -> object:
    """Show the bare cost of a request, for the bench to compare with."""
    return params.values


METHODS = (
    Method(
        name="seawall.version",
        rest=("GET /seawall/v1/version",),
        handler=version,
        always=True,
        dated=True,
        summary="Version, node, and how far each cell's journal is.",
    ),
    Method(
        name="seawall.markets",
        rest=("GET /seawall/v1/markets",),
        handler=markets,
        always=True,
        dated=True,
        summary="Each market's status, its reason, since when, and what is accepted.",
    ),
    Method(
        name="seawall.balances",
        rest=("GET /seawall/v1/balances",),
        handler=balances,
        security=Security.USER_DATA,
        weight=5,
        params=frozenset({"omitZeroBalances"}),
        always=True,
        dated=True,
        summary="Balances, with the moment they are true of.",
    ),
    Method(
        name="seawall.candles",
        rest=("GET /seawall/v1/candles",),
        handler=candles,
        weight=2,
        params=frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"}),
        always=True,
        dated=True,
        summary="Candles that say whether they are closed and complete.",
    ),
    Method(
        name="seawall.countdownCancelAll",
        rest=("POST /seawall/v1/countdownCancelAll",),
        handler=countdown_cancel,
        security=Security.TRADE,
        params=frozenset({"symbol", "countdownTime"}),
        dated=True,
        summary="Cancel all orders of a market unless called again in time; 0 disarms.",
    ),
    Method(
        name="seawall.echo",
        rest=("POST /seawall/v1/echo",),
        websocket=True,
        handler=echo,
        lenient=True,
        cells=(),
        always=True,
        summary="Answers with its own parameters; a yardstick for benchmarks.",
    ),
)
