"""Stories of money going out: every refusal, every wait, and what finality ends."""

import pytest
from msgspec.structs import replace
from tests.core.funding_desk import (
    DAY_S,
    ETH,
    FINALITY,
    NETWORK,
    USDT,
    FundingDesk,
)

from seawall.core.deposits import address_index
from seawall.core.withdrawal_queue import outlook
from seawall.model import funding_commands as f
from seawall.model.funding import (
    NetworkKind,
    ServiceStatus,
    Vault,
    Wait,
    WithdrawalState,
)
from seawall.model.funding_events import WithdrawalChanged
from seawall.model.ids import AssetCode, UserId


@pytest.fixture
def desk() -> FundingDesk:
    return FundingDesk()


def wait_of(desk: FundingDesk, number: int) -> Wait:
    return outlook(desk.state, desk.withdrawal(number)).wait


# Asking


def test_a_request_is_refused_in_the_order_of_precedence(desk: FundingDesk) -> None:
    desk.do(f.SetDailyLimit(tier=0, asset=ETH, atoms=600))
    desk.do(f.OpenDepositAddress(user_id=UserId(2), network="NET", index=0, address="own"))
    assert desk.ask(5, network="no", asset=AssetCode("NO")) == "unknown_network"
    assert desk.ask(5, asset=AssetCode("NO")) == "unknown_listing"
    assert desk.turn(ServiceStatus.PAUSED) == ""
    assert desk.ask(5, to="own") == "withdrawals_paused"
    assert desk.turn(ServiceStatus.LIMITED) == ""
    assert desk.ask(101, to="own") == "withdrawals_limited"
    assert desk.ask(100) == ""
    assert desk.turn(ServiceStatus.OPEN) == ""
    assert desk.ask(19, to="own") == "below_minimum"
    assert desk.ask(25, asset=USDT, to="own") == "too_many_decimals"
    assert desk.ask(30, to="own") == "own_address"
    desk.do(f.ListNetwork(network=replace(NETWORK, code="TWIN")))
    desk.do(f.OpenDepositAddress(user_id=UserId(2), network="TWIN", index=0, address="there"))
    assert desk.ask(30, to="there") == "own_address", "nobody is credited for it on this network"
    assert desk.ask(30, to="") == "address_invalid"
    assert desk.ask(30, to="x" * 200) == "address_invalid"
    assert desk.ask(501) == "daily_limit"
    assert desk.ask(5_010, asset=USDT) == "insufficient_balance", "no limit is set for it"
    assert desk.ask(30, user=2) == "insufficient_balance"
    assert desk.ask(500) == ""


def test_an_address_is_one_users_on_all_networks_of_a_kind(desk: FundingDesk) -> None:
    """The same keys give the same addresses: a coin sent over the wrong one meets no stranger."""
    for code, kind in (("TWIN", NetworkKind.EVM), ("COINS", NetworkKind.UTXO)):
        desk.do(f.ListNetwork(network=replace(NETWORK, code=code, kind=kind)))

    def opened(user: int, network: str, index: int, address: str) -> str:
        return desk.do(
            f.OpenDepositAddress(
                user_id=UserId(user), network=network, index=index, address=address
            )
        )

    assert opened(1, "NET", 0, "first") == ""
    assert opened(2, "TWIN", 0, "first") == "index_taken", "that one is user 1's, everywhere"
    assert opened(2, "TWIN", 1, "first") == "index_taken", "whatever the index"
    assert opened(2, "TWIN", 1, "second") == ""
    assert opened(1, "TWIN", 2, "third") == "index_taken", "each user has one index"
    assert opened(1, "TWIN", 0, "first") == ""
    assert opened(2, "COINS", 0, "coin") == "", "networks of another kind count on their own"
    assert opened(3, "NET", 2, "third") == ""
    assert [address_index(desk.state, user, "TWIN") for user in (1, 2, 3, 4)] == [0, 1, 2, 3]
    assert desk.state.book.networks["TWIN"].owners == {"second": 2, "first": 1}


