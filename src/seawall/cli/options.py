"""Options that several commands share.  The rule: one spelling, one help text."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from seawall.cli.output import CliError, Exit

DEFAULT_DATA: Final = "seawall-data"

Data = Annotated[
    Path,
    Parameter(
        name="--data",
        env_var="SEAWALL_DATA",
        help="Directory of the exchange's data.",
    ),
]
Config = Annotated[
    Path | None,
    Parameter(
        name="--config",
        env_var="SEAWALL_CONFIG",
        help="TOML file of settings; `seawall config show` prints them all.",
    ),
]
Json = Annotated[
    bool,
    Parameter(name="--json", negative=(), help="Print one JSON document instead of text."),
]


def existing(data: Path) -> Path:
    """Return the directory if it holds an exchange's data, or raise CliError."""
    if not (data / "journal").is_dir():
        raise CliError(
            f"{data} holds no exchange's data.",
            "Name the directory with --data, or start an exchange there: seawall up",
            Exit.UNREACHABLE,
        )
    return data
