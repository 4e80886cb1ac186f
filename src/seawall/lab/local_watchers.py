"""The watchers of a local cluster, one at each provider.  The rule: heard before it is called well.

Each runs as `seawall watch run` in its provider's namespace, with a key of its own that the control
cell is told to believe.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

from seawall.lab.exchange_process import environment
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.local_process import LocalProcess
from seawall.lab.local_topology import FILE
from seawall.model.ids import CELLS
from seawall.model.watch_facts import Health
from seawall.watch.signing import make_key, public_half, read_key

SETTINGS: Final = "seawall.toml"
LOOK_S: Final = 0.2
STOP_S: Final = 10.0


class LocalWatchers:
    """One watcher for each provider."""

    def __init__(self, cluster: LocalCluster, folder: Path, person: str) -> None:
        self.person = person
        """Who vouches for them."""
        self.names: list[str] = []
        self._cluster = cluster
        self._folder = folder
        self._processes: dict[str, LocalProcess] = {}

    async def start(self) -> None:
        """Make each a key, have it believed, and start it."""
        for name in self._cluster.providers:
            key = await asyncio.to_thread(self._key, name)
            body = {"watcher": name, "provider": name, "key": key, "person": self.person}
            await self._cluster.operator("watchers", body)
            self._processes[name] = LocalProcess(
                f"watcher {name}", self._folder / f"watcher-{name}.output"
            )
            self.names.append(name)
            self.start_one(name)

    def start_one(self, name: str) -> None:
        """Start a provider's watcher, at the provider; one that runs is left alone."""
        cluster = self._cluster
        launcher = cluster.network.launcher(name) if cluster.network else []
        command = [*launcher, sys.executable, "-m", "seawall", "watch", "run"]
        command += ["--topology", str(cluster.directory / FILE), "--name", name]
        command += ["--data", str(self._folder / name)]
        if (cluster.directory / SETTINGS).exists():
            command += ["--config", str(cluster.directory / SETTINGS)]
        self._processes[name].start(command, environment())

    def kill_one(self, name: str) -> None:
        self._processes[name].signal(signal.SIGKILL)

    async def well(self) -> None:
        """Return once they agree that every cell and provider is well."""
        while True:
            verdicts = (await self._cluster.operator("control", method="GET"))["verdicts"]
            wanted = [f"provider/{name}" for name in self.names]
            wanted += [f"cell/{name}" for name in CELLS]
            if all(verdicts.get(name, {}).get("health") == Health.OK for name in wanted):
                return
            await asyncio.sleep(LOOK_S)

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop(STOP_S) for process in self._processes.values()))

    def _key(self, name: str) -> str:
        file = self._folder / name / "watch" / f"{name}.key"
        return public_half(read_key(file)) if file.exists() else make_key(file)
