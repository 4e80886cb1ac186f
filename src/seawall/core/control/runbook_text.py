"""A runbook from its text.  The rule: what is wrong is told with its line, and nothing is guessed.

TOML of whole numbers, texts and lists, no more; a key that nobody knows is refused, for whoever
wrote it meant something by it.
"""

import tomllib
from typing import Any, Final

import msgspec

from seawall.core.control.runbook_checks import WrongTermError, check_runbook
from seawall.core.control.toml_lines import Path, TomlLines, TooDeepError
from seawall.model import limits
from seawall.model.posture import Posture, Severity, Stage
from seawall.model.runbook import GateName, Runbook
from seawall.model.watch_facts import Health

_WORDS: Final = {
    "severity": tuple(Severity),
    "to": tuple(Posture),
    "states": tuple(Health),
    "stage": tuple(Stage),
    "gates": tuple(GateName),
    "keep": tuple(GateName),
}
"""What may stand where only certain words may."""


class RunbookError(Exception):
    """The runbook is refused: why, and in which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line


class _Fraction(str):
    """A number that is not whole, as it was written."""

    __slots__ = ()


def read_runbook(text: str, services: tuple[str, ...] = ()) -> Runbook:
    """Return the runbook, checked in full; raise RunbookError.

    Where it is told which services there are, a name without `*` must be one of them.
    """
    lines = _lines(text)
    runbook = _decode(text, lines)
    try:
        check_runbook(runbook, services)
    except WrongTermError as error:
        raise RunbookError(error.message, lines.line_of(error.path)) from error
    return runbook


def decode_runbook(text: str) -> Runbook:
    """Return the runbook of a text that was adopted: what it means was checked then.

    A later release may check more; what was adopted before stays in force.
    """
    return _decode(text, _lines(text))


def _lines(text: str) -> TomlLines:
    if len(text) > limits.RUNBOOK_CHARS:
        line = text.count("\n", 0, limits.RUNBOOK_CHARS) + 1
        raise RunbookError(f"the text is longer than {limits.RUNBOOK_CHARS} characters", line)
    try:
        # Before the text is parsed: how deep that could go depends on who calls it.
        return TomlLines(text)
    except TooDeepError as error:
        raise RunbookError("brackets in brackets in brackets", error.line) from error


def _decode(text: str, lines: TomlLines) -> Runbook:
    try:
        # A fraction is kept as its text, so that the refusal can tell where it stands.
        tree = tomllib.loads(text, parse_float=_Fraction)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(str(error), text) from error
    _refuse_fractions(tree, lines)
    try:
        return msgspec.convert(tree, Runbook)
    except msgspec.ValidationError as error:
        raise _no_runbook(str(error), lines) from error


def _no_toml(said: str, text: str) -> RunbookError:
    what, _, where = said.rpartition(" (at ")
    number = "".join(character for character in where.partition(",")[0] if character.isdigit())
    return RunbookError(f"no TOML: {what}", int(number) if number else text.count("\n") + 1)


def _refuse_fractions(tree: dict[str, Any], lines: TomlLines) -> None:
    waiting: list[tuple[Path, Any]] = [((), tree)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Fraction):
            message = f"{value} is not a whole number"
            raise RunbookError(message, lines.line_of(path))
        if isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [((*path, at), value[at]) for at in reversed(range(len(value)))]


def _no_runbook(said: str, lines: TomlLines) -> RunbookError:
    """Turn the decoder's message, which ends in ` - at `$.rule[0].to``, into ours."""
    what, _, where = said.partition(" - at `$")
    path = _path(where.removesuffix("`"))
    if "unknown field" in what:
        key = what.partition("`")[2].rstrip("`")
        return RunbookError(f"unknown key {key}", lines.line_of((*path, key)))
    if "missing required field" in what:
        key = what.partition("`")[2].rstrip("`")
        return RunbookError(f"the key {key} is missing", lines.line_of(path))
    named = [part for part in path if isinstance(part, str)]
    if what.startswith("Invalid enum value") and named and named[-1] in _WORDS:
        word = what.partition("'")[2].rstrip("'")
        allowed = ", ".join(_WORDS[named[-1]])
        return RunbookError(f"{named[-1]}: {word} is none of {allowed}", lines.line_of(path))
    whole = ".".join(named)
    return RunbookError(f"{whole}: {what}" if whole else what, lines.line_of(path))


def _path(text: str) -> Path:
    """Return `.rule[0].to` as its parts."""
    path: list[str | int] = []
    for part in text.replace("[", ".[").split("."):
        if part.startswith("["):
            number = part.strip("[]")
            path.append(int(number) if number.isdigit() else number)
        elif part:
            path.append(part)
    return tuple(path)
