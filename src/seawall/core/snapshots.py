"""States as bytes, and back.  The rule: a loaded state digests and behaves as the dumped one did.

The form is canonical: no two dumps of equal states differ.  Balances at zero are left out, since
opening one is not a change.  A snapshot is a cache: the journal alone is enough.
"""

import msgspec

from seawall.core.book import Ladder
from seawall.core.identity_state import ApiKey, IdentityState, ListenKey, User
from seawall.core.ledger import Ledger
from seawall.core.spot_state import Account, Market, SpotState
from seawall.lib.invariants import invariant
from seawall.model.mailbox import Mailbox
from seawall.model.orders import Level, Order, OrderList
from seawall.model.state_rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    IdentityRows,
    LevelRow,
    ListenKeyRow,
    MarketRow,
    OrderListRow,
    OrderRow,
    SpotRows,
    UserRow,
)

_ENCODER = msgspec.json.Encoder()
_SPOT_DECODER = msgspec.json.Decoder(SpotRows)
_IDENTITY_DECODER = msgspec.json.Decoder(IdentityRows)


def dump_spot(state: SpotState) -> bytes:
    """Return the whole spot state as canonical JSON."""
    invariant(not state.ledger.has_changes(), "a state is dumped between commands")
    return _ENCODER.encode(
        SpotRows(
            sequence=state.sequence,
            at_ns=state.at_ns,
            epoch=state.epoch,
            assets=tuple(state.assets.values()),
            markets=tuple([_dump_market(market) for market in state.markets.values()]),
            tiers=tuple([tier for _, tier in sorted(state.tiers.items())]),
            accounts=tuple([_dump_account(account) for account in state.accounts.values()]),
            balances=tuple(_dump_balances(state.ledger)),
            next_order_id=state.next_order_id,
            next_order_list_id=state.next_order_list_id,
            credit_references=state.credit_references,
            command_ids=state.command_ids,
            mailbox=None if state.mailbox == Mailbox() else state.mailbox,
        )
    )


def load_spot(data: bytes) -> SpotState:
    """Return the state that `dump_spot` wrote; raise msgspec.DecodeError on anything else."""
    rows = _SPOT_DECODER.decode(data)
    state = SpotState()
    state.sequence = rows.sequence
    state.at_ns = rows.at_ns
    state.epoch = rows.epoch
    state.assets = {str(asset.code): asset for asset in rows.assets}
    state.tiers = {tier.tier: tier for tier in rows.tiers}
    state.next_order_id = rows.next_order_id
    state.next_order_list_id = rows.next_order_list_id
    state.credit_references = rows.credit_references
    state.command_ids = rows.command_ids
    state.mailbox = rows.mailbox or Mailbox()
    for balance_row in rows.balances:
        balance = state.ledger.balance(balance_row.user_id, balance_row.asset)
        balance.free = balance_row.free
        balance.held = balance_row.held
    orders: dict[int, Order] = {}
    visible: dict[int, int] = {}
    for account_row in rows.accounts:
        account = _load_account(account_row, orders, visible)
        state.accounts[account.user_id] = account
    for market_row in rows.markets:
        market = _load_market(market_row, orders, visible)
        state.markets[market.symbol] = market
    return state


# Spot: out


def _dump_account(account: Account) -> AccountRow:
    return AccountRow(
        user_id=account.user_id,
        tier=account.tier,
        trade_group=account.trade_group,
        open_orders=tuple([_dump_order(order) for order in account.open_orders.values()]),
        open_lists=tuple([_dump_list(found, account) for found in account.open_lists.values()]),
        countdowns=tuple(account.countdowns.items()),
    )


def _dump_list(found: OrderList, account: Account) -> OrderListRow:
    ended = [order for order in found.orders if order.order_id not in account.open_orders]
    return OrderListRow(
        order_list_id=found.order_list_id,
        user_id=found.user_id,
        symbol=found.symbol,
        contingency=found.contingency,
        list_client_order_id=found.list_client_order_id,
        created_ns=found.created_ns,
        status=found.status,
        order_ids=tuple([order.order_id for order in found.orders]),
        ended=tuple([_dump_order(order) for order in ended]),
    )


