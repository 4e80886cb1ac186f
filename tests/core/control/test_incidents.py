"""Incidents: what begins, joins and ends them, what is said in time, and what flaps."""

import pytest
from tests.core.control.incident_desk import ETH, LTC, MARKETS, SECOND, Desk
from tests.core.control.test_gates import rejection

from seawall.model import control_commands as c
from seawall.model import limits
from seawall.model.commands import Tick
from seawall.model.control_events import PostureOrdered
from seawall.model.control_rows import Incident
from seawall.model.events import Event
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity, Stage
from seawall.model.rejections import Rejection
from seawall.model.runbook import GateName
from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.watch_facts import Health


def well() -> Desk:
    desk = Desk()
    desk.set_up()
    desk.seconds(45)
    assert desk.state.book.next_incident == 2, "the runbook closes what it cannot see at first"
    assert all(posture is Posture.OPEN for posture in desk.postures().values())
    return desk


def last(desk: Desk) -> Incident:
    return desk.state.book.incidents[desk.state.book.next_incident - 1]


def observe(desk: Desk, posture: Posture, by: str, order: int | None = None) -> Rejection | None:
    row = desk.row(ETH)
    command = c.ObservePosture(
        service=ETH,
        posture=posture,
        reason="3 atoms differ",
        by=by,
        order=row.order if order is None else order,
    )
    return rejection(desk.play(command))


def kinds(incident: Incident) -> list[str]:
    return [update.kind for update in incident.updates]


def test_a_difference_pauses_and_comes_back_by_the_ladder() -> None:
    desk = well()
    assert observe(desk, Posture.PAUSED, "reconciliation") is None
    desk.failing[GateName.CHAIN_RECONCILED.value] = True
    desk.seconds(40)
    incident = last(desk)
    assert (incident.kind, incident.facts["asset"]) == ("reconciliation_difference", "ETH")
    assert desk.plan(ETH).stages[-1].stage is Stage.VERIFY, "the books still differ"
    desk.failing.clear()
    for _ in range(60):
        desk.second()
        desk.approve_all("ann", "bob")
    assert desk.row(ETH).posture is Posture.OPEN
    assert incident.phase is IncidentPhase.RESOLVED


def test_what_people_close_they_open() -> None:
    desk = well()
    order = c.OrderPosture(
        services=("withdrawal/*",), posture=Posture.PAUSED, reason="odd payments", person="ann"
    )
    assert rejection(desk.play(order)) is None
    desk.seconds(90)
    assert desk.row(ETH).posture is desk.row(LTC).posture is Posture.PAUSED
    assert rejection(desk.play(order)) is Rejection.NOT_TOWARDS_LESS
    incident = last(desk)
    resolve = c.ResolveIncident(incident=incident.number, person="ann")
    assert rejection(desk.play(resolve)) is Rejection.STILL_CLOSED
    start = c.StartPlan(services=(ETH,), person="ann")
    assert rejection(desk.play(start)) is None
    assert rejection(desk.play(start)) is Rejection.ALREADY_EXISTS
    for _ in range(90):
        desk.second()
        desk.approve_all("ann", "bob")
    assert desk.row(ETH).posture is Posture.OPEN
    assert desk.row(LTC).posture is Posture.PAUSED, "nobody asked for it"
    assert incident.phase is IncidentPhase.MONITORING


def test_a_persons_order_ends_the_way_up() -> None:
    """`Pause all` means what is on its way too, though it stands no higher."""
    desk = well()
    desk.bad["provider/amber"] = Health.DOWN
    desk.seconds(23)
    assert desk.row(ETH).stage is Stage.CANARY or desk.row(ETH).stage is Stage.LIMITED
    number = desk.row(ETH).plan
    order = c.OrderPosture(
        services=("withdrawal/*",), posture=Posture.PAUSED, reason="wait", person="ann"
    )
    assert rejection(desk.play(order)) is None
    assert desk.state.book.plans[number].status is PlanStatus.ABANDONED
    desk.seconds(90)
    assert desk.row(ETH).posture is Posture.PAUSED


