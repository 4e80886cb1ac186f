"""What the funding cell does with control's orders: each once, in their order, and on time."""

import pytest
from tests.core.funding_desk import ETH, FINALITY, SECOND_NS, USDT, FundingDesk

from seawall.core.withdrawal_queue import outlook
from seawall.model import funding_commands as f
from seawall.model.commands import Deliver, RequestTransfer, Settle, SetTransfers, Tick
from seawall.model.funding import CanaryState, Service, ServiceStatus, Vault, Wait
from seawall.model.funding_events import CanaryChanged
from seawall.model.funding_rows import Canary
from seawall.model.ids import UserId
from seawall.model.limits import CANARIES, LEASE_S
from seawall.model.messages import MoveFunds

PAUSED, LIMITED, OPEN = ServiceStatus.PAUSED, ServiceStatus.LIMITED, ServiceStatus.OPEN


def order(number: int, status: ServiceStatus = LIMITED, **limits: int) -> f.SetService:
    return f.SetService(
        asset=ETH,
        network="NET",
        service=Service.WITHDRAWAL,
        status=status,
        reason=f"order {number}",
        person="control",
        order=number,
        **limits,
    )


def lease(desk: FundingDesk, number: int, seconds: int, *, after_s: int = 1) -> str:
    """Grant a lease that ends so many seconds after its entry."""
    until_ns = desk.now_ns + (after_s + seconds) * SECOND_NS
    return desk.do(f.GrantLease(number=number, until_ns=until_ns), after_s=after_s)


# Orders


def test_an_order_counts_once_and_a_late_one_never() -> None:
    desk = FundingDesk()
    assert desk.do(order(5, PAUSED)) == ""
    assert desk.do(order(4, OPEN)) == "stale_order"
    assert desk.turn(OPEN, reason="a person knows better") == ""
    assert desk.play(order(5, PAUSED)) == []
    service = desk.listing().withdrawal
    assert (service.status, service.order, service.person) == (OPEN, 5, "ann")
    assert desk.do(order(6, OPEN)) == ""
    assert (desk.listing().withdrawal.order, desk.listing().withdrawal.person) == (6, "control")
    for wrong in (
        order(-1),
        order(7, per_user=-1),
        order(7, total=-1),
        order(7, per_withdrawal=-1),
    ):
        assert desk.do(wrong) == "invalid_definition"


def test_what_reconciliation_pauses_keeps_the_order_that_stands() -> None:
    desk = FundingDesk()
    assert desk.do(order(3, OPEN)) == ""
    report = f.ReportReconciliation(
        network="NET", asset=ETH, block=1, deposit_atoms=0, hot_atoms=1, cold_atoms=0
    )
    assert desk.do(report) == ""
    assert (desk.listing().withdrawal.status, desk.listing().withdrawal.order) == (PAUSED, 3)
    assert desk.play(order(3, OPEN)) == []
    assert desk.listing().withdrawal.status is PAUSED


# The lease


def test_nothing_is_prepared_later_than_the_last_grant_says() -> None:
    desk = FundingDesk()
    numbers = [desk.asked(100) for _ in range(4)]
    assert desk.prepare(numbers[0], tx="first") == "", "where none was ever granted, none is needed"
    assert lease(desk, 1, 4) == ""
    granted_ns = desk.now_ns
    assert desk.do(Tick(), after_s=3) == ""
    assert desk.prepare(numbers[1]) == "", "4 s after the grant it is still good"
    assert desk.now_ns - granted_ns == 4 * SECOND_NS
    assert desk.prepare(numbers[2]) == "lease_run_out"
    assert desk.ask(100) == "lease_run_out"
    told = outlook(desk.state, desk.withdrawal(numbers[2]))
    assert (told.wait, told.estimate_ms) == (Wait.LEASE, None)
    # What was signed goes on: a better price for the same payment pays nobody twice.
    assert desk.prepare(numbers[0], slot="lane/1", tx="dearer") == ""
    assert desk.sent(numbers[0], "dearer") == ""
    assert desk.settle(numbers[0], "dearer") == ""
    # So do moves between our own wallets, and a user may still take back what waits.
    assert desk.move("cold/1", 10) == ""
    assert desk.cancel(numbers[3]) == ""
    assert lease(desk, 2, 4) == ""
    assert desk.prepare(numbers[2]) == ""
    assert desk.ask(100) == ""


