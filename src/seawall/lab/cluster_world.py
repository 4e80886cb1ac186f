"""What a simulated cluster stands on: journals with a majority or without, links, and clocks.

The rule: everything that a network may do to a message, this one does: late, lost, twice, in one
direction only, and done though the answer was lost.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Final

from seawall.journal.memory import MemoryDisk
from seawall.journal.port import Entry, Head, JournalError, JournalUnknownError
from seawall.lib.prng import Prng
from seawall.node.clock import Clock, SystemClock
from seawall.node.peer_messages import Message, Ping, decode_message, encode_message

START_NS: Final = 1_746_000_000_000_000_000
JOURNAL_S: Final = (0.0005, 0.004)
"""How long a request, or its answer, travels to the journal."""
LINK_S: Final = (0.0005, 0.003)
TIMEOUT_S: Final = 0.8
"""How long an engine waits for an answer before it says that it does not know."""
LATE_S: Final = 3.0
"""How late a request may still arrive that its sender has given up, or a message's second copy."""
TWICE: Final = 25
"""One of so many messages comes twice."""
LOST_ANSWERS: Final = 3
"""One of so many answers is lost on the way to a node that loses answers."""
PING_S: Final = 0.5


class World:
    """Who reaches whom."""

    def __init__(self, nodes: Sequence[str], cells: Sequence[str], prng: Prng) -> None:
        self.nodes = tuple(nodes)
        self.prng = prng
        self.disks = {cell: MemoryDisk() for cell in cells}
        self.written_s: dict[str, list[float]] = {cell: [] for cell in cells}
        """When each entry became durable."""
        self.majority = True
        """Whether the journal can write."""
        self.cut_off: set[str] = set()
        """Nodes that do not reach the journal."""
        self.cut_links: set[tuple[str, str]] = set()
        """Directed: from, to."""
        self.slow: dict[str, int] = {}
        """Nodes for which the journal takes so many times as long."""
        self.loses_answers: set[str] = set()
        self.paused: dict[str, asyncio.Event] = {}
        self.peers: dict[str, WorldPeers] = {}
        self.off_ns: dict[str, int] = dict.fromkeys(nodes, 0)
        """How wrong each machine's clock is."""
        self._arrives_s: dict[tuple[str, str], float] = {}
        self._began_s = self.now_s()

    @staticmethod
    def now_s() -> float:
        return asyncio.get_running_loop().time()

    def true_ns(self, at_s: float) -> int:
        """Return the true time of day at a moment of the loop."""
        return START_NS + round((at_s - self._began_s) * 1e9)

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
        self.paused.setdefault(node, asyncio.Event())

    def resume(self, node: str) -> None:
        event = self.paused.pop(node, None)
        if event is not None:
            event.set()

    def mend_links(self, links: set[tuple[str, str]]) -> None:
        """Let these carry again, and tell who dialed anew."""
        mended = links & self.cut_links
        self.cut_links -= links
        for source, target in sorted(mended):
            if source in self.peers and target in self.peers:
                self.peers[source].on_link(target)

    def joins(self, node: str, peers: "WorldPeers") -> None:
        """Link a node that was started with all others."""
        self.peers[node] = peers
        for other in self.nodes:
            if other in self.peers and other != node:
                for source, target in ((node, other), (other, node)):
                    if (source, target) not in self.cut_links:
                        self.peers[source].on_link(target)

    def linked(self, source: str, target: str) -> bool:
        cut = (source, target) in self.cut_links
        return not cut and target in self.peers and source not in self.paused

    def post(self, source: str, target: str, message: Message) -> bool:
        """Carry a message, in order with the others of its link; False if there is no link.

        Some come twice, the second time late: what a link that was made again repeats.
        """
        if not self.linked(source, target):
            return False
        data = encode_message(message)
        loop = asyncio.get_running_loop()
        arrives_s = max(
            self._arrives_s.get((source, target), 0.0), loop.time() + self.pick_s(LINK_S)
        )
        self._arrives_s[source, target] = arrives_s
        loop.call_at(arrives_s, self._arrive, source, target, data)
        if self.prng.chance(1, TWICE):
            again_s = arrives_s + self.pick_s((0.0, LATE_S))
            loop.call_at(again_s, self._arrive, source, target, data)
        return True

    def _arrive(self, source: str, target: str, data: bytes) -> None:
        if (source, target) in self.cut_links or target not in self.peers:
            return
        if target in self.paused:
            # It lies in the socket until the process goes on.
            asyncio.get_running_loop().call_later(0.05, self._arrive, source, target, data)
            return
        self.peers[target].take(source, decode_message(data))


