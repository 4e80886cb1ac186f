"""Names with `*`, against regular expressions; and patterns that never end badly."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.control.patterns import kinds, matches, overlap
from seawall.model.posture import ServiceKind

names = st.text("ab/", max_size=7)
patterns = st.text("ab/*", max_size=7)


def regular(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


@given(patterns, names)
@settings(max_examples=400)
def test_a_star_is_any_text(pattern: str, name: str) -> None:
    assert matches(pattern, name) == bool(regular(pattern).fullmatch(name))


@given(patterns, patterns, names)
@settings(max_examples=400)
def test_patterns_overlap_where_a_name_is_meant_by_both(left: str, right: str, name: str) -> None:
    if matches(left, name) and matches(right, name):
        assert overlap(left, right)
    if not overlap(left, right):
        assert not (matches(left, name) and matches(right, name))
    assert overlap(left, right) == overlap(right, left)
    if "*" not in right:
        assert overlap(left, right) == matches(left, right)


def test_many_stars_end_soon() -> None:
    """A pattern that takes a backtracking matcher ages: here its steps are a product."""
    assert not matches("*a" * 60 + "b", "a" * 120)
    assert matches("*a" * 60 + "*", "a" * 120)
    assert overlap("*a" * 40, "a" * 40 + "*")


def test_kinds_that_a_pattern_can_mean() -> None:
    told = {
        "*": list(ServiceKind),
        "market/*": [ServiceKind.MARKET],
        "market/BTC*": [ServiceKind.MARKET],
        "*/ETHEREUM": [ServiceKind.MARKET, ServiceKind.DEPOSIT, ServiceKind.WITHDRAWAL],
        "*/ETH/*": [ServiceKind.DEPOSIT, ServiceKind.WITHDRAWAL],
        "withdrawal/*/ETHEREUM": [ServiceKind.WITHDRAWAL],
        "transfers": [ServiceKind.TRANSFERS],
        "*in": [
            ServiceKind.MARKET,
            ServiceKind.DEPOSIT,
            ServiceKind.WITHDRAWAL,
            ServiceKind.SIGN_IN,
        ],
        "markets/*": [],
        "market": [],
        "market/": [],
        "market/A/B": [],
        "withdrawal/ETH": [],
        "withdrawal/ETH/": [],
        "transfers/*": [],
        "": [],
    }
    assert {pattern: kinds(pattern) for pattern in told} == told
