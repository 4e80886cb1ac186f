"""The operating pages say what the tables of the core say."""

import re
from pathlib import Path

from tests.docs.market_status_page import page

from seawall.core.market_status import TRANSITIONS
from seawall.model.trading import MarketStatus

OPERATING = Path(__file__).parents[2] / "docs" / "operating"


def test_the_page_of_market_status_is_what_the_table_writes() -> None:
    written = (OPERATING / "market-status.md").read_text("utf-8")
    assert written == page(), (
        "run: python -m tests.docs.market_status_page docs/operating/market-status.md"
    )


def test_the_diagram_draws_exactly_the_allowed_moves() -> None:
    written = (OPERATING / "market-status.md").read_text("utf-8")
    drawn = {
        (MarketStatus(now), MarketStatus(then))
        for now, then in re.findall(r"^    (\w+) --> (\w+)", written, re.MULTILINE)
    }
    assert drawn == set(TRANSITIONS)
