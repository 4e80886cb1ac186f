"""Payouts of coins over a lying chain, killed at every step: paid exactly once or returned."""

from collections import Counter

import pytest
from msgspec.structs import replace
from tests.treasury.coin_world import (
    COLD,
    FINALITY,
    LANES,
    LIMITS,
    CoinWorld,
    address,
    keys,
)
from tests.treasury.lying_chain import Manner
from tests.treasury.lying_coins import PREFIX, PRICE

from seawall.core.funding_state import digest_funding
from seawall.model.funding import Attempt, ServiceStatus, Vault, WithdrawalState
from seawall.model.funding_rows import VaultMove, Withdrawal
from seawall.treasury.chain import Coin, FeeQuote, PaymentOrder
from seawall.treasury.signer.messages import Sign, Signed
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import SignerSettings
from seawall.treasury.utxo_bytes import DUST, gather
from seawall.treasury.utxo_coins import pay

SEEDS = 16
STEPS = 60
CRASHES_IN = (0, 6, 12, 30)
"""One risk in so many kills the process; 0: it lives."""


async def live(
    seed: int, *, crash_in: int, hands: bool = False, reckons: bool = False
) -> CoinWorld:
    world = CoinWorld(seed, crash_in=crash_in)
    world.hands, world.reckons = hands, reckons
    for _ in range(STEPS):
        world.disturb()
        await world.step()
    await world.quieten()
    return world


async def test_each_withdrawal_is_paid_once_or_given_back() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = await live(seed, crash_in=CRASHES_IN[seed % 4], hands=bool(seed % 2))
        seen.update(world.audit())
        seen["crashes"] += world.crashes
        rows = world.state.book.withdrawals.values()
        seen["raised"] += sum(len(row.attempts) > 1 for row in rows)
        seen.update(key.split("/")[0] for key in world.state.book.moves)
        for row in rows:
            assert len({attempt.slots for attempt in row.attempts}) <= 1, "the same coins"
    # The seeds come to what they are there for.
    assert seen["settled"] > 60
    assert seen["crashes"] > 100
    assert min(seen["returned"], seen["raised"], seen["void"], seen["cold"]) > 1, seen
    assert seen["sweep"] > 50


async def test_chain_and_ledger_agree_at_every_reckoning() -> None:
    for seed in range(6):
        world = await live(seed, crash_in=CRASHES_IN[seed % 4], reckons=True)
        world.audit()
        listing = world.state.book.listings["LTC/SIM"]
        assert listing.reconciled_block > 20
        assert (listing.difference, world.differences) == (0, 0)


@pytest.fixture
def world() -> CoinWorld:
    return CoinWorld(7, crash_in=0)


async def pass_blocks(world: CoinWorld, count: int, *, least_per_gas: int = 0) -> None:
    for _ in range(count):
        await world.step()
        world.chain.mine(least_per_gas=least_per_gas)
    await world.step()


async def test_money_that_left_by_hand_pauses_withdrawals(world: CoinWorld) -> None:
    world.reckons = True
    world.withdraw()
    await pass_blocks(world, 4)
    before = world.chain.unspent
    world.spend_by_hand()
    await pass_blocks(world, 8)
    gone = next(c for slot, c in before.items() if slot not in world.chain.unspent)
    listing = world.state.book.listings["LTC/SIM"]
    assert listing.difference == -gone.units
    assert listing.withdrawal.status is ServiceStatus.PAUSED


@pytest.mark.parametrize("to", [LANES[0], LANES[1], COLD])
async def test_our_own_addresses_are_not_paid(world: CoinWorld, to: str) -> None:
    row = world.withdraw(to)
    await world.step()
    assert row.state is WithdrawalState.REJECTED
    assert not world.record.rows, "nothing was signed"


async def test_what_no_node_would_relay_is_given_back_at_once(world: CoinWorld) -> None:
    dust, foreign = world.withdraw(atoms=DUST), world.withdraw("bc1qcr8te4kr609gcawutmrza0j4x")
    await world.step()
    assert dust.state is foreign.state is WithdrawalState.REJECTED
    assert "not worth" in dust.reason
    assert not world.record.rows, "nothing was signed"


async def test_more_than_the_free_coins_waits_for_change(world: CoinWorld) -> None:
    rows = [world.withdraw(atoms=15_000_000) for _ in range(5)]
    await world.step()
    waiting = [row for row in rows if row.state is WithdrawalState.QUEUED]
    assert 0 < len(waiting) < len(rows)
    await pass_blocks(world, 6 * FINALITY)
    assert world.audit() == {"settled": 5}


async def test_a_stuck_payment_is_raised_with_its_coins(world: CoinWorld) -> None:
    row = world.withdraw()
    await pass_blocks(world, 4, least_per_gas=PRICE + 1_000)
    first, last = row.attempts[0], row.attempts[-1]
    assert (first.slots, first.max_cost < last.max_cost) == (last.slots, True)
    await pass_blocks(world, FINALITY + 1)
    assert world.audit() == {"settled": 1}


