"""Reads the configuration.  The rule: what is not understood is refused, with its line named.

Three layers, the later over the earlier: `defaults.toml`, the file given, the environment.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from seawall.cli.output import CliError, Exit
from seawall.cli.settings import Configuration

ENVIRONMENT_PREFIX: Final = "SEAWALL__"
TABLES: Final = ("assets", "tiers", "markets", "treasury")
"""Tables of things by name: a file replaces them whole."""
LISTS: Final = ("network", "listing", "daily_limit")
"""Lists of tables: a file replaces them whole, and one with its own
assets or networks starts without any."""
_HEADER: Final = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_PATH: Final = re.compile(r"\$([^`]*)")

T = TypeVar("T")
Table = dict[str, Any]


class ConfigurationError(CliError):
    """The configuration is wrong; the message names the place."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what, advice, Exit.USAGE)


class Source:
    """Where a layer came from, to name a key's place in it."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self._text = text

    def place(self, path: tuple[str, ...]) -> str:
        """Return `file:line`, as near as the text tells."""
        number = _line_of(self._text, path) if self._text else 0
        return f"{self.name}:{number}" if number else self.name


def load(file: Path | None, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in force, or raise ConfigurationError."""
    text = files("seawall.cli").joinpath("defaults.toml").read_text("utf-8")
    merged: Table = tomllib.loads(text)
    shape: Table = tomllib.loads(text)
    if file is not None:
        layer, source = _read(file)
        _check_keys(layer, shape, source)
        for name in TABLES:
            if isinstance(layer.get(name), dict):
                merged[name] = {}
        if "assets" in layer or "network" in layer:
            merged |= {name: [] for name in LISTS}
        _merge(merged, layer)
        _convert(merged, source)
    for variable, path, value in _from_environment(environment, merged):
        layer = _nested(path, value)
        source = Source(f"the environment's {variable}")
        _check_keys(layer, shape, source)
        _merge(merged, layer)
        _convert(merged, source)
    return _convert(merged, Source("defaults.toml", text))


def _read(file: Path) -> tuple[Table, Source]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error}", "Name a readable TOML file with --config."
        ) from error
    try:
        return tomllib.loads(text), Source(str(file), text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{file} is not TOML: {error}",
            "Mend the line; `seawall config show` prints an example of everything.",
        ) from error


def _from_environment(
    environment: Mapping[str, str], known: Table
) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield variable, path and value; names match without regard to case."""
    if data := environment.get("SEAWALL_DATA"):
        yield "SEAWALL_DATA", ("exchange", "data"), data
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        path: list[str] = []
        table: Any = known
        for part in variable.removeprefix(ENVIRONMENT_PREFIX).split("__"):
            names = {name.lower(): name for name in table} if isinstance(table, dict) else {}
            in_table = len(path) == 1 and path[0] in TABLES
            path.append(names.get(part.lower(), part.upper() if in_table else part.lower()))
            table = table.get(path[-1]) if isinstance(table, dict) else None
        yield variable, tuple(path), _value(environment[variable], table)


def _value(text: str, present: Any) -> Any:
    """Read a variable's text as TOML, unless the setting is a text."""
    if isinstance(present, str):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _nested(path: tuple[str, ...], value: Any) -> Table:
    for name in reversed(path):
        value = {name: value}
    table: Table = value
    return table


def _merge(target: Table, layer: Table) -> None:
    for name, value in layer.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = value


def _check_keys(layer: Table, shape: Table, source: Source, path: tuple[str, ...] = ()) -> None:
    """Refuse keys that no section knows, and name the nearest that one does."""
    for name, value in layer.items():
        here = (*path, name)
        known = _known(here[:-1], shape)
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"Did you mean `{near[0]}`?" if near else _list(known)
            raise ConfigurationError(
                f"{source.place(here)}: unknown key `{'.'.join(here)}`", advice
            )
        if isinstance(value, dict):
            _check_keys(value, shape, source, here)


def _list(known: list[str]) -> str:
    return "Known here: " + (", ".join(known) or "nothing; it is a value, not a section") + "."


def _known(path: tuple[str, ...], shape: Table) -> list[str] | None:
    """Return the keys of the section at `path`; None where any name goes."""
    if path in {(name,) for name in TABLES}:
        return None
    if path and path[0] in TABLES:
        table = next(f for f in msgspec.structs.fields(Configuration) if f.name == path[0])
        return list(table.type.__args__[1].__struct_fields__)
    section: Any = shape
    for name in path:
        section = section.get(name) if isinstance(section, dict) else None
    return list(section) if isinstance(section, dict) else []


def _convert(merged: Table, source: Source) -> Configuration:
    fields = {field.name: field.type for field in msgspec.structs.fields(Configuration)}
    for name in TABLES:
        # One by one, for msgspec would name each of a table's things `[...]`.
        table = merged[name] if isinstance(merged[name], dict) else {}
        for key, value in table.items():
            _section(value, fields[name].__args__[1], (name, key), source)
    return _section(merged, Configuration, (), source)


def _section(value: Any, kind: type[T], path: tuple[str, ...], source: Source) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what = str(error)
        if found := _PATH.search(what):
            path = (*path, *found.group(1).strip(".").split("."))
            what = what[: found.start()].removesuffix(" - at `")
        place = f" at `{'.'.join(path)}`" if path else ""
        raise ConfigurationError(
            f"{source.place(path)}: {what[0].lower()}{what[1:]}{place}",
            "`seawall config show` prints every setting with its present value.",
        ) from error


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line that sets `path` or, failing that, its nearest section; 0 if none does."""
    section: tuple[str, ...] = ()
    nearest = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = tuple(part.strip().strip("\"'") for part in header.group(1).split("."))
            if section == path[: len(section)]:
                nearest = number
            if section == path:
                return number
            continue
        key = line.partition("=")[0].strip().strip("\"'")
        if key and (*section, *key.split(".")) == path:
            return number
    return nearest
