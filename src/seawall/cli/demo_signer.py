"""The demo's signer: a process of its own, made once.  The rule: as an operator sets one up.

What a real exchange keeps apart, keystore and passphrase, lies side by side here: the coins are
play money.  Keys are made and used by the signer's own process, never by the exchange.
"""

import asyncio
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

import structlog

from seawall.lab.tied import tied
from seawall.model.funding import Listing, Network
from seawall.treasury.signer.command import READY

READY_S: Final = 60.0
AGAIN_S: Final = 1.0
SOCKET_CHARS: Final = 100
"""A unix socket's name has 107 at most."""
WINDOW_S: Final = 86_400
LEASE_S: Final = 4
"""So long after the exchange last said that all is well the demo's signer pays users."""
COLD: Final = "0x00000000000000000000000000000000c01Dc01D"
"""Nobody has its key: play coins that go there stay."""
PAYMENT_WHOLE: Final = 1_000_000
"""Whole units that the demo's signer signs for at once, and ten times that in a day."""

_log = structlog.get_logger("seawall.demo")


class DemoSignerError(Exception):
    """The signer did not start; the message has its last words."""


class DemoSigner:
    """Keeps `seawall signer run` running until closed."""

    def __init__(self, folder: Path, network: Network, listings: list[Listing]) -> None:
        self._folder = folder
        self._network = network
        self._listings = listings
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._short: tempfile.TemporaryDirectory[str] | None = None
        self.socket = folder / "signer.sock"
        if len(str(self.socket.absolute())) > SOCKET_CHARS:
            self._short = tempfile.TemporaryDirectory(prefix="seawall-")
            self.socket = Path(self._short.name) / "signer.sock"

    async def start(self) -> None:
        """Make what is missing, and return once the signer answers; DemoSignerError if not."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        passphrase = self._folder / "passphrase"
        if not passphrase.exists():
            _write_private(passphrase, secrets.token_urlsafe(32) + "\n")
        settings = self._folder / "signer.toml"
        if not settings.exists():
            wallets = await self._make_keystore(passphrase)
            _write_private(settings, _settings(self._network, self._listings, wallets))
        deadline_s = asyncio.get_running_loop().time() + READY_S
        while not await self._spawn():
            if asyncio.get_running_loop().time() > deadline_s:
                raise DemoSignerError(f"the signer does not start: {self._last_words()}")
            # One that lost its exchange a moment ago may still hold the record.
            await asyncio.sleep(AGAIN_S)
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="demo signer")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            await process.wait()
        if self._short is not None:
            self._short.cleanup()

    async def _make_keystore(self, passphrase: Path) -> list[str]:
        """Make the keys; a keystore without settings was never used, and is made again."""
        keystore = self._folder / "hot.keys"
        keystore.unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            *_seawall("signer", "keystore", "--json"),
            *("--keystore", str(keystore), "--passphrase-file", str(passphrase)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        if process.returncode != 0:
            raise DemoSignerError(f"no keystore was made: {told.decode(errors='replace')}")
        wallets: list[str] = json.loads(told)["wallets"]
        return wallets

    async def _spawn(self) -> bool:
        """Start the process; False if it ended before it was ready."""
        command = _seawall("signer", "run", "--keystore", str(self._folder / "hot.keys"))
        command += ["--socket", str(self.socket), "--settings", str(self._folder / "signer.toml")]
        command += ["--passphrase-file", str(self._folder / "passphrase")]
        with self._log_file().open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tied(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        if self._process.stdout is None:
            return False
        line = await self._process.stdout.readline()
        return line.decode(errors="replace").startswith(READY)

    async def _keep(self) -> None:
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _log.warning("the demo's signer ended; it is started again", exit_code=code)
            await asyncio.sleep(AGAIN_S)
            await self._spawn()

    def _log_file(self) -> Path:
        return self._folder / "signer.log"

    def _last_words(self) -> str:
        path = self._log_file()
        return path.read_text(errors="replace")[-500:] if path.exists() else "it said nothing"


def _seawall(*words: str) -> list[str]:
    return [sys.executable, "-m", "seawall", *words]


def _settings(network: Network, listings: list[Listing], wallets: list[str]) -> str:
    lines = [
        f"lease_s = {LEASE_S}",
        "",
        f"[networks.{network.code}]",
        f"chain_id = {network.chain_id}",
        f"own = {json.dumps([*wallets, COLD])}",
    ]
    for listing in listings:
        units = PAYMENT_WHOLE * 10**listing.chain_decimals
        lines += [
            "",
            f"[[networks.{network.code}.assets]]  # {listing.asset}",
            *([f'contract = "{listing.contract}"'] if listing.contract else []),
            f"payment_units = {units}",
            f"window_units = {10 * units}",
            f"window_s = {WINDOW_S}",
        ]
    return "\n".join(lines) + "\n"


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
