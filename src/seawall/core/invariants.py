"""Everything that must hold of a whole state.  The rule: it reads, and raises `InvariantError`.

Slow on purpose: each sum is made anew from its parts.  It runs after each step of the tests, in
`seawall journal verify`, and wherever a state is doubted; never in the path of a command.
"""

from seawall.core.book import Ladder
from seawall.core.identity_state import IdentityState
from seawall.core.mailbox import check_mailbox
from seawall.core.spot_state import Account, Market, SpotState
from seawall.lib.invariants import InvariantError, invariant
from seawall.model import limits
from seawall.model.ids import EXTERNAL, MONEY_CELLS, bridge_account
from seawall.model.orders import Level, Order
from seawall.model.trading import (
    Contingency,
    MarketStatus,
    OrderListStatus,
    OrderStatus,
    OrderType,
)

_OPEN = (OrderStatus.NEW, OrderStatus.PENDING_NEW, OrderStatus.PARTIALLY_FILLED)
_OUTSIDE = (EXTERNAL, *[bridge_account(cell) for cell in MONEY_CELLS])
_CONTINUOUS = (MarketStatus.OPEN, MarketStatus.POST_ONLY)


def check_spot(state: SpotState) -> None:
    """Check the whole spot state."""
    _check_sums(state)
    _check_holds(state)
    orders = _check_accounts(state)
    for market in state.markets.values():
        _check_market(market, orders)
    invariant(not orders, f"every open order stands in its market: {list(orders)[:5]}")
    _check_memory(state.command_ids, state.sequence)
    _check_derived(state)
    check_mailbox(state.mailbox)
    for sequence in state.credit_references.values():
        invariant(0 < sequence <= state.sequence, "a credit was applied at an entry before")
    invariant(not state.ledger.has_changes(), "every change of a balance was published")


# Money


def _check_sums(state: SpotState) -> None:
    sums: dict[str, int] = {}
    for user_id, of_user in state.ledger.balances.items():
        for asset, balance in of_user.items():
            invariant(
                balance.user_id == user_id and balance.asset == asset,
                "a balance stands under its own user and asset",
            )
            invariant(asset in state.assets, f"{asset} is listed")
            invariant(not balance.touched, "every change of a balance was published")
            invariant(balance.held >= 0, f"user {user_id} holds no negative {asset}")
            invariant(
                balance.free >= 0 or user_id in _OUTSIDE,
                f"user {user_id} has no negative {asset}",
            )
            sums[asset] = sums.get(asset, 0) + balance.free + balance.held
    for asset, total in sums.items():
        invariant(total == 0, f"{asset} sums to zero over all accounts, not to {total}")


def _check_holds(state: SpotState) -> None:
    held: dict[tuple[int, str], int] = {}
    for account in state.accounts.values():
        for order in account.open_orders.values():
            market = state.markets[order.symbol]
            key = (order.user_id, market.quote if order.is_buy else market.base)
            held[key] = held.get(key, 0) + order.held_atoms
    for user_id, of_user in state.ledger.balances.items():
        for asset, balance in of_user.items():
            expected = held.pop((user_id, asset), 0)
            invariant(
                balance.held == expected,
                f"user {user_id} holds {balance.held} of {asset}, as its orders do: {expected}",
            )
    for key, atoms in held.items():
        invariant(atoms == 0, f"a hold of {atoms} stands in a balance: {key}")


# Accounts and their indexes


def _check_accounts(state: SpotState) -> dict[int, Order]:
    """Check each account; return all open orders by id."""
    orders: dict[int, Order] = {}
    for user_id, account in state.accounts.items():
        invariant(account.user_id == user_id, "an account stands under its own user")
        invariant(account.tier in state.tiers, f"user {user_id} has a tier that exists")
        _check_open_orders(state, account, orders)
        _check_lists(state, account)
        for symbol, deadline_ns in account.countdowns.items():
            invariant(
                symbol in state.markets and deadline_ns > state.at_ns,
                f"user {user_id}: a countdown in {symbol} is still to come",
            )
    return orders


