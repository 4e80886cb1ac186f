"""Commands of the control cell.  The rule: the same as for all commands, see model/commands.py.

`person` is the operator who answers for the command; whatever no person ordered is told by name:
`enactor`, `gates`, `watch`.
"""

from msgspec import Struct, field
from msgspec.json import Decoder

from seawall.model.commands import Checkpoint, Command, Lead, Tick
from seawall.model.ids import AssetCode
from seawall.model.posture import IncidentPhase, Posture, Severity, Stage
from seawall.model.signals import WatchReport

# Set-up


class AdoptRunbook(Command, frozen=True, kw_only=True, tag="adopt_runbook"):
    """Rule by this runbook from now on; `text` is its TOML, as a person wrote it."""

    text: str
    person: str


class RegisterWatcher(Command, frozen=True, kw_only=True, tag="register_watcher"):
    """Believe a watcher; `key` is its Ed25519 public key in hexadecimal.

    Of watchers at one provider, all together count as one witness.
    """

    watcher: str
    provider: str
    key: str
    person: str


class RemoveWatcher(Command, frozen=True, kw_only=True, tag="remove_watcher"):
    watcher: str
    person: str


class DefineServices(Command, frozen=True, kw_only=True, tag="define_services"):
    """Name every service there is; one that is new starts as `postures` tells it.

    What is no longer named was delisted: it loses its posture, and plans go on without it.
    """

    services: tuple[str, ...]
    postures: dict[str, Posture] = field(default_factory=dict)


# What is seen


class TakeReport(Command, frozen=True, kw_only=True, tag="take_report"):
    """One round of a watcher; the gateway has checked its signature."""

    report: WatchReport


class GateReading(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One measurement that a gate may rest on."""

    gate: str
    scope: str = ""
    """The service it speaks of; empty for all."""
    passed: bool
    value: str
    """In plain words, for the record."""
    measured_ns: int
    evidence: str = ""
    """SHA-256 or transaction id of what it rests on."""


class ReportGates(Command, frozen=True, kw_only=True, tag="report_gates"):
    """What was measured; the newest of each gate and scope counts."""

    reporter: str
    readings: tuple[GateReading, ...]


class ReportCover(Command, frozen=True, kw_only=True, tag="report_cover"):
    """What the hot wallet could pay of an asset on a network, and what is asked of it, in atoms."""

    asset: AssetCode
    network: str
    hot_atoms: int
    """Above the floor and what is reserved."""
    queued_atoms: int
    queued_count: int
    usual_atoms_per_hour: int
    """What users take out in a usual hour, for the forecast of the run after an outage."""
    measured_ns: int
    decimals: int = 0
    """Of the asset: how many of the atoms' digits stand behind the point."""


class RecordStatement(Command, frozen=True, kw_only=True, tag="record_statement"):
    """The exchange signed a statement of its books; see status_document.StatementLine."""

    statement: str
    signature: str
    public_key: str
    measured_ns: int


class ObservePosture(Command, frozen=True, kw_only=True, tag="observe_posture"):
    """A cell's service stands otherwise than control ordered: a person or a check there moved it.

    `order` is the last of control's orders that the cell has applied to the service.
    """

    service: str
    posture: Posture
    reason: str
    by: str
    order: int


# What people do


class OrderPosture(Command, frozen=True, kw_only=True, tag="order_posture"):
    """Move services at once.  Only towards less: the way back is a plan."""

    services: tuple[str, ...]
    """Names, or patterns with `*`."""
    posture: Posture
    reason: str
    person: str
    severity: Severity = Severity.MAJOR


class OpenIncident(Command, frozen=True, kw_only=True, tag="open_incident"):
    severity: Severity
    services: tuple[str, ...]
    title_en: str
    title_ar: str = ""
    person: str


class UpdateIncident(Command, frozen=True, kw_only=True, tag="update_incident"):
    """Say something of an incident; what is None stays."""

    incident: int
    words_en: str = ""
    words_ar: str = ""
    phase: IncidentPhase | None = None
    severity: Severity | None = None
    person: str


class ResolveIncident(Command, frozen=True, kw_only=True, tag="resolve_incident"):
    """End an incident; refused while a service of it is not open, or a plan of it runs."""

    incident: int
    words_en: str = ""
    words_ar: str = ""
    person: str


class StartPlan(Command, frozen=True, kw_only=True, tag="start_plan"):
    """Lead services back by their ladder; the runbook starts such plans by itself too."""

    services: tuple[str, ...]
    incident: int = 0
    person: str


class ApproveStage(Command, frozen=True, kw_only=True, tag="approve_stage"):
    """Let a plan enter its next stage, as one of the people that it needs."""

    plan_id: int
    stage: Stage
    person: str
    role: str = "operator"


class HoldPlan(Command, frozen=True, kw_only=True, tag="hold_plan"):
    """Let a plan go no further, or (`held` false) go on."""

    plan_id: int
    held: bool
    reason: str
    person: str


class StepBack(Command, frozen=True, kw_only=True, tag="step_back"):
    """Take a plan back to its first stage."""

    plan_id: int
    reason: str
    person: str


class ScheduleMaintenance(Command, frozen=True, kw_only=True, tag="schedule_maintenance"):
    """Announce planned work."""

    title_en: str
    title_ar: str = ""
    services: tuple[str, ...]
    begins_ns: int
    ends_ns: int
    person: str


class UpdateMaintenance(Command, frozen=True, kw_only=True, tag="update_maintenance"):
    """Say something of planned work, move its end, or (`completed`) end it."""

    maintenance: int
    words_en: str = ""
    words_ar: str = ""
    ends_ns: int | None = None
    completed: bool = False
    person: str


ControlCommand = (
    Lead | Tick | Checkpoint | AdoptRunbook | RegisterWatcher | RemoveWatcher | DefineServices
    | TakeReport | ReportGates | ReportCover | RecordStatement | ObservePosture | OrderPosture
    | OpenIncident | UpdateIncident | ResolveIncident | StartPlan | ApproveStage | HoldPlan
    | StepBack | ScheduleMaintenance | UpdateMaintenance
)  # fmt: skip


class ControlRecord(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One journal payload of the control cell."""

    at_ns: int
    command: ControlCommand
    command_id: str = ""
    origin: str = ""
    """By what token the submitting node knows it again in the journal; of no effect."""


decode_control_record = Decoder(ControlRecord).decode
