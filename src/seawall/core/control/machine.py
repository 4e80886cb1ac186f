"""The control cell: one dispatch.  The rule: the same as core/machine.py, for posture.

Every entry ends with a look at the whole: time alone moves verdicts, plans and promised words.  So
an entry that is refused does what a tick does, and nothing else.
"""

from typing import assert_never

from seawall.core.control import (
    announcements,
    approvals,
    cover,
    gates,
    incidents,
    lease,
    maintenance,
    plans,
    rules,
    verdicts,
)
from seawall.core.control.look import SECOND, Look
from seawall.core.control.reports import register_watcher, remove_watcher, take_report
from seawall.core.control.runbook import adopt_runbook
from seawall.core.control.services import define_services
from seawall.core.control.state import ControlState
from seawall.lib.invariants import invariant
from seawall.model import control_commands as c
from seawall.model import limits
from seawall.model.commands import Checkpoint, Lead, Tick
from seawall.model.control_events import ServicesDefined, StatementRecorded
from seawall.model.control_rows import Statement
from seawall.model.events import CommandRejected, CommandRepeated, Event, Led
from seawall.model.rejections import Rejection


def commit_control(
    state: ControlState,
    command: c.ControlCommand,
    *,
    sequence: int,
    at_ns: int,
    command_id: str = "",
) -> list[Event]:
    """Apply the journal entry; return what happened, what the command itself did first."""
    book = state.book
    invariant(sequence == book.sequence + 1, "entries are applied in order, without holes")
    invariant(at_ns > book.at_ns, "journal time strictly increases")
    look = Look(state, [], book.at_ns)
    book.sequence = sequence
    book.at_ns = at_ns
    look.now = at_ns
    repeated = book.command_ids.get(command_id) if command_id else None
    if repeated is not None:
        look.events.append(CommandRepeated(repeated))
    else:
        _dispatch(look, command)
        if command_id and not (look.events and isinstance(look.events[0], CommandRejected)):
            book.command_ids[command_id] = sequence
            if len(book.command_ids) > limits.COMMAND_IDS:
                del book.command_ids[next(iter(book.command_ids))]
    look.begin()
    _look(look)
    return look.events


def _look(look: Look) -> None:
    """Decide what follows from the state and the time."""
    for lapsed in (lease.lapse(look.state), lease.judge(look.state)):
        if lapsed is not None:
            look.events.append(lapsed)
    verdicts.judge(look.state, look.events)
    announcements.say_verdicts(look)
    rules.apply(look)
    plans.lead(look)
    incidents.settle(look)
    announcements.keep_cadence(look)
    incidents.forget(look)
    lease.extend(look.state)


def _dispatch(look: Look, command: c.ControlCommand) -> None:
    match command:
        case Tick() | Checkpoint():
            return
        case Lead():
            _lead(look, command)
        case c.AdoptRunbook():
            look.events += adopt_runbook(look.state, command)
        case c.DefineServices():
            _define(look, command)
        case c.RegisterWatcher():
            look.events += register_watcher(look.state, command)
        case c.RemoveWatcher():
            look.events += remove_watcher(look.state, command)
        case c.TakeReport():
            look.events += take_report(look.state, command)
        case c.ReportGates():
            gates.take_gates(look, command)
        case c.ReportCover():
            cover.take_cover(look, command)
        case c.RecordStatement():
            _record_statement(look, command)
        case c.ObservePosture():
            rules.observe(look, command)
        case _:
            _of_people(look, command)


def _of_people(
    look: Look,
    command: c.OrderPosture
    | c.OpenIncident
    | c.UpdateIncident
    | c.ResolveIncident
    | c.StartPlan
    | c.ApproveStage
    | c.HoldPlan
    | c.StepBack
    | c.ScheduleMaintenance
    | c.UpdateMaintenance,
) -> None:
    match command:
        case c.OrderPosture():
            rules.order(look, command)
        case c.OpenIncident():
            incidents.open_incident(look, command)
        case c.UpdateIncident():
            incidents.update_incident(look, command)
        case c.ResolveIncident():
            incidents.resolve_incident(look, command)
        case c.StartPlan():
            plans.start_plan(look, command)
        case c.ApproveStage():
            approvals.approve_stage(look, command)
        case c.HoldPlan():
            plans.hold_plan(look, command)
        case c.StepBack():
            plans.step_back(look, command)
        case c.ScheduleMaintenance():
            maintenance.schedule(look, command)
        case c.UpdateMaintenance():
            maintenance.update(look, command)
        case _:
            assert_never(command)


def _lead(look: Look, command: Lead) -> None:
    invariant(command.epoch > look.book.epoch, "each leader has a higher epoch than before")
    look.book.epoch = command.epoch
    look.events.append(Led(command.epoch, command.node))


def _define(look: Look, command: c.DefineServices) -> None:
    events = define_services(look.state, command)
    for event in events:
        if isinstance(event, ServicesDefined):
            gates.forget_gates(look, event.removed)
    look.events += events


def _record_statement(look: Look, command: c.RecordStatement) -> None:
    known = look.book.statement
    if command.measured_ns > look.now + look.runbook.signals.skew_s * SECOND:
        look.events.append(CommandRejected(Rejection.REPORT_CLOCK, "measured in the future"))
        return
    if known is not None and command.measured_ns <= known.measured_ns:
        look.events.append(CommandRejected(Rejection.REPORT_REPEATED, "a newer one is known"))
        return
    look.book.statement = Statement(
        statement=command.statement,
        signature=command.signature,
        public_key=command.public_key,
        measured_ns=command.measured_ns,
        at_ns=look.now,
    )
    look.events.append(StatementRecorded(look.now))
