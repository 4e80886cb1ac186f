"""The decoders on any bytes at all: a value, or an error with a name, and nothing else."""

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import quote, urlencode

from hypothesis import example, given
from hypothesis import strategies as st
from tests.texts import CHARACTERS

from seawall.gateway.auth import check_timestamp, without_signature
from seawall.gateway.encode import Decimals
from seawall.gateway.errors import ApiError
from seawall.gateway.methods import ROUTES, refuse_unread, weight_of
from seawall.gateway.params import Params, merge_pairs, parse_pairs
from seawall.model.trading import Side

texts = st.text(CHARACTERS, max_size=60) | st.sampled_from(
    ["1", "0", "-1", "1e5", "NaN", "9" * 40, "0.1", "1.", "²", "\x00", '["A"]', "[]", "true"]
)
names = st.text(CHARACTERS, min_size=1, max_size=8)


def attempt(act: Callable[[], object]) -> ApiError | None:
    """Run and return the refusal, if it was one; anything else that is raised fails the test."""
    try:
        act()
    except ApiError as error:
        return error
    return None


@given(st.binary(max_size=200), st.binary(max_size=200))
@example(b"a=1&a=2", b"")
@example(b"%", b"%zz=%80")
@example(b"&&&", b"=&=x")
def test_any_bytes_are_parameters_or_a_refusal(query: bytes, body: bytes) -> None:
    refused = attempt(lambda: merge_pairs(query, body))
    assert refused is None or refused.code in (-1100, -1101, -1135)
    without_signature(query)


@given(st.dictionaries(names, texts, max_size=8))
def test_what_was_encoded_is_read_back(values: dict[str, str]) -> None:
    assert parse_pairs(urlencode(values).encode()) == values
    plain = "&".join(f"{quote(name)}={quote(value)}" for name, value in values.items())
    assert parse_pairs(plain.encode()) == values


@given(texts)
def test_each_getter_takes_or_refuses_by_name(text: str) -> None:
    params = Params({"x": text})
    getters: list[Callable[[], object]] = [
        lambda: params.text("x"),
        lambda: params.need_text("x"),
        lambda: params.symbol("x"),
        lambda: params.symbols("x"),
        lambda: params.integer("x"),
        lambda: params.decimal("x", 8),
        lambda: params.flag("x"),
        lambda: params.choice("x", Side),
        lambda: params.client_id("x"),
        lambda: params.moment_ns("x"),
        lambda: check_timestamp(text, text, 10**18),
    ]
    for getter in getters:
        refused = attempt(getter)
        assert refused is None or refused.status == 400


@given(st.integers(0, 10**20 - 1), st.integers(0, 18), st.integers(0, 18))
def test_decimals_are_exact(count: int, shown: int, decimals: int) -> None:
    text = f"{Decimal(count).scaleb(-shown):f}"
    params = Params({"x": text})
    refused = attempt(lambda: params.decimal("x", decimals))
    exact = Decimal(count).scaleb(decimals - shown)
    if refused is None:
        assert params.decimal("x", decimals) == exact
    else:
        assert (refused.code, exact == exact.to_integral_value()) == (-1111, False)


@given(st.integers(-(10**40), 10**40), st.integers(0, 20), st.integers(1, 10**10))
def test_counts_are_shown_exactly(count: int, decimals: int, unit: int) -> None:
    shown = Decimals(unit, decimals).text(count)
    whole, _, fraction = shown.partition(".")
    assert len(fraction) == max(decimals, 8)
    assert int(whole + fraction) == count * unit * 10 ** (len(fraction) - decimals)


@given(st.sampled_from(sorted(ROUTES)), st.dictionaries(names, texts, max_size=4), texts)
def test_no_parameter_upsets_weights_or_the_check_of_names(
    route: str, values: dict[str, str], text: str
) -> None:
    method = ROUTES[route]
    params = Params({**values, **dict.fromkeys(method.params, text)})
    assert 1 <= weight_of(method, params) <= 250
    refused = attempt(lambda: refuse_unread(method, params))
    assert refused is None or refused.code in (-1101, -1104)
