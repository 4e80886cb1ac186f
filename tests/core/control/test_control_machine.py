"""Random lives of the control cell: safe after every entry, refused commands change nothing."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.core.control.guard import Guard
from tests.core.control.incident_desk import DEPENDENCIES, MEASURED, RUNBOOK, SERVICES, Desk

from seawall.core.control.machine import commit_control
from seawall.core.control.state import (
    ControlState,
    digest_control,
    dump_control,
    load_control,
)
from seawall.model import control_commands as c
from seawall.model.commands import Lead, Tick
from seawall.model.events import CommandRejected, CommandRepeated, Event
from seawall.model.ids import Epoch
from seawall.model.posture import IncidentPhase, Posture, Severity, Stage
from seawall.model.runbook import GateName
from seawall.model.watch_facts import Health

SECOND = 1_000_000_000
people = st.sampled_from(["ann", "Ann ", "bob", "eve", ""])
services = st.sampled_from([*SERVICES, "market/*", "withdrawal/*", "*", "market/NOUSDT"])
numbers = st.integers(0, 9)
WITHOUT_CANARY = RUNBOOK.replace(
    """[[withdrawal.stage]]
stage = "canary"
gates = ["replicas_equal", "ledger_zero_sum", "chain_reconciled", "statement_signed"]

