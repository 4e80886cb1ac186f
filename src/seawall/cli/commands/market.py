"""`seawall market`.  The rule: every change of status carries a reason, which users see."""

from pathlib import Path

from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import human, print_json
from seawall.cli.running import operator
from seawall.model.trading import MarketStatus


def status(
    symbol: str,
    new_status: MarketStatus,
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
        f"markets/{symbol.upper()}/status", {"status": new_status.value, "reason": reason}
    )
    if json:
        print_json({"symbol": symbol.upper(), "status": new_status.value, **answer})
    else:
        human.print(f"[green]✓[/] {symbol.upper()} is {new_status.value} now: {reason}")
    return 0