def test_a_client_id_takes_effect_once(desk: FundingDesk) -> None:
    asked = f.RequestWithdrawal(
        user_id=UserId(1),
        asset=ETH,
        network="NET",
        address="out",
        atoms=100,
        client_withdrawal_id="a",
    )
    assert desk.do(asked) == ""
    free = desk.free()
    again = desk.play(asked)
    assert isinstance(again[0], WithdrawalChanged)
    assert again[0].repeated
    for other in (
        replace(asked, atoms=101),
        replace(asked, address="elsewhere"),
        replace(asked, asset=USDT),
        replace(asked, network="other"),
    ):
        assert desk.do(other) == "reference_reused", "another payment never passes for the first"
    assert desk.do(replace(asked, user_id=UserId(2))) == "insufficient_balance", "an id is a user's"
    assert desk.cancel(1) == ""
    assert isinstance(desk.play(asked)[0], WithdrawalChanged), "nor does it begin anew"
    assert desk.free() == free + 100
    assert len(desk.state.book.withdrawals) == 1


@pytest.mark.parametrize("house", [0, -1, -2, -1_001])
def test_house_accounts_are_no_users(desk: FundingDesk, house: int) -> None:
    """A fee account or the capital has money; nobody may ask for it as a user would."""
    desk.settle(desk.asked(100), "")
    assert desk.ask(30, user=house) == "unknown_user"
    opened = f.OpenDepositAddress(user_id=UserId(house), network="NET", index=0, address="own")
    assert desk.do(opened) == "unknown_user"
    assert desk.do(replace(opened, user_id=UserId(1), address="")) == "address_invalid"


def test_a_days_limit_counts_24_hours_and_what_left(desk: FundingDesk) -> None:
    desk.do(f.SetDailyLimit(tier=0, asset=ETH, atoms=300))
    first = desk.asked(200)
    assert desk.ask(101) == "daily_limit"
    second = desk.asked(100)
    assert desk.cancel(second) == ""
    assert desk.ask(100) == "", "what was canceled does not count"
    # The first was asked 4 commands ago: it still counts one second before its day is over.
    assert desk.ask(100, after_s=DAY_S - 5) == "daily_limit"
    assert desk.ask(100) == ""
    assert len(desk.state.book.accounts[1].spent[ETH]) == 2, "older ones are forgotten"
    assert desk.withdrawal(first).state is WithdrawalState.QUEUED
    desk.do(f.SetFundingTier(user_id=UserId(1), tier=3))
    assert desk.ask(900) == "", "the other tier has no limit"


# Approval


def test_two_people_approve_and_one_may_refuse(desk: FundingDesk) -> None:
    small, large = desk.asked(1_000), desk.asked(1_001)
    assert desk.withdrawal(small).state is WithdrawalState.QUEUED
    assert wait_of(desk, large) is Wait.APPROVAL
    assert desk.prepare(large) == "wrong_state"
    assert desk.approve(large, "") == "invalid_definition"
    assert desk.approve(large, "ann") == ""
    for same in ("ann", "Ann", " ann", "an n", "ANN\u2003"):
        assert desk.approve(large, same) == "same_person"
    assert desk.approve(large, " ") == "invalid_definition"
    assert desk.withdrawal(large).state is WithdrawalState.AWAITING_APPROVAL
    assert desk.approve(large, "bob") == ""
    assert desk.withdrawal(large).state is WithdrawalState.QUEUED
    assert desk.approve(large, "eve") == "wrong_state"
    assert desk.approve(99, "eve") == "unknown_withdrawal"
    assert desk.approve(small, "eve") == "wrong_state"
    refused = desk.asked(2_000)
    free = desk.free()
    assert desk.reject(refused, person="") == "invalid_definition"
    assert desk.reject(refused, reason="") == "invalid_definition"
    assert desk.reject(99) == "unknown_withdrawal"
    assert desk.reject(refused) == ""
    assert desk.free() == free + 2_000
    assert desk.approve(refused, "ann") == "wrong_state"


# The queue


def test_first_come_first_served(desk: FundingDesk) -> None:
    first, second, third = desk.asked(100), desk.asked(100), desk.asked(100)
    assert desk.prepare(second) == "out_of_turn"
    assert wait_of(desk, second) is Wait.TURN
    assert outlook(desk.state, desk.withdrawal(third)).position == 3
    assert desk.cancel(first) == ""
    assert outlook(desk.state, desk.withdrawal(third)).position == 2
    assert desk.prepare(second) == ""
    assert desk.prepare(third) == ""
    other = desk.asked(100, asset=USDT)
    assert desk.prepare(other) == "", "another asset's queue is its own"


