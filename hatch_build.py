"""The build hook.  The rule: a missing tool makes a slower package and a clear line, never an error."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic in stubs only
    """Compiles the core and builds the page."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Do nothing yet."""
