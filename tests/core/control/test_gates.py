"""What opens a stage and what does not: evidence, people, and the hot wallet."""

import pytest
from tests.core.control.incident_desk import ETH, MARKETS, RUNBOOK, SECOND, Desk

from seawall.model import control_commands as c
from seawall.model.commands import Tick
from seawall.model.control_events import TopUpWanted
from seawall.model.control_rows import GateResult, Plan
from seawall.model.events import CommandRejected, Event
from seawall.model.posture import PlanStatus, Posture, Stage
from seawall.model.rejections import Rejection
from seawall.model.runbook import GateName
from seawall.model.watch_facts import Health

FRESH_S = 30
"""Of the desk's runbook."""


def rejection(events: list[Event]) -> Rejection | None:
    first = events[0] if events else None
    return first.reason if isinstance(first, CommandRejected) else None


def paused() -> Desk:
    """Return a desk at which a provider was lost a moment ago."""
    desk = Desk()
    desk.set_up()
    desk.seconds(40)
    desk.bad["provider/amber"] = Health.DOWN
    desk.seconds(3)
    return desk


def until(desk: Desk, stage: Stage, *people: str) -> Plan:
    for _ in range(120):
        if desk.row(ETH).stage is stage:
            return desk.plan(ETH)
        desk.second()
        desk.approve_all(*people)
    message = f"never {stage}"
    raise AssertionError(message)


def gate(plan: Plan, name: GateName) -> GateResult:
    return next(each for each in plan.gates if each.gate == name)


def approve(desk: Desk, stage: Stage, person: str) -> Rejection | None:
    number = desk.plan(ETH).plan_id
    return rejection(desk.play(c.ApproveStage(plan_id=number, stage=stage, person=person)))


def measured(
    desk: Desk, name: GateName, value: str, ago_s: int = 0, scope: str = ""
) -> list[Event]:
    reading = c.GateReading(
        gate=name.value,
        scope=scope,
        passed=True,
        value=value,
        measured_ns=desk.now - ago_s * SECOND,
    )
    return desk.play(c.ReportGates(reporter="gates", readings=(reading,)))


def test_two_different_people_open_a_wide_step() -> None:
    desk = paused()
    until(desk, Stage.LIMITED)
    assert approve(desk, Stage.WIDER, "ann") is Rejection.WRONG_STATE, "not before the evidence"
    desk.seconds(12)
    assert desk.plan(ETH).status is PlanStatus.APPROVAL
    assert approve(desk, Stage.OPEN, "ann") is Rejection.WRONG_STAGE
    assert approve(desk, Stage.WIDER, " ") is Rejection.INVALID_DEFINITION
    assert approve(desk, Stage.WIDER, "Ann Ruiz") is None
    assert approve(desk, Stage.WIDER, "ann  ruiz") is Rejection.SAME_PERSON
    desk.second()
    assert desk.row(ETH).stage is Stage.LIMITED
    assert approve(desk, Stage.WIDER, "Bob") is None
    assert desk.row(ETH).stage is Stage.WIDER
    assert desk.plan(ETH).stages[-1].approvals == ["Ann Ruiz", "Bob"]
    number = desk.plan(ETH).plan_id
    ended = c.ApproveStage(plan_id=number + 9, stage=Stage.OPEN, person="ann")
    assert rejection(desk.play(ended)) is Rejection.UNKNOWN_PLAN


def test_approvals_lapse_with_what_was_agreed_to() -> None:
    desk = paused()
    until(desk, Stage.LIMITED)
    desk.seconds(12)
    assert approve(desk, Stage.WIDER, "ann") is None
    desk.users = Health.DEGRADED
    desk.seconds(2)
    assert not desk.plan(ETH).approvals, "a gate failed: the picture is another"
    desk.users = Health.OK
    desk.seconds(2)
    assert approve(desk, Stage.WIDER, "ann") is None
    back = c.StepBack(plan_id=desk.plan(ETH).plan_id, reason="not yet", person="eve")
    assert rejection(desk.play(back)) is None
    assert not desk.plan(ETH).approvals
    assert desk.row(ETH).posture is Posture.PAUSED
    assert rejection(desk.play(back)) is Rejection.WRONG_STAGE, "it is back already"


