"""Any queue under any stage: limits hold, and nobody who fits is overtaken."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.funding_desk import ETH, FundingDesk

from seawall.model import funding_commands as f
from seawall.model.commands import Deliver
from seawall.model.funding import Service, ServiceStatus, WithdrawalState
from seawall.model.ids import UserId
from seawall.model.messages import MoveFunds
from seawall.treasury.following import first_in_turn, in_turn

amounts = st.integers(2, 40).map(lambda tens: tens * 10)
limits = st.tuples(
    st.sampled_from([0, 50, 100, 250]),
    st.sampled_from([0, 100, 300]),
    st.sampled_from([0, 60, 400, 900]),
)


def fits(naive: "Naive", user: int, atoms: int) -> bool:
    per_withdrawal, per_user, total = naive.limits
    return (
        atoms <= (per_withdrawal or 100)
        and (not per_user or naive.by_user.get(user, 0) + atoms <= per_user)
        and (not total or naive.all + atoms <= total)
    )


class Naive:
    """A second account of one stage."""

    def __init__(self, limits: tuple[int, int, int]) -> None:
        self.limits = limits
        self.by_user: dict[int, int] = {}
        self.all = 0

    def take(self, user: int, atoms: int) -> None:
        self.by_user[user] = self.by_user.get(user, 0) + atoms
        self.all += atoms


@settings(max_examples=40, deadline=None)
@given(
    queue=st.lists(st.tuples(st.integers(1, 3), amounts), min_size=1, max_size=10),
    stages=st.lists(limits, min_size=1, max_size=3),
    picks=st.lists(st.integers(0, 9), max_size=8),
)
def test_limits_hold_and_nobody_who_fits_is_overtaken(
    queue: list[tuple[int, int]], stages: list[tuple[int, int, int]], picks: list[int]
) -> None:
    desk = FundingDesk(hot=100_000)
    for number, user in enumerate((1, 2, 3), 3):
        message = MoveFunds(transfer_id=number, user_id=UserId(user), asset=ETH, atoms=10_000)
        desk.do(Deliver(source="spot", number=number, message=message))
    for user, atoms in queue:
        assert desk.ask(atoms, user=user) == ""
    for order, (per_withdrawal, per_user, total) in enumerate(stages, 1):
        stage = f.SetService(
            asset=ETH,
            network="NET",
            service=Service.WITHDRAWAL,
            status=ServiceStatus.LIMITED,
            reason=f"stage {order}",
            order=order,
            per_withdrawal=per_withdrawal,
            per_user=per_user,
            total=total,
        )
        assert desk.do(stage) == ""
        drain(desk, Naive((per_withdrawal, per_user, total)), picks)


def drain(desk: FundingDesk, naive: Naive, picks: list[int]) -> None:
    """Prepare in any order, then in turn until nothing fits; the naive account must agree."""
    for pick in picks:
        waiting = desk.listing().queue
        if waiting:
            number = waiting[pick % len(waiting)]
            row = desk.withdrawal(number)
            ahead = [desk.withdrawal(each) for each in waiting[: waiting.index(number)]]
            free = not any(fits(naive, each.user_id, each.atoms) for each in ahead)
            expected = fits(naive, row.user_id, row.atoms) and free
            assert (desk.prepare(number) == "") == expected
            if expected:
                naive.take(row.user_id, row.atoms)
    while (first := first_in_turn(desk.state, desk.listing())) is not None:
        batch = in_turn(desk.state, desk.listing(), 4, 1)
        assert batch[0] is first
        for row in batch:
            number = row.withdrawal_id
            assert fits(naive, row.user_id, row.atoms)
            assert desk.prepare(number) == "", "what is signed together may be journaled together"
            naive.take(row.user_id, row.atoms)
    for number in desk.listing().queue:
        row = desk.withdrawal(number)
        assert row.state is WithdrawalState.QUEUED
        assert not fits(naive, row.user_id, row.atoms), "what fits is paid"
