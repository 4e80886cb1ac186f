"""Image and compose files: they lint, they fit their schema, and they give nothing away."""

import http.server
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from tests.deploy.tools import DEPLOY, PROVIDERS, ROOT
from tests.tools import program

COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
ENVIRONMENT = {"SEAWALL_PROVIDER": "blue", "SEAWALL_ADDRESS": "10.0.1.12"}


def _interpolated(text: str) -> str:
    """Put values in as compose does: `${NAME}`, `${NAME:-default}`, `${NAME:?why}`."""

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        found = ENVIRONMENT.get(name, default)
        assert found is not None, f"{name} has neither value nor default"
        return found

    return re.sub(r"\$\{(?P<name>\w+)(?::\?[^}]*|:-(?P<default>[^}]*))?\}", value, text)


def _compose(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_interpolated(path.read_text("utf-8")))
    return found


def test_the_dockerfile_lints() -> None:
    linter = program("hadolint", str(Path(sys.executable).parent / "hadolint"))
    path = DEPLOY / "container" / "Dockerfile"
    subprocess.run([linter, str(path)], check=True)
    stages = path.read_text("utf-8").split("\nFROM ")
    assert "\nUSER 10001:10001\n" in stages[-1]
    assert "HEALTHCHECK" in stages[-1]


def test_what_the_dockerfile_copies_is_not_ignored() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for name in kept:
        assert (ROOT / name).exists()
    dockerfile = (DEPLOY / "container" / "Dockerfile").read_text("utf-8")
    for copied in re.findall(r"^COPY (?:--\S+ )*(deploy\S+) ", dockerfile, re.MULTILINE):
        assert (ROOT / copied).is_file()
        assert any(copied.startswith(f"{name}/") for name in kept)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_compose_files_fit_the_schema(path: Path) -> None:
    found = PyCompose.from_yaml(yaml.safe_dump(_compose(path), sort_keys=False))
    assert set(found.service_names()) == set(_compose(path)["services"])


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_services_have_no_rights_to_spare(path: Path) -> None:
    for name, service in _compose(path)["services"].items():
        assert service["read_only"], name
        assert service["user"] == "10001:10001", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name
        for port in service.get("ports", ()):
            assert port.startswith(("127.0.0.1:", ENVIRONMENT["SEAWALL_ADDRESS"])), name
        if not name.endswith("node"):  # which has that of the image
            assert service["healthcheck"]["test"], name


def test_compose_mounts_what_is_there() -> None:
    for path in COMPOSE:
        for service in _compose(path)["services"].values():
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                if source.startswith("../"):
                    assert (path.parent / source).is_file()


def test_the_rehearsal_has_all_three_providers() -> None:
    services = _compose(DEPLOY / "compose" / "rehearsal.yaml")["services"]
    parts = ("etcd", "node", "watcher")
    assert set(services) == {f"{name}-{part}" for name in PROVIDERS for part in parts}


def test_the_entrypoint_puts_the_secrets_in_place_and_becomes_seawall(tmp_path: Path) -> None:
    secrets, data, programs = tmp_path / "mounted", tmp_path / "data", tmp_path / "bin"
    for folder in (secrets, data, programs):
        folder.mkdir()
    (secrets / "master.key").write_text("key")
    (secrets / "operator.token").write_text("token")
    (secrets / "statement.key").write_text("statement")
    (secrets / "watcher.key").write_text("watcher")
    fake = programs / "seawall"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SEAWALL_SECRETS": str(secrets),
        "SEAWALL_DATA": str(data),
        "SEAWALL_WATCHER": "amber",
    }
    entrypoint = DEPLOY / "container" / "entrypoint.sh"
    for _ in range(2):  # also when they are there already
        ran = subprocess.run(
            ["sh", str(entrypoint), "node", "--name", "amber"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        assert ran.stdout == "node --name amber\n"
    for path, content in (
        ("secrets/master.key", "key"),
        ("operator.token", "token"),
        ("secrets/statement.key", "statement"),
        ("watch/amber.key", "watcher"),
    ):
        assert (data / path).read_text() == content
        assert stat.S_IMODE((data / path).stat().st_mode) == 0o600


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_image_says_whether_it_is_healthy(address: str) -> None:
    script = DEPLOY / "container" / "healthy.py"
    codes = [
        subprocess.run([sys.executable, str(script), url], check=False).returncode
        for url in (f"{address}/health/live", f"{address}/other", "http://127.0.0.1:9/")
    ]
    assert codes == [0, 1, 1]