def test_a_limited_service_lets_small_ones_pass(desk: FundingDesk) -> None:
    large, small, last = desk.asked(500), desk.asked(100), desk.asked(50)
    desk.turn(ServiceStatus.LIMITED)
    assert wait_of(desk, large) is Wait.LIMITED
    assert desk.prepare(large) == "withdrawals_limited"
    assert desk.prepare(last) == "out_of_turn", "small ones keep their order"
    assert desk.prepare(small) == ""
    desk.turn(ServiceStatus.OPEN)
    assert desk.prepare(last) == "out_of_turn", "the large one kept its place"
    assert desk.prepare(large) == ""
    assert desk.prepare(last) == ""


def test_a_pause_stops_preparing_and_tells_why(desk: FundingDesk) -> None:
    number = desk.asked(100)
    assert desk.turn(ServiceStatus.PAUSED, reason="") == "invalid_definition"
    desk.turn(ServiceStatus.PAUSED, reason="node upgrade")
    assert desk.prepare(number) == "withdrawals_paused"
    told = outlook(desk.state, desk.withdrawal(number))
    assert (told.wait, told.detail) == (Wait.PAUSED, "node upgrade")
    assert desk.cancel(number) == "", "its owner may still take it back"


def test_the_hot_wallets_floor_is_a_visible_wait() -> None:
    desk = FundingDesk(hot=240)
    first, second = desk.asked(110), desk.asked(110)
    assert desk.prepare(first, cost=10) == ""
    # 240 - floor 50 - 100 on its way - 10 for the network = 80 < 100.
    assert desk.prepare(second) == "hot_wallet_low"
    assert wait_of(desk, second) is Wait.HOT_WALLET
    assert outlook(desk.state, desk.withdrawal(second)).estimate_ms is None
    desk.capital(19)
    assert desk.prepare(second) == "hot_wallet_low"
    desk.capital(1)
    assert wait_of(desk, second) is Wait.SIGNING
    assert desk.prepare(second) == ""


def test_a_token_waits_for_gas() -> None:
    desk = FundingDesk(hot=0)
    desk.capital(500, asset=USDT)
    number = desk.asked(100, asset=USDT)
    assert desk.prepare(number, cost=5) == "hot_wallet_low"
    desk.capital(5)
    assert desk.prepare(number, cost=5) == ""


# Signed bytes


def test_a_slot_belongs_to_one_payment_for_ever(desk: FundingDesk) -> None:
    first, second = desk.asked(100), desk.asked(100)
    assert desk.prepare(first, slot="lane/7", tx="a") == ""
    assert desk.prepare(second, slot="lane/7", tx="b") == "slot_taken"
    assert desk.move("m", 10, attempt=desk.attempt(slot="lane/7")) == "slot_taken"
    assert desk.give_back(first, "foreign") == ""
    assert desk.prepare(second, slot="lane/7", tx="b") == "slot_taken"
    assert desk.prepare(second, slot="lane/8", tx="b") == ""


def test_a_replacement_shares_the_slot(desk: FundingDesk) -> None:
    number = desk.asked(100)
    assert desk.prepare(number, slot="lane/1", tx="a", cost=5) == ""
    assert desk.prepare(number, slot="lane/2", tx="b") == "slots_differ"
    assert desk.prepare(number, slot="lane/1", tx="a") == "", "the same bytes again change nothing"
    assert len(desk.withdrawal(number).attempts) == 1
    assert desk.prepare(number, slot="lane/1", tx="b", cost=8) == ""
    assert desk.state.book.networks["NET"].cost_reserved == 8
    assert desk.settle(number, "a", cost=4) == "", "either attempt may be the one that was mined"
    assert desk.state.book.networks["NET"].cost_reserved == 0
    assert desk.prepare(number, slot="lane/1", tx="c") == "wrong_state"


@pytest.mark.parametrize("broken", ["slot", "tx", "cost", "bytes"])
def test_an_attempt_has_all_it_needs(desk: FundingDesk, broken: str) -> None:
    number = desk.asked(100)
    whole = desk.attempt()
    parts = {
        "slot": replace(whole, slots=()),
        "tx": replace(whole, tx_id=""),
        "cost": replace(whole, max_cost=-1),
        "bytes": replace(whole, signed=""),
    }
    command = f.PrepareWithdrawal(withdrawal_id=number, attempt=parts[broken])
    assert desk.do(command) == "invalid_definition"


