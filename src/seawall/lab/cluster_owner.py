"""Takes faults from other terminals.  The rule: one verb, one method of a provider."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from seawall.lab.cluster_control import DOWN, LINE_BYTES, STATUS, Ask, Told
from seawall.lab.etcd import EtcdLabError
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.local_provider import LocalProvider
from seawall.lab.local_state import ClusterError
from seawall.lab.netns import NetworkError
from seawall.lab.small_disk import DiskError


async def _cut(provider: LocalProvider, ask: Ask) -> str:
    await provider.cut(ask.one_way or None)
    return f"cut {ask.one_way}".strip()


async def _heal(provider: LocalProvider, _: Ask) -> str:
    await provider.heal()
    return "healed"


async def _kill(provider: LocalProvider, _: Ask) -> str:
    await provider.kill()
    return "killed"


async def _start(provider: LocalProvider, _: Ask) -> str:
    await provider.start()
    return "started"


async def _pause(provider: LocalProvider, _: Ask) -> str:
    await provider.pause()
    return "paused"


async def _resume(provider: LocalProvider, _: Ask) -> str:
    await provider.resume()
    return "resumed"


async def _slow(provider: LocalProvider, ask: Ask) -> str:
    means = await provider.slow(ask.delay_ms, ask.loss_percent)
    if means == "netem":
        return f"sends {ask.delay_ms} ms late"
    return f"stopped for {ask.delay_ms} ms again and again (the kernel has no netem)"


async def _disk_full(provider: LocalProvider, _: Ask) -> str:
    await provider.disk_full()
    return "has no byte free"


async def _disk_ok(provider: LocalProvider, _: Ask) -> str:
    await provider.disk_ok()
    return "has space again"


VERBS: Final[dict[str, Callable[[LocalProvider, Ask], Awaitable[str]]]] = {
    "cut": _cut,
    "heal": _heal,
    "kill": _kill,
    "start": _start,
    "pause": _pause,
    "resume": _resume,
    "slow": _slow,
    "disk-full": _disk_full,
    "disk-ok": _disk_ok,
}


@asynccontextmanager
async def controlled(cluster: LocalCluster, on_down: Callable[[], None]) -> AsyncIterator[None]:
    """Take faults for the cluster while entered."""
    # A socket's name has a hundred characters at most, and the data may lie deep.
    folder = Path(tempfile.mkdtemp(prefix="seawall-"))
    control = _Control(cluster, on_down)
    cluster.socket = str(folder / "control")
    try:
        server = await asyncio.start_unix_server(control.answer, cluster.socket, limit=LINE_BYTES)
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Control:
    """Answers for one cluster."""

    def __init__(self, cluster: LocalCluster, on_down: Callable[[], None]) -> None:
        self._cluster = cluster
        self._on_down = on_down

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ask = msgspec.json.decode(await reader.readline(), type=Ask)
            told = await self._do(ask)
        except msgspec.DecodeError as error:
            told = Told(error=str(error))
        writer.write(msgspec.json.encode(told) + b"\n")
        try:
            await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    async def _do(self, ask: Ask) -> Told:
        if ask.verb == STATUS:
            status = await self._cluster.status()
            return Told(status=[msgspec.to_builtins(each) for each in status])
        if ask.verb == DOWN:
            self._on_down()
            return Told(said="stops")
        act = VERBS.get(ask.verb)
        if act is None:
            return Told(error=f"nobody knows how to {ask.verb}")
        try:
            said = await act(self._cluster.provider(ask.provider), ask)
        except (ClusterError, NetworkError, DiskError, EtcdLabError, OSError) as error:
            return Told(error=str(error))
        return Told(said=said)
