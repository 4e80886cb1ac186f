"""etcd's own gap, measured beside the exchange's.  The rule: the plainest writer that there can be.

While providers are hurt, puts of one small key go to each member, a new one at a steady pace
whatever became of the last.  The longest time in which none succeeded anywhere is what etcd itself
needs; what the exchange needs beyond that is its own.
"""

import asyncio
import time
from typing import Any, Final

from aetcd import rpc

from seawall.journal.etcd_client import EtcdClient, EtcdError, EtcdSettings
from seawall.lab.local_cluster import LocalCluster

PACE_S: Final = 0.05
ANSWER_S: Final = 1.0
WAITING: Final = 30
"""Puts to one member that may wait at once."""
KEY: Final = b"/drill/bare"


class BareEtcd:
    """A client of each member."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.acks_s: list[float] = []
        self._clients = {
            place.name: EtcdClient(
                EtcdSettings(endpoints=(place.client,), tls=cluster.tls(place.name))
            )
            for place in cluster.topology.etcd
        }
        self._providers = {place.name: place.provider for place in cluster.topology.etcd}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for name in self._clients:
            self._keep(self._write(name))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    async def leader(self) -> str:
        """Return the provider of the member that leads; "" if none says so."""
        for name in self._clients:
            status = await self._status(name)
            if status is not None and status.leader == status.header.member_id:
                return self._providers[name]
        return ""

    async def move_leader(self, provider: str) -> bool:
        """Have a member of this provider lead; return whether one does."""
        target = next(name for name, where in self._providers.items() if where == provider)
        status = await self._status(target)
        if status is None:
            return False
        for name in self._clients:
            leading = await self._status(name)
            if leading is not None and leading.leader == leading.header.member_id:
                if name != target:
                    request = rpc.MoveLeaderRequest(targetID=status.header.member_id)
                    await self._once(name, "MoveLeader", request)
                break
        return await self.leader() == provider

    async def serves(self, provider: str) -> bool:
        """Return whether each member of the provider answers, and knows a leader."""
        said = [
            await self._status(name) for name, where in self._providers.items() if where == provider
        ]
        return all(status is not None and status.leader for status in said)

    async def _write(self, name: str) -> None:
        waiting: set[asyncio.Task[None]] = set()
        try:
            while True:
                if len(waiting) < WAITING:
                    task = asyncio.get_running_loop().create_task(self._put(name))
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)
                await asyncio.sleep(PACE_S)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _put(self, name: str) -> None:
        if await self._once(name, "Put", rpc.PutRequest(key=KEY, value=b"x")) is not None:
            self.acks_s.append(time.monotonic())

    async def _status(self, name: str) -> Any:
        return await self._once(name, "Status", rpc.StatusRequest())

    async def _once(self, name: str, method: str, request: Any) -> Any:
        client = self._clients[name]
        try:
            return await client.once(client.members[0], method, request, ANSWER_S)
        except EtcdError:
            return None

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
