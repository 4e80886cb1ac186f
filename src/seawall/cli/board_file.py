"""Reads the ecosystem board's table.  The rule: what cannot be meant is refused, by its line."""

import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from seawall.cli.output import CliError, Exit
from seawall.model.topology import Topology, TopologyError
from seawall.node.topology_file import read_topology
from seawall.watch import board_settings
from seawall.watch.board_settings import BoardError, BoardSettings

ADVICE: Final = "docs/operating/board.md shows a whole table."
_HEADER: Final = re.compile(r"^\s*\[\[\s*(\w+)\s*\]\]")
_KEY: Final = re.compile(r"^\s*([\w-]+)\s*=")
_PATH: Final = re.compile(r" - at `\$([^`]*)`")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")
_FIELD: Final = re.compile(r"unknown field `([^`]*)`")


class BoardFile(Struct, frozen=True, kw_only=True):
    """The table, and what it names."""

    settings: BoardSettings
    keep: Path | None
    keys: Mapping[str, str]


def read_board(file: Path) -> BoardFile:
    """Return the table, or raise CliError."""
    try:
        text = file.read_text("utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{file} cannot be read: {error}", ADVICE, Exit.USAGE) from None
    except tomllib.TOMLDecodeError as error:
        raise CliError(f"{file} is not TOML: {error}", ADVICE, Exit.USAGE) from None
    try:
        settings = msgspec.convert(table, BoardSettings)
        topology = _topology(file, settings)
        board_settings.check(settings, topology)
    except msgspec.ValidationError as error:
        path, what = _told(str(error))
        raise _refusal(file, text, path, what) from None
    except BoardError as error:
        raise _refusal(file, text, error.path, str(error)) from None
    keys = {feed.name: _key(file, text, number, feed.key_file)
            for number, feed in enumerate(settings.feed) if feed.key_file}  # fmt: skip
    keep = file.absolute().parent / settings.keep if settings.keep else None
    return BoardFile(settings=settings, keep=keep, keys=keys)


def _topology(file: Path, settings: BoardSettings) -> Topology | None:
    if not settings.topology:
        return None
    try:
        return read_topology(file.absolute().parent / settings.topology).topology
    except TopologyError as error:
        raise BoardError(("topology",), str(error)) from None


def _key(file: Path, text: str, number: int, name: str) -> str:
    """Return an access key, which nobody but its owner may read."""
    path, place = file.absolute().parent / name, ("feed", number, "key_file")
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise _refusal(file, text, place, f"{path} may be read by others: chmod 600 it")
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _refusal(file, text, place, f"{path} cannot be read: {error}") from None
    if not all(key.partition(":")) or "\n" in key:
        raise _refusal(file, text, place, f"{path} has no `id:secret` in one line")
    return key


def _refusal(file: Path, text: str, path: board_settings.Path, what: str) -> CliError:
    number = line_of(text, path)
    return CliError(f"{file}{f':{number}' if number else ''}: {what}", ADVICE, Exit.USAGE)


def _told(message: str) -> tuple[board_settings.Path, str]:
    """Return the place and the words of a msgspec error."""
    path: list[str | int] = []
    if found := _PATH.search(message):
        path = [name or int(index) for name, index in _STEP.findall(found.group(1))]
        message = message[: found.start()]
    if field := _FIELD.search(message):
        path.append(field.group(1))
    return tuple(path), message[0].lower() + message[1:]


def line_of(text: str, path: board_settings.Path) -> int:
    """Return the line that sets the path, else that of its table; 0 if neither is found."""
    table, number, key = (*path, None, None, None)[:3]
    top = len(path) == 1
    if top:
        table, key = None, path[0]
    counts: dict[str, int] = {}
    inside, nearest = table is None, 0
    for line_number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header.group(1)
            if top and name == key:
                return line_number
            counts[name] = counts.get(name, -1) + 1
            inside = name == table and counts[name] == number
            nearest = line_number if inside else nearest
        elif inside and (found := _KEY.match(line)) and found.group(1) == key:
            return line_number
    return nearest
