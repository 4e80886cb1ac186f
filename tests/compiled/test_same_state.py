"""Compiled and plain, under any hash seed.  The rule: the same journal, the same state."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).with_name("flow_digest.py")
COMPILED = ROOT / "build" / "compiled"
INNER = ("lib", "model", "core")


def play(path: Path, hash_seed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env=os.environ | {"PYTHONPATH": str(path), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_hash_seeds_change_nothing() -> None:
    first, second = play(ROOT / "src", "1"), play(ROOT / "src", "4021")
    assert first == second
    accepted, trades = int(first[2]), int(first[3])
    assert accepted > 1_000, "the flow places orders"
    assert trades > 300, "the flow trades"


def test_compiled_and_plain_come_to_the_same_state() -> None:
    assert COMPILED.is_dir(), "there is no compiled tree to compare with: make build"
    for part in INNER:
        for source in (ROOT / "src" / "seawall" / part).glob("*.py"):
            built = COMPILED / "seawall" / part / source.name
            assert built.is_file(), "the compiled tree is older than the sources: make build"
            assert built.read_bytes() == source.read_bytes(), "make build: the sources changed"
    kind, *compiled = play(COMPILED, "3")
    if kind == "plain":
        pytest.skip("there is no C compiler here: `make build` said so")
    assert compiled == play(ROOT / "src", "5")[1:]
