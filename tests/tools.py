"""Programs that tests drive and `.ci/tools` installs.  The rule: in CI a missing one fails."""

import os
import shutil

import pytest


def program(*names: str) -> str:
    """Return the path of the first that is installed; skip the test without any, in CI fail it."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    missing = f"{names[0]} is missing: run .ci/tools, or install it"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
