"""The gateway's reference says what its tables say, and its error page names every code."""

import re
from pathlib import Path

import pytest

from seawall.gateway import errors, reference
from seawall.gateway.methods import METHODS
from seawall.gateway.operator import OPERATOR_CALLS

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_the_page_is_what_the_code_writes(name: str) -> None:
    written = (DOCS / name).read_text()
    assert written == reference.PAGES[name](), (
        "run: python -m seawall.gateway.reference docs/reference"
    )


def test_every_route_is_described() -> None:
    page = reference.api_page()
    for method in METHODS.values():
        assert method.summary, method.name
        for route in method.rest:
            assert f"`{route}`" in page
    assert all(path in page for path, _, _ in OPERATOR_CALLS)


def test_every_code_in_the_source_is_on_the_page() -> None:
    """Codes that a function of errors.py can raise, found by reading it."""
    source = Path(str(errors.__file__)).read_text()
    codes = set(re.findall(r"(?<![\w.])-[12]\d{3}\b", source))
    page = reference.errors_page()
    assert codes
    assert sorted(code for code in codes if f"{code}" not in page) == []
