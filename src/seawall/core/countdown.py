"""Countdown-cancel.  The rule: once time is up, the next entry of any kind cancels, first of all.

A client that may lose its connection arms it and renews it; if it falls silent, what it has open
in the market is canceled.  Time is the journal's: a `Tick` comes at the latest after a second.
"""

from typing import Final

from seawall.core.cancel import cancel_all
from seawall.core.spot_state import Market, SpotState
from seawall.model.commands import SetCountdownCancel
from seawall.model.events import CommandRejected, CountdownSet, Event
from seawall.model.limits import COUNTDOWN_MS_MAX
from seawall.model.rejections import Rejection

MILLISECOND_NS: Final = 1_000_000
BY_COUNTDOWN: Final = "countdown"


def set_countdown_cancel(
    state: SpotState, command: SetCountdownCancel, events: list[Event]
) -> None:
    """Arm, renew or disarm the user's countdown in a market."""
    if command.symbol not in state.markets:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return
    if not 0 <= command.countdown_ms <= COUNTDOWN_MS_MAX:
        events.append(CommandRejected(Rejection.COUNTDOWN_OUT_OF_RANGE))
        return
    key = (command.user_id, command.symbol)
    if command.countdown_ms == 0:
        deadline_ns = 0
        account = state.accounts.get(command.user_id)
        if account is not None:
            account.countdowns.pop(command.symbol, None)
        state.deadlines.pop(key, None)
    else:
        deadline_ns = state.at_ns + command.countdown_ms * MILLISECOND_NS
        state.account(command.user_id).countdowns[command.symbol] = deadline_ns
        state.deadlines[key] = deadline_ns
        if state.next_deadline_ns == 0 or deadline_ns < state.next_deadline_ns:
            state.next_deadline_ns = deadline_ns
    events.append(CountdownSet(command.user_id, command.symbol, deadline_ns))


def run_out(state: SpotState, events: list[Event]) -> list[Market]:
    """Cancel for every countdown whose time is up, the earliest first; return the markets touched.

    `next_deadline_ns` may be too early after a renewal, never too late; it is exact after this.
    """
    due: list[tuple[int, int, str]] = []
    for (user_id, symbol), deadline_ns in state.deadlines.items():
        if deadline_ns <= state.at_ns:
            due.append((deadline_ns, user_id, symbol))
    due.sort()
    touched: list[Market] = []
    for _, user_id, symbol in due:
        del state.deadlines[user_id, symbol]
        del state.accounts[user_id].countdowns[symbol]
        market = state.markets[symbol]
        cancel_all(state, market, user_id, BY_COUNTDOWN, events)
        events.append(CountdownSet(user_id, symbol, 0))
        if market not in touched:
            touched.append(market)
    state.next_deadline_ns = min(state.deadlines.values(), default=0)
    return touched
