"""Where sealed segments are kept.  The rule: a copy counts once it has been read back.

The targets are folders or object stores, by URL (`s3://…`, `gs://…`, `az://…`).  A segment is
written to all of them; enough copies must be verified before anyone may forget the entries
elsewhere.  Reading takes the first copy that is whole.  Names carry the chain's hash, so a second
writer of the same segment writes the same, and one who writes over a damaged copy mends it.
"""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from seawall.journal.port import (
    GENESIS_HASH,
    Entry,
    JournalDamagedError,
    JournalError,
    JournalUnavailableError,
)
from seawall.journal.segments import (
    SEGMENT_ENTRIES_MAX,
    Segment,
    SegmentName,
    decode,
    parse_name,
)

_log = structlog.get_logger("seawall.journal")

COPIES: Final = 2
_OPEN_SEGMENTS: Final = 4
"""Unpacked segments kept for whoever reads on."""
_CONFIRMED: Final = 10_000
_RETRIES: Final = 2
_TIMEOUT_S: Final = 30
_FAULTS: Final = (BaseError, OSError)
_by_scheme: Final[Any] = from_url
"""Its overloads differ by the scheme, which is known only here and now."""


class ArchiveError(JournalError):
    """Too few targets took a segment; it may stand in some of them, which does no harm."""


class Target:
    """One place for segments."""

    def __init__(self, url: str, options: dict[str, str] | None = None) -> None:
        self.url = url
        self._folder: Path | None = None
        if "://" not in url or url.startswith("file://"):
            self._folder = Path(url.removeprefix("file://")).absolute()
            self._store: Any = LocalStore(prefix=self._folder, mkdir=True)
        else:
            # The options are the store's own (region, endpoint, keys), which it checks itself.
            self._store = _by_scheme(
                url,
                config=options or None,
                client_options={
                    "timeout": timedelta(seconds=_TIMEOUT_S),
                    "allow_http": (options or {}).get("endpoint", "").startswith("http://"),
                },
                retry_config={
                    "max_retries": _RETRIES,
                    "retry_timeout": timedelta(seconds=_TIMEOUT_S),
                },
            )

    async def put(self, path: str, content: bytes) -> None:
        await obstore.put_async(self._store, path, content)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / path)

    async def get(self, path: str) -> bytes | None:
        """Return the content; None if there is nothing of this name."""
        try:
            found = await obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None

    async def names(self, cell: str, near: int) -> set[SegmentName]:
        """Return a cell's segments that hold entry `near` or later ones, whole or not."""
        found: set[SegmentName] = set()
        after = f"{cell}/{max(near - SEGMENT_ENTRIES_MAX, 0):020d}"
        async for page in obstore.list(self._store, prefix=f"{cell}/", offset=after):
            for each in page:
                name = parse_name(each["path"])
                if name is not None and name.last >= near:
                    found.add(name)
        return found