def _check_open_orders(state: SpotState, account: Account, orders: dict[int, Order]) -> None:
    previous = 0
    for order_id, order in account.open_orders.items():
        market = state.markets[order.symbol]
        invariant(order.order_id == order_id, "an order stands under its own id")
        invariant(previous < order_id < state.next_order_id, "ids grow and lie below the next")
        invariant(order.user_id == account.user_id, f"order {order_id} stands with its owner")
        invariant(
            account.by_client_id.get((order.symbol, order.client_order_id)) is order,
            f"order {order_id} is found by its client's id",
        )
        _check_terms(market, order)
        previous = order_id
        orders[order_id] = order
    invariant(
        len(account.by_client_id) == len(account.open_orders), "client ids name open orders only"
    )


def _check_terms(market: Market, order: Order) -> None:
    name = f"order {order.order_id}"
    invariant(order.status in _OPEN, f"{name} is open while it is listed as open")
    by_quote = order.quote_amount > 0
    invariant(order.size_lots > 0 or by_quote, f"{name} has a size")
    invariant(order.open_lots > 0 or by_quote, f"{name} has something left to fill")
    invariant(order.filled_lots >= 0 and order.prevented_lots >= 0, f"{name} lost nothing negative")
    invariant(
        (order.filled_lots > 0) == (order.status is OrderStatus.PARTIALLY_FILLED),
        f"{name} is partially filled exactly if something was filled",
    )
    if order.status is OrderStatus.PENDING_NEW:
        invariant(order.order_list is not None, f"{name} waits within a list")
    needed = _needed_hold(market, order)
    if needed is None:
        # Before the first trade a trailing buy without a limit is judged to need nothing yet.
        invariant(order.held_atoms >= 0, f"{name} holds what it was judged to need")
    else:
        invariant(
            order.held_atoms == needed, f"{name} holds {order.held_atoms}, its terms need {needed}"
        )


def _needed_hold(market: Market, order: Order) -> int | None:
    """Return what the order must hold; None if that was an estimate of an earlier moment.

    Of a pair, the order in the book holds all that it needs, the other one only what it needs more.
    """
    if order.status is OrderStatus.PENDING_NEW:
        return 0
    own = _own_need(market, order)
    other = _pair_before(order)
    if other is None:
        return own
    shared = _own_need(market, other)
    if own is None or shared is None:
        return None
    return max(0, own - shared)


def _own_need(market: Market, order: Order) -> int | None:
    if not order.is_buy:
        return order.open_lots * market.lot_size
    ticks = order.price_ticks or order.stop_ticks
    if ticks == 0:
        return None
    return order.open_lots * ticks * market.atoms_per_tick_lot


def _pair_before(order: Order) -> Order | None:
    """Return the other order of an open pair if that one's hold comes first."""
    order_list = order.order_list
    if order_list is None:
        return None
    pair = order_list.orders
    if order_list.contingency is not Contingency.OCO:
        pair = pair[1:]
    if order not in pair or len(pair) < 2:
        return None
    first = pair[1] if pair[0].is_algo and not pair[1].is_algo else pair[0]
    return first if first is not order and first.status in _OPEN else None


def _check_lists(state: SpotState, account: Account) -> None:
    for list_id, found in account.open_lists.items():
        name = f"order list {list_id}"
        invariant(found.order_list_id == list_id, f"{name} stands under its own id")
        invariant(0 < list_id < state.next_order_list_id, f"{name} lies below the next id")
        invariant(found.user_id == account.user_id, f"{name} stands with its owner")
        invariant(found.status is not OrderListStatus.ALL_DONE, f"{name} is open")
        invariant(
            0 < len(found.orders) <= limits.ORDERS_PER_LIST, f"{name} has as many legs as allowed"
        )
        any_open = False
        for order in found.orders:
            invariant(order.order_list is found, f"{name} and its orders know each other")
            any_open = any_open or account.open_orders.get(order.order_id) is order
        invariant(any_open, f"{name} has an open order")
    for order in account.open_orders.values():
        if order.order_list is not None:
            invariant(
                account.open_lists.get(order.order_list.order_list_id) is order.order_list,
                f"order {order.order_id} belongs to an open list",
            )


# Markets


