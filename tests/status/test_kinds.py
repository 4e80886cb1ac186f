"""What the control cell says, the site can say.  The rule: a kind without words is seen here."""

import re
from pathlib import Path

import pytest

from seawall.model.runbook import GateName, Rule
from seawall.status.words import BOOKS

SOURCE = Path(__file__).parents[2] / "src" / "seawall"
CONTROL = "\n".join(
    path.read_text("utf-8") for path in sorted((SOURCE / "core" / "control").glob("*.py"))
)
SAID = re.compile(r'\bsay(?:_of_plan)?\(\s*look,\s*[\w.]+,\s*"(\w+)"')
OPENED = re.compile(r'\b(?:begin|begin_or_join)\(\s*look,\s*kind="(\w+)"')


def test_every_update_of_the_control_cell_has_words() -> None:
    kinds = set(SAID.findall(CONTROL))
    assert {"opened", "posture_changed", "resolved", "stage_entered"} <= kinds | {"opened"}
    assert len(kinds) > 8, "the pattern still finds them"
    for book in BOOKS.values():
        assert not kinds - set(book.updates)


def test_every_incident_has_a_title() -> None:
    kinds = set(OPENED.findall(CONTROL)) | {Rule(name="", when="").kind}
    for path in sorted(SOURCE.rglob("*.toml")):
        if "[[rule]]" in (text := path.read_text("utf-8")):
            kinds |= set(re.findall(r'^kind = "(\w+)"', text, re.MULTILINE))
    assert {"lease_lapsed", "provider_lost"} <= kinds, "the pattern still finds them"
    for book in BOOKS.values():
        assert not kinds - set(book.titles)


@pytest.mark.parametrize("language", BOOKS)
def test_every_gate_has_a_name(language: str) -> None:
    assert not {gate.value for gate in GateName} - set(BOOKS[language].gates)