class Archive:
    """All targets of one exchange; `etcd.Archived` and more."""

    def __init__(self, targets: Sequence[Target], *, copies: int = COPIES) -> None:
        if len(targets) < copies:
            raise ValueError(f"an archive of {copies} copies has as many targets or more")
        self.targets = list(targets)
        self.copies = copies
        self.lacking: dict[str, int] = {}
        """By cell, the first entry of which a target may lack a copy; who heals takes it out."""
        self._names: dict[str, set[SegmentName]] = {}
        self._confirmed: dict[tuple[str, SegmentName], bytes] = {}
        """The hash before each segment of which enough copies were read back."""
        self._open: dict[tuple[str, SegmentName], Segment] = {}

    # Writing

    async def write(self, segment: Segment) -> None:
        """Return once enough targets gave the segment back; raise ArchiveError otherwise."""
        content = await asyncio.to_thread(segment.encode)
        outcomes = await asyncio.gather(
            *(self._write(target, segment, content) for target in self.targets)
        )
        faults = [fault for fault in outcomes if fault]
        for fault in faults:
            self._note(segment, fault)
        if len(self.targets) - len(faults) < self.copies:
            raise ArchiveError(
                f"segment {segment.name} of {segment.cell} has fewer than {self.copies} copies: "
                + "; ".join(faults)
            )
        self._confirm(segment)

    async def heal(self, cell: str, first: int = 1) -> int:
        """Copy to each target what others have and it lacks; return how many copies were made.

        Looks at what holds entry `first` or later ones.
        """
        lists = [await self._list(target, cell, first) for target in self.targets]
        known = sorted(set().union(*(names for names in lists if names is not None)))
        made = 0
        failed: list[Target] = []
        for name in known:
            lacking = [
                target
                for target, names in zip(self.targets, lists, strict=True)
                if names is not None and name not in names and target not in failed
            ]
            if not lacking:
                continue
            segment = await self._load(cell, name)
            for target in lacking:
                fault = await self._write(target, segment, segment.encode())
                made += not fault
                if fault:
                    failed.append(target)
                    self._note(segment, fault)
        if any(names is None for names in lists):
            self.lacking[cell] = min(first, self.lacking.get(cell, first))
        return made

    def _note(self, segment: Segment, fault: str) -> None:
        _log.warning("archive target failed", cell=segment.cell, error=fault)
        self.lacking[segment.cell] = min(
            segment.first, self.lacking.get(segment.cell, segment.first)
        )

    async def _write(self, target: Target, segment: Segment, content: bytes) -> str:
        """Return why the target has no whole copy now; an empty text if it has one."""
        path = _path(segment.cell, segment.name)
        try:
            if await self._is_whole_at(target, segment):
                return ""
            await target.put(path, content)
            if await self._is_whole_at(target, segment):
                return ""
        except _FAULTS as error:
            return f"{target.url}: {error}"
        return f"{target.url}: what was written is not what is read back"

    # Reading

    async def confirmed(self, cell: str, after: int, link: bytes) -> list[int]:
        """Return where segments end whose copies are enough and whole, from `after` on, no gap.

        `link` is the chain hash at `after`; a segment that does not follow it is damage.
        """
        await self._refresh(cell, after + 1)
        ends: list[int] = []
        while (name := _holding(self._names[cell], after + 1)) is not None:
            key = (cell, name)
            if name.first != after + 1 or self._confirmed.get(key) != link:
                segment = await self._load(cell, name)
                follows = segment.previous if name.first == after + 1 else segment.ends.get(after)
                if follows != link:
                    raise JournalDamagedError(
                        f"the archive's segment {name} of {cell} does not follow entry {after}"
                    )
                checks = (self._is_whole_at(target, segment) for target in self.targets)
                if sum(await asyncio.gather(*checks)) < self.copies:
                    break
                self._confirm(segment)
            after, link = name.last, bytes.fromhex(name.hash)
            ends.append(after)
        return ends

    def _confirm(self, segment: Segment) -> None:
        while len(self._confirmed) >= _CONFIRMED:
            self._confirmed.pop(next(iter(self._confirmed)))
        self._confirmed[segment.cell, segment.name] = segment.previous

    async def _is_whole_at(self, target: Target, segment: Segment) -> bool:
        try:
            content = await target.get(_path(segment.cell, segment.name))
        except _FAULTS:
            return False
        return await asyncio.to_thread(_is_whole, content, segment)

    async def read(self, cell: str, first: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries from `first` on; an empty list if none has it."""
        segment = await self._holding(cell, first)
        if segment is None:
            return []
        skipped = first - segment.first
        return segment.entries[skipped : skipped + limit]

    async def segments(self, cell: str) -> set[SegmentName]:
        """Return the names of all segments of a cell that any target lists."""
        return set(await self._refresh(cell, 1))

    async def hash_at(self, cell: str, sequence: int) -> bytes | None:
        """Return the chain hash of the archived batch that ends at `sequence`, if one does."""
        if sequence == 0:
            return GENESIS_HASH
        segment = await self._holding(cell, sequence)
        return None if segment is None else segment.ends.get(sequence)

    async def _holding(self, cell: str, sequence: int) -> Segment | None:
        for (of, name), segment in self._open.items():
            if of == cell and name.first <= sequence <= name.last:
                return segment
        found = _holding(self._names.get(cell, set()), sequence)
        if found is None:
            found = _holding(await self._refresh(cell, sequence), sequence)
        if found is None:
            return None
        name = found
        segment = await self._load(cell, name)
        befores = {each.hash for each in self._names[cell] if each.last == segment.first - 1}
        if segment.first == 1:
            befores = {GENESIS_HASH.hex()}
        if befores and segment.previous.hex() not in befores:
            raise JournalDamagedError(
                f"the archive's segment {name} of {cell} does not follow the one before it"
            )
        while len(self._open) >= _OPEN_SEGMENTS:
            self._open.pop(next(iter(self._open)))
        self._open[cell, name] = segment
        return segment

    async def _load(self, cell: str, name: SegmentName) -> Segment:
        """Return the first whole copy of a segment."""
        damage: list[str] = []
        faults: list[str] = []
        for target in self.targets:
            try:
                content = await target.get(_path(cell, name))
                if content is not None:
                    return await asyncio.to_thread(decode, content, cell, name)
            except JournalDamagedError as error:
                damage.append(f"{target.url}: {error}")
                _log.warning("archived copy is damaged", target=target.url, error=str(error))
            except _FAULTS as error:
                faults.append(f"{target.url}: {error}")
        if faults:
            raise JournalUnavailableError(
                f"segment {name} of {cell} cannot be read: " + "; ".join(faults + damage)
            )
        raise JournalDamagedError(
            f"no whole copy of segment {name} of {cell} is left: "
            + ("; ".join(damage) or "it is at none of the targets")
        )

    async def _refresh(self, cell: str, sequence: int) -> set[SegmentName]:
        """List what there is near `sequence` and after; raise if no target answers."""
        lists = [await self._list(target, cell, sequence) for target in self.targets]
        if all(names is None for names in lists):
            raise JournalUnavailableError(f"no archive target can be listed for {cell}")
        known = self._names.setdefault(cell, set())
        known.update(*(names for names in lists if names is not None))
        return known

    async def _list(self, target: Target, cell: str, near: int) -> set[SegmentName] | None:
        try:
            return await target.names(cell, near)
        except _FAULTS as error:
            _log.warning("archive target failed", target=target.url, error=str(error))
            return None


def _holding(names: set[SegmentName], sequence: int) -> SegmentName | None:
    """Return the name of the longest segment that holds `sequence`."""
    holding = [name for name in names if name.first <= sequence <= name.last]
    return max(holding, key=lambda name: (name.last, name.hash), default=None)


def _path(cell: str, name: SegmentName) -> str:
    return f"{cell}/{name}"


def _is_whole(content: bytes | None, segment: Segment) -> bool:
    if content is None:
        return False
    try:
        decode(content, segment.cell, segment.name)
    except JournalDamagedError:
        return False
    return True


def _sync(path: Path) -> None:
    """Make a file durable, and its name and its folder's in the folders above."""
    for each in (path, path.parent, path.parent.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
