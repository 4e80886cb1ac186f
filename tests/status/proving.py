"""Programs that the site is proved with.  The rule: in CI a missing one fails.

`make proof` brings them into build/proof: the Nu HTML checker, axe, and a Statuspage client.
"""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "build" / "proof" / "node_modules"


def brought(path: str) -> Path:
    """Return a file of what was brought."""
    found = MODULES / path
    if found.exists():
        return found
    missing = f"{path} is missing: make proof"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
