"""Amounts are exact at any size, and nothing but a plain decimal is one."""

import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.texts import CHARACTERS

from seawall.lib.invariants import InvariantError
from seawall.model.amounts import (
    DecimalPrecisionError,
    DecimalSyntaxError,
    Rounding,
    format_decimal,
    mul_div,
    parse_decimal,
)

SUPPLY = 10**14
"""Whole units of the largest asset in circulation that we know of, and more."""
atoms_of_any_size = st.integers(0, SUPPLY * 10**18)
decimals_of_any_asset = st.integers(0, 36)


@given(atoms=atoms_of_any_size, decimals=decimals_of_any_asset)
def test_parsing_is_the_inverse_of_formatting(atoms: int, decimals: int) -> None:
    assert parse_decimal(format_decimal(atoms, decimals), decimals) == atoms


@given(atoms=atoms_of_any_size, decimals=decimals_of_any_asset)
def test_the_text_is_the_exact_number(atoms: int, decimals: int) -> None:
    with decimal.localcontext(prec=100):
        exact = decimal.Decimal(atoms).scaleb(-decimals)
        assert decimal.Decimal(format_decimal(atoms, decimals)) == exact
        assert decimal.Decimal(format_decimal(-atoms, decimals)) == -exact


@given(whole=st.integers(0, SUPPLY), fraction=st.integers(0, 10**18 - 1))
def test_eighteen_decimals_of_a_supply_of_a_hundred_trillion_lose_nothing(
    whole: int, fraction: int
) -> None:
    text = f"{whole}.{fraction:018d}"
    atoms = parse_decimal(text, 18)
    assert atoms == whole * 10**18 + fraction
    assert format_decimal(atoms, 18) == text


@given(atoms=atoms_of_any_size, zeros=st.integers(0, 6), ending=st.integers(0, 12))
def test_leading_and_trailing_zeros_mean_nothing(atoms: int, zeros: int, ending: int) -> None:
    text = "0" * zeros + format_decimal(atoms, 18) + "0" * ending
    assert parse_decimal(text, 18) == atoms


@pytest.mark.parametrize(
    "text, decimals, atoms",
    [
        ("0", 8, 0),
        ("0.00000000", 8, 0),
        ("1", 0, 1),
        ("1.00", 0, 1),
        ("0.00000001", 8, 1),
        ("21000000", 8, 2_100_000_000_000_000),
        ("0.1", 18, 10**17),
        ("9" * 40, 36, int("9" * 40) * 10**36),
    ],
)
def test_examples(text: str, decimals: int, atoms: int) -> None:
    assert parse_decimal(text, decimals) == atoms


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        " 1",
        "1\n",
        "1\x00",
        "+1",
        "-1",
        "-0",
        "\N{MINUS SIGN}1",
        ".",
        ".5",
        "5.",
        "1.2.3",
        "1,5",
        "1_000",
        "1e5",
        "1E5",
        "1e-5",
        "0x10",
        "NaN",
        "nan",
        "Infinity",
        "inf",
        "None",
        "true",
        "١٢٣",
        "\N{FULLWIDTH DIGIT ONE}2",
        "1²",
        "Ⅷ",
        "1" * 41,
        "0." + "0" * 41,
    ],
)
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(DecimalSyntaxError):
        parse_decimal(text, 8)


@given(st.text(CHARACTERS, max_size=20))
def test_any_text_is_a_plain_decimal_or_is_refused(text: str) -> None:
    try:
        atoms = parse_decimal(text, 8)
    except (DecimalSyntaxError, DecimalPrecisionError):
        return
    assert set(text) <= set("0123456789.")
    assert atoms == decimal.Decimal(text).scaleb(8)


@pytest.mark.parametrize("digits", [5_000, 10**7])
def test_a_number_of_absurd_length_is_refused_without_reading_it_all(digits: int) -> None:
    # `int` would need quadratic time, or refuse with an error of its own past 4,300 digits; the
    # pattern stops at the 41st.  The error keeps 64 characters.
    with pytest.raises(DecimalSyntaxError) as raised:
        parse_decimal("9" * digits, 8)
    assert len(str(raised.value)) == 64


@given(atoms=st.integers(1, 10**20), decimals=st.integers(0, 18), more=st.integers(1, 6))
def test_more_precision_than_the_asset_has_is_refused_not_rounded(
    atoms: int, decimals: int, more: int
) -> None:
    text = format_decimal(atoms * 10**more + 1, decimals + more)
    with pytest.raises(DecimalPrecisionError):
        parse_decimal(text, decimals)


@given(
    value=st.integers(0, SUPPLY * 10**18),
    numerator=st.integers(0, 10**24),
    denominator=st.integers(1, 10**24),
)
def test_mul_div_rounds_as_told_and_by_less_than_one(
    value: int, numerator: int, denominator: int
) -> None:
    down = mul_div(value, numerator, denominator, Rounding.DOWN)
    up = mul_div(value, numerator, denominator, Rounding.UP)
    assert down * denominator <= value * numerator <= up * denominator
    assert up - down == (1 if value * numerator % denominator else 0)


@pytest.mark.parametrize("operands", [(-1, 1, 1), (1, -1, 1), (1, 1, 0), (1, 1, -1)])
def test_mul_div_takes_no_negative_operands(operands: tuple[int, int, int]) -> None:
    with pytest.raises(InvariantError):
        mul_div(*operands, Rounding.DOWN)
