"""What people know of an incident.  The rule: what nobody has said is unknown, never "no".

Each fact is None until somebody states it.  Amounts are exact decimals, moments carry their offset.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

Count = Annotated[int, Meta(ge=0)]
Moment = Annotated[datetime, Meta(tz=True)]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]

EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: an unknown key is refused, and so is an amount below zero."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not (value.is_finite() and value >= 0):
                raise ValueError(f"`{name}` is no amount")
            if isinstance(value, datetime) and value <= EPOCH:
                raise ValueError(f"`{name}` is before 1970")


class Contact(Part, frozen=True, kw_only=True):
    name: str
    email: str = ""
    phone: str = ""


class Entity(Part, frozen=True, kw_only=True):
    """Who reports."""

    name: str = ""
    lei: Annotated[str, Meta(pattern="^([A-Z0-9]{18}[0-9]{2})?$")] = ""
    type: str = "crypto-asset_service_provider"
    submitter_name: str = ""
    submitter_code: str = ""
    parent_name: str = ""
    parent_lei: Annotated[str, Meta(pattern="^([A-Z0-9]{18}[0-9]{2})?$")] = ""
    currency: str = "EUR"
    contact: Contact | None = None
    second_contact: Contact | None = None
    recurring_exempt: bool | None = None
    """Whether it is a microenterprise, or one of those of Article 16(1) of DORA."""


class Regimes(Part, frozen=True, kw_only=True):
    """Which rules the entity is under."""

    dora: bool | None = None
    mica: bool | None = None
    vara: bool | None = None
    nydfs: bool | None = None


class Moments(Part, frozen=True, kw_only=True):
    """When."""

    occurred: Moment | None = None
    occurred_unknowable: bool = False
    """Whether it cannot be determined; then it is the earlier of detection and the logs."""
    detected: Moment | None = None
    aware: Moment | None = None
    """When the entity became aware of it."""
    classified: Moment | None = None
    """When it was classified as major."""
    recovered: Moment | None = None
    """When regular activities were back."""
    resolved: Moment | None = None
    root_cause_addressed: Moment | None = None
    down_from: Moment | None = None
    """When what supports a critical or important function became unavailable, wholly or in part."""
    down_until: Moment | None = None
    cyber_determined: Moment | None = None
    """When it was determined that it is a cybersecurity incident."""
    extortion_paid: Moment | None = None

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        for first, second in (
            ("occurred", "resolved"), ("down_from", "down_until"), ("aware", "classified"),
            ("occurred", "recovered"),
        ):  # fmt: skip
            earlier, later = getattr(self, first), getattr(self, second)
            if earlier is not None and later is not None and later < earlier:
                raise ValueError(f"`{second}` is before `{first}`")
        if self.occurred is not None and self.occurred_unknowable:
            raise ValueError("`occurred` is given, so `occurred_unknowable` is not so")


class Services(Part, frozen=True, kw_only=True):
    """What was hit."""

    critical_function: bool | None = None
    """Whether it hit systems that support critical or important functions."""
    authorised: bool | None = None
    """Whether it hit financial services that need an authorisation or are supervised."""
    description: str = ""


class Access(Part, frozen=True, kw_only=True):
    """Whether somebody came in."""

    malicious: bool | None = None
    """A successful, malicious and unauthorised access to network and information systems."""
    may_lose_data: bool | None = None


class Parties(Part, frozen=True, kw_only=True):
    """Clients, or financial counterparts."""

    affected: Count | None = None
    total: Count | None = None
    relevant: bool | None = None
    """Whether any that was identified as relevant is affected."""
    estimated: bool = False

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        if None not in (self.affected, self.total) and (self.affected or 0) > (self.total or 0):
            raise ValueError("`affected` is more than `total`")


class Transactions(Part, frozen=True, kw_only=True):
    affected: Count | None = None
    daily_average: Count | None = None
    amount: Decimal | None = None
    daily_average_amount: Decimal | None = None
    estimated: bool = False


class Reputation(Part, frozen=True, kw_only=True):
    media: bool | None = None
    complaints: bool | None = None
    """Repetitive ones of different clients or counterparts."""
    requirements: bool | None = None
    """Whether regulatory requirements will not, or likely not, be met."""
    clients_lost: bool | None = None
    """Whether clients are or will likely be lost, with a material impact."""
    description: str = ""


class Geography(Part, frozen=True, kw_only=True):
    member_states: tuple[Country, ...] | None = None
    """All in which there is an impact; an empty list says that there is none."""
    description: str = ""


class Data(Part, frozen=True, kw_only=True):
    """Whether data suffered, with an adverse impact on business objectives or requirements."""

    availability: bool | None = None
    authenticity: bool | None = None
    integrity: bool | None = None
    confidentiality: bool | None = None
    description: str = ""


class Economy(Part, frozen=True, kw_only=True):
    loss_eur: Decimal | None = None
    """Gross costs and losses, direct and indirect, incurred or likely."""
    recoveries_eur: Decimal | None = None


class Recurring(Part, frozen=True, kw_only=True):
    """With others before it."""

    count_6_months: Count | None = None
    """How often within six months, this time included."""
    same_root_cause: bool | None = None
    critical_together: bool | None = None
    thresholds_together: Count | None = None
    """How many of the thresholds 9(1) to (4), 9(5)(a) and 9(6) they meet, taken together."""
    access_together: bool | None = None
    """Whether together they meet 9(5)(b)."""
    description: str = ""
    first: Moment | None = None


class Cyber(Part, frozen=True, kw_only=True):
    event: bool | None = None
    """An act or attempt to gain unauthorised access, disrupt or misuse."""
    ransomware: bool | None = None


class Duties(Part, frozen=True, kw_only=True):
    """What other rules ask after."""

    continuity_plan: bool | None = None
    """Whether the business continuity or disaster recovery plan was activated."""
    material_to_operations: bool | None = None
    obligations_at_risk: bool | None = None
    significant_adverse_effect: bool | None = None
    """On the entity, its counterparties or the market."""
    notice_to_government: bool | None = None
    """Whether some government body must be told in any case."""
    permissionless_ledger: bool | None = None
    """Whether the disruption is one of a permissionless distributed ledger."""


class Report(Part, frozen=True, kw_only=True):
    """What only people can write; the words are those of the report's template."""

    reference: str = ""
    authority_reference: str = ""
    description: str = ""
    discovery: Literal[
        "", "it_security", "staff", "internal_audit", "external_audit", "clients",
        "financial_counterparts", "third-party_provider", "attacker", "monitoring_systems",
        "authority_agency_law_enforcement_body", "other",
    ] = ""  # fmt: skip
    third_party: str = ""
    other: str = ""
    types: tuple[str, ...] = ()
    threat_techniques: tuple[str, ...] = ()
    indicators: str = ""
    functional_areas: str = ""
    infrastructure: Literal["", "yes", "no", "information_not_available"] = ""
    infrastructure_description: str = ""
    financial_interest: Literal["", "yes", "no", "information_not_available"] = ""
    other_authorities: tuple[str, ...] = ()
    temporary_measures: bool | None = None
    temporary_measures_description: str = ""
    root_causes: tuple[str, ...] = ()
    root_causes_detailed: tuple[str, ...] = ()
    root_causes_additional: tuple[str, ...] = ()
    root_causes_description: str = ""
    resolution: str = ""
    resolution_against_plan: str = ""
    resolution_risk: str = ""
    resolution_authorities: str = ""