def test_a_person_may_take_a_service_up_in_its_cell() -> None:
    desk = well()
    desk.bad["provider/amber"] = Health.DOWN
    desk.seconds(5)
    number = desk.row(ETH).plan
    late = desk.row(ETH).order - 1
    assert observe(desk, Posture.OPEN, "ann", late) is Rejection.STALE_ORDER
    assert observe(desk, Posture.OPEN, "ann") is None
    desk.seconds(5)
    assert desk.row(ETH).posture is Posture.OPEN, "the rule has answered, and does not again"
    assert desk.state.book.plans[number].status is PlanStatus.ABANDONED
    assert observe(desk, Posture.PAUSED, "reconciliation") is None
    assert observe(desk, Posture.OPEN, "reconciliation") is None
    assert desk.row(ETH).posture is Posture.PAUSED, "a machine does not"


def test_a_long_silence_of_the_cell_brings_withdrawals_back_in_stages() -> None:
    desk = well()
    desk.play(Tick(), 29 * SECOND)
    assert desk.row(ETH).posture is Posture.OPEN
    desk.seconds(20)
    desk.play(Tick(), 31 * SECOND)
    assert desk.row(ETH).posture is desk.row(LTC).posture is Posture.PAUSED
    assert (last(desk).kind, last(desk).facts) == ("lease_lapsed", {"silent_s": "31"})
    assert desk.plan(ETH).plan_id != desk.plan(LTC).plan_id


def test_what_shares_cause_services_or_minutes_is_one_incident() -> None:
    desk = well()
    desk.bad["cell/spot"] = Health.DOWN
    desk.seconds(5)
    first = last(desk)
    assert first.severity is Severity.CRITICAL
    desk.seconds(125)
    desk.bad["provider/amber"] = Health.DOWN
    desk.seconds(5)
    assert last(desk) is first, "it concerns withdrawals too"
    assert first.severity is Severity.CRITICAL, "never made lighter by a rule"
    assert first.dependencies == ["cell/spot", "provider/amber"]
    desk.bad["cell/funding"] = Health.DOWN
    desk.seconds(5)
    assert last(desk) is not first, "two minutes later, of other services, for another cause"
    assert last(desk).services == ["transfers", "deposit/ETH/ETHEREUM"]


def test_a_feed_explains_but_does_not_decide() -> None:
    desk = well()
    desk.bad["provider/amber"] = Health.DOWN
    desk.seconds(3)
    assert last(desk).phase is IncidentPhase.INVESTIGATING
    signal = Signal(
        dependency="provider/amber", kind=SignalKind.FEED, health=Health.DOWN, detail="power"
    )
    report = WatchReport(watcher="blue", number=desk.now, observed_ns=desk.now, signals=(signal,))
    desk.play(c.TakeReport(report=report))
    assert last(desk).phase is IncidentPhase.IDENTIFIED
    assert last(desk).updates[-1].facts["source"] == "feed"
    desk.bad.clear()
    desk.seconds(14)
    assert last(desk).phase is IncidentPhase.MONITORING


def test_a_promised_word_is_said_or_counted_as_missed() -> None:
    desk = well()
    desk.play(
        c.OpenIncident(severity=Severity.MAJOR, services=(), title_en="Odd mail", person="ann")
    )
    incident = last(desk)
    desk.seconds(119)
    assert kinds(incident) == ["opened"]
    desk.seconds(3)
    assert kinds(incident) == ["opened", "still_the_same"]
    assert incident.missed_updates == 0
    update = c.UpdateIncident(incident=incident.number, words_en="A phish.", person="ann")
    desk.play(update, 60 * SECOND)
    assert incident.next_update_ns == desk.now + 120 * SECOND, "people's words count"
    desk.play(Tick(), 151 * SECOND)
    assert kinds(incident)[-1] == "still_the_same"
    assert incident.missed_updates == 1, "half a minute late is late"
    desk.play(c.ResolveIncident(incident=incident.number, person="ann"))
    assert (incident.phase, incident.next_update_ns) == (IncidentPhase.RESOLVED, 0)
    assert rejection(desk.play(c.ResolveIncident(incident=99, person="ann"))) is (
        Rejection.UNKNOWN_INCIDENT
    )


def test_a_delisted_service_leaves_its_plan() -> None:
    desk = well()
    desk.bad["cell/spot"] = Health.DOWN
    desk.seconds(4)
    plan = desk.plan(MARKETS[0])
    alone = desk.plan(ETH)
    without = tuple(name for name in desk.services if name not in (MARKETS[0], ETH))
    desk.play(c.DefineServices(services=without))
    assert plan.services == [MARKETS[1]]
    assert alone.status is PlanStatus.ABANDONED
    assert alone.stages[-1].why_left == "delisted"
    desk.services = without
    desk.bad.clear()
    for _ in range(150):
        desk.second()
        desk.approve_all("ann", "bob")
    assert plan.status is PlanStatus.DONE
    assert last(desk).phase is IncidentPhase.RESOLVED, "what is no more is waited for by nobody"


