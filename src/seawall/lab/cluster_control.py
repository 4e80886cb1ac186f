"""Faults from another terminal.  The rule: only whoever runs the cluster touches its processes.

`seawall cluster up` answers on a unix socket that its owner alone may open; one line of JSON asks,
one answers.  `cluster_owner.py` is the other end.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from seawall.lab.local_process import birth
from seawall.lab.local_state import ClusterError, read_state

DOWN: Final = "down"
STATUS: Final = "status"
LINE_BYTES: Final = 1 << 20


class Ask(Struct, frozen=True, kw_only=True):
    """What is to be done, and to whom."""

    verb: str
    provider: str = ""
    one_way: str = ""
    delay_ms: int = 200
    loss_percent: float = 0.0


class Told(Struct, frozen=True, kw_only=True):
    """What came of it."""

    error: str = ""
    said: str = ""
    status: list[dict[str, Any]] = field(default_factory=list)


async def tell(directory: Path, ask: Ask) -> Told:
    """Ask whoever runs the cluster on `directory`; raise ClusterError if nobody does."""
    state = read_state(directory)
    if state is None or birth(state.owner.pid) != state.owner:
        raise ClusterError(f"no cluster runs on {directory}")
    try:
        reader, writer = await asyncio.open_unix_connection(state.socket, limit=LINE_BYTES)
    except OSError as error:
        raise ClusterError(f"the cluster on {directory} does not answer: {error}") from error
    try:
        writer.write(msgspec.json.encode(ask) + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    try:
        return msgspec.json.decode(line, type=Told)
    except msgspec.DecodeError as error:
        raise ClusterError(f"the cluster on {directory} was stopped meanwhile") from error