def test_what_is_signed_ends_at_finality_only(desk: FundingDesk) -> None:
    number = desk.asked(100)
    assert desk.settle(number, "a") == "wrong_state", "nothing was signed"
    assert desk.prepare(number, tx="a") == ""
    assert desk.cancel(number) == "not_cancelable"
    assert desk.reject(number) == "wrong_state"
    assert wait_of(desk, number) is Wait.SENDING
    assert desk.sent(number, "z") == "wrong_state"
    assert desk.sent(number, "a") == ""
    assert wait_of(desk, number) is Wait.CONFIRMATIONS
    assert desk.settle(number, "a", depth=FINALITY - 1) == "not_final"
    assert desk.give_back(number, "x", depth=FINALITY - 1) == "not_final"
    assert desk.settle(number, "z") == "wrong_state"
    assert desk.settle(number, "a", cost=-1) == "invalid_definition"
    hot = desk.state.held_in("NET", Vault.HOT, ETH)
    assert desk.settle(number, "a", cost=3) == ""
    assert desk.state.held_in("NET", Vault.HOT, ETH) == hot - 90 - 3
    assert desk.state.ledger.free(0, ETH) == 10, "the fee"
    assert desk.settle(number, "a") == "", "again, in silence"
    assert desk.give_back(number, "x") == "wrong_state", "finality contradicts itself: said aloud"
    assert desk.cancel(number) == "not_cancelable"


def test_what_can_never_be_paid_goes_back(desk: FundingDesk) -> None:
    free = desk.free()
    number = desk.asked(100)
    assert desk.prepare(number, tx="a") == ""
    assert desk.give_back(number, "") == "invalid_definition"
    assert desk.give_back(number, "foreign", cost=4) == ""
    assert desk.withdrawal(number).state is WithdrawalState.RETURNED
    assert desk.free() == free, "all of it, the fee too"
    assert desk.listing().reserved == 0
    assert desk.give_back(number, "foreign") == ""
    assert desk.settle(number, "a") == "wrong_state"
    assert desk.prepare(number, slot="lane/9", tx="b") == "wrong_state"


def test_owners_only(desk: FundingDesk) -> None:
    number = desk.asked(100)
    assert desk.cancel(number, user=2) == "unknown_withdrawal"
    assert desk.cancel(99) == "unknown_withdrawal"
    assert desk.cancel(number) == ""
    assert desk.cancel(number) == ""
    for gone in (desk.prepare(number), desk.sent(99, "a"), desk.settle(99, "a"), desk.prepare(99)):
        assert gone in {"wrong_state", "unknown_withdrawal"}


# The address book


def test_a_new_address_waits(desk: FundingDesk) -> None:
    desk.do(f.SetAddressWait(wait_ms=100_000))
    add = f.AddAddress(user_id=UserId(1), network="NET", address="home", label="home")
    assert desk.ask(30, to="out") == "", "without the list anything goes"
    assert desk.do(f.SetAllowList(user_id=UserId(1), only_book=True)) == ""
    assert desk.ask(30, to="home") == "address_not_in_book"
    assert desk.do(add) == ""
    assert desk.ask(30, to="home") == "address_waiting"
    assert desk.do(add) == "", "said again it keeps its age"
    assert desk.ask(30, to="home", after_s=97) == "address_waiting"
    assert desk.ask(30, to="home") == ""
    remove = f.RemoveAddress(user_id=UserId(1), network="NET", address="home")
    assert desk.do(remove) == ""
    assert desk.do(remove) == "address_not_in_book"
    assert desk.do(add) == ""
    assert desk.ask(30, to="home") == "address_waiting", "a new entry is new"


def test_leaving_the_book_takes_as_long(desk: FundingDesk) -> None:
    desk.do(f.SetAddressWait(wait_ms=100_000))
    desk.do(f.SetAllowList(user_id=UserId(1), only_book=True))
    desk.do(f.SetAllowList(user_id=UserId(1), only_book=False))
    assert desk.ask(30, after_s=99) == "address_not_in_book"
    assert desk.ask(30) == ""


def test_the_book_has_an_end_and_rules(desk: FundingDesk) -> None:
    def add(address: str, *, network: str = "NET", label: str = "") -> str:
        return desk.do(
            f.AddAddress(user_id=UserId(1), network=network, address=address, label=label)
        )

    assert add("a", network="no") == "unknown_network"
    assert add("") == "address_invalid"
    assert add("a", label="x" * 65) == "invalid_definition"
    for number in range(200):
        assert add(f"a{number}") == ""
    assert add("one more") == "address_book_full"
    assert add("a7", label="again") == ""
