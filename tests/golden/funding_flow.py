"""A seeded life of the funding cell for golden journals.  The rule: every command, in every mood.

Most commands fit the state, so that money goes all the way in and out; some are repeated, late,
absurd or another's, so that refusals are golden as well.
"""

from collections.abc import Callable, Iterable

from seawall.core.deposits import address_index
from seawall.core.funding_state import FundingState
from seawall.lib.prng import Prng
from seawall.model import funding_commands as f
from seawall.model.commands import (
    Checkpoint,
    Deliver,
    Lead,
    ListAsset,
    RequestTransfer,
    Settle,
    Tick,
)
from seawall.model.funding import (
    Attempt,
    DepositState,
    Listing,
    Network,
    NetworkKind,
    Service,
    ServiceStatus,
    Vault,
    VaultMoveState,
    WithdrawalState,
)
from seawall.model.funding_rows import Deposit, VaultMove, Withdrawal
from seawall.model.ids import SPOT, AssetCode, Epoch, Sequence, UserId
from seawall.model.instruments import Asset
from seawall.model.messages import MoveFunds

UNIT = 10**12
PEOPLE = ("ann", "bob", "Bob", "سارة", "")
LISTED = (("ETH", "ETH", 18), ("USDT", "ETH", 6), ("LTC", "LTC", 8))
SIGNED = (WithdrawalState.PREPARED, WithdrawalState.BROADCAST)


def opening() -> list[f.FundingCommand]:
    """Return what sets the cell up: two networks, three listings, and capital in the vaults."""
    found: list[f.FundingCommand] = [Lead(epoch=Epoch(1), node="golden")]
    for code, decimals in (("ETH", 18), ("USDT", 18), ("LTC", 8)):
        asset = Asset(code=AssetCode(code), name=code, decimals=decimals)
        found.append(ListAsset(asset=asset))
    for code, kind, decimals in (("ETH", NetworkKind.EVM, 18), ("LTC", NetworkKind.UTXO, 8)):
        network = Network(
            code=code,
            name=f"Network {code}",
            kind=kind,
            chain_id=7,
            finality=3,
            native=AssetCode(code),
            native_decimals=decimals,
            block_ms=12_000,
        )
        found.append(f.ListNetwork(network=network))
    for asset_code, network_code, _ in LISTED:
        found.append(f.OfferAsset(listing=terms(asset_code, network_code, 10)))
        found += [
            f.BookCapital(
                network=network_code,
                asset=AssetCode(asset_code),
                vault=vault,
                atoms=900 * UNIT,
                reference=f"start-{asset_code}-{vault}",
                person="ann",
            )
            for vault in (Vault.HOT, Vault.COLD)
        ]
    users = [(user, each[0]) for user in (1, 2, 3) for each in LISTED]
    for number, (user, code) in enumerate(users, start=1):
        message = MoveFunds(
            transfer_id=number, user_id=UserId(user), asset=AssetCode(code), atoms=3_000 * UNIT
        )
        found.append(Deliver(source=SPOT, number=number, message=message))
    return found


def terms(asset: str, network: str, fee: int) -> Listing:
    decimals = next(each[2] for each in LISTED if each[0] == asset)
    return Listing(
        asset=AssetCode(asset),
        network=network,
        chain_decimals=decimals,
        contract="0xtoken" if asset == "USDT" else "",
        min_deposit=2 * UNIT,
        min_withdrawal=(fee + 10) * UNIT,
        withdrawal_fee=fee * UNIT,
        approval_above=100 * UNIT,
        limited_max=40 * UNIT,
        hot_floor=50 * UNIT,
    )


