"""What people and programs read.  The rule: one line says what, one line says what to do next.

With `--json` a command prints exactly one JSON document on standard output, errors included;
everything else goes to standard error.
"""

import sys
from enum import IntEnum
from typing import Any, Final, NoReturn

import msgspec
from rich.console import Console
from rich.markup import escape

PIPE_WIDTH: Final = 140
"""Columns of a table where nobody's terminal says how many there are."""

human = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
notes = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """Exit codes, as docs/reference/command-line.md lists them."""

    OK = 0
    FAILED = 1
    """The command ran, and what it checked does not hold."""
    USAGE = 2
    """The command line or the configuration is wrong."""
    UNREACHABLE = 3
    """The exchange or a file could not be reached."""
    REFUSED = 4
    """The exchange answered, and refused."""
    INTERRUPTED = 130


class CliError(Exception):
    """Ends the command; `advice` says what to do next."""

    def __init__(self, what: str, advice: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.code = code


def print_json(document: object) -> None:
    """Print one document; structs, paths and tuples are fine."""
    print_encoded(msgspec.json.encode(document, enc_hook=str))


def print_encoded(document: bytes) -> None:
    """Print a document that is JSON already."""
    sys.stdout.buffer.write(msgspec.json.format(document.strip()) + b"\n")
    sys.stdout.buffer.flush()


def fail(error: CliError, *, as_json: bool) -> NoReturn:
    """Print the error and leave."""
    if as_json:
        document: dict[str, Any] = {
            "error": error.what,
            "advice": error.advice,
            "exitCode": int(error.code),
        }
        print_json(document)
    else:
        notes.print(f"[bold red]✗[/] {escape(error.what)}")
        notes.print(f"  [dim]{escape(error.advice)}[/]")
    raise SystemExit(int(error.code))
