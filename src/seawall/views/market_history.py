"""What everybody may ask of history: trades and candles.  The rule: oldest first, never invented.

Every query is a pure function of a connection.  A query that names where to begin gets the first
rows from there; one that does not gets the latest.
"""

import sqlite3
from itertools import groupby, islice, takewhile

from msgspec import Struct, structs

from seawall.views.bars import Bar, add_up
from seawall.views.candles import fill
from seawall.views.interruptions import ALL_MARKETS, Interruption
from seawall.views.periods import base_interval, open_before, period_of, periods_from
from seawall.views.rows import AggTradeRow, Candle, TradeRow
from seawall.views.seek import first_at
from seawall.views.user_history import MAX_ID


def find_trades(
    connection: sqlite3.Connection, symbol: str, from_id: int, limit: int
) -> list[TradeRow]:
    found = connection.execute(
        "SELECT trade_id, price_ticks, size_lots, quote_atoms, at_ns, taker_is_buy, auction"
        " FROM trades WHERE symbol = ? AND trade_id >= ? ORDER BY trade_id LIMIT ?",
        (symbol, from_id, limit),
    ).fetchall()
    return [
        TradeRow(
            trade_id=values[0],
            price_ticks=int(values[1]),
            size_lots=int(values[2]),
            quote_atoms=int(values[3]),
            at_ns=values[4],
            buyer_is_maker=not values[5],
            auction=bool(values[6]),
        )
        for values in found
    ]


def find_agg_trades(
    connection: sqlite3.Connection,
    symbol: str,
    from_id: int | None,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
) -> list[AggTradeRow]:
    """Return aggregate trades from an id on, or made in [start_ns, end_ns]."""
    first, last = from_id or 1, MAX_ID
    if start_ns is not None:
        first = max(first, first_at(connection, "agg_trades", symbol, start_ns))
    if end_ns is not None:
        last = first_at(connection, "agg_trades", symbol, end_ns + 1) - 1
    if from_id is None and start_ns is None:
        found = connection.execute(
            "SELECT * FROM agg_trades WHERE symbol = ? AND agg_id BETWEEN ? AND ?"
            " ORDER BY agg_id DESC LIMIT ?",
            (symbol, first, last, limit),
        ).fetchall()[::-1]
    else:
        found = connection.execute(
            "SELECT * FROM agg_trades WHERE symbol = ? AND agg_id BETWEEN ? AND ?"
            " ORDER BY agg_id LIMIT ?",
            (symbol, first, last, limit),
        ).fetchall()
    return [
        AggTradeRow(
            agg_id=values[1],
            price_ticks=int(values[2]),
            size_lots=int(values[3]),
            quote_atoms=int(values[4]),
            first_trade_id=values[5],
            last_trade_id=values[6],
            at_ns=values[7],
            buyer_is_maker=not values[8],
        )
        for values in found
    ]


class CandleQuery(Struct, frozen=True, kw_only=True):
    """Which candles: periods of clocks `offset_ns` ahead of UTC that open in [start_ns, end_ns].

    `entry_ns` is the time of the latest journal entry.
    """

    symbol: str
    interval: str
    start_ns: int | None
    end_ns: int | None
    limit: int
    now_ns: int
    entry_ns: int
    offset_ns: int


def find_candles(
    connection: sqlite3.Connection, query: CandleQuery, outage: Interruption | None
) -> list[Candle]:
    """Return the periods that open in [start_ns, end_ns], none before the first trade's.

    `outage` is the one that lasts at this moment, if one does.
    """
    base = base_interval(query.interval, query.offset_ns)
    (first_ns,) = connection.execute(
        "SELECT min(open_ns) FROM candles WHERE symbol = ? AND interval = ?", (query.symbol, base)
    ).fetchone()
    if first_ns is None:
        return []
    periods = _periods(query, first_ns)
    if not periods:
        return []
    opened, ended = periods[0][0], periods[-1][1]
    bars = _bars(connection, query, base, opened, ended)
    before = connection.execute(
        "SELECT close_ticks FROM candles WHERE symbol = ? AND interval = ? AND open_ns < ?"
        " ORDER BY open_ns DESC LIMIT 1",
        (query.symbol, base, opened),
    ).fetchone()
    candles = fill(periods, iter(bars), int(before[0]) if before else 0, query.entry_ns)
    found = _interruptions(connection, query.symbol, opened, ended)
    if outage is not None:
        found.append(outage)
    return _flag(candles, found)


def _periods(query: CandleQuery, first_ns: int) -> list[tuple[int, int]]:
    """Return the periods asked for: not before the first trade's, not after now's."""
    interval, offset_ns = query.interval, query.offset_ns
    last_ns = query.now_ns if query.end_ns is None else min(query.end_ns, query.now_ns)
    if query.start_ns is None:
        from_ns = open_before(interval, max(last_ns, first_ns), query.limit - 1, offset_ns)
    else:
        from_ns, ended = period_of(interval, query.start_ns, offset_ns)
        if from_ns < query.start_ns:
            from_ns = ended
    from_ns = max(from_ns, first_ns)
    wanted = takewhile(lambda one: one[0] <= last_ns, periods_from(interval, from_ns, offset_ns))
    return list(islice(wanted, query.limit))


def _bars(
    connection: sqlite3.Connection, query: CandleQuery, base: str, opened: int, ended: int
) -> list[Bar]:
    """Return the bars with trades in [opened, ended), added up from the base interval's."""
    found = connection.execute(
        "SELECT open_ns, end_ns, open_ticks, high_ticks, low_ticks, close_ticks, size_lots,"
        " quote_atoms, trade_count, taker_buy_lots, taker_buy_quote, first_trade_id, last_trade_id"
        " FROM candles WHERE symbol = ? AND interval = ? AND open_ns >= ? AND open_ns < ?"
        " ORDER BY open_ns",
        (query.symbol, base, opened, ended),
    )
    parts = [Bar(*map(int, values)) for values in found]
    if base == query.interval and not query.offset_ns:
        return parts
    bars = []
    grouped = groupby(parts, lambda part: period_of(query.interval, part.open_ns, query.offset_ns))
    for period, inside in grouped:
        total = add_up(list(inside), *period)
        if total is not None:
            bars.append(total)
    return bars


def _interruptions(
    connection: sqlite3.Connection, symbol: str, opened: int, ended: int
) -> list[Interruption]:
    found = connection.execute(
        "SELECT symbol, from_ns, to_ns, reason FROM interruptions"
        " WHERE symbol IN (?, ?) AND from_ns < ? AND (to_ns < 0 OR to_ns > ?)",
        (symbol, ALL_MARKETS, ended, opened),
    )
    return [Interruption(*values) for values in found]


def _flag(candles: list[Candle], interruptions: list[Interruption]) -> list[Candle]:
    """Return the candles, those that an interruption meets marked as incomplete."""
    if not interruptions:
        return candles
    return [
        structs.replace(one, complete=False)
        if any(found.meets(one.open_ns, one.close_ns + 1) for found in interruptions)
        else one
        for one in candles
    ]