class FundingFlow:
    """Draws the next command from the state as it is."""

    def __init__(self, seed: int, state: FundingState) -> None:
        self.prng = Prng(seed)
        self.state = state
        self._number = 0
        self._draws: tuple[Callable[[], f.FundingCommand], ...] = (
            *[self._deposit] * 5,
            *[self._withdraw] * 5,
            *[self._carry_on] * 10,
            *[self._transfer] * 3,
            *[self._vaults] * 3,
            self._reconcile,
            self._book,
            self._set_up,
            self._rules,
            self._time,
        )

    def next(self) -> f.FundingCommand:
        self._number += 1
        return self.prng.choice(self._draws)()

    def _user(self) -> UserId:
        return UserId(self.prng.choice([1, 1, 1, 2, 2, 2, 3, 3, 3, 0]))

    def _listed(self) -> tuple[AssetCode, str]:
        asset, network, _ = self.prng.choice(LISTED)
        if self.prng.chance(1, 30):
            network = "MOON"
        return AssetCode(asset), network

    def _atoms(self) -> int:
        return self.prng.between(-1, 160) * UNIT + (1 if self.prng.chance(1, 25) else 0)

    # In

    def _deposit(self) -> f.FundingCommand:
        rows = [row for row in self._deposits() if row.state is not DepositState.CREDITED]
        owners = [
            (code, address)
            for code, network in self.state.book.networks.items()
            for address in network.owners
        ]
        chance = self.prng.below(10)
        if not owners or chance == 0:
            code = self.prng.choice(["ETH", "LTC", "MOON"])
            user_id = self._user()
            listed = code in self.state.book.networks
            index = address_index(self.state, user_id, code) if listed else 0
            index += self.prng.choice([0, 0, 0, 1])
            return f.OpenDepositAddress(
                user_id=user_id, network=code, index=index, address=f"own-{code}-{index}"
            )
        if not rows or chance < 4:
            code, address = self.prng.choice(owners)
            return self._seen(code, address)
        return self._on_chain(self.prng.choice(rows), chance)

    def _seen(self, code: str, address: str) -> f.FundingCommand:
        known = code == "LTC" or self.prng.chance(9, 10)
        asset = code if code == "LTC" else self.prng.choice(["ETH", "USDT"])
        return f.SeeDeposit(
            network=code,
            tx_id=f"0xd{self.prng.choice([self._number, self._number, self._number, 5])}",
            output=self.prng.below(2),
            address=address if self.prng.chance(19, 20) else "nobody",
            asset=AssetCode(asset if known else ""),
            atoms=self.prng.between(0, 90) * UNIT,
            block=self._number,
            block_id=f"b{self._number}",
            contract="" if known else "0xodd",
        )

    def _on_chain(self, row: Deposit, chance: int) -> f.FundingCommand:
        if chance == 4:
            return f.RevertDeposit(
                network=row.network, tx_id=row.tx_id, output=row.output, reason="reorganised"
            )
        if chance == 5:
            return f.SeeDeposit(
                network=row.network,
                tx_id=row.tx_id,
                output=row.output,
                address=row.address,
                asset=AssetCode(row.asset),
                atoms=row.atoms,
                block=row.block + 1,
                block_id=f"{row.block_id}'",
                contract=row.contract,
            )
        return f.ConfirmDeposit(
            network=row.network,
            tx_id=row.tx_id if self.prng.chance(19, 20) else "0x?",
            output=row.output,
            block_id=row.block_id if self.prng.chance(9, 10) else "elsewhere",
            confirmations=self.prng.choice([1, 2, 3, 3, 4]),
        )

    def _deposits(self) -> list[Deposit]:
        return list(self.state.book.deposits.values())[-40:]

    # Out

    def _withdraw(self) -> f.FundingCommand:
        asset, network = self._listed()
        own = "own-ETH-0" if self.prng.chance(1, 20) else ""
        return f.RequestWithdrawal(
            user_id=self._user(),
            asset=asset,
            network=network,
            address=own or self.prng.choice(["out", "home", "المنزل"]),
            atoms=self._atoms(),
            client_withdrawal_id=self.prng.choice(["", "", "", f"w{self.prng.below(25)}"]),
        )

    def _carry_on(self) -> f.FundingCommand:
        """Bring an open withdrawal on, or try what its state forbids."""
        rows = [row for row in self.state.book.withdrawals.values() if not row.state.ended]
        if self.prng.chance(1, 15):
            rows = list(self.state.book.withdrawals.values())[-3:]
        if not rows:
            return self._withdraw()
        row = self.prng.choice(rows[:12])
        number = row.withdrawal_id if self.prng.chance(39, 40) else 999_999
        if self.prng.chance(1, 12):
            owner = row.user_id if self.prng.chance(3, 4) else 2
            return f.CancelWithdrawal(user_id=UserId(owner), withdrawal_id=number)
        if self.prng.chance(1, 16):
            return f.RejectWithdrawal(
                withdrawal_id=number,
                person=self.prng.choice(PEOPLE),
                reason=self.prng.choice(["مرفوض", "odd", ""]),
            )
        if row.state is WithdrawalState.AWAITING_APPROVAL:
            return f.ApproveWithdrawal(withdrawal_id=number, person=self.prng.choice(PEOPLE))
        if row.state in SIGNED and self.prng.chance(3, 4):
            return self._to_the_end(row, number)
        return f.PrepareWithdrawal(withdrawal_id=number, attempt=self._attempt(row.attempts))

    def _to_the_end(self, row: Withdrawal, number: int) -> f.FundingCommand:
        tx_id = self.prng.choice([attempt.tx_id for attempt in row.attempts])
        depth = self.prng.choice([2, 3, 3, 3])
        match self.prng.below(5):
            case 0 | 1:
                return f.MarkBroadcast(
                    withdrawal_id=number, tx_id=tx_id if self.prng.chance(9, 10) else "0x?"
                )
            case 2 | 3:
                return f.SettleWithdrawal(
                    withdrawal_id=number, tx_id=tx_id, confirmations=depth, cost=10**6
                )
            case _:
                return f.ReturnWithdrawal(
                    withdrawal_id=number,
                    tx_id=self.prng.choice([tx_id, "0xforeign"]),
                    confirmations=depth,
                    cost=10**6,
                    reason="its slot was used by another transaction",
                )

    def _attempt(self, earlier: Iterable[Attempt]) -> Attempt:
        slots = next((attempt.slots for attempt in earlier), (f"lane/{self._number}",))
        if self.prng.chance(1, 15):
            slots = (f"lane/{max(self._number - self.prng.below(40), 0)}",)
        return Attempt(
            tx_id=f"0xt{self._number}",
            slots=slots,
            signed="02f8" if self.prng.chance(29, 30) else "",
            max_cost=self.prng.between(1, 9) * 10**6,
        )

    # Between cells

    def _transfer(self) -> f.FundingCommand:
        box = self.state.book.mailbox
        asset, _ = self._listed()
        match self.prng.below(3):
            case 0:
                return RequestTransfer(
                    user_id=self._user(),
                    target=self.prng.choice([SPOT, SPOT, SPOT, "funding", "moon"]),
                    asset=self.prng.choice([asset, asset, AssetCode("NONE")]),
                    atoms=self._atoms(),
                    client_transfer_id=self.prng.choice(["", f"t{self.prng.below(20)}"]),
                )
            case 1:
                due = box.inboxes[SPOT].next_number if SPOT in box.inboxes else 1
                message = MoveFunds(
                    transfer_id=due,
                    user_id=self._user(),
                    asset=self.prng.choice([asset, asset, asset, AssetCode("NONE")]),
                    atoms=self._atoms(),
                )
                number = max(1, due + self.prng.choice([0, 0, 0, -1, 1]))
                source = self.prng.choice([SPOT] * 19 + ["funding"])
                return Deliver(source=source, number=number, message=message)
            case _:
                sent = box.outboxes[SPOT].next_number if SPOT in box.outboxes else 1
                refusal = self.prng.choice(["", "", "unknown_asset"])
                return Settle(target=SPOT, number=self.prng.between(1, sent), refusal=refusal)

    # The exchange's own wallets

    def _vaults(self) -> f.FundingCommand:
        asset, network = self._listed()
        moves = [row for row in self.state.book.moves.values() if row.attempts]
        chance = self.prng.below(10)
        if chance == 0:
            return f.BookCapital(
                network=network,
                asset=asset,
                vault=self.prng.choice([*Vault]),
                atoms=self.prng.between(-40, 200) * UNIT,
                reference=f"r{self.prng.choice([self._number, 3])}",
                person=self.prng.choice(PEOPLE),
            )
        if chance < 3:
            return f.RecordTopUp(
                network=network,
                asset=asset,
                atoms=self.prng.between(0, 60) * UNIT,
                tx_id=f"0xh{self.prng.choice([self._number, self._number, 1])}",
                confirmations=self.prng.choice([2, 3, 3]),
                cost=self.prng.choice([0, 10**6]),
                person=self.prng.choice(PEOPLE),
            )
        if not moves or chance < 6:
            again = self.prng.choice(moves) if moves and self.prng.chance(1, 4) else None
            return self._prepare_move(asset, network, again)
        return self._end_move(self.prng.choice(moves[-8:]))

    def _prepare_move(
        self, asset: AssetCode, network: str, again: VaultMove | None
    ) -> f.FundingCommand:
        source, target = self.prng.choice(
            [(Vault.DEPOSIT, Vault.HOT), (Vault.HOT, Vault.COLD), (Vault.HOT, Vault.HOT)]
        )
        return f.PrepareVaultMove(
            move_key=again.move_key if again else f"sweep/{self._number}",
            network=again.network if again else network,
            asset=AssetCode(again.asset) if again else asset,
            source=again.source if again else source,
            target=again.target if again else target,
            atoms=again.atoms if again else self.prng.between(-1, 50) * UNIT,
            attempt=self._attempt(again.attempts if again else ()),
        )

    def _end_move(self, row: VaultMove) -> f.FundingCommand:
        tx_id = self.prng.choice([attempt.tx_id for attempt in row.attempts])
        if row.state is VaultMoveState.PREPARED and self.prng.chance(1, 2):
            return f.MarkMoveBroadcast(move_key=row.move_key, tx_id=tx_id)
        return f.SettleVaultMove(
            move_key=row.move_key,
            tx_id=tx_id,
            confirmations=self.prng.choice([2, 3, 3]),
            cost=10**6,
            failed=self.prng.chance(1, 4),
        )

    def _reconcile(self) -> f.FundingCommand:
        asset, network = self._listed()
        known = network in self.state.book.networks
        held = {vault: self.state.held_in(network, vault, asset) if known else 0 for vault in Vault}
        signed = [
            row.withdrawal_id
            for row in self.state.book.withdrawals.values()
            if row.state in SIGNED and (row.asset, row.network) == (asset, network)
        ]
        paid = tuple(signed[:2]) if self.prng.chance(1, 2) else ()
        left = sum(
            row.atoms - row.fee for row in (self.state.book.withdrawals[number] for number in paid)
        )
        return f.ReportReconciliation(
            network=network,
            asset=asset,
            block=self._number if self.prng.chance(9, 10) else 1,
            deposit_atoms=held[Vault.DEPOSIT],
            hot_atoms=held[Vault.HOT] - left + (1 if self.prng.chance(1, 12) else 0),
            cold_atoms=held[Vault.COLD],
            settled_withdrawals=paid,
            settled_moves=tuple(list(self.state.book.moves)[-2:]),
            ledger_sequence=self.prng.choice([0, self.state.sequence, 1]),
        )

    # Terms

    def _book(self) -> f.FundingCommand:
        user, network = self._user(), self.prng.choice(["ETH", "ETH", "LTC", "MOON"])
        address = self.prng.choice(["home", "المنزل", "", "far"])
        match self.prng.below(4):
            case 0 | 1:
                return f.AddAddress(user_id=user, network=network, address=address, label="بيت")
            case 2:
                return f.RemoveAddress(user_id=user, network=network, address=address)
            case _:
                return f.SetAllowList(user_id=user, only_book=self.prng.chance(1, 8))

    def _set_up(self) -> f.FundingCommand:
        asset, network = self._listed()
        chance = self.prng.below(12)
        if chance == 0:
            code = AssetCode(self.prng.choice(["ETH", f"A{self.prng.below(4)}", "A/B"]))
            return ListAsset(asset=Asset(code=code, name=code, decimals=8))
        if chance == 1:
            template = self.state.book.networks["ETH"].network
            name = self.prng.choice(["ETH", "", f"N{self.prng.below(3)}"])
            return f.ListNetwork(
                network=Network(
                    code=name,
                    name=name,
                    kind=template.kind,
                    chain_id=8,
                    finality=self.prng.choice([0, 5]),
                    native=AssetCode("ETH"),
                    native_decimals=18,
                    block_ms=2_000,
                )
            )
        if chance < 4:
            return f.OfferAsset(listing=terms(asset, network, self.prng.choice([10, 10, 7])))
        status = self.prng.choice([ServiceStatus.OPEN] * 12 + [*ServiceStatus])
        return f.SetService(
            asset=asset,
            network=network,
            service=self.prng.choice([*Service]),
            status=status,
            reason=self.prng.choice(["صيانة", "drill", "done", ""]),
            person=self.prng.choice(PEOPLE),
        )

    def _rules(self) -> f.FundingCommand:
        match self.prng.below(3):
            case 0:
                return f.SetDailyLimit(
                    tier=self.prng.between(-1, 2),
                    asset=self._listed()[0],
                    atoms=self.prng.between(200, 2_000) * UNIT,
                )
            case 1:
                return f.SetFundingTier(user_id=self._user(), tier=self.prng.between(-1, 2))
            case _:
                return f.SetAddressWait(wait_ms=self.prng.between(-1, 3) * 600_000)

    def _time(self) -> f.FundingCommand:
        match self.prng.below(4):
            case 0:
                return Lead(epoch=Epoch(self.state.epoch + 1), node="golden")
            case 1:
                return Checkpoint(sequence=Sequence(self.state.sequence), digest="golden")
            case _:
                return Tick()
