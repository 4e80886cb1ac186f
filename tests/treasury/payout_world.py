"""A world of payouts: the real core, pipelines and signer's judgement over a chain that misbehaves.

One seed, one history.  A crash may strike around anything that leaves the process; what is in the
journal, in the signer's record and on the chain stays.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256

from eth_utils.address import to_checksum_address
from tests.treasury.lying_chain import (
    GAS,
    Manner,
    SimulatedChain,
    SimulatedEndpoint,
    SimulatedNetwork,
    Transaction,
)

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
from seawall.model.funding_rows import ListingState, VaultMove, Withdrawal
from seawall.model.ids import AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.model.messages import MoveFunds
from seawall.treasury.chain import (
    EvmUnsigned,
    PaymentOrder,
    RefusedError,
    SendResult,
    Unsigned,
    parse_lane_slot,
)
from seawall.treasury.payout_driver import PayoutDriver
from seawall.treasury.payouts import Payouts, PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.signer.content import read_evm
from seawall.treasury.signer.keystore import SignedBytes
from seawall.treasury.signer.messages import Answer, Request, SignMany
from seawall.treasury.signer.policy import Signature
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings
from seawall.treasury.sweeps import Bounds, SweepSettings
from seawall.treasury.treasury_driver import TreasuryDriver

FINALITY = 4
CAPITAL = {"ETH": 10**12, "USDT": 10**9}


def address(name: str) -> str:
    return str(to_checksum_address(sha256(name.encode()).digest()[:20]))


LANES = (address("hot 1"), address("hot 2"))
COLD = address("cold")
TOKEN = address("token")
USERS = 3
CONTRACTS = {"ETH": "", "USDT": TOKEN}


class CrashError(Exception):
    """The process is gone."""


class EvmNetwork(SimulatedNetwork):
    """Orders become the fields of an Ethereum transaction, which the signer can read."""

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        lane, nonce = parse_lane_slot(order.slots[0])
        data = "0x"
        if order.contract:
            data = f"0xa9059cbb{order.payee[2:].lower():0>64}{order.units:064x}"
        fields = EvmUnsigned(
            chain_id=1,
            source=lane,
            nonce=nonce,
            to=order.contract or order.payee,
            value=0 if order.contract else order.units,
            data=data,
            gas=GAS,
            tip_per_gas=order.quote.tip,
            most_per_gas=order.quote.most,
        )
        return Unsigned(slots=order.slots, max_cost=GAS * order.quote.most, fields=fields)


class SimulatedKeys:
    """Signs as the simulated chain wants it."""

    def wallets(self) -> frozenset[str]:
        return frozenset(LANES)

    def deposit_address(self, index: int) -> str:
        return address(f"deposit {index}")

    def deposit_key(self) -> str:
        return ""

    def sign(self, fields: EvmUnsigned, index: int | None) -> SignedBytes:
        content = read_evm(fields)
        assert content is not None
        made = Transaction(
            source=fields.source,
            nonce=fields.nonce,
            payee=content.payee,
            contract=content.contract,
            units=content.units,
            most_per_gas=fields.most_per_gas,
        )
        return SignedBytes(tx_id=made.tx_id, raw=made.signed)


class MemoryRecord:
    """Outlives every crash, as the disk does."""

    def __init__(self) -> None:
        self.rows: list[Signature] = []

    def read(self) -> list[Signature]:
        return list(self.rows)

    def append(self, signatures: Sequence[Signature]) -> None:
        self.rows += signatures


LIMITS = SignerSettings(
    networks={
        "SIM": NetworkLimits(
            chain_id=1,
            most_per_gas=10_000,
            own=(*LANES, COLD),
            assets=tuple(
                AssetLimits(contract=contract, payment_units=10**15, window_units=10**18)
                for contract in CONTRACTS.values()
            ),
        )
    }
)


class World:
    """Everything, and the faults."""

    def __init__(self, seed: int, *, crash_in: int) -> None:
        self.prng = Prng(seed)
        self.crash_in = crash_in
        self.chain = SimulatedChain()
        self.endpoints = [SimulatedEndpoint(name, self.chain) for name in "abc"]
        self.record = MemoryRecord()
        self.log: list[tuple[int, f.FundingCommand]] = []
        self.state = FundingState()
        self.crashes = 0
        self.most_unjournaled = 0
        self.foreign: list[Transaction] = []
        self.reckons = False
        self.hands = True
        self.differences = 0
        self.unpayable: set[str] = set()
        for lane in LANES:
            for asset, units in CAPITAL.items():
                self.chain.fund(lane, units, CONTRACTS[asset])
        self.chain.mine(FINALITY)
        self.set_up()
        self.start()

    # The exchange

    def start(self) -> None:
        """Come up from what is durable."""
        self.state = FundingState()
        for sequence, (at_ns, command) in enumerate(self.log, 1):
            commit_funding(self.state, command, sequence=sequence, at_ns=at_ns)
        self.service = SignerService(LIMITS, SimulatedKeys(), self.record, self.chain.clock.now_ns)
        network = self.network = EvmNetwork(self.chain, self.endpoints)
        settings = PayoutSettings(lanes=LANES, lane_in_flight=4, own=(COLD,))
        payouts = Payouts("SIM", settings, network.decode)
        shown = Crashing(network, self)
        driver = PayoutDriver(payouts, shown, self, lambda: self.state, self.submit)
        self.driver = TreasuryDriver(
            payouts=payouts,
            driver=driver,
            chain=shown,
            sweeps=SweepSettings(
                hot=LANES[0],
                cold=COLD,
                bounds=(
                    Bounds(
                        asset=AssetCode("USDT"),
                        sweep_from=50,
                        hot_most=len(LANES) * CAPITAL["USDT"] + 2_000,
                        hot_target=len(LANES) * CAPITAL["USDT"],
                    ),
                    Bounds(asset=AssetCode("ETH"), sweep_from=3_000_000),
                ),
            ),
            wallets=Wallets(hot=LANES, cold=(COLD,)),
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
            left = {row.plan.slot for row in self.record.rows}
            left.difference_update(self.state.book.networks["SIM"].slots)
            self.most_unjournaled = max(self.most_unjournaled, len(left))
            before = digest_funding(self.state)
            self.start()
            assert digest_funding(self.state) == before

    async def ask(self, request: Request) -> Answer:
        self.risk()
        answer = self.service.answer(request)
        for _ in request.requests if isinstance(request, SignMany) else (request,):
            self.risk()  # as often as there are signatures that are not journaled yet
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
        for code in CAPITAL:
            self.play(ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=18)))
        network = Network(
            code="SIM",
            name="Simulated",
            kind=NetworkKind.EVM,
            chain_id=1,
            finality=FINALITY,
            native=AssetCode("ETH"),
            native_decimals=18,
            block_ms=1_000,
        )
        self.play(f.ListNetwork(network=network))
        for code, units in CAPITAL.items():
            listing = Listing(
                asset=AssetCode(code),
                network="SIM",
                chain_decimals=18,
                contract=CONTRACTS[code],
                min_deposit=1,
                min_withdrawal=2,
                withdrawal_fee=1,
                approval_above=10**9,
                limited_max=100,
            )
            self.play(f.OfferAsset(listing=listing))
            self.capital(code, units * len(LANES), f"start {code}")
        for index in range(USERS):
            self.play(
                f.OpenDepositAddress(
                    user_id=UserId(index + 1),
                    network="SIM",
                    index=index,
                    address=address(f"deposit {index}"),
                )
            )
        for code in CAPITAL:
            self.play(
                Deliver(
                    source="spot",
                    number=1 + list(CAPITAL).index(code),
                    message=message_of(code, 10**8),
                )
            )

    def capital(self, code: str, atoms: int, reference: str) -> None:
        self.play(
            f.BookCapital(
                network="SIM",
                asset=AssetCode(code),
                vault=Vault.HOT,
                atoms=atoms,
                reference=reference,
                person="ann",
            )
        )

    def deposit(self) -> None:
        """Credit a user with what came to the deposit address and is final."""
        code = self.prng.choice(("ETH", "USDT"))
        units = self.prng.between(40, 9_000_000 if code == "ETH" else 3_000)
        index = self.prng.below(USERS)
        paid = self.chain.fund(address(f"deposit {index}"), units, CONTRACTS[code])
        self.chain.mine(FINALITY)
        for confirmations in (0, FINALITY):
            self.play(self._told(code, paid.tx_id, index, units, confirmations))

    @staticmethod
    def _told(
        code: str, tx_id: str, index: int, units: int, confirmations: int
    ) -> f.SeeDeposit | f.ConfirmDeposit:
        if confirmations:
            return f.ConfirmDeposit(
                network="SIM", tx_id=tx_id, output=0, block_id="b", confirmations=confirmations
            )
        return f.SeeDeposit(
            network="SIM",
            tx_id=tx_id,
            output=0,
            address=address(f"deposit {index}"),
            asset=AssetCode(code),
            atoms=units,
            block=1,
            block_id="b",
        )

    # What people and the world do

    def withdraw(self, to: str = "") -> Withdrawal:
        number = self.state.book.next_withdrawal_id
        self.play(
            f.RequestWithdrawal(
                user_id=UserId(1),
                asset=AssetCode(self.prng.choice(("ETH", "USDT"))),
                network="SIM",
                address=to or address(f"payee {number}"),
                atoms=self.prng.between(2, 5_000),
            )
        )
        return self.state.book.withdrawals[number]

    def cancel(self) -> None:
        number = self.prng.between(1, self.state.book.next_withdrawal_id)
        self.play(f.CancelWithdrawal(user_id=UserId(1), withdrawal_id=number))

    def turn_service(self, status: ServiceStatus) -> None:
        self.play(
            f.SetService(
                asset=AssetCode(self.prng.choice(("ETH", "USDT"))),
                network="SIM",
                service=Service.WITHDRAWAL,
                status=status,
                reason=f"drill {len(self.log)}",
                person="ann",
            )
        )

    def spend_by_hand(self) -> None:
        """Somebody uses the hot key elsewhere, at the nonce that the pipeline is about to use."""
        lane = self.prng.choice(LANES)
        sent = Transaction(
            source=lane,
            nonce=self.chain.tip.nonces.get(lane, 0),
            payee=address("somebody"),
            units=7,
            most_per_gas=self.prng.choice((10, 12, 30)),
            salt=len(self.foreign) + 1,
        )
        self.chain.submit(sent)
        self.foreign.append(sent)

    def disturb(self) -> None:
        match self.prng.below(17):
            case 16:
                self.deposit()
            case 0 | 1 | 2 | 3:
                if all(each.withdrawal.status.value == "open" for each in self.services()):
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
                blocks, least = self.prng.between(1, 6), self.prng.choice((0, 11, 13))
                self.chain.mine(blocks, least_per_gas=least)
            case 9:
                for endpoint in self.endpoints:
                    endpoint.manner = Manner.HONEST
                liar = self.prng.choice(self.endpoints)
                liar.manner = self.prng.choice(list(Manner))
            case _:
                self.chain.mine()

    async def quieten(self) -> None:
        """End all faults, and let everything come to its end."""
        self.crash_in = 0
        for endpoint in self.endpoints:
            endpoint.manner = Manner.HONEST
        for code in CAPITAL:
            self.play(
                f.SetService(
                    asset=AssetCode(code),
                    network="SIM",
                    service=Service.WITHDRAWAL,
                    status=ServiceStatus.OPEN,
                    reason=f"all is well {len(self.log)}",
                    person="ann",
                )
            )
        for _ in range(200):
            await self.step()
            self.chain.mine()
            moves = self.state.book.moves.values()
            if all(row.state.ended for row in self.state.book.withdrawals.values()) and all(
                move.state.value in {"settled", "failed"} for move in moves
            ):
                return
        raise AssertionError("something never ends")

    def services(self) -> list[ListingState]:
        return list(self.state.book.listings.values())

    # The auditor

    def audit(self) -> dict[str, int]:
        """Compare chain and ledger; return how withdrawals ended."""
        ends: dict[str, int] = {}
        for row in self.state.book.withdrawals.values():
            self._audit_one(row)
            ends[row.state.value] = ends.get(row.state.value, 0) + 1
        mined = [sent for sent in self.foreign if self.chain.find(sent.tx_id)]
        booked = {row.tx_id for row in self.state.book.withdrawals.values()}
        booked |= {move.tx_id for move in self.state.book.moves.values()}
        unbooked = sum(GAS * 10 for sent in mined if sent.tx_id not in booked)
        self.capital("ETH", -7 * len(mined) - unbooked, "spent by hand")
        for code, contract in CONTRACTS.items():
            deposits = [address(f"deposit {index}") for index in range(USERS)]
            for vault, of in ((Vault.HOT, LANES), (Vault.COLD, [COLD]), (Vault.DEPOSIT, deposits)):
                held = sum(self.chain.tip.balances.get((each, contract), 0) for each in of)
                assert held == self.state.held_in("SIM", vault, code), (vault, code)
        return ends

    def _audit_one(self, row: Withdrawal) -> None:
        payments = self.chain.payments_to([row.address])
        contract = CONTRACTS[row.asset]
        if row.state is WithdrawalState.SETTLED:
            paid = [(each.contract, each.units, each.tx_id) for _, each in payments]
            assert paid == [(contract, row.atoms - row.fee, row.tx_id)], row
        else:
            assert not payments, row


class Crashing(EvmNetwork):
    """The network as the driver sees it: the process may die around a send."""

    def __init__(self, inner: EvmNetwork, world: World) -> None:
        super().__init__(inner.chain, world.endpoints)
        self._world = world

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        if order.payee in self._world.unpayable:
            raise RefusedError("execution reverted")
        return await super().build(order, taken)

    async def send(self, signed: bytes) -> SendResult:
        book = self._world.state.book
        rows: list[Withdrawal | VaultMove] = [*book.withdrawals.values(), *book.moves.values()]
        journaled = {attempt.signed for row in rows for attempt in row.attempts}
        assert signed.hex() in journaled, "what is sent is journaled"
        self._world.risk()
        result = await super().send(signed)
        self._world.risk()
        return result


def message_of(code: str, atoms: int) -> MoveFunds:
    return MoveFunds(transfer_id=1, user_id=UserId(1), asset=AssetCode(code), atoms=atoms)
