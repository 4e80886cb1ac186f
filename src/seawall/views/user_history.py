"""What users ask of history: orders and what became of them.  The rule: own rows only.

Every query is a pure function of a connection.  Rows come oldest first.  A query that names where
to begin (an id or a start) gets the first rows from there; one that does not gets the latest.
"""

import sqlite3
from typing import Final

import msgspec

from seawall.model.ids import NO_ORDER_LIST
from seawall.model.orders import Order, OrderList
from seawall.model.trading import (
    Contingency,
    OrderListStatus,
    OrderStatus,
    OrderType,
    Side,
    StpMode,
    TimeInForce,
)
from seawall.views.rows import (
    AmendmentRow,
    OrderListRow,
    OrderRow,
    PreventedMatchRow,
    UserTradeRow,
)
from seawall.views.seek import first_at

MAX_ID: Final = (1 << 63) - 1

_OPEN: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_NEW)
_ORDER_IDS = msgspec.json.Decoder(list[int])


def order_values(order: Order, end_reason: str) -> tuple[object, ...]:
    """Return the order as history stores it.

    What a waiting order has seen of the market changes without an event, so it is left out.
    """
    waits = order.working_ns < 0 and order.status in _OPEN
    order_list = order.order_list
    return (
        order.order_id,
        order.user_id,
        order.symbol,
        order.client_order_id,
        NO_ORDER_LIST if order_list is None else order_list.order_list_id,
        1 if order.is_buy else 0,
        str(order.order_type),
        str(order.time_in_force),
        str(order.status),
        order.price_ticks,
        order.size_lots,
        order.quote_amount,
        order.stop_ticks,
        order.trailing_bps,
        0 if waits else order.trail_ticks,
        order.iceberg_lots,
        str(order.stp_mode),
        order.strategy_id,
        order.strategy_type,
        order.filled_lots,
        order.filled_quote,
        order.prevented_lots,
        1 if order.triggered else 0,
        order.created_ns,
        order.updated_ns,
        order.working_ns,
        end_reason,
    )


def order_row(values: tuple[object, ...]) -> OrderRow:
    """Return the row of what `order_values` or the orders table holds."""
    (
        order_id, user_id, symbol, client_order_id, order_list_id, is_buy, order_type,
        time_in_force, status, price_ticks, size_lots, quote_amount, stop_ticks, trailing_bps,
        trail_ticks, iceberg_lots, stp_mode, strategy_id, strategy_type, filled_lots, filled_quote,
        prevented_lots, triggered, created_ns, updated_ns, working_ns, end_reason, *prevented,
    ) = values  # fmt: skip
    return OrderRow(
        order_id=_int(order_id),
        user_id=_int(user_id),
        symbol=str(symbol),
        client_order_id=str(client_order_id),
        order_list_id=_int(order_list_id),
        side=Side.BUY if is_buy else Side.SELL,
        type=OrderType(str(order_type)),
        time_in_force=TimeInForce(str(time_in_force)),
        status=OrderStatus(str(status)),
        price_ticks=_int(price_ticks),
        size_lots=_int(size_lots),
        quote_amount=_int(quote_amount),
        stop_ticks=_int(stop_ticks),
        trailing_bps=_int(trailing_bps),
        trail_ticks=_int(trail_ticks),
        iceberg_lots=_int(iceberg_lots),
        stp_mode=StpMode(str(stp_mode)),
        strategy_id=_int(strategy_id),
        strategy_type=_int(strategy_type),
        filled_lots=_int(filled_lots),
        filled_quote=_int(filled_quote),
        prevented_lots=_int(prevented_lots),
        prevented_match_id=_int(prevented[0]) if prevented else -1,
        triggered=bool(triggered),
        created_ns=_int(created_ns),
        updated_ns=_int(updated_ns),
        working_ns=_int(working_ns),
        end_reason=str(end_reason),
    )


def order_list_values(order_list: OrderList, updated_ns: int) -> tuple[object, ...]:
    """Return the list as history stores it; its orders' client ids stand with the orders."""
    order_ids = msgspec.json.encode([order.order_id for order in order_list.orders]).decode()
    return (
        order_list.order_list_id,
        order_list.user_id,
        order_list.symbol,
        str(order_list.contingency),
        str(order_list.status),
        order_list.list_client_order_id,
        order_list.created_ns,
        updated_ns,
        order_ids,
    )


def find_order(
    connection: sqlite3.Connection,
    user_id: int,
    symbol: str,
    order_id: int | None,
    client_order_id: str | None,
) -> OrderRow | None:
    """Return the order by id, by client id (the latest that bears it), or by both if they agree."""
    if order_id is not None:
        values = connection.execute(
            "SELECT * FROM orders WHERE order_id = ?", (order_id,)
        ).fetchone()
    else:
        values = connection.execute(
            "SELECT * FROM orders WHERE user_id = ? AND client_order_id = ? AND symbol = ?"
            " ORDER BY order_id DESC LIMIT 1",
            (user_id, client_order_id, symbol),
        ).fetchone()
    return owned_order(values, user_id, symbol, client_order_id)


