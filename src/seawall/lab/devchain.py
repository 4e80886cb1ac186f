"""A development chain, on loopback.  The rule: only what a class here started is ended.

It is Anvil, or where that cannot be had, the embedded chain of `ethchain.py` in a process of its
own.  The accounts are unlocked: the keys are public, the coin is play money.  Contracts come
compiled from `contracts/`.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

HOST: Final = "127.0.0.1"
START_S: Final = 60.0
PLACES: Final = (
    Path("build/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"),
    Path(__file__).parents[3] / "build/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil",
)
_LISTENING = re.compile(rb"Listening on [^:]+:(\d+)")


class DevChainError(Exception):
    """The development chain did not start, or refused a call; the message has its words."""


def find_anvil() -> Path:
    """Return Anvil's binary: SEAWALL_ANVIL, what `make anvil` installed, or one on the path."""
    named = os.environ.get("SEAWALL_ANVIL")
    if named:
        if not Path(named).is_file():
            raise DevChainError(f"SEAWALL_ANVIL names {named}, which is no file")
        return Path(named)
    for place in PLACES:
        if place.is_file():
            return place.resolve()
    found = shutil.which("anvil")
    if found is None:
        raise DevChainError("Anvil is missing: run `make anvil`, or set SEAWALL_ANVIL to its path")
    return Path(found)


class DevChain:
    """One Anvil process.  Without `block_s` it mines only when told to."""

    program = "Anvil"
    log_name = "anvil.log"
    state_name = "state.json"

    def __init__(
        self,
        folder: Path,
        *,
        chain_id: int = 31337,
        block_s: float | None = None,
        port: int = 0,
        keep_state: bool = False,
        host: str = HOST,
    ) -> None:
        self.chain_id = chain_id
        self.host = host
        """Loopback, unless providers in namespaces of their own are to reach it."""
        self.port = port
        self.accounts: list[str] = []
        self._folder = folder
        self._block_s = block_s
        self._keep_state = keep_state
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until it answers; started again, it keeps its port."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / self.log_name
        began = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_S):
                await self._listen(log, began)
        except TimeoutError:
            await self.stop()
            raise DevChainError(
                f"{self.program} did not start in {START_S:g} s: {_tail(log)}"
            ) from None
        await self.connect()

    async def connect(self) -> None:
        """Use the chain that answers at the port, whoever started it."""
        self._client = httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)
        self.accounts = [to_checksum_address(name) for name in await self.rpc("eth_accounts")]

    def _command(self) -> list[str]:
        arguments = [
            str(find_anvil()),
            "--host",
            self.host,
            "--port",
            str(self.port),
            "--chain-id",
            str(self.chain_id),
        ]
        # `--mixed-mining` is not wanted: a block comes by the clock, or when it is asked for.
        if self._block_s is None:
            arguments.append("--no-mining")
        else:
            arguments += ["--block-time", f"{self._block_s:g}"]
        if self._keep_state:
            state = str(self._folder / self.state_name)
            arguments += ["--state", state, "--state-interval", "1"]
            arguments.append("--preserve-historical-states")
        return arguments

    async def _listen(self, log: Path, began: int) -> None:
        while True:
            found = _LISTENING.search(_written(log, began))
            if found is not None:
                self.port = int(found[1])
                return
            if self._process is None or self._process.returncode is not None:
                raise DevChainError(f"{self.program} ended: {_tail(log)}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End the process as an operator would."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End the process as a power cut would."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(how)
            await process.wait()

    def freeze(self) -> None:
        """Stop the process without ending it: it takes connections and never answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            # Until none of its threads runs it may still answer.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    # Calls

    async def rpc(self, method: str, *params: Any) -> Any:
        """Call the node; raise DevChainError with its own words if it refuses."""
        if self._client is None:
            raise DevChainError("the chain is not running")
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        reply = (await self._client.post("/", json=body)).json()
        if "error" in reply:
            raise DevChainError(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    async def mine(self, blocks: int = 1) -> int:
        """Mine, and return the new head's number."""
        await self.rpc("anvil_mine", hex(blocks))
        return int(await self.rpc("eth_blockNumber"), 16)

    async def reorganise(
        self, depth: int, keep: list[tuple[str | dict[str, Any], int]] | None = None
    ) -> None:
        """Replace the newest `depth` blocks by as many others and one more.

        `keep` is what they hold: raw transactions or unsigned fields, each with the number of the
        new block it goes to, from 0.  Everything else that was in the old ones is gone.
        """
        await self.rpc("anvil_reorg", depth, keep or [])
        await self.mine()

    async def send(self, sender: str, to: str | None, **fields: Any) -> str:
        """Send from one of Anvil's accounts; it is mined with the next block."""
        transaction = {"from": sender, **({"to": to} if to else {}), **_hexed(fields)}
        return str(await self.rpc("eth_sendTransaction", transaction))

    async def pay(self, to: str, units: int, *, account: int = 0) -> str:
        """Pay coin from an account of Anvil's."""
        return await self.send(self.accounts[account], to, value=units)

    async def transact(
        self,
        contract: str,
        signature: str,
        *arguments: Any,
        account: int = 0,
        **fields: Any,
    ) -> str:
        """Call a contract's function by its signature, such as `transfer(address,uint256)`."""
        data = call_data(signature, *arguments)
        return await self.send(self.accounts[account], contract, data=data, **fields)

    async def deploy(self, name: str, types: str = "", *arguments: Any, account: int = 0) -> str:
        """Deploy one of `contracts/`, mine, and return its address."""
        code = contracts()[name]["bytecode"]
        packed = encode(types.split(",") if types else [], arguments).hex()
        tx_id = await self.send(self.accounts[account], None, data=code + packed, gas=5_000_000)
        await self.mine()
        receipt = await self.rpc("eth_getTransactionReceipt", tx_id)
        if receipt is None or receipt["status"] != "0x1":
            raise DevChainError(f"{name} did not deploy")
        return str(to_checksum_address(receipt["contractAddress"]))

    async def deploy_token(
        self, symbol: str, decimals: int, supply: int, *, fee_per_mille: int = 0
    ) -> str:
        """Deploy an ERC-20 token; account 0 owns the supply."""
        return await self.deploy(
            "token", "string,uint8,uint256,uint256", symbol, decimals, supply, fee_per_mille
        )

    async def pay_token(self, contract: str, to: str, units: int, *, account: int = 0) -> str:
        """Pay tokens from an account of Anvil's."""
        return await self.transact(
            contract, "transfer(address,uint256)", to, units, account=account, gas=200_000
        )


class EmbeddedDevChain(DevChain):
    """One process of the embedded chain: slower than Anvil, with every block kept as it is made.

    What waits in its pool is lost with the process.
    """

    program = "the embedded chain"
    log_name = "embedded.log"
    state_name = "embedded.sqlite"

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "seawall.lab.ethchain_server"]
        command += ["--host", self.host, "--port", str(self.port)]
        command += ["--chain-id", str(self.chain_id)]
        if self._block_s is not None:
            command += ["--block-time", f"{self._block_s:g}"]
        if self._keep_state:
            command += ["--file", str(self._folder / self.state_name)]
        return command


