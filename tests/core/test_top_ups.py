"""What the hot wallet lacks: counted so that, once it came, every queue is paid to its floor."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.funding_desk import ETH, FINALITY, USDT, FundingDesk

from seawall.core.top_ups import top_ups
from seawall.core.withdrawals import why_not_now
from seawall.model import funding_commands as f
from seawall.model.funding import Vault, WithdrawalState


def test_nothing_is_wanted_while_all_can_be_paid() -> None:
    desk = FundingDesk(hot=240)
    desk.asked(110)
    assert top_ups(desk.state) == []


def test_floor_queue_and_what_is_under_way_are_counted() -> None:
    desk = FundingDesk(hot=240)
    desk.capital(1_000, vault=Vault.COLD)
    desk.prepare(desk.asked(110), cost=10)
    desk.asked(210)
    (row,) = top_ups(desk.state)
    assert (row.asset, row.hot, row.floor, row.under_way) == ("ETH", 240, 50, 110)
    assert (row.waiting, row.waiting_atoms) == (1, 200)
    assert row.wanted == 200 + 50 + 110 - 240
    assert (row.cold, row.unbooked) == (1_000, 0)


def test_a_hot_wallet_below_its_floor_wants_that_without_a_queue() -> None:
    desk = FundingDesk(hot=0)
    rows = {row.asset: row for row in top_ups(desk.state)}
    assert rows.keys() == {"ETH"}, "the token has no floor"
    assert rows["ETH"].wanted == 50


def test_the_chain_takes_whole_units() -> None:
    desk = FundingDesk(hot=0)
    desk.capital(5, asset=USDT)
    desk.asked(100, asset=USDT)
    (row,) = [row for row in top_ups(desk.state) if row.asset == "USDT"]
    assert row.wanted == 90, "85 would be half a unit on chain"


@pytest.mark.parametrize("moved", [0, 30])
def test_what_left_cold_storage_and_is_not_booked_shows(moved: int) -> None:
    desk = FundingDesk(hot=1_000)
    desk.capital(500, vault=Vault.COLD)
    desk.do(
        f.ReportReconciliation(
            network="NET",
            asset=ETH,
            block=5,
            deposit_atoms=0,
            hot_atoms=1_000 + moved,
            cold_atoms=500 - moved,
        )
    )
    assert [row.unbooked for row in top_ups(desk.state)] == ([moved] if moved else [])


@given(st.integers(0, 400), st.lists(st.integers(2, 40), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_what_is_wanted_is_enough_and_no_more(hot: int, asked: list[int]) -> None:
    desk = FundingDesk(hot=hot)
    desk.capital(9_000, vault=Vault.COLD)
    for tens in asked:
        desk.ask(tens * 10)
    wanted = sum(row.wanted for row in top_ups(desk.state) if row.asset == "ETH")
    if wanted:
        sent = f.RecordTopUp(
            network="NET",
            asset=ETH,
            atoms=wanted,
            tx_id="t",
            confirmations=FINALITY,
            cost=0,
            person="ann",
        )
        assert desk.do(sent) == ""
    assert top_ups(desk.state) == []
    for number in list(desk.listing().queue):
        assert why_not_now(desk.state, desk.withdrawal(number)) is None
        assert desk.prepare(number, cost=0) == ""
        assert desk.withdrawal(number).state is WithdrawalState.PREPARED
    left = desk.state.held_in("NET", Vault.HOT, ETH) - desk.listing().reserved
    assert left >= 50
    assert not wanted or left == 50, "not an atom more than to the floor"
