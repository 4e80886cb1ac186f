"""Reads what one etcd member's data directory holds.  The rule: never the only copy.

The directory is copied, and an etcd of its own, alone and reachable from this machine only, is made
to serve the copy; then the copy is thrown away.  What the member had in its log and did not know to
be committed is read from the log itself (`etcd_wal.py`).
"""

import asyncio
import fcntl
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aetcd import rpc
from msgspec import Struct

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdError, EtcdSettings
from seawall.journal.etcd_rows import Batch, Keys
from seawall.journal.etcd_wal import MemberLog, read_member_log
from seawall.journal.port import JournalError

NAMESPACE: Final = "seawall"
START_S: Final = 60.0
POLL_S: Final = 0.1
_STOP_S: Final = 10.0
_HOST: Final = "127.0.0.1"


class SalvageError(Exception):
    """The directory cannot be read; the message says why."""


class Held(Struct, frozen=True, kw_only=True):
    """What one member has of one cell."""

    committed: list[Batch]
    log: MemberLog


class Salvaged(Struct, frozen=True, kw_only=True):
    """What one member has."""

    cluster: str
    """The cluster's id, in hexadecimal: no new cluster may have it."""
    cells: dict[str, Held]


async def salvage(etcd: Path, member: Path, work: Path, cells: Sequence[str]) -> Salvaged:
    """Return what the member's data directory holds of each cell; raise SalvageError."""
    database = member / "member" / "snap" / "db"
    if not database.is_file():
        raise SalvageError(f"{member} is no etcd member's data directory")
    _check_stopped(database)
    copy = work / f"copy-of-{member.name}"
    await asyncio.to_thread(_copy, member, copy)
    try:
        logs = {
            cell: await asyncio.to_thread(read_member_log, copy, Keys(NAMESPACE, cell))
            for cell in cells
        }
        cluster, committed = await _committed(etcd, copy, cells)
    except ValueError as error:
        raise SalvageError(f"{member}: {error}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, copy, ignore_errors=True)
    held = {cell: Held(committed=committed[cell], log=logs[cell]) for cell in cells}
    return Salvaged(cluster=cluster, cells=held)


def _check_stopped(database: Path) -> None:
    with database.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            raise SalvageError(f"an etcd runs on {database}: stop it first") from None


def _copy(member: Path, copy: Path) -> None:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(member, copy)


async def _committed(
    etcd: Path, copy: Path, cells: Sequence[str]
) -> tuple[str, dict[str, list[Batch]]]:
    """Return the cluster's id, and what etcd itself serves of the copy."""
    client_port, peer_port = _free_ports()
    url, peer = f"http://{_HOST}:{client_port}", f"http://{_HOST}:{peer_port}"
    log = copy.with_suffix(".log")
    flags = {
        "name": "salvage",
        "data-dir": str(copy),
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"salvage={peer}",
        "heartbeat-interval": "20",
        "election-timeout": "200",
        "logger": "zap",
        "log-level": "warn",
        "quota-backend-bytes": str(8 << 30),
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(etcd),
            "--force-new-cluster",
            *(f"--{name}={value}" for name, value in flags.items()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={name: value for name, value in os.environ.items() if not name.startswith("ETCD")},
        )
    client = EtcdClient(EtcdSettings(endpoints=(f"{_HOST}:{client_port}",)))
    try:
        cluster = await _served(client, process, log)
        return cluster, {cell: await _batches(client, cell) for cell in cells}
    except (JournalError, EtcdError) as error:
        raise SalvageError(str(error)) from error
    finally:
        await client.close()
        await _stop(process)


async def _served(client: EtcdClient, process: asyncio.subprocess.Process, log: Path) -> str:
    """Return the cluster's id once the member serves."""
    until_s = asyncio.get_running_loop().time() + START_S
    while asyncio.get_running_loop().time() < until_s:
        if process.returncode is not None:
            break
        try:
            status = await client.once(client.members[0], "Status", rpc.StatusRequest(), 1.0)
            if status.leader:
                return f"{status.header.cluster_id:x}"
        except EtcdError:
            pass
        await asyncio.sleep(POLL_S)
    words = await asyncio.to_thread(log.read_text, errors="replace")
    raise SalvageError(f"etcd does not serve the copy: {words[-600:]}")


async def _batches(client: EtcdClient, cell: str) -> list[Batch]:
    journal = await EtcdJournal.open(client, cell, namespace=NAMESPACE)
    bounds = await journal.bounds()
    if bounds is None:
        return []
    oldest, newest = bounds
    found: list[Batch] = []
    first = oldest.first
    while first <= newest.last:
        batches = await journal.batches(first, newest.last)
        if not batches:
            raise SalvageError(f"{cell}: entry {first} is missing")
        found += batches
        first = batches[-1].last + 1
    return found


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind((_HOST, 0))
        two.bind((_HOST, 0))
        return int(one.getsockname()[1]), int(two.getsockname()[1])
