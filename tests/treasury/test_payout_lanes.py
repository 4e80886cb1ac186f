"""Several hot wallets on one network: the ledger sees their sum, each pays only what it holds."""

from collections import Counter

from tests.treasury.payout_world import CONTRACTS, FINALITY, LANES, World, address

from seawall.core.withdrawal_queue import outlook
from seawall.model import funding_commands as f
from seawall.model.funding import WithdrawalState
from seawall.model.funding_rows import Withdrawal
from seawall.model.ids import AssetCode, UserId
from seawall.treasury.chain import parse_lane_slot


def withdraw(world: World, code: str, atoms: int) -> Withdrawal:
    number = world.state.book.next_withdrawal_id
    world.play(
        f.RequestWithdrawal(
            user_id=UserId(1),
            asset=AssetCode(code),
            network="SIM",
            address=address(f"payee {number}"),
            atoms=atoms,
        )
    )
    return world.state.book.withdrawals[number]


def set_held(world: World, lane: str, code: str, units: int) -> None:
    """Let a wallet hold this much from the next block on, and the ledger know."""
    before = world.chain.tip.balances[lane, CONTRACTS[code]]
    world.chain.tip.balances[lane, CONTRACTS[code]] = units
    world.capital(code, units - before, f"{lane} holds {units} {code}")
    world.chain.mine()


async def pass_blocks(world: World, count: int) -> None:
    for _ in range(count):
        await world.step()
        world.chain.mine()
    await world.step()


def lanes_of(rows: list[Withdrawal]) -> Counter[str]:
    return Counter(parse_lane_slot(row.attempts[0].slots[0])[0] for row in rows)


async def test_a_wallet_that_holds_nothing_pays_nothing_and_stops_nobody() -> None:
    world = World(7, crash_in=0)
    set_held(world, LANES[1], "ETH", 0)
    rows = [withdraw(world, code, 100) for code in ("ETH", "USDT", "ETH", "USDT", "ETH")]
    await pass_blocks(world, 2 * FINALITY)
    assert {row.state for row in rows} == {WithdrawalState.SETTLED}
    assert lanes_of(rows) == {LANES[0]: 5}, "without coin for the charge tokens cannot leave either"


async def test_payments_under_way_together_never_take_more_than_a_wallet_holds() -> None:
    world = World(7, crash_in=0)
    set_held(world, LANES[0], "USDT", 250)
    set_held(world, LANES[1], "USDT", 150)
    rows = [withdraw(world, "USDT", 101) for _ in range(3)]
    await world.step()
    assert lanes_of(rows) == {LANES[0]: 2, LANES[1]: 1}
    await pass_blocks(world, FINALITY)
    assert world.audit() == {"settled": 3}


async def test_what_no_wallet_holds_alone_waits_and_is_paid_once_one_does() -> None:
    world = World(7, crash_in=0)
    for lane in LANES:
        set_held(world, lane, "USDT", 60)
    row = withdraw(world, "USDT", 101)
    await pass_blocks(world, 2)
    assert row.state.value == "queued"
    assert not world.record.rows, "nothing was signed"
    assert outlook(world.state, row).wait
    set_held(world, LANES[1], "USDT", 120)
    await pass_blocks(world, FINALITY)
    assert row.state is WithdrawalState.SETTLED
    assert lanes_of([row]) == {LANES[1]: 1}
