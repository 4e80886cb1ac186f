"""A second opinion on safety.  The rule: it believes entries and events, and no record of the cell.

It keeps its own account of what was measured, and says of every service that is let do more whether
it may.
"""

from seawall.core.control.state import ControlState
from seawall.core.control.ways import is_less
from seawall.core.control.wording import same_name
from seawall.model import control_commands as c
from seawall.model.commands import Checkpoint, Lead, Tick
from seawall.model.control_events import PostureOrdered, StageEntered, SteppedBack
from seawall.model.control_rows import Limits
from seawall.model.events import CommandRejected, CommandRepeated, Event
from seawall.model.posture import Posture, ServiceKind, Stage, service_kind
from seawall.model.runbook import GateName, Ladder, StageTerms
from seawall.model.watch_facts import Health

SECOND = 1_000_000_000
OWN = (
    GateName.DEPENDENCIES_HEALTHY, GateName.USERS_HAD_ACCESS, GateName.USER_REPORTS_CALM,
    GateName.HOT_WALLET_COVERS,
)  # fmt: skip
FRESH_EVIDENCE = (
    GateName.STATEMENT_SIGNED, GateName.CANARY_SETTLED, GateName.CHAIN_RECONCILED,
    GateName.LEDGER_ZERO_SUM, GateName.REPLICAS_EQUAL,
)  # fmt: skip
MACHINES = ("", "enactor", "gates", "watch", "cell", "reconciliation")


