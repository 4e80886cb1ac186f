"""What goes wrong with money on an EVM network, over a real Anvil and the whole treasury.

Each story ends with the books: what the ledger has is on chain, and nobody was paid twice.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from eth_account import Account
from structlog.testing import capture_logs
from tests.treasury.evm_scene import (
    ETH,
    ETHER,
    FINALITY,
    PAYEE,
    SCALE,
    USDT,
    Scene,
)
from tests.treasury.signer.vault_keys import HOT, HOT_KEY

from seawall.core.funding_state import digest_funding
from seawall.lab.devchain import DevChain
from seawall.model import funding_commands as f
from seawall.model.funding import Service, ServiceStatus, Vault, WithdrawalState
from seawall.model.funding_rows import ListingState, Withdrawal
from seawall.model.ids import AssetCode, UserId
from seawall.node.node import Node
from seawall.node.settings import NodeSettings
from seawall.treasury.chain import UnknownError, lane_slot
from seawall.treasury.driver import NetworkTreasury

CAP = 10**12
"""The scene's: nothing above it is paid for gas."""
FEE = SCALE
OTHER = str(Account.from_key("98" * 32).address)


class Trouble:
    """The scene, with one treasury that runs on, and what the stories do to it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.devchain = scene.devchain
        self.node = scene.node
        self.treasury: NetworkTreasury = scene.treasury()

    async def blocks(self, count: int) -> None:
        for _ in range(count):
            await self.treasury.step()
            await self.devchain.mine()
        await self.treasury.step()

    async def deposit(self, units: int, token: str = "") -> None:
        address = self.scene.keys.deposit_address(0)
        if token:
            await self.devchain.pay_token(token, address, units)
        else:
            await self.devchain.pay(address, units)
        await self.devchain.mine()

    async def withdraw(self, atoms: int, to: str = PAYEE, asset: AssetCode = ETH) -> Withdrawal:
        number = self.node.funding.book.next_withdrawal_id
        await self.scene.do(
            f.RequestWithdrawal(
                user_id=UserId(1), asset=asset, network="SIM", address=to, atoms=atoms
            )
        )
        return self.node.funding.book.withdrawals[number]

    def row(self, withdrawal: Withdrawal) -> Withdrawal:
        return self.node.funding.book.withdrawals[withdrawal.withdrawal_id]

    def free(self, asset: AssetCode = ETH) -> int:
        return self.node.funding.ledger.free(1, asset)

    def listing(self, asset: AssetCode = ETH) -> ListingState:
        return self.node.funding.book.listings[f"{asset}/SIM"]

    async def on_chain(self, address: str, token: str = "") -> int:
        return await self.scene.chain.balance(address, token, await self.scene.chain.head())

    async def reckon(self) -> None:
        """Compare chain and ledger, with everything final."""
        await self.blocks(FINALITY + 1)
        await self.treasury.reconcile()

    async def send_by_hand(self, nonce: int, units: int = 7, *, gwei: int = 500) -> str:
        """Use the hot wallet's key beside the pipeline; return the transaction."""
        signed = Account.sign_transaction(
            {
                "type": 2, "chainId": self.devchain.chain_id, "nonce": nonce, "to": OTHER,
                "value": units, "gas": 21_000, "maxFeePerGas": gwei * 10**9,
                "maxPriorityFeePerGas": gwei * 10**9,
            },
            HOT_KEY,
        )  # fmt: skip
        raw = "0x" + bytes(signed.raw_transaction).hex()
        return str(await self.devchain.rpc("eth_sendRawTransaction", raw))

    async def next_nonce(self) -> int:
        return await self.scene.chain.next_nonce(HOT)


Opener = Callable[[str], Awaitable[Trouble]]