def _check_market(market: Market, orders: dict[int, Order]) -> None:
    """Check the market's books, and take its orders out of `orders`."""
    mine = {key: order for key, order in orders.items() if order.symbol == market.symbol}
    for key in mine:
        del orders[key]
    invariant(len(mine) <= limits.MARKET_OPEN_ORDERS, f"{market.symbol} has room for its orders")
    _check_ladder(market.bids, mine, is_buy=True, visible=True)
    _check_ladder(market.asks, mine, is_buy=False, visible=True)
    _check_ladder(market.rising_stops, mine, is_buy=None, visible=False)
    _check_ladder(market.falling_stops, mine, is_buy=None, visible=False)
    for order_id, order in market.trailing.items():
        invariant(mine.pop(order_id, None) is order, f"order {order_id} is open, in one place")
        invariant(order.trailing_bps > 0, f"order {order_id} trails")
        invariant(not order.triggered, f"order {order_id} still waits for its stop")
    for order_id, order in market.triggered.items():
        invariant(mine.pop(order_id, None) is order, f"order {order_id} is open, in one place")
        invariant(order.is_algo and not order.triggered, f"order {order_id} is about to begin")
    for order_id, order in market.auction_orders.items():
        invariant(mine.pop(order_id, None) is order, f"order {order_id} is open, in one place")
        invariant(order.order_type is OrderType.MARKET, "only market orders wait for the uncross")
    for order in mine.values():
        invariant(
            order.status is OrderStatus.PENDING_NEW,
            f"order {order.order_id} stands in the book, among the stops, or waits for its list",
        )
    _check_status(market)


def _check_status(market: Market) -> None:
    bid = market.bids.best()
    ask = market.asks.best()
    if market.status in _CONTINUOUS and bid is not None and ask is not None:
        invariant(
            bid.price_ticks < ask.price_ticks, f"{market.symbol} is uncrossed while it trades"
        )
    if market.status is not MarketStatus.AUCTION:
        invariant(not market.auction_orders, "market orders wait for an uncross only in an auction")
    invariant(
        not market.released and not market.touched and market.sweep_ticks == 0,
        "what a command begins it finishes",
    )
    invariant(
        market.status is MarketStatus.OPEN or not (market.collar_bps or market.collar_ticks),
        "only an open market has a collar",
    )
    invariant(market.next_trade_id > 0 and market.next_prevented_match_id > 0, "ids start at one")
    invariant(market.update_id >= 0 and market.last_ticks >= 0, "counters are not negative")


def _check_ladder(
    ladder: Ladder, mine: dict[int, Order], *, is_buy: bool | None, visible: bool
) -> None:
    """Check one ladder, and take its orders out of `mine`."""
    invariant(len(ladder.keys) == len(ladder.levels), "each level has one key")
    count = 0
    previous: int | None = None
    for key in ladder.keys:
        invariant(previous is None or previous < key, "keys are sorted, the best last")
        previous = key
        level = ladder.levels.get(key)
        if level is None:
            raise InvariantError("each key has its level")
        price_key = level.price_ticks if ladder.highest_first else -level.price_ticks
        invariant(price_key == key, "a level stands under its own price")
        count += _check_level(level, mine, is_buy=is_buy, visible=visible)
    invariant(count == ladder.count, "a ladder counts its orders")


def _check_level(
    level: Level, mine: dict[int, Order], *, is_buy: bool | None, visible: bool
) -> int:
    """Check one level, take its orders out of `mine`, and return how many they are."""
    count = 0
    visible_lots = 0
    total_lots = 0
    before: Order | None = None
    order = level.head
    while order is not None:
        name = f"order {order.order_id}"
        invariant(order.level is level and order.before is before, f"{name} is linked to its level")
        invariant(mine.pop(order.order_id, None) is order, f"{name} is open, and in one place")
        if is_buy is not None:
            invariant(order.is_buy == is_buy, f"{name} stands on its own side")
            invariant(order.price_ticks == level.price_ticks, f"{name} stands at its price")
        if visible:
            _check_visible(order)
        visible_lots += order.visible_lots
        total_lots += order.open_lots
        count += 1
        before = order
        order = order.after
    invariant(level.tail is before, "a level ends with its last order")
    invariant(count > 0, "no level is empty")
    invariant(level.count == count, "a level counts its orders")
    invariant(level.visible_lots == visible_lots, "a level shows what its orders show")
    invariant(level.total_lots == total_lots, "a level sums its orders")
    return count


