"""Where in a TOML text each key stands.  The rule: it finds lines, and judges nothing but depth.

The library that reads TOML tells no lines.  A text that is no TOML is followed as far as it is.
"""

from typing import Final

DEPTH_MAX: Final = 8
"""How deep arrays and tables may stand in each other: a runbook needs three."""

Path = tuple[str | int, ...]


class TooDeepError(Exception):
    """Brackets within brackets, more than anyone needs."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class _EndError(Exception):
    """The text is no TOML from here on."""


class TomlLines:
    """The line of every key, table and element of an array."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0
        self._line = 1
        self._lines: dict[Path, int] = {(): 1}
        self._arrays: dict[Path, int] = {}
        try:
            self._read()
        except _EndError:
            return

    def line_of(self, path: Path) -> int:
        """Return the line of what is there, or of the innermost around it that is."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _read(self) -> None:
        table: Path = ()
        while True:
            self._skip("\n\r\t ")
            if self._at >= len(self._text):
                return
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table, 0)

    def _header(self) -> Path:
        array = self._text.startswith("[[", self._at)
        self._at += 2 if array else 1
        parts = self._key()
        path: Path = ()
        for part in parts[:-1]:
            path = self._last((*path, part))
        path = (*path, parts[-1])
        if array:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            self._note(path)
            path = self._last(path)
        self._note(path)
        self._skip("\t ")
        self._take("]]" if array else "]")
        return path

    def _last(self, path: Path) -> Path:
        """Return the path of an array's last table; any other path as it is."""
        return (*path, self._arrays[path]) if path in self._arrays else path

    def _pair(self, table: Path, depth: int) -> None:
        line = self._here()
        path = (*table, *self._key())
        self._skip("\t ")
        self._take("=")
        self._lines.setdefault(path, line)
        self._value(path, depth)

    def _value(self, path: Path, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise TooDeepError(self._here())
        self._skip("\n\r\t ")
        mark = self._peek()
        if mark == "[":
            self._many(path, depth, "]")
        elif mark == "{":
            self._many(path, depth, "}")
        elif mark in {'"', "'"}:
            self._string()
        else:
            begun = self._at
            while self._at < len(self._text) and self._peek() not in ",]}\n#":
                self._at += 1
            if begun == self._at:
                raise _EndError

    def _many(self, path: Path, depth: int, end: str) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip("\n\r\t ,")
            if self._peek() == end:
                self._at += 1
                return
            if end == "]":
                self._note((*path, index))
                self._value((*path, index), depth + 1)
            else:
                self._pair(path, depth + 1)
            index += 1

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip("\t ")
            begun = self._at
            if self._peek() in {'"', "'"}:
                self._string()
                parts.append(self._text[begun + 1 : self._at - 1])
            else:
                while self._at < len(self._text) and self._is_bare(self._peek()):
                    self._at += 1
                parts.append(self._text[begun : self._at])
                if begun == self._at:
                    raise _EndError
            self._skip("\t ")
            if self._peek() != ".":
                return parts
            self._at += 1

    @staticmethod
    def _is_bare(character: str) -> bool:
        return character.isalnum() or character in {"_", "-"}

    def _string(self) -> None:
        quote = self._peek()
        closing = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(closing)
        while not self._text.startswith(closing, self._at):
            if self._at >= len(self._text) or (len(closing) == 1 and self._peek() == "\n"):
                raise _EndError
            self._at += 2 if quote == '"' and self._peek() == "\\" else 1
        self._at += len(closing)
        if len(closing) > 1:
            # Up to two quotes more belong to the text.
            for _ in range(2):
                if self._text.startswith(quote, self._at):
                    self._at += 1

    def _skip(self, blanks: str) -> None:
        """Pass over blanks, and over comments where lines may end."""
        while self._at < len(self._text):
            if "\n" in blanks and self._peek() == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif self._peek() in blanks:
                self._at += 1
            else:
                return

    def _peek(self) -> str:
        if self._at >= len(self._text):
            raise _EndError
        return self._text[self._at]

    def _take(self, expected: str) -> None:
        if not self._text.startswith(expected, self._at):
            raise _EndError
        self._at += len(expected)

    def _note(self, path: Path) -> None:
        self._lines[path] = self._here()

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
