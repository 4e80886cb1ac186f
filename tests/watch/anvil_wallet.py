"""A wallet with weeks of past on Anvil.  The rule: the chain's times are set, nobody waits."""

import random
from collections.abc import Callable

from seawall.lab.devchain import DevChain
from seawall.watch.activity import hour_of_week

PAYEE = "0x00000000000000000000000000000000000000A1"


async def go_back(chain: DevChain, at_s: int) -> None:
    """Let the first block come at a time of the past; only the genesis block stays at now."""
    await chain.rpc("evm_setTime", at_s)


async def block_at(chain: DevChain, at_s: int) -> None:
    await chain.rpc("evm_setNextBlockTimestamp", at_s)
    await chain.mine()


async def live_through(
    chain: DevChain,
    begin_s: int,
    end_s: int,
    chance: Callable[[int], float],
    *,
    step_s: int = 1_200,
    seed: int = 1,
) -> int:
    """Mine a block at each step; the wallet pays in it with the chance of that hour of the week.

    Return when it paid last.
    """
    rng = random.Random(seed)
    last_s = begin_s
    for at_s in range(begin_s, end_s, step_s):
        if rng.random() < chance(hour_of_week(at_s)):
            await chain.pay(PAYEE, 1)
            last_s = at_s
        await block_at(chain, at_s)
    return last_s


async def tick_on(chain: DevChain, begin_s: int, end_s: int, *, step_s: int = 1) -> None:
    """Mine blocks in which nobody pays."""
    for at_s in range(begin_s, end_s, step_s):
        await block_at(chain, at_s)