def _dump_order(order: Order) -> OrderRow:
    return OrderRow(
        order_id=order.order_id,
        user_id=order.user_id,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        is_buy=order.is_buy,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        created_ns=order.created_ns,
        working_ns=order.working_ns,
        updated_ns=order.updated_ns,
        status=order.status,
        price_ticks=order.price_ticks,
        size_lots=order.size_lots,
        quote_amount=order.quote_amount,
        stop_ticks=order.stop_ticks,
        trailing_bps=order.trailing_bps,
        trail_ticks=order.trail_ticks,
        iceberg_lots=order.iceberg_lots,
        stp_mode=order.stp_mode,
        strategy_id=order.strategy_id,
        strategy_type=order.strategy_type,
        filled_lots=order.filled_lots,
        filled_quote=order.filled_quote,
        prevented_lots=order.prevented_lots,
        held_atoms=order.held_atoms,
        triggered=order.triggered,
        visible_lots=order.visible_lots,
    )


def _dump_market(market: Market) -> MarketRow:
    return MarketRow(
        instrument=market.instrument,
        status=market.status,
        status_reason=market.status_reason,
        status_since_ns=market.status_since_ns,
        bids=_dump_ladder(market.bids),
        asks=_dump_ladder(market.asks),
        rising_stops=_dump_ladder(market.rising_stops),
        falling_stops=_dump_ladder(market.falling_stops),
        trailing=tuple(market.trailing),
        next_trade_id=market.next_trade_id,
        next_prevented_match_id=market.next_prevented_match_id,
        update_id=market.update_id,
        last_ticks=market.last_ticks,
        average_from_ns=market.average_from_ns,
        average_buckets=tuple([tuple(bucket) for bucket in market.average_buckets]),
        auction_orders=tuple(market.auction_orders),
        triggered=tuple(market.triggered),
        indicative=market.indicative,
        status_order=market.status_order,
        collar_bps=market.collar_bps,
        collar_ticks=market.collar_ticks,
    )


def _dump_ladder(ladder: Ladder) -> tuple[LevelRow, ...]:
    return tuple([_dump_level(level) for level in ladder.best_first()])


def _dump_level(level: Level) -> LevelRow:
    order_ids: list[int] = []
    order = level.head
    while order is not None:
        order_ids.append(order.order_id)
        order = order.after
    return LevelRow(
        price_ticks=level.price_ticks,
        visible_lots=level.visible_lots,
        total_lots=level.total_lots,
        order_ids=tuple(order_ids),
    )


def _dump_balances(ledger: Ledger) -> list[BalanceRow]:
    rows: list[BalanceRow] = []
    for user_id, of_user in sorted(ledger.balances.items()):
        for asset in sorted(of_user):
            balance = of_user[asset]
            if balance.free or balance.held:
                rows.append(
                    BalanceRow(user_id=user_id, asset=asset, free=balance.free, held=balance.held)
                )
    return rows


# Spot: back


def _load_account(row: AccountRow, orders: dict[int, Order], visible: dict[int, int]) -> Account:
    account = Account(row.user_id)
    account.tier = row.tier
    account.trade_group = row.trade_group
    account.countdowns = dict(row.countdowns)
    for order_row in row.open_orders:
        order = _load_order(order_row)
        orders[order.order_id] = order
        visible[order.order_id] = order_row.visible_lots
        account.open_orders[order.order_id] = order
        account.by_client_id[(order.symbol, order.client_order_id)] = order
    for list_row in row.open_lists:
        found = _load_list(list_row, account)
        account.open_lists[found.order_list_id] = found
    return account


def _load_list(row: OrderListRow, account: Account) -> OrderList:
    found = OrderList(
        row.order_list_id,
        row.user_id,
        row.symbol,
        row.contingency,
        row.list_client_order_id,
        row.created_ns,
    )
    found.status = row.status
    ended = {order_row.order_id: _load_order(order_row) for order_row in row.ended}
    for order_id in row.order_ids:
        order = ended.get(order_id)
        if order is None:
            order = account.open_orders[order_id]
        order.order_list = found
        found.orders.append(order)
    return found


def _load_order(row: OrderRow) -> Order:
    """Return the order without its place in a ladder."""
    order = Order(
        row.order_id,
        row.user_id,
        row.symbol,
        row.client_order_id,
        row.is_buy,
        row.order_type,
        row.time_in_force,
        row.created_ns,
    )
    order.working_ns = row.working_ns
    order.updated_ns = row.updated_ns
    order.status = row.status
    order.price_ticks = row.price_ticks
    order.size_lots = row.size_lots
    order.quote_amount = row.quote_amount
    order.stop_ticks = row.stop_ticks
    order.trailing_bps = row.trailing_bps
    order.trail_ticks = row.trail_ticks
    order.iceberg_lots = row.iceberg_lots
    order.stp_mode = row.stp_mode
    order.strategy_id = row.strategy_id
    order.strategy_type = row.strategy_type
    order.filled_lots = row.filled_lots
    order.filled_quote = row.filled_quote
    order.prevented_lots = row.prevented_lots
    order.held_atoms = row.held_atoms
    order.triggered = row.triggered
    return order


