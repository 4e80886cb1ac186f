"""Any document that the types allow.  The rule: strategies follow the structs: none is missed."""

import enum
import types
import typing
from typing import Any

from hypothesis import strategies as st
from msgspec import structs

from seawall.model.posture import ServiceKind
from seawall.model.status_document import ServiceLine, StatusDocument

NASTY = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</title></style><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eright to left\u2066",
    "]]>&amp;&#0;\x00\x0b\ufffe",
    "../../etc",
    "السحب متوقف",
    "a" * 400,
)
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
NUMBERS = st.one_of(
    st.integers(0, 5),
    st.integers(1_770_000_000, 1_780_000_000).map(lambda s: s * 1_000_000_000),
    st.integers(-(2**70), 2**70),
)
SERVICES = st.one_of(
    st.sampled_from(
        ["sign_in", "transfers", "market/BTCUSDT", "withdrawal/ETH/ETH", "deposit/<b>/\"'"]
    ),
    TEXTS,
)
DAYS = st.one_of(st.dates().map(str), st.just("2026-05-01"), TEXTS)
KINDS = st.one_of(
    st.sampled_from(
        ["provider_lost", "opened", "posture_changed", "stepped_back", "words", "moved"]
    ),
    TEXTS,
)
FACTS = st.dictionaries(
    st.one_of(
        st.sampled_from(
            [
                "dependency",
                "service",
                "services",
                "posture",
                "reason",
                "ends_ns",
                "lasted_s",
                "gate",
            ]
        ),
        TEXTS,
    ),
    st.one_of(TEXTS, NUMBERS.map(str), SERVICES),
    max_size=4,
)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "service": SERVICES,
    "day": DAYS,
    "history_from": DAYS,
    "kind": KINDS,
    "facts": FACTS,
    "waiting_amount": st.one_of(st.decimals().map(str), TEXTS),
    "status": st.one_of(st.sampled_from(["scheduled", "in_progress", "completed"]), TEXTS),
    "public_key": st.one_of(st.binary(min_size=32, max_size=32).map(bytes.hex), TEXTS),
}


def documents() -> st.SearchStrategy[StatusDocument]:
    return of_struct(StatusDocument)


def of_struct(kind: type) -> st.SearchStrategy[Any]:
    fields = {}
    for field in structs.fields(kind):
        named = BY_NAME.get(field.name)
        plain = field.type is str or field.name == "facts"
        fields[field.name] = (
            named if named is not None and plain else of_type(field.name, field.type)
        )
    made = st.builds(kind, **fields)
    return made.map(_of_its_kind) if kind is ServiceLine else made


def of_type(name: str, kind: Any) -> st.SearchStrategy[Any]:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        of_services = name == "services" and arguments[0] is str
        inner = SERVICES if of_services else of_type(name, arguments[0])
        return st.lists(inner, max_size=3).map(tuple)
    if isinstance(kind, types.UnionType):
        return st.one_of(*(of_type(name, each) for each in arguments))
    if kind is type(None):
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        return NUMBERS
    if kind is str:
        return TEXTS
    if issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    return of_struct(kind)


def _of_its_kind(line: ServiceLine) -> ServiceLine:
    head = line.service.partition("/")[0]
    kinds = {each.value: each for each in ServiceKind}
    return structs.replace(line, kind=kinds.get(head, line.kind))