async def test_a_payment_that_may_not_be_raised_holds_nobody_up(world: CoinWorld) -> None:
    frugal = replace(LIMITS.networks["SIM"], most_per_kvbyte=PRICE + 100)
    settings = SignerSettings(networks={"SIM": frugal})
    now_ns = world.chain.clock.now_ns
    world.service = SignerService(settings, keys(), world.record, now_ns, coin_keys=keys())
    stuck = world.withdraw()
    await pass_blocks(world, 4, least_per_gas=PRICE + 1_000)
    assert len(stuck.attempts) == 1
    after = world.withdraw()
    await world.step()
    assert after.attempts


async def test_when_nobody_answers_nothing_is_decided(world: CoinWorld) -> None:
    world.withdraw()
    await world.step()
    for endpoint in world.endpoints[:2]:
        endpoint.manner = Manner.UNREACHABLE
    before = digest_funding(world.state)
    world.chain.mine(FINALITY)
    await world.step()
    assert digest_funding(world.state) == before
    await world.quieten()
    assert world.audit() == {"settled": 1}


@pytest.mark.parametrize("manner", [Manner.LIES_ABOUT_BALANCES, Manner.LIES_ABOUT_NONCES])
async def test_one_that_lies_about_coins_is_outvoted(world: CoinWorld, manner: Manner) -> None:
    world.endpoints[0].manner = manner
    world.withdraw(address("payee"))
    await world.quieten()
    assert world.audit() == {"settled": 1}


async def test_coins_that_are_not_final_are_not_spent(world: CoinWorld) -> None:
    rows = [world.withdraw(atoms=19_000_000) for _ in range(4)]
    looked_at = 0
    for _ in range(6):
        await world.step()
        for slot in [each for row in rows for one in row.attempts for each in one.slots]:
            coin = world.chain.unspent.get(slot)
            if coin is not None:
                looked_at += 1
                assert world.chain.head.number - coin.block + 1 >= FINALITY
        world.chain.mine()
    assert looked_at >= len(rows)


@pytest.mark.parametrize("kind", ["withdrawal", "cold"])
async def test_a_raise_that_was_signed_and_forgotten_is_found_again(
    world: CoinWorld, kind: str
) -> None:
    """The process dies between signature and journal, and fees have fallen since."""
    row: Withdrawal | VaultMove
    if kind == "cold":
        world.chain.give(LANES[0], 90_000_000)
        world.chain.mine(FINALITY)
        world.capital(90_000_000, "more")
        await world.step()
        (row,) = world.state.book.moves.values()
    else:
        row = world.withdraw()
        await world.step()
    (first,) = row.attempts
    await raise_beyond_the_journal(world, first)
    await pass_blocks(world, 4, least_per_gas=PRICE + 1_000)
    newest = world.record.rows[-1]
    assert [each.signed for each in row.attempts[:2]] == [first.signed, newest.signed]
    await world.quieten()
    assert row.tx_id == newest.tx_id
    world.audit()


async def test_a_sweep_that_was_signed_and_forgotten_is_found_again(world: CoinWorld) -> None:
    """Meanwhile more came to the address: the sweep would have another name now."""
    coins: list[Coin] = []
    while len(coins) < 2:
        world.deposit()
        coins = sorted(
            (each for each in world.chain.unspent.values() if each.address == world.deposits[0]),
            key=lambda each: each.slot,
        )
    made = gather(world.deposits[0], LANES[0], coins[-1:], 2 * PRICE, PREFIX)
    name = f"move/sweep/{coins[-1].slot}"
    answer = await world.ask(Sign(network="SIM", payment=name, fields=made.fields, index=0))
    assert isinstance(answer, Signed)
    await world.quieten()
    await pass_blocks(world, 2 * FINALITY)
    assert name.removeprefix("move/") in world.state.book.moves
    assert world.state.held_in("SIM", Vault.DEPOSIT, "LTC") == 0
    world.audit()


async def raise_beyond_the_journal(world: CoinWorld, first: Attempt) -> None:
    """Have a dearer replacement signed that nobody writes down."""
    coins = [world.chain.unspent[slot] for slot in first.slots]
    read = world.network.decode(bytes.fromhex(first.signed))
    order = PaymentOrder(
        source=read.source,
        payee=read.payee,
        contract="",
        units=read.units,
        slots=first.slots,
        quote=FeeQuote(base=1_000, tip=0, most=3 * PRICE),
    )
    fields = pay(order, coins, PREFIX).fields
    name = world.record.rows[-1].plan.payment
    answer = await world.ask(Sign(network="SIM", payment=name, fields=fields))
    assert isinstance(answer, Signed)
