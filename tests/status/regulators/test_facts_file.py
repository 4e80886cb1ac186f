"""The file of facts.  The rule: what is wrong is named by file, line and key."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.status.regulators.facts import CALM, incident, ns

from seawall.status.regulators.classify import Outcome, classify
from seawall.status.regulators.facts import Facts
from seawall.status.regulators.facts_file import FactsError, read_facts

TWO_REPORTS = (
    "[[submitted]]\nkind = 'initial'\nat = 2026-05-07T10:00:00Z\n"
    "[[submitted]]\nkind = 'last'\nat = 2026-05-07T10:00:00Z"
)
PAGE = Path(__file__).parents[3] / "docs" / "operating" / "regulators.md"


@pytest.mark.parametrize(
    "text, place",
    [
        ("[clients]\nafected = 1", "facts.toml:2: clients.afected"),
        ("\n[clientele]\naffected = 1", "facts.toml:2: clientele"),
        ("[clients]\n\naffected = -1", "facts.toml:3: clients.affected"),
        ("[clients]\naffected = 1.5", "facts.toml:2: clients.affected"),
        ("[clients]\naffected = 11\ntotal = 10", "facts.toml:2: clients.affected"),
        ("[economy]\nloss_eur = -0.01", "facts.toml:2: economy.loss_eur"),
        ("[economy]\nloss_eur = nan", "facts.toml:2: economy.loss_eur"),
        ("[economy]\nloss_eur = 'much'", "facts.toml:2: economy.loss_eur"),
        ("[reputation]\nmedia = 'yes'", "facts.toml:2: reputation.media"),
        ("[moments]\nx = 1\naware = 2026-05-07T10:00:00Z", "facts.toml:2: moments.x"),
        ("[moments]\naware = 2026-05-07T10:00:00", "facts.toml:2: moments.aware"),
        ("[moments]\naware = 2026-05-07", "facts.toml:2: moments.aware"),
        ("[moments]\naware = 1969-05-07T10:00:00Z", "facts.toml:2: moments.aware"),
        (
            "[moments]\ndown_from = 2026-05-07T10:00:00Z\ndown_until = 2026-05-07T09:00:00Z",
            "facts.toml:3: moments.down_until",
        ),
        ("[geography]\nmember_states = ['de']", "facts.toml:2: geography.member_states"),
        ("[entity]\nlei = 'SHORT'", "facts.toml:2: entity.lei"),
        (
            TWO_REPORTS,
            "facts.toml:5: submitted.1.kind",
        ),
        ("schema = 2", "facts.toml:1: schema"),
        ("[clients]\naffected == 1", "line 2"),
        ("[clients]\naffected = 1\naffected = 2\n[data]", "line 3"),
    ],
)
def test_what_is_wrong_is_named(text: str, place: str) -> None:
    with pytest.raises(FactsError) as refused:
        read_facts(text, "facts.toml")
    assert place in str(refused.value)


def test_numbers_are_exact_and_an_empty_file_states_nothing() -> None:
    assert read_facts("") == Facts()
    found = read_facts("[transactions]\namount = 0.1\ndaily_average_amount = 1\n")
    assert found.transactions.amount == Decimal("0.1")
    assert found.transactions.daily_average_amount == 1
    assert found.transactions.affected is None


def test_the_example_of_the_page_is_read_and_is_major() -> None:
    block = re.search(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    found = read_facts(block[1], "example")
    verdict = classify(incident(), found, ns("2026-05-09T00:00:00Z"))
    assert verdict.outcome is Outcome.MAJOR


@given(st.text(max_size=200))
def test_nothing_that_is_written_breaks_the_reader(text: str) -> None:
    try:
        found = read_facts(CALM + text)
    except FactsError:
        return
    assert isinstance(found, Facts)