def test_a_lease_only_goes_forward_is_never_long_and_can_be_taken_back() -> None:
    desk = FundingDesk()
    number = desk.asked(100)
    assert lease(desk, 7, LEASE_S) == ""
    assert lease(desk, 7, 1) == "stale_order"
    assert lease(desk, 6, 1) == "stale_order"
    assert lease(desk, 8, LEASE_S + 1) == "invalid_definition"
    assert desk.do(f.GrantLease(number=8, until_ns=-1)) == "invalid_definition"
    assert desk.state.book.lease_number == 7
    assert desk.do(f.GrantLease(number=8, until_ns=0)) == "", "nothing is left of it"
    assert desk.prepare(number) == "lease_run_out"
    assert desk.do(f.GrantLease(number=-1, until_ns=0)) == "stale_order"


# Stages


def test_a_stage_bounds_each_withdrawal_each_user_and_all_together() -> None:
    desk = FundingDesk()
    desk.do(
        Deliver(
            source="spot",
            number=3,
            message=MoveFunds(transfer_id=3, user_id=UserId(2), asset=ETH, atoms=5_000),
        )
    )
    large, first, second, third = (desk.asked(atoms) for atoms in (400, 150, 150, 60))
    assert desk.ask(150, user=2) == ""
    of_other = desk.state.book.next_withdrawal_id - 1
    assert desk.do(order(1, per_withdrawal=200, per_user=220, total=300)) == ""
    assert desk.ask(201) == "withdrawals_limited"
    assert desk.prepare(large) == "withdrawals_limited"
    assert desk.prepare(of_other) == "out_of_turn"
    assert desk.prepare(first) == ""
    assert desk.prepare(second) == "withdrawals_limited", "the user's share: 150 of 220 are used"
    told = outlook(desk.state, desk.withdrawal(second))
    assert (told.wait, told.position) == (Wait.LIMITED, 2)
    assert told.detail == "your share of this stage is used up"
    assert desk.prepare(of_other) == "out_of_turn", "60 of the same user still fit, and were first"
    assert desk.prepare(third) == ""
    assert desk.prepare(of_other) == "withdrawals_limited", "210 of 300 are used"
    assert outlook(desk.state, desk.withdrawal(of_other)).detail == (
        "what this stage pays in all is used up"
    )
    # A wider stage counts anew, and the queue goes on where it stood.
    assert desk.do(order(2, per_withdrawal=200, per_user=500, total=500)) == ""
    assert desk.prepare(of_other) == "out_of_turn"
    assert desk.prepare(second) == ""
    assert desk.prepare(of_other) == ""
    assert desk.prepare(large) == "withdrawals_limited"
    assert desk.do(order(3, OPEN)) == ""
    assert desk.prepare(large) == ""
    assert desk.listing().withdrawal.prepared_by == {}


def test_a_person_limits_as_before() -> None:
    desk = FundingDesk()
    number = desk.asked(101)
    assert desk.turn(LIMITED) == ""
    assert desk.prepare(number) == "withdrawals_limited"
    assert desk.ask(101) == "withdrawals_limited"
    assert desk.ask(100) == ""
    assert desk.listing().withdrawal.order == 0


# Transfers


def test_paused_transfers_begin_no_more_but_what_is_under_way_arrives() -> None:
    desk = FundingDesk()
    sent = RequestTransfer(
        user_id=UserId(1), target="spot", asset=ETH, atoms=10, client_transfer_id="a"
    )
    assert desk.do(sent) == ""
    assert desk.do(SetTransfers(paused=True, reason="incident 1", order=4)) == ""
    another = RequestTransfer(user_id=UserId(1), target="spot", asset=ETH, atoms=10)
    assert desk.do(another) == "transfers_paused"
    assert desk.do(sent) == "", "the same one again is only told of"
    message = MoveFunds(transfer_id=9, user_id=UserId(2), asset=ETH, atoms=7)
    assert desk.do(Deliver(source="spot", number=3, message=message)) == ""
    assert desk.free(2) == 7
    assert desk.do(Settle(target="spot", number=1)) == ""
    assert desk.do(SetTransfers(paused=False, reason="late", order=3)) == "stale_order"
    assert desk.play(SetTransfers(paused=False, reason="again", order=4)) == []
    assert desk.do(SetTransfers(paused=False, reason="", order=5)) == "invalid_definition"
    assert desk.do(SetTransfers(paused=False, reason="all is well", order=5)) == ""
    assert desk.do(another) == ""


