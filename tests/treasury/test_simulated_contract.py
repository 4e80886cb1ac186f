"""The simulator does what real chains do, so what is proved over it counts."""

import pytest
from tests.treasury.chain_contract import Bench, ChainContract
from tests.treasury.lying_chain import SimulatedChain, SimulatedNetwork

from seawall.treasury.chain import Unsigned, lane_slot


class SimulatedBench(Bench):
    unit = 1000
    wrong_addresses = ("", " x")

    def __init__(self) -> None:
        self.truth = SimulatedChain()
        self.network = SimulatedNetwork(self.truth)
        self.chain = self.network
        self.hot = "hot"
        self._names = 0
        self.truth.fund("hot", 10**12)
        self.truth.mine(2)

    async def address(self) -> str:
        self._names += 1
        return f"address{self._names}"

    async def pay(self, address: str, units: int) -> str:
        return self.truth.fund(address, units).tx_id

    async def mine(self, blocks: int = 1) -> None:
        self.truth.mine(blocks)

    async def reorganise(self, depth: int) -> None:
        gone = [content.tx_id for mined in self.truth.line[-depth:] for content in mined.content]
        self.truth.reorganise(depth, drop=gone)

    def sign(self, unsigned: Unsigned) -> bytes:
        return self.network.sign(unsigned).signed

    async def slots(self) -> tuple[str, ...]:
        return (lane_slot("hot", await self.chain.next_nonce("hot")),)


class TestSimulatedChain(ChainContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return SimulatedBench()
