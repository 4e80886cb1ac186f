"""The documents say what the code does, and their links lead somewhere."""

import re
from pathlib import Path

import pytest
from tests.docs.reference_pages import PAGES, limit_rows, metric_families

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
SOURCE_FILE = re.compile(r"`((?:lib|model|core|journal|node|views|gateway|lab|cli|web)/[\w/.-]+)`")


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text("utf-8")
    assert written == PAGES[name](), "run: python -m tests.docs.reference_pages docs/reference"


def test_pages_are_not_empty_tables() -> None:
    assert len(list(limit_rows())) > 20
    assert len(metric_families()) > 10


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        target
        for target in LINK.findall(page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_the_architecture_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    named = set(SOURCE_FILE.findall(text))
    assert len(named) > 20
    missing = {
        name
        for name in named
        if not (ROOT / "src" / "seawall" / name).exists() and not (ROOT / name).exists()
    }
    assert not missing


def test_documents_fit_their_promise() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(readme) < 60, "the README is one screen"
    architecture = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8").splitlines()
    assert len(architecture) < 90, "the architecture is one page"


def test_the_verbs_of_the_makefile_are_told() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    verbs = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert {"up", "test", "check", "bench", "sim", "fuzz", "drill", "docs", "dev", "build"} <= verbs
    told = (ROOT / "README.md").read_text("utf-8") + (ROOT / "docs" / "HACKING.md").read_text(
        "utf-8"
    )
    assert {verb for verb in verbs if f"make {verb}" not in told.replace("\n", " ")} <= {
        "help",
        "clean",
    }
