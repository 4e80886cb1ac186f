"""From times to ids.  The rule: ids and times rise together, so no index on times is needed."""

import sqlite3
from typing import Final

_HIGHEST: Final = {
    "trades": "SELECT coalesce(max(trade_id), 0) FROM trades WHERE symbol = ?",
    "agg_trades": "SELECT coalesce(max(agg_id), 0) FROM agg_trades WHERE symbol = ?",
    "orders": "SELECT coalesce(max(order_id), 0) FROM orders WHERE ? = ''",
}
_TIME_FROM: Final = {
    "trades": "SELECT at_ns FROM trades WHERE symbol = ? AND trade_id >= ?"
    " ORDER BY trade_id LIMIT 1",
    "agg_trades": "SELECT at_ns FROM agg_trades WHERE symbol = ? AND agg_id >= ?"
    " ORDER BY agg_id LIMIT 1",
    "orders": "SELECT created_ns FROM orders WHERE ? = '' AND order_id >= ?"
    " ORDER BY order_id LIMIT 1",
}


def first_at(connection: sqlite3.Connection, table: str, symbol: str, at_ns: int) -> int:
    """Return the first id made at or after `at_ns`, one past the highest if there is none.

    Ids of trades count per market, ids of orders over all markets: their `symbol` is empty.
    """
    (highest,) = connection.execute(_HIGHEST[table], (symbol,)).fetchone()
    low, high = 1, int(highest) + 1
    while low < high:
        middle = (low + high) // 2
        (found_ns,) = connection.execute(_TIME_FROM[table], (symbol, middle)).fetchone()
        if found_ns < at_ns:
            low = middle + 1
        else:
            high = middle
    return low
