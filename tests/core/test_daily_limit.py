"""The daily limit against a naive one: in no 24 hours more than the limit is on its way out."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.funding_desk import DAY_S, ETH, SECOND_NS, FundingDesk

from seawall.core.withdrawals import daily_room
from seawall.model import funding_commands as f
from seawall.model.funding import WithdrawalState
from seawall.model.ids import UserId

LIMIT = 600
steps = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "cancel", "reject", "return"]),
    st.integers(20, 400),
    st.sampled_from([1, 60, DAY_S // 4, DAY_S // 2, DAY_S - 1, DAY_S]),
)
GIVEN_BACK = (WithdrawalState.CANCELED, WithdrawalState.REJECTED, WithdrawalState.RETURNED)


@given(st.lists(steps, max_size=20))
@settings(max_examples=60, deadline=None)
def test_no_day_has_more_than_its_limit(played: list[tuple[str, int, int]]) -> None:
    desk = FundingDesk()
    desk.do(f.SetDailyLimit(tier=0, asset=ETH, atoms=LIMIT))
    for what, number, after_s in played:
        rows = desk.state.book.withdrawals
        if what == "ask":
            now_ns = desk.now_ns + after_s * SECOND_NS
            recent = sum(
                row.atoms
                for row in rows.values()
                if row.requested_ns > now_ns - DAY_S * SECOND_NS and row.state not in GIVEN_BACK
            )
            answer = desk.ask(number, after_s=after_s)
            assert (answer == "daily_limit") == (recent + number > LIMIT)
            left = LIMIT - recent - (0 if answer else number)
            assert daily_room(desk.state, 1, ETH) == left
        elif rows:
            chosen = 1 + number % len(rows)
            if what == "cancel":
                desk.do(
                    f.CancelWithdrawal(user_id=UserId(1), withdrawal_id=chosen), after_s=after_s
                )
            elif what == "reject":
                desk.reject(chosen)
            else:
                desk.prepare(chosen)
                desk.give_back(chosen, "foreign")
