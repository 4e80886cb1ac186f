"""The clients' own live suites: ccxt's (sync, async, WebSocket) and python-binance's.

All four start at once, for most of their time they wait; each test then looks at one of them.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.clients.packages import ccxt_wheel, python_binance_source
from tests.clients.urls import ccxt_config
from tests.exchange import Exchange

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
SKIPS = tomllib.loads((HERE / "skips.toml").read_text("utf-8"))
CCXT_RUNS = {
    "sync": ["--sync", "--private"],
    "async": ["--private"],
    "websocket": ["--ws", "--private"],
}
CCXT_AT_LEAST = {"sync": 19, "async": 19, "websocket": 13}
PYTHON_BINANCE_AT_LEAST = 220
PATIENCE_S = 200
TRIES = 3
"""ccxt's suite has time limits of its own; on a starved machine they run out, and it hangs."""


class Run:
    """One suite under way."""

    def __init__(self, command: list[str], folder: Path, log: Path, more: dict[str, str]) -> None:
        self._command, self._folder, self._log = command, folder, log
        self._environment = os.environ | more
        self.start()

    def start(self) -> None:
        self._out = self._log.open("w")
        self.process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )

    def finish(self) -> str:
        """Return what it wrote; a run that ran out of its own time is started again."""
        for remaining in reversed(range(TRIES)):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S)
            log = self._log.read_text("utf-8", "replace")
            in_time = self.process.poll() is not None and "TIMEOUT_CAUSE" not in log
            if in_time or remaining == 0:
                break
            self.stop()
            self.start()
        return log

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.close()


@pytest.fixture(scope="module")
def runs(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    folder = tmp_path_factory.mktemp("suites")
    exchange.keep_trading(exchange.account)
    started: dict[str, Run] = {}
    try:
        started["python-binance"] = start_python_binance(exchange, folder)
        started.update(start_ccxt(exchange, folder))
        yield started
    finally:
        for run in started.values():
            run.stop()


def start_ccxt(exchange: Exchange, folder: Path) -> dict[str, Run]:
    """Lay ccxt out as its suite wants it, beside its keys and skips, and start each flavour."""
    root = folder / "ccxt"
    shutil.copytree(ccxt_wheel() / "ccxt", root / "python" / "ccxt")
    config = ccxt_config(exchange, exchange.account)
    config["has"] = {"future": False, "option": False, "swap": False}
    config["options"]["fetchMarkets"] = {"types": ["spot"]}
    (root / "keys.local.json").write_text(json.dumps({"binance": config}))
    skips = SKIPS["ccxt"]["methods"] | SKIPS["ccxt"]["properties"]
    (root / "skip-tests.json").write_text(
        json.dumps({"binance": {"preferredSpotSymbol": "BTC/USDT", "skipMethods": skips}})
    )
    return {
        name: Run(
            [sys.executable, str(HERE / "ccxt_runner.py"), *flags, "--info", "binance"],
            root / "python" / "ccxt" / "test",
            folder / f"ccxt-{name}.log",
            {"PYTHONPATH": str(root / "python")},
        )
        for name, flags in CCXT_RUNS.items()
    }


def start_python_binance(exchange: Exchange, folder: Path) -> Run:
    """Run its tests with a conftest.py of ours, as a user whose account is quiet."""
    root = folder / "python-binance"
    shutil.copytree(python_binance_source() / "tests", root / "tests")
    shutil.copy(HERE / "python_binance_conftest.py", root / "tests" / "conftest.py")
    (root / "tests" / "__init__.py").touch()
    (root / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    left_out = SKIPS["python_binance"]
    for name in left_out["tests"]:
        file, _, function = name.partition("::")
        assert f"def {function}(" in (root / "tests" / file).read_text("utf-8"), name
    for name in left_out["files"]:
        (root / "tests" / name).unlink()
    quiet = exchange.open_account("carol")
    return Run(
        [
            sys.executable, "-m", "pytest", "-q", "-n", "4", "-p", "no:cacheprovider",
            "-W", "ignore", "--durations", "12", "--timeout", "60",
            f"--junitxml={folder / 'python-binance.xml'}",
            *(f"--deselect=tests/{name}" for name in left_out["tests"]), "tests",
        ],
        root,
        folder / "python-binance.log",
        {
            "SEAWALL_HTTP": exchange.url,
            "SEAWALL_WS": exchange.websocket_url,
            "SEAWALL_KEY": quiet.api_key,
            "SEAWALL_SECRET": quiet.secret_key,
            "PYTHONPATH": "",
        },
    )  # fmt: skip


@pytest.mark.parametrize("name", list(CCXT_RUNS))
def test_ccxt(runs: dict[str, Run], name: str) -> None:
    log = runs[name].finish()
    assert runs[name].process.returncode == 0, log[-4_000:]
    troubles = [
        line[:1_000]
        for line in log.splitlines()
        if "[TEST_FAILURE]" in line or "[TEST_WARNING]" in line
    ]
    assert not troubles, "\n".join(troubles)
    done = sum("[INFO] TESTING DONE" in line for line in log.splitlines())
    assert done >= CCXT_AT_LEAST[name], log[-4_000:]
    if name == "sync":
        skipped = {line.split()[-1] for line in log.splitlines() if "[INFO] SKIPPED_TEST" in line}
        assert skipped == set(SKIPS["ccxt"]["methods"]), "skips.toml names what is skipped"


def test_python_binance(runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> None:
    run = runs["python-binance"]
    log = run.finish()
    report: Any = ET.parse(run._log.with_suffix(".xml")).getroot()  # noqa: S314 our own pytest's
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in report.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    assert not failed, log[-8_000:]
    assert run.process.returncode == 0, log[-4_000:]
    passed = sum(case.find("skipped") is None for case in report.iter("testcase"))
    assert passed >= PYTHON_BINANCE_AT_LEAST, log[-2_000:]
