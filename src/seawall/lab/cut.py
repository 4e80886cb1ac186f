"""Cut a short capture out of a long one.  The rule: lines are kept as they were recorded.

Only the snapshot at the new beginning is computed (from the old snapshot and the diffs up to
there), since none was recorded at that moment.  `python -m seawall.lab.cut` made the small capture
that ships in `lab/data`; see the README there.
"""

import gzip
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from seawall.lab.capture import DECIMALS, Capture, Diff, Trade, decode_line, read_lines
from seawall.lab.expected import ExpectedBook
from seawall.model.amounts import format_decimal

_ARGUMENTS = 4


def cut(files: Sequence[Path], start_s: int, length_s: int, out: Path) -> None:
    """Write the part from `start_s` after the beginning, `length_s` long, gzipped."""
    capture = Capture.load(files)
    start_ms = capture.start_ms + start_s * 1_000
    end_ms = start_ms + length_s * 1_000
    with out.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(_snapshot_line(capture, start_ms) + b"\n")
        for line, at_ms in _lines(files):
            if start_ms <= at_ms < end_ms:
                packed.write(line + b"\n")


def _lines(files: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
    for path in files:
        for line in read_lines(path):
            said = decode_line(line)
            if isinstance(said, Diff | Trade):
                yield line, said.at_ms


def _snapshot_line(capture: Capture, start_ms: int) -> bytes:
    book = ExpectedBook(capture.snapshot)
    last_update_id = capture.snapshot.last_update_id
    for diff in capture.diffs:
        if diff.at_ms >= start_ms:
            break
        book.apply(diff)
        last_update_id = diff.last_update_id
    return b"%d " % (start_ms * 1_000_000) + msgspec.json.encode(
        {
            "lastUpdateId": last_update_id,
            "bids": _texts(sorted(book.bids.items(), reverse=True)),
            "asks": _texts(sorted(book.asks.items())),
        }
    )


def _texts(levels: list[tuple[int, int]]) -> list[list[str]]:
    return [[format_decimal(value, DECIMALS) for value in level] for level in levels]


if __name__ == "__main__":
    if len(sys.argv) < _ARGUMENTS + 1:
        sys.exit("usage: python -m seawall.lab.cut START_S LENGTH_S OUT FILE…")
    cut(
        [Path(name) for name in sys.argv[4:]], int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    )
