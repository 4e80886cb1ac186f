"""A development chain that can be hurt.  The rule: what was final anywhere stays.

It mines by its own clock.  A killed node comes back from its last dump, without its mempool and
without its newest blocks, and a reorganisation gives other blocks, or the same payments in another
order; neither ever reaches a block that was final at the highest head there was: an exchange that
waits for finality has been promised that much.  Every block is written down as it is mined, so that
what was paid in branches that are gone is known as well.
"""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from seawall.lab.devchain import DevChain, DevChainError
from seawall.lab.drills.payouts_audit import COIN, Paid
from seawall.lab.drills.payouts_blocks import ChainRecord, meant
from seawall.lib.prng import Prng

BROKEN: Final = (DevChainError, httpx.HTTPError, RuntimeError, OSError)
"""What a call raises while the node is down; the client says RuntimeError once it is closed."""
STATES_KEPT: Final = 24
"""Blocks of which the node can say balances and nonces; more would make its dumps slow."""
REVERTS: Final = "0x5f5ffd"
"""Code that takes nothing: PUSH0 PUSH0 REVERT."""
ANSWER_S: Final = 30.0
RETRY_S: Final = 0.05


class _Node(DevChain):
    """Anvil as the drill wants it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.load: Path | None = None

    def _command(self) -> list[str]:
        command = [*super()._command(), "--prune-history", str(STATES_KEPT)]
        return [*command, "--load-state", str(self.load)] if self.load else command


class HurtChain:
    """One chain, its clock and its record."""

    def __init__(self, folder: Path, *, finality: int, block_s: float, prng: Prng) -> None:
        self.node = _Node(folder)
        self.finality = finality
        self.head = 0
        self.highest = 0
        self.mined: dict[str, Paid] = {}
        """Every transaction that ever stood in a block, of whichever branch."""
        self.lanes: frozenset[str] = frozenset()
        """Whose payments are news."""
        self.news = asyncio.Event()
        """Set when a block has a payment of a lane's."""
        self.reorganised: list[int] = []
        """The depth of each reorganisation so far."""
        self._written: set[str] = set()
        """Blocks that are written down."""
        self._loaded = 0
        """The newest block that came from a dump: Anvil forgets contracts' code if that goes."""
        self._dump = folder / "dump.json"
        self._dumped = 0
        self._block_s = block_s
        self._prng = prng
        self._lock = asyncio.Lock()
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return self.node.url

    @property
    def floor(self) -> int:
        """The newest block that was final once: it and those below stay for ever."""
        return max(self.highest - self.finality + 1, 0)

    async def start(self) -> None:
        await self.node.start()
        self._up.set()
        self._task = asyncio.create_task(self._beat())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.node.kill()

    # Mining

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + self._block_s
            await self._up.wait()
            with contextlib.suppress(*BROKEN):
                await self.mine()
            await asyncio.sleep(max(due_s - loop.time(), 0.0))

    async def mine(self) -> None:
        """Mine one block and write it down."""
        async with self._lock:
            self.highest = max(self.highest, self.head + 1)
            await self._settle(await self.node.mine())

    async def _settle(self, head: int) -> None:
        """Take a new head, and write down the blocks that lead to it."""
        first = min(self.head, head) - self.finality + 1
        self.head, self.highest = head, max(self.highest, head)
        for number in range(head, max(first, 1) - 1, -1):
            if not await self._write_down(number):
                break

    async def _write_down(self, number: int) -> bool:
        """Write a block's payments down; False if they were already."""
        block = await self.rpc("eth_getBlockByNumber", hex(number), True)
        if block["hash"] in self._written:
            return False
        for sent in block["transactions"]:
            paid = meant(sent)
            self.mined[paid.tx_id] = paid
            if paid.source in self.lanes:
                self.news.set()
        self._written.add(block["hash"])
        return True

    # Calls

    async def rpc(self, method: str, *params: Any) -> Any:
        return await self.node.rpc(method, *params)

    async def insist(self, method: str, *params: Any) -> Any:
        """Call until the node answers: it may be down at the moment."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                await self._up.wait()
                try:
                    return await self.rpc(method, *params)
                except BROKEN:
                    await asyncio.sleep(RETRY_S)

    async def refuse(self, address: str) -> None:
        """Make an address a contract that takes no coin."""
        await self.insist("anvil_setCode", address, REVERTS)

    # Harm

    async def dump(self) -> None:
        """Keep the state from which a killed node comes back."""
        async with self._lock:
            at = self.head
            text = await self.rpc("anvil_dumpState", True)
        raw = bytes.fromhex(text[2:])
        state = await asyncio.to_thread(gzip.decompress, raw) if raw[:2] == b"\x1f\x8b" else raw
        await asyncio.to_thread(_replace, self._dump, state)
        self.node.load, self._dumped = self._dump, at

    @property
    def dump_is_old(self) -> bool:
        """Whether a kill now would take away too much, or leave nothing to it."""
        # Two blocks of room: one may be on its way, and one more comes before the next look.
        return self.node.load is None or self._dumped < self.highest + 2 - self.finality + 1

    async def kill(self) -> None:
        """End the node; what it did not dump is gone."""
        self._up.clear()
        await self.node.kill()

    async def revive(self) -> None:
        """Start the node again from its dump; what it lost counts as a reorganisation."""
        async with self._lock:
            await self.node.start()
            lost = self.head - self._dumped
            self.head = self._loaded = self._dumped
        self._up.set()
        if lost > 0:
            self.reorganised.append(lost)

    async def freeze(self, for_s: float) -> None:
        """Let the node take connections and never answer, for a while."""
        self.node.freeze()
        try:
            await asyncio.sleep(for_s)
        finally:
            self.node.thaw()

    async def reorganise(self) -> str:
        """Replace some of the newest blocks; return what was done in words."""
        async with self._lock:
            most = self.head - max(self.floor, self._loaded)
            if most < 1:
                return ""
            depth = self._prng.between(1, most)
            sent = await self._newest(depth)
            how = self._prng.choice(("dropping all", "keeping all", "mixing", "dropping some"))
            keep = list(_kept(how, sent, depth, self._prng))
            self.highest = max(self.highest, self.head + 1)
            await self.node.reorganise(depth, keep)
            await self._settle(int(await self.rpc("eth_blockNumber"), 16))
        self.reorganised.append(depth)
        return f"{depth} blocks replaced, {how} of {len(sent)} transactions"

    async def _newest(self, depth: int) -> list[tuple[int, str, int, str]]:
        """Return place, sender, nonce and bytes of what stands in the newest blocks."""
        found = []
        for number in range(self.head - depth + 1, self.head + 1):
            block = await self.rpc("eth_getBlockByNumber", hex(number), True)
            for sent in block["transactions"]:
                raw = await self.rpc("eth_getRawTransactionByHash", sent["hash"])
                place = number - (self.head - depth + 1)
                found.append((place, sent["from"], int(sent["nonce"], 16), raw))
        return found

    # What is there now

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """Mine nothing meanwhile."""
        async with self._lock:
            yield

    async def read(self, own: frozenset[str]) -> ChainRecord:
        """Read every block of the chain as it stands."""
        record = ChainRecord(own)
        head = int(await self.rpc("eth_blockNumber"), 16)
        for number in range(1, head + 1):
            block = await self.rpc("eth_getBlockByNumber", hex(number), True)
            if block["transactions"]:
                receipts = await self.rpc("eth_getBlockReceipts", hex(number))
                record.take(block["transactions"], receipts)
        return record

    async def held(self, address: str, contract: str) -> int:
        """Return what stands at an address now, in units."""
        if contract == COIN:
            return int(await self.rpc("eth_getBalance", address, "latest"), 16)
        data = "0x70a08231" + address[2:].lower().rjust(64, "0")
        return int(await self.rpc("eth_call", {"to": contract, "data": data}, "latest"), 16)


def _kept(
    how: str, sent: list[tuple[int, str, int, str]], depth: int, prng: Prng
) -> Iterator[tuple[str | dict[str, Any], int]]:
    """Yield what the new blocks hold, and in which: an account's own order always stays."""
    match how:
        case "keeping all":
            yield from ((raw, place) for place, _, _, raw in sent)
        case "mixing":
            # Later blocks, and the senders in another order.
            lines: dict[str, list[str]] = {}
            for _, source, _, raw in sent:
                lines.setdefault(source, []).append(raw)
            queues = list(lines.values())
            while queues:
                queue = prng.choice(queues)
                yield queue.pop(0), depth - 1
                queues = [queue for queue in queues if queue]
        case "dropping some":
            dropped: set[str] = set()
            for place, source, _, raw in sent:
                if source in dropped or prng.chance(1, 8):
                    dropped.add(source)
                else:
                    yield raw, place
        case _:
            return


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