# Canaries


def canary(desk: FundingDesk, key: str) -> Canary:
    return desk.state.book.canaries[key]


def ordered(key: str, asset: str = ETH) -> f.OrderCanary:
    return f.OrderCanary(asset=USDT if asset == USDT else ETH, network="NET", key=key)


def test_a_canary_goes_the_whole_way_once() -> None:
    desk = FundingDesk()
    assert desk.move("canary/k", 10) == "wrong_state", "nobody wants it"
    assert desk.do(ordered("k")) == ""
    assert desk.do(f.DelayCanary(key="k", reason="the hot wallet is low")) == ""
    assert desk.play(f.DelayCanary(key="k", reason="the hot wallet is low")) == []
    assert canary(desk, "k").reason == "the hot wallet is low"
    for atoms, target in ((11, Vault.COLD), (10, Vault.DEPOSIT)):
        assert desk.move("canary/k", atoms, target=target) == "invalid_definition"
    # The exchange's own money needs no lease.
    assert desk.do(f.GrantLease(number=1, until_ns=0)) == ""
    attempt = desk.attempt(tx="c1")
    assert desk.move("canary/k", 10, attempt=attempt) == ""
    assert (canary(desk, "k").state, canary(desk, "k").reason) == (CanaryState.SENT, "")
    assert desk.do(f.DelayCanary(key="k", reason="late")) == "wrong_state"
    settle = f.SettleVaultMove(move_key="canary/k", tx_id="c1", confirmations=FINALITY, cost=1)
    assert desk.do(settle) == ""
    row = canary(desk, "k")
    assert (row.state, row.tx_id, row.atoms) == (CanaryState.SETTLED, "c1", 10)
    assert desk.state.held_in("NET", Vault.COLD, ETH) == 10
    (again,) = desk.play(ordered("k"))
    assert isinstance(again, CanaryChanged)
    assert again.repeated
    assert desk.do(ordered("k", USDT)) == "reference_reused"
    assert desk.move("canary/k", 10) == "wrong_state"


def test_one_that_moved_nothing_says_so_and_a_newer_one_takes_an_unpaid_ones_place() -> None:
    desk = FundingDesk()
    assert desk.do(ordered("a")) == ""
    assert desk.do(ordered("t", USDT)) == ""
    assert desk.do(ordered("b")) == ""
    assert (canary(desk, "a").state, canary(desk, "a").reason) == (
        CanaryState.FAILED,
        "b took its place",
    )
    assert canary(desk, "t").state is CanaryState.WANTED
    assert desk.move("canary/a", 10) == "wrong_state"
    assert desk.move("canary/b", 10, attempt=desk.attempt(tx="x")) == ""
    failed = f.SettleVaultMove(
        move_key="canary/b", tx_id="x", confirmations=FINALITY, cost=1, failed=True
    )
    assert desk.do(failed) == ""
    assert (canary(desk, "b").state, canary(desk, "b").reason) == (
        CanaryState.FAILED,
        "x moved nothing",
    )


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_what_no_canary_can_be_is_refused(key: str) -> None:
    desk = FundingDesk()
    assert desk.do(ordered(key)) == "invalid_definition"
    assert desk.do(f.OrderCanary(asset=ETH, network="MOON", key="k")) == "unknown_listing"
    assert desk.do(f.DelayCanary(key="k", reason="?")) == "wrong_state"


def test_only_the_newest_are_remembered_and_none_is_paid_twice_for_that() -> None:
    desk = FundingDesk()
    assert desk.do(ordered("paid")) == ""
    assert desk.move("canary/paid", 10, attempt=desk.attempt(tx="p")) == ""
    settle = f.SettleVaultMove(move_key="canary/paid", tx_id="p", confirmations=FINALITY, cost=1)
    assert desk.do(settle) == ""
    for number in range(CANARIES + 3):
        assert desk.do(ordered(f"k{number}")) == ""
    assert len(desk.state.book.canaries) == CANARIES
    assert "paid" not in desk.state.book.canaries
    assert desk.do(ordered("paid")) == "reference_reused"
