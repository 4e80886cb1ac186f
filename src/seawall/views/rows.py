"""What the views answer with.  The rule: raw integers only; the gateway turns them into decimals.

Prices in ticks, sizes in lots, amounts in quote atoms, times in ns since the Unix epoch.  An id or
a time that does not exist is -1, a price that does not exist 0.
"""

from msgspec import Struct

from seawall.model.trading import (
    Contingency,
    OrderListStatus,
    OrderStatus,
    OrderType,
    Side,
    StpMode,
    TimeInForce,
)


class TradeRow(Struct, frozen=True, kw_only=True):
    """One public trade."""

    trade_id: int
    price_ticks: int
    size_lots: int
    quote_atoms: int
    at_ns: int
    buyer_is_maker: bool
    best_match: bool = True
    auction: bool = False
    """Made by an auction's uncross; there the buyer stands as taker."""


class AggTradeRow(Struct, frozen=True, kw_only=True):
    """The consecutive fills of one taker order at one price."""

    agg_id: int
    price_ticks: int
    size_lots: int
    quote_atoms: int
    first_trade_id: int
    last_trade_id: int
    at_ns: int
    buyer_is_maker: bool
    best_match: bool = True


class Candle(Struct, frozen=True, kw_only=True):
    """One period of one market.  `close_ns` is the last nanosecond that belongs to it."""

    open_ns: int
    close_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    size_lots: int
    quote_atoms: int
    trade_count: int
    taker_buy_lots: int
    taker_buy_quote: int
    first_trade_id: int = -1
    last_trade_id: int = -1
    closed: bool = False
    """A journal entry came after the period: no trade can change it any more."""
    complete: bool = True
    """The market was open and the exchange up for all of the period (so far)."""


class Ticker(Struct, frozen=True, kw_only=True):
    """A market over a window.  Without trades in it, all four prices are the last one before."""

    symbol: str
    open_ns: int
    close_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    last_ticks: int
    last_lots: int
    """Size of the last trade in the window; 0 if there was none."""
    size_lots: int
    quote_atoms: int
    """Weighted average price: `quote_atoms` over `size_lots`, scaled by the instrument."""
    first_trade_id: int
    last_trade_id: int
    trade_count: int
    previous_close_ticks: int
    """Price of the last trade before the window; the window's first one's if there was none."""
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class AveragePrice(Struct, frozen=True, kw_only=True):
    """The average of the last minutes: `tick_lots` / `size_lots` ticks, `last_ticks` if no lots."""

    minutes: int
    tick_lots: int
    """Sum of price times size, in ticks times lots."""
    size_lots: int
    last_ticks: int
    close_ns: int
    """Time of the last trade; -1 before the first."""


class Depth(Struct, frozen=True, kw_only=True):
    """A book at `update_id`: (ticks, lots), best first."""

    update_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class DepthDiffRow(Struct, frozen=True, kw_only=True):
    """What changed in updates `first_update_id` to `last_update_id`; 0 lots: the level is gone."""

    first_update_id: int
    last_update_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Best(Struct, frozen=True, kw_only=True):
    """The top of a book; zeros where a side is empty."""

    update_id: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order, open or ended, as of the last commit."""

    order_id: int
    user_id: int
    symbol: str
    client_order_id: str
    order_list_id: int
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    status: OrderStatus
    price_ticks: int
    size_lots: int
    quote_amount: int
    """What a market order by quote amount may spend or must raise; 0 otherwise."""
    stop_ticks: int
    trailing_bps: int
    trail_ticks: int
    """Best price since the trailing began; 0 before."""
    iceberg_lots: int
    stp_mode: StpMode
    strategy_id: int
    strategy_type: int
    filled_lots: int
    filled_quote: int
    prevented_lots: int
    prevented_match_id: int = -1
    """The latest match by which self-trade prevention took from its size."""
    triggered: bool
    created_ns: int
    updated_ns: int
    working_ns: int
    """When it entered the book or began to match; -1 while it only waits."""
    end_reason: str = ""
    """Why it was canceled or expired."""


class UserTradeRow(Struct, frozen=True, kw_only=True):
    """One side of a trade, for its owner; the fee is in base for a buyer, in quote for a seller."""

    symbol: str
    trade_id: int
    order_id: int
    order_list_id: int
    price_ticks: int
    size_lots: int
    quote_atoms: int
    fee_atoms: int
    at_ns: int
    is_buyer: bool
    is_maker: bool
    best_match: bool = True


class OrderListRow(Struct, frozen=True, kw_only=True):
    """One order list; `orders` holds (order id, client order id) in the list's order."""

    order_list_id: int
    user_id: int
    symbol: str
    contingency: Contingency
    status: OrderListStatus
    list_client_order_id: str
    created_ns: int
    updated_ns: int
    orders: list[tuple[int, str]]


class AmendmentRow(Struct, frozen=True, kw_only=True):
    """An order made smaller in place; `previous_*` is what stood before."""

    order_id: int
    execution_id: int
    """The journal entry that made it smaller."""
    user_id: int
    symbol: str
    previous_client_order_id: str
    client_order_id: str
    previous_lots: int
    size_lots: int
    at_ns: int


class PreventedMatchRow(Struct, frozen=True, kw_only=True):
    """Two orders that self-trade prevention kept apart; sizes are what each lost by it."""

    symbol: str
    prevented_match_id: int
    taker_order_id: int
    maker_order_id: int
    taker_user_id: int
    maker_user_id: int
    stp_mode: StpMode
    """The taker's, which decided."""
    price_ticks: int
    taker_lots: int
    maker_lots: int
    at_ns: int
