"""Processes that a laboratory starts, and finds again.  The rule: a process id alone is no name.

Ids are used again, so a process is known by its id and the moment it started; whoever no longer
has that moment is somebody else, and is left alone.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

_START_TIME: Final = 19
"""Of the fields after the name in /proc/PID/stat."""
TAIL_CHARS: Final = 2_000


class Birth(Struct, frozen=True, kw_only=True):
    """Which process it is."""

    pid: int
    started: str


def birth(pid: int) -> Birth | None:
    """Return the process's name among all that ever were; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        asked = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        started = asked.stdout.strip()
    else:
        fields = text.rpartition(")")[2].split()
        started = "" if fields[0] == "Z" else fields[_START_TIME]
    return Birth(pid=pid, started=started) if started else None


def end_for_certain(known: Birth) -> bool:
    """Kill what is left of an earlier run; return whether it was there."""
    if birth(known.pid) != known:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(known.pid, signal.SIGKILL)
    return True


class LocalProcess:
    """One program, started as often as needed."""

    def __init__(self, name: str, output: Path) -> None:
        self.name = name
        self.output = output
        """Its standard output and error, of all its lives."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Return the running process's id."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Return how it ended; None if it runs or never ran."""
        return None if self._process is None else self._process.poll()

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        if self.pid is not None:
            return
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=dict(environment),
                # Ctrl-C is for whoever started the cluster, who ends its parts in order.
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Signal the process, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self, patience_s: float) -> int:
        """End it in an orderly way, or kill it after `patience_s`; return how it ended."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended(), patience_s)
        except TimeoutError:
            await self.kill()
        return self.code or 0

    async def ended(self) -> None:
        """Return once it runs no more."""
        while self._process is not None and self._process.poll() is None:  # noqa: ASYNC110  (a thread that waits could not be called off)
            await asyncio.sleep(0.02)

    def last_words(self) -> str:
        if not self.output.exists():
            return ""
        return self.output.read_text(errors="replace")[-TAIL_CHARS:]
