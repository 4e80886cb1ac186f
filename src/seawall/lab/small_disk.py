"""A small file system for one provider.  The rule: it is full when it is told so, and not before.

An ext4 image in a sparse file, mounted by loop: what lies on it survives a restart and is synced
as on a real disk.  A balloon file takes what is left, and gives it back.  Needs root.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from seawall.lab.netns import NetworkError, run

DISK_BYTES: Final = 2 << 30
_BALLOON: Final = "balloon"


class DiskError(Exception):
    """The disk could not be made or changed; the message has what was said."""


class SmallDisk:
    """One image, mounted on one folder."""

    def __init__(self, folder: Path, size_bytes: int = DISK_BYTES) -> None:
        self.folder = folder
        self.image = folder.with_suffix(".ext4")
        self._size_bytes = size_bytes

    async def mount(self) -> None:
        """Make the image unless there is one, and mount it unless it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.folder.is_mount():
            return
        try:
            if not self.image.exists():
                with self.image.open("wb") as file:
                    file.truncate(self._size_bytes)
                await run(["mkfs.ext4", "-q", "-m", "0", str(self.image)])
            await run(["mount", "-o", "loop", str(self.image), str(self.folder)])
        except (NetworkError, OSError) as error:
            raise DiskError(f"no small disk can be made: {error}") from error

    async def unmount(self) -> None:
        self.empty()
        if self.folder.is_mount():
            with contextlib.suppress(NetworkError):
                await run(["umount", str(self.folder)])

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.folder / _BALLOON).open("ab") as file:
            step = 1 << 30
            while step >= 1:
                free = os.statvfs(self.folder)
                left = min(step, free.f_bavail * free.f_frsize)
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, max(left, 1))
                except OSError:
                    step //= 2

    def empty(self) -> None:
        """Give back what the balloon took."""
        (self.folder / _BALLOON).unlink(missing_ok=True)