def _check_visible(order: Order) -> None:
    most = order.open_lots
    if order.iceberg_lots:
        most = min(order.iceberg_lots, order.open_lots)
    invariant(
        0 < order.visible_lots <= most and (order.iceberg_lots > 0 or order.visible_lots == most),
        f"order {order.order_id} shows all of itself, or no more than its iceberg's tip",
    )


def _check_derived(state: SpotState) -> None:
    """Check what is kept for speed against what it follows from."""
    if not state.derived_ready:
        return
    invariant(list(state.command_id_queue) == list(state.command_ids), "ids are forgotten in order")
    armed: dict[tuple[int, str], int] = {}
    for account in state.accounts.values():
        counts: dict[str, list[int]] = {}
        for order in account.open_orders.values():
            of_market = counts.setdefault(order.symbol, [0, 0, 0])
            of_market[0] += 1
            of_market[1] += 1 if order.is_algo else 0
            of_market[2] += 1 if order.iceberg_lots else 0
        for symbol, counted in account.counts.items():
            invariant(
                [counted.orders, counted.algo, counted.iceberg] == counts.pop(symbol, [0, 0, 0]),
                f"user {account.user_id}: open orders in {symbol} are counted",
            )
        invariant(not counts, f"user {account.user_id}: all open orders are counted")
        for symbol, deadline_ns in account.countdowns.items():
            armed[account.user_id, symbol] = deadline_ns
    invariant(armed == state.deadlines, "every armed countdown has its deadline")
    earliest = min(armed.values(), default=0)
    invariant(
        earliest == 0 or 0 < state.next_deadline_ns <= earliest, "no countdown ends unnoticed"
    )
    for market in state.markets.values():
        invariant(
            market.window_lots == sum([bucket[1] for bucket in market.average_buckets])
            and market.window_weighted == sum([bucket[2] for bucket in market.average_buckets]),
            f"{market.symbol} sums its minutes",
        )
        unfinished = bool(market.triggered) and market.status is MarketStatus.OPEN
        invariant(
            (market.symbol in state.unfinished) == unfinished,
            f"{market.symbol} goes on with what it set off",
        )


def _check_memory(command_ids: dict[str, int], sequence: int) -> None:
    invariant(len(command_ids) <= limits.COMMAND_IDS, "command ids are forgotten in time")
    previous = 0
    for command_id, at_sequence in command_ids.items():
        invariant(
            previous < at_sequence <= sequence,
            f"command id {command_id} took effect once, in order",
        )
        previous = at_sequence


# Identity


def check_identity(state: IdentityState) -> None:
    """Check the whole identity state."""
    invariant(len(state.by_name) == len(state.users), "each user has one name")
    keys = 0
    for user_id, user in state.users.items():
        invariant(user.user_id == user_id < state.next_user_id, "a user stands under its own id")
        invariant(user_id > 0, "the house has no user")
        invariant(state.by_name.get(user.name) is user, f"user {user_id} is found by name")
        invariant(
            len(user.api_keys) <= limits.API_KEYS_PER_USER, f"user {user_id} has a few keys only"
        )
        for api_key, key in user.api_keys.items():
            invariant(
                key.api_key == api_key and key.user_id == user_id and state.keys[api_key] is key,
                "a key stands with its owner",
            )
        keys += len(user.api_keys)
    invariant(keys == len(state.keys), "every key has an owner")
    _check_listen_keys(state)
    _check_memory(state.command_ids, state.sequence)


def _check_listen_keys(state: IdentityState) -> None:
    previous = state.at_ns
    for name, key in state.listen_keys.items():
        invariant(key.listen_key == name, "a listen key stands under its own name")
        invariant(key.expires_ns > previous, "listen keys run out in order, and in the future")
        invariant(state.users[key.user_id].listen_key == name, "a user has one listen key")
        previous = key.expires_ns
    streams = 0
    for user in state.users.values():
        streams += 1 if user.listen_key else 0
    invariant(streams == len(state.listen_keys), "every open stream has its listen key")
