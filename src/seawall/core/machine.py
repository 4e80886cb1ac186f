"""The spot cell's one dispatch.  The rule: a pure function of state and entry, and it never fails.

`commit_spot` applies one journal entry.  What time has made due comes first (countdowns that ran
out, stop orders left over); then the command.  A refused command adds `CommandRejected` and
changes nothing.  `BalanceChanged` comes last.
"""

from typing import Final, assert_never

from seawall.core import cancel, setup, transfers
from seawall.core.amend import amend_order
from seawall.core.auction import publish_indicative
from seawall.core.countdown import run_out, set_countdown_cancel
from seawall.core.derived import rebuild_derived
from seawall.core.market_status import set_market_status
from seawall.core.order_lists import place_order_list
from seawall.core.place import place_order
from seawall.core.spot_state import Market, SpotState
from seawall.core.stops import settle
from seawall.lib.invariants import invariant
from seawall.model.commands import (
    AmendOrder,
    CancelOpenOrders,
    CancelOrder,
    CancelOrderList,
    CancelReplaceOrder,
    ChangeMarket,
    Checkpoint,
    Credit,
    Deliver,
    Lead,
    ListAsset,
    ListMarket,
    PlaceOrder,
    PlaceOrderList,
    RequestTransfer,
    SetAccountTier,
    SetCountdownCancel,
    SetFeeTier,
    SetMarketStatus,
    Settle,
    SetTradeGroup,
    SetTransfers,
    SpotCommand,
    Tick,
)
from seawall.model.events import CommandRejected, CommandRepeated, Event, Led
from seawall.model.limits import COMMAND_IDS
from seawall.model.trading import MarketStatus

_AUCTION: Final = MarketStatus.AUCTION


def commit_spot(
    state: SpotState, command: SpotCommand, *, sequence: int, at_ns: int, command_id: str = ""
) -> list[Event]:
    """Apply one entry to the state and return what happened."""
    invariant(sequence == state.sequence + 1, "entries apply in order, without holes")
    invariant(at_ns > state.at_ns, "journal time strictly increases")
    if not state.derived_ready:
        rebuild_derived(state)
    state.sequence = sequence
    state.at_ns = at_ns
    events: list[Event] = []
    if state.unfinished or 0 < state.next_deadline_ns <= at_ns:
        _do_what_is_due(state, events)
    if command_id:
        first = state.command_ids.get(command_id)
        if first is not None:
            events.append(CommandRepeated(first))
            state.ledger.take_changes(events)
            return events
    before = len(events)
    market = _dispatch(state, command, events)
    if market is not None:
        settle(state, market, events)
        if market.status is _AUCTION:
            publish_indicative(market, events)
    if command_id and not _was_rejected(events, before):
        _remember(state, command_id)
    state.ledger.take_changes(events)
    return events


def _dispatch(state: SpotState, command: SpotCommand, events: list[Event]) -> Market | None:
    """Let the command's own module decide; return the market it touched, to be settled."""
    match command:
        case PlaceOrder():
            return place_order(state, command, events)
        case CancelOrder():
            return cancel.cancel_order(state, command, events)
        case CancelReplaceOrder():
            return cancel.cancel_replace_order(state, command, events)
        case AmendOrder():
            return amend_order(state, command, events)
        case PlaceOrderList():
            return place_order_list(state, command, events)
        case CancelOrderList():
            return cancel.cancel_order_list(state, command, events)
        case CancelOpenOrders():
            return cancel.cancel_open_orders(state, command, events)
        case Tick() | Checkpoint():
            return None
        case SetCountdownCancel():
            set_countdown_cancel(state, command, events)
        case SetMarketStatus():
            set_market_status(state, command, events)
            return state.markets.get(command.symbol)
        case Credit():
            setup.credit(state, command, events)
        case ListAsset():
            setup.list_asset(state, command, events)
        case ListMarket():
            setup.list_market(state, command, events)
        case ChangeMarket():
            setup.change_market(state, command, events)
        case SetFeeTier():
            setup.set_fee_tier(state, command, events)
        case SetAccountTier():
            setup.set_account_tier(state, command, events)
        case SetTradeGroup():
            setup.set_trade_group(state, command, events)
        case RequestTransfer() | Deliver() | Settle() | SetTransfers():
            transfers.message(state, command, events)
        case Lead():
            state.epoch = command.epoch
            events.append(Led(command.epoch, command.node))
        case _:
            assert_never(command)
    return None


def _do_what_is_due(state: SpotState, events: list[Event]) -> None:
    """Cancel for countdowns that ran out, then go on with stop orders that were left over."""
    touched: list[Market] = []
    if 0 < state.next_deadline_ns <= state.at_ns:
        touched = run_out(state, events)
    for symbol in state.unfinished:
        market = state.markets[symbol]
        if market not in touched:
            touched.append(market)
    for market in touched:
        settle(state, market, events)
        if market.status is _AUCTION:
            publish_indicative(market, events)


def _was_rejected(events: list[Event], start: int) -> bool:
    return any(isinstance(events[index], CommandRejected) for index in range(start, len(events)))


def _remember(state: SpotState, command_id: str) -> None:
    """Note that the command took effect; forget the oldest beyond the limit."""
    state.command_ids[command_id] = state.sequence
    state.command_id_queue.append(command_id)
    if len(state.command_id_queue) > COMMAND_IDS:
        del state.command_ids[state.command_id_queue.popleft()]
