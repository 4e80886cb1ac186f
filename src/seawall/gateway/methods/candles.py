"""Candles.  The rule: what Binance's format cannot say of a candle, Seawall's own path says."""

import re

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method
from seawall.gateway.encode import Scale, scale_of
from seawall.gateway.methods.order_terms import market_of
from seawall.gateway.params import Params
from seawall.views.periods import INTERVALS
from seawall.views.rows import Candle

_ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?", re.ASCII)
_ZONE_MIN, _ZONE_MAX = -12 * 60, 14 * 60
_PARAMS = frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"})


def read_zone(params: Params) -> int:
    """Return `timeZone` as minutes east of UTC."""
    text = params.text("timeZone")
    if text is None:
        return 0
    found = _ZONE.fullmatch(text)
    if found is None:
        raise errors.invalid_value("timeZone")
    minutes = int(found[2]) * 60 + int(found[3] or "0")
    if found[1] == "-":
        minutes = -minutes
    if not _ZONE_MIN <= minutes <= _ZONE_MAX:
        raise errors.invalid_value("timeZone")
    return minutes


async def read_candles(context: Context, params: Params) -> tuple[Market, list[Candle]]:
    market = market_of(context, params)
    interval = params.need_text("interval")
    if interval not in INTERVALS:
        raise errors.bad_interval()
    found = await context.node.views.candles(
        market.symbol,
        interval,
        params.moment_ns("startTime"),
        params.moment_ns("endTime"),
        params.limit(500, 1_000),
        context.now_ns(),
        offset_minutes=read_zone(params),
    )
    return market, found


async def klines(context: Context, caller: Caller, params: Params) -> object:
    market, candles = await read_candles(context, params)
    scale = scale_of(market.instrument)
    return [_row(candle, scale, params) for candle in candles]


def _row(candle: Candle, scale: Scale, params: Params) -> tuple[object, ...]:
    price, size, quote = scale.price, scale.size, scale.quote
    return (
        params.time(candle.open_ns),
        price(candle.open_ticks),
        price(candle.high_ticks),
        price(candle.low_ticks),
        price(candle.close_ticks),
        size(candle.size_lots),
        params.time(candle.close_ns),
        quote(candle.quote_atoms),
        candle.trade_count,
        size(candle.taker_buy_lots),
        quote(candle.taker_buy_quote),
        "0",
    )


METHODS = (
    Method(
        name="klines",
        rest=("GET /api/v3/klines", "GET /api/v1/klines"),
        websocket=True,
        handler=klines,
        weight=2,
        params=_PARAMS,
        summary="Candles.",
    ),
    Method(
        name="uiKlines",
        rest=("GET /api/v3/uiKlines",),
        websocket=True,
        handler=klines,
        weight=2,
        params=_PARAMS,
        summary="Candles for charts; the same as klines.",
    ),
)
