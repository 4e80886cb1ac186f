"""Suspension and canary over a real Anvil: what waits says why, and is paid once when it may."""

from pathlib import Path

from tests.treasury.evm_scene import ETH, ETHER, FINALITY, PAYEE, SCALE, USDT, Scene
from tests.treasury.signer.vault_keys import COLD, HOT

from seawall.core.withdrawal_queue import outlook
from seawall.lab.devchain import DevChain
from seawall.model import funding_commands as f
from seawall.model.funding import CanaryState, Wait, WithdrawalState
from seawall.model.funding_rows import Withdrawal
from seawall.model.ids import UserId
from seawall.node.clock import ManualClock
from seawall.node.node import Node
from seawall.node.settings import NodeSettings
from seawall.treasury.driver import NetworkTreasury
from seawall.treasury.lease_keeper import LeaseKeeper
from seawall.treasury.signer.lease import SECOND_NS
from seawall.treasury.signer.messages import AskSlots, Slots

LEASE_S = 4


class Incident:
    """A treasury whose clocks are set by hand."""

    def __init__(self, scene: Scene, clock: ManualClock) -> None:
        self.scene, self.clock, self.node = scene, clock, scene.node
        self.treasury: NetworkTreasury = scene.treasury()
        self.keeper = LeaseKeeper(scene, lambda: self.node.funding, clock.now_ns, lambda: None)

    async def grant(self) -> None:
        """Do what control does each second."""
        number = self.node.funding.book.lease_number + 1
        until_ns = self.clock.now_ns() + LEASE_S * SECOND_NS
        await self.scene.do(f.GrantLease(number=number, until_ns=until_ns))

    async def pass_time(self, seconds: int) -> None:
        """Let both clocks go on; nobody grants anything."""
        for _ in range(seconds):
            self.clock.advance(SECOND_NS)
            self.scene.boot_ns += SECOND_NS
            await self.keeper.renew()

    async def blocks(self, count: int) -> None:
        for _ in range(count):
            await self.treasury.step()
            await self.scene.devchain.mine()

    @property
    def row(self) -> Withdrawal:
        return self.node.funding.book.withdrawals[1]

    def signed(self) -> int:
        """Return how many nonces of the hot wallet the signer has signed."""
        request = AskSlots(network="SIM", lane=HOT, from_nonce=0)
        answer = self.scene.service.answer(request)
        assert isinstance(answer, Slots)
        return len(answer.slots)

    def state(self) -> WithdrawalState:
        return self.row.state

    def canary(self, key: str) -> CanaryState:
        return self.node.funding.book.canaries[key].state

    async def paid(self) -> int:
        head = await self.scene.chain.head()
        return await self.scene.chain.balance(PAYEE, "", head)


async def opened(folder: Path, devchain: DevChain, token: str) -> tuple[Incident, Node]:
    clock = ManualClock(1_700_000_000 * SECOND_NS)
    settings = NodeSettings(data=folder / "data", ticks=False, relay=False)
    node = await Node.open(settings, clock=clock)
    scene = Scene(folder, devchain, node, token, lease_s=LEASE_S)
    scene.cold = COLD
    await scene.set_up()
    await devchain.pay(scene.keys.deposit_address(0), ETHER)
    return Incident(scene, clock), node


async def test_without_lease_nothing_is_signed_and_with_one_again_it_is_paid_once(
    devchain: DevChain, tmp_path: Path
) -> None:
    token = await devchain.deploy_token("USDT", 6, 10**15)
    incident, node = await opened(tmp_path, devchain, token)
    scene = incident.scene
    await incident.blocks(FINALITY + 3)
    assert node.funding.ledger.free(1, "ETH") == ETHER
    signed_before = incident.signed()
    await incident.grant()
    wanted = f.RequestWithdrawal(
        user_id=UserId(1), asset=ETH, network="SIM", address=PAYEE, atoms=ETHER // 2
    )
    await scene.do(wanted)
    # Nobody has renewed the signer's lease: the journal would let it pass, the signer does not.
    await incident.blocks(2)
    assert (incident.state(), incident.treasury.unleased) == (WithdrawalState.QUEUED, True)
    # Both leases run out, and renewing without one does nothing.
    await incident.pass_time(LEASE_S + 1)
    await scene.do(f.SetAddressWait(wait_ms=0))
    await incident.keeper.renew()
    assert outlook(node.funding, incident.row).wait is Wait.LEASE
    await incident.blocks(3)
    assert incident.state() is WithdrawalState.QUEUED
    assert not incident.treasury.unleased, "it is not even asked for"
    assert incident.signed() == signed_before
    assert await incident.paid() == 0
    # Control is back.
    await incident.grant()
    await incident.keeper.renew()
    await incident.blocks(2)
    await incident.pass_time(60)
    # What is on its way arrives without any lease, and that is the end of it.
    await incident.blocks(3 * FINALITY)
    assert incident.state() is WithdrawalState.SETTLED
    assert await incident.paid() == ETHER // 2 - SCALE
    assert len(incident.row.attempts) == 1
    await scene.close()
    await node.close()


async def test_a_canary_reaches_cold_storage_while_withdrawals_are_suspended(
    devchain: DevChain, tmp_path: Path
) -> None:
    token = await devchain.deploy_token("USDT", 6, 10**15)
    incident, node = await opened(tmp_path, devchain, token)
    scene = incident.scene
    await scene.do(f.GrantLease(number=1, until_ns=0))
    await scene.do(f.OrderCanary(asset=ETH, network="SIM", key="plan-1"))
    await scene.do(f.OrderCanary(asset=USDT, network="SIM", key="plan-1-usdt"))
    await incident.blocks(2 * FINALITY)
    canaries = node.funding.book.canaries
    assert incident.canary("plan-1") is CanaryState.SETTLED
    head = await scene.chain.head()
    assert await scene.chain.balance(COLD, "", head) == SCALE
    # There is no token in the hot wallet yet: it says so, and goes as soon as there is.
    assert incident.canary("plan-1-usdt") is CanaryState.WANTED
    assert "hot wallet" in canaries["plan-1-usdt"].reason
    # What is deposited is swept meanwhile, the coin that this takes included.
    await devchain.pay_token(token, scene.keys.deposit_address(0), 500_000_000)
    await incident.blocks(6 * FINALITY)
    assert incident.canary("plan-1-usdt") is CanaryState.SETTLED
    head = await scene.chain.head()
    assert await scene.chain.balance(COLD, token, head) == 1
    for listing in node.funding.book.listings.values():
        assert (listing.difference, listing.cold_difference) == (0, 0)
    await scene.close()
    await node.close()
