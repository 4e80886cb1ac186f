"""A leader that died while cancels keep coming: they are no sign of its life."""

import asyncio
import itertools

from seawall.lab.bench.own import listing_commands
from seawall.lab.cluster_process import CELLS, NODES, SimNode
from seawall.lab.cluster_world import World
from seawall.lab.virtual_time import run_virtually
from seawall.lib.prng import Prng
from seawall.model.commands import CancelOrder, OrderTerms, PlaceOrder, Tick
from seawall.model.ids import SPOT, Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce

BTCUSDT = Symbol("BTCUSDT")
PACE_S = 0.05
LED_S = 4.0
"""Silence, the second place's wait, the question to the journal, and what races with cancels."""


class Cluster:
    """Three nodes in virtual time."""

    def __init__(self) -> None:
        self.world = World(NODES, CELLS, Prng(3))
        self.nodes: dict[str, SimNode] = {}
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        for name in NODES:
            self.nodes[name] = SimNode(self.world, name, {})
            await self.nodes[name].start()
        for command in listing_commands():
            await self.nodes["blue"].membership.submit(SPOT, command)

    def leader(self) -> str:
        return next(name for name, node in self.nodes.items() if node.replica(SPOT).leads)

    async def cancel_all_the_time(self, name: str, told: list[float]) -> None:
        """Cancel what was never placed: it is written all the same, and answered."""
        while True:
            began_s = self.world.now_s()
            cancel = CancelOrder(
                user_id=UserId(1), symbol=BTCUSDT, client_order_id=f"no{next(self._numbers)}"
            )
            await self.nodes[name].membership.submit(SPOT, cancel)
            told.append(self.world.now_s() - began_s)
            await asyncio.sleep(PACE_S)


def order() -> PlaceOrder:
    terms = OrderTerms(
        side=Side.BUY,
        type=OrderType.LIMIT,
        client_order_id="after",
        time_in_force=TimeInForce.GTC,
        size=100_000,
        price=60_000_000_000,
    )
    return PlaceOrder(user_id=UserId(1), symbol=BTCUSDT, terms=terms)


async def _another_leads() -> tuple[float, list[float]]:
    cluster = Cluster()
    await cluster.start()
    dead = cluster.leader()
    left = [name for name in NODES if name != dead]
    receipts_s: list[float] = []
    canceling = [
        asyncio.ensure_future(cluster.cancel_all_the_time(name, receipts_s)) for name in left
    ]
    await asyncio.sleep(1.0)
    await cluster.nodes[dead].kill()
    receipts_s.clear()
    began_s = cluster.world.now_s()
    async with asyncio.timeout(30):
        await cluster.nodes[left[0]].membership.submit(SPOT, order())
    took_s = cluster.world.now_s() - began_s
    for task in canceling:
        task.cancel()
    await asyncio.gather(*canceling, return_exceptions=True)
    return took_s, receipts_s


def test_cancels_do_not_keep_a_dead_leaders_seat() -> None:
    took_s, receipts_s = run_virtually(_another_leads())
    assert took_s < LED_S
    assert len(receipts_s) > 5, "they were written meanwhile"
    assert max(receipts_s) < 2.0


async def _alive() -> tuple[int, int]:
    """Let a leader have nothing but cancels for a while; return terms before and after."""
    cluster = Cluster()
    await cluster.start()
    leader = cluster.nodes[cluster.leader()]
    before = leader.replica(SPOT).leadership.epoch
    canceling = asyncio.ensure_future(cluster.cancel_all_the_time(leader.name, []))
    first = len(cluster.world.disks[SPOT].entries)
    await asyncio.sleep(10.0)
    canceling.cancel()
    await asyncio.gather(canceling, return_exceptions=True)
    assert leader.replica(SPOT).leads
    written = cluster.world.disks[SPOT].entries[first:]
    decode = leader.replica(SPOT).driver.cell.decode
    ticks = sum(isinstance(decode(entry.payload).command, Tick) for entry in written)
    assert len(written) > 100
    return leader.replica(SPOT).leadership.epoch - before, ticks


def test_a_leader_that_has_only_cancels_to_write_says_that_it_lives() -> None:
    terms, ticks = run_virtually(_alive())
    assert terms == 0
    assert ticks >= 15
