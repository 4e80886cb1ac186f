"""What can go wrong with one payment, case by case."""

import pytest
from msgspec.structs import replace
from tests.treasury.lying_chain import Manner
from tests.treasury.payout_world import (
    COLD,
    FINALITY,
    LANES,
    LIMITS,
    TOKEN,
    SimulatedKeys,
    World,
    address,
)

from seawall.core.funding_state import digest_funding
from seawall.model.funding import WithdrawalState
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import SignerSettings


@pytest.fixture
def world() -> World:
    return World(7, crash_in=0)


async def pass_blocks(world: World, count: int, *, least_per_gas: int = 0) -> None:
    for _ in range(count):
        await world.step()
        world.chain.mine(least_per_gas=least_per_gas)
    await world.step()


async def test_it_is_paid_and_settled_at_finality(world: World) -> None:
    row = world.withdraw()
    await pass_blocks(world, FINALITY - 1)
    assert row.state.value == "broadcast"
    await pass_blocks(world, 1)
    assert row.state is WithdrawalState.SETTLED
    assert world.audit() == {"settled": 1}


@pytest.mark.parametrize("to", [LANES[0], LANES[1], COLD, TOKEN])
async def test_our_own_addresses_are_not_paid(world: World, to: str) -> None:
    row = world.withdraw(to)
    await world.step()
    assert row.state is WithdrawalState.REJECTED
    assert not world.record.rows, "nothing was signed"


async def test_a_payee_that_refuses_money_holds_nobody_up_for_long(world: World) -> None:
    refuses = address("a contract that reverts")
    world.unpayable.add(refuses)
    row = world.withdraw(refuses)
    after = world.withdraw()
    await world.step()
    assert row.state.value == "queued", "once may be chance"
    await pass_blocks(world, 3 + FINALITY)
    assert row.state is WithdrawalState.REJECTED
    assert "execution reverted" in row.reason
    assert after.state is WithdrawalState.SETTLED


async def test_a_stuck_payment_is_raised_in_its_slot(world: World) -> None:
    row = world.withdraw()
    await pass_blocks(world, 4, least_per_gas=11)
    assert len(row.attempts) >= 2
    first, last = (world.network.decode(bytes.fromhex(row.attempts[at].signed)) for at in (0, -1))
    assert (first.slots, first.payee, first.units) == (last.slots, last.payee, last.units)
    assert last.fee_price > first.fee_price
    await pass_blocks(world, FINALITY + 1)
    assert world.audit() == {"settled": 1}


async def test_a_payment_that_may_not_be_raised_holds_nobody_up(world: World) -> None:
    frugal = replace(LIMITS.networks["SIM"], most_per_gas=10)
    settings = SignerSettings(networks={"SIM": frugal})
    now_ns = world.chain.clock.now_ns
    world.service = SignerService(settings, SimulatedKeys(), world.record, now_ns)
    stuck = world.withdraw()
    await pass_blocks(world, 4, least_per_gas=11)
    assert len(stuck.attempts) == 1
    after = world.withdraw()
    await world.step()
    assert after.attempts


async def test_when_nobody_answers_nothing_is_decided(world: World) -> None:
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


async def test_a_reorganisation_before_finality_sends_the_same_bytes(world: World) -> None:
    row = world.withdraw()
    await pass_blocks(world, 2)
    world.chain.reorganise(2, drop=[row.attempts[0].tx_id])
    assert world.chain.find(row.attempts[0].tx_id) is None
    await world.quieten()
    assert len(row.attempts) == 1
    assert row.tx_id == row.attempts[0].tx_id
    assert world.audit() == {"settled": 1}


async def test_a_key_used_by_hand_gives_the_money_back(world: World) -> None:
    row = world.withdraw()
    # The bytes are journaled and offered, but nobody keeps them; then somebody uses the nonce.
    for endpoint in world.endpoints:
        endpoint.manner = Manner.SWALLOWS
    await world.step()
    lane = row.attempts[0].slots[0].split("/")[0]
    while not any(sent.source == lane for sent in world.foreign):
        world.spend_by_hand()
    world.chain.mine()
    for endpoint in world.endpoints:
        endpoint.manner = Manner.HONEST
    await world.quieten()
    assert row.state is WithdrawalState.RETURNED
    assert "not ours" in row.reason
    assert world.audit() == {"returned": 1}
