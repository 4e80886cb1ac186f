"""Snapshots: a cache that shortens replay.  The rule: believed only when journal and digest agree.

`DIR/snapshots/<cell>-<sequence>.snap` holds one line of JSON, the header, then the cell's state and
the views'.  A file that does not fit is passed over with a warning; it never stops a start.
"""

import contextlib
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from seawall.node.cell import Cell

FORMAT: Final = 1
KEPT: Final = 2
"""The newest ones; older files are removed once a new one is safe."""


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot says of itself."""

    format: int
    cell: str
    sequence: int
    chain_hash: str
    """Of the journal at `sequence`, which is the end of a batch."""
    digest: str
    """Of the state, as the cell computes it."""
    state_bytes: int
    views_bytes: int
    body_sha256: str


class Snapshot(Struct, frozen=True):
    """One file's content."""

    header: Header
    state: bytes
    views: bytes


class SnapshotError(Exception):
    """The file is no snapshot that may be used; the message says why."""


def take(cell: Cell[Any], chain_hash: bytes, views: bytes) -> Snapshot:
    """Return the cell as it stands, at the end of the batch that has this hash."""
    state = cell.dump()
    return Snapshot(
        Header(
            format=FORMAT,
            cell=cell.name,
            sequence=cell.state.sequence,
            chain_hash=chain_hash.hex(),
            digest=cell.digest(),
            state_bytes=len(state),
            views_bytes=len(views),
            body_sha256=sha256(state + views).hexdigest(),
        ),
        state,
        views,
    )


def write(directory: Path, snapshot: Snapshot) -> Path:
    """Write the file, durably and under its name only once it is whole; remove the oldest."""
    header = snapshot.header
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{header.cell}-{header.sequence}.snap"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(header) + b"\n")
        file.write(snapshot.state)
        file.write(snapshot.views)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_directory(directory)
    for old in newest_first(directory, header.cell)[KEPT:]:
        with contextlib.suppress(FileNotFoundError):
            old.unlink()
    return path


def newest_first(directory: Path, cell: str) -> list[Path]:
    """Return the cell's snapshot files by sequence."""
    found: list[tuple[int, Path]] = []
    for path in directory.glob(f"{cell}-*.snap"):
        sequence = path.stem.removeprefix(f"{cell}-")
        if sequence.isascii() and sequence.isdigit():
            found.append((int(sequence), path))
    return [path for _, path in sorted(found, reverse=True)]


def read(path: Path) -> Snapshot:
    """Return the file's content; raise SnapshotError unless its parts are those it names."""
    try:
        data = path.read_bytes()
        line, _, body = data.partition(b"\n")
        header = msgspec.json.decode(line, type=Header)
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        raise SnapshotError(f"it cannot be read ({error})") from error
    if header.format != FORMAT:
        raise SnapshotError(f"its format is {header.format}, not {FORMAT}")
    if header.state_bytes + header.views_bytes != len(body) or header.state_bytes < 0:
        raise SnapshotError("its length is not the one that it names")
    if sha256(body).hexdigest() != header.body_sha256:
        raise SnapshotError("its bytes are not those that were written")
    return Snapshot(header, body[: header.state_bytes], body[header.state_bytes :])


def load(cell: Cell[Any], snapshot: Snapshot, chain_hash: bytes | None) -> None:
    """Put the state into the cell; raise SnapshotError, the cell as it was, if it does not fit.

    `chain_hash` is what the journal has at the snapshot's sequence.
    """
    header = snapshot.header
    if header.cell != cell.name:
        raise SnapshotError(f"it is one of the {header.cell} cell")
    if chain_hash is None or chain_hash.hex() != header.chain_hash:
        raise SnapshotError(f"the journal has another hash at {header.sequence}")
    before = cell.state
    try:
        cell.load(snapshot.state)
        fits = cell.state.sequence == header.sequence and cell.digest() == header.digest
    except Exception as error:
        # Whatever damaged bytes do to the decoder: the journal still has everything.
        cell.state = before
        raise SnapshotError(f"the state cannot be loaded ({error!r})") from error
    if not fits:
        cell.state = before
        raise SnapshotError("the state's digest is not the one that it names")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