def owned_order(
    values: tuple[object, ...] | None, user_id: int, symbol: str, client_order_id: str | None
) -> OrderRow | None:
    """Return the row if it is the user's, of this market, and bears the client id given."""
    if values is None or values[1] != user_id or values[2] != symbol:
        return None
    if client_order_id is not None and values[3] != client_order_id:
        return None
    return order_row(values)


def find_orders(
    connection: sqlite3.Connection,
    user_id: int,
    symbol: str,
    from_order_id: int | None,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
) -> list[OrderRow]:
    """Return the user's orders in one market: from an id on, or placed in [start_ns, end_ns]."""
    first, last = from_order_id or 0, MAX_ID
    if start_ns is not None:
        first = max(first, first_at(connection, "orders", "", start_ns))
    if end_ns is not None:
        last = first_at(connection, "orders", "", end_ns + 1) - 1
    if from_order_id is None and start_ns is None:
        found = connection.execute(
            "SELECT * FROM orders WHERE user_id = ? AND symbol = ? AND order_id BETWEEN ? AND ?"
            " ORDER BY order_id DESC LIMIT ?",
            (user_id, symbol, first, last, limit),
        ).fetchall()[::-1]
    else:
        found = connection.execute(
            "SELECT * FROM orders WHERE user_id = ? AND symbol = ? AND order_id BETWEEN ? AND ?"
            " ORDER BY order_id LIMIT ?",
            (user_id, symbol, first, last, limit),
        ).fetchall()
    return [order_row(values) for values in found]


# Each side by its own index, newest or oldest first, so that no query reads more than it returns.
_OWN_SIDE: Final = """
    SELECT symbol, trade_id, {side}_order_id AS order_id, price_ticks, size_lots, quote_atoms,
        {side}_fee_atoms, at_ns, taker_is_buy = {is_taker}, {is_taker} = 0 AS is_maker
    FROM trades WHERE {side}_user_id = :user AND symbol = :symbol
        AND trade_id BETWEEN :first AND :last AND (:order < 0 OR {side}_order_id = :order)
    ORDER BY trade_id {direction} LIMIT :limit
"""
_OWN_SIDES: Final = {
    direction: tuple(
        _OWN_SIDE.format(side=side, is_taker=is_taker, direction=direction)
        for side, is_taker in (("taker", 1), ("maker", 0))
    )
    for direction in ("ASC", "DESC")
}


def find_user_trades(
    connection: sqlite3.Connection,
    user_id: int,
    symbol: str,
    order_id: int | None,
    from_id: int | None,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
) -> list[UserTradeRow]:
    """Return the user's sides of trades in one market; both of them where they met themselves."""
    first, last = from_id or 0, MAX_ID
    if order_id is not None:
        order = find_order(connection, user_id, symbol, order_id, None)
        if order is None:
            return []
        first = max(first, first_at(connection, "trades", symbol, order.created_ns))
        last = first_at(connection, "trades", symbol, order.updated_ns + 1) - 1
    if start_ns is not None:
        first = max(first, first_at(connection, "trades", symbol, start_ns))
    if end_ns is not None:
        last = min(last, first_at(connection, "trades", symbol, end_ns + 1) - 1)
    named = {
        "user": user_id,
        "symbol": symbol,
        "order": -1 if order_id is None else order_id,
        "first": first,
        "last": last,
        "limit": limit,
    }
    latest = from_id is None and start_ns is None
    found = [
        values
        for side in _OWN_SIDES["DESC" if latest else "ASC"]
        for values in connection.execute(side, named)
    ]
    found.sort(key=lambda values: (values[1], values[9]))
    found = found[-limit:] if latest else found[:limit]
    return [_user_trade_row(connection, values) for values in found]


def _user_trade_row(connection: sqlite3.Connection, values: tuple[object, ...]) -> UserTradeRow:
    (order_list_id,) = connection.execute(
        "SELECT order_list_id FROM orders WHERE order_id = ?", (values[2],)
    ).fetchone()
    return UserTradeRow(
        symbol=str(values[0]),
        trade_id=_int(values[1]),
        order_id=_int(values[2]),
        order_list_id=order_list_id,
        price_ticks=_int(values[3]),
        size_lots=_int(values[4]),
        quote_atoms=_int(values[5]),
        fee_atoms=_int(values[6]),
        at_ns=_int(values[7]),
        is_buyer=bool(values[8]),
        is_maker=bool(values[9]),
    )


