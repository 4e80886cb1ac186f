"""etcd members as processes of their own.  The rule: only what a class here started is signalled.

A member is stopped, killed, paused and thawed by its own process id.  `launcher` is put before the
command, for a member in a network namespace or under a limit.  Timing and quota are those of
docs/operating/etcd.md unless a test needs others.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aetcd import rpc
from msgspec import Struct

from seawall.journal.etcd_client import EtcdClient, EtcdError, EtcdSettings, EtcdTls

HOST: Final = "127.0.0.1"
START_S: Final = 30.0
POLL_S: Final = 0.05
STOP_S: Final = 10.0


class EtcdLabError(Exception):
    """A member did not do what every test needs; the message has its own last words."""


class EtcdTiming(Struct, frozen=True, kw_only=True):
    heartbeat_ms: int = 50
    election_ms: int = 500


def find_etcd() -> Path:
    """Return etcd's binary: SEAWALL_ETCD, or one on the path."""
    named = os.environ.get("SEAWALL_ETCD")
    found = named or shutil.which("etcd")
    if found is None or not Path(found).is_file():
        raise EtcdLabError("etcd is missing: install it (etcd-server), or set SEAWALL_ETCD to it")
    return Path(found)


def free_ports(count: int, host: str = HOST) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((host, 0))
        return [int(each.getsockname()[1]) for each in sockets]


