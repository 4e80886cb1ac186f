"""What a request says.  The rule: a value is taken as it was meant or refused by name.

Parameters come from the query, a form body or a socket's JSON, and end as one dict of text.  Each
getter knows one kind of value and raises the error Binance gives for a bad one.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from seawall.gateway import errors
from seawall.model import limits
from seawall.model.amounts import DecimalPrecisionError, plain_decimal

E = TypeVar("E", bound=StrEnum)

SIGNATURE = "signature"

_SYMBOL_RANGE = r"^[\w\-._&&[^a-z]]{1,50}$"
_SYMBOL = re.compile(r"[\w\-.]{1,50}")
_LOWER = re.compile(r"[a-z]")
_DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_INTEGER_RANGE = "^[0-9]{1,20}$"
_INTEGER = re.compile(r"[0-9]{1,20}", re.ASCII)
_CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$"
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,%d}" % limits.CLIENT_ORDER_ID_CHARS, re.ASCII)
_INTEGER_MAX = (1 << 63) - 1
_NO_VALUES: Mapping[str, str] = {}


def parse_pairs(text: bytes) -> dict[str, str]:
    """Decode one query or form body; a name may stand in it once."""
    values: dict[str, str] = {}
    if not text:
        return values
    try:
        if b"%" in text or b"+" in text:
            for part in text.split(b"&"):
                raw_name, _, raw_value = part.replace(b"+", b" ").partition(b"=")
                _add(
                    values,
                    unquote_to_bytes(raw_name).decode(),
                    unquote_to_bytes(raw_value).decode(),
                )
        else:
            for pair in text.decode().split("&"):
                name, _, value = pair.partition("=")
                if name and name not in values:
                    values[name] = value
                else:
                    _add(values, name, value)
    except UnicodeDecodeError:
        raise errors.undecodable() from None
    return values


def _add(values: dict[str, str], name: str, value: str) -> None:
    if name in values:
        raise errors.duplicate_parameter()
    if name:
        values[name] = value
    elif value:
        raise errors.undecodable()


def merge_pairs(query: bytes, body: bytes) -> dict[str, str]:
    """Join query and form body; where both name a parameter the query's value holds."""
    if not body:
        return parse_pairs(query)
    if body[:1] in (b"{", b"["):
        raise errors.bad_json()
    values = parse_pairs(body)
    if query:
        values.update(parse_pairs(query))
    return values


class Params:
    """The parameters of one request, with typed getters.

    A getter returns None where the parameter was not sent; its `need_` twin refuses instead.
    """

    __slots__ = ("_time_divisor", "values")

    def __init__(
        self, values: Mapping[str, str] = _NO_VALUES, *, microseconds: bool = False
    ) -> None:
        self.values = values
        self._time_divisor = 1_000 if microseconds else 1_000_000

    def __contains__(self, name: str) -> bool:
        return name in self.values

    @property
    def microseconds(self) -> bool:
        return self._time_divisor == 1_000

    def time(self, at_ns: int) -> int:
        """Return a moment in the unit the client asked for."""
        return at_ns // self._time_divisor

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not value:
            raise errors.empty(name)
        return value

    def need_text(self, name: str) -> str:
        value = self.values.get(name)
        if not value:
            raise errors.missing(name)
        return value

    def symbol(self, name: str = "symbol") -> str | None:
        value = self.text(name)
        if value is None:
            return None
        if _SYMBOL.fullmatch(value) is None or _LOWER.search(value) is not None:
            raise errors.illegal_characters(name, _SYMBOL_RANGE)
        return value

    def need_symbol(self, name: str = "symbol") -> str:
        value = self.symbol(name) if self.values.get(name) else None
        if value is None:
            raise errors.missing(name)
        return value

    def symbols(self, name: str = "symbols") -> list[str] | None:
        """Return a list sent as JSON: `["A","B"]`."""
        value = self.text(name)
        if value is None:
            return None
        found = re.fullmatch(r'\[\s*("[^"]*"(?:\s*,\s*"[^"]*")*)?\s*\]', value)
        if found is None:
            raise errors.illegal_characters(
                name, r'^\["[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}\]$'
            )
        listed = re.findall(r'"([^"]*)"', found[1] or "")
        for symbol in listed:
            if _SYMBOL.fullmatch(symbol) is None or _LOWER.search(symbol) is not None:
                raise errors.illegal_characters(name, _SYMBOL_RANGE)
        if len(set(listed)) != len(listed):
            raise errors.duplicate_symbols()
        return listed

    def integer(self, name: str, low: int = 0, high: int = _INTEGER_MAX) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if _INTEGER.fullmatch(value) is None:
            raise errors.illegal_characters(name, _INTEGER_RANGE)
        number = int(value)
        if number > _INTEGER_MAX:
            raise errors.overflow(name)
        if not low <= number <= high:
            raise errors.invalid_value(name)
        return number

    def need_integer(self, name: str, low: int = 0, high: int = _INTEGER_MAX) -> int:
        number = self.integer(name, low, high) if self.values.get(name) else None
        if number is None:
            raise errors.missing(name)
        return number

    def limit(self, default: int, high: int) -> int:
        """Return `limit`, cut down to `high` as Binance does; zero and less are refused."""
        number = self.integer("limit", low=1)
        return default if number is None else min(number, high)

    def decimal(self, name: str, decimals: int) -> int | None:
        """Return an amount as a count of 10**-decimals; nothing is ever rounded."""
        value = self.text(name)
        if value is None:
            return None
        if _DECIMAL.fullmatch(value) is None:
            raise errors.illegal_characters(name, _DECIMAL_RANGE)
        try:
            return plain_decimal(value, decimals)
        except DecimalPrecisionError:
            raise errors.too_precise(name) from None

    def flag(self, name: str) -> bool | None:
        value = self.text(name)
        if value is None:
            return None
        lowered = value.lower()
        if lowered not in ("true", "false"):
            raise errors.invalid_value(name)
        return lowered == "true"

    def choice(self, name: str, of: type[E]) -> E | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            return of(value)
        except ValueError:
            raise errors.invalid_value(name) from None

    def one_of(self, name: str, allowed: Iterable[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            raise errors.invalid_value(name)
        return value

    def client_id(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and _CLIENT_ID.fullmatch(value) is None:
            raise errors.illegal_characters(name, _CLIENT_ID_RANGE)
        return value

    def moment_ns(self, name: str) -> int | None:
        """Return a moment sent in milliseconds or, if so large, in microseconds."""
        number = self.integer(name)
        return None if number is None else moment_ns(number)


_MICROSECONDS_FROM = 10**14
"""A count of milliseconds this large would lie in the year 5138."""


def moment_ns(number: int) -> int:
    return number * (1_000 if number >= _MICROSECONDS_FROM else 1_000_000)
