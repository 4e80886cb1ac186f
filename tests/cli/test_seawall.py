"""The command as people and programs meet it: processes, exit codes, one JSON document."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from seawall.cli.main import run
from seawall.model.ids import CELLS

COMMAND = (sys.executable, "-m", "seawall")
PATIENCE_S = 60


def seawall(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=_environment(environment),
    )


def _environment(more: dict[str, str]) -> dict[str, str]:
    source = str(Path(__file__).parents[2] / "src")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SEAWALL")}
    # Chains have tests of their own: test_demo_money.py.
    return kept | {"PYTHONPATH": source, "SEAWALL__DEMO__CHAIN": "false"} | more


def answer(*words: str, code: int = 0) -> Any:
    done = seawall(*words, "--json")
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


class Up:
    """`seawall up --json` in a process of its own."""

    def __init__(self, data: Path, *words: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--data", str(data), "--port", "0", "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment({}),
        )
        self.started: dict[str, Any] = self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line == "}\n":
                found: dict[str, Any] = json.loads("".join(lines))
                return found
        assert self.process.stderr is not None
        raise AssertionError(self.process.stderr.read())

    @property
    def url(self) -> str:
        return str(self.started["url"])

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; its pipes are read to the end, so that none is left open."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("demo") / "data", "--demo")
    yield running
    assert running.end(signal.SIGINT) == 0
    assert not (running.data / "exchange.json").exists()
    report = answer("journal", "verify", "--data", str(running.data))
    assert report["ok"]
    assert {cell["cell"] for cell in report["cells"]} == set(CELLS)


def test_a_demo_says_where_everything_is(demo: Up) -> None:
    running = json.loads((demo.data / "exchange.json").read_text())
    assert running == {
        "pid": demo.process.pid,
        "port": demo.started["port"],
        "url": demo.url,
    }
    keys = demo.data / "demo-keys.json"
    assert set(json.loads(keys.read_text())) == {"apiKey", "secretKey"}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert demo.url in (demo.data / "demo-bot.py").read_text()
    assert httpx.get(f"{demo.url}/health/ready").json()["ready"] is True
    depth = httpx.get(f"{demo.url}/api/v3/depth", params={"symbol": "BTCUSDT"}).json()
    assert depth["bids"]
    assert depth["asks"]
    page = httpx.get(demo.url)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src" not in page.headers["content-security-policy"]


def test_one_exchange_for_one_directory(demo: Up) -> None:
    refused = answer("up", "--data", str(demo.data), "--port", "0", code=3)
    assert str(demo.process.pid) in refused["error"]
    assert demo.url in refused["error"]


def test_a_key_of_a_new_user_works_at_once(demo: Up) -> None:
    made = answer(
        "keys", "create", "--user", "ada", "--deposit", "BTC=1.5,USDT=10", "--data", str(demo.data)
    )
    assert len(made["apiKey"]) == 64
    assert len(made["secretKey"]) == 64
    again = answer("keys", "create", "--user", "ada", "--data", str(demo.data))
    assert again["apiKey"] != made["apiKey"]


def test_operators_see_the_queue_and_stop_a_service(demo: Up) -> None:
    at = ("--data", str(demo.data))
    found = answer("funding", "queue", *at)
    assert found["withdrawals"] == []
    assert [(row["asset"], row["network"]) for row in found["listings"]] == [
        ("ETH", "ETH"),
        ("USDT", "ETH"),
    ]
    who = ("--person", "ann", "--reason", "a test", *at)
    paused = answer("funding", "pause", "eth", "eth", "--limited", *who)
    assert (paused["withdrawal"]["status"], paused["withdrawal"]["person"]) == ("limited", "ann")
    shown = seawall("funding", "pause", "USDT", "ETH", "--service", "deposit", *who)
    assert shown.returncode == 0
    assert "a test" in shown.stdout
    resumed = answer("funding", "resume", "ETH", "ETH", *who)
    assert resumed["withdrawal"]["status"] == "open"
    refused = answer("funding", "approve", "7", "--person", "ann", *at, code=4)
    assert "does not exist" in refused["error"]
    answer("funding", "pause", "ETH", "TRX", *who, code=4)
    lacking = answer("funding", "topups", *at)["topUps"]
    assert all(row["wanted"].strip("0.") or row["unbooked"].strip("0.") for row in lacking)
    who_books = ("ETH", "0x" + "12" * 32, "--person", "ann", *at)
    refused = answer("funding", "topped-up", *who_books, code=4)
    assert "The exchange refused" in refused["error"]
    assert answer("funding", "reconcile", *at)["listings"][0]["difference"].strip("0.") == ""


@pytest.mark.parametrize(
    "words,code,what",
    [
        (("--deposit", "BTC"), 2, "`BTC` is no deposit"),
        (("--deposit", "NONE=1"), 4, "asset"),
        (("--ip", "nowhere"), 4, "ipAllow"),
        (("--ed25519", "missing.pem"), 2, "missing.pem cannot be read"),
    ],
)
def test_a_key_that_cannot_be(demo: Up, words: tuple[str, ...], code: int, what: str) -> None:
    refused = answer("keys", "create", "--user", "eve", *words, "--data", str(demo.data), code=code)
    assert what in refused["error"]
    assert refused["advice"]


def test_a_market_is_closed_with_a_reason(demo: Up) -> None:
    where = ("--data", str(demo.data))
    answer("market", "status", "ltcusdt", "cancel_only", "--reason", "a test", *where)
    markets = httpx.get(f"{demo.url}/seawall/v1/markets").json()["markets"]
    told = next(market for market in markets if market["symbol"] == "LTCUSDT")
    assert (told["status"], told["reason"]) == ("cancel_only", "a test")
    refused = answer("market", "status", "NONE", "open", "--reason", "x", *where, code=4)
    assert "symbol" in refused["error"]


def test_a_journal_can_be_read_while_it_grows(demo: Up) -> None:
    where = ("--data", str(demo.data))
    heads = {line["cell"]: line["entries"] for line in answer("journal", "head", *where)}
    assert heads["spot"] > 100
    first = answer("journal", "show", "--from", "1", "--limit", "2", *where)
    assert [entry["sequence"] for entry in first] == [1, 2]
    assert first[0]["record"]["command"]["type"] == "lead"
    assert answer("journal", "verify", *where)["ok"]


def test_going_on_after_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = Up(data)
    made = answer("keys", "create", "--user", "ada", "--data", str(data))
    refused = answer(
        "keys", "create", "--user", "ada", "--deposit", "BTC=1", "--data", str(data), code=4
    )
    assert "no demo" in refused["error"]
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    gone = answer("keys", "create", "--user", "ada", "--data", str(data), code=3)
    assert "No exchange runs" in gone["error"]
    second = Up(data)
    try:
        assert second.started["restored"] > 0
        key = {"X-MBX-APIKEY": made["apiKey"]}
        opened = httpx.post(f"{second.url}/api/v3/userDataStream", headers=key)
        assert opened.status_code == 200
        taken = answer(
            "up", "--data", str(tmp_path / "other"), "--port", str(second.started["port"]), code=3
        )
        assert "cannot be listened on" in taken["error"]
    finally:
        assert second.end() == 0


def test_a_damaged_journal_is_named_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert Up(data).end() == 0
    files = (data / "journal").glob("spot.sqlite*")
    file = next(file for file in files if b'"list_asset"' in file.read_bytes())
    content = bytearray(file.read_bytes())
    content[content.index(b'"list_asset"') + 2] ^= 1
    file.write_bytes(content)
    refused = answer("up", "--data", str(data), "--port", "0", code=1)
    assert "spot" in refused["error"]
    assert "seawall journal verify" in refused["advice"]
    assert file.read_bytes() == content
    report = answer("journal", "verify", "--data", str(data), code=1)
    assert not report["ok"]


@pytest.mark.parametrize(
    "words,code,what",
    [
        (("chek",), 2, "chek"),
        (("config", "check", "--config", "missing.toml"), 2, "missing.toml cannot be read"),
        (("drill", "nothing"), 2, "There is no drill `nothing`"),
        (("bench", "nothing"), 2, "There is no benchmark `nothing`"),
        (("replay",), 2, "No capture is named"),
        (("replay", "missing.gz"), 1, "missing.gz"),
        (("journal", "verify", "--data", "nowhere"), 3, "holds no exchange's data"),
        (("journal", "show", "--cell", "x", "--data", "nowhere"), 2, "There is no cell `x`"),
        (("market", "status", "A", "open", "--reason", "x", "--data", "nowhere"), 3, "No exchange"),
    ],
)
def test_errors_say_what_and_what_next(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    words: tuple[str, ...],
    code: int,
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        run([*words, "--json"])
    assert left.value.code == code
    told = json.loads(capfdbinary.readouterr().out)
    assert what in told["error"]
    assert told["advice"]
    assert told["exitCode"] == code


def test_people_are_told_the_same_in_two_lines(tmp_path: Path) -> None:
    done = seawall("journal", "verify", "--data", str(tmp_path))
    assert done.returncode == 3
    assert done.stdout == ""
    what, advice = done.stderr.splitlines()
    assert what.startswith("✗ ")
    assert "seawall up" in advice


def test_the_version_says_which_core_runs() -> None:
    assert seawall("--version").stdout.strip() in {
        "seawall 0.4.0 (plain core)",
        "seawall 0.4.0 (compiled core)",
    }


def test_help_is_for_everything() -> None:
    told = seawall("--help").stdout
    for name in ("up", "config", "keys", "market", "replay", "journal", "drill", "bench"):
        assert name in told
    assert "Exit codes" in told
