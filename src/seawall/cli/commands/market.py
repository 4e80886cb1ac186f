"""`seawall market`.  The rule: every change of status carries a reason, which users see."""

from pathlib import Path
from typing import Literal

from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import human, print_json
from seawall.cli.running import operator

Status = Literal["open", "post_only", "auction", "cancel_only", "halted"]
"""The names of `model.trading.MarketStatus`, as they are written everywhere."""


def status(
    symbol: str,
    new_status: Status,
    /,
    *,
    reason: str,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Change what a market of a running exchange accepts.

    Parameters
    ----------
    symbol
        The market, as BTCUSDT.
    new_status
        What it is to be; docs/operating/market-status.md has the allowed moves.
    reason
        Why, in words for its users.
    """
    answer = operator(data).post(
        f"markets/{symbol.upper()}/status", {"status": new_status, "reason": reason}
    )
    if json:
        print_json({"symbol": symbol.upper(), "status": new_status, **answer})
    else:
        human.print(f"[green]✓[/] {symbol.upper()} is {new_status} now: {reason}")
    return 0
