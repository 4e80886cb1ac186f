"""`seawall node` and `seawall cluster` as people and programs meet them."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.tools import program

from seawall.cli.main import run
from seawall.gateway.secrets import make_secrets
from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient
from seawall.lab.certificates import Authority
from seawall.lab.etcd import HOST, EtcdCluster, free_ports
from seawall.lab.local_topology import to_toml
from seawall.model.topology import EtcdPlace, NodePlace, Provider, TlsFiles, Topology

TOPOLOGY = Path(__file__).parents[2] / "topologies" / "three-clouds.toml"
PATIENCE_S = 60

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SEAWALL")}
    source = str(Path(__file__).parents[2] / "src")
    return kept | {"PYTHONPATH": source, "SEAWALL__DEMO__CHAIN": "false"}


class Command:
    """Runs commands of the command line with --json, in this process: it has loaded them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> Any:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run([*map(str, words), "--json"])
        said = self._capsys.readouterr()
        assert ended.value.code == code, said
        return json.loads(said.out)


@pytest.fixture
def seawall(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    for name in os.environ:
        if name.startswith("SEAWALL"):
            monkeypatch.delenv(name)
    return Command(capsys)


@contextmanager
def running(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command with --json in the background; it is gone when left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall", *map(str, words), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=120)


def document(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the one document that a running command prints."""
    assert process.stdout is not None
    lines = ""
    for line in process.stdout:
        lines += line
        if line.rstrip() == "}":
            found: dict[str, Any] = json.loads(lines)
            return found
    assert process.stderr is not None
    raise AssertionError(lines + process.stderr.read())


def lone_topology(folder: Path, client: str, peer: str, *, tls: TlsFiles | None = None) -> Path:
    """Write a topology of one node over one member of etcd; return its file."""
    ports = free_ports(2)
    topology = Topology(
        name="lone",
        provider=(Provider(name="amber"),),
        etcd=(EtcdPlace(name="amber", provider="amber", client=client, peer=peer),),
        node=(
            NodePlace(
                name="amber",
                provider="amber",
                gateway=f"{HOST}:{ports[0]}",
                peer=f"{HOST}:{ports[1]}",
            ),
        ),
        tls=tls,
    )
    folder.mkdir(exist_ok=True)
    path = folder / "topology.toml"
    path.write_text(to_toml(topology), "utf-8")
    return path


def gateway(path: Path) -> str:
    """Return the URL of a lone topology's gateway."""
    line = next(line for line in path.read_text("utf-8").splitlines() if "gateway" in line)
    address: str = json.loads(line.partition("=")[2])
    return f"http://{address}"


# A cluster on loopback addresses, as anybody can run it


def test_a_cluster_from_the_command_line(tmp_path: Path, seawall: Command) -> None:
    program("etcd")
    data = tmp_path / "cluster"
    at = ("--data", data)
    with running(
        "cluster", "up", "--topology", TOPOLOGY, *at, "--demo", "--loopback", "--no-watch"
    ) as up:
        started = document(up)
        assert set(started["gateways"]) == {"amber", "blue", "coral"}
        keys = Path(started["keys"])
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        status = {each["name"]: each for each in seawall("cluster", "status", *at)}
        assert {each["state"] for each in status.values()} == {"up"}
        assert sorted(each["etcd"] for each in status.values()) == ["follows", "follows", "leads"]

        refused = seawall("cluster", "cut", "blue", *at, code=1)
        assert "only network namespaces can be cut" in refused["error"]
        refused = seawall("cluster", "disk-full", "blue", *at, code=1)
        assert "--small-disks" in refused["advice"] + refused["error"]
        assert "there is no provider" in seawall("cluster", "kill", "rain", *at, code=1)["error"]
        taken = seawall("cluster", "up", "--topology", TOPOLOGY, *at, "--loopback", code=1)
        assert "runs already" in taken["error"]

        leader = next(name for name, each in status.items() if "spot" in each["leads"])
        heir = next(name for name in status if name != leader)
        own = ("--data", data / "providers" / leader / leader)
        assert seawall("node", "handover", "spot", "--to", heir, *own)["leader"] == heir
        found = seawall("node", "status", *own)
        assert {each["cell"]: each["leader"] for each in found["cells"]}["spot"] == heir

        assert seawall("cluster", "pause", heir, *at)["said"] == "paused"
        wait_for_leader_other_than(heir, started["gateways"])
        assert seawall("cluster", "resume", heir, *at)["said"] == "resumed"
        assert "again and again" in seawall("cluster", "slow", leader, *at)["said"]
        assert seawall("cluster", "heal", leader, *at)["said"] == "healed"
        assert seawall("cluster", "kill", leader, *at)["said"] == "killed"
        status = {each["name"]: each for each in seawall("cluster", "status", *at)}
        assert (status[leader]["etcd"], status[leader]["node"]) == ("down", "down")
        assert seawall("cluster", "down", *at)["said"] == "stopped"
        assert up.wait(PATIENCE_S) == 0
    assert not (data / "cluster.json").exists()
    assert "no cluster runs" in seawall("cluster", "status", *at, code=3)["error"].lower()


def wait_for_leader_other_than(name: str, gateways: dict[str, str]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    other = next(url for node, url in gateways.items() if node != name)
    while time.monotonic() < deadline_s:
        cells = httpx.get(f"{other}/seawall/v1/cluster", trust_env=False).json()["cells"]
        if next(each for each in cells if each["cell"] == "spot")["leader"] not in ("", name):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} leads though it is paused")


# One node


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("secrets", "master.key is missing"),
        ("name", "there is no node rain"),
        ("topology", "is not TOML"),
        ("certificate", "amber.crt is missing"),
    ],
)
def test_a_node_that_cannot_start_says_what_to_do(
    tmp_path: Path, seawall: Command, spoil: str, says: str
) -> None:
    ports = free_ports(2)
    files = TlsFiles(ca="ca.crt", certificate="{name}.crt", key="{name}.key")
    tls = files if spoil == "certificate" else None
    client, peer = (f"{HOST}:{port}" for port in ports)
    topology = lone_topology(tmp_path / "cluster", client, peer, tls=tls)
    if spoil == "topology":
        topology.write_text("name =", "utf-8")
    if spoil == "certificate":
        Authority(topology.parent).issue("blue", [HOST])
    data = tmp_path / "data"
    if spoil != "secrets":
        make_secrets(data)
    name = "rain" if spoil == "name" else "amber"
    words = ("node", "--topology", topology, "--name", name, "--data", data)
    said = seawall(*words, code=2)
    assert says in said["error"]
    assert said["advice"]


def test_a_node_without_a_journal_lives_waits_and_goes_when_asked(
    tmp_path: Path, seawall: Command
) -> None:
    client, peer = (f"{HOST}:{port}" for port in free_ports(2))
    topology = lone_topology(tmp_path / "cluster", client, peer)
    made = seawall("cluster", "secrets", topology.parent / "amber")
    names = [Path(path).name for path in made["made"]]
    assert names == ["master.key", "operator.token", "statement.key"]
    url = gateway(topology)
    with running("node", "--topology", topology, "--name", "amber") as node:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s and node.poll() is None:
            try:
                answer = httpx.get(f"{url}/health/ready", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        assert answer.status_code == 503
        assert answer.json()["status"] == "no_quorum"
        assert httpx.get(f"{url}/health/live", trust_env=False).status_code == 200
        node.send_signal(signal.SIGTERM)
        assert node.wait(PATIENCE_S) == 0


async def test_a_node_whose_journal_holds_what_it_cannot_read_ends_and_says_so(
    tmp_path: Path,
) -> None:
    program("etcd")
    etcd = EtcdCluster.local(tmp_path / "etcd", size=1)
    await etcd.start()
    try:
        member = etcd.members[0]
        topology = lone_topology(tmp_path / "cluster", member.client, member.peer)
        make_secrets(topology.parent / "amber")
        node = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "seawall", "node", "--topology", str(topology), "--name", "amber",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )  # fmt: skip
        try:
            await until_ready(gateway(topology))
            await write_nonsense(EtcdClient(etcd.settings()))
            _, errors = await asyncio.wait_for(node.communicate(), PATIENCE_S)
        finally:
            if node.returncode is None:
                node.kill()
        assert node.returncode == 1
        assert b"stopped by itself" in errors
        log = (topology.parent / "amber" / "logs" / "seawall.log").read_text("utf-8")
        stopped = [json.loads(line) for line in log.splitlines() if "a cell stopped" in line]
        assert "spot" in stopped[0]["reason"]
    finally:
        await etcd.kill()


async def until_ready(url: str) -> None:
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                answer = await client.get(f"{url}/health/ready")
            except httpx.TransportError:
                pass
            else:
                if answer.status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def write_nonsense(client: EtcdClient) -> None:
    """Take the lead of the spot cell, as far as the journal knows, with what is no command."""
    journal = await EtcdJournal.open(client, "spot")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            head = await journal.head()
            try:
                await journal.append(head.sequence + 1, head.epoch + 1, [b"nonsense"])
                break
            except Exception:  # noqa: BLE001  (the leader was first: look again)
                await asyncio.sleep(0)
    await journal.close()
    await client.close()
