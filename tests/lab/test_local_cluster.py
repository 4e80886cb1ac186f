"""A whole cluster of processes: providers are cut off, killed and filled up, and orders go on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.tools import program

from seawall.lab.etcd import EtcdTiming
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.local_state import ClusterError
from seawall.lab.netns import can_make_namespaces
from seawall.lab.wire import BrokenError, Key
from seawall.model.ids import SPOT
from seawall.node.topology_file import read_topology

TOPOLOGY = Path(__file__).parents[2] / "topologies" / "three-clouds.toml"
PATIENCE_S = 60
CONFIGURATION = """
[assets.BTC]
name = "Bitcoin"
decimals = 8

[assets.USDC]
name = "USD Coin"
decimals = 8

# No market of a demo: here only the test trades.
[markets.BTCUSDC]
base = "BTC"
quote = "USDC"
tick = "0.01"
lot = "0.00001"
max_price = "1000000"
max_size = "9000"
min_notional = "5"
max_notional = "9000000"
"""

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


async def need_namespaces() -> None:
    program("etcd")
    program("ip")
    if not await can_make_namespaces():
        pytest.skip("network namespaces need root on Linux")


class Trader:
    """One user, who orders through whichever gateway is named."""

    def __init__(self, cluster: LocalCluster, key: Key) -> None:
        self.cluster = cluster
        self.key = key
        self.acknowledged: list[str] = []

    async def order(self, node: str, name: str) -> int:
        """Place an order once; return the status, 0 for none."""
        connection = self.cluster.connection(node, timeout_s=3.0)
        terms = {
            "symbol": "BTCUSDC",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.001",
            "price": "30000",
            "newClientOrderId": name,
        }
        try:
            # The same command id at every attempt: it takes effect once, whatever came of one.
            answer = await connection.signed(self.key, "POST", "/api/v3/order", terms, name)
        except BrokenError:
            return 0
        finally:
            connection.close()
        if answer.status == 200:
            self.acknowledged.append(name)
        return answer.status

    async def order_until_taken(self, node: str, name: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.order(node, name) != 200:  # noqa: ASYNC110  (each try is the question)
                await asyncio.sleep(0.05)

    async def open_orders(self, node: str) -> list[str]:
        connection = self.cluster.connection(node)
        try:
            answer = await connection.signed(self.key, "GET", "/api/v3/openOrders", {})
        finally:
            connection.close()
        assert answer.status == 200, answer.body
        return [order["clientOrderId"] for order in answer.json()]


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await reached():  # noqa: ASYNC110  (asked of other processes)
            await asyncio.sleep(0.05)


async def same_everywhere(trader: Trader) -> None:
    """Every gateway shows what was acknowledged, once each."""
    for node in trader.cluster.gateways:

        async def shown(node: str = node) -> bool:
            return sorted(await trader.open_orders(node)) == sorted(trader.acknowledged)

        await until(shown)


async def test_any_provider_may_be_lost(tmp_path: Path) -> None:
    await need_namespaces()
    cluster = LocalCluster(
        read_topology(TOPOLOGY).topology,
        tmp_path / "cluster",
        configuration=CONFIGURATION,
        demo=True,
        small_disks=True,
        # Slow machines run this too; a late heartbeat is no lost provider.
        timing=EtcdTiming(heartbeat_ms=100, election_ms=1_000),
    )
    try:
        await cluster.start()
        trader = Trader(cluster, await cluster.fund("ann", {"BTC": "5", "USDC": "900000"}))
        for node in cluster.gateways:
            await trader.order_until_taken(node, f"first-{node}")
        await _a_cut_leader_acknowledges_nothing(trader)
        await _a_killed_leader_comes_back(trader)
        await _the_lead_is_handed_over(trader)
        await _a_full_disk_stops_one_provider_only(trader)
        await same_everywhere(trader)
    finally:
        await cluster.stop()
    codes = {node.name: node.process.code for p in cluster.providers.values() for node in p.nodes}
    assert codes == dict.fromkeys(cluster.gateways, 0)


async def _a_cut_leader_acknowledges_nothing(trader: Trader) -> None:
    cluster = trader.cluster
    old = await cluster.leader(SPOT)
    others = [name for name in cluster.gateways if name != old]
    await cluster.provider(old).cut()
    for node in others:
        await trader.order_until_taken(node, f"cut-{node}")
    # We still reach it, as users of another network do; it cannot reach a majority.
    assert await trader.order(old, "at-the-cut-one") != 200

    async def says_so() -> bool:
        found = await cluster.ask(old)
        return found is not None and not found["ready"]

    await until(says_so)
    assert await cluster.leader(SPOT) in others
    await cluster.provider(old).heal()
    await cluster.ready()
    # What it refused may be asked again, and takes effect once at most.
    await trader.order_until_taken(old, "at-the-cut-one")
    await same_everywhere(trader)


async def _a_killed_leader_comes_back(trader: Trader) -> None:
    cluster = trader.cluster
    old = await cluster.leader(SPOT)
    await cluster.provider(old).kill()
    for node in cluster.gateways:
        if node != old:
            await trader.order_until_taken(node, f"killed-{node}")
    await cluster.provider(old).start()
    await cluster.ready(old)
    await trader.order_until_taken(old, "back-again")
    await same_everywhere(trader)


async def _the_lead_is_handed_over(trader: Trader) -> None:
    cluster = trader.cluster
    old = await cluster.leader(SPOT)
    heir = next(name for name in cluster.gateways if name != old)
    assert await cluster.hand_over(SPOT, heir) == heir
    for node in cluster.gateways:
        await trader.order_until_taken(node, f"handed-{node}")
    with pytest.raises(ClusterError, match="ask that node"):
        await cluster.operator(f"cells/{SPOT}/handover", {"to": heir}, node=old)


async def _a_full_disk_stops_one_provider_only(trader: Trader) -> None:
    cluster = trader.cluster
    full = await cluster.leader(SPOT)
    await cluster.provider(full).disk_full()
    for node in cluster.gateways:
        if node != full:
            for number in range(5):
                await trader.order_until_taken(node, f"full-{node}-{number}")
    await cluster.provider(full).disk_ok()
    # Whoever supervises a provider starts again what ended for want of space.
    await cluster.provider(full).start()
    await cluster.ready()
