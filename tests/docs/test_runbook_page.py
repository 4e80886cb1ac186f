"""The pages on runbook and postures say what the code does: keys, examples, moves."""

import re
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from tests.docs.posture_page import page

from seawall.core.control.runbook import RunbookError, read_runbook
from seawall.core.control.ways import WAYS
from seawall.model.posture import Posture, ServiceKind
from seawall.model.runbook import (
    Cadence,
    DependencyTerms,
    GateName,
    Ladder,
    LeaseTerms,
    Move,
    Rule,
    Runbook,
    SignalTerms,
    StageTerms,
    Surge,
    Term,
)

OPERATING = Path(__file__).parents[2] / "docs" / "operating"
RUNBOOK = (OPERATING / "runbook.md").read_text("utf-8")
TERMS: tuple[type[Term], ...] = (
    SignalTerms, LeaseTerms, DependencyTerms, Rule, Ladder, StageTerms, Surge, Cadence,
)  # fmt: skip


def test_the_page_of_postures_is_what_the_tables_write() -> None:
    written = (OPERATING / "postures.md").read_text("utf-8")
    assert written == page(), "run: python -m tests.docs.posture_page docs/operating/postures.md"


def test_the_diagrams_draw_exactly_the_moves() -> None:
    written = (OPERATING / "postures.md").read_text("utf-8")
    diagrams = re.findall(r"```mermaid\n(.*?)```", written, re.DOTALL)
    kinds = (ServiceKind.MARKET, ServiceKind.WITHDRAWAL, ServiceKind.DEPOSIT)
    for kind, diagram in zip(kinds, diagrams, strict=True):
        drawn = {
            (Posture(now), Posture(then)): way
            for now, then, way in re.findall(r"^    (\w+) --> (\w+) : (\w+)", diagram, re.MULTILINE)
        }
        assert drawn == {move: way.value for move, way in WAYS[kind].items()}


@pytest.mark.parametrize("terms", TERMS)
def test_every_key_has_its_line_and_its_default(terms: type[Term]) -> None:
    for field in msgspec.structs.fields(terms):
        if field.encode_name in {"stage", "move"}:
            continue
        lines = re.findall(rf"^\| `{field.encode_name}` \|([^|]*)\|", RUNBOOK, re.MULTILINE)
        assert lines, f"{terms.__name__}.{field.encode_name} is not explained"
        default = field.default
        if isinstance(default, tuple):
            told = "`[" + ", ".join(f'"{each.value}"' for each in default) + "]`"
        elif isinstance(default, StrEnum | str):
            told = f"`{default}`"
        elif isinstance(default, int):
            told = f"{default:,}" if default > 9_999 else str(default)
        else:
            told = ""
        assert told in [line.strip() for line in lines], f"{field.encode_name}: {told}"


def test_every_part_and_gate_is_named() -> None:
    for part in (*msgspec.structs.fields(Runbook), *msgspec.structs.fields(Move)):
        assert f"`{part.encode_name}`" in RUNBOOK or f"[{part.encode_name}]" in RUNBOOK
    for gate in GateName:
        assert f"`{gate.value}`" in RUNBOOK


def test_the_examples_are_read_or_refused_as_told() -> None:
    good = re.findall(r"```toml\n(.*?)```", RUNBOOK, re.DOTALL)
    bad = re.findall(r"```toml refused\n(.*?)```\n\n```\n(.*?)\n```", RUNBOOK, re.DOTALL)
    assert (len(good), len(bad)) == (1, 4)
    assert read_runbook(good[0]).version == "small-1"
    for text, told in bad:
        with pytest.raises(RunbookError) as caught:
            read_runbook(text)
        assert str(caught.value) == told
