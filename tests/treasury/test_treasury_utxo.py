"""The whole treasury over a real litecoind and a real node: in, swept, and out again."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from embit.ec import PrivateKey
from tests.treasury.litecoin_node import LitecoinNode

from seawall.model import funding_commands as f
from seawall.model.commands import ListAsset
from seawall.model.events import CommandRejected
from seawall.model.funding import (
    Listing,
    Network,
    NetworkKind,
    ServiceStatus,
    Vault,
    WithdrawalState,
)
from seawall.model.funding_rows import Withdrawal
from seawall.model.ids import AssetCode, UserId
from seawall.model.instruments import Asset
from seawall.node.clock import SystemClock
from seawall.node.node import Node
from seawall.node.settings import NodeSettings
from seawall.treasury.addresses import DepositAddresses, segwit_address
from seawall.treasury.chain import SendOutcome, SendResult, UtxoUnsigned
from seawall.treasury.chains import open_chain
from seawall.treasury.driver import NetworkSettings, NetworkTreasury
from seawall.treasury.payouts import PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.settings import ChainSettings, EndpointSettings, FeeSettings
from seawall.treasury.signer.keystore import create_keystore
from seawall.treasury.signer.messages import Answer, AskWho, Request, Who
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings
from seawall.treasury.signer.store import SignatureStore
from seawall.treasury.sweeps import Bounds, SweepSettings
from seawall.treasury.utxo import UtxoChain
from seawall.treasury.utxo_bytes import gather

PREFIX = "rltc"
FINALITY = 3
LITE = 10**8
FEE = 10_000
LTC = AssetCode("LTC")
CHEAP = 20_000
COLD = segwit_address(PrivateKey(32 * b"c").get_public_key(), PREFIX)


class Scene:
    """litecoind, a node, a signer, and the treasury between them."""

    def __init__(self, folder: Path, litecoin: LitecoinNode, node: Node, number: int) -> None:
        self.litecoin, self.node = litecoin, node
        # Each test has keys of its own: the chain lives through all of them.
        keys = create_keystore(
            folder / "keys",
            "open",
            wallets=(number.to_bytes(32, "big").hex(),),
            deposit_seed=number.to_bytes(32, "little").hex(),
            n=1 << 10,
        )
        self.keys = keys
        (self.hot,) = keys.coin_wallets(PREFIX)
        self.store = SignatureStore(folder / "signatures.sqlite")
        limits = NetworkLimits(
            prefix=PREFIX,
            own=(self.hot,),
            assets=(AssetLimits(payment_units=50 * LITE, window_units=500 * LITE),),
        )
        self.service = SignerService(
            SignerSettings(networks={"LTC": limits}),
            keys,
            self.store,
            SystemClock().now_ns,
            coin_keys=keys,
        )
        settings = ChainSettings(
            network="LTC",
            endpoints=(EndpointSettings(name="dev", url=litecoin.url),),
            lone_endpoint=True,
            fees=FeeSettings(cap=1_000_000, tip_floor=CHEAP),
            address_prefix=PREFIX,
        )
        chain = open_chain(NetworkKind.UTXO, settings, SystemClock())
        assert isinstance(chain, UtxoChain)
        self.chain = chain
        self.start_block = 0

    async def ask(self, request: Request) -> Answer:
        return self.service.answer(request)

    async def do(self, command: f.FundingCommand) -> None:
        events = (await self.node.submit_funding(command)).events
        assert not any(isinstance(event, CommandRejected) for event in events), events

    async def set_up(self, *capital: int) -> None:
        await self.do(ListAsset(asset=Asset(code=LTC, name="Litecoin", decimals=8)))
        network = Network(
            code="LTC",
            name="Litecoin",
            kind=NetworkKind.UTXO,
            chain_id=0,
            finality=FINALITY,
            native=LTC,
            native_decimals=8,
            block_ms=1_000,
        )
        await self.do(f.ListNetwork(network=network))
        listing = Listing(
            asset=LTC,
            network="LTC",
            chain_decimals=8,
            min_deposit=FEE,
            min_withdrawal=2 * FEE,
            withdrawal_fee=FEE,
            approval_above=1_000 * LITE,
            limited_max=LITE,
        )
        await self.do(f.OfferAsset(listing=listing))
        who = await self.ask(AskWho(network="LTC"))
        assert isinstance(who, Who)
        assert who.wallets == (self.hot,)
        derived = DepositAddresses(who.deposit_key, NetworkKind.UTXO, PREFIX)
        for index in range(2):
            opened = f.OpenDepositAddress(
                user_id=UserId(index + 1),
                network="LTC",
                index=index,
                address=derived.address(index),
            )
            await self.do(opened)
        for units in capital:
            self.litecoin.pay(self.hot, units)
        self.start_block = int(self.litecoin.call("getblockcount")) + 1
        self.litecoin.mine(FINALITY)
        if capital:
            booked = f.BookCapital(
                network="LTC",
                asset=LTC,
                vault=Vault.HOT,
                atoms=sum(capital),
                reference="1",
                person="ann",
            )
            await self.do(booked)

    def treasury(self, *, bump_after_blocks: int = 50, hot_most: int = 0) -> NetworkTreasury:
        """Return a treasury that remembers nothing of an earlier one."""
        bound = Bounds(
            asset=LTC, sweep_from=LITE // 10, hot_most=hot_most, hot_target=hot_most // 2
        )
        settings = NetworkSettings(
            payouts=PayoutSettings(
                lanes=(self.hot,), own=(COLD,), bump_after_blocks=bump_after_blocks
            ),
            sweeps=SweepSettings(hot=self.hot, cold=COLD if hot_most else "", bounds=(bound,)),
            wallets=Wallets(hot=(self.hot,), cold=(COLD,) if hot_most else ()),
            start_block=self.start_block,
        )
        return NetworkTreasury(self.node, "LTC", self.chain, self, settings)

    async def blocks(self, count: int, *, hot_most: int = 0) -> None:
        for _ in range(count):
            # Every block it begins anew, as after a crash.
            await self.treasury(hot_most=hot_most).step()
            self.litecoin.mine()
        await self.treasury(hot_most=hot_most).step()

    async def deposit(self, units: int, user: int = 1) -> None:
        account = self.node.funding.book.accounts[user]
        self.litecoin.pay(account.deposit_addresses["LTC"], units)
        await self.blocks(FINALITY + 1)

    async def withdraw(self, atoms: int, user: int = 1) -> Withdrawal:
        address = str(self.litecoin.call("getnewaddress", "", "bech32"))
        number = self.node.funding.book.next_withdrawal_id
        await self.do(
            f.RequestWithdrawal(
                user_id=UserId(user), asset=LTC, network="LTC", address=address, atoms=atoms
            )
        )
        return self.node.funding.book.withdrawals[number]

    async def arrived(self, row: Withdrawal) -> int:
        return await self.chain.balance(row.address, "", await self.chain.head())

    async def die_before_the_journal(self, patch: pytest.MonkeyPatch) -> str:
        """Step until something is signed, and crash; return the bytes that nobody journaled."""
        submit = self.node.submit_funding
        signed = []

        async def dies(command: f.FundingCommand) -> object:
            if not isinstance(command, f.PrepareWithdrawal):
                return await submit(command)
            signed.append(command.attempt.signed)
            raise SystemError

        with patch.context() as patched:
            patched.setattr(self.node, "submit_funding", dies)
            with pytest.raises(SystemError):
                await self.treasury().step()
        return signed[0]

    def in_pool(self) -> set[str]:
        return set(self.litecoin.call("getrawmempool"))

    def check_reckoning(self) -> None:
        listing = self.node.funding.book.listings["LTC/LTC"]
        assert listing.reconciled_block > self.start_block
        assert (listing.difference, listing.withdrawal.status) == (0, ServiceStatus.OPEN)

    async def close(self) -> None:
        self.store.close()
        await self.chain.close()


@pytest.fixture(scope="module")
def litecoin(litecoind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitecoinNode]:
    made = LitecoinNode(litecoind, tmp_path_factory.mktemp("litecoin"))
    made.start()
    yield made
    made.stop()


@pytest_asyncio.fixture
async def scene(
    litecoin: LitecoinNode, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    node = await Node.open(NodeSettings(data=tmp_path / "data", ticks=False, relay=False))
    number = 1 + sum(request.node.name.encode())
    made = Scene(tmp_path, litecoin, node, number)
    yield made
    await made.close()
    await node.close()


async def test_in_swept_reconciled_and_out_again(scene: Scene) -> None:
    await scene.set_up(5 * LITE)
    await scene.deposit(3 * LITE)
    await scene.deposit(2 * LITE, user=2)
    await scene.blocks(FINALITY + 1)
    book, funding = scene.node.funding.book, scene.node.funding
    assert (funding.ledger.free(1, "LTC"), funding.ledger.free(2, "LTC")) == (3 * LITE, 2 * LITE)
    assert [key.split("/")[0] for key in book.moves] == ["sweep", "sweep"]
    assert all(move.tx_id for move in book.moves.values())
    assert funding.held_in("LTC", Vault.DEPOSIT, "LTC") == 0
    rows = [await scene.withdraw(LITE), await scene.withdraw(LITE // 2, user=2)]
    await scene.blocks(3 * FINALITY)
    assert [row.state for row in rows] == [WithdrawalState.SETTLED] * 2
    assert [await scene.arrived(row) for row in rows] == [LITE - FEE, LITE // 2 - FEE]
    scene.check_reckoning()
    head = await scene.chain.head()
    held = await scene.chain.balance(scene.hot, "", head)
    assert held == funding.held_in("LTC", Vault.HOT, "LTC")


async def test_what_the_hot_wallet_has_too_much_goes_to_cold(scene: Scene) -> None:
    await scene.set_up(5 * LITE, 4 * LITE)
    await scene.blocks(2 * FINALITY, hot_most=6 * LITE)
    funding = scene.node.funding
    assert funding.held_in("LTC", Vault.COLD, "LTC") == 6 * LITE
    scene.check_reckoning()


async def test_a_crash_between_journal_and_send_sends_the_same_bytes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.set_up(5 * LITE)
    await scene.deposit(LITE)
    row = await scene.withdraw(LITE // 2)

    send = scene.chain.send

    async def dies(signed: bytes) -> SendResult:
        if all(attempt.signed != signed.hex() for attempt in row.attempts):
            return await send(signed)
        raise SystemError(signed.hex())

    with monkeypatch.context() as patched:
        patched.setattr(scene.chain, "send", dies)
        with pytest.raises(SystemError) as died:
            await scene.treasury().step()
    assert row.state is WithdrawalState.PREPARED
    (attempt,) = row.attempts
    assert str(died.value) == attempt.signed
    assert attempt.tx_id not in scene.in_pool()
    await scene.treasury().step()
    assert scene.litecoin.call("getrawtransaction", attempt.tx_id) == attempt.signed
    await scene.blocks(FINALITY)
    assert (row.state, row.tx_id) == (WithdrawalState.SETTLED, attempt.tx_id)


async def test_a_crash_between_signature_and_journal_pays_with_the_same_bytes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.set_up(5 * LITE, LITE)
    await scene.deposit(LITE)
    kept, canceled = await scene.withdraw(LITE // 2), await scene.withdraw(LITE // 4)
    signed = await scene.die_before_the_journal(monkeypatch)
    await scene.treasury().step()
    assert kept.attempts[0].signed == signed
    assert canceled.attempts, "others are paid as well"
    await scene.blocks(FINALITY)
    assert kept.state is canceled.state is WithdrawalState.SETTLED


async def test_what_was_signed_for_a_canceled_withdrawal_is_voided(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.set_up(5 * LITE)
    await scene.deposit(LITE)
    row = await scene.withdraw(LITE // 2)
    signed = await scene.die_before_the_journal(monkeypatch)
    await scene.do(f.CancelWithdrawal(user_id=UserId(1), withdrawal_id=row.withdrawal_id))
    await scene.blocks(FINALITY + 1)
    voids = [move for key, move in scene.node.funding.book.moves.items() if key.startswith("void")]
    assert [move.state.value for move in voids] == ["settled"]
    # Whoever kept the bytes can do nothing with them any more.
    sent = await scene.chain.send(bytes.fromhex(signed))
    assert sent.outcome is SendOutcome.SLOT_USED
    after = await scene.withdraw(LITE // 2)
    await scene.blocks(2 * FINALITY)
    assert after.state is WithdrawalState.SETTLED
    scene.check_reckoning()


async def test_a_reorganisation_pays_again_with_the_same_bytes(scene: Scene) -> None:
    await scene.set_up(5 * LITE)
    await scene.deposit(LITE)
    row = await scene.withdraw(LITE // 2)
    await scene.blocks(FINALITY - 1)
    first = row.attempts[0].tx_id
    assert (await scene.chain.receipt(first)) is not None
    scene.litecoin.reorganise(FINALITY - 1)
    assert (await scene.chain.receipt(first)) is None
    await scene.blocks(FINALITY + 1)
    assert (row.state, row.tx_id, len(row.attempts)) == (WithdrawalState.SETTLED, first, 1)
    assert await scene.arrived(row) == LITE // 2 - FEE
    scene.check_reckoning()


async def test_a_stuck_payment_is_raised_with_the_same_coins(scene: Scene) -> None:
    await scene.set_up(5 * LITE)
    await scene.deposit(LITE)
    row = await scene.withdraw(LITE // 2)
    treasury = scene.treasury(bump_after_blocks=2)
    for _ in range(3):
        await treasury.step()
        # Miners who take nothing.
        scene.litecoin.call("generateblock", scene.litecoin.miner, [])
    await treasury.step()
    first, *_, last = row.attempts
    assert len(row.attempts) >= 2
    assert (first.slots, first.max_cost < last.max_cost) == (last.slots, True)
    before, after = (scene.chain.decode(bytes.fromhex(each.signed)) for each in (first, last))
    assert (before.payee, before.units) == (after.payee, after.units)
    pool = scene.in_pool()
    assert last.tx_id in pool
    assert first.tx_id not in pool
    for _ in range(FINALITY + 1):
        scene.litecoin.mine()
        await treasury.step()
    assert (row.state, row.tx_id) == (WithdrawalState.SETTLED, last.tx_id)
    assert row.cost == last.max_cost


async def test_a_coin_spent_by_hand_gives_the_money_back(scene: Scene) -> None:
    await scene.set_up(5 * LITE)
    await scene.deposit(LITE)
    row = await scene.withdraw(LITE // 2)
    await scene.treasury().step()
    # Somebody uses the key elsewhere, and pays more for it.
    first = row.attempts[0]
    coin = next(c for c in await scene.chain.coins(scene.hot) if c.slot == first.slots[0])
    taken = gather(scene.hot, COLD, [coin], 20 * CHEAP, PREFIX).fields
    assert isinstance(taken, UtxoUnsigned)
    stolen = scene.keys.sign_coins(taken, None, PREFIX).raw
    assert (await scene.chain.send(stolen)).outcome is SendOutcome.ACCEPTED
    await scene.blocks(FINALITY + 1)
    assert row.state is WithdrawalState.RETURNED
    assert "not ours" in row.reason
    assert scene.node.funding.ledger.free(1, "LTC") == LITE
