"""Deposits: each that is final is credited once, none that a reorganisation took; over liars."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.treasury.funding_desk import MIN_DEPOSIT, SCALE, TOKEN, FundingDesk
from tests.treasury.lying_chain import Manner, SimulatedChain, SimulatedNetwork

from seawall.model import funding_commands as f
from seawall.model.funding import (
    Attempt,
    DepositState,
    Service,
    ServiceStatus,
    Vault,
)
from seawall.model.ids import AssetCode
from seawall.treasury.chain import UnknownError
from seawall.treasury.scanner import UNLISTED_PER_BLOCK, AlarmKind, DepositScanner
from seawall.treasury.scanning import scan

FINALITY = 4
USERS = ("user1", "user2", "user3")


class Scene:
    """A chain, a funding cell, and the scanner between them."""

    def __init__(self, finality: int = FINALITY) -> None:
        self.desk = FundingDesk(finality=finality)
        self.chain = SimulatedChain()
        self.network = SimulatedNetwork(self.chain)
        self.finality = finality
        self.scanned = 0
        self.restart(note=False)

    def restart(self, *, note: bool) -> None:
        self.desk.restart()
        self.scanner = DepositScanner(self.desk.state, "SIM", scanned=self.scanned if note else 0)

    async def follow(self) -> None:
        await scan(self.network, self.scanner, self.desk.submit, self.desk.alarms.append)
        self.scanned = self.scanner.scanned

    async def mine(self, blocks: int = 1) -> None:
        """Mine and follow, block by block."""
        for _ in range(blocks):
            self.chain.mine()
            await self.follow()

    def state_of(self, tx_id: str) -> DepositState:
        (found,) = (
            deposit for deposit in self.desk.state.book.deposits.values() if deposit.tx_id == tx_id
        )
        return found.state

    def expected(self) -> dict[tuple[int, str], int]:
        """Return what the users should have: every final, listed payment above the minimum."""
        found: dict[tuple[int, str], int] = {}
        for block, payment in self.chain.payments_to(USERS):
            if self.chain.head.number - block.number + 1 < self.finality:
                continue
            asset, scale = {"": ("ETH", 1), TOKEN: ("USDT", SCALE)}.get(payment.contract, ("", 0))
            if asset and payment.units >= MIN_DEPOSIT:
                key = (int(payment.address[-1]), asset)
                found[key] = found.get(key, 0) + payment.units * scale
        return found

    def credited(self) -> dict[tuple[int, str], int]:
        return {
            (user_id, asset): atoms
            for user_id in (1, 2, 3)
            for asset in ("ETH", "USDT")
            if (atoms := self.desk.balance(user_id, asset))
        }


async def test_a_deposit_is_credited_at_finality_and_not_before() -> None:
    scene = Scene()
    paid = scene.chain.fund("user1", 100)
    await scene.mine(FINALITY - 1)
    assert scene.state_of(paid.tx_id) is DepositState.SEEN
    assert scene.credited() == {}
    await scene.mine()
    assert scene.state_of(paid.tx_id) is DepositState.CREDITED
    await scene.mine(20)
    assert scene.credited() == {(1, "ETH"): 100}
    assert not scene.desk.alarms
    assert not scene.desk.refused


async def test_dust_and_strangers_tokens_are_shown_and_not_credited() -> None:
    scene = Scene()
    dust = scene.chain.fund("user1", MIN_DEPOSIT - 1)
    spam = scene.chain.fund("user1", 10**70, "spam")
    small = scene.chain.pay("stranger", "user2", 100, TOKEN, arrives=0)
    await scene.mine(FINALITY + 1)
    assert scene.state_of(dust.tx_id) is DepositState.IGNORED
    assert scene.state_of(spam.tx_id) is DepositState.IGNORED
    assert small.tx_id not in {one.tx_id for one in scene.desk.state.book.deposits.values()}
    assert scene.credited() == {}
    assert not scene.desk.refused


async def test_a_token_that_keeps_a_fee_is_credited_as_it_arrived_and_reported() -> None:
    scene = Scene()
    scene.chain.pay("stranger", "user2", 1000, TOKEN, arrives=990)
    await scene.mine(FINALITY)
    assert scene.credited() == {(2, "USDT"): 990 * SCALE}
    assert [alarm.kind for alarm in scene.desk.alarms] == [AlarmKind.FEE_ON_TRANSFER]


async def test_a_flood_of_strangers_tokens_does_not_fill_the_journal() -> None:
    scene = Scene()
    for number in range(3 * UNLISTED_PER_BLOCK):
        scene.chain.fund("user1", 5, f"spam{number}")
    real = scene.chain.fund("user1", 500)
    await scene.mine(FINALITY)
    assert len(scene.desk.state.book.deposits) == UNLISTED_PER_BLOCK + 1
    assert scene.state_of(real.tx_id) is DepositState.CREDITED
    assert [alarm.kind for alarm in scene.desk.alarms] == [AlarmKind.UNLISTED_FLOOD]


async def test_gas_for_a_sweep_is_nobodys_deposit() -> None:
    scene = Scene()
    desk = scene.desk
    desk.commit(
        f.BookCapital(
            network="SIM",
            asset=AssetCode("ETH"),
            vault=Vault.HOT,
            atoms=10**18,
            reference="seed",
            person="ann",
        )
    )
    gas = scene.chain.pay("hot", "user1", 5000)
    desk.commit(
        f.PrepareVaultMove(
            move_key="gas/1",
            network="SIM",
            asset=AssetCode("ETH"),
            source=Vault.HOT,
            target=Vault.DEPOSIT,
            atoms=5000,
            attempt=Attempt(tx_id=gas.tx_id, slots=("hot/0",), signed="00", max_cost=1),
        )
    )
    await scene.mine(FINALITY)
    assert scene.credited() == {}
    assert not desk.state.book.deposits


async def test_a_reorganised_deposit_is_reverted_and_comes_back_where_it_is_mined_again() -> None:
    scene = Scene()
    lost, moved = scene.chain.fund("user1", 100), scene.chain.fund("user2", 200)
    await scene.mine(FINALITY - 1)
    scene.chain.reorganise(FINALITY - 1, drop={lost.tx_id})
    await scene.follow()
    assert scene.state_of(lost.tx_id) is DepositState.REVERTED
    assert scene.state_of(moved.tx_id) in (DepositState.SEEN, DepositState.CREDITED)
    assert not scene.desk.alarms
    scene.chain.pool[lost.tx_id] = lost
    await scene.mine(FINALITY)
    assert scene.credited() == {(1, "ETH"): 100, (2, "ETH"): 200} == scene.expected()
    assert not scene.desk.refused


async def test_a_transaction_that_pays_something_else_when_mined_again() -> None:
    """The contract it calls decides by the block; its name stays the same."""
    scene = Scene()
    paid = scene.chain.pay("stranger", "user1", 1000, TOKEN, arrives=1000)
    await scene.mine()
    (seen,) = scene.desk.state.book.deposits.values()
    assert seen.atoms == 1000 * SCALE
    mined = scene.chain.tip
    scene.chain.reorganise(1, drop={paid.tx_id})
    changed = scene.chain.tip.parent
    assert changed is not None
    assert changed is not mined
    await scene.follow()
    command = f.SeeDeposit(
        network="SIM",
        tx_id=paid.tx_id,
        output=1,
        address="user2",
        asset=AssetCode("USDT"),
        atoms=7 * SCALE * MIN_DEPOSIT,
        block=changed.block.number,
        block_id=changed.block.id,
        contract=TOKEN,
    )
    scene.desk.commit(command)
    (again,) = scene.desk.state.book.deposits.values()
    assert (again.user_id, again.atoms, again.state) == (2, command.atoms, DepositState.SEEN)


@pytest.mark.parametrize("depth", [FINALITY, FINALITY + 1, FINALITY + 30])
async def test_below_finality_it_is_said_loudly_and_nothing_more_is_credited(depth: int) -> None:
    scene = Scene()
    await scene.mine(40)
    credited, waiting = scene.chain.fund("user1", 100), scene.chain.fund("user2", 200)
    await scene.mine(FINALITY)
    assert scene.state_of(credited.tx_id) is DepositState.CREDITED
    fresh = scene.chain.fund("user3", 300)
    await scene.mine()
    scene.chain.reorganise(depth + 1, drop={credited.tx_id})
    await scene.follow()
    kinds = [alarm.kind for alarm in scene.desk.alarms]
    assert kinds[0] is AlarmKind.DEEP_REORGANISATION
    assert kinds.count(AlarmKind.CREDITED_VANISHED) == 1
    for listing in scene.desk.state.book.listings.values():
        for service in (listing.deposit, listing.withdrawal):
            assert service.status is ServiceStatus.PAUSED
            assert "reorganisation" in service.reason
    await scene.mine(3 * FINALITY)
    assert scene.state_of(fresh.tx_id) is DepositState.SEEN
    assert scene.desk.balance(3, "ETH") == 0
    entries = len(scene.desk.commands)
    await scene.mine(5)
    assert len(scene.desk.commands) == entries, "a pause is not repeated with every block"

    for code in ("ETH", "USDT"):
        scene.desk.commit(
            f.SetService(
                asset=AssetCode(code),
                network="SIM",
                service=Service.DEPOSIT,
                status=ServiceStatus.OPEN,
                reason="looked into",
                person="ann",
            )
        )
    await scene.mine()
    assert scene.state_of(fresh.tx_id) is DepositState.CREDITED
    assert scene.state_of(waiting.tx_id) is DepositState.CREDITED
    assert scene.desk.balance(2, "ETH") == 200


async def test_a_deep_reorganisation_while_we_were_away_is_found_at_the_start() -> None:
    scene = Scene()
    await scene.mine(20)
    paid = scene.chain.fund("user1", 100)
    await scene.mine(FINALITY)
    scene.chain.reorganise(FINALITY + 2, drop={paid.tx_id}, longer_by=0)
    scene.restart(note=True)
    await scene.follow()
    kinds = [alarm.kind for alarm in scene.desk.alarms]
    assert kinds == [AlarmKind.DEEP_REORGANISATION, AlarmKind.CREDITED_VANISHED]


async def test_deposits_found_while_paused_wait_and_are_credited_after() -> None:
    scene = Scene()
    pause = f.SetService(
        asset=AssetCode("ETH"),
        network="SIM",
        service=Service.DEPOSIT,
        status=ServiceStatus.PAUSED,
        reason="maintenance",
        person="ann",
    )
    scene.desk.commit(pause)
    paid = scene.chain.fund("user1", 100)
    await scene.mine(FINALITY + 2)
    (deposit,) = scene.desk.state.book.deposits.values()
    assert (deposit.state, deposit.reason) == (DepositState.SEEN, "deposits are paused")
    entries = len(scene.desk.commands)
    await scene.mine(5)
    assert len(scene.desk.commands) == entries
    scene.desk.commit(
        f.SetService(
            asset=AssetCode("ETH"),
            network="SIM",
            service=Service.DEPOSIT,
            status=ServiceStatus.OPEN,
            reason="done",
            person="ann",
        )
    )
    scene.restart(note=True)
    await scene.mine()
    assert scene.state_of(paid.tx_id) is DepositState.CREDITED


async def test_a_commit_that_failed_is_proposed_again() -> None:
    scene = Scene()
    scene.chain.fund("user1", 100)
    scene.chain.mine()

    async def fail(_command: f.FundingCommand) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await scan(scene.network, scene.scanner, fail, scene.desk.alarms.append)
    assert scene.scanner.scanned == 0
    await scene.mine(FINALITY)
    assert scene.credited() == {(1, "ETH"): 100}


async def test_nothing_is_decided_while_endpoints_disagree() -> None:
    scene = Scene()
    scene.chain.fund("user1", 100)
    scene.network.shown[0].manner = Manner.HIDES_PAYMENTS
    scene.network.shown[1].manner = Manner.INVENTS_PAYMENTS
    scene.chain.mine(8)
    with pytest.raises(UnknownError):
        await scene.follow()
    assert not scene.desk.state.book.deposits
    scene.network.shown[1].manner = Manner.HONEST
    await scene.mine()
    assert scene.credited() == {(1, "ETH"): 100}


@pytest.mark.parametrize("finality", [1, 40])
async def test_short_and_long_finalities(finality: int) -> None:
    scene = Scene(finality)
    scene.chain.fund("user1", 100)
    await scene.mine(finality)
    assert scene.credited() == {(1, "ETH"): 100}
    confirms = [one for one in scene.desk.commands if isinstance(one, f.ConfirmDeposit)]
    assert len(confirms) <= 21


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mine"), st.integers(1, 5)),
        st.tuples(
            st.just("pay"),
            st.sampled_from(USERS),
            st.sampled_from([1, 10, 33, 10**20]),
            st.sampled_from(["", TOKEN, "spam"]),
        ),
        st.tuples(st.just("reorganise"), st.integers(1, FINALITY - 1), st.integers(0, 7)),
        st.tuples(st.just("turn"), st.sampled_from(list(Manner))),
        st.tuples(st.just("restart"), st.booleans()),
        st.tuples(st.just("follow")),
        st.tuples(st.just("follow")),
    ),
    min_size=12,
    max_size=40,
)


@settings(max_examples=250, deadline=None)
@given(steps=STEPS)
def test_each_final_deposit_is_credited_once_and_no_other(
    steps: list[tuple[object, ...]],
) -> None:
    """Against an auditor who reads the true chain: reorganisations, restarts, and one liar."""

    async def play() -> None:
        scene = Scene()
        for step in steps:
            match step:
                case ("mine", int(blocks)):
                    scene.chain.mine(blocks)
                case ("pay", str(user), int(units), str(contract)):
                    scene.chain.fund(user, units, contract)
                case ("reorganise", int(depth), int(mask)):
                    # Blocks that were followed and final stay: deeper ones are another story.
                    content = [
                        sent.tx_id for mined in scene.chain.line[-depth:] for sent in mined.content
                    ]
                    drop = {tx for place, tx in enumerate(content) if mask >> place % 3 & 1}
                    scene.chain.reorganise(depth, drop=drop)
                case ("turn", Manner() as manner):
                    scene.network.shown[2].manner = manner
                case ("restart", bool(note)):
                    scene.restart(note=note)
                case _:
                    await scene.follow()
                    assert scene.credited() == scene.expected()
        scene.chain.mine(FINALITY)
        await scene.follow()
        await scene.follow()
        assert scene.credited() == scene.expected()
        assert not scene.desk.refused
        assert not [one for one in scene.desk.alarms if one.kind is not AlarmKind.UNLISTED_FLOOD]
        on_chain = {payment.tx_id for _, payment in scene.chain.payments_to(USERS)}
        for deposit in scene.desk.state.book.deposits.values():
            gone = deposit.tx_id not in on_chain
            assert (deposit.state is DepositState.REVERTED) is gone
            assert deposit.state is not DepositState.SEEN

    asyncio.run(play())