def _load_market(row: MarketRow, orders: dict[int, Order], visible: dict[int, int]) -> Market:
    market = Market(row.instrument)
    market.status = row.status
    market.status_reason = row.status_reason
    market.status_since_ns = row.status_since_ns
    _load_ladder(market.bids, row.bids, orders, visible)
    _load_ladder(market.asks, row.asks, orders, visible)
    _load_ladder(market.rising_stops, row.rising_stops, orders, visible)
    _load_ladder(market.falling_stops, row.falling_stops, orders, visible)
    market.trailing = {order_id: orders[order_id] for order_id in row.trailing}
    market.next_trade_id = row.next_trade_id
    market.next_prevented_match_id = row.next_prevented_match_id
    market.update_id = row.update_id
    market.last_ticks = row.last_ticks
    market.average_from_ns = row.average_from_ns
    market.average_buckets = [list(bucket) for bucket in row.average_buckets]
    market.auction_orders = {order_id: orders[order_id] for order_id in row.auction_orders}
    market.triggered = {order_id: orders[order_id] for order_id in row.triggered}
    market.indicative = row.indicative
    market.status_order = row.status_order
    market.collar_bps = row.collar_bps
    market.collar_ticks = row.collar_ticks
    return market


def _load_ladder(
    ladder: Ladder, rows: tuple[LevelRow, ...], orders: dict[int, Order], visible: dict[int, int]
) -> None:
    # Worst first: then each new level is appended to the sorted keys instead of inserted before.
    for row in reversed(rows):
        for order_id in row.order_ids:
            ladder.add(orders[order_id], row.price_ticks, visible[order_id])
        level = ladder.best()
        invariant(
            level is not None
            and level.price_ticks == row.price_ticks
            and level.visible_lots == row.visible_lots
            and level.total_lots == row.total_lots,
            "a level's sums are those of its orders",
        )


# Identity


def dump_identity(state: IdentityState) -> bytes:
    """Return the whole identity state as canonical JSON."""
    return _ENCODER.encode(
        IdentityRows(
            sequence=state.sequence,
            at_ns=state.at_ns,
            epoch=state.epoch,
            users=tuple([_dump_user(user) for user in state.users.values()]),
            keys=tuple([_dump_key(key) for key in state.keys.values()]),
            listen_keys=tuple([_dump_listen_key(key) for key in state.listen_keys.values()]),
            next_user_id=state.next_user_id,
            command_ids=state.command_ids,
        )
    )


def load_identity(data: bytes) -> IdentityState:
    """Return the state that `dump_identity` wrote; raise msgspec.DecodeError on anything else."""
    rows = _IDENTITY_DECODER.decode(data)
    state = IdentityState()
    state.sequence = rows.sequence
    state.at_ns = rows.at_ns
    state.epoch = rows.epoch
    state.next_user_id = rows.next_user_id
    state.command_ids = rows.command_ids
    for user_row in rows.users:
        user = User(user_row.user_id, user_row.name, user_row.created_ns)
        state.users[user.user_id] = user
        state.by_name[user.name] = user
    for key_row in rows.keys:
        key = _load_key(key_row)
        state.keys[key.api_key] = key
        state.users[key.user_id].api_keys[key.api_key] = key
    for row in rows.listen_keys:
        state.listen_keys[row.listen_key] = ListenKey(row.listen_key, row.user_id, row.expires_ns)
        state.users[row.user_id].listen_key = row.listen_key
    return state


def _dump_user(user: User) -> UserRow:
    return UserRow(user_id=user.user_id, name=user.name, created_ns=user.created_ns)


def _dump_key(key: ApiKey) -> ApiKeyRow:
    return ApiKeyRow(
        api_key=key.api_key,
        user_id=key.user_id,
        kind=key.kind,
        material=key.material,
        label=key.label,
        permissions=key.permissions,
        ip_allow=key.ip_allow,
        created_ns=key.created_ns,
    )


def _load_key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        row.api_key,
        row.user_id,
        row.kind,
        row.material,
        row.label,
        row.permissions,
        row.ip_allow,
        row.created_ns,
    )


def _dump_listen_key(key: ListenKey) -> ListenKeyRow:
    return ListenKeyRow(listen_key=key.listen_key, user_id=key.user_id, expires_ns=key.expires_ns)
