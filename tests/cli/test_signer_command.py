"""The signer as its operator meets it: made, run, and stopped by the command line."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from seawall.cli.commands.signer import keystore
from seawall.cli.output import CliError
from seawall.treasury.signer.client import SignerClient
from seawall.treasury.signer.messages import Answer, AskWho, Who
from seawall.treasury.signer.protocol import load_token

SETTINGS = """
[networks.ETH]
chain_id = 31337
[[networks.ETH.assets]]
payment_units = 1
window_units = 1
"""


def seawall(*words: str) -> list[str]:
    return [sys.executable, "-m", "seawall", *words]


def environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SEAWALL")}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


async def who_answers() -> Answer:
    client = SignerClient(Path("s/signer.sock"), load_token(Path("s/signer.token")))
    answer = await client.ask(AskWho())
    await client.close()
    return answer


def test_made_and_run_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    file = tmp_path / "hot.keys"
    limits = tmp_path / "signer.toml"
    limits.write_text(SETTINGS)
    made = subprocess.run(
        seawall(
            "signer", "keystore", "--keystore", str(file), "--wallets", "2",
            "--prefix", "ltc", "--prefix", "rltc",
            "--passphrase-file", str(secret), "--json",
        ),
        capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    told = json.loads(made.stdout)
    assert len(told["wallets"]) == 2
    assert list(told["coins"]) == ["ltc", "rltc"]
    for prefix, coins in told["coins"].items():
        assert [wallet[: len(prefix) + 1] for wallet in coins["wallets"]] == 2 * [f"{prefix}1"]
        assert coins["depositKey"] != told["depositKey"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Unix sockets have short names: this one is told by its place in the folder.
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(
        seawall(
            "signer", "run", "--keystore", "hot.keys", "--socket", "s/signer.sock",
            "--settings", "signer.toml", "--passphrase-file", "passphrase",
        ),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "signer ready s/signer.sock\n"
    assert asyncio.run(who_answers()) == Who(
        wallets=tuple(told["wallets"]), deposit_key=told["depositKey"]
    )
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not Path("s/signer.sock").exists()


def test_what_a_signer_cannot_do_is_said(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    file = tmp_path / "hot.keys"
    file.write_text("somebody's")
    with pytest.raises(CliError, match="File exists") as there:
        keystore(keystore=file, passphrase_file=secret)
    assert file.read_text() == "somebody's"
    assert "treasury.md" in there.value.advice
    with pytest.raises(CliError, match="No such file"):
        keystore(keystore=tmp_path / "new.keys", passphrase_file=tmp_path / "none")
    with pytest.raises(CliError, match="a wallet at least"):
        keystore(keystore=tmp_path / "new.keys", wallets=0, passphrase_file=secret)
    ended = subprocess.run(
        seawall(
            "signer", "run", "--keystore", str(file), "--socket", str(tmp_path / "s.sock"),
            "--settings", str(tmp_path / "none.toml"), "--passphrase-file", str(secret), "--json",
        ),
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    refused = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert "none.toml: No such file" in refused["error"]