def test_only_this_plans_payment_settles_its_canary() -> None:
    desk = paused()
    desk.failing[GateName.CANARY_SETTLED.value] = True
    plan = until(desk, Stage.CANARY)
    desk.seconds(3)
    key = desk.row(ETH).canary
    assert key == f"plan-{plan.plan_id}-1"
    for other in ("plan-1-1", f"{key}1", ""):
        measured(desk, GateName.CANARY_SETTLED, f"payment {other} is final", scope=ETH)
        desk.second()
        assert desk.row(ETH).stage is Stage.CANARY, other
        assert gate(plan, GateName.CANARY_SETTLED).passed is None
    measured(desk, GateName.CANARY_SETTLED, f"payment {key} is final", scope=ETH)
    assert desk.row(ETH).stage is Stage.LIMITED
    assert not desk.row(ETH).canary


def test_a_settled_canary_stays_settled_while_the_rest_takes_its_time() -> None:
    desk = paused()
    desk.failing[GateName.CANARY_SETTLED.value] = True
    desk.unmeasured[GateName.CHAIN_RECONCILED.value] = True
    until_verified(desk)
    key = desk.row(ETH).canary
    measured(desk, GateName.CANARY_SETTLED, f"payment {key} is final", scope=ETH)
    desk.seconds(FRESH_S + 5)
    assert desk.row(ETH).stage is Stage.CANARY
    measured(desk, GateName.CHAIN_RECONCILED, "again", scope=ETH)
    desk.second()
    assert desk.row(ETH).stage is Stage.LIMITED, "long ago settled is settled"


def until_verified(desk: Desk) -> None:
    """Lead withdrawals to their canary, with chain and ledger compared at each step."""
    for _ in range(60):
        if desk.row(ETH).stage is Stage.CANARY:
            return
        measured(desk, GateName.CHAIN_RECONCILED, "equal", scope=ETH)
        desk.second()
    message = "never a canary"
    raise AssertionError(message)


def test_last_weeks_proof_opens_nothing() -> None:
    desk = paused()
    desk.unmeasured[GateName.STATEMENT_SIGNED.value] = True
    plan = until(desk, Stage.VERIFY)
    desk.seconds(1)
    early = (desk.now - plan.stages[-1].entered_ns) // SECOND + 1
    measured(desk, GateName.STATEMENT_SIGNED, "old", early)
    found = gate(plan, GateName.STATEMENT_SIGNED)
    assert (found.passed, found.needs) == (None, "measured in this stage")
    measured(desk, GateName.STATEMENT_SIGNED, "new")
    assert desk.row(ETH).stage is Stage.CANARY


def test_measurements_from_wrong_clocks_and_old_ones_are_not_believed() -> None:
    desk = paused()
    assert rejection(measured(desk, GateName.REPLICAS_EQUAL, "?", -31)) is Rejection.REPORT_CLOCK
    measured(desk, GateName.REPLICAS_EQUAL, "late", 60)
    known = desk.state.book.gates["replicas_equal|"].reading
    assert known.value == "as measured", "the newest counts"
    for name in (GateName.DEPENDENCIES_HEALTHY, GateName.USER_REPORTS_CALM):
        assert rejection(measured(desk, name, "fine")) is Rejection.INVALID_DEFINITION


def test_the_hot_wallet_covers_the_queue_then_the_run() -> None:
    """Usual outflow 10**6 an hour, ten times that for ten hours, and 10**6 in the queue."""
    desk = paused()
    desk.hot = 10**6 - 1
    until(desk, Stage.CANARY)
    desk.seconds(3)
    assert desk.row(ETH).stage is Stage.CANARY
    assert gate(desk.plan(ETH), GateName.HOT_WALLET_COVERS).passed is False
    cover = desk.state.book.covers["ETH/ETHEREUM"]
    assert cover.top_up_atoms == 100 * 10**6 + 1, "asked at once for what it takes in the end"
    desk.hot = 10**6
    desk.second()
    assert desk.row(ETH).stage is Stage.LIMITED
    assert desk.row(ETH).limits.per_withdrawal == 1_000, "a thousandth of what is there"
    desk.hot = 101 * 10**6 - 1
    desk.seconds(15)
    desk.approve_all("ann", "bob")
    assert desk.row(ETH).stage is Stage.LIMITED
    desk.hot = 101 * 10**6
    desk.second()
    desk.approve_all("ann", "bob")
    assert desk.row(ETH).stage is Stage.WIDER
    assert desk.state.book.covers["ETH/ETHEREUM"].top_up_atoms == 0


