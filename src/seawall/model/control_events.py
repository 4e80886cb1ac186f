"""What happened in the control cell.  The rule: the same as for all events, see model/events.py."""

from seawall.model.control_rows import (
    GateResult,
    Incident,
    Maintenance,
    Plan,
    ServiceRow,
    StageRow,
    Update,
    Verdict,
)
from seawall.model.events import Event
from seawall.model.posture import Posture


class RunbookAdopted(Event):
    def __init__(self, version: str, text_hash: str, person: str) -> None:
        self.version = version
        self.text_hash = text_hash
        self.person = person


class WatcherChanged(Event):
    """A watcher is believed from now on, or (`removed`) no more."""

    def __init__(self, watcher: str, *, removed: bool = False) -> None:
        self.watcher = watcher
        self.removed = removed


class ReportTaken(Event):
    def __init__(self, watcher: str, number: int) -> None:
        self.watcher = watcher
        self.number = number


class VerdictChanged(Event):
    def __init__(self, dependency: str, verdict: Verdict) -> None:
        self.dependency = dependency
        self.verdict = verdict
        self.health = verdict.health


class ServicesDefined(Event):
    def __init__(self, added: list[str], removed: list[str]) -> None:
        self.added = added
        self.removed = removed


class PostureOrdered(Event):
    """A service is to move; its cell learns it from the enactor."""

    def __init__(self, service: ServiceRow, previous: Posture) -> None:
        self.service = service
        self.name = service.service
        self.posture = service.posture
        self.previous = previous
        self.order = service.order


class IncidentChanged(Event):
    """It was opened, changed or resolved; `update` is what was said, if anything was."""

    def __init__(self, incident: Incident, update: Update | None = None) -> None:
        self.incident = incident
        self.update = update
        self.phase = incident.phase


class PlanChanged(Event):
    """Its status, gates or approvals are others."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.status = plan.status


class StageEntered(Event):
    def __init__(self, plan: Plan, stage: StageRow) -> None:
        self.plan = plan
        self.stage = stage


class SteppedBack(Event):
    def __init__(self, plan: Plan, gate: GateResult | None, reason: str) -> None:
        self.plan = plan
        self.gate = gate
        self.reason = reason


class GatesReported(Event):
    def __init__(self, reporter: str, count: int) -> None:
        self.reporter = reporter
        self.count = count


class TopUpWanted(Event):
    """The hot wallet does not cover what is to be expected: people are asked, in atoms."""

    def __init__(self, asset: str, network: str, atoms: int) -> None:
        self.asset = asset
        self.network = network
        self.atoms = atoms


class StatementRecorded(Event):
    def __init__(self, at_ns: int) -> None:
        self.at_ns = at_ns


class LeaseLapsed(Event):
    """The control cell was silent for longer than its lease."""

    def __init__(self, silent_ns: int) -> None:
        self.silent_ns = silent_ns


class MaintenanceChanged(Event):
    def __init__(self, maintenance: Maintenance) -> None:
        self.maintenance = maintenance
