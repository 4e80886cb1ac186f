"""Leases that stop and canaries, over lying chains, killed at every step: each is paid once."""

from collections import Counter
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.treasury import coin_world, payout_world

from seawall.lib.prng import Prng
from seawall.model import funding_commands as f
from seawall.model.funding import CanaryState, VaultMoveState
from seawall.model.ids import AssetCode
from seawall.treasury.signer.lease import SignerLease
from seawall.treasury.signer.messages import RenewLease
from seawall.treasury.signer.service import SignerService

STEPS = 50
SEEDS = range(6)
CRASHES_IN = (0, 8, 20)
SECOND_NS = 10**9

World = payout_world.World | coin_world.CoinWorld


def in_nonces(seed: int, crash_in: int) -> World:
    return payout_world.World(seed, crash_in=crash_in)


def in_coins(seed: int, crash_in: int) -> World:
    return coin_world.CoinWorld(seed, crash_in=crash_in)


class Guard:
    """Control as the treasury feels it: a lease in the journal, one in the signer, and canaries."""

    def __init__(self, world: World, seed: int, assets: tuple[str, ...]) -> None:
        self.world = world
        self.prng = Prng(seed + 1_000)
        self.assets = assets
        self.boot_ns = SECOND_NS
        self.renewed = 0
        self.ordered = 0
        self.service: SignerService | None = None
        self.refused = 0

    async def step(self) -> None:
        """Let control and clocks do something, then the treasury."""
        world = self.world
        if world.service is not self.service:
            self.service = self.leased_signer()
        match self.prng.below(8):
            case 0:
                self.order()
            case 1 | 2 | 3 | 4:
                self.renew()
            case _:
                self.boot_ns += self.prng.between(0, 3 * SECOND_NS)
        lives = self.leased.lives()
        before = len(world.record.rows)
        await world.step()
        for row in world.record.rows[before:]:
            ours = not row.plan.units or row.plan.payment.startswith("move/gas/")
            assert lives or ours, "without its lease the signer pays no user"

    def leased_signer(self) -> SignerService:
        """Put the signer, which a crash made anew, under a lease of four seconds."""
        self.leased = SignerLease(4, lambda: self.boot_ns)
        world, now_ns = self.world, self.world.chain.clock.now_ns
        if isinstance(world, payout_world.World):
            limits, keys = payout_world.LIMITS, payout_world.SimulatedKeys()
            service = SignerService(limits, keys, world.record, now_ns, lease=self.leased)
        else:
            service = SignerService(
                coin_world.LIMITS,
                coin_world.keys(),
                world.record,
                now_ns,
                coin_keys=coin_world.keys(),
                lease=self.leased,
            )
        world.service = service
        return service

    def order(self) -> None:
        self.ordered += 1
        asset = AssetCode(self.prng.choice(self.assets))
        self.world.play(f.OrderCanary(asset=asset, network="SIM", key=f"k{self.ordered}"))

    def grant(self, entries: int) -> None:
        book = self.world.state.book
        until_ns = book.at_ns + entries
        self.world.play(f.GrantLease(number=book.lease_number + 1, until_ns=until_ns))

    def renew(self) -> None:
        self.renewed += 1
        self.world.service.answer(RenewLease(number=self.renewed, valid_ms=4_000))

    async def quieten(self) -> None:
        """Control is back, and grants all that is asked of it."""
        await self.allow()
        await self.world.quieten()

    async def allow(self) -> None:
        self.grant(10 * SECOND_NS)
        if self.world.service is not self.service:
            self.service = self.leased_signer()
        self.renew()


async def live(make: Callable[[int, int], World], seed: int, assets: tuple[str, ...]) -> Guard:
    world = make(seed, CRASHES_IN[seed % 3])
    for row in list(world.state.book.listings.values()) if make is in_coins else ():
        # What nodes would refuse as dust is no canary either.
        world.play(f.OfferAsset(listing=replace(row.listing, min_withdrawal=10_000)))
    guard = Guard(world, seed, assets)
    for _ in range(STEPS):
        # People ask while it is open; then it may end at any entry.
        guard.grant(10 * SECOND_NS)
        world.disturb()
        guard.grant(guard.prng.choice((0, 3, 40, 400)))
        await guard.step()
    # From now on nobody dies, so the signer keeps its lease.
    world.crash_in = 0
    await guard.quieten()
    for _ in range(40):
        await world.step()
        world.chain.mine()
    return guard


@pytest.mark.parametrize(("make", "assets"), [(in_nonces, ("ETH", "USDT")), (in_coins, ("LTC",))])
async def test_users_and_canaries_are_paid_once_whatever_lease_runs_out_when(
    make: Callable[[int, int], World], assets: tuple[str, ...]
) -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        guard = await live(make, seed, assets)
        world = guard.world
        seen.update(world.audit())
        seen["crashes"] += world.crashes
        canaries = list(world.state.book.canaries.values())
        assert len(canaries) == guard.ordered
        moves = world.state.book.moves
        for canary in canaries:
            seen[f"canary {canary.state}"] += 1
            assert canary.state.ended, canary
            move = moves.get(canary.move_key)
            settled = move is not None and move.state is VaultMoveState.SETTLED
            assert settled == (canary.state is CanaryState.SETTLED)
        to_cold = [each for each in moves.values() if each.target.value == "cold" and each.atoms]
        assert len({each.tx_id for each in to_cold}) == len(to_cold), "each its own transaction"
    assert seen["settled"] > 20
    assert seen["crashes"] > 20
    assert seen["canary settled"] > 10
