"""The chain of a demo: kept, mined by need, started again.  The rule: what was seen is on disk.

Anvil rewrites its own state file in place, and an end in the middle of that loses the chain.  So
its state is taken after each block, and put in the file's place in one step: however it ends, at
most the block of that moment is missing, which no exchange has called final.  It begins with that
state before it takes a call: whoever saw it empty for a moment would take it for a chain that was
replaced down to its first block, and stop paying.  The embedded chain keeps each block by itself.
"""

import asyncio
import gzip
import os
import time
import zlib
from pathlib import Path
from typing import Final

import httpx
import structlog

from seawall.lab.devchain import DevChain, DevChainError, EmbeddedDevChain
from seawall.lab.tied import tied

KEPT: Final = "state.hex"
LOADED: Final = "loaded.json"
AGAIN_S: Final = 2.0
"""Between two attempts to start a chain that ended."""

_log = structlog.get_logger("seawall.demo")


class _Anvil(DevChain):
    async def start(self) -> None:
        await asyncio.to_thread(self._unpack)
        await super().start()

    def _unpack(self) -> None:
        """Write what was kept as Anvil reads it when it starts."""
        kept, loaded = self._folder / KEPT, self._folder / LOADED
        loaded.unlink(missing_ok=True)
        if kept.exists():
            try:
                state = gzip.decompress(bytes.fromhex(kept.read_text("ascii")[2:]))
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise DevChainError(f"{kept} is damaged: {error}") from error
            loaded.write_bytes(state)

    def _command(self) -> list[str]:
        loaded = self._folder / LOADED
        begin = ["--load-state", str(loaded)] if loaded.exists() else []
        return tied([*super()._command(), *begin])


class _Embedded(EmbeddedDevChain):
    def _command(self) -> list[str]:
        return tied(super()._command())


class DemoChain:
    """One development chain in one folder."""

    def __init__(
        self, folder: Path, *, chain_id: int, block_ms: int, idle_block_ms: int, busy_blocks: int
    ) -> None:
        self._folder = folder
        self._block_s = block_ms / 1_000
        self._idle_s = idle_block_ms / 1_000
        self._busy_blocks = busy_blocks
        """Mined at full pace after a block that held something, so that it becomes final."""
        self._busy = busy_blocks
        self._mined_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self.node: DevChain = _Anvil(folder, chain_id=chain_id)
        self._embedded = _Embedded(folder, chain_id=chain_id, keep_state=True)

    async def open(self) -> None:
        """Start Anvil, or where it cannot be had the embedded chain; DevChainError if neither.

        A folder stays with the chain that it began with.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if (self._folder / EmbeddedDevChain.state_name).exists():
            self.node = self._embedded
        try:
            await self._start()
        except (DevChainError, OSError) as error:
            if self.node is self._embedded or (self._folder / KEPT).exists():
                raise DevChainError(str(error)) from error
            _log.info("the embedded chain serves", reason=str(error))
            self.node = self._embedded
            await self._start()

    async def _start(self) -> None:
        await self.node.start()
        if self.node is not self._embedded and (self._folder / KEPT).exists():
            # It knows accounts at the newest block only: what is asked of final blocks needs more.
            for _ in range(self._busy_blocks):
                await self.mine()
        self._busy = self._busy_blocks

    async def mine(self) -> int:
        """Mine a block and keep it; return its number."""
        head = await self.node.mine()
        self._mined_s = time.monotonic()
        if self.node is not self._embedded:
            state = await self.node.rpc("anvil_dumpState")
            await asyncio.to_thread(self._keep, state)
        return head

    def _keep(self, state: str) -> None:
        fresh = self._folder / f"{KEPT}.new"
        with fresh.open("w", encoding="ascii") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / KEPT)

    def run(self) -> None:
        """Mine from now on, until closed."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="demo chain")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.node.stop()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._block_s)
            try:
                await self._turn()
            except (DevChainError, httpx.HTTPError, OSError) as error:
                _log.warning("the demo's chain does not answer", reason=str(error))
                await self._again()

    async def _turn(self) -> None:
        """Mine if something waits, is not final yet, or nothing happened for long."""
        if await self._waiting():
            self._busy = self._busy_blocks
        elif self._busy > 0:
            self._busy -= 1
        elif time.monotonic() - self._mined_s < self._idle_s:
            return
        await self.mine()

    async def _waiting(self) -> bool:
        try:
            pool = await self.node.rpc("txpool_status")
        except DevChainError:
            # The embedded chain does not say: it mines all the time.
            return True
        return int(pool["pending"], 16) > 0

    async def _again(self) -> None:
        """Start a chain that ended; it keeps its port."""
        try:
            await self.node.kill()
            await self._start()
        except (DevChainError, httpx.HTTPError, OSError) as error:
            _log.warning("the demo's chain did not start again", reason=str(error))
            await asyncio.sleep(AGAIN_S)
