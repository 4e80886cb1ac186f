"""A whole cluster on one machine, to be hurt.  The rule: what it does not start it does not touch.

Each provider runs its etcd members and nodes as processes of their own, in a network namespace
where that may be made (root on Linux), else on loopback addresses, where nothing can be cut.  See
docs/operating/cluster.md.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from seawall.gateway.operator import TOKEN_FILE
from seawall.gateway.secrets import make_secrets, share_secrets
from seawall.journal.etcd_client import EtcdTls
from seawall.lab.certificates import Authority
from seawall.lab.cluster_watch import ClusterWatch, ProviderStatus
from seawall.lab.etcd import EtcdLabError, EtcdMember, EtcdTiming, find_etcd
from seawall.lab.exchange_process import environment
from seawall.lab.local_process import Birth, birth, end_for_certain
from seawall.lab.local_provider import LocalNode, LocalProvider
from seawall.lab.local_state import STATE_FILE, ClusterError, ClusterState, read_state
from seawall.lab.local_topology import FILE, Place, network_number, take_place
from seawall.lab.netns import Network, NetworkError, can_make_namespaces
from seawall.lab.small_disk import SmallDisk
from seawall.lab.wire import BrokenError, Connection, Key
from seawall.model.topology import Topology, split_address
from seawall.node.topology_file import TopologyFile, read_topology

START_S: Final = 120.0
POLL_S: Final = 0.05
ASK_S: Final = 2.0
LOOPBACK: Final = "127.0.0.1"


Configure = Callable[[str], Awaitable[str]]


class LocalCluster:
    """All providers of one topology."""

    def __init__(
        self,
        topology: Topology,
        directory: Path,
        *,
        configuration: str = "",
        demo: bool = False,
        small_disks: bool = False,
        timing: EtcdTiming | None = None,
        namespaces: bool | None = None,
        configure: Configure | None = None,
    ) -> None:
        """Take the text of the settings file that all nodes read as `configuration`.

        Without `namespaces` they are used where they can be made.  `configure` is called with this
        machine's address as providers see it, and returns the text where that depends on it.
        """
        self.topology = topology
        """As it is on this machine, once it was started."""
        self.directory = directory.absolute()
        self.gateways: dict[str, str] = {}
        """URL of each node's gateway."""
        self.providers: dict[str, LocalProvider] = {}
        self.network: Network | None = None
        self._configuration = configuration
        self.demo = demo
        self._small_disks = small_disks
        self._timing = timing
        self._namespaces = namespaces
        self._configure = configure
        self._place: Place | None = None
        self._members: list[EtcdMember] = []
        self._watch: ClusterWatch | None = None
        self._token = ""
        self.socket = ""
        """Where the owner takes faults, if it does."""

    @property
    def host(self) -> str:
        """The address of this machine, as providers see it."""
        return self.network.host_address if self.network else LOOPBACK

    def provider(self, name: str) -> LocalProvider:
        if name not in self.providers:
            known = ", ".join(self.providers)
            raise ClusterError(f"there is no provider {name}; there are {known}")
        return self.providers[name]

    # Start and stop

    async def start(self) -> None:
        """Start everything; return once every node serves and the markets are listed."""
        await self.spawn()
        await self.ready()

    async def spawn(self) -> None:
        """Start everything; nothing is ready yet."""
        find_etcd()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._end_earlier_run()
        namespaces = self._namespaces
        if namespaces is None:
            namespaces = await can_make_namespaces()
        self._place, self.topology = take_place(
            self.topology, self.directory, namespaces=namespaces
        )
        if namespaces:
            hosts = {name: _host(self.topology, name) for name in _providers(self.topology)}
            self.network = Network(f"sw{self._place.number}", hosts)
            await self.network.up()
        make_secrets(self.directory)
        self._token = (self.directory / TOKEN_FILE).read_text("ascii").strip()
        if self._configure is not None:
            self._configuration = await self._configure(self.host)
        if self._configuration:
            (self.directory / "seawall.toml").write_text(self._configuration, "utf-8")
        self._issue_certificates()
        for name in _providers(self.topology):
            self.providers[name] = await self._make_provider(name)
        self.gateways = {node.name: f"http://{node.gateway}" for node in self.topology.node}
        for provider in self.providers.values():
            provider.members_of_all = self._members
            await provider.start()
        self.note()

    async def stop(self) -> None:
        """End everything in an orderly way; the data stays."""
        if self._watch is not None:
            await self._watch.close()
        for provider in self.providers.values():
            # One after the other: each hands over to those that are still there.
            await provider.stop_nodes()
        await asyncio.gather(*(provider.stop() for provider in self.providers.values()))
        if self.network is not None:
            await self.network.down()
        if self._place is not None:
            (self.directory / STATE_FILE).unlink(missing_ok=True)
            self._place.let_go()

    async def ready(self, *names: str) -> None:
        """Return once these nodes, or all, serve every cell and list markets."""
        async with asyncio.timeout(START_S):
            for name in names or tuple(self.gateways):
                while not await self._serves(name):
                    self._check_running(name)
                    await asyncio.sleep(POLL_S)

    # Asking

    def connection(self, node: str, timeout_s: float = 10.0) -> Connection:
        """Return a connection to the node's gateway, as a client has it."""
        return Connection(*split_address(self.topology.find_node(node).gateway), timeout_s)

    async def ask(self, node: str) -> dict[str, Any] | None:
        """Return what the node says of the cluster; None if it does not answer."""
        connection = self.connection(node, ASK_S)
        try:
            answer = await connection.request("GET", "/seawall/v1/cluster")
        except BrokenError:
            return None
        finally:
            connection.close()
        return answer.json() if answer.status == 200 else None

    async def status(self) -> list[ProviderStatus]:
        """Return how each provider is."""
        return await self.watch.look()

    @property
    def watch(self) -> ClusterWatch:
        if self._watch is None:
            self._watch = ClusterWatch(self)
        return self._watch

    async def leader(self, cell: str) -> str:
        """Return which node leads the cell, as the best informed says; "" if nobody."""
        said = await asyncio.gather(*(self.ask(name) for name in self.gateways))
        cells = [each for answer in said if answer for each in answer["cells"]]
        found = [(each["epoch"], each["leader"]) for each in cells if each["cell"] == cell]
        return str(max(found)[1]) if found else ""

    async def operator(
        self, path: str, body: dict[str, Any] | None = None, *, node: str = "", method: str = "POST"
    ) -> dict[str, Any]:
        """Make an operator's call to a node, the first unless named, or raise ClusterError."""
        connection = self.connection(node or next(iter(self.gateways)))
        try:
            answer = await connection.request(
                method,
                f"/seawall/v1/operator/{path}",
                {"X-Seawall-Operator": self._token, "Content-Type": "application/json"},
                b"" if body is None else msgspec.json.encode(body),
            )
        except BrokenError as error:
            raise ClusterError(f"operator call {path}: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ClusterError(f"operator call {path}: {answer.status} {answer.body.decode()}")
        found: dict[str, Any] = answer.json()
        return found

    async def fund(self, name: str, funds: dict[str, str], reference: str = "lab") -> Key:
        """Create a user with these balances and return a key of theirs."""
        await self.operator("users", {"name": name})
        for asset, amount in funds.items():
            body = {"user": name, "asset": asset, "amount": amount, "reference": reference}
            await self.operator("credits", body)
        made = await self.operator("keys", {"user": name, "label": "lab"})
        return Key(made["apiKey"], made["secretKey"])

    async def hand_over(self, cell: str, to: str = "") -> str:
        """Give the cell's lead to another node; return who leads then."""
        leader = await self.leader(cell)
        answer = await self.operator(f"cells/{cell}/handover", {"to": to}, node=leader)
        return str(answer["leader"])

    def tls(self, name: str) -> EtcdTls | None:
        """Return a node's or member's certificate, for a client of etcd."""
        paths = self.file.tls(name)
        return EtcdTls(ca=paths.ca, certificate=paths.certificate, key=paths.key) if paths else None

    @property
    def file(self) -> TopologyFile:
        return TopologyFile(folder=self.directory, topology=self.topology)

    def note(self) -> None:
        """Write `cluster.json`, so that others can find what runs."""
        owner = birth(os.getpid())
        if owner is None:
            raise ClusterError("this process cannot be found among those that run")
        processes: dict[str, Birth] = {}
        for name, provider in self.providers.items():
            for what, pid in provider.pids().items():
                if (found := birth(pid)) is not None:
                    processes[f"{name} {what}"] = found
        network = self.network
        state = ClusterState(
            owner=owner,
            socket=self.socket,
            namespaces={name: network.namespace(name) for name in self.providers}
            if network
            else {},
            gateways=self.gateways,
            processes=processes,
        )
        fresh = self.directory / f"{STATE_FILE}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)) + b"\n")
        fresh.replace(self.directory / STATE_FILE)

    # Parts

    async def _make_provider(self, name: str) -> LocalProvider:
        folder = self.directory / "providers" / name
        disk = SmallDisk(folder) if self._small_disks else None
        if disk is not None:
            await disk.mount()
        launcher = self.network.launcher(name) if self.network else []
        members = [
            EtcdMember(
                place.name,
                folder / f"etcd-{place.name}",
                client=place.client,
                peer=place.peer,
                tls=self.tls(place.name),
                timing=self._timing,
                launcher=launcher,
                own_session=True,
            )
            for place in self.topology.etcd
            if place.provider == name
        ]
        self._members += members
        nodes = [
            self._make_node(place.name, folder, launcher)
            for place in self.topology.node
            if place.provider == name
        ]
        return LocalProvider(name, self, members, nodes, disk)

    def _make_node(self, name: str, folder: Path, launcher: list[str]) -> LocalNode:
        data = folder / name
        share_secrets(self.directory, data)
        command = [*launcher, sys.executable, "-m", "seawall", "node"]
        command += ["--topology", str(self.directory / FILE), "--name", name, "--data", str(data)]
        if self._configuration:
            command += ["--config", str(self.directory / "seawall.toml")]
        settings = {
            "SEAWALL__DEMO__CHAIN": "false",
            "SEAWALL__GATEWAY__OPERATORS": msgspec.json.encode(self._operators()).decode(),
        }
        if self.demo:
            settings["SEAWALL__EXCHANGE__DEMO"] = "true"
        return LocalNode(name, folder / f"{name}.output", command, environment() | settings, data)

    def _operators(self) -> list[str]:
        return [self.host]

    def _issue_certificates(self) -> None:
        """Make what is missing."""
        if self.topology.tls is None:
            return
        authority = Authority(self.directory / "tls")
        names = [each.name for each in self.topology.etcd]
        names += [each.name for each in self.topology.node]
        for name in dict.fromkeys(names):
            if not (self.directory / "tls" / f"{name}.crt").exists():
                authority.issue(name, self.hosts_of(name))

    def hosts_of(self, name: str) -> list[str]:
        """Return the addresses that a node's or member's certificate names."""
        addresses = [each.client for each in self.topology.etcd if each.name == name]
        addresses += [each.peer for each in self.topology.node if each.name == name]
        hosts = [split_address(address)[0] for address in addresses]
        # etcd holds a peer's certificate against the address that it dials from.
        return hosts if self.network else [*hosts, LOOPBACK]

    async def _serves(self, name: str) -> bool:
        found = await self.ask(name)
        if found is None or not found["ready"]:
            return False
        connection = self.connection(name, ASK_S)
        try:
            answer = await connection.request("GET", "/api/v3/exchangeInfo")
            return answer.status == 200 and bool(answer.json().get("symbols"))
        except BrokenError:
            return False
        finally:
            connection.close()

    def _check_running(self, name: str) -> None:
        """Raise if what must run to become ready has ended by itself."""
        for provider in self.providers.values():
            for member in provider.members:
                if member.has_failed:
                    raise EtcdLabError(f"etcd member {member.name}: {member.last_words()}")
            for node in provider.nodes:
                if node.name == name and node.process.code is not None:
                    raise ClusterError(f"node {name} ended:\n{node.process.last_words()}")

    def _end_earlier_run(self) -> None:
        """End what an earlier owner left behind when it was killed."""
        state = read_state(self.directory)
        if state is None:
            return
        if birth(state.owner.pid) == state.owner and state.owner.pid != os.getpid():
            raise ClusterError(
                f"a cluster runs already on {self.directory} (process {state.owner.pid})"
            )
        for left in state.processes.values():
            end_for_certain(left)


async def clean_up(directory: Path) -> int:
    """End what is left on the directory of a cluster whose owner is gone; return how much."""
    state = read_state(directory)
    if state is None:
        return 0
    ended = sum(end_for_certain(left) for left in state.processes.values())
    topology = read_topology(directory / FILE).topology
    if state.namespaces:
        hosts = {name: _host(topology, name) for name in _providers(topology)}
        await Network(f"sw{network_number(topology)}", hosts).down()
    for name in _providers(topology):
        await SmallDisk(directory / "providers" / name).unmount()
    (directory / STATE_FILE).unlink(missing_ok=True)
    return ended


def _providers(topology: Topology) -> list[str]:
    """Return the providers that run something."""
    used = {each.provider for each in topology.etcd} | {each.provider for each in topology.node}
    return [provider.name for provider in topology.provider if provider.name in used]


def _host(topology: Topology, provider: str) -> str:
    addresses = [each.client for each in topology.etcd if each.provider == provider]
    addresses += [each.peer for each in topology.node if each.provider == provider]
    return split_address(addresses[0])[0]


__all__ = ["ClusterError", "ClusterState", "LocalCluster", "NetworkError", "read_state"]
