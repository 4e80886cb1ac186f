"""Reads a file of facts.  The rule: what is not understood is refused, with its key and line.

TOML, so that people can write it beside the incident; numbers with a point are exact decimals.
"""

import re
import tomllib
from decimal import Decimal
from typing import Any, Final

import msgspec

from seawall.status.regulators.facts import Facts

_HEADER: Final = re.compile(r"^\s*(\[{1,2})\s*([A-Za-z0-9_.\-]+)\s*\]{1,2}")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_\-]+)\s*=")
_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`")
_NAMED: Final = re.compile(r"`([A-Za-z0-9_\-]+)`")

Path = tuple[str | int, ...]


class FactsError(ValueError):
    """The file cannot be taken; the message names file, line and key."""


def read_facts(text: str, name: str = "facts") -> Facts:
    """Return the facts of a file, or raise FactsError."""
    try:
        content: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise FactsError(f"{name} is not TOML: {error}") from None
    try:
        return msgspec.convert(content, Facts)
    except msgspec.ValidationError as error:
        raise FactsError(_message(str(error), text, name)) from None


def _message(error: str, text: str, name: str) -> str:
    found = _PATH.search(error)
    path: Path = _parts(found[1]) if found else ()
    what = error[: found.start()] if found else error
    # Of an unknown key, or of two that contradict, msgspec names the section alone.
    within = _NAMED.search(what)
    if within is not None:
        path = (*path, within[1])
    key = ".".join(str(part) for part in path)
    line = _line(text, path)
    return f"{name}:{line}: {key}: {what}" if line else f"{name}: {key or 'the file'}: {what}"


def _parts(path: str) -> Path:
    parts: list[str | int] = []
    for part in re.findall(r"[A-Za-z0-9_\-]+|\[\d+\]|\[\.\.\.\]", path):
        if part == "[...]":
            continue
        parts.append(int(part[1:-1]) if part.startswith("[") else part)
    return tuple(parts)


def _line(text: str, path: Path) -> int:
    """Return the line that sets a key, or its section's; 0 if neither stands there."""
    section: Path = ()
    lists: dict[str, int] = {}
    nearest = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = tuple(header[2].split("."))
            if header[1] == "[[":
                lists[header[2]] = lists.get(header[2], -1) + 1
                section = (*section, lists[header[2]])
            if section == path[: len(section)]:
                nearest = number
            if section == path:
                return number
        elif (key := _KEY.match(line)) and (*section, key[1]) == path[: len(section) + 1]:
            return number
    return nearest
