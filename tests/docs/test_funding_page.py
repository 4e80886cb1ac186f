"""The page of funding says what the core's tables say, and the core does what they say."""

from pathlib import Path

from tests.core.funding_desk import FINALITY, FundingDesk
from tests.docs.funding_page import WAITS, page

from seawall.core.funding_states import DEPOSIT_MOVES, WITHDRAWAL_MOVES
from seawall.model import funding_commands as f
from seawall.model.funding import DepositState, Wait, WithdrawalState
from seawall.model.ids import AssetCode, UserId

PAGE = Path(__file__).parents[2] / "docs" / "internals" / "funding.md"


def test_the_page_is_what_the_tables_write() -> None:
    assert PAGE.read_text("utf-8") == page(), (
        "run: python -m tests.docs.funding_page docs/internals/funding.md"
    )


def test_every_wait_is_explained() -> None:
    assert set(WAITS) == set(Wait) - {Wait.NOTHING}


class Watched(FundingDesk):
    """Notes every change of state."""

    def __init__(self) -> None:
        self.withdrawals: set[tuple[WithdrawalState | None, WithdrawalState]] = set()
        self.deposits: set[tuple[DepositState | None, DepositState]] = set()
        super().__init__()

    def do(self, command: f.FundingCommand, *, after_s: int = 1) -> str:
        book = self.state.book
        paid = {row.withdrawal_id: row.state for row in book.withdrawals.values()}
        came = {key: row.state for key, row in book.deposits.items()}
        reason = super().do(command, after_s=after_s)
        for row in self.state.book.withdrawals.values():
            if paid.get(row.withdrawal_id) is not row.state:
                self.withdrawals.add((paid.get(row.withdrawal_id), row.state))
        for key, deposit in self.state.book.deposits.items():
            if came.get(key) is not deposit.state:
                self.deposits.add((came.get(key), deposit.state))
        return reason


def test_withdrawals_make_exactly_the_moves_of_the_table() -> None:
    desk = Watched()
    for small in (True, False):
        for end in (desk.cancel, desk.reject):
            end(desk.asked(100 if small else 1_001))
    large = desk.asked(1_001)
    desk.approve(large, "ann")
    desk.approve(large, "bob")
    for sent in (False, True):
        for end_signed in (desk.settle, desk.give_back):
            number = next(iter(desk.listing().queue), 0) or desk.asked(100)
            tx = f"tx of {number}"
            desk.prepare(number, tx=tx)
            if sent:
                desk.sent(number, tx)
            end_signed(number, tx)
    assert desk.withdrawals == set(WITHDRAWAL_MOVES)


def test_deposits_make_exactly_the_moves_of_the_table() -> None:
    desk = Watched()
    desk.do(f.OpenDepositAddress(user_id=UserId(2), network="NET", index=0, address="own"))

    def see(tx: str, block: str, minimum: int = 10) -> None:
        terms = desk.listing().listing
        if terms.min_deposit != minimum:
            from msgspec.structs import replace

            desk.do(f.OfferAsset(listing=replace(terms, min_deposit=minimum)))
        desk.do(
            f.SeeDeposit(
                network="NET",
                tx_id=tx,
                output=0,
                address="own",
                asset=AssetCode("ETH"),
                atoms=50,
                block=1,
                block_id=block,
            )
        )

    def lose(tx: str) -> None:
        desk.do(f.RevertDeposit(network="NET", tx_id=tx, output=0, reason="reorganised"))

    see("a", "b1")
    lose("a")
    see("a", "b2")
    see("a", "b3", minimum=60)
    see("a", "b4")
    see("b", "b4", minimum=60)
    lose("b")
    see("b", "b5", minimum=60)
    desk.do(
        f.ConfirmDeposit(network="NET", tx_id="a", output=0, block_id="b4", confirmations=FINALITY)
    )
    assert desk.deposits == set(DEPOSIT_MOVES)
