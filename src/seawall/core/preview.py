"""Order tests.  The rule: the very decision that placing takes, and no change."""

from seawall.core.derived import rebuild_derived
from seawall.core.place import decide_order
from seawall.core.spot_state import SpotState
from seawall.model.commands import PlaceOrder
from seawall.model.events import CommandRejected
from seawall.model.rejections import Rejection


def preview_place_order(state: SpotState, command: PlaceOrder) -> Rejection | None:
    """Return why the order would be refused if it were placed now, or None."""
    if not state.derived_ready:
        rebuild_derived(state)
    market = state.markets.get(command.symbol)
    if market is None:
        return Rejection.UNKNOWN_SYMBOL
    decided = decide_order(state, market, command)
    if isinstance(decided, CommandRejected):
        return decided.reason
    return None
