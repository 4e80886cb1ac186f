"""One provider of a local cluster, and its faults.  The rule: each fault has one that undoes it.

A provider that is cut keeps running and is not told; one that is killed comes back by `start`.
`slow` delays by netem where the kernel has it, else by stopping the processes again and again.
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.lab.etcd import EtcdMember
from seawall.lab.local_process import LocalProcess
from seawall.lab.local_state import ClusterError
from seawall.lab.netns import NetworkError
from seawall.lab.small_disk import SmallDisk

if TYPE_CHECKING:
    from seawall.lab.local_cluster import LocalCluster

__all__ = ["ClusterError", "LocalNode", "LocalProvider"]

STOP_S: Final = 30.0
MEMBER_STOP_S: Final = 1.0
RUN_SHARE: Final = 0.25
"""Of the delay, how long a slow provider runs between two stops."""


class LocalNode:
    """One node's process and how it is started."""

    def __init__(
        self,
        name: str,
        output: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        data: Path,
    ) -> None:
        self.name = name
        self.data = data
        self.process = LocalProcess(name, output)
        self._command = command
        self._environment = environment

    def start(self) -> None:
        self.process.start(self._command, self._environment)


class LocalProvider:
    """Its etcd members and nodes, and what can befall them."""

    def __init__(
        self,
        name: str,
        cluster: "LocalCluster",
        members: list[EtcdMember],
        nodes: list[LocalNode],
        disk: SmallDisk | None,
    ) -> None:
        self.name = name
        self.members = members
        self.nodes = nodes
        self.members_of_all: list[EtcdMember] = []
        self.state = "down"
        """up, down, killed, paused, slow, cut or full: the last that befell it."""
        self._cluster = cluster
        self._disk = disk
        self._slowing: asyncio.Task[None] | None = None

    def pids(self) -> dict[str, int]:
        """Return the ids of the processes that run."""
        found = {f"etcd {each.name}": each.pid for each in self.members}
        found |= {f"node {each.name}": each.process.pid for each in self.nodes}
        return {name: pid for name, pid in found.items() if pid is not None}

    async def start(self) -> None:
        """Start what does not run."""
        for member in self.members:
            if member.pid is None:
                member.start(self.members_of_all)
        for node in self.nodes:
            node.start()
        self._became("up")

    async def stop_nodes(self) -> None:
        await self._stop_slowing()
        self._signal(signal.SIGCONT)
        await asyncio.gather(*(node.process.stop(STOP_S) for node in self.nodes))

    async def stop(self) -> None:
        """End everything here in an orderly way."""
        await self.stop_nodes()
        await asyncio.gather(*(self._stop_member(member) for member in self.members))
        if self._disk is not None:
            await self._disk.unmount()
        self.state = "down"

    async def _stop_member(self, member: EtcdMember) -> None:
        """Stop it; one whose companions stop too waits for them in vain, and loses nothing."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(member.stop(), MEMBER_STOP_S)
        await member.kill()

    async def kill(self) -> None:
        """End everything here without a chance to clean up."""
        await self._stop_slowing()
        self._signal(signal.SIGKILL)
        await asyncio.gather(
            *(member.kill() for member in self.members),
            *(node.process.kill() for node in self.nodes),
        )
        self._became("killed")

    async def pause(self) -> None:
        """Stop everything here in the middle of what it does."""
        await self._stop_slowing()
        self._signal(signal.SIGSTOP)
        self._became("paused")

    async def resume(self) -> None:
        await self._stop_slowing()
        self._signal(signal.SIGCONT)
        self._became("up")

    async def cut(self, one_way: str | None = None, *, clients: bool = False) -> None:
        """Cut it off the other providers: both ways, or only what comes `in` or goes `out`.

        The machine itself, where the clients are, still reaches it unless `clients`.
        """
        if one_way not in {None, "", "in", "out"}:
            raise ClusterError(f"a cut is one way `in` or `out`, not `{one_way}`")
        network = self._cluster.network
        if network is None:
            raise ClusterError(
                "only network namespaces can be cut, and this cluster runs on loopback addresses:"
                " run it as root on Linux; kill and pause work everywhere"
            )
        await network.cut(self.name, one_way or "", clients=clients)
        self._became("cut")

    async def heal(self) -> None:
        """Undo cuts, slowness and a full disk; what was killed or paused stays so."""
        network = self._cluster.network
        if network is not None:
            await network.heal(self.name)
            with contextlib.suppress(NetworkError):
                await network.hasten(self.name)
        if self._slowing is not None:
            await self.resume()
        if self._disk is not None:
            self._disk.empty()
        if self.state in {"cut", "slow", "full"}:
            self._became("up")

    async def slow(self, delay_ms: int = 200, loss_percent: float = 0.0) -> str:
        """Delay what it sends, and lose some of it; return by which means."""
        await self._stop_slowing()
        network = self._cluster.network
        if network is not None:
            try:
                await network.slow(self.name, delay_ms, loss_percent)
            except NetworkError:
                pass
            else:
                self._became("slow")
                return "netem"
        if loss_percent:
            raise ClusterError("packets can be lost only where the kernel has netem (sch_netem)")
        self._slowing = asyncio.get_running_loop().create_task(self._stop_and_go(delay_ms / 1_000))
        self._became("slow")
        return "stops"

    async def disk_full(self) -> None:
        """Leave no byte free where its data is."""
        if self._disk is None:
            raise ClusterError(
                "this provider's data is on the machine's own disk, which is not filled: start the"
                " cluster with small disks (--small-disks; needs root)"
            )
        await asyncio.to_thread(self._disk.fill)
        self._became("full")

    async def disk_ok(self) -> None:
        if self._disk is not None:
            await asyncio.to_thread(self._disk.empty)
        self._became("up")

    def _signal(self, number: signal.Signals) -> None:
        for member in self.members:
            member.signal(number)
        for node in self.nodes:
            node.process.signal(number)

    async def _stop_and_go(self, stop_s: float) -> None:
        try:
            while True:
                self._signal(signal.SIGSTOP)
                await asyncio.sleep(stop_s)
                self._signal(signal.SIGCONT)
                await asyncio.sleep(stop_s * RUN_SHARE)
        finally:
            self._signal(signal.SIGCONT)

    async def _stop_slowing(self) -> None:
        task, self._slowing = self._slowing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _became(self, state: str) -> None:
        self.state = state
        self._cluster.note()