class Counter(Desk):
    """Counts the orders that each service gets."""

    services = (*MARKETS, ETH, "transfers")

    def __init__(self) -> None:
        super().__init__()
        self.moves: dict[str, int] = dict.fromkeys(self.services, 0)

    def play(self, command: c.ControlCommand, after_ns: int = SECOND // 100) -> list[Event]:
        events = super().play(command, after_ns)
        for event in events:
            if isinstance(event, PostureOrdered):
                self.moves[event.name] += 1
        return events


@pytest.mark.parametrize("period", [25, 61])
def test_what_flaps_moves_services_seldom(period: int) -> None:
    """Half a period down, half well, for twenty minutes, all gates passing and people eager."""
    desk = Counter()
    desk.set_up()
    desk.seconds(45)
    for second in range(1_200):
        begun = desk.now
        down = second % period < (period + 1) // 2
        desk.bad = {"cell/spot": Health.DOWN, "rpc/ETHEREUM/one": Health.DOWN} if down else {}
        for watcher in desk.rounds_of[:2]:
            desk.report(watcher)
        if second % 10 == 0:
            desk.measure()
            desk.approve_all("ann", "bob")
        desk.now = begun + SECOND
    # Waits of 1, 2, 4, 8 minutes leave room for five ways up and as many back.
    most = 12
    del desk.moves["transfers"]
    assert all(0 < count <= most for count in desk.moves.values()), desk.moves


def test_planned_work_ends_when_people_say_so() -> None:
    desk = well()
    begins_ns = desk.now + 60 * SECOND
    plan = c.ScheduleMaintenance(
        title_en="New disks",
        services=(ETH,),
        begins_ns=begins_ns,
        ends_ns=begins_ns + 60 * SECOND,
        person="ann",
    )
    assert rejection(desk.play(plan)) is None
    work = desk.state.book.maintenances[1]
    desk.play(Tick(), 600 * SECOND)
    assert work.completed_ns == 0
    later = c.UpdateMaintenance(maintenance=1, ends_ns=desk.now + 60 * SECOND, person="ann")
    assert rejection(desk.play(later)) is None
    done = c.UpdateMaintenance(maintenance=1, completed=True, words_en="Done.", person="ann")
    assert rejection(desk.play(done)) is None
    assert work.completed_ns == desk.now
    assert [update.kind for update in work.updates] == ["moved", "completed"]
    assert rejection(desk.play(done)) is Rejection.WRONG_STATE
    backwards = c.ScheduleMaintenance(
        title_en="Odd", services=(ETH,), begins_ns=desk.now, ends_ns=desk.now, person="ann"
    )
    assert rejection(desk.play(backwards)) is Rejection.INVALID_DEFINITION


def test_what_ended_a_quarter_ago_is_forgotten_with_its_plans() -> None:
    desk = well()
    desk.bad["cell/spot"] = Health.DOWN
    desk.seconds(4)
    assert set(desk.state.book.incidents) == {1, 2}
    desk.play(Tick(), 92 * 86_400 * SECOND)
    assert set(desk.state.book.incidents) == {2}, "what lasts is kept, however old"
    plans = desk.state.book.plans.values()
    assert all(plan.incident == 2 and plan.status is PlanStatus.WAITING for plan in plans)
    assert last(desk).missed_updates == 1


def test_a_timeline_keeps_its_beginning_and_its_end() -> None:
    desk = well()
    opening = c.OpenIncident(severity=Severity.MINOR, services=(), title_en="Odd", person="ann")
    desk.play(opening)
    incident = last(desk)
    for number in range(limits.INCIDENT_UPDATES + 20):
        desk.play(c.UpdateIncident(incident=incident.number, words_en=f"{number}.", person="ann"))
    assert len(incident.updates) == limits.INCIDENT_UPDATES
    assert incident.updates[0].kind == "opened"
    assert incident.updates[-1].words_en == f"{limits.INCIDENT_UPDATES + 19}."
