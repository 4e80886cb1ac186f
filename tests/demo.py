"""A demo with its chain and signer, as processes, for tests of money in and out."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx

T = TypeVar("T")
COMMAND = (sys.executable, "-m", "seawall")
PATIENCE_S = 90
BLOCKS = {"SEAWALL__DEMO__BLOCK_MS": "700", "SEAWALL__DEMO__IDLE_BLOCK_MS": "700"}


NO_STATUS = {"SEAWALL__DEMO__STATUS": "false"}
"""Most tests have no use for the demo's status site."""


def environment() -> dict[str, str]:
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("SEAWALL") or name == "SEAWALL_ANVIL"
    }
    return kept | BLOCKS | NO_STATUS | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}


class Demo:
    """`seawall up --demo`, started as often as a test likes."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
        self.websocket_url = ""
        self.started: dict[str, Any] = {}
        self._process: subprocess.Popen[str] | None = None
        self._client = httpx.Client(trust_env=False, timeout=PATIENCE_S)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, "up", "--demo", "--data", str(self.data), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        lines = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        self.started = json.loads("".join(lines))
        self.url = self.started["url"]
        self.websocket_url = self.url.replace("http", "ws", 1)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        process.communicate(timeout=PATIENCE_S)
        return process.returncode

    def close(self) -> None:
        self.end()
        self._client.close()

    def command(self, *words: str, code: int = 0) -> Any:
        done = subprocess.run(
            [*COMMAND, *words, "--data", str(self.data), "--json"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env=environment(),
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    @property
    def keys(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / "demo-keys.json").read_text())
        return found

    def ask(self, verb: str, path: str, **params: str) -> Any:
        """Ask as the demo's user; whatever is answered."""
        query = urlencode(params | {"timestamp": str(time.time_ns() // 1_000_000)})
        secret = self.keys["secretKey"].encode()
        proof = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        url = f"{self.url}{path}?{query}&signature={proof}"
        return self._client.request(verb, url, headers={"X-MBX-APIKEY": self.keys["apiKey"]}).json()

    def chain(self, method: str, *params: Any) -> Any:
        """Ask the demo's chain itself, past the exchange."""
        url = json.loads((self.data / "demo" / "chain.json").read_text())["url"]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self._client.post(url, json=body).json()["result"]


def until(look: Callable[[], T | None]) -> T:
    """Return what `look` finds once it finds something."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")
