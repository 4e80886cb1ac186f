"""What all tests share.  The rule: `make test` tries the same examples each time.

`HYPOTHESIS_PROFILE=deep`, which `make sim` sets, looks for new ones, and for longer.
"""

import os

import pytest
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first: begun last, one would hold up the end of all workers."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
