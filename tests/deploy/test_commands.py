"""What deploy/ tells programs to do, they can: options, settings, topologies, units, YAML."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.tools import DEPLOY, PROVIDERS, ROOT, documents
from tests.tools import program

from seawall.cli.configuration import load
from seawall.cli.control import check_runbook
from seawall.model.topology import split_address
from seawall.node.topology_file import read_topology
from seawall.treasury.signer.settings import load_settings

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TOPOLOGIES = [DEPLOY / "topology" / f"{name}.toml" for name in ("topology", "rehearsal")]
OPTION = re.compile(r"--([a-z][a-z-]+)")


def _objects() -> list[dict[str, Any]]:
    return [
        each
        for path in (DEPLOY / "kubernetes" / "base").glob("*.yaml")
        for each in documents(path.read_text("utf-8"))
    ]


def _commands(of: str) -> dict[str, str]:
    """Return each command line in deploy/ that runs etcd or a node, by where it stands."""
    found: dict[str, str] = {}
    for path in (DEPLOY / "compose").glob("*.yaml"):
        for name, service in yaml.safe_load(path.read_text("utf-8"))["services"].items():
            if name.endswith(of):
                found[f"{path.name}: {name}"] = " ".join(service["command"])
    for each in _objects():
        if each["kind"] == "StatefulSet" and each["metadata"]["name"] == of:
            (container,) = each["spec"]["template"]["spec"]["containers"]
            found["kubernetes"] = " ".join([*container.get("command", ()), *container["args"]])
    for path in UNITS:
        if path.stem.endswith(of):
            text = path.read_text("utf-8").replace("\\\n", " ")
            (found[path.name],) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    return found


def _known(command: str) -> set[str]:
    # A test of its own keeps this page what the command line says of itself.
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text("utf-8")
    section = reference.partition(f"# seawall {command}\n")[2].partition("\n##")[0]
    return set(OPTION.findall(section))


def test_nodes_are_started_with_options_that_exist() -> None:
    known = _known("node")
    assert {"topology", "name"} <= known
    commands = _commands("node")
    assert len(commands) == 6
    for where, command in commands.items():
        assert re.search(r"(^|/seawall )node ", command), where
        given = set(OPTION.findall(command))
        assert given <= known, where
        assert given == {"topology", "name", "config", "data"}, where


@pytest.mark.parametrize(
    ("of", "verb", "places", "options"),
    [
        ("watcher", "watch run", 6, {"topology", "name", "config", "data", "serve"}),
        ("signer", "signer run", 1, {"keystore", "settings", "socket", "passphrase-file"}),
        ("status", "status run", 2, {"config"}),
    ],
)
def test_what_stands_beside_nodes_is_started_with_options_that_exist(
    of: str, verb: str, places: int, options: set[str]
) -> None:
    commands = _commands(of)
    assert len(commands) == places
    for where, command in commands.items():
        assert re.search(rf"(^|/seawall ){verb} ", command), where
        given = set(OPTION.findall(command))
        assert options <= given <= _known(verb), where


def test_etcd_is_started_with_options_that_exist() -> None:
    told = subprocess.run([program("etcd"), "--help"], check=True, capture_output=True, text=True)
    known = set(OPTION.findall(told.stdout + told.stderr))
    commands = _commands("etcd")
    assert len(commands) == 6
    for where, command in commands.items():
        assert set(OPTION.findall(command)) <= known, where
        for option in ("pre-vote=true", "quota-backend-bytes=2147483648", "data-dir="):
            assert f"--{option}" in command, where
        if "rehearsal" not in where:
            for option in ("client-cert-auth=true", "peer-client-cert-auth=true"):
                assert f"--{option}" in command, where


def test_etcd_is_the_same_wherever_it_really_runs() -> None:
    """Compose, Kubernetes and systemd start one cluster: they may be mixed among providers."""
    real = {where: text for where, text in _commands("etcd").items() if "rehearsal" not in where}
    assert len(real) == 3
    of_place = {"data-dir", "name", "cert-file", "key-file", "peer-cert-file", "peer-key-file"}
    options = [
        {
            name: re.sub(r"\$[({]\w+(:[^)}]*)?[)}]", "NAME", value)
            for name, value in re.findall(r"--([a-z-]+)=(\S+)", text)
            if name not in of_place
        }
        for text in real.values()
    ]
    assert options[0] == options[1] == options[2]


@pytest.mark.parametrize("path", TOPOLOGIES, ids=str)
def test_topologies_are_whole(path: Path) -> None:
    topology = read_topology(path).topology
    assert [provider.name for provider in topology.provider] == list(PROVIDERS)
    assert len({place.provider for place in topology.archive}) >= 2
    assert len({place.prefer[0] for place in topology.cell}) == 3
    if path.stem == "topology":
        assert topology.tls is not None
        commands = _commands("etcd").values()
        for place in topology.etcd:
            host, port = split_address(place.peer)
            assert any(f"{place.name}=https://{host}:{port}" in text for text in commands)


def test_settings_of_nodes_are_settings() -> None:
    configuration = load(DEPLOY / "topology" / "node.toml", {})
    assert configuration.node.listen == "0.0.0.0"  # noqa: S104  (what a container listens on)
    assert not configuration.exchange.demo
    assert configuration.log.to == "stderr"


def test_a_watcher_that_is_put_into_the_settings_is_believed(tmp_path: Path) -> None:
    text = (DEPLOY / "topology" / "node.toml").read_text("utf-8")
    snippet = text.partition("# [[control.watcher]]")
    told = "[[control.watcher]]" + snippet[2].replace("\n# ", "\n")
    path = tmp_path / "node.toml"
    path.write_text(snippet[0] + told.replace("64 hexadecimal digits", "0a" * 32))
    control = load(path, {}).control
    assert check_runbook(control.runbook)
    assert [(each.name, each.provider) for each in control.watcher] == [("amber", "amber")]


def test_settings_of_watcher_site_and_signer_are_settings() -> None:
    watch = load(DEPLOY / "topology" / "watch.toml", {}).watch
    watch.check(PROVIDERS)
    assert len(watch.landmarks) == 3
    status = load(DEPLOY / "status" / "status.toml", {}).status
    assert len(status.gateways) == 3
    assert len({target.url.partition(":")[0] for target in status.target}) == 2
    signer = load_settings(DEPLOY / "signer" / "signer.toml")
    assert 0 < signer.lease_s <= 5


def test_units_are_understood() -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("this machine is not run by systemd, and installing it would make it one")
    for path in UNITS:
        told = subprocess.run(
            [verify, "verify", str(path)], check=False, capture_output=True, text=True
        )
        problems = [
            line
            for line in told.stderr.splitlines()
            # The programs are where they are deployed, not here.
            if path.name in line and "is not executable" not in line
        ]
        assert not problems


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_have_no_rights_to_spare(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in lines
    assert any(line.startswith("User=") and line != "User=root" for line in lines)
    assert any(line.startswith("Restart=") for line in lines)


def test_yaml_is_well_written() -> None:
    linter = program("yamllint", str(Path(sys.executable).parent / "yamllint"))
    configuration = Path(__file__).parent / ".yamllint"
    subprocess.run([linter, "--strict", "-c", str(configuration), str(DEPLOY)], check=True)
