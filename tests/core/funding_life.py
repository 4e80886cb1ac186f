"""A random life of the funding cell: all its commands in any order, wrong ones included."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.core.funding_purse import Purse

from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import (
    FundingState,
    digest_funding,
    dump_funding,
    load_funding,
)
from seawall.model import funding_commands as f
from seawall.model.commands import (
    Deliver,
    Lead,
    ListAsset,
    RequestTransfer,
    Settle,
)
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import (
    Attempt,
    Listing,
    Network,
    NetworkKind,
    Service,
    ServiceStatus,
    Vault,
    WithdrawalState,
)
from seawall.model.funding_events import TransferRequested, WithdrawalChanged
from seawall.model.ids import AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.model.messages import MoveFunds

FINALITY = 3
APPROVAL_ABOVE = 30 * 10**12
users = st.integers(1, 3)
atoms = st.integers(0, 60).map(lambda whole: whole * 10**12)
assets = st.sampled_from(["ETH", "USDT"])
people = st.sampled_from(["ann", "bob", "eve"])


class FundingLife(RuleBasedStateMachine):
    """Plays all commands in any order, wrong ones included, next to a small account of payments."""

    @initialize()
    def set_up(self) -> None:
        self.state = FundingState()
        self.twin = FundingState()
        self.purse = Purse("ETH")
        self.log: list[tuple[int, f.FundingCommand]] = []
        self.next_output = 0
        self.next_slot = 0
        self.paid: dict[int, str] = {}
        self.credited = 0
        self.leased_until_ns: int | None = None
        self.play(Lead(epoch=Epoch(1), node="solo"))
        for code in ("ETH", "USDT"):
            self.play(ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=18)))
        network = Network(
            code="ETH",
            name="Ethereum",
            kind=NetworkKind.EVM,
            chain_id=1,
            finality=FINALITY,
            native=AssetCode("ETH"),
            native_decimals=18,
            block_ms=12_000,
        )
        self.play(f.ListNetwork(network=network))
        for code, decimals in (("ETH", 18), ("USDT", 6)):
            listing = Listing(
                asset=AssetCode(code),
                network="ETH",
                chain_decimals=decimals,
                contract="" if code == "ETH" else "0xusdt",
                min_deposit=10**12,
                min_withdrawal=2 * 10**12,
                withdrawal_fee=10**12,
                approval_above=APPROVAL_ABOVE,
                limited_max=10 * 10**12,
                hot_floor=10**12,
            )
            self.play(f.OfferAsset(listing=listing))
            self.book_capital(code, 200 * 10**12)
            self.book_capital(code, 60 * 10**12, Vault.COLD)
        self.open_wallets()

    def open_wallets(self) -> None:
        """Give three users an address, and something on it."""
        for user_id in (1, 2, 3):
            self.play(
                f.OpenDepositAddress(
                    user_id=UserId(user_id),
                    network="ETH",
                    index=user_id - 1,
                    address=f"0x{user_id}",
                )
            )

        for user_id in (1, 2, 3):
            for code in ("ETH", "USDT"):
                self.deposit(user_id, code, 100 * 10**12)
                self.play(
                    f.ConfirmDeposit(
                        network="ETH",
                        tx_id=f"0xd{self.next_output}",
                        output=0,
                        block_id=f"b{self.next_output}",
                        confirmations=FINALITY,
                    )
                )

    def pick(self, data: st.DataObject, *states: WithdrawalState) -> int:
        """Draw a withdrawal, mostly one of these states, so that runs get to the end."""
        wanted = [
            w.withdrawal_id for w in self.state.book.withdrawals.values() if w.state in states
        ]
        if data.draw(st.integers(0, 4)) and wanted:
            return data.draw(st.sampled_from(wanted))
        return data.draw(st.integers(1, 12))

    def play(self, command: f.FundingCommand) -> list[Event]:
        at_ns = (len(self.log) + 1) * 1_000
        events = commit_funding(self.state, command, sequence=len(self.log) + 1, at_ns=at_ns)
        self.log.append((at_ns, command))
        first = events[0] if events else None
        if isinstance(command, f.PrepareWithdrawal) and isinstance(first, WithdrawalChanged):
            again = first.repeated or len(first.withdrawal.attempts) > 1
            until_ns = self.leased_until_ns
            assert again or until_ns is None or at_ns <= until_ns, "nothing begins without lease"
        elif isinstance(first, TransferRequested):
            assert first.repeated or not self.state.book.mailbox.paused
        self.purse.take(command, events)
        return events

    def book_capital(self, asset: str, amount: int, vault: Vault = Vault.HOT) -> None:
        self.play(
            f.BookCapital(
                network="ETH",
                asset=AssetCode(asset),
                vault=vault,
                atoms=amount,
                reference=f"capital-{asset}-{len(self.log)}",
                person="ann",
            )
        )

    @rule(user_id=users, asset=assets, amount=atoms)
    def deposit(self, user_id: int, asset: str, amount: int) -> None:
        self.next_output += 1
        self.play(
            f.SeeDeposit(
                network="ETH",
                tx_id=f"0xd{self.next_output}",
                output=0,
                address=f"0x{user_id}",
                asset=AssetCode(asset),
                atoms=amount,
                block=self.next_output,
                block_id=f"b{self.next_output}",
            )
        )

    @rule(data=st.data(), confirmations=st.integers(1, 5))
    def confirm(self, data: st.DataObject, confirmations: int) -> None:
        if self.state.book.deposits:
            deposit = data.draw(st.sampled_from(list(self.state.book.deposits.values())))
            self.play(
                f.ConfirmDeposit(
                    network="ETH",
                    tx_id=deposit.tx_id,
                    output=0,
                    block_id=deposit.block_id,
                    confirmations=confirmations,
                )
            )

    @rule(data=st.data(), back=st.booleans())
    def reorganise(self, data: st.DataObject, back: bool) -> None:
        if self.state.book.deposits:
            deposit = data.draw(st.sampled_from(list(self.state.book.deposits.values())))
            self.play(f.RevertDeposit(network="ETH", tx_id=deposit.tx_id, output=0, reason="reorg"))
            if back:
                self.play(
                    f.SeeDeposit(
                        network="ETH",
                        tx_id=deposit.tx_id,
                        output=0,
                        address=deposit.address,
                        asset=AssetCode(deposit.asset),
                        atoms=deposit.atoms,
                        block=deposit.block + 1,
                        block_id=f"{deposit.block_id}'",
                    )
                )

    @rule(
        user_id=users,
        asset=assets,
        amount=atoms,
        client_id=st.sampled_from(["", "", "", "a"]),
        address=st.sampled_from(["0xout", "0xout", "0xout", "0x1"]),
    )
    def withdraw(self, user_id: int, asset: str, amount: int, client_id: str, address: str) -> None:
        self.play(
            f.RequestWithdrawal(
                user_id=UserId(user_id),
                asset=AssetCode(asset),
                network="ETH",
                address=address,
                atoms=amount,
                client_withdrawal_id=client_id,
            )
        )

    @rule(
        user_id=users,
        asset=assets,
        amount=st.integers(25, 40).map(lambda whole: whole * 10**12),
        by=st.lists(people, min_size=1, max_size=3),
        confirmations=st.sampled_from([2, 3]),
        paid=st.booleans(),
    )
    def withdraw_to_the_end(
        self, user_id: int, asset: str, amount: int, by: list[str], confirmations: int, paid: bool
    ) -> None:
        """Go the whole way with one withdrawal, as far as the rules let it."""
        number = self.state.book.next_withdrawal_id
        self.withdraw(user_id, asset, amount, "", "0xout")
        if number == self.state.book.next_withdrawal_id:
            return
        for person in by:
            self.play(f.ApproveWithdrawal(withdrawal_id=number, person=person))
        for ahead in list(self.state.book.listings[f"{asset}/ETH"].queue):
            self.sign(ahead, None)
        self.finish(number, confirmations, paid=paid)

    @rule(data=st.data(), person=people, refuse=st.booleans())
    def judge(self, data: st.DataObject, person: str, refuse: bool) -> None:
        number = self.pick(data, WithdrawalState.AWAITING_APPROVAL)
        if refuse:
            self.play(f.RejectWithdrawal(withdrawal_id=number, person=person, reason="no"))
        else:
            self.play(f.ApproveWithdrawal(withdrawal_id=number, person=person))

    @rule(user_id=users, number=st.integers(1, 12))
    def cancel(self, user_id: int, number: int) -> None:
        self.play(f.CancelWithdrawal(user_id=UserId(user_id), withdrawal_id=number))

    @rule(data=st.data(), reuse=st.booleans())
    def prepare(self, data: st.DataObject, reuse: bool) -> None:
        number = self.pick(data, WithdrawalState.QUEUED, WithdrawalState.PREPARED)
        withdrawal = self.state.book.withdrawals.get(number)
        again = reuse and withdrawal is not None and withdrawal.attempts
        self.sign(number, withdrawal.attempts[0].slots if withdrawal and again else None)

    def sign(self, number: int, slots: tuple[str, ...] | None) -> None:
        """Prepare it, at slots of its own or at ones that another payment may have."""
        if slots is None:
            self.next_slot += 1
            slots = (f"0/{self.next_slot * 3 // 4}",)
        self.play(
            f.PrepareWithdrawal(
                withdrawal_id=number,
                attempt=Attempt(
                    tx_id=f"0xw{number}.{len(self.log)}", slots=slots, signed="00", max_cost=10**9
                ),
            )
        )

    @rule(data=st.data(), confirmations=st.sampled_from([2, 3, 3, 4]), paid=st.booleans())
    def end(self, data: st.DataObject, confirmations: int, paid: bool) -> None:
        number = self.pick(
            data, WithdrawalState.PREPARED, WithdrawalState.SETTLED, WithdrawalState.RETURNED
        )
        self.finish(number, confirmations, paid=paid)

    def finish(self, number: int, confirmations: int, *, paid: bool) -> None:
        withdrawal = self.state.book.withdrawals.get(number)
        tx_id = withdrawal.attempts[-1].tx_id if withdrawal and withdrawal.attempts else "0x?"
        before = withdrawal.state if withdrawal else None
        if paid:
            self.play(
                f.SettleWithdrawal(
                    withdrawal_id=number, tx_id=tx_id, confirmations=confirmations, cost=10**8
                )
            )
        else:
            self.play(
                f.ReturnWithdrawal(
                    withdrawal_id=number,
                    tx_id=tx_id,
                    confirmations=confirmations,
                    cost=10**8,
                    reason="reverted on chain",
                )
            )
        if withdrawal is not None and withdrawal.state is not before:
            assert confirmations >= FINALITY, "nothing ends before finality"
            assert number not in self.paid
            self.paid[number] = withdrawal.state.value

    @rule(
        asset=assets,
        status=st.sampled_from([ServiceStatus.OPEN, ServiceStatus.OPEN, *ServiceStatus]),
    )
    def set_service(self, asset: str, status: ServiceStatus) -> None:
        self.play(
            f.SetService(
                asset=AssetCode(asset),
                network="ETH",
                service=Service.WITHDRAWAL,
                status=status,
                reason="drill",
            )
        )

    @rule(user_id=users, asset=assets, amount=atoms, client_id=st.sampled_from(["", "t"]))
    def transfer(self, user_id: int, asset: str, amount: int, client_id: str) -> None:
        self.play(
            RequestTransfer(
                user_id=UserId(user_id),
                target="spot",
                asset=AssetCode(asset),
                atoms=amount,
                client_transfer_id=client_id,
            )
        )

    @rule(number=st.integers(1, 6), refused=st.booleans())
    def settle(self, number: int, refused: bool) -> None:
        self.play(Settle(target="spot", number=number, refusal="unknown" if refused else ""))

    @rule(number=st.integers(1, 6), user_id=users, asset=assets, amount=st.integers(1, 50))
    def deliver(self, number: int, user_id: int, asset: str, amount: int) -> None:
        message = MoveFunds(
            transfer_id=number, user_id=UserId(user_id), asset=AssetCode(asset), atoms=amount
        )
        self.play(Deliver(source="spot", number=number, message=message))

    @rule(
        asset=assets,
        amount=atoms,
        way=st.sampled_from([(Vault.HOT, Vault.COLD), (Vault.COLD, Vault.HOT)]),
        key=st.sampled_from(["m1", "m2", "m3"]),
        reuse=st.booleans(),
    )
    def move(
        self, asset: str, amount: int, way: tuple[Vault, Vault], key: str, reuse: bool
    ) -> None:
        known = self.state.book.moves.get(key)
        self.next_slot += 1
        slots = (f"0/{self.next_slot}",)
        again = known is not None and reuse
        self.play(
            f.PrepareVaultMove(
                move_key=key,
                network="ETH",
                asset=AssetCode(known.asset if known and again else asset),
                source=known.source if known and again else way[0],
                target=known.target if known and again else way[1],
                atoms=known.atoms if known and again else amount,
                attempt=Attempt(
                    tx_id=f"0xm{len(self.log)}",
                    slots=known.attempts[0].slots if known and again else slots,
                    signed="00",
                    max_cost=10**9,
                ),
            )
        )

    @rule(
        key=st.sampled_from(["m1", "m2", "m3"]),
        confirmations=st.sampled_from([2, 3]),
        failed=st.booleans(),
    )
    def end_move(self, key: str, confirmations: int, failed: bool) -> None:
        move = self.state.book.moves.get(key)
        self.play(
            f.SettleVaultMove(
                move_key=key,
                tx_id=move.attempts[0].tx_id if move else "0x?",
                confirmations=confirmations,
                cost=10**8,
                failed=failed,
            )
        )

    @rule(
        asset=assets,
        amount=atoms,
        tx_id=st.sampled_from(["0xh1", "0xh2"]),
        confirmations=st.sampled_from([2, 3]),
        cost=st.sampled_from([0, 10**8]),
    )
    def top_up(self, asset: str, amount: int, tx_id: str, confirmations: int, cost: int) -> None:
        self.play(
            f.RecordTopUp(
                network="ETH",
                asset=AssetCode(asset),
                atoms=amount,
                tx_id=tx_id,
                confirmations=confirmations,
                cost=cost,
                person="ann",
            )
        )

    @rule(asset=assets, difference=st.sampled_from([0, 0, 0, 0, 1]))
    def reconcile(self, asset: str, difference: int) -> None:
        held = sum(self.state.held_in("ETH", vault, asset) for vault in Vault)
        events = self.play(
            f.ReportReconciliation(
                network="ETH",
                asset=AssetCode(asset),
                block=len(self.log),
                deposit_atoms=0,
                hot_atoms=held + difference,
                cold_atoms=0,
            )
        )
        assert not isinstance(events[0], CommandRejected)
        if difference:
            listing = self.state.listing(asset, "ETH")
            assert listing is not None
            assert listing.withdrawal.status is ServiceStatus.PAUSED

    @invariant()
    def all_holds(self) -> None:
        check_funding(self.state)

    @invariant()
    def a_second_account_agrees(self) -> None:
        self.purse.check(self.state, "ETH")

    @invariant()
    def large_ones_had_two_people(self) -> None:
        for row in self.state.book.withdrawals.values():
            passed = row.attempts or row.state is WithdrawalState.QUEUED
            if passed and row.atoms > APPROVAL_ABOVE:
                assert len(set(row.approvals)) >= 2

    @invariant()
    def signed_slots_are_shared_by_no_two(self) -> None:
        takers: dict[str, int] = {}
        for row in self.state.book.withdrawals.values():
            for attempt in row.attempts:
                for slot in attempt.slots:
                    assert takers.setdefault(slot, row.withdrawal_id) == row.withdrawal_id

    @invariant()
    def the_dead_stay_dead(self) -> None:
        for number, ended in self.paid.items():
            assert self.state.book.withdrawals[number].state == WithdrawalState(ended)

    def teardown(self) -> None:
        for index, (at_ns, command) in enumerate(self.log, 1):
            if index == len(self.log) // 2:
                self.twin = load_funding(dump_funding(self.twin))
            commit_funding(self.twin, command, sequence=index, at_ns=at_ns)
        assert digest_funding(self.twin) == digest_funding(self.state)
        check_funding(load_funding(dump_funding(self.twin)))
