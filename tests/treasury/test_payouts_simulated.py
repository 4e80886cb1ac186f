"""Payouts over a lying chain, killed at every step: paid exactly once or returned."""

from collections import Counter

from tests.treasury.lying_chain import GAS
from tests.treasury.payout_world import World

from seawall.model.funding import ServiceStatus
from seawall.treasury.sweeps import DepositLedger

SEEDS = (*range(11), 13, 17, 23, 25, 31, 32)
"""The last two get lanes stuck; the three before lose several signatures at once."""
STEPS = 60
CRASHES_IN = (0, 6, 12, 30)
"""One risk in so many kills the process; 0: it lives."""


async def live(seed: int, *, crash_in: int, hands: bool = True, reckons: bool = False) -> World:
    world = World(seed, crash_in=crash_in)
    world.hands, world.reckons = hands, reckons
    followed = DepositLedger("SIM")
    for _ in range(STEPS):
        world.disturb()
        await world.step()
        at_once = DepositLedger("SIM").standing(world.state)
        assert followed.standing(world.state) == at_once
    await world.quieten()
    return world


async def test_each_withdrawal_is_paid_once_or_given_back() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        world = await live(seed, crash_in=CRASHES_IN[seed % len(CRASHES_IN)])
        seen.update(world.audit())
        seen["crashes"] += world.crashes
        seen["died_between_several"] += world.most_unjournaled > 1
        rows = world.state.book.withdrawals.values()
        seen["raised"] += sum(len(row.attempts) > 1 for row in rows)
        seen.update(key.split("/")[0] for key in world.state.book.moves)
    # The seeds come to what they are there for.
    assert seen["settled"] > 60
    assert seen["returned"] > 5
    assert seen["crashes"] > 100
    assert seen["died_between_several"] > 2
    assert min(seen["raised"], seen["void"], seen["gas"], seen["sweep"]) > 0


async def test_chain_and_ledger_agree_at_every_reckoning() -> None:
    for seed in range(8):
        world = await live(seed, crash_in=CRASHES_IN[seed % 4], hands=False, reckons=True)
        world.audit()
        for listing in world.state.book.listings.values():
            assert listing.reconciled_block > 20
            assert listing.difference == 0
        assert world.differences == 0


async def test_money_that_left_by_hand_pauses_withdrawals() -> None:
    world = World(5, crash_in=0)
    world.reckons = True
    world.withdraw()
    for _ in range(4):
        await world.step()
        world.chain.mine()
    assert not world.state.book.listings["ETH/SIM"].difference
    world.spend_by_hand()
    for _ in range(8):
        await world.step()
        world.chain.mine()
    listing = world.state.book.listings["ETH/SIM"]
    assert listing.difference == -7 - GAS * 10
    assert listing.withdrawal.status is ServiceStatus.PAUSED
    assert world.state.book.listings["USDT/SIM"].withdrawal.status is ServiceStatus.OPEN