class Guard:
    """Follows one control cell from outside."""

    def __init__(self) -> None:
        self.readings: dict[tuple[str, str], c.GateReading] = {}
        self.covers: dict[str, c.ReportCover] = {}
        self.agreed: dict[int, dict[str, str]] = {}
        """By plan: who agreed to its next stage, under the name as it is compared."""
        self.entered: dict[int, tuple[Stage, int]] = {}
        """By plan: its stage, and since when."""
        self.raised = 0
        self.opened = 0

    def after(self, state: ControlState, command: c.ControlCommand, events: list[Event]) -> None:
        """Judge one entry."""
        refused = bool(events) and isinstance(events[0], CommandRejected | CommandRepeated)
        if not refused:
            self._note(state, command)
        steps = [event for event in events if isinstance(event, StageEntered)]
        for step in steps:
            self._judge_step(state, step)
        for event in events:
            if isinstance(event, PostureOrdered):
                self._judge_order(event, steps, command if not refused else Tick())
            elif isinstance(event, StageEntered | SteppedBack):
                row = event.plan.stages[-1]
                self.entered[event.plan.plan_id] = (row.stage, row.entered_ns)
                self.agreed.pop(event.plan.plan_id, None)
        self._judge_standing(state)

    def _note(self, state: ControlState, command: c.ControlCommand) -> None:
        if isinstance(command, c.ReportGates):
            for reading in command.readings:
                key = (reading.gate, reading.scope)
                known = self.readings.get(key)
                if known is None or reading.measured_ns > known.measured_ns:
                    self.readings[key] = reading
        elif isinstance(command, c.ReportCover):
            self.covers[f"{command.asset}/{command.network}"] = command
        elif isinstance(command, c.ApproveStage):
            people = self.agreed.setdefault(command.plan_id, {})
            name = same_name(command.person)
            assert name not in people, "nobody agrees twice"
            people[name] = command.stage
        elif isinstance(command, Lead | Checkpoint):
            assert state.sequence

    def _judge_order(
        self, event: PostureOrdered, steps: list[StageEntered], command: c.ControlCommand
    ) -> None:
        """Let a service do more only by a plan's stage, or a person's own act."""
        kind = service_kind(event.name)
        if not is_less(kind, event.previous, event.posture):
            return
        self.raised += 1
        by_plan = any(event.name in step.plan.services for step in steps)
        by_person = (
            isinstance(command, c.ObservePosture)
            and command.service == event.name
            and command.by not in MACHINES
        )
        assert by_plan or by_person, f"{event.name} does more, and nobody let it"
        if kind is ServiceKind.WITHDRAWAL and event.posture is Posture.OPEN:
            self.opened += 1

    def _judge_step(self, state: ControlState, step: StageEntered) -> None:
        """Ask for every gate of the stage again."""
        plan, row = step.plan, step.stage
        ladder: Ladder = getattr(state.runbook, plan.kind)
        stages = [terms.stage for terms in ladder.stage]
        terms = ladder.stage[stages.index(row.stage)]
        if row.stage is stages[0]:
            return
        before = plan.stages[-2]
        assert before.stage is stages[stages.index(row.stage) - 1], "no stage is left out"
        people = self.agreed.get(plan.plan_id, {})
        assert len(people) >= terms.approvals, "people are asked"
        assert sorted(map(same_name, row.approvals)) == sorted(people)
        recorded = {gate.gate: gate.passed for gate in row.gates}
        for gate in (*terms.gates, *terms.keep):
            assert recorded[gate.value] is True, "what let it in stands in the record"
            for service in plan.services:
                after_ns = before.entered_ns if gate in FRESH_EVIDENCE else 0
                self._judge_gate(state, gate, service, ladder, after_ns, plan.plan_id, terms)
        self._judge_limits(state, plan.services, terms)

    def _judge_gate(
        self,
        state: ControlState,
        gate: GateName,
        service: str,
        ladder: Ladder,
        after_ns: int,
        plan_id: int,
        terms: StageTerms,
    ) -> None:
        if gate is GateName.HOT_WALLET_COVERS:
            cover = self.covers[service.partition("/")[2]]
            surge = state.runbook.surge
            run = cover.usual_atoms_per_hour * surge.hours * surge.factor
            asked = cover.queued_atoms + (0 if terms.stage is Stage.LIMITED else run)
            assert max(cover.hot_atoms, 0) >= asked, "the hot wallet covers it"
        elif gate is GateName.DEPENDENCIES_HEALTHY:
            for name in ("cell/spot",) if service.startswith("market") else ("cell/funding",):
                verdict = state.book.verdicts[name]
                assert verdict.health is Health.OK
                assert state.at_ns - verdict.since_ns >= ladder.healthy_s * SECOND
        elif gate not in OWN:
            reading = (
                self.readings.get((gate.value, service), None) or self.readings[gate.value, ""]
            )
            assert reading.passed, f"{gate} was measured to pass"
            late = state.at_ns - reading.measured_ns > ladder.fresh_s * SECOND
            # A payment that is final stays so.
            assert gate is GateName.CANARY_SETTLED or not late, "not long ago"
            assert reading.measured_ns > after_ns, "and in this very way back"
            if gate is GateName.CANARY_SETTLED:
                assert f"plan-{plan_id}-" in reading.value, "it was this plan's payment"

    def _judge_limits(self, state: ControlState, services: list[str], terms: StageTerms) -> None:
        for service in services:
            row = state.book.services[service]
            if row.stage not in (Stage.LIMITED, Stage.WIDER):
                assert row.limits == Limits(), "limits are of the limited"
                continue
            hot = max(self.covers[service.partition("/")[2]].hot_atoms, 0)
            for limit, ppm in (
                (row.limits.per_withdrawal, terms.per_withdrawal_ppm),
                (row.limits.per_user, terms.per_user_ppm),
                (row.limits.total, terms.total_ppm),
            ):
                assert 1 <= limit <= max(hot * ppm // 10**6, 1), "no limit is none by zero"

    def _judge_standing(self, state: ControlState) -> None:
        """No plan stands on while what it must keep is not kept."""
        for plan in state.book.plans.values():
            ladder: Ladder = getattr(state.runbook, plan.kind)
            stage = plan.stages[-1].stage
            terms = next((each for each in ladder.stage if each.stage is stage), None)
            ended = plan.status.value in ("done", "abandoned")
            if ended or terms is None or terms is ladder.stage[0]:
                continue
            for gate in terms.keep:
                if gate in OWN:
                    continue
                for service in plan.services:
                    reading = (
                        self.readings.get((gate.value, service)) or self.readings[gate.value, ""]
                    )
                    assert reading.passed, f"{gate} fails, and {service} is not back"
                    assert state.at_ns - reading.measured_ns <= ladder.fresh_s * SECOND