def find_order_list(
    connection: sqlite3.Connection,
    user_id: int,
    order_list_id: int | None,
    list_client_order_id: str | None,
) -> OrderListRow | None:
    """Return the list by id, or the latest that bears the client's id."""
    if order_list_id is not None:
        values = connection.execute(
            "SELECT * FROM order_lists WHERE order_list_id = ? AND user_id = ?",
            (order_list_id, user_id),
        ).fetchone()
    else:
        values = connection.execute(
            "SELECT * FROM order_lists WHERE user_id = ? AND list_client_order_id = ?"
            " ORDER BY order_list_id DESC LIMIT 1",
            (user_id, list_client_order_id),
        ).fetchone()
    if values is None:
        return None
    return _order_list_row(connection, values)


def find_order_lists(
    connection: sqlite3.Connection,
    user_id: int,
    from_id: int | None,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
) -> list[OrderListRow]:
    """Return the user's lists of all markets: from an id on, or made in [start_ns, end_ns]."""
    bounds = (user_id, from_id or 0, start_ns or 0, MAX_ID if end_ns is None else end_ns, limit)
    if from_id is None and start_ns is None:
        found = connection.execute(
            "SELECT * FROM order_lists WHERE user_id = ? AND order_list_id >= ?"
            " AND created_ns BETWEEN ? AND ? ORDER BY order_list_id DESC LIMIT ?",
            bounds,
        ).fetchall()[::-1]
    else:
        found = connection.execute(
            "SELECT * FROM order_lists WHERE user_id = ? AND order_list_id >= ?"
            " AND created_ns BETWEEN ? AND ? ORDER BY order_list_id LIMIT ?",
            bounds,
        ).fetchall()
    return [_order_list_row(connection, values) for values in found]


def _order_list_row(connection: sqlite3.Connection, values: tuple[object, ...]) -> OrderListRow:
    orders = []
    for order_id in _ORDER_IDS.decode(str(values[8])):
        (client_order_id,) = connection.execute(
            "SELECT client_order_id FROM orders WHERE order_id = ?", (order_id,)
        ).fetchone()
        orders.append((order_id, client_order_id))
    return OrderListRow(
        order_list_id=_int(values[0]),
        user_id=_int(values[1]),
        symbol=str(values[2]),
        contingency=Contingency(str(values[3])),
        status=OrderListStatus(str(values[4])),
        list_client_order_id=str(values[5]),
        created_ns=_int(values[6]),
        updated_ns=_int(values[7]),
        orders=orders,
    )


def find_amendments(
    connection: sqlite3.Connection,
    user_id: int,
    symbol: str,
    order_id: int,
    from_id: int | None,
    limit: int,
) -> list[AmendmentRow]:
    """Return how the user's order was amended, from an execution id on."""
    found = connection.execute(
        "SELECT * FROM amendments WHERE order_id = ? AND user_id = ? AND symbol = ?"
        " AND execution_id >= ? ORDER BY execution_id LIMIT ?",
        (order_id, user_id, symbol, from_id or 0, limit),
    ).fetchall()
    return [
        AmendmentRow(
            order_id=values[0],
            execution_id=values[1],
            user_id=values[2],
            symbol=values[3],
            previous_client_order_id=values[4],
            client_order_id=values[5],
            previous_lots=_int(values[6]),
            size_lots=_int(values[7]),
            at_ns=values[8],
        )
        for values in found
    ]


def find_prevented_matches(
    connection: sqlite3.Connection,
    user_id: int,
    symbol: str,
    prevented_match_id: int | None,
    order_id: int | None,
    from_id: int | None,
    limit: int,
) -> list[PreventedMatchRow]:
    """Return matches kept from the user's orders: one by id, or all of an order, from an id on."""
    first, last = from_id or 0, MAX_ID
    if prevented_match_id is not None:
        first = last = prevented_match_id
    found = connection.execute(
        """SELECT * FROM prevented_matches WHERE taker_user_id = :user AND symbol = :symbol
            AND prevented_match_id BETWEEN :first AND :last
            AND (:order < 0 OR :order IN (taker_order_id, maker_order_id))
        UNION
        SELECT * FROM prevented_matches WHERE maker_user_id = :user AND symbol = :symbol
            AND prevented_match_id BETWEEN :first AND :last
            AND (:order < 0 OR :order IN (taker_order_id, maker_order_id))
        ORDER BY prevented_match_id LIMIT :limit""",
        {
            "user": user_id,
            "symbol": symbol,
            "order": -1 if order_id is None else order_id,
            "first": first,
            "last": last,
            "limit": limit,
        },
    ).fetchall()
    return [
        PreventedMatchRow(
            symbol=values[0],
            prevented_match_id=values[1],
            taker_order_id=values[2],
            maker_order_id=values[3],
            taker_user_id=values[4],
            maker_user_id=values[5],
            stp_mode=StpMode(values[6]),
            price_ticks=int(values[7]),
            taker_lots=int(values[8]),
            maker_lots=int(values[9]),
            at_ns=values[10],
        )
        for values in found
    ]


def _int(value: object) -> int:
    """Return an integer of a column; those past 64 bits are stored as text."""
    if isinstance(value, int):
        return value
    return int(str(value))
