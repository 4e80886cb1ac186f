"""`seawall status`: what is wrong is named, and exit codes say what was found."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from tests.status.sample import calm, outage
from tests.status.serving import served

from seawall.cli.configuration import load
from seawall.cli.main import run
from seawall.cli.output import CliError
from seawall.status.gateways import PATH


def ask(*tokens: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Run a command with --json; return its exit code and its document."""
    with pytest.raises(SystemExit) as ended:
        run(["status", *tokens, "--json"])
    assert isinstance(ended.value.code, int)
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_built_once_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = structs.replace(outage(), at_ns=time.time_ns())
    (tmp_path / "document.json").write_bytes(msgspec.json.encode(now))
    out = str(tmp_path / "site")
    code, told = ask("build", str(tmp_path / "document.json"), "--out", out, capsys=capsys)
    assert code == 0
    assert told["sequence"] == now.sequence
    assert told["files"] == sum(1 for each in Path(out).rglob("*") if each.is_file())
    code, told = ask("check", out, capsys=capsys)
    assert (code, told["right"]) == (0, True)
    Path(out, "index.html").write_text("defaced")
    code, told = ask("check", out, capsys=capsys)
    assert (code, told["copies"][0]["wrong"]) == (1, ["index.html"])
    code, told = ask("check", str(tmp_path / "none"), capsys=capsys)
    assert code == 3


def test_a_gateway_is_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served({PATH.lstrip("/"): msgspec.json.encode(calm())}) as gateway:
        code, _ = ask("build", gateway.url, "--out", str(tmp_path / "site"), capsys=capsys)
        assert code == 0
        assert (tmp_path / "site" / "ar" / "index.html").is_file()
        code, told = ask("build", gateway.url + "/none", "--out", "x", capsys=capsys)
    assert code == 3
    assert "HTTP 404" in told["error"]


def test_what_run_lacks_is_named(tmp_path: Path) -> None:
    config = tmp_path / "status.toml"
    config.write_text("[status]\ngateways = ['http://127.0.0.1:1']\n")
    with pytest.raises(SystemExit) as ended:
        run(["status", "run", "--config", str(config)])
    assert ended.value.code == 2
    config.write_text("[status]\nheartbeat_s = 1\n")
    with pytest.raises(CliError, match=r"status.toml:2: .*`status.heartbeat_s`"):
        load(config, {})
    config.write_text("[[status.notify]]\nname = 'x'\nkind = 'pigeon'\n")
    with pytest.raises(CliError, match="pigeon"):
        load(config, {})
