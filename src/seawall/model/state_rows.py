"""The rows that a state is written as, for snapshots and digests.  The rule: fields are only added.

A row is written without the fields that stand at their default, so a field added later leaves the
digest of every older journal as it was.  Sequences stand in the order in which the core holds
them: that order decides what a later command does.
"""

from msgspec import Struct

from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.mailbox import Mailbox
from seawall.model.trading import (
    Contingency,
    MarketStatus,
    OrderListStatus,
    OrderStatus,
    OrderType,
    StpMode,
    TimeInForce,
)


class Row(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """What all rows share: the way they are written, and that no two refer to each other."""


class OrderRow(Row, frozen=True, kw_only=True):
    """`orders.Order`; where it stands in a ladder is the ladder's to say."""

    order_id: int
    user_id: int
    symbol: str
    client_order_id: str
    is_buy: bool
    order_type: OrderType
    time_in_force: TimeInForce
    created_ns: int
    working_ns: int = -1
    updated_ns: int
    status: OrderStatus
    price_ticks: int = 0
    size_lots: int = 0
    quote_amount: int = 0
    stop_ticks: int = 0
    trailing_bps: int = 0
    trail_ticks: int = 0
    iceberg_lots: int = 0
    stp_mode: StpMode
    strategy_id: int = -1
    strategy_type: int = -1
    filled_lots: int = 0
    filled_quote: int = 0
    prevented_lots: int = 0
    held_atoms: int = 0
    triggered: bool = False
    visible_lots: int = 0


class OrderListRow(Row, frozen=True, kw_only=True):
    """`orders.OrderList`; orders of it that have ended are written here, having no other place."""

    order_list_id: int
    user_id: int
    symbol: str
    contingency: Contingency
    list_client_order_id: str
    created_ns: int
    status: OrderListStatus
    order_ids: tuple[int, ...]
    ended: tuple[OrderRow, ...] = ()


class LevelRow(Row, frozen=True, kw_only=True, array_like=True):
    """One level: its price, its sums, and its queue by order id."""

    price_ticks: int
    visible_lots: int
    total_lots: int
    order_ids: tuple[int, ...]


class MarketRow(Row, frozen=True, kw_only=True):
    """`spot_state.Market`; ladders best price first, orders by id."""

    instrument: Instrument
    status: MarketStatus
    status_reason: str
    status_since_ns: int
    bids: tuple[LevelRow, ...] = ()
    asks: tuple[LevelRow, ...] = ()
    rising_stops: tuple[LevelRow, ...] = ()
    falling_stops: tuple[LevelRow, ...] = ()
    trailing: tuple[int, ...] = ()
    next_trade_id: int
    next_prevented_match_id: int
    update_id: int
    last_ticks: int = 0
    average_from_ns: int = 0
    average_buckets: tuple[tuple[int, ...], ...] = ()
    auction_orders: tuple[int, ...] = ()
    triggered: tuple[int, ...] = ()
    indicative: tuple[int, int, int] = (0, 0, 0)
    status_order: int = 0
    collar_bps: int = 0
    collar_ticks: int = 0


class BalanceRow(Row, frozen=True, kw_only=True, array_like=True):
    """`ledger.Balance`."""

    user_id: int
    asset: str
    free: int
    held: int


class AccountRow(Row, frozen=True, kw_only=True):
    """`spot_state.Account`."""

    user_id: int
    tier: int = 0
    trade_group: int = 0
    open_orders: tuple[OrderRow, ...] = ()
    open_lists: tuple[OrderListRow, ...] = ()
    countdowns: tuple[tuple[str, int], ...] = ()


class SpotRows(Row, frozen=True, kw_only=True, tag="spot"):
    """`spot_state.SpotState`: the whole of it."""

    sequence: int
    at_ns: int
    epoch: int
    assets: tuple[Asset, ...] = ()
    markets: tuple[MarketRow, ...] = ()
    tiers: tuple[FeeTier, ...] = ()
    accounts: tuple[AccountRow, ...] = ()
    balances: tuple[BalanceRow, ...] = ()
    next_order_id: int
    next_order_list_id: int
    credit_references: dict[str, int] = {}
    command_ids: dict[str, int] = {}
    mailbox: Mailbox | None = None
    """Left out until the first transfer: older states keep their digests."""


class UserRow(Row, frozen=True, kw_only=True, array_like=True):
    """`identity_state.User`; the ids of its keys follow from the keys."""

    user_id: int
    name: str
    created_ns: int


class ApiKeyRow(Row, frozen=True, kw_only=True):
    """`identity_state.ApiKey`."""

    api_key: str
    user_id: int
    kind: str
    material: str
    label: str = ""
    permissions: tuple[str, ...] = ()
    ip_allow: tuple[str, ...] = ()
    created_ns: int


class ListenKeyRow(Row, frozen=True, kw_only=True, array_like=True):
    """`identity_state.ListenKey`."""

    listen_key: str
    user_id: int
    expires_ns: int


class IdentityRows(Row, frozen=True, kw_only=True, tag="identity"):
    """`identity_state.IdentityState`: the whole of it."""

    sequence: int
    at_ns: int
    epoch: int
    users: tuple[UserRow, ...] = ()
    keys: tuple[ApiKeyRow, ...] = ()
    listen_keys: tuple[ListenKeyRow, ...] = ()
    next_user_id: int
    command_ids: dict[str, int] = {}
