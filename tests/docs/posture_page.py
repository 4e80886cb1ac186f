"""Writes `docs/operating/postures.md`.  The rule: the tables in the code are the page.

python -m tests.docs.posture_page docs/operating/postures.md
"""

import sys
from pathlib import Path

from seawall.core.control.ladder_checks import STAGES
from seawall.core.control.ways import POSTURES, STAGE_POSTURES, WAYS, Way
from seawall.model.posture import Posture, ServiceKind, Stage

HEAD = """\
# Postures

Generated from `core/control/ways.py` and `tests/docs/posture_page.py`; a test compares.

The posture of a service is what it does at the moment. The control cell orders it, and the cell
that owns the service obeys: the spot cell its markets, the funding cell deposits and withdrawals.
Every order has a number, which only rises; a cell applies none twice and none late.

Services are named by a path: `market/BTCUSDT`, `withdrawal/ETH/ETHEREUM` (asset, network),
`deposit/ETH/ETHEREUM`, `transfers`, `sign_in`.

| posture | what it means |
|---|---|
"""

MEANING = {
    Posture.OPEN: "Everything works.",
    Posture.POST_ONLY: "A market takes orders that do not match at once, and cancels.",
    Posture.AUCTION: "A market gathers orders and publishes the price that would come.",
    Posture.CANCEL_ONLY: "A market takes cancels only.",
    Posture.HALTED: "As `cancel_only`, on the way to closing.",
    Posture.LIMITED: "Withdrawals are paid within limits: each one, each user, all together.",
    Posture.PAUSED: "Nothing is paid, credited or moved; requests keep their place.",
}

WAYS_MEAN = {
    Way.LESS: "Towards less. A rule of the runbook, a person or a failing gate orders it at once.",
    Way.STAGE: (
        "Towards more. Only as a step of a plan, once the gates before the stage have passed; see"
        " [the runbook](runbook.md)."
    ),
    Way.PERSON: (
        "Towards more, past a stage. Control never orders it. A person may do it in the cell itself"
        " (`seawall market`), and control then adopts it with that person's name."
    ),
}

STAGES_MEAN = {
    Stage.CANCEL_ONLY: "Users take back what they no longer want.",
    Stage.POST_ONLY: "Makers come back; nothing trades.",
    Stage.AUCTION: "Everybody names a price; the indicative one is public.",
    Stage.OPEN_COLLARED: "Trading, with orders kept near the auction's price.",
    Stage.PAUSED: "Nothing leaves.",
    Stage.VERIFY: "Nothing leaves; ledger, chain and journal are compared.",
    Stage.CANARY: "The exchange pays itself, its own money; users wait.",
    Stage.LIMITED: "Small amounts leave, each user's and all together within limits.",
    Stage.WIDER: "The same within wider limits.",
    Stage.OPEN: "Everything works.",
}

TAIL = """
## What a cell does without control

A person, or a check such as reconciliation, may move a service in its own cell. The control cell is
told, and

- towards less: it adopts the posture, whoever did it;
- towards more by a person: it adopts the posture, with the person's name;
- towards more by anything else: it orders the service back, to the same posture or a lesser one;
- if it has ordered something since: the report is refused (`stale_order`), and the order counts.

## Limits

- Where no move leads to what a rule asks for, the next lesser posture is ordered: a market in an
  auction that should become `post_only` becomes `cancel_only`.
- What is not in the tables is never ordered by the control cell: an invariant, not a refusal.
- The time in which a service was not open is kept for 91 days, in spans: limited, or closed.
"""


def page() -> str:
    """Return the whole page."""
    lines = [HEAD]
    lines += [f"| `{posture.value}` | {MEANING[posture]} |\n" for posture in Posture]
    lines.append("\n## Moves\n\n")
    lines += [f"- **{way.value}**: {WAYS_MEAN[way]}\n" for way in Way]
    for title, kind in (
        ("Markets", ServiceKind.MARKET),
        ("Withdrawals", ServiceKind.WITHDRAWAL),
        ("Deposits, transfers, sign-in", ServiceKind.DEPOSIT),
    ):
        order = ", ".join(f"`{posture.value}`" for posture in POSTURES[kind])
        lines.append(f"\n### {title}\n\nFrom the most to the least: {order}.\n")
        lines.append("\n```mermaid\nstateDiagram-v2\n")
        lines += [
            f"    {now.value} --> {then.value} : {way.value}\n"
            for (now, then), way in WAYS[kind].items()
        ]
        lines.append("```\n")
    lines.append(
        "\n## Stages\n\nThe way back of each kind of service, in this order; a runbook may"
    )
    lines.append(" leave out all but the first and\nthe last.\n")
    lines.append("\n| of | stage | posture | |\n|---|---|---|---|\n")
    for name, stages in STAGES.items():
        for stage in stages:
            posture = STAGE_POSTURES[stage].value
            lines.append(f"| {name} | `{stage.value}` | `{posture}` | {STAGES_MEAN[stage]} |\n")
    lines.append(TAIL)
    return "".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")