def test_a_silence_is_no_health() -> None:
    """Nobody spoke for longer than the ladder asks for health: that opens nothing."""
    desk = paused()
    desk.seconds(5)
    desk.play(Tick(), 25 * SECOND)
    assert desk.plan(ETH).status is PlanStatus.WAITING
    desk.seconds(19)
    assert desk.row(ETH).stage is Stage.PAUSED, "it is counted from when somebody speaks again"
    desk.seconds(3)
    assert desk.row(ETH).stage is not Stage.PAUSED


def test_a_share_of_little_is_one_atom_and_not_no_limit() -> None:
    desk = paused()
    desk.hot = 10
    desk.queued = 0
    until(desk, Stage.LIMITED)
    limits = desk.row(ETH).limits
    assert (limits.per_withdrawal, limits.per_user, limits.total) == (1, 1, 1)


def test_people_are_asked_for_a_top_up_once_and_again_when_it_grows() -> None:
    desk = paused()
    desk.hot = 10**6
    desk.second()

    def asked(queued: int) -> list[int]:
        desk.queued = queued
        events = desk.cover("ETH", "ETHEREUM")
        return [event.atoms for event in events if isinstance(event, TopUpWanted)]

    assert asked(10**6) == []
    assert asked(2 * 10**6) == [], "a hundredth more is no news"
    assert asked(30 * 10**6) == [129 * 10**6]
    desk.play(c.ReportGates(reporter="gates", readings=()), 3_601 * SECOND)
    assert asked(30 * 10**6) == [], "an hour has passed, and the last entry asked again"
    assert desk.state.book.covers["ETH/ETHEREUM"].top_up_asked_ns > desk.now - SECOND


def test_no_cover_no_limits() -> None:
    """A share of nothing known would be no limit at all."""
    desk = paused()
    desk.state.book.covers.clear()
    desk.failing[GateName.CANARY_SETTLED.value] = True
    until(desk, Stage.CANARY)
    desk.failing.clear()
    desk.state.book.covers.clear()
    desk.services = ()
    desk.seconds(3)
    assert desk.row(ETH).stage is Stage.CANARY
    assert gate(desk.plan(ETH), GateName.HOT_WALLET_COVERS).value == "nobody has told"


@pytest.mark.parametrize("health", [Health.DEGRADED, Health.UNKNOWN])
def test_users_must_be_calm_and_somebody_must_say_so(health: Health) -> None:
    desk = paused()
    until(desk, Stage.LIMITED)
    desk.users = health
    desk.seconds(45)
    found = gate(desk.plan(ETH), GateName.USER_REPORTS_CALM)
    assert found.passed is (False if health is Health.DEGRADED else None)
    assert desk.plan(ETH).status is PlanStatus.CHECKING


def test_what_nobody_watches_is_not_healthy() -> None:
    desk = paused()
    desk.play(c.DefineServices(services=(*desk.services, "withdrawal/DOGE/DOGECOIN")))
    assert desk.row("withdrawal/DOGE/DOGECOIN").posture is Posture.PAUSED, "the rule is for it too"
    desk.seconds(30)
    row = desk.row("withdrawal/DOGE/DOGECOIN")
    plan = desk.plan("withdrawal/DOGE/DOGECOIN")
    assert (row.posture, plan.status) == (Posture.PAUSED, PlanStatus.WAITING)
    assert gate(plan, GateName.DEPENDENCIES_HEALTHY).value == "rpc/DOGECOIN/* is unknown"
    assert desk.row(ETH).stage is Stage.LIMITED, "and no other asset waits for it"


def test_a_runbook_without_the_present_stage_steps_back() -> None:
    desk = paused()
    until(desk, Stage.LIMITED)
    head, _, rest = RUNBOOK.partition('[[withdrawal.stage]]\nstage = "limited"')
    other = (
        head + rest.partition("[[withdrawal.stage]]")[1] + rest.partition("[[withdrawal.stage]]")[2]
    )
    assert rejection(desk.play(c.AdoptRunbook(text=other, person="ann"))) is None
    assert desk.row(ETH).posture is Posture.PAUSED
    assert desk.plan(ETH).stages[-1].stage is Stage.PAUSED


def test_markets_stay_where_they_are_while_withdrawals_come_back() -> None:
    desk = paused()
    until(desk, Stage.LIMITED)
    assert all(desk.row(name).posture is Posture.OPEN for name in MARKETS)
