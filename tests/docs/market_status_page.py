"""Writes `docs/operating/market-status.md`.  The rule: the table in the code is the page.

python -m tests.docs.market_status_page docs/operating/market-status.md
"""

import sys
from pathlib import Path

from seawall.core.market_status import TRANSITIONS, Move
from seawall.model.trading import MarketStatus

HEAD = """\
# Market status

Generated from `core/market_status.py` and `tests/docs/market_status_page.py`; a test compares.

A market is always in one of five statuses. Changing it is an entry in the journal, with its reason,
so every halt can be replayed and explained. Users see status, reason and since when at
`/seawall/v1/markets`. What is not in the table below is refused (`invalid_status_change`).

| status | new orders | cancel | amend | matching |
|---|---|---|---|---|
"""

ACCEPTS = {
    MarketStatus.OPEN: "all types | yes | yes | continuous",
    MarketStatus.POST_ONLY: (
        "`LIMIT` GTC and `LIMIT_MAKER` that would not match at once; stop orders wait | yes | yes |"
        " none: nothing can cross"
    ),
    MarketStatus.AUCTION: (
        "`LIMIT` GTC, icebergs, `MARKET` by quantity; stop orders wait | yes | yes |"
        " none until the uncross; see [auctions](auctions.md)"
    ),
    MarketStatus.CANCEL_ONLY: "none | yes | no | none",
    MarketStatus.HALTED: "none | yes | no | none",
}

MOVES = {
    Move.PLAIN: "Nothing trades, nothing ends: resting and waiting orders stay as they are.",
    Move.CALL: (
        "Nothing trades. From now on the indicative price is published whenever it changes."
    ),
    Move.UNCROSS: (
        "All that can trade does, at one price; unfilled market orders expire; then stop orders see"
        " that price, and continuous trading begins."
    ),
    Move.ABANDON: (
        "Nothing trades. Market orders, which only waited for the uncross, expire. The book may"
        " stay crossed: then only another auction leads back to trading."
    ),
    Move.BY_PERSON: (
        "Skips the auction, so only a person may order it: a command that a runbook gives"
        " (`automatic`) is refused. Refused also while the book is crossed."
    ),
    Move.COLLAR: (
        "Only the [collar](#collars) changes, or is lifted. Refused where it would not, except to"
        " an order of incident control, which takes the status over under its number."
    ),
    Move.POST: "As plain; refused while the book is crossed, since nothing would uncross it.",
}

DIAGRAM_HEAD = "\n## Moves\n\n```mermaid\nstateDiagram-v2\n"

TAIL = """
## The way back

After a halt: `cancel_only` (users take back what they no longer want), `post_only` (makers come
back, nothing trades), `auction` (everybody names a price, the indicative one is public), `open`.
Each step is a separate order of the operator; stopping after any of them is a safe place to stay.

## Collars

While a market is open it may have a collar (`collar_bps`, basis points): orders priced further than
that from a reference are refused (`percent_price_by_side:collar`), market orders and stop orders
that were accepted before trade up to it and no further, and what is left of them expires
(`price_collar`). The reference is the price of the auction that opened the market, or, where none
traded, the last trade's; it stays while only the width changes. A market that never traded has no
reference, so nothing is too far from it. What rests in the book stays there, beyond the collar too.
Any other status lifts the collar.

## Orders of incident control

An order that incident control gives has a number (`order`). A market remembers the last that it
applied; one below is refused (`stale_order`), the same one again answers with nothing changed, so
that orders which come late or twice do nothing. It takes a status that stands already over, under
its number. What people do has no number and leaves control's as it is.

## Limits

- `halted` and `cancel_only` take the same requests. They differ in what they announce: a halted
  market may be on its way to closing, a cancel-only one on its way back.
- Cancels are accepted in every status. What a halt cannot do is take back a trade.
- Stop orders that were set off by the last trade before a halt begin when the market opens.
"""


def page() -> str:
    """Return the whole page."""
    lines = [HEAD]
    lines += [f"| `{status.value}` | {ACCEPTS[status]} |\n" for status in MarketStatus]
    lines.append(DIAGRAM_HEAD)
    for (now, then), move in TRANSITIONS.items():
        label = "" if move is Move.PLAIN else f" : {move.value.replace('_', ' ')}"
        lines.append(f"    {now.value} --> {then.value}{label}\n")
    lines.append("```\n\n| from | to | kind |\n|---|---|---|\n")
    for (now, then), move in TRANSITIONS.items():
        lines.append(f"| `{now.value}` | `{then.value}` | {move.value.replace('_', ' ')} |\n")
    lines.append("\n")
    lines += [f"- **{move.value.replace('_', ' ')}**: {MOVES[move]}\n" for move in Move]
    lines.append(TAIL)
    return "".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")
