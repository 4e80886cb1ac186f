"""A digest of structured state.  The rule: equal states give equal bytes, on any run or machine.

Every part is written with its type and length before it (a netstring with a tag), so that no two
different states share one encoding, whatever strings they hold.
"""

import hashlib


class Digest:
    """Accumulates ints, strings and lists of them into one SHA-256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def integer(self, value: int) -> None:
        text = str(value).encode()
        self._hash.update(b"i%d:%b" % (len(text), text))

    def text(self, value: str) -> None:
        data = value.encode()
        self._hash.update(b"s%d:%b" % (len(data), data))

    def integers(self, values: list[int]) -> None:
        """Write many ints at once; the list's length is part of the encoding."""
        text = ",".join(map(str, values)).encode()
        self._hash.update(b"l%d,%d:%b" % (len(values), len(text), text))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
