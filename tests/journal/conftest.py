"""Fixtures of the journal's tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")  # noqa: S108  (each directory in it has a name of its own)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """Give a directory in memory where the machine has one: quick, and deaf to syncs."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        yield Path(name)
