"""Payouts over a lying chain, killed at every step: paid exactly once or returned."""

from collections import Counter

from tests.treasury.payout_world import World

SEEDS = 24
STEPS = 60
CRASHES_IN = (0, 6, 12, 30)
"""One risk in so many kills the process; 0: it lives."""


async def live(seed: int, *, crash_in: int) -> World:
    world = World(seed, crash_in=crash_in)
    for _ in range(STEPS):
        world.disturb()
        await world.step()
    await world.quieten()
    return world


async def test_each_withdrawal_is_paid_once_or_given_back() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = await live(seed, crash_in=CRASHES_IN[seed % len(CRASHES_IN)])
        seen.update(world.audit())
        seen["crashes"] += world.crashes
        rows = world.state.book.withdrawals.values()
        seen["raised"] += sum(len(row.attempts) > 1 for row in rows)
        seen["voided"] += len(world.state.book.moves)
    # The seeds come to what they are there for.
    assert seen["settled"] > 100
    assert seen["returned"] > 5
    assert seen["crashes"] > 100
    assert min(seen["raised"], seen["voided"]) > 0
