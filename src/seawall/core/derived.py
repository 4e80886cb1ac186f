"""What the spot state knows only for speed.  The rule: rebuilt from the rest, equal to kept."""

from collections import deque

from seawall.core.spot_state import SpotState
from seawall.model.trading import MarketStatus


def rebuild_derived(state: SpotState) -> None:
    """Fill in the derived fields of a state that was just made or loaded."""
    state.command_id_queue = deque(state.command_ids)
    state.deadlines = {}
    for account in state.accounts.values():
        account.counts = {}
        for order in account.open_orders.values():
            account.count(order, 1)
        for symbol, deadline_ns in account.countdowns.items():
            state.deadlines[account.user_id, symbol] = deadline_ns
    state.next_deadline_ns = min(state.deadlines.values(), default=0)
    state.unfinished = {}
    for market in state.markets.values():
        market.window_lots = sum(bucket[1] for bucket in market.average_buckets)
        market.window_weighted = sum(bucket[2] for bucket in market.average_buckets)
        if market.triggered and market.status is MarketStatus.OPEN:
            state.unfinished[market.symbol] = None
    state.derived_ready = True
