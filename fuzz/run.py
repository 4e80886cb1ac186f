"""Runs one target with atheris.  The rule: what it finds is written to a scratch directory."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["seawall"]):
    from targets import TARGETS


def run(name: str) -> None:
    """Fuzz the target, from its corpus; arguments of libFuzzer may stand on the command line."""
    corpus = Path(__file__).parent / "corpus" / name
    # New inputs go to the first directory named; the corpus itself is only read.
    with tempfile.TemporaryDirectory(prefix="seawall-fuzz-") as found:
        atheris.Setup([*sys.argv, found, str(corpus)], TARGETS[name])
        atheris.Fuzz()
