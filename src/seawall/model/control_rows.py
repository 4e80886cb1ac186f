"""The control cell's records.  The rule: only core/control/ changes one; fields are only added.

What stands at its default is left out of the dump, so that a later release may add a field and old
entries still lead to their old digests.
"""

from msgspec import Struct, field

from seawall.model.control_commands import GateReading
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity, Stage
from seawall.model.signals import SignalKind
from seawall.model.watch_facts import Health


class Record(Struct, kw_only=True, omit_defaults=True):
    """What all records share: the way they are written."""


class Watcher(Record, kw_only=True):
    """A witness, and the last report of his that was taken."""

    watcher: str
    provider: str
    key: str
    number: int = 0
    observed_ns: int = 0


class Word(Record, kw_only=True):
    """What one watcher last said of one dependency."""

    kind: SignalKind
    health: Health
    detail: str = ""
    evidence: str = ""
    at_ns: int
    """When the journal took it, or when it was seen, whichever is earlier."""
    since_ns: int
    """Since when this watcher has said the same without a break."""


class Verdict(Record, kw_only=True):
    """How a dependency is, by quorum of witnesses."""

    health: Health = Health.UNKNOWN
    since_ns: int = 0
    reason: str = ""
    pending: Health = Health.UNKNOWN
    """What most say now, when it is not the verdict yet."""
    pending_ns: int = 0
    doubted_ns: int = 0
    """Since when most differ from the verdict about whether it is anything but well; 0 is never."""
    troubled_ns: int = 0
    """The same about whether it is in trouble."""
    downed_ns: int = 0
    """The same about whether it is down."""
    words: dict[str, Word] = field(default_factory=dict)
    """By `watcher|kind`."""


class Limits(Record, kw_only=True):
    """How wide a limited withdrawal service is, in atoms; 0 is no limit."""

    per_withdrawal: int = 0
    per_user: int = 0
    total: int = 0


class ServiceRow(Record, kw_only=True):
    """One service: what control ordered, and what brought it there."""

    service: str
    posture: Posture = Posture.OPEN
    order: int = 0
    """Rises with each order for this service; its cell applies none twice, and none late."""
    since_ns: int = 0
    reason: str = ""
    person: str = ""
    stage: Stage | None = None
    limits: Limits = field(default_factory=Limits)
    collar_bps: int = 0
    incident: int = 0
    plan: int = 0
    closed_since_ns: int = 0
    """When it was last open; 0 while it is."""
    canary: str = ""
    """Key of the payment to itself that the exchange is to make; empty for none."""


class Cover(Record, kw_only=True):
    """The last `ReportCover` of an asset on a network, and what was concluded."""

    hot_atoms: int
    queued_atoms: int
    queued_count: int
    usual_atoms_per_hour: int
    measured_ns: int
    decimals: int = 0
    top_up_atoms: int = 0
    """What people are asked to bring from cold storage before it opens wider."""
    top_up_asked_ns: int = 0


class GateRow(Record, kw_only=True):
    """The last that was measured for a gate and scope."""

    reading: GateReading
    at_ns: int


class GateResult(Record, kw_only=True):
    """One gate as it stood when a stage was judged."""

    gate: str
    passed: bool | None = None
    value: str = ""
    needs: str = ""
    measured_ns: int = 0
    evidence: str = ""


class StageRow(Record, kw_only=True):
    """One stage that a plan entered, with the record of what let it in."""

    stage: Stage
    entered_ns: int
    gates: list[GateResult] = field(default_factory=list)
    approvals: list[str] = field(default_factory=list)
    left_ns: int = 0
    why_left: str = ""
    """Empty when the next stage was entered; else why it stepped back or ended."""