class Kind(StrEnum):
    """The three reports of DORA's Article 19(4)."""

    INITIAL = "initial"
    INTERMEDIATE = "intermediate"
    FINAL = "final"


class Submission(Part, frozen=True, kw_only=True):
    """A report that was handed in."""

    kind: Kind
    at: Moment
    reference: str = ""


class Facts(Part, frozen=True, kw_only=True):
    """The whole file."""

    schema: Literal[1] = 1
    entity: Entity = field(default_factory=Entity)
    regimes: Regimes = field(default_factory=Regimes)
    moments: Moments = field(default_factory=Moments)
    services: Services = field(default_factory=Services)
    access: Access = field(default_factory=Access)
    clients: Parties = field(default_factory=Parties)
    counterparts: Parties = field(default_factory=Parties)
    transactions: Transactions = field(default_factory=Transactions)
    reputation: Reputation = field(default_factory=Reputation)
    geography: Geography = field(default_factory=Geography)
    data: Data = field(default_factory=Data)
    economy: Economy = field(default_factory=Economy)
    recurring: Recurring = field(default_factory=Recurring)
    cyber: Cyber = field(default_factory=Cyber)
    duties: Duties = field(default_factory=Duties)
    report: Report = field(default_factory=Report)
    submitted: tuple[Submission, ...] = ()


def nanoseconds(moment: datetime) -> int:
    """Return a moment as the journal counts, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000
