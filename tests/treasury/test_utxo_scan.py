"""A node's look through its unspent outputs: once a block, and never in vain."""

import asyncio
from typing import Any

import pytest
from tests.treasury.signer.coin_keys import ALICE, BOB, PREFIX

from seawall.treasury.chain import Block
from seawall.treasury.compared import EndpointError, MissingError
from seawall.treasury.settings import FeeSettings
from seawall.treasury.utxo_bytes import script_of
from seawall.treasury.utxo_endpoint import UtxoEndpoint


class SlowNode(UtxoEndpoint):
    """Answers from data; its looks wait until `ready`."""

    def __init__(self) -> None:
        super().__init__("slow", "http://127.0.0.1:1", prefix=PREFIX, fees=FeeSettings(cap=1_000))
        self.best = "b1"
        self.total = "0.00000007"
        self.looks = 0
        self.ready = asyncio.Event()

    async def _call(self, method: str, *_params: Any, within_s: float = 0) -> Any:
        if method == "getbestblockhash":
            return self.best
        assert method == "scantxoutset"
        assert within_s > 60, "a look may take a while"
        self.looks += 1
        await self.ready.wait()
        one = {
            "txid": 32 * "ab",
            "vout": 1,
            "scriptPubKey": script_of(ALICE, PREFIX).hex(),
            "amount": "0.00000007",
            "height": 5,
        }
        found = {"success": True, "bestblock": self.best, "unspents": [one]}
        return found | {"total_amount": self.total}


def block(name: str) -> Block:
    return Block(number=9, id=name, parent_id="", at_ns=0)


async def test_a_look_that_its_caller_gave_up_on_answers_the_next() -> None:
    node = SlowNode()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await node.balances((ALICE, BOB), "", block("b1"))
    node.ready.set()
    assert await node.balances((ALICE, BOB), "", block("b1")) == (7, 0)
    assert [coin.units for coin in await node.coins_at(frozenset({ALICE, BOB}), block("b1"))] == [7]
    assert node.looks == 1
    node.best = "b2"
    with pytest.raises(MissingError):
        await node.balances((ALICE, BOB), "", block("b1"))
    assert await node.balances((ALICE, BOB), "", block("b2")) == (7, 0)
    assert node.looks == 2
    await node.close()


async def test_a_look_that_failed_unheard_is_made_again() -> None:
    node = SlowNode()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await node.coins(ALICE)
    node.total = "1"
    node.ready.set()
    for _ in range(3):
        await asyncio.sleep(0)
    node.total = "0.00000007"
    assert [coin.units for coin in await node.coins(ALICE)] == [7]
    await node.close()


async def test_closing_ends_a_look() -> None:
    node = SlowNode()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await node.coins(ALICE)
    await node.close()


async def test_outputs_that_are_not_their_total_are_no_answer() -> None:
    node = SlowNode()
    node.ready.set()
    node.total = "0.00000008"
    with pytest.raises(EndpointError, match="total"):
        await node.coins(ALICE)
    await node.close()
