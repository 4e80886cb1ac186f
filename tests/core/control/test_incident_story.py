"""Incidents told as tables: what happens when, from the cut to the last service that opens."""

from itertools import pairwise

from tests.core.control.incident_desk import ETH, LTC, MARKETS, SECOND, Desk

from seawall.model.control_commands import ControlCommand
from seawall.model.control_events import PostureOrdered, StageEntered, SteppedBack
from seawall.model.events import Event
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity, Stage
from seawall.model.runbook import GateName
from seawall.model.watch_facts import Health


class Teller(Desk):
    """Writes down when a service moves or enters a stage, in seconds since `begin`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service
        self.begun = 0
        self.lines: list[str] = []

    def play(self, command: ControlCommand, after_ns: int = SECOND // 100) -> list[Event]:
        events = super().play(command, after_ns)
        for event in events:
            if isinstance(event, PostureOrdered) and event.name == self.service:
                self.line("ordered", event.posture.value)
            elif isinstance(event, StageEntered | SteppedBack):
                what = "entered" if isinstance(event, StageEntered) else "back to"
                if self.service in event.plan.services:
                    self.line(what, event.plan.stages[-1].stage.value)
        return events

    def line(self, what: str, where: str) -> None:
        if self.begun:
            self.lines.append(f"{(self.now - self.begun) // SECOND} {what} {where}")

    def begin(self) -> None:
        self.begun = self.now

    def told(self) -> list[str]:
        return self.lines

    def until_open(self, *people: str) -> None:
        """Let all report, and people agree, until everything is open again."""
        for _ in range(400):
            self.second()
            self.approve_all(*people)
            rows = self.state.book.services.values()
            if all(row.posture is Posture.OPEN and not row.plan for row in rows):
                return


def table(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def ready(service: str) -> Teller:
    """Return a desk at which all has been well for a while."""
    desk = Teller(service)
    desk.set_up()
    desk.seconds(45)
    assert all(posture is Posture.OPEN for posture in desk.postures().values())
    assert all(each.resolved_ns for each in desk.state.book.incidents.values())
    desk.begin()
    return desk


def test_a_provider_is_cut_and_withdrawals_come_back_by_every_gate() -> None:
    desk = ready(ETH)
    desk.bad = {"provider/amber": Health.DOWN, "rpc/ETHEREUM/one": Health.DOWN}
    desk.seconds(30)
    desk.bad.clear()
    number = desk.row(ETH).plan
    desk.until_open("ann", "bob")
    assert desk.told() == table("""
         1  ordered  paused
        60  entered  verify
        60  entered  canary
        61  ordered  limited
        61  entered  limited
        72  ordered  limited
        72  entered  wider
        93  ordered  open
        93  entered  open
    """)
    plan = desk.state.book.plans[number]
    assert plan.status is PlanStatus.DONE
    for row, terms in zip(plan.stages, desk.state.runbook.withdrawal.stage, strict=True):
        assert row.stage is terms.stage
        recorded = [gate.gate for gate in row.gates]
        assert {*terms.gates, *terms.keep} <= {*recorded}, "a stage keeps the record of its gates"
        assert len(row.approvals) == terms.approvals
    incident = desk.state.book.incidents[plan.incident]
    assert (incident.kind, incident.phase) == ("provider_lost", IncidentPhase.RESOLVED)
    kinds = [update.kind for update in incident.updates]
    assert kinds[:2] == ["opened", "posture_changed"]
    assert kinds[-1] == "resolved"


def test_the_other_asset_does_not_wait() -> None:
    desk = ready(LTC)
    desk.bad = {"provider/amber": Health.DOWN, "rpc/ETHEREUM/one": Health.DOWN}
    desk.seconds(30)
    assert desk.row(LTC).posture is Posture.LIMITED
    assert desk.row(ETH).posture is Posture.PAUSED


def test_a_market_is_halted_and_comes_back_by_an_auction_and_collars() -> None:
    desk = ready(MARKETS[0])
    desk.bad["cell/spot"] = Health.DOWN
    desk.seconds(90)
    desk.bad.clear()
    number = desk.row(MARKETS[0]).plan
    desk.until_open("ann", "bob")
    # 20 s well before the halt ends, 20 s before anything but cancels; then 30 s, 60 s and 20 s,
    # as after an outage of more than a minute.
    assert desk.told() == table("""
          2  ordered  halted
        120  ordered  cancel_only
        120  entered  cancel_only
        140  ordered  post_only
        140  entered  post_only
        170  ordered  auction
        170  entered  auction
        230  ordered  open
        230  entered  open_collared
        250  ordered  open
        250  entered  open
    """)
    plan = desk.state.book.plans[number]
    assert plan.services == list(MARKETS), "the markets come back together"
    incident = desk.state.book.incidents[plan.incident]
    assert incident.severity is Severity.CRITICAL
    assert incident.missed_updates == 0
    said = [update.at_ns for update in incident.updates]
    longest_ns = 61 * SECOND
    assert all(then - now <= longest_ns for now, then in pairwise(said))


def test_a_short_outage_has_short_stages() -> None:
    desk = ready(MARKETS[0])
    desk.bad["cell/spot"] = Health.DOWN
    desk.seconds(5)
    desk.bad.clear()
    desk.until_open()
    entered = [line for line in desk.told() if "entered" in line]
    assert entered == table("""
        35  entered  cancel_only
        55  entered  post_only
        65  entered  auction
        75  entered  open_collared
        95  entered  open
    """)


def test_a_gate_that_fails_steps_back_and_waits_longer_each_time() -> None:
    desk = ready(ETH)
    desk.bad["provider/amber"] = Health.DOWN
    desk.seconds(24)
    assert desk.row(ETH).stage is Stage.LIMITED
    desk.failing[GateName.CHAIN_RECONCILED.value] = True
    desk.second()
    assert desk.row(ETH).posture is Posture.PAUSED
    plan = desk.plan(ETH)
    assert (plan.stages[-1].stage, plan.steps_back) == (Stage.PAUSED, 1)
    assert plan.stages[-2].why_left == "chain_reconciled: as measured"
    desk.failing.clear()
    desk.seconds(59)
    assert desk.row(ETH).stage is Stage.PAUSED, "it waits a minute after the first step back"
    desk.seconds(4)
    assert desk.row(ETH).posture is Posture.LIMITED
    payments = [
        gate.value
        for row in plan.stages
        for gate in row.gates
        if gate.gate == GateName.CANARY_SETTLED
    ]
    assert payments == ["payment plan-2-1 is final", "payment plan-2-2 is final"]
    desk.failing[GateName.CHAIN_RECONCILED.value] = True
    desk.second()
    waits_ns = plan.not_before_ns - plan.stages[-1].entered_ns
    assert waits_ns == 120 * SECOND, "and two after the second"
    incident = desk.state.book.incidents[plan.incident]
    kinds = [update.kind for update in incident.updates if update.facts.get("plan") == "2"]
    assert kinds.count("stepped_back") == kinds.count("gate_failed") == 2
