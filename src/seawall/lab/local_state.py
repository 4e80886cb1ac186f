"""What runs on a directory, for those who did not start it.  The rule: read, and never guessed."""

import contextlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from seawall.lab.local_process import Birth

STATE_FILE: Final = "cluster.json"


class ClusterError(Exception):
    """The cluster did not do what it was asked to; the message says why."""


class ClusterState(Struct, frozen=True, kw_only=True):
    """What `cluster.json` says."""

    owner: Birth
    """Whoever runs the cluster, and takes faults by its socket."""
    socket: str
    namespaces: dict[str, str]
    gateways: dict[str, str]
    processes: dict[str, Birth]


def read_state(directory: Path) -> ClusterState | None:
    """Return what `cluster.json` says; None if no cluster was left or runs there."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((directory / STATE_FILE).read_bytes(), type=ClusterState)
    return None
