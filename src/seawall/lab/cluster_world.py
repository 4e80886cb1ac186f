"""What a simulated cluster stands on: a journal with a majority or without, links, and clocks.

The rule: everything that a network may do to a message, this one does: late, lost, in one direction
only, and done though the answer was lost.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from seawall.journal.memory import MemoryDisk
from seawall.journal.port import Entry, Head, JournalError, JournalUnknownError
from seawall.lib.prng import Prng
from seawall.node.peer_messages import Message, decode_message, encode_message

JOURNAL_S: Final = (0.0005, 0.004)
"""How long a request, or its answer, travels to the journal."""
LINK_S: Final = (0.0005, 0.003)
TIMEOUT_S: Final = 0.8
"""How long an engine waits for an answer before it says that it does not know."""
LATE_S: Final = 3.0
"""How late a request may still arrive that its sender has given up."""


class World:
    """Who reaches whom."""

    def __init__(self, nodes: Sequence[str], prng: Prng) -> None:
        self.nodes = tuple(nodes)
        self.prng = prng
        self.disk = MemoryDisk()
        self.majority = True
        """Whether the journal can write."""
        self.cut_off: set[str] = set()
        """Nodes that do not reach the journal."""
        self.cut_links: set[tuple[str, str]] = set()
        """Directed: from, to."""
        self.paused: dict[str, asyncio.Event] = {}
        self.receivers: dict[str, Callable[[str, Message], None]] = {}
        self._arrives_s: dict[tuple[str, str], float] = {}

    @staticmethod
    def now_s() -> float:
        return asyncio.get_running_loop().time()

    def pick_s(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low + (high - low) * self.prng.below(1_000) / 1_000

    def reaches_journal(self, node: str) -> bool:
        return self.majority and node not in self.cut_off and node not in self.paused

    async def awake(self, node: str) -> None:
        """Wait while the node is paused, as a stopped process does."""
        while node in self.paused:
            await self.paused[node].wait()

    def pause(self, node: str) -> None:
        self.paused[node] = asyncio.Event()

    def resume(self, node: str) -> None:
        event = self.paused.pop(node, None)
        if event is not None:
            event.set()

    def post(self, source: str, target: str, message: Message) -> bool:
        """Carry a message, in order with the others of its link; False if there is no link."""
        if (source, target) in self.cut_links or target not in self.receivers:
            return False
        data = encode_message(message)
        loop = asyncio.get_running_loop()
        arrives_s = max(
            self._arrives_s.get((source, target), 0.0), loop.time() + self.pick_s(LINK_S)
        )
        self._arrives_s[source, target] = arrives_s
        loop.call_at(arrives_s, self._arrive, source, target, data)
        return True

    def _arrive(self, source: str, target: str, data: bytes) -> None:
        if (source, target) in self.cut_links or target not in self.receivers:
            return
        if target in self.paused:
            # It lies in the socket until the process goes on.
            asyncio.get_running_loop().call_later(0.05, self._arrive, source, target, data)
            return
        self.receivers[target](source, decode_message(data))


class WorldSender:
    """One node's links."""

    def __init__(self, world: World, node: str) -> None:
        self._world = world
        self._node = node

    def send(self, node: str, message: Message) -> bool:
        return self._world.post(self._node, node, message)


class WorldJournal:
    """One node's way to the journal."""

    def __init__(self, world: World, node: str) -> None:
        self.disk = world.disk
        self._world = world
        self._node = node

    async def head(self) -> Head:
        await self._there()
        head = self._world.disk.head
        await self._back()
        return head

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        world = self._world
        await world.awake(self._node)
        if not world.reaches_journal(self._node) and world.prng.chance(1, 2):
            self._late(expected, epoch, payloads)
        await self._there()
        head = world.disk.append(expected, epoch, payloads)
        if not isinstance(head, Head):
            raise JournalError("no append hangs in this world")
        await self._back()
        return head

    async def read(self, first: int, limit: int) -> list[Entry]:
        await self._there()
        found = self._world.disk.entries[first - 1 : first - 1 + max(limit, 0)]
        await self._back()
        return found

    async def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        disk = self._world.disk
        while True:
            await self._there()
            grown = disk.grown
            entries = disk.entries[first - 1 :]
            if not entries:
                await grown.wait()
                continue
            await self._back()
            first += len(entries)
            yield entries

    async def hash_at(self, sequence: int) -> bytes | None:
        return self._world.disk.ends.get(sequence)

    async def close(self) -> None:
        """Let go of nothing."""

    async def _there(self) -> None:
        await self._travel("the request was lost")

    async def _back(self) -> None:
        await self._travel("the answer was lost")

    async def _travel(self, lost: str) -> None:
        world = self._world
        await asyncio.sleep(world.pick_s(JOURNAL_S))
        await world.awake(self._node)
        if not world.reaches_journal(self._node):
            await asyncio.sleep(TIMEOUT_S)
            await world.awake(self._node)
            raise JournalUnknownError(lost)

    def _late(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> None:
        """Let the request arrive after its sender has given it up."""
        world = self._world

        def arrive() -> None:
            if world.majority:
                try:
                    world.disk.append(expected, epoch, payloads)
                except JournalError:
                    return

        asyncio.get_running_loop().call_later(world.pick_s((0.0, LATE_S)), arrive)
