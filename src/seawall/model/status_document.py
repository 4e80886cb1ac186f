"""All that the public status site says, in one document.  The rule: facts with times, no words.

The gateway serves it as JSON at /seawall/v1/status-document, from the journals' state alone; the
status site's own process asks several gateways and keeps the newest.  Texts stand here only where
people wrote them; what is said by template is named by `kind` with its `facts`, so that it reads
the same in every language.
"""

from msgspec import Struct

from seawall.model.posture import IncidentPhase, PlanStatus, Posture, ServiceKind, Severity, Stage


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all parts share: the way they are written."""


class ServiceLine(Document, frozen=True, kw_only=True):
    """One service as it stands."""

    service: str
    """As `posture.py` names it."""
    kind: ServiceKind
    posture: Posture
    stage: Stage | None = None
    """Of its way back, while it has one."""
    since_ns: int
    reason: str = ""
    incident: int = 0
    """Number of the incident that it belongs to; 0 is none."""


class GateLine(Document, frozen=True, kw_only=True):
    """One check before the next stage."""

    gate: str
    passed: bool | None = None
    """None while nobody has measured."""
    value: str = ""
    needs: str = ""
    measured_ns: int = 0
    evidence: str = ""


class PlanLine(Document, frozen=True, kw_only=True):
    """One way back, and what stands before its next stage."""

    plan_id: int
    incident: int
    services: tuple[str, ...]
    status: PlanStatus
    stage: Stage
    stage_since_ns: int
    next_stage: Stage | None = None
    gates: tuple[GateLine, ...] = ()
    approvals: tuple[str, ...] = ()
    """Roles of those who approved the next stage; names stay inside."""
    approvals_needed: int = 0


class UpdateLine(Document, frozen=True, kw_only=True):
    """One thing that happened in an incident, or was said of it."""

    number: int
    at_ns: int
    phase: IncidentPhase
    kind: str
    """Template; see `status/words.py`.  `words` for what a person wrote."""
    facts: dict[str, str] = {}
    services: tuple[str, ...] = ()
    words_en: str = ""
    words_ar: str = ""


class IncidentLine(Document, frozen=True, kw_only=True):
    """One incident with all that was said of it."""

    number: int
    severity: Severity
    phase: IncidentPhase
    kind: str
    """Template of its title."""
    facts: dict[str, str] = {}
    title_en: str = ""
    title_ar: str = ""
    services: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    opened_ns: int
    resolved_ns: int = 0
    next_update_ns: int = 0
    """When the next word is due; 0 once resolved."""
    missed_updates: int = 0
    """How often a promised update came late."""
    updates: tuple[UpdateLine, ...] = ()


class MaintenanceLine(Document, frozen=True, kw_only=True):
    """Planned work."""

    number: int
    title_en: str
    title_ar: str
    services: tuple[str, ...]
    begins_ns: int
    ends_ns: int
    status: str
    """scheduled, in_progress or completed"""
    updates: tuple[UpdateLine, ...] = ()


class QueueLine(Document, frozen=True, kw_only=True):
    """Withdrawals of one asset on one network."""

    asset: str
    network: str
    posture: Posture
    stage: Stage | None = None
    next_gate: str = ""
    waiting: int
    waiting_amount: str
    """Decimal, in the asset."""
    oldest_ns: int = 0
    """When the oldest that still waits was asked for; 0 with none waiting."""
    in_flight: int = 0
    per_withdrawal_max: str = ""
    """Decimal, while limited."""
    reason: str = ""


class CandleLine(Document, frozen=True, kw_only=True):
    """Candles that are not complete: an interruption of one market, or of all."""

    market: str
    from_ns: int
    until_ns: int
    """0 while it lasts."""
    reason: str


class StatementLine(Document, frozen=True, kw_only=True):
    """The latest signed statement: what the exchange states, and what signs it."""

    at_ns: int
    statement: str
    """JSON text, exactly as it was signed."""
    signature: str
    """Ed25519, hexadecimal."""
    public_key: str


class DayLine(Document, frozen=True, kw_only=True):
    """One service on one day (UTC): how long it was not open."""

    service: str
    day: str
    """YYYY-MM-DD"""
    limited_s: int = 0
    closed_s: int = 0
    incidents: tuple[int, ...] = ()


class StatusDocument(Document, frozen=True, kw_only=True):
    """The whole."""

    exchange: str
    sequence: int
    """Of the control cell's journal: of two documents the one with the higher is the newer."""
    at_ns: int
    """Moment of that entry: the age of everything here."""
    made_ns: int
    node: str
    lease_until_ns: int = 0
    """Until when withdrawals are allowed to run without further word of the control cell."""
    runbook: str = ""
    """Its version and hash."""
    services: tuple[ServiceLine, ...] = ()
    incidents: tuple[IncidentLine, ...] = ()
    """Newest first; ended ones of the last 90 days too."""
    plans: tuple[PlanLine, ...] = ()
    maintenances: tuple[MaintenanceLine, ...] = ()
    queues: tuple[QueueLine, ...] = ()
    candles: tuple[CandleLine, ...] = ()
    history: tuple[DayLine, ...] = ()
    """Only days on which a service was not open all the time, from `history_from` on."""
    history_from: str = ""
    statement: StatementLine | None = None