class EtcdMember:
    """One member; its data outlives its process."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        client: str,
        peer: str,
        tls: EtcdTls | None = None,
        quota_bytes: int = 2 << 30,
        timing: EtcdTiming | None = None,
        launcher: Sequence[str] = (),
        own_session: bool = False,
        token: str = "",
    ) -> None:
        self.name = name
        self.directory = directory
        self.client = client
        """`host:port` for clients, as clients reach it."""
        self.peer = peer
        self.tls = tls
        self.quota_bytes = quota_bytes
        self.timing = timing or EtcdTiming()
        self.launcher = tuple(launcher)
        self.own_session = own_session
        """Whether Ctrl-C at the terminal is kept from it, for whoever ends it in order."""
        self.token = token
        """Sets a cluster apart from an earlier one at the same addresses."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    @property
    def pid(self) -> int | None:
        """Return the running process's id."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def has_failed(self) -> bool:
        """Return whether the process ended by itself, with an error."""
        return self._process is not None and (self._process.poll() or 0) > 0

    @property
    def log(self) -> Path:
        return self.directory.with_suffix(".log")

    def arguments(self, members: Sequence["EtcdMember"]) -> list[str]:
        """Return etcd's flags; `members` are all, this one among them."""
        client, peer = f"{self.scheme}://{self.client}", f"{self.scheme}://{self.peer}"
        cluster = ",".join(f"{each.name}={each.scheme}://{each.peer}" for each in members)
        flags = {
            "name": self.name,
            "data-dir": str(self.directory),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": cluster,
            "initial-cluster-state": "new",
            "heartbeat-interval": str(self.timing.heartbeat_ms),
            "election-timeout": str(self.timing.election_ms),
            "pre-vote": "true",
            "quota-backend-bytes": str(self.quota_bytes),
            "max-request-bytes": str(2 << 20),
            "snapshot-count": "10000",
            "logger": "zap",
            "log-level": "warn",
        }
        if self.token:
            flags["initial-cluster-token"] = self.token
        if self.tls is not None:
            for side in ("", "peer-"):
                flags[f"{side}trusted-ca-file"] = str(self.tls.ca)
                flags[f"{side}cert-file"] = str(self.tls.certificate)
                flags[f"{side}key-file"] = str(self.tls.key)
                flags[f"{side}client-cert-auth"] = "true"
        return [f"--{name}={value}" for name, value in flags.items()]

    def start(self, members: Sequence["EtcdMember"]) -> None:
        """Start the process; it is not ready yet.  It belongs to no event loop."""
        if self.pid is not None:
            raise EtcdLabError(f"etcd member {self.name} runs already")
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self.launcher, str(find_etcd()), *self.arguments(members)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=self.own_session,
                # A variable of etcd's own would overrule nothing silently.
                env={key: value for key, value in os.environ.items() if not _is_etcds(key)},
            )

    def signal(self, number: signal.Signals) -> None:
        """Signal this member's process, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def pause(self) -> None:
        """Stop the process without ending it; when this returns none of its threads runs."""
        pid = self.pid
        self.signal(signal.SIGSTOP)
        if pid is not None:
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End the process without a chance to clean up."""
        self.signal(signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        """End the process; kill it if it does not end in time."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._ended(), STOP_S)
        except TimeoutError:
            await self.kill()

    async def _ended(self) -> None:
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    def last_words(self, chars: int = 1_500) -> str:
        return self.log.read_text(errors="replace")[-chars:] if self.log.exists() else ""


class EtcdCluster:
    """Members that make one cluster; each may have an address of its own."""

    def __init__(self, members: Sequence[EtcdMember]) -> None:
        self.members = list(members)

    @classmethod
    def local(
        cls,
        directory: Path,
        size: int = 3,
        *,
        tls: EtcdTls | None = None,
        quota_bytes: int = 2 << 30,
        timing: EtcdTiming | None = None,
    ) -> "EtcdCluster":
        """Return `size` members on free ports of the loopback address, not started."""
        ports = free_ports(2 * size)
        return cls(
            [
                EtcdMember(
                    f"member-{number}",
                    directory / f"member-{number}",
                    client=f"{HOST}:{ports[2 * number]}",
                    peer=f"{HOST}:{ports[2 * number + 1]}",
                    tls=tls,
                    quota_bytes=quota_bytes,
                    timing=timing,
                )
                for number in range(size)
            ]
        )

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(member.client for member in self.members)

    def settings(self, tls: EtcdTls | None = None) -> EtcdSettings:
        """Return what a client needs; with the members' own certificate unless given another."""
        return EtcdSettings(endpoints=self.endpoints, tls=tls or self.members[0].tls)

    async def start(self) -> None:
        """Start all, and return once they have a leader."""
        for member in self.members:
            member.start(self.members)
        await self.leader()

    async def restart(self, member: EtcdMember) -> None:
        """Start a member again on its data, and return once it serves."""
        member.start(self.members)
        deadline_s = asyncio.get_running_loop().time() + START_S
        while asyncio.get_running_loop().time() < deadline_s:
            status = await self._status(member)
            if status is not None and status.leader:
                return
            self._check_running(member)
            await asyncio.sleep(POLL_S)
        raise EtcdLabError(f"{member.name} does not serve: {member.last_words()}")

    async def leader(self) -> EtcdMember:
        """Return the member that leads, as the first says that knows it; wait for one."""
        deadline_s = asyncio.get_running_loop().time() + START_S
        while asyncio.get_running_loop().time() < deadline_s:
            for member in self.members:
                if member.pid is None:
                    self._check_running(member)
                    continue
                status = await self._status(member)
                if status is not None and status.leader == status.header.member_id:
                    return member
            await asyncio.sleep(POLL_S)
        raise EtcdLabError(f"no leader after {START_S:g} s: {self.members[0].last_words()}")

    async def followers(self) -> list[EtcdMember]:
        leader = await self.leader()
        return [member for member in self.members if member is not leader]

    async def stop(self) -> None:
        """End all, one after the other: a leader that ends first gives its lead to another.

        Ended together with the others it waits six seconds for somebody to take it.
        """
        for member in self.members:
            member.thaw()
        for member in self.members:
            await member.stop()

    async def kill(self) -> None:
        await asyncio.gather(*(member.kill() for member in self.members))

    def _check_running(self, member: EtcdMember) -> None:
        """Raise if a member ended by itself: it will never serve."""
        if member.has_failed:
            raise EtcdLabError(f"etcd member {member.name} ended: {member.last_words()}")

    async def _status(self, member: EtcdMember) -> "rpc.StatusResponse | None":
        client = EtcdClient(EtcdSettings(endpoints=(member.client,), tls=member.tls))
        try:
            return await client.once(client.members[0], "Status", rpc.StatusRequest(), 1.0)
        except EtcdError:
            return None
        finally:
            await client.close()


def _is_etcds(variable: str) -> bool:
    return variable.startswith(("ETCD_", "ETCDCTL_"))