@pytest_asyncio.fixture
async def open_with(devchain: DevChain, tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[Trouble] = []

    async def opening(token: str) -> Trouble:
        node = await Node.open(NodeSettings(data=tmp_path / "data", ticks=False, relay=False))
        scene = Scene(tmp_path, devchain, node, token)
        await scene.set_up()
        opened.append(Trouble(scene))
        return opened[0]

    yield opening
    for each in opened:
        await each.scene.close()
        await each.node.close()


@pytest_asyncio.fixture
async def trouble(devchain: DevChain, open_with: Opener) -> Trouble:
    made = await open_with(await devchain.deploy_token("USDT", 6, 10**15))
    await made.deposit(ETHER)
    await made.blocks(FINALITY + 1)
    assert made.free() == ETHER
    return made


async def test_a_contract_that_takes_no_coin_gives_the_money_back(trouble: Trouble) -> None:
    refuser = await trouble.devchain.deploy("payee", "bool", True)
    used = await trouble.next_nonce()
    refused = await trouble.withdraw(ETHER // 4, refuser)
    after = await trouble.withdraw(ETHER // 4)
    await trouble.blocks(3 + FINALITY)
    refused, after = trouble.row(refused), trouble.row(after)
    assert refused.state is WithdrawalState.REJECTED
    assert "takes no coin" in refused.reason
    assert not refused.attempts, "nothing was signed for it"
    assert after.state is WithdrawalState.SETTLED
    assert trouble.free() == ETHER - ETHER // 4
    assert await trouble.on_chain(refuser) == 0
    assert after.attempts[0].slots == (lane_slot(HOT, used),)
    await trouble.reckon()
    assert (trouble.listing().difference, trouble.listing().withdrawal.status) == (0, "open")


async def test_a_token_that_keeps_a_fee_is_credited_as_it_arrived(
    devchain: DevChain, open_with: Opener
) -> None:
    greedy = await devchain.deploy_token("FEE", 6, 10**15, fee_per_mille=10)
    trouble = await open_with(greedy)
    with capture_logs() as logs:
        await trouble.deposit(500_000_000, greedy)
        await trouble.blocks(FINALITY + 1)
    assert trouble.free(USDT) == 495_000_000 * SCALE
    alarms = [entry["alarm"] for entry in logs if entry["event"] == "treasury.deposits"]
    assert any("495000000 of 500000000 units arrived" in alarm for alarm in alarms), logs
    # On the way to the hot wallet it keeps some more: what is missing is found, and stops it.
    await trouble.blocks(2 * FINALITY)
    await trouble.reckon()
    listing = trouble.listing(USDT)
    assert await trouble.on_chain(HOT, greedy) == 490_050_000
    assert listing.difference == -4_950_000 * SCALE
    assert listing.withdrawal.status is ServiceStatus.PAUSED
    assert "differ by -4950000000000000000 atoms" in listing.withdrawal.reason
    assert trouble.listing().withdrawal.status is ServiceStatus.OPEN, "the coin is not concerned"


async def test_a_token_that_returns_nothing_comes_in_and_goes_out(
    devchain: DevChain, open_with: Opener
) -> None:
    silent = await devchain.deploy("silent", "string,uint8,uint256", "SIL", 6, 10**15)
    trouble = await open_with(silent)
    await trouble.deposit(500_000_000, silent)
    await trouble.deposit(ETHER // 100)
    await trouble.blocks(3 * FINALITY)
    row = await trouble.withdraw(100 * ETHER, asset=USDT)
    await trouble.blocks(2 * FINALITY)
    assert trouble.row(row).state is WithdrawalState.SETTLED
    assert await trouble.on_chain(PAYEE, silent) == 100_000_000 - 1
    await trouble.reckon()
    assert (trouble.listing(USDT).difference, trouble.listing(USDT).withdrawal.status) == (
        0,
        ServiceStatus.OPEN,
    )


async def test_a_token_that_refuses_without_reverting_is_not_taken_for_paid(
    trouble: Trouble,
) -> None:
    token = trouble.scene.token
    await trouble.deposit(500_000_000, token)
    await trouble.blocks(3 * FINALITY)
    before = trouble.free(USDT)
    row = await trouble.withdraw(100 * ETHER, asset=USDT)
    await trouble.devchain.transact(token, "refuse(bool)", True)
    await trouble.devchain.mine()
    await trouble.blocks(FINALITY + 2)
    row = trouble.row(row)
    assert row.state is WithdrawalState.RETURNED
    assert row.reason == "the token moved nothing"
    assert trouble.free(USDT) == before
    assert await trouble.on_chain(PAYEE, token) == 0
    await trouble.reckon()
    assert trouble.listing().difference == 0, "the gas it cost is booked"


async def test_a_gas_spike_is_waited_out_and_said(trouble: Trouble) -> None:
    async def spike() -> None:
        await trouble.devchain.rpc("anvil_setNextBlockBaseFeePerGas", hex(2 * CAP))

    await spike()
    await trouble.devchain.mine()
    row = await trouble.withdraw(ETHER // 4)
    with capture_logs() as logs:
        for _ in range(FINALITY):
            await spike()
            await trouble.blocks(1)
    assert trouble.row(row).state is WithdrawalState.QUEUED
    assert not trouble.row(row).attempts, "nothing is signed at a price that nobody takes"
    assert trouble.treasury.dear, "users are told"
    said = [entry for entry in logs if entry["event"] == "payouts.fees_above_cap"]
    assert len(said) == 1, "once, and not with every block"
    assert f"above the cap of {CAP}" in said[0]["detail"]
    await trouble.devchain.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    await trouble.blocks(FINALITY + 2)
    assert not trouble.treasury.dear
    assert trouble.row(row).state is WithdrawalState.SETTLED
    assert await trouble.on_chain(PAYEE) == ETHER // 4 - FEE


async def test_a_stuck_payment_is_raised_at_its_nonce(trouble: Trouble) -> None:
    row = await trouble.withdraw(ETHER // 4)
    await trouble.treasury.step()
    first = trouble.scene.chain.decode(bytes.fromhex(trouble.row(row).attempts[0].signed))
    # The market rises above what was offered, and stays below the cap.
    for _ in range(8):
        await trouble.devchain.rpc("anvil_setNextBlockBaseFeePerGas", hex(first.fee_price + 10**9))
        await trouble.blocks(1)
    assert len(trouble.row(row).attempts) >= 2
    last = trouble.scene.chain.decode(bytes.fromhex(trouble.row(row).attempts[-1].signed))
    assert (last.slots, last.payee, last.units) == (first.slots, first.payee, first.units)
    assert last.fee_price > first.fee_price
    await trouble.blocks(FINALITY + 1)
    assert trouble.row(row).state is WithdrawalState.SETTLED
    assert trouble.row(row).tx_id != first.tx_id
    assert await trouble.on_chain(PAYEE) == ETHER // 4 - FEE
    await trouble.reckon()
    assert (trouble.listing().difference, trouble.listing().withdrawal.status) == (0, "open")


async def test_a_nonce_used_by_hand_returns_the_money_and_stops_the_asset(
    trouble: Trouble,
) -> None:
    row = await trouble.withdraw(ETHER // 4)
    await trouble.treasury.step()
    assert trouble.row(row).attempts
    hand = await trouble.send_by_hand(await trouble.next_nonce())
    await trouble.blocks(FINALITY + 1)
    row = trouble.row(row)
    assert row.state is WithdrawalState.RETURNED
    assert hand in row.reason
    assert trouble.free() == ETHER
    assert await trouble.on_chain(PAYEE) == 0
    assert await trouble.on_chain(OTHER) == 7
    await trouble.reckon()
    listing = trouble.listing()
    assert listing.difference < 0, "what was sent by hand is in no ledger"
    assert listing.withdrawal.status is ServiceStatus.PAUSED


async def test_a_hand_sent_transaction_ahead_of_a_gap_waits_for_ours_and_holds_none_up(
    trouble: Trouble,
) -> None:
    nonce = await trouble.next_nonce()
    hand = await trouble.send_by_hand(nonce + 1)
    await trouble.devchain.mine()
    assert await trouble.devchain.rpc("eth_getTransactionReceipt", hand) is None, "a gap"
    first = await trouble.withdraw(ETHER // 8)
    second = await trouble.withdraw(ETHER // 8)
    await trouble.blocks(2 * FINALITY + 4)
    rows = [trouble.row(first), trouble.row(second)]
    assert rows[0].state is WithdrawalState.SETTLED
    assert rows[0].attempts[0].slots == (lane_slot(HOT, nonce),)
    # The second was signed for the nonce that the hand-sent one took as soon as it could.
    assert rows[1].state is WithdrawalState.RETURNED
    assert hand in rows[1].reason
    assert await trouble.on_chain(PAYEE) == ETHER // 8 - FEE
    assert trouble.free() == ETHER - ETHER // 8
    # What went out by hand is missing: that stops the asset until people have booked it.
    await trouble.reckon()
    listing = trouble.listing()
    assert listing.withdrawal.status is ServiceStatus.PAUSED
    missing = -listing.difference
    assert missing == 7, "its fee is booked, what it paid is not"
    for command in (
        f.BookCapital(
            network="SIM", asset=ETH, vault=Vault.HOT, atoms=-missing, reference=hand, person="ann"
        ),
        f.SetService(
            asset=ETH, network="SIM", service=Service.WITHDRAWAL, status=ServiceStatus.OPEN,
            reason="booked", person="ann",
        ),
    ):  # fmt: skip
        await trouble.scene.do(command)
    third = await trouble.withdraw(ETHER // 8)
    await trouble.reckon()
    assert trouble.row(third).state is WithdrawalState.SETTLED
    assert trouble.row(third).attempts[0].slots == (lane_slot(HOT, nonce + 2),)
    assert (trouble.listing().difference, trouble.listing().withdrawal.status) == (0, "open")


async def test_a_node_that_is_frozen_decides_nothing(trouble: Trouble) -> None:
    row = await trouble.withdraw(ETHER // 4)
    before = digest_funding(trouble.node.funding)
    await trouble.devchain.stop()
    for _ in range(2):
        with pytest.raises(UnknownError):
            await trouble.treasury.step()
    assert digest_funding(trouble.node.funding) == before
    assert trouble.row(row).state is WithdrawalState.QUEUED


async def test_a_chain_without_new_blocks_pays_once_when_it_goes_on(trouble: Trouble) -> None:
    row = await trouble.withdraw(ETHER // 4)
    for _ in range(6):
        await trouble.treasury.step()
    assert trouble.row(row).state is WithdrawalState.BROADCAST
    assert len(trouble.row(row).attempts) == 1, "no block has passed: nothing is raised"
    before = digest_funding(trouble.node.funding)
    await trouble.treasury.step()
    assert digest_funding(trouble.node.funding) == before
    await trouble.blocks(FINALITY)
    assert trouble.row(row).state is WithdrawalState.SETTLED
    assert await trouble.on_chain(PAYEE) == ETHER // 4 - FEE


async def test_a_reorganisation_below_finality_sends_the_same_bytes_again(
    trouble: Trouble,
) -> None:
    row = await trouble.withdraw(ETHER // 4)
    await trouble.blocks(FINALITY - 1)
    tx_id = trouble.row(row).attempts[0].tx_id
    assert await trouble.devchain.rpc("eth_getTransactionReceipt", tx_id) is not None
    await trouble.devchain.reorganise(FINALITY - 1)
    assert await trouble.devchain.rpc("eth_getTransactionReceipt", tx_id) is None
    await trouble.blocks(2 * FINALITY)
    row = trouble.row(row)
    assert row.state is WithdrawalState.SETTLED
    assert [attempt.tx_id for attempt in row.attempts] == [tx_id]
    assert await trouble.on_chain(PAYEE) == ETHER // 4 - FEE
    assert trouble.listing().withdrawal.status is ServiceStatus.OPEN


async def test_a_reorganisation_beyond_finality_stops_the_network(trouble: Trouble) -> None:
    await trouble.deposit(ETHER // 2)
    await trouble.blocks(FINALITY)
    assert trouble.free() == ETHER + ETHER // 2
    with capture_logs() as logs:
        await trouble.devchain.reorganise(FINALITY + 2)
        await trouble.blocks(2)
    for asset in (ETH, USDT):
        listing = trouble.listing(asset)
        for service in (listing.deposit, listing.withdrawal):
            assert service.status is ServiceStatus.PAUSED
            assert "below the finality of 3" in service.reason
    told = [str(entry.get("alarm")) for entry in logs if entry["event"] == "treasury.deposits"]
    assert any("below the finality" in alarm for alarm in told), logs
    assert any("credited_vanished" in alarm.lower() for alarm in told), logs
    # It stays so, and people decide: money that is not there any more is not paid out.
    await trouble.deposit(ETHER // 2)
    await trouble.blocks(2 * FINALITY)
    assert trouble.listing().withdrawal.status is ServiceStatus.PAUSED
    assert trouble.free() == ETHER + ETHER // 2, "nothing more is credited meanwhile"