class WorldPeers:
    """One node's links, as `node.links.Links` has them."""

    def __init__(self, world: World, node: str) -> None:
        self.on_message: Callable[[str, Message], None] = lambda _node, _message: None
        self.on_link: Callable[[str], None] = lambda _node: None
        self.on_time: Callable[[str, int], None] = lambda _node, _now_ns: None
        self.clock: Clock = SystemClock()
        self.dead = False
        self._world = world
        self._node = node
        self._timer: asyncio.TimerHandle | None = None

    @property
    def linked(self) -> list[str]:
        world, node = self._world, self._node
        return [each for each in world.nodes if each != node and world.linked(node, each)]

    async def start(self) -> None:
        self._world.joins(self._node, self)
        self._ping()

    async def close(self) -> None:
        self.dead = True
        if self._world.peers.get(self._node) is self:
            del self._world.peers[self._node]
        if self._timer is not None:
            self._timer.cancel()

    def send(self, node: str, message: Message) -> bool:
        return not self.dead and self._world.post(self._node, node, message)

    def take(self, source: str, message: Message) -> None:
        if isinstance(message, Ping):
            self.on_time(source, message.now_ns)
        else:
            self.on_message(source, message)

    def _ping(self) -> None:
        for node in self.linked:
            self.send(node, Ping(number=0, now_ns=self.clock.now_ns()))
        self._timer = asyncio.get_running_loop().call_later(PING_S, self._ping)


class MachineClock:
    """One machine's clock, as wrong as the world has it."""

    def __init__(self, world: World, node: str) -> None:
        self._world = world
        self._node = node

    def now_ns(self) -> int:
        return self._world.true_ns(self._world.now_s()) + self._world.off_ns[self._node]


class WorldJournal:
    """One node's way to the journal of one cell."""

    def __init__(self, world: World, node: str, cell: str) -> None:
        self.disk = world.disks[cell]
        self.dead = False
        """Whether its process was killed: what it still asks never arrives."""
        self._world = world
        self._node = node
        self._cell = cell

    async def head(self) -> Head:
        await self._there()
        head = self.disk.head
        await self._back()
        return head

    async def append(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        world = self._world
        await self._alive()
        if not world.reaches_journal(self._node) and world.prng.chance(1, 2):
            self._late(expected, epoch, payloads)
        await self._there()
        head = self._write(expected, epoch, payloads)
        await self._back()
        return head

    async def read(self, first: int, limit: int) -> list[Entry]:
        await self._there()
        found = self.disk.entries[first - 1 : first - 1 + max(limit, 0)]
        await self._back()
        return found

    async def tail(self, first: int) -> AsyncGenerator[list[Entry], None]:
        while True:
            await self._there()
            grown = self.disk.grown
            entries = self.disk.entries[first - 1 :]
            if not entries:
                await grown.wait()
                continue
            # What is known may end anywhere, within a batch too.
            known = self._world.prng.between(1, len(entries))
            await self._back()
            first += known
            yield entries[:known]

    async def hash_at(self, sequence: int) -> bytes | None:
        return self.disk.ends.get(sequence)

    async def close(self) -> None:
        """Let go of nothing."""

    async def _alive(self) -> None:
        await self._world.awake(self._node)
        if self.dead:
            await asyncio.get_running_loop().create_future()

    async def _there(self) -> None:
        await self._travel("the request was lost")

    async def _back(self) -> None:
        await self._travel("the answer was lost")
        world = self._world
        if self._node in world.loses_answers and world.prng.chance(1, LOST_ANSWERS):
            await asyncio.sleep(TIMEOUT_S)
            raise JournalUnknownError("the answer was lost, though all was well")

    async def _travel(self, lost: str) -> None:
        world = self._world
        await asyncio.sleep(world.pick_s(JOURNAL_S) * world.slow.get(self._node, 1))
        await self._alive()
        if not world.reaches_journal(self._node):
            await asyncio.sleep(TIMEOUT_S)
            await self._alive()
            raise JournalUnknownError(lost)

    def _write(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> Head:
        head = self.disk.append(expected, epoch, payloads)
        if not isinstance(head, Head):
            raise JournalError("no append hangs in this world")
        self._world.written_s[self._cell] += [self._world.now_s()] * len(payloads)
        return head

    def _late(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> None:
        """Let the request arrive after its sender has given it up."""
        asyncio.get_running_loop().call_later(
            self._world.pick_s((0.0, LATE_S)), partial(self._arrive, expected, epoch, payloads)
        )

    def _arrive(self, expected: int, epoch: int, payloads: Sequence[bytes]) -> None:
        if self._world.majority:
            try:
                self._write(expected, epoch, payloads)
            except JournalError:
                return
