"""What all tests share.  The rule: `make test` tries the same examples each time.

`HYPOTHESIS_PROFILE=deep`, which `make sim` sets, looks for new ones, and for longer.
"""

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow]
"""No test depends on how fast a machine is."""

settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=SLOW_IS_FINE
)
settings.register_profile(
    "deep",
    max_examples=2_000,
    print_blob=True,
    deadline=None,
    suppress_health_check=SLOW_IS_FINE,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(autouse=True)
def _logs_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test that sets up logs, as a command does, leave them so for the next one.

    Loggers that were cached once would never be heard by `capture_logs` again.
    """
    configure, root = structlog.configure, logging.getLogger()
    before, handlers, level = structlog.get_config(), list(root.handlers), root.level

    def uncached(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
    yield
    if root.handlers != handlers:
        root.handlers[:] = handlers
        root.setLevel(level)
    if structlog.get_config() != before:
        configure(**before)


@pytest.fixture
def usual_recursion() -> Iterator[None]:
    """Recurse no deeper than a process of the exchange does.

    The embedded chain's library raises the limit for all, far beyond what a stack holds.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first: begun last, one would hold up the end of all workers."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