""",
    "",
).replace('"canary_settled", ', "")


class GuardedDesk(Desk):
    """A desk whose every entry the guard sees; a refused one is compared with a tick."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = Guard()

    def play(self, command: c.ControlCommand, after_ns: int = SECOND // 100) -> list[Event]:
        before = dump_control(self.state)
        events = super().play(command, after_ns)
        self.guard.after(self.state, command, events)
        if events and isinstance(events[0], CommandRejected):
            twin = load_control(before)
            commit_control(twin, Tick(), sequence=len(self.log), at_ns=self.now)
            assert digest_control(twin) == self.digest(), "a refused command is a tick"
        return events


class ControlLife(RuleBasedStateMachine):
    """All that can happen to the cell, in any order."""

    @initialize()
    def set_up(self) -> None:
        self.desk = GuardedDesk()
        self.desk.set_up()
        self.desk.seconds(30)
        self.epoch = 1

    # the world

    @rule(count=st.integers(1, 25))
    def time_passes(self, count: int) -> None:
        self.desk.seconds(count)

    @rule(count=st.integers(10, 60), hot=st.sampled_from([10**9, 10**9, 10**6]))
    def all_is_well(self, count: int, hot: int) -> None:
        self.desk.bad.clear()
        self.desk.failing.clear()
        self.desk.users = Health.OK
        self.desk.hot = hot
        self.desk.queued = 10**6
        for _ in range(count):
            self.desk.second()
            self.desk.approve_all("ann", "bob")

    @rule(name=st.sampled_from(["provider/amber", "cell/spot", "rpc/ETHEREUM/one"]))
    def trouble(self, name: str) -> None:
        self.desk.bad[name] = Health.DOWN
        self.desk.seconds(3)
        self.desk.bad.clear()
        self.desk.seconds(25)

    @rule(start=st.sampled_from(["withdrawal/*", "market/*", "*"]), incident=st.integers(0, 2))
    def start_again(self, start: str, incident: int) -> None:
        self.desk.play(c.StartPlan(services=(start,), incident=incident, person="ann"))
        self.desk.seconds(25)

    @rule(seconds=st.sampled_from([1, 3, 8, 20, 40, 200]))
    def nobody_reports(self, seconds: int) -> None:
        for _ in range(min(seconds, 10)):
            self.desk.play(Tick(), seconds * SECOND // min(seconds, 10))

    @rule(seconds=st.sampled_from([5, 29, 31, 500]))
    def silence(self, seconds: int) -> None:
        self.desk.play(Tick(), seconds * SECOND)

    @rule(name=st.sampled_from(DEPENDENCIES), health=st.sampled_from([*Health, None, None]))
    def dependency(self, name: str, health: Health | None) -> None:
        self.desk.bad.pop(name, None)
        if health is not None:
            self.desk.bad[name] = health

    @rule(name=st.sampled_from([*MEASURED, GateName.CANARY_SETTLED]), fails=st.booleans())
    def gate(self, name: GateName, fails: bool) -> None:
        self.desk.failing.pop(name.value, None)
        if fails:
            self.desk.failing[name.value] = True

    @rule(hot=st.sampled_from([-5, 0, 10**6, 10**8 + 10**6, 10**9]), queue=st.integers(0, 10**7))
    def wallet(self, hot: int, queue: int) -> None:
        self.desk.hot = hot
        self.desk.queued = queue

    @rule(health=st.sampled_from([Health.OK, Health.OK, Health.DEGRADED]))
    def users(self, health: Health) -> None:
        self.desk.users = health

    @rule()
    def another_leads(self) -> None:
        self.epoch += 1
        self.desk.play(Lead(epoch=Epoch(self.epoch), node="blue"))

    @rule()
    def crash(self) -> None:
        before = self.desk.digest()
        self.desk.state = load_control(dump_control(self.desk.state))
        assert self.desk.digest() == before

    # other cells

    @rule(
        service=st.sampled_from(SERVICES),
        posture=st.sampled_from(list(Posture)),
        by=st.sampled_from(["reconciliation", "enactor", "ann"]),
        late=st.integers(0, 1),
    )
    def observed(self, service: str, posture: Posture, by: str, late: int) -> None:
        row = self.desk.state.book.services.get(service)
        self.desk.play(
            c.ObservePosture(
                service=service,
                posture=posture,
                reason="seen",
                by=by,
                order=max((row.order if row else 0) - late, 0),
            )
        )

    @rule(left_out=st.sampled_from([*SERVICES, "", ""]))
    def define(self, left_out: str) -> None:
        named = tuple(name for name in SERVICES if name != left_out)
        self.desk.play(c.DefineServices(services=named))

    # people

    @rule(text=st.sampled_from([RUNBOOK, RUNBOOK, WITHOUT_CANARY, "version = 7"]))
    def adopt(self, text: str) -> None:
        self.desk.play(c.AdoptRunbook(text=text, person="ann"))

    @rule(service=services, posture=st.sampled_from(list(Posture)), person=people)
    def order(self, service: str, posture: Posture, person: str) -> None:
        self.desk.play(
            c.OrderPosture(services=(service,), posture=posture, reason="drill", person=person)
        )

    @rule(service=services, incident=numbers, person=people)
    def start(self, service: str, incident: int, person: str) -> None:
        self.desk.play(c.StartPlan(services=(service,), incident=incident // 3, person=person))

    @rule(plan=numbers, stage=st.sampled_from(list(Stage)), person=people)
    def approve(self, plan: int, stage: Stage, person: str) -> None:
        self.desk.play(c.ApproveStage(plan_id=plan, stage=stage, person=person))

    @rule(person=people)
    def approve_what_waits(self, person: str) -> None:
        self.desk.approve_all(person)

    @rule(plan=numbers, held=st.booleans(), person=people)
    def hold(self, plan: int, held: bool, person: str) -> None:
        self.desk.play(c.HoldPlan(plan_id=plan, held=held, reason="wait", person=person))

    @rule(plan=numbers, person=people)
    def back(self, plan: int, person: str) -> None:
        self.desk.play(c.StepBack(plan_id=plan, reason="not yet", person=person))

    @rule(data=st.data())
    def paperwork(self, data: st.DataObject) -> None:
        begins_ns = self.desk.now + data.draw(st.integers(-5, 5)) * SECOND
        service = data.draw(st.sampled_from(SERVICES))
        number = data.draw(numbers)
        commands: list[c.ControlCommand] = [
            c.OpenIncident(
                severity=Severity.MINOR, services=(service,), title_en="Odd", person="ann"
            ),
            c.UpdateIncident(
                incident=number,
                words_en=data.draw(st.sampled_from(["", "We look into it."])),
                phase=data.draw(st.sampled_from([None, *IncidentPhase])),
                severity=data.draw(st.sampled_from([None, *Severity])),
                person="ann",
            ),
            c.ResolveIncident(incident=number, person="ann"),
            c.ScheduleMaintenance(
                title_en="Work",
                services=(service,),
                begins_ns=begins_ns,
                ends_ns=begins_ns + data.draw(st.integers(-1, 9)) * SECOND,
                person="ann",
            ),
            c.UpdateMaintenance(
                maintenance=number,
                completed=data.draw(st.booleans()),
                ends_ns=data.draw(st.sampled_from([None, begins_ns, begins_ns + 60 * SECOND])),
                person="ann",
            ),
        ]
        self.desk.play(data.draw(st.sampled_from(commands)))


ControlLife.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, derandomize=True
)
TestControlLife = ControlLife.TestCase


def test_a_command_id_takes_effect_once() -> None:
    state = ControlState()
    command = c.DefineServices(services=("transfers",))
    words = c.OpenIncident(severity=Severity.MINOR, services=(), title_en="Odd", person="ann")
    sent: list[tuple[c.ControlCommand, str]] = [
        (command, "one"), (words, "two"), (words, "two"), (words, "three"), (words, ""),
    ]  # fmt: skip
    answers = [
        commit_control(state, each, sequence=place, at_ns=place * SECOND, command_id=name)[0]
        for place, (each, name) in enumerate(sent, start=1)
    ]
    repeated = answers[2]
    assert isinstance(repeated, CommandRepeated)
    assert repeated.sequence == 2
    assert len(state.book.incidents) == 3
    refused = c.OpenIncident(severity=Severity.MINOR, services=(), title_en="", person="ann")
    for place in (6, 7):
        event = commit_control(
            state, refused, sequence=place, at_ns=place * SECOND, command_id="four"
        )[0]
        assert isinstance(event, CommandRejected), "a refused one may come again"
