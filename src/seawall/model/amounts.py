"""Exact decimal amounts as integers.  The rule: no float, no silent rounding.

An amount is a count of the smallest unit ("atoms") of its asset; an asset of `decimals` d has
10**d atoms to the whole unit.  Python integers have no limit, so neither have amounts.
"""

import re
from enum import Enum, auto
from typing import assert_never

from seawall.lib.invariants import invariant

_DECIMAL = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)


class DecimalSyntaxError(ValueError):
    """The text is not a plain unsigned decimal: digits, at most one point, no sign, no exponent."""


class DecimalPrecisionError(ValueError):
    """The number has more non-zero fractional digits than its asset has decimals."""


class Rounding(Enum):
    """Which way a division that does not come out even goes; always a required argument."""

    DOWN = auto()
    UP = auto()


def parse_decimal(text: str, decimals: int) -> int:
    """Return `text` as a count of 10**-decimals.

    Raises DecimalSyntaxError or DecimalPrecisionError; never rounds.
    """
    if _DECIMAL.fullmatch(text) is None:
        raise DecimalSyntaxError(text[:64])
    return plain_decimal(text, decimals)


def plain_decimal(text: str, decimals: int) -> int:
    """As `parse_decimal`, for a text that is known to be digits with at most one point inside."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        raise DecimalPrecisionError(text[:64])
    return int(whole + fraction.ljust(decimals, "0"))


def format_decimal(atoms: int, decimals: int) -> str:
    """Return `atoms` with exactly `decimals` fractional digits; the inverse of `parse_decimal`."""
    if decimals == 0:
        return str(atoms)
    digits = str(abs(atoms)).rjust(decimals + 1, "0")
    sign = "-" if atoms < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def mul_div(value: int, numerator: int, denominator: int, rounding: Rounding) -> int:
    """Return value * numerator / denominator, rounded as told; all must be non-negative."""
    invariant(
        value >= 0 and numerator >= 0 and denominator > 0, "mul_div takes non-negative operands"
    )
    product = value * numerator
    match rounding:
        case Rounding.DOWN:
            return product // denominator
        case Rounding.UP:
            return -(-product // denominator)
        case _:
            assert_never(rounding)
