"""Programs and files that the tests of deploy/ share.  The rule: in CI a missing program fails."""

import os
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROVIDERS = ("amber", "blue", "coral")


def brought(name: str) -> str:
    """Return the path of a program that `make test` brings into build/, or that is installed."""
    own = ROOT / "build" / name / name
    found = str(own) if own.is_file() else shutil.which(name)
    if found is not None:
        return found
    missing = f"{name} is missing: make tools kubectl"
    if os.environ.get("CI") and (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        pytest.fail(missing)
    pytest.skip(missing)


def documents(text: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each is not None]
