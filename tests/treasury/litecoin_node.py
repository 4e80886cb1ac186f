"""litecoind in regtest mode on loopback.  The rule: only what this class started is ended."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

PASSWORD = "regtest-only"
START_S = 60.0


class LitecoinNode:
    """One node with a wallet that plays the strangers and the miner."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self.miner = ""

    @property
    def url(self) -> str:
        return f"http://dev:{PASSWORD}@127.0.0.1:{self._port}"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                self._program, "-regtest", f"-datadir={self._folder}", "-txindex=1", "-listen=0",
                "-server=1", f"-rpcport={self._port}", "-rpcbind=127.0.0.1",
                "-rpcallowip=127.0.0.1", "-rpcuser=dev", f"-rpcpassword={PASSWORD}",
                "-fallbackfee=0.001", "-mempoolreplacement=1", "-dbcache=8",
                "-printtoconsole=0", "-dnsseed=0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                self.call("getblockcount")
                break
            except (httpx.HTTPError, RuntimeError):
                if time.monotonic() > deadline_s or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
        self.call("createwallet", "strangers")
        self.miner = str(self.call("getnewaddress", "", "bech32"))
        self.call("generatetoaddress", 110, self.miner)

    def stop(self) -> None:
        self._client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def call(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "1.0", "id": 1, "method": method, "params": params}
        reply = self._client.post("/", json=body).json()
        if reply["error"]:
            raise RuntimeError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    def pay(self, address: str, units: int) -> str:
        whole, part = divmod(units, 10**8)
        return str(self.call("sendtoaddress", address, f"{whole}.{part:08d}"))

    def mine(self, blocks: int = 1) -> None:
        self.call("generatetoaddress", blocks, self.miner)

    def reorganise(self, depth: int) -> None:
        """Replace the newest blocks by a longer branch that has no payments."""
        height = int(self.call("getblockcount"))
        self.call("invalidateblock", self.call("getblockhash", height - depth + 1))
        for _ in range(depth + 1):
            self.call("generateblock", self.miner, [])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
