"""`seawall watch run` and `key` as processes, over nodes and members that are made up or real."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.watch.probes.servers import http_server

from seawall.lab.etcd import EtcdCluster, free_ports
from seawall.model.signals import SignedReport, WatchReport
from seawall.model.watch_facts import Health
from seawall.watch.reporter import PATH

PATIENCE_S = 90.0
NAMES = ("amber", "blue", "coral")


async def seawall(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seawall", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(),
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def environment() -> dict[str, str]:
    source = str(Path(__file__).parents[2] / "src")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEAWALL_")}
    return clean | {"PYTHONPATH": os.environ.get("PYTHONPATH", source)}


class Reports:
    """A gateway that takes reports, and believes only what is signed."""

    def __init__(self, key: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        self.newest: WatchReport | None = None
        self.numbers: list[int] = []
        self._came = asyncio.Event()

    def handle(self, method: str, target: str, body: bytes) -> Any:
        assert (method, target) == ("POST", PATH)
        signed = msgspec.json.decode(body, type=SignedReport)
        self._key.verify(bytes.fromhex(signed.signature), signed.report.encode())
        self.newest = msgspec.json.decode(signed.report, type=WatchReport)
        self.numbers.append(self.newest.number)
        self._came.set()
        return 200, {"accepted": True}

    def healths(self) -> dict[str, Health]:
        assert self.newest is not None
        return {each.dependency: each.health for each in self.newest.signals}

    async def until(self, so: Callable[[dict[str, Health]], bool]) -> dict[str, Health]:
        async with asyncio.timeout(PATIENCE_S):
            while self.newest is None or not so(self.healths()):
                self._came.clear()
                await self._came.wait()
        return self.healths()


def node(name: str) -> Callable[..., Any]:
    cell = {"cell": "spot", "status": "following", "leader": "blue", "fresh": True, "quorum": True}

    def handle(_method: str, target: str, _body: bytes) -> Any:
        if target == "/api/v3/time":
            return 404, {}
        return 200, {"node": name, "ready": True, "cells": [cell]}

    return handle


def topology(gateways: dict[str, str], etcd: EtcdCluster) -> str:
    lines = ['name = "test"']
    peers = free_ports(3)
    for place, name in enumerate(NAMES):
        member = etcd.members[place]
        lines += [
            f'[[provider]]\nname = "{name}"',
            f'[[etcd]]\nname = "{name}"\nprovider = "{name}"',
            f'client = "{member.client}"\npeer = "{member.peer}"',
            f'[[node]]\nname = "{name}"\nprovider = "{name}"',
            f'gateway = "{gateways[name].removeprefix("http://")}"',
            f'peer = "127.0.0.1:{peers[place]}"',
        ]
    return "\n".join(lines)


async def test_a_watcher_tells_of_a_provider_that_dies_and_ends_when_told(tmp_path: Path) -> None:
    code, out, _ = await seawall("watch", "key", "amber", "--data", str(tmp_path), "--json")
    made = json.loads(out)
    assert (code, made["name"], made["provider"]) == (0, "amber", "amber")
    reports = Reports(made["key"])
    etcd = EtcdCluster.local(tmp_path / "etcd")
    await etcd.start()
    config = tmp_path / "watch.toml"
    config.write_text("[watch]\npeers = false\ndisk_ms = 60000\n")
    servers = {name: http_server(node(name)) for name in NAMES}
    gateways = {name: await server.__aenter__() for name, server in servers.items()}
    file = tmp_path / "topology.toml"
    file.write_text(topology(gateways, etcd))
    async with http_server(reports.handle) as url:
        nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "seawall", "watch", "run", "--topology", str(file),
            "--name", "amber", "--config", str(config), "--data", str(tmp_path),
            "--url", nobody, "--url", url, "--serve", "0", "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(),
        )  # fmt: skip
        try:
            found = await reports.until(lambda now: now.get("provider/coral") is Health.OK)
            assert {f"{kind}/{name}" for kind in ("provider", "node", "etcd") for name in NAMES} < {
                *found
            }
            assert {"cell/spot", "machine/amber"} < {*found}
            assert process.stdout is not None
            page = json.loads(await read_json(process.stdout))["url"]
            await servers["coral"].__aexit__(None, None, None)
            await etcd.members[2].kill()
            found = await reports.until(lambda now: now["provider/coral"] is Health.DOWN)
            assert (found["node/coral"], found["etcd/coral"]) == (Health.DOWN, Health.DOWN)
            assert (found["provider/amber"], found["cell/spot"]) == (Health.OK, Health.OK)
            async with httpx.AsyncClient(trust_env=False) as client:
                metrics = (await client.get(f"{page}metrics")).text
            assert 'seawall_watch_health{dependency="provider/coral",health="down"} 1.0' in metrics
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
            await etcd.kill()
            for name in ("amber", "blue"):
                await servers[name].__aexit__(None, None, None)
    assert reports.numbers == sorted(set(reports.numbers))


async def read_json(stream: asyncio.StreamReader) -> bytes:
    """Read one document that stands over several lines."""
    text = b""
    while not text.rstrip().endswith(b"}"):
        text += await asyncio.wait_for(stream.readline(), PATIENCE_S)
    return text


SETTINGS = {
    "landmarks": ('landmarks = ["nowhere"]', "landmarks: 'nowhere' is no host:port"),
    "url": ('urls = ["ftp://user:secret@host"]', "urls: its address is no http or https URL"),
    "amount": ('transfer_amount = "none"', "transfer_amount is a decimal number above zero"),
    "no key": ('transfer_asset = "USDT"', "transfer_asset needs a key_file"),
    "no symbol": ('key_file = "k"', "key_file needs a symbol"),
    "name": ('dns = [{name = "a..b"}]', "dns a..b: 'a..b' is no name"),
    "twice": ('dns = [{name = "a"}, {name = "a"}]', "dns a stands there twice"),
    "provider": (
        'rpc = [{network = "E", name = "one", url = "http://h", provider = "none"}]',
        "the topology has no provider none",
    ),
    "unknown": ("often = 1", "unknown key `watch.often`"),
    "word": ("every_ms = 1", "every_ms"),
    "key": ('symbol = "S"\nkey_file = "none"', "none cannot be read"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    three = Path(__file__).parents[2] / "topologies" / "three-clouds.toml"
    (folder / "topology.toml").write_text(three.read_text().partition("[tls]")[0])
    return folder


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_cannot_be_meant_are_refused(
    case: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, told = SETTINGS[case]
    config = made / "seawall.toml"
    config.write_text(f"[watch]\n{line}\n")
    if not (made / "watch").exists():
        assert ended("watch", "key", "amber", "--data", str(made)) == 0
    arguments = ["--topology", str(made / "topology.toml"), "--name", "amber", "--data", str(made)]
    assert ended("watch", "run", *arguments, "--config", str(config)) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert told in shown
    assert "secret" not in shown


def test_a_watcher_needs_a_name_a_key_and_a_place(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["watch", "run", "--topology", str(made / "topology.toml"), "--data", str(tmp_path)]
    assert ended(*run, "--name", "amber") == 2
    assert "seawall watch key" in capsys.readouterr().err
    assert ended(*run, "--name", "A/b") == 2
    assert ended(*run, "--name", "amber", "--provider", "none") == 2
    assert ended(*run, "--name", "amber", "--url", "nowhere") == 2
    assert ended("watch", "key", "amber", "--data", str(tmp_path)) == 0
    assert capsys.readouterr().out.startswith('[[control.watcher]]\nname = "amber"\n')
    assert ended("watch", "key", "amber", "--data", str(tmp_path)) == 4


def ended(*tokens: str) -> int:
    from seawall.cli.main import run

    with pytest.raises(SystemExit) as end:
        run(tokens)
    return int(end.value.code or 0)
