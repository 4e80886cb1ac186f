"""Tickers.  The rule: one market answers with an object, several with a list."""

import re
from collections.abc import Callable

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method
from seawall.gateway.encode import Scale, scale_of
from seawall.gateway.methods.candles import read_zone
from seawall.gateway.methods.general import chosen_markets
from seawall.gateway.params import Params
from seawall.views.rows import Ticker

_DAY_MINUTES = 1_440
_WINDOW = re.compile(r"([0-9]{1,2})([mhd])", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": _DAY_MINUTES}
_MOST = {"m": 59, "h": 23, "d": 7}
_SYMBOLS_MAX = 100


def _answer(context: Context, params: Params, one: Callable[[Market], dict[str, object]]) -> object:
    markets = chosen_markets(context, params)
    if "symbol" in params and markets:
        return one(markets[0])
    return [one(market) for market in markets]


def _need_markets(params: Params) -> None:
    if "symbol" not in params and "symbols" not in params:
        raise errors.either_missing("symbol", "symbols")
    listed = params.symbols()
    if listed is not None and len(listed) > _SYMBOLS_MAX:
        raise errors.invalid_value("symbols")


def _kind(params: Params) -> str:
    kind = params.text("type") or "FULL"
    if kind not in ("FULL", "MINI"):
        raise errors.bad_ticker_type()
    return kind


def weighted_average(market: Market, ticker: Ticker, scale: Scale) -> str:
    """Return the quote volume over the base volume, rounded down."""
    if not ticker.size_lots:
        return scale.price(0)
    units = ticker.quote_atoms * market.tick_price // (ticker.size_lots * market.atoms_per_tick_lot)
    return scale.prices(units)


def _change_percent(ticker: Ticker) -> str:
    if not ticker.open_ticks:
        return "0.000"
    change = ticker.last_ticks - ticker.open_ticks
    # Thousandths of a percent, rounded toward zero.
    thousandths = abs(change) * 100_000 // ticker.open_ticks
    sign = "-" if change < 0 and thousandths else ""
    return f"{sign}{thousandths // 1_000}.{thousandths % 1_000:03d}"


def _window(market: Market, ticker: Ticker, params: Params, kind: str) -> dict[str, object]:
    """Show the fields that all windowed tickers share."""
    scale = scale_of(market.instrument)
    price = scale.price
    answer: dict[str, object] = {"symbol": market.symbol}
    if kind == "FULL":
        answer["priceChange"] = price(ticker.last_ticks - ticker.open_ticks)
        answer["priceChangePercent"] = _change_percent(ticker)
        answer["weightedAvgPrice"] = weighted_average(market, ticker, scale)
    answer["openPrice"] = price(ticker.open_ticks)
    answer["highPrice"] = price(ticker.high_ticks)
    answer["lowPrice"] = price(ticker.low_ticks)
    answer["lastPrice"] = price(ticker.last_ticks)
    answer["volume"] = scale.size(ticker.size_lots)
    answer["quoteVolume"] = scale.quote(ticker.quote_atoms)
    answer["openTime"] = params.time(ticker.open_ns)
    answer["closeTime"] = params.time(ticker.close_ns)
    answer["firstId"] = ticker.first_trade_id
    answer["lastId"] = ticker.last_trade_id
    answer["count"] = ticker.trade_count
    return answer


def day_ticker(market: Market, ticker: Ticker, params: Params, kind: str) -> dict[str, object]:
    """Show a market's last 24 hours."""
    answer = _window(market, ticker, params, kind)
    if kind == "MINI":
        return answer
    scale = scale_of(market.instrument)
    answer["prevClosePrice"] = scale.price(ticker.previous_close_ticks)
    answer["lastQty"] = scale.size(ticker.last_lots)
    answer["bidPrice"] = scale.price(ticker.bid_ticks)
    answer["bidQty"] = scale.size(ticker.bid_lots)
    answer["askPrice"] = scale.price(ticker.ask_ticks)
    answer["askQty"] = scale.size(ticker.ask_lots)
    return answer


async def ticker_24h(context: Context, caller: Caller, params: Params) -> object:
    kind = _kind(params)
    now_ns = context.now_ns()
    views = context.node.views

    def one(market: Market) -> dict[str, object]:
        return day_ticker(market, views.ticker(market.symbol, _DAY_MINUTES, now_ns), params, kind)

    return _answer(context, params, one)


async def trading_day(context: Context, caller: Caller, params: Params) -> object:
    _need_markets(params)
    kind = _kind(params)
    zone = read_zone(params)
    now_ns = context.now_ns()
    views = context.node.views

    def one(market: Market) -> dict[str, object]:
        return _window(market, views.trading_day(market.symbol, now_ns, zone), params, kind)

    return _answer(context, params, one)


async def rolling(context: Context, caller: Caller, params: Params) -> object:
    _need_markets(params)
    kind = _kind(params)
    minutes = _read_window(params)
    now_ns = context.now_ns()
    views = context.node.views

    def one(market: Market) -> dict[str, object]:
        return _window(market, views.ticker(market.symbol, minutes, now_ns), params, kind)

    return _answer(context, params, one)


def _read_window(params: Params) -> int:
    text = params.text("windowSize")
    if text is None:
        return _DAY_MINUTES
    found = _WINDOW.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= _MOST[found[2]]:
        raise errors.invalid_value("windowSize")
    return int(found[1]) * _MINUTES[found[2]]


async def price(context: Context, caller: Caller, params: Params) -> object:
    views = context.node.views

    def one(market: Market) -> dict[str, object]:
        last = views.last_trade(market.symbol)
        ticks = 0 if last is None else last.price_ticks
        return {"symbol": market.symbol, "price": scale_of(market.instrument).price(ticks)}

    return _answer(context, params, one)


async def book_ticker(context: Context, caller: Caller, params: Params) -> object:
    views = context.node.views

    def one(market: Market) -> dict[str, object]:
        best = views.best(market.symbol)
        scale = scale_of(market.instrument)
        return {
            "symbol": market.symbol,
            "bidPrice": scale.price(best.bid_ticks),
            "bidQty": scale.size(best.bid_lots),
            "askPrice": scale.price(best.ask_ticks),
            "askQty": scale.size(best.ask_lots),
        }

    return _answer(context, params, one)


def _count(params: Params) -> int:
    """Return how many markets are asked for; 0 for all of them."""
    if "symbol" in params:
        return 1
    listed = params.values.get("symbols")
    return 0 if not listed else listed.count(",") + 1


def _day_weight(params: Params) -> int:
    count = _count(params)
    if count == 0 or count > 100:
        return 80
    return 2 if count <= 20 else 40


def _window_weight(params: Params) -> int:
    return min(4 * max(_count(params), 1), 200)


def _price_weight(params: Params) -> int:
    return 2 if "symbol" in params else 4


_CHOICE = frozenset({"symbol", "symbols", "symbolStatus"})

METHODS = (
    Method(
        name="ticker.24hr",
        rest=("GET /api/v3/ticker/24hr", "GET /api/v1/ticker/24hr"),
        websocket=True,
        handler=ticker_24h,
        weigh=_day_weight,
        params=_CHOICE | {"type"},
        quotes=True,
        summary="The last 24 hours.",
    ),
    Method(
        name="ticker.tradingDay",
        rest=("GET /api/v3/ticker/tradingDay",),
        websocket=True,
        handler=trading_day,
        weigh=_window_weight,
        params=_CHOICE | {"type", "timeZone"},
        quotes=True,
        summary="The day so far.",
    ),
    Method(
        name="ticker",
        rest=("GET /api/v3/ticker",),
        websocket=True,
        handler=rolling,
        weigh=_window_weight,
        params=_CHOICE | {"type", "windowSize"},
        quotes=True,
        summary="A window of one minute to seven days.",
    ),
    Method(
        name="ticker.price",
        rest=("GET /api/v3/ticker/price", "GET /api/v1/ticker/price"),
        websocket=True,
        handler=price,
        weigh=_price_weight,
        params=_CHOICE,
        quotes=True,
        summary="The last price.",
    ),
    Method(
        name="ticker.book",
        rest=("GET /api/v3/ticker/bookTicker", "GET /api/v1/ticker/bookTicker"),
        websocket=True,
        handler=book_ticker,
        weigh=_price_weight,
        params=_CHOICE,
        quotes=True,
        summary="The best bid and ask.",
    ),
)