async def open_development_chain(
    folder: Path,
    *,
    chain_id: int = 31337,
    block_s: float | None = None,
    port: int = 0,
    keep_state: bool = False,
    host: str = HOST,
) -> DevChain:
    """Start Anvil, or where it cannot be had the embedded chain; `program` says which it is.

    A folder stays with the chain that it began with: the other one would be another chain, and an
    exchange that knows the first would find its money gone.
    """

    def choose(kind: type[DevChain]) -> DevChain:
        return kind(
            folder,
            chain_id=chain_id,
            block_s=block_s,
            port=port,
            keep_state=keep_state,
            host=host,
        )

    if (folder / EmbeddedDevChain.state_name).exists():
        chain = choose(EmbeddedDevChain)
        await chain.start()
        return chain
    chain = choose(DevChain)
    try:
        await chain.start()
    except (DevChainError, OSError):
        if (folder / DevChain.state_name).exists():
            raise
        chain = choose(EmbeddedDevChain)
        await chain.start()
    return chain


def contracts() -> dict[str, Any]:
    """Return the compiled contracts by name: `abi` and `bytecode`."""
    path = Path(__file__).parent / "contracts" / "contracts.json"
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return found


def call_data(signature: str, *arguments: Any) -> str:
    """Return the data that calls a function, in hex with 0x."""
    inside = signature[signature.index("(") + 1 : -1]
    selector = function_signature_to_4byte_selector(signature)
    return "0x" + (selector + encode(inside.split(",") if inside else [], arguments)).hex()


def _hexed(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: hex(value) if isinstance(value, int) else value for name, value in fields.items()}


def _written(log: Path, began: int) -> bytes:
    return log.read_bytes()[began:]


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:] if log.exists() else "it wrote nothing"
