"""What public streams carry.  The rule: contents come from the views, only `E` from the clock.

Each function turns one row of the views into the JSON that Binance clients read.  `unit_ns` is the
length of the client's unit of time: a millisecond, or a microsecond.
"""

from typing import Final

from seawall.gateway.encode import ZERO, Scale, scale_of
from seawall.model.instruments import Instrument
from seawall.views.rows import (
    AggTradeRow,
    AveragePrice,
    Best,
    Candle,
    Depth,
    DepthDiffRow,
    Ticker,
)

MILLISECOND_NS: Final = 1_000_000
MICROSECOND_NS: Final = 1_000

_PERCENT: Final = 100


def trade(
    instrument: Instrument,
    *,
    trade_id: int,
    price_ticks: int,
    size_lots: int,
    at_ns: int,
    buyer_is_maker: bool,
    unit_ns: int,
) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": "trade",
        "E": at_ns // unit_ns,
        "s": instrument.symbol,
        "t": trade_id,
        "p": scale.price(price_ticks),
        "q": scale.size(size_lots),
        "T": at_ns // unit_ns,
        "m": buyer_is_maker,
        "M": True,
    }


def agg_trade(instrument: Instrument, row: AggTradeRow, unit_ns: int) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": "aggTrade",
        "E": row.at_ns // unit_ns,
        "s": instrument.symbol,
        "a": row.agg_id,
        "p": scale.price(row.price_ticks),
        "q": scale.size(row.size_lots),
        "f": row.first_trade_id,
        "l": row.last_trade_id,
        "T": row.at_ns // unit_ns,
        "m": row.buyer_is_maker,
        "M": row.best_match,
    }


def kline(
    instrument: Instrument, interval: str, candle: Candle, now_ns: int, unit_ns: int
) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": "kline",
        "E": now_ns // unit_ns,
        "s": instrument.symbol,
        "k": {
            "t": candle.open_ns // unit_ns,
            "T": candle.close_ns // unit_ns,
            "s": instrument.symbol,
            "i": interval,
            "f": candle.first_trade_id,
            "L": candle.last_trade_id,
            "o": scale.price(candle.open_ticks),
            "c": scale.price(candle.close_ticks),
            "h": scale.price(candle.high_ticks),
            "l": scale.price(candle.low_ticks),
            "v": scale.size(candle.size_lots),
            "n": candle.trade_count,
            "x": candle.closed,
            "q": scale.quote(candle.quote_atoms),
            "V": scale.size(candle.taker_buy_lots),
            "Q": scale.quote(candle.taker_buy_quote),
            "B": "0",
        },
    }


def depth_diff(
    instrument: Instrument, diff: DepthDiffRow, now_ns: int, unit_ns: int
) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": "depthUpdate",
        "E": now_ns // unit_ns,
        "s": instrument.symbol,
        "U": diff.first_update_id,
        "u": diff.last_update_id,
        "b": _levels(scale, diff.bids),
        "a": _levels(scale, diff.asks),
    }


def partial_depth(instrument: Instrument, depth: Depth) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "lastUpdateId": depth.update_id,
        "bids": _levels(scale, depth.bids),
        "asks": _levels(scale, depth.asks),
    }


def book_ticker(instrument: Instrument, best: Best) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "u": best.update_id,
        "s": instrument.symbol,
        "b": scale.price(best.bid_ticks),
        "B": scale.size(best.bid_lots),
        "a": scale.price(best.ask_ticks),
        "A": scale.size(best.ask_lots),
    }


def mini_ticker(
    instrument: Instrument, row: Ticker, now_ns: int, unit_ns: int
) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": "24hrMiniTicker",
        "E": now_ns // unit_ns,
        "s": instrument.symbol,
        "c": scale.price(row.last_ticks),
        "o": scale.price(row.open_ticks),
        "h": scale.price(row.high_ticks),
        "l": scale.price(row.low_ticks),
        "v": scale.size(row.size_lots),
        "q": scale.quote(row.quote_atoms),
    }


def ticker(instrument: Instrument, row: Ticker, now_ns: int, unit_ns: int) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": "24hrTicker",
        "E": now_ns // unit_ns,
        "s": instrument.symbol,
        "p": scale.price(row.last_ticks - row.open_ticks),
        "P": change_percent(row),
        "w": weighted_average(instrument, row),
        "x": scale.price(row.previous_close_ticks),
        "c": scale.price(row.last_ticks),
        "Q": scale.size(row.last_lots),
        "b": scale.price(row.bid_ticks),
        "B": scale.size(row.bid_lots),
        "a": scale.price(row.ask_ticks),
        "A": scale.size(row.ask_lots),
        **_window(scale, row, unit_ns),
    }


def window_ticker(
    instrument: Instrument, window: str, row: Ticker, now_ns: int, unit_ns: int
) -> dict[str, object]:
    scale = scale_of(instrument)
    return {
        "e": f"{window}Ticker",
        "E": now_ns // unit_ns,
        "s": instrument.symbol,
        "p": scale.price(row.last_ticks - row.open_ticks),
        "P": change_percent(row),
        "w": weighted_average(instrument, row),
        "c": scale.price(row.last_ticks),
        **_window(scale, row, unit_ns),
    }


def average_price(
    instrument: Instrument, row: AveragePrice, now_ns: int, unit_ns: int
) -> dict[str, object]:
    return {
        "e": "avgPrice",
        "E": now_ns // unit_ns,
        "s": instrument.symbol,
        "i": f"{row.minutes}m",
        "w": average_text(instrument, row),
        "T": max(row.close_ns, 0) // unit_ns,
    }


def server_shutdown(now_ns: int, unit_ns: int) -> dict[str, object]:
    return {"e": "serverShutdown", "E": now_ns // unit_ns}


def change_percent(row: Ticker) -> str:
    """Return the change over the window in percent, three decimals, rounded towards zero."""
    if row.open_ticks == 0:
        return "0.000"
    change = row.last_ticks - row.open_ticks
    thousandths = abs(change) * _PERCENT * 1000 // row.open_ticks
    sign = "-" if change < 0 and thousandths else ""
    return f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}"


def weighted_average(instrument: Instrument, row: Ticker) -> str:
    """Return quote traded over base traded, as a price rounded down."""
    scale = scale_of(instrument)
    if row.size_lots == 0:
        return ZERO
    tick_lots = row.quote_atoms // instrument.atoms_per_tick_lot
    return scale.prices(tick_lots * instrument.tick_price // row.size_lots)


def average_text(instrument: Instrument, row: AveragePrice) -> str:
    """Return the average price of the last minutes, rounded down."""
    scale = scale_of(instrument)
    if row.size_lots == 0:
        return scale.price(row.last_ticks)
    return scale.prices(row.tick_lots * instrument.tick_price // row.size_lots)


def _window(scale: Scale, row: Ticker, unit_ns: int) -> dict[str, object]:
    return {
        "o": scale.price(row.open_ticks),
        "h": scale.price(row.high_ticks),
        "l": scale.price(row.low_ticks),
        "v": scale.size(row.size_lots),
        "q": scale.quote(row.quote_atoms),
        "O": row.open_ns // unit_ns,
        "C": row.close_ns // unit_ns,
        "F": row.first_trade_id,
        "L": row.last_trade_id,
        "n": row.trade_count,
    }


def _levels(scale: Scale, levels: list[tuple[int, int]]) -> list[tuple[str, str]]:
    price, size = scale.price, scale.size
    return [(price(ticks), size(lots)) for ticks, lots in levels]
