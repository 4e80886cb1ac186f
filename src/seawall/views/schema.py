"""History's tables.  The rule: a changed table is a new SCHEMA_VERSION; old files are dropped.

Columns of amounts have no type, so that SQLite leaves both an integer and the text of a larger one
as they are.
"""

from typing import Final

SCHEMA_VERSION: Final = 2

TABLES: Final = {
    "meta": "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID",
    "trades": """CREATE TABLE IF NOT EXISTS trades (
        symbol TEXT, trade_id INTEGER, price_ticks, size_lots, quote_atoms, at_ns INTEGER,
        taker_is_buy INTEGER, auction INTEGER, taker_order_id INTEGER, maker_order_id INTEGER,
        taker_user_id INTEGER, maker_user_id INTEGER, taker_fee_atoms, maker_fee_atoms,
        PRIMARY KEY (symbol, trade_id)) WITHOUT ROWID""",
    "agg_trades": """CREATE TABLE IF NOT EXISTS agg_trades (
        symbol TEXT, agg_id INTEGER, price_ticks, size_lots, quote_atoms, first_trade_id INTEGER,
        last_trade_id INTEGER, at_ns INTEGER, taker_is_buy INTEGER,
        PRIMARY KEY (symbol, agg_id)) WITHOUT ROWID""",
    "candles": """CREATE TABLE IF NOT EXISTS candles (
        symbol TEXT, interval TEXT, open_ns INTEGER, end_ns INTEGER, open_ticks, high_ticks,
        low_ticks, close_ticks, size_lots, quote_atoms, trade_count INTEGER, taker_buy_lots,
        taker_buy_quote, first_trade_id INTEGER, last_trade_id INTEGER,
        PRIMARY KEY (symbol, interval, open_ns)) WITHOUT ROWID""",
    "interruptions": """CREATE TABLE IF NOT EXISTS interruptions (
        symbol TEXT, from_ns INTEGER, to_ns INTEGER, reason TEXT,
        PRIMARY KEY (symbol, from_ns)) WITHOUT ROWID""",
    "orders": """CREATE TABLE IF NOT EXISTS orders (
        order_id INTEGER PRIMARY KEY, user_id INTEGER, symbol TEXT, client_order_id TEXT,
        order_list_id INTEGER, is_buy INTEGER, order_type TEXT, time_in_force TEXT, status TEXT,
        price_ticks, size_lots, quote_amount, stop_ticks, trailing_bps INTEGER, trail_ticks,
        iceberg_lots, stp_mode TEXT, strategy_id INTEGER, strategy_type INTEGER, filled_lots,
        filled_quote, prevented_lots, triggered INTEGER, created_ns INTEGER, updated_ns INTEGER,
        working_ns INTEGER, end_reason TEXT, prevented_match_id INTEGER DEFAULT -1)""",
    "order_lists": """CREATE TABLE IF NOT EXISTS order_lists (
        order_list_id INTEGER PRIMARY KEY, user_id INTEGER, symbol TEXT, contingency TEXT,
        status TEXT, list_client_order_id TEXT, created_ns INTEGER, updated_ns INTEGER,
        order_ids TEXT)""",
    "amendments": """CREATE TABLE IF NOT EXISTS amendments (
        order_id INTEGER, execution_id INTEGER, user_id INTEGER, symbol TEXT,
        previous_client_order_id TEXT, client_order_id TEXT, previous_lots, size_lots,
        at_ns INTEGER, PRIMARY KEY (order_id, execution_id)) WITHOUT ROWID""",
    "prevented_matches": """CREATE TABLE IF NOT EXISTS prevented_matches (
        symbol TEXT, prevented_match_id INTEGER, taker_order_id INTEGER, maker_order_id INTEGER,
        taker_user_id INTEGER, maker_user_id INTEGER, stp_mode TEXT, price_ticks, taker_lots,
        maker_lots, at_ns INTEGER, PRIMARY KEY (symbol, prevented_match_id)) WITHOUT ROWID""",
}

INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS trades_by_taker ON trades (taker_user_id, symbol, trade_id)",
    "CREATE INDEX IF NOT EXISTS trades_by_maker ON trades (maker_user_id, symbol, trade_id)",
    "CREATE INDEX IF NOT EXISTS orders_by_owner ON orders (user_id, symbol)",
    "CREATE INDEX IF NOT EXISTS orders_by_client_id ON orders (user_id, client_order_id)",
    "CREATE INDEX IF NOT EXISTS order_lists_by_owner ON order_lists (user_id)",
    "CREATE INDEX IF NOT EXISTS lists_by_client_id ON order_lists (user_id, list_client_order_id)",
    """CREATE INDEX IF NOT EXISTS prevented_by_taker
        ON prevented_matches (taker_user_id, symbol, prevented_match_id)""",
    """CREATE INDEX IF NOT EXISTS prevented_by_maker
        ON prevented_matches (maker_user_id, symbol, prevented_match_id)""",
)

WRITES: Final = {
    # What is made once is inserted: a second row with the same key is a bug, and fails.
    "trades": "INSERT INTO trades VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "agg_trades": "INSERT INTO agg_trades VALUES (?,?,?,?,?,?,?,?,?)",
    "amendments": "INSERT INTO amendments VALUES (?,?,?,?,?,?,?,?,?)",
    "prevented_matches": "INSERT INTO prevented_matches VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    # What changes is replaced.
    "candles": "INSERT OR REPLACE INTO candles VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "interruptions": "INSERT OR REPLACE INTO interruptions VALUES (?,?,?,?)",
    "order_lists": "INSERT OR REPLACE INTO order_lists VALUES (?,?,?,?,?,?,?,?,?)",
    # Only what can change after an order was first written, which leaves two indexes alone.
    "orders": """INSERT INTO orders VALUES
        (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,-1)
        ON CONFLICT (order_id) DO UPDATE SET
        client_order_id = excluded.client_order_id, status = excluded.status,
        size_lots = excluded.size_lots, trail_ticks = excluded.trail_ticks,
        filled_lots = excluded.filled_lots, filled_quote = excluded.filled_quote,
        prevented_lots = excluded.prevented_lots, triggered = excluded.triggered,
        updated_ns = excluded.updated_ns, working_ns = excluded.working_ns,
        end_reason = excluded.end_reason""",
    "prevented_orders": "UPDATE orders SET prevented_match_id = ? WHERE order_id = ?",
}
"""In writing order: an order is there before its prevented match is noted."""

KEYS: Final = {
    "trades": ("symbol", "trade_id"),
    "agg_trades": ("symbol", "agg_id"),
    "candles": ("symbol", "interval", "open_ns"),
    "interruptions": ("symbol", "from_ns"),
    "orders": ("order_id",),
    "order_lists": ("order_list_id",),
    "amendments": ("order_id", "execution_id"),
    "prevented_matches": ("symbol", "prevented_match_id"),
}
"""The primary keys of all tables of the journal's making."""