class Plan(Record, kw_only=True):
    """One way back.  Its stage is the last of `stages`."""

    plan_id: int
    incident: int
    services: list[str]
    kind: str
    """Ladder: market, withdrawal or other."""
    status: PlanStatus = PlanStatus.WAITING
    person: str = ""
    begun_ns: int
    outage_ns: int = 0
    """How long the services had not been open when it began; grows while it waits."""
    stages: list[StageRow] = field(default_factory=list)
    gates: list[GateResult] = field(default_factory=list)
    """Of the next stage, as they stood at the last look."""
    approvals: dict[str, str] = field(default_factory=dict)
    """Role by person, for the next stage."""
    held: str = ""
    """Why people stopped it; empty when it goes on."""
    steps_back: int = 0
    not_before_ns: int = 0
    """After a step back it waits, each time longer."""


class Update(Record, kw_only=True):
    """One thing that happened in an incident, or was said of it."""

    number: int
    at_ns: int
    phase: IncidentPhase
    kind: str
    facts: dict[str, str] = field(default_factory=dict)
    services: list[str] = field(default_factory=list)
    words_en: str = ""
    words_ar: str = ""
    person: str = ""


class Incident(Record, kw_only=True):
    """One incident.  What it did to services ends with their plans."""

    number: int
    severity: Severity
    phase: IncidentPhase = IncidentPhase.INVESTIGATING
    kind: str
    facts: dict[str, str] = field(default_factory=dict)
    title_en: str = ""
    title_ar: str = ""
    services: list[str] = field(default_factory=list)
    dependencies: list[str] = field(default_factory=list)
    person: str = ""
    opened_ns: int
    resolved_ns: int = 0
    said_ns: int = 0
    """When something was last said."""
    next_update_ns: int = 0
    missed_updates: int = 0
    updates: list[Update] = field(default_factory=list)


class Maintenance(Record, kw_only=True):
    """Planned work."""

    number: int
    title_en: str
    title_ar: str = ""
    services: list[str]
    begins_ns: int
    ends_ns: int
    completed_ns: int = 0
    person: str
    updates: list[Update] = field(default_factory=list)


class Statement(Record, kw_only=True):
    """The last signed statement."""

    statement: str
    signature: str
    public_key: str
    measured_ns: int
    at_ns: int


class ClosedTime(Record, kw_only=True):
    """A span in which a service was not open, for the 90 days' history."""

    service: str
    from_ns: int
    until_ns: int = 0
    closed: bool
    """False while it was open within limits."""
    incident: int = 0


class Lease(Record, kw_only=True):
    """Until when withdrawals may run."""

    number: int = 0
    """Rises with each extension."""
    until_ns: int = 0
    extended_ns: int = 0
    """When it last was."""
    refused: str = ""
    """Why it is not extended; empty while it is."""


class ControlBook(Record, kw_only=True):
    """The whole state."""

    sequence: int = 0
    at_ns: int = 0
    epoch: int = 0
    runbook_text: str = ""
    runbook_hash: str = ""
    runbook_person: str = ""
    watchers: dict[str, Watcher] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """By dependency, in the order they were first told of."""
    unconfirmed: dict[str, dict[str, Word]] = field(default_factory=dict)
    """Words of dependencies that too few witnesses know, and the runbook does not name."""
    answered: dict[str, int] = field(default_factory=dict)
    """When each rule answered to the trouble of a dependency that still lasts."""
    services: dict[str, ServiceRow] = field(default_factory=dict)
    gates: dict[str, GateRow] = field(default_factory=dict)
    """By `gate|scope`."""
    covers: dict[str, Cover] = field(default_factory=dict)
    """By `asset/network`."""
    incidents: dict[int, Incident] = field(default_factory=dict)
    plans: dict[int, Plan] = field(default_factory=dict)
    maintenances: dict[int, Maintenance] = field(default_factory=dict)
    statement: Statement | None = None
    lease: Lease = field(default_factory=Lease)
    closed: list[ClosedTime] = field(default_factory=list)
    next_order: int = 1
    next_incident: int = 1
    next_plan: int = 1
    next_maintenance: int = 1
    command_ids: dict[str, int] = field(default_factory=dict)
