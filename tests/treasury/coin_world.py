"""An exchange that pays out in coins over a lying chain.  The rule: one seed, one life.

Real core, real signer with real keys, real bytes; people, faults and an auditor.  What outlives a
crash is the journal and the signer's record.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from embit.ec import PrivateKey
from tests.treasury.lying_chain import Manner
from tests.treasury.lying_coins import PREFIX, PRICE, CoinEndpoint, CoinNetwork, CoinSimulation
from tests.treasury.payout_world import CrashError, MemoryRecord, message_of

from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import FundingState, digest_funding
from seawall.lib.prng import Prng
from seawall.model import funding_commands as f
from seawall.model.commands import Deliver, Lead, ListAsset
from seawall.model.events import Event
from seawall.model.funding import (
    Listing,
    Network,
    NetworkKind,
    Service,
    ServiceStatus,
    Vault,
    WithdrawalState,
)
from seawall.model.funding_events import Reconciled
from seawall.model.funding_rows import VaultMove, Withdrawal
from seawall.model.ids import AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.treasury.addresses import segwit_address
from seawall.treasury.chain import SendResult, UtxoUnsigned
from seawall.treasury.payouts import PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.signer.keystore import FileKeyStore, create_keystore
from seawall.treasury.signer.messages import Answer, Request
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings
from seawall.treasury.sweeps import Bounds, SweepSettings
from seawall.treasury.utxo_bytes import gather
from seawall.treasury.utxo_driver import UtxoPayoutDriver, UtxoTreasuryDriver
from seawall.treasury.utxo_payouts import UtxoPayouts

FINALITY = 4
LTC = AssetCode("LTC")
CAPITAL = (40_000_000, 30_000_000, 20_000_000, 5_000_000, 5_000_000)
USERS = 3
SECRETS = tuple(sha256(name).digest() for name in (b"hot 1", b"hot 2"))


def address(name: str) -> str:
    return address_of(sha256(name.encode()).digest())


@cache
def address_of(secret: bytes) -> str:
    return segwit_address(PrivateKey(secret).get_public_key(), PREFIX)


LANES = tuple(address_of(secret) for secret in SECRETS)
COLD = address("cold")


@cache
def keys() -> FileKeyStore:
    with TemporaryDirectory() as folder:
        return create_keystore(
            Path(folder) / "keys",
            "open",
            wallets=tuple(secret.hex() for secret in SECRETS),
            deposit_seed="77" * 32,
            n=1 << 10,
        )


LIMITS = SignerSettings(
    networks={
        "SIM": NetworkLimits(
            prefix=PREFIX,
            own=(*LANES, COLD),
            assets=(AssetLimits(payment_units=10**15, window_units=10**18),),
        )
    }
)


class CoinWorld:
    """Everything, and the faults."""

    def __init__(self, seed: int, *, crash_in: int) -> None:
        self.prng = Prng(seed)
        self.crash_in = crash_in
        self.chain = CoinSimulation()
        self.endpoints = [CoinEndpoint(name, self.chain) for name in "abc"]
        self.record = MemoryRecord()
        self.log: list[tuple[int, f.FundingCommand]] = []
        self.state = FundingState()
        self.deposits = [keys().coin_deposit_address(index, PREFIX) for index in range(USERS)]
        self.crashes = 0
        self.foreign: list[str] = []
        self.reckons = self.hands = False
        self.differences = 0
        self.cancels = 0
        for number, units in enumerate(CAPITAL):
            self.chain.give(LANES[number % 2], units)
        self.chain.mine(FINALITY)
        self.set_up()
        self.start()

    # The exchange

    def start(self) -> None:
        """Come up from what is durable."""
        self.state = FundingState()
        for sequence, (at_ns, command) in enumerate(self.log, 1):
            commit_funding(self.state, command, sequence=sequence, at_ns=at_ns)
        now_ns = self.chain.clock.now_ns
        self.service = SignerService(LIMITS, keys(), self.record, now_ns, coin_keys=keys())
        self.network = Crashing(self)
        settings = PayoutSettings(lanes=LANES, own=(COLD,), bump_after_blocks=2)
        payouts = UtxoPayouts("SIM", settings, self.network.decode, PREFIX)
        wallets = Wallets(hot=LANES, cold=(COLD,))
        bound = Bounds(asset=LTC, sweep_from=100_000, hot_most=120_000_000, hot_target=100_000_000)
        self.driver = UtxoTreasuryDriver(
            payouts=payouts,
            driver=UtxoPayoutDriver(
                payouts, self.network, self, lambda: self.state, self.submit, wallets
            ),
            chain=self.network,
            sweeps=SweepSettings(hot=LANES[0], cold=COLD, bounds=(bound,)),
            wallets=wallets,
            state=lambda: self.state,
            submit=self.submit,
        )

    def risk(self) -> None:
        """Maybe die here."""
        if self.crash_in and self.prng.chance(1, self.crash_in):
            raise CrashError

    async def step(self) -> None:
        try:
            await self.driver.step(self.chain.head if self.reckons else None)
        except CrashError:
            self.crashes += 1
            before = digest_funding(self.state)
            self.start()
            assert digest_funding(self.state) == before
            self.cancel_now()

    async def ask(self, request: Request) -> Answer:
        self.risk()
        answer = self.service.answer(request)
        self.risk()
        return answer

    async def submit(self, command: f.FundingCommand) -> Sequence[Event]:
        self.risk()
        events = self.play(command)
        self.risk()
        return events

    def play(self, command: f.FundingCommand) -> list[Event]:
        self.log.append((len(self.log) + 1, command))
        events = commit_funding(self.state, command, sequence=len(self.log), at_ns=len(self.log))
        check_funding(self.state)
        self.differences += sum(
            event.chain_atoms != event.ledger_atoms
            for event in events
            if isinstance(event, Reconciled)
        )
        return events

    def set_up(self) -> None:
        self.play(Lead(epoch=Epoch(1), node="sim"))
        self.play(ListAsset(asset=Asset(code=LTC, name="Litecoin", decimals=8)))
        network = Network(
            code="SIM",
            name="Simulated",
            kind=NetworkKind.UTXO,
            chain_id=0,
            finality=FINALITY,
            native=LTC,
            native_decimals=8,
            block_ms=1_000,
        )
        self.play(f.ListNetwork(network=network))
        listing = Listing(
            asset=LTC,
            network="SIM",
            chain_decimals=8,
            min_deposit=1,
            min_withdrawal=2,
            withdrawal_fee=1,
            approval_above=10**12,
            limited_max=1_000_000,
        )
        self.play(f.OfferAsset(listing=listing))
        self.capital(sum(CAPITAL), "start")
        for index, deposit in enumerate(self.deposits):
            self.play(
                f.OpenDepositAddress(
                    user_id=UserId(index + 1), network="SIM", index=index, address=deposit
                )
            )
        self.play(Deliver(source="spot", number=1, message=message_of("LTC", 10**9)))

    def capital(self, atoms: int, reference: str) -> None:
        self.play(
            f.BookCapital(
                network="SIM",
                asset=LTC,
                vault=Vault.HOT,
                atoms=atoms,
                reference=reference,
                person="ann",
            )
        )

    # What people and the world do

    def deposit(self) -> None:
        """Credit a user with what came to the deposit address and is final."""
        units = self.prng.between(50_000, 9_000_000)
        index = self.prng.below(USERS)
        paid = self.chain.give(self.deposits[index], units)
        self.chain.mine(FINALITY)
        self.play(
            f.SeeDeposit(
                network="SIM",
                tx_id=paid.tx_id,
                output=0,
                address=self.deposits[index],
                asset=LTC,
                atoms=units,
                block=1,
                block_id="b",
            )
        )
        self.play(
            f.ConfirmDeposit(
                network="SIM", tx_id=paid.tx_id, output=0, block_id="b", confirmations=FINALITY
            )
        )

    def withdraw(self, to: str = "", atoms: int = 0) -> Withdrawal:
        number = self.state.book.next_withdrawal_id
        self.play(
            f.RequestWithdrawal(
                user_id=UserId(1),
                asset=LTC,
                network="SIM",
                address=to or address(f"payee {number}"),
                atoms=atoms or self.prng.between(10_000, 6_000_000),
            )
        )
        return self.state.book.withdrawals[number]

    def cancel(self) -> None:
        number = self.prng.between(1, self.state.book.next_withdrawal_id)
        self.play(f.CancelWithdrawal(user_id=UserId(1), withdrawal_id=number))

    def cancel_now(self) -> None:
        number, self.cancels = self.cancels, 0
        if number:
            self.play(f.CancelWithdrawal(user_id=UserId(1), withdrawal_id=number))

    def turn_service(self, status: ServiceStatus) -> None:
        self.play(
            f.SetService(
                asset=LTC,
                network="SIM",
                service=Service.WITHDRAWAL,
                status=status,
                reason=f"drill {len(self.log)}",
                person="ann",
            )
        )

    def spend_by_hand(self) -> None:
        """Somebody uses a hot key elsewhere, and takes a coin that may be on its way."""
        coins = [each for each in self.chain.unspent.values() if each.address in LANES]
        if not coins:
            return
        coin = min(coins, key=lambda each: each.units)
        taken = gather(coin.address, address("somebody"), [coin], 9 * PRICE, PREFIX).fields
        assert isinstance(taken, UtxoUnsigned)
        signed = keys().sign_coins(taken, None, PREFIX)
        self.chain.offer(signed.raw)
        if signed.tx_id not in self.foreign:
            self.foreign.append(signed.tx_id)

    @property
    def open(self) -> bool:
        return self.state.book.listings["LTC/SIM"].withdrawal.status is ServiceStatus.OPEN

    def disturb(self) -> None:
        match self.prng.below(22):
            case 16 | 15:
                self.deposit()
            case 17 | 18 if self.open:
                # Its owner thinks better of it while it is on its way to be signed.
                self.cancels = self.withdraw().withdrawal_id
            case 19 | 20 if self.hands:
                self.spend_by_hand()
            case 0 | 1 | 2 | 3:
                if self.open:
                    self.withdraw()
            case 4:
                self.cancel()
            case 5:
                self.turn_service(self.prng.choice(list(ServiceStatus)))
            case 6 if self.hands:
                self.spend_by_hand()
            case 7:
                gone = [sent.tx_id for sent in self.chain.tip.content if self.prng.chance(1, 2)]
                self.chain.reorganise(self.prng.between(1, FINALITY - 1), drop=gone)
            case 8:
                self.chain.mine(
                    self.prng.between(2, 6),
                    least_per_gas=self.prng.choice((PRICE + 1_000, PRICE * 3 // 2)),
                )
            case 9:
                for endpoint in self.endpoints:
                    endpoint.manner = Manner.HONEST
                self.prng.choice(self.endpoints).manner = self.prng.choice(list(Manner))
            case _:
                self.chain.mine()

    async def quieten(self) -> None:
        """End all faults, and let everything come to its end."""
        self.crash_in = 0
        for endpoint in self.endpoints:
            endpoint.manner = Manner.HONEST
        self.turn_service(ServiceStatus.OPEN)
        if self.foreign:
            # Cold storage sends for what the thief took.
            self.chain.give(LANES[0], CAPITAL[0])
            self.capital(CAPITAL[0], "after the theft")
        for _ in range(200):
            await self.step()
            self.chain.mine()
            moves = self.state.book.moves.values()
            if all(row.state.ended for row in self.state.book.withdrawals.values()) and all(
                move.state.value in {"settled", "failed"} for move in moves
            ):
                return
        raise AssertionError("something never ends")

    # The auditor

    def audit(self) -> dict[str, int]:
        """Compare chain and ledger; return how withdrawals ended."""
        ends: dict[str, int] = {}
        for row in self.state.book.withdrawals.values():
            paid = self.chain.paid(row.address)
            settled = row.state is WithdrawalState.SETTLED
            assert paid == ([(row.tx_id, row.atoms - row.fee)] if settled else []), row
            ends[row.state.value] = ends.get(row.state.value, 0) + 1
        self.book_theft()
        for vault, of in ((Vault.HOT, LANES), (Vault.COLD, [COLD]), (Vault.DEPOSIT, self.deposits)):
            held = sum(each.units for each in self.chain.unspent.values() if each.address in of)
            assert held == self.state.held_in("SIM", vault, "LTC"), vault
        return ends

    def book_theft(self) -> None:
        """Book what was taken by hand; its fee is booked already where it hit a payment."""
        rows: list[Withdrawal | VaultMove] = [*self.state.book.withdrawals.values()]
        rows += self.state.book.moves.values()
        booked = {row.tx_id for row in rows}
        for number, tx_id in enumerate(self.foreign):
            found = self.chain.find(tx_id)
            if found is not None:
                fee = 0 if tx_id in booked else getattr(found[1], "fee", 0)
                self.capital(-found[1].units - fee, f"by hand {number}")


class Crashing(CoinNetwork):
    """The network as the driver sees it: the process may die around a send."""

    def __init__(self, world: CoinWorld) -> None:
        super().__init__(world.chain, world.endpoints)
        self._world = world

    async def send(self, signed: bytes) -> SendResult:
        book = self._world.state.book
        rows: list[Withdrawal | VaultMove] = [*book.withdrawals.values(), *book.moves.values()]
        journaled = {attempt.signed for row in rows for attempt in row.attempts}
        assert signed.hex() in journaled, "what is sent is journaled"
        self._world.risk()
        result = await super().send(signed)
        self._world.risk()
        return result

    async def send_all(self, signed: Sequence[bytes]) -> list[SendResult]:
        return [await self.send(each) for each in signed]
