"""What befalls a simulated cluster.  The rule: several at once, healed in any order.

Each stream of faults goes on by itself, so a provider may be lost while another is slow, and heal
before or after it.  At most one machine's clock is wrong at a time, and at most one replica: that
is what three nodes can tell apart.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from seawall.core.spot_state import SpotState
from seawall.lab.cluster_process import CELLS, NODES, SimNode
from seawall.lab.cluster_world import World
from seawall.lib.prng import Prng
from seawall.model.ids import SPOT
from seawall.node.errors import NodeError

HOUR_NS: Final = 3_600_000_000_000
SLOW: Final = (20, 100)
FLAPS: Final = (2, 5)
LASTS_S: Final = (0.05, 5.0)
SHORT_S: Final = (0.1, 1.5)
NOBODY: Final = ""


class Stage(Protocol):
    """The simulation, as far as faults know it."""

    world: World
    nodes: dict[str, SimNode]

    async def begin(self, name: str) -> None: ...

    def note(self, name: str, began_s: float) -> None: ...


class Faults:
    """Makes trouble, and heals it."""

    def __init__(self, stage: Stage, prng: Prng) -> None:
        self.met: dict[str, int] = {}
        """How often each kind came."""
        self.flipped = NOBODY
        """Whose state was made wrong; once in a run, for what is wrong may lie in a snapshot."""
        self._stage = stage
        self._world = stage.world
        self._prng = prng
        self._starting: set[str] = set()
        kinds: tuple[Callable[[str], Awaitable[None]], ...] = (
            self.no_majority,
            self.kill,
            self.pause,
            self.cut_off,
            self.cut_links,
            self.flap,
            self.hand_over,
            self.slow,
            self.lose_answers,
            self.jump,
            self.flip,
            self.restart,
            self.rolling_restart,
        )
        self._kinds = kinds

    async def stream(self, count: int) -> None:
        """Make so many faults, one after the other."""
        for _ in range(count):
            await asyncio.sleep(self._world.pick_s((0.2, 3.0)))
            kind = self._prng.choice(self._kinds)
            name = kind.__name__
            self.met[name] = self.met.get(name, 0) + 1
            await kind(self._victim())

    def _victim(self) -> str:
        """Choose anybody; every other time the leader, where it hurts."""
        nodes = self._stage.nodes
        if self._prng.chance(1, 2):
            for name in NODES:
                if nodes[name].started and nodes[name].replica(SPOT).leads:
                    return name
        return self._prng.choice(NODES)

    async def _lasts(self) -> None:
        await asyncio.sleep(self._world.pick_s(LASTS_S))

    async def no_majority(self, _: str) -> None:
        began_s = self._world.now_s()
        self._world.majority = False
        await self._lasts()
        self._world.majority = True
        for name in NODES:
            self._stage.note(name, began_s)

    async def kill(self, name: str) -> None:
        if name in self._starting:
            return
        self._starting.add(name)
        began_s = self._world.now_s()
        await self._stage.nodes[name].kill()
        await self._lasts()
        await self._begin(name, began_s)

    async def restart(self, name: str) -> None:
        """Stop as an operator does, and start again."""
        if name in self._starting or name in self._world.paused:
            return
        self._starting.add(name)
        began_s = self._world.now_s()
        await self._stage.nodes[name].close()
        await asyncio.sleep(self._world.pick_s(SHORT_S))
        await self._begin(name, began_s)

    async def rolling_restart(self, _: str) -> None:
        for name in NODES:
            await self.restart(name)
            await asyncio.sleep(self._world.pick_s(SHORT_S))

    async def _begin(self, name: str, began_s: float) -> None:
        await self._stage.begin(name)
        self._starting.discard(name)
        self._stage.note(name, began_s)

    async def pause(self, name: str) -> None:
        began_s = self._world.now_s()
        self._world.pause(name)
        await self._lasts()
        self._world.resume(name)
        self._stage.note(name, began_s)

    async def cut_off(self, name: str) -> None:
        began_s = self._world.now_s()
        self._world.cut_off.add(name)
        await self._lasts()
        self._world.cut_off.discard(name)
        self._stage.note(name, began_s)

    async def cut_links(self, name: str) -> None:
        links = self._links(name)
        self._world.cut_links |= links
        await self._lasts()
        self._world.mend_links(links)

    async def flap(self, name: str) -> None:
        began_s = self._world.now_s()
        for _ in range(self._prng.between(*FLAPS)):
            links = self._links(name)
            self._world.cut_off.add(name)
            self._world.cut_links |= links
            await asyncio.sleep(self._world.pick_s(SHORT_S))
            self._world.cut_off.discard(name)
            self._world.mend_links(links)
            await asyncio.sleep(self._world.pick_s(SHORT_S))
        self._stage.note(name, began_s)

    def _links(self, name: str) -> set[tuple[str, str]]:
        """Return the links from a node, or those to it as well."""
        others = [each for each in NODES if each != name]
        links = {(name, other) for other in others}
        if self._prng.chance(1, 2):
            links |= {(other, name) for other in others}
        return links

    async def hand_over(self, _: str) -> None:
        """Hand over, and over again before anything has settled."""
        for _again in range(self._prng.between(1, 3)):
            for cell in CELLS:
                for node in list(self._stage.nodes.values()):
                    if node.started and not node.dead and node.replica(cell).leads:
                        target = self._prng.choice([each for each in NODES if each != node.name])
                        await self._hand_over(node, cell, target)
            await asyncio.sleep(self._world.pick_s((0.0, 0.3)))

    async def _hand_over(self, node: SimNode, cell: str, target: str) -> None:
        began_s = self._world.now_s()
        try:
            async with asyncio.timeout(5):
                await node.membership.hand_over(cell, target)
        except (NodeError, TimeoutError):
            # Its journal or its target was not there: it leads on, or somebody else does.
            self._stage.note(node.name, began_s)

    async def slow(self, name: str) -> None:
        """Let the journal take long for one node."""
        began_s = self._world.now_s()
        self._world.slow[name] = self._prng.between(*SLOW)
        await self._lasts()
        self._world.slow.pop(name, None)
        self._stage.note(name, began_s)

    async def lose_answers(self, name: str) -> None:
        began_s = self._world.now_s()
        self._world.loses_answers.add(name)
        await self._lasts()
        self._world.loses_answers.discard(name)
        self._stage.note(name, began_s)

    async def jump(self, name: str) -> None:
        """Set a machine's clock an hour wrong; some time later it is right again."""
        if any(self._world.off_ns.values()):
            return
        self._world.off_ns[name] = HOUR_NS if self._prng.chance(1, 2) else -HOUR_NS
        await self._lasts()
        await self._lasts()
        self._world.off_ns[name] = 0

    async def flip(self, name: str) -> None:
        """Change one number in the memory of a replica."""
        node = self._stage.nodes[name]
        if self.flipped or not node.started or node.dead:
            return
        state: SpotState = node.replica(SPOT).driver.cell.state
        balances = [
            balance
            for user, assets in sorted(state.ledger.balances.items())
            for _, balance in sorted(assets.items())
            if user > 0
        ]
        if balances:
            self.flipped = name
            self._prng.choice(balances).free += 1 << self._prng.between(0, 40)
