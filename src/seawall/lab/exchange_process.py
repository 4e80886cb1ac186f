"""A real exchange as a process of its own.  The rule: only what this class started is ever killed.

Runs `python -m seawall up` as an operator would, with a configuration of the drill's own.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

import seawall
from seawall.lab.wire import BrokenError, Connection, Key

HOST: Final = "127.0.0.1"
START_S: Final = 120.0
POLL_S: Final = 0.01
OUTPUT_CHARS: Final = 2_000


class ExchangeError(Exception):
    """The exchange did not do what every drill needs; the message has its own last words."""


class ExchangeProcess:
    """One exchange on one data directory and one port, started as often as needed."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.data = folder / "data"
        self.port = _free_port()
        self._folder = folder
        self._configuration = configuration
        self._process: asyncio.subprocess.Process | None = None

    def connection(self, timeout_s: float = 10.0) -> Connection:
        return Connection(HOST, self.port, timeout_s)

    async def spawn(self) -> None:
        """Start the process; it is not ready yet."""
        config = self._folder / "seawall.toml"
        if not config.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            config.write_text(self._configuration, encoding="utf-8")
        arguments = ["--config", str(config), "--data", str(self.data), "--port", str(self.port)]
        # Appended: the last words of every life are kept.
        with (self._folder / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "seawall", "up", *arguments,
                stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL, env=environment(),
            )  # fmt: skip

    async def ready(self) -> None:
        """Return once the exchange takes commands; raise ExchangeError if it never does."""
        deadline_s = time.monotonic() + START_S
        connection = self.connection(timeout_s=2.0)
        try:
            while time.monotonic() < deadline_s:
                if self._process is None or self._process.returncode is not None:
                    raise ExchangeError(f"the exchange did not start:\n{self._last_words()}")
                with contextlib.suppress(BrokenError):
                    answer = await connection.request("GET", "/health/ready")
                    if answer.status == 200:
                        return
                await asyncio.sleep(POLL_S)
        finally:
            connection.close()
        raise ExchangeError(f"the exchange was not ready within {START_S:.0f} s")

    async def kill(self) -> None:
        """End the process with SIGKILL, and wait until it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End the process as an operator would; return its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        code = await process.wait()
        self._process = None
        return code

    async def operator(
        self, path: str, body: dict[str, Any] | None = None, method: str = "POST"
    ) -> dict[str, Any]:
        """Make an operator's call, or raise ExchangeError."""
        token = (self.data / "operator.token").read_text(encoding="ascii").strip()
        connection = self.connection()
        try:
            answer = await connection.request(
                method,
                f"/seawall/v1/operator/{path}",
                {"X-Seawall-Operator": token, "Content-Type": "application/json"},
                b"" if body is None else msgspec.json.encode(body),
            )
        finally:
            connection.close()
        if answer.status != 200:
            raise ExchangeError(f"operator call {path}: {answer.status} {answer.body.decode()}")
        found: dict[str, Any] = answer.json()
        return found

    async def fund(self, name: str, funds: dict[str, str]) -> Key:
        """Create a user with these balances and return a key of theirs."""
        await self.operator("users", {"name": name})
        for asset, amount in funds.items():
            body = {"user": name, "asset": asset, "amount": amount, "reference": "drill"}
            await self.operator("credits", body)
        made = await self.operator("keys", {"user": name, "label": "drill"})
        return Key(made["apiKey"], made["secretKey"])

    async def verify(self) -> tuple[bool, str]:
        """Run `seawall journal verify` on the data; return whether it holds and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "seawall", "journal", "verify",
            "--data", str(self.data), "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment(),
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode == 0, output.decode(errors="replace")

    def _last_words(self) -> str:
        path = self._folder / "output.log"
        return path.read_text(errors="replace")[-OUTPUT_CHARS:] if path.exists() else ""


def environment() -> dict[str, str]:
    """Return an environment in which the child runs this very Seawall."""
    here = str(Path(seawall.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    settings = {name: value for name, value in os.environ.items() if "SEAWALL" not in name}
    return {**settings, "PYTHONPATH": path}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port
