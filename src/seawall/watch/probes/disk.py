"""How long this machine's disk takes to keep four kilobytes.  The rule: a hung disk hangs nobody.

The thread that waits for the disk cannot be canceled, so there is one, and while it waits every
look says for how long it has.
"""

import asyncio
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import ms
from seawall.watch.probes.outcome import Outcome, answered, failed, unable

SIZE: Final = 4_096
SLOW_MS: Final = 250


class DiskProbe:
    """One folder's disk."""

    def __init__(self, folder: Path, *, slow_ms: int = SLOW_MS) -> None:
        self._file = folder / "disk-probe"
        self._slow_ns = slow_ms * 1_000_000
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="disk-probe")
        self._pending: Future[int] | None = None
        self._began_ns = 0

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> Outcome:
        if self._pending is None or self._pending.done():
            self._began_ns = time.monotonic_ns()
            self._pending = self._thread.submit(self.sync)
        elif (waited_ns := time.monotonic_ns() - self._began_ns) > self._slow_ns:
            return failed(f"a write has waited {waited_ns / 1e9:.1f} s for the disk", reached=True)
        try:
            took_ns = await asyncio.shield(asyncio.wrap_future(self._pending))
        except PermissionError as error:
            return unable(f"this watcher may not write there: {error.strerror}")
        except OSError as error:
            return answered(Health.DOWN, f"the disk does not keep a file: {error.strerror}")
        slow = took_ns > self._slow_ns
        health = Health.DEGRADED if slow else Health.OK
        return answered(health, f"4 kB kept in {ms(took_ns)}", latency_ns=took_ns)

    def sync(self) -> int:
        """Write and sync; return the nanoseconds that it took."""
        began_ns = time.monotonic_ns()
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, os.urandom(SIZE))
            os.fsync(handle)
        finally:
            os.close(handle)
        return time.monotonic_ns() - began_ns
