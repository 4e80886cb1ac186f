"""Drafts of the three reports of DORA's Article 19(4).  The rule: nothing is made up.

A field holds what was stated or what the journal knows; one that nobody stated stays empty and is
listed as missing.  Numbers and names of the fields follow the public JSON schema IR-1.2 of the
template in (EU) 2025/302, Annex I.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from msgspec import Struct

from seawall.model.status_document import IncidentLine
from seawall.status.moments import iso
from seawall.status.regulators.classify import Classification, classify
from seawall.status.regulators.clocks import Timer, deadlines
from seawall.status.regulators.conditions import Criterion, Met
from seawall.status.regulators.facts import Contact, Facts, Kind, Parties, nanoseconds
from seawall.status.regulators.thresholds import CRITICAL

VERSION: Final = 1
"""Of what is written here; rises when a field changes its meaning."""
TEMPLATE: Final = "(EU) 2025/302 Annex I, field names of JSON schema IR-1.2"
SUBMISSIONS: Final = {
    Kind.INITIAL: "initial_notification",
    Kind.INTERMEDIATE: "intermediate_report",
    Kind.FINAL: "final_report",
}
Value = str | int | bool | Decimal | tuple[str, ...] | tuple[dict[str, object], ...] | None

_I: Final = (Kind.INITIAL, Kind.INTERMEDIATE, Kind.FINAL)
_M: Final = (Kind.INTERMEDIATE, Kind.FINAL)
_F: Final = (Kind.FINAL,)
_IT: Final = "the_major_ict-related_incident"
_MEDIA: Final = {
    "media": f"{_IT}_has_been_reflected_in_the_media",
    "complaints": (
        f"{_IT}_has_resulted_in_repetitive_complaints_from_different_clients_or_financial"
        "_counterparts_on_client-facing_services_or_critical_business_relationships"
    ),
    "requirements": (
        "the_financial_entity_will_not_be_able_to_or_is_likely_not_to_be_able_to_meet"
        f"_regulatory_requirements_as_a_result_of_{_IT}"
    ),
    "clients_lost": (
        "the_financial_entity_will_or_is_likely_to_lose_clients_or_financial_counterparts"
        f"_with_a_material_impact_on_its_business_as_a_result_of_{_IT}"
    ),
}


class Field(Struct, frozen=True, kw_only=True):
    """One field of the template."""

    number: str
    path: str
    """Where it stands in the JSON, with points."""
    title: str
    value: Value
    required: bool

    @property
    def empty(self) -> bool:
        return self.value is None or self.value in ("", ())


class Draft(Struct, frozen=True, kw_only=True):
    """One report, as far as it is known."""

    kind: Kind
    incident: int
    made_ns: int
    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    """Required fields that are empty, as `2.2 detection`."""
    notes: tuple[str, ...]
    classification: Classification
    timers: tuple[Timer, ...]
    version: int = VERSION
    template: str = TEMPLATE


class _Sheet:
    """Collects the fields of one kind of report."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.fields: list[Field] = []
        self.notes: list[str] = []

    def add(
        self,
        number: str,
        path: str,
        title: str,
        value: Value,
        reports: tuple[Kind, ...] = _I,
        *,
        required: bool = True,
    ) -> None:
        if self._kind in reports:
            self.fields.append(
                Field(number=number, path=path, title=title, value=value, required=required)
            )


def draft(
    kind: Kind,
    incident: IncidentLine,
    facts: Facts,
    classification: Classification,
    timers: tuple[Timer, ...],
    now_ns: int,
) -> Draft:
    """Return a draft of one report."""
    sheet = _Sheet(kind)
    _general(sheet, kind, facts)
    _notification(sheet, incident, facts, classification)
    _impact(sheet, facts, classification, now_ns)
    _cause(sheet, facts)
    missing = tuple(f"{each.number} {each.title}" for each in sheet.fields
                    if each.required and each.empty)  # fmt: skip
    return Draft(
        kind=kind,
        incident=incident.number,
        made_ns=now_ns,
        fields=tuple(sheet.fields),
        missing=missing,
        notes=tuple(sheet.notes),
        classification=classification,
        timers=timers,
    )


def _general(sheet: _Sheet, kind: Kind, facts: Facts) -> None:
    entity = facts.entity
    sheet.add("1.1", "incidentSubmission", "Type of submission", SUBMISSIONS[kind])
    submitter = entity.submitter_name or entity.name
    sheet.add("1.2", "submittingEntity.name", "Name of who submits", submitter)
    code = entity.submitter_code or entity.lei
    sheet.add("1.3", "submittingEntity.code", "Identification of who submits", code)
    sheet.add("1.4", "affectedEntity.affectedEntityType", "Type of entity", (entity.type,))
    sheet.add("1.5", "affectedEntity.name", "Name of the entity affected", entity.name)
    sheet.add("1.6", "affectedEntity.LEI", "LEI of the entity affected", entity.lei)
    _contact(sheet, ("1.7", "1.8", "1.9"), "primaryContact", "Contact", entity.contact)
    _contact(sheet, ("1.10", "1.11", "1.12"), "secondaryContact", "Second contact",
             entity.second_contact, required=False)  # fmt: skip
    sheet.add("1.13", "ultimateParentUndertaking.name", "Name of the ultimate parent",
              entity.parent_name, required=False)  # fmt: skip
    sheet.add("1.14", "ultimateParentUndertaking.LEI", "LEI of the ultimate parent",
              entity.parent_lei, required=False)  # fmt: skip
    sheet.add("1.15", "reportCurrency", "Currency", entity.currency)


def _contact(
    sheet: _Sheet,
    numbers: tuple[str, str, str],
    path: str,
    title: str,
    contact: Contact | None,
    *,
    required: bool = True,
) -> None:
    given = contact or Contact(name="")
    parts = (("name", given.name), ("email", given.email), ("phone", given.phone))
    for number, (part, value) in zip(numbers, parts, strict=True):
        sheet.add(number, f"{path}.{part}", f"{title}: {part}", value, required=required)


def _notification(
    sheet: _Sheet, incident: IncidentLine, facts: Facts, classification: Classification
) -> None:
    report, moments = facts.report, facts.moments
    at = "incident"
    sheet.add("2.1", f"{at}.financialEntityCode", "Reference of the incident",
              report.reference or f"incident-{incident.number}")  # fmt: skip
    detected = moments.detected
    if detected is None:
        sheet.notes.append("2.2 is when the incident was opened; moments.detected is not stated.")
    sheet.add("2.2", f"{at}.detectionDateTime", "Detected",
              iso(incident.opened_ns if detected is None else nanoseconds(detected)))  # fmt: skip
    classified = moments.classified
    sheet.add("2.3", f"{at}.classificationDateTime", "Classified as major",
              None if classified is None else iso(nanoseconds(classified)))  # fmt: skip
    sheet.add("2.4", f"{at}.incidentDescription", "Description",
              report.description or _described(incident))  # fmt: skip
    criteria = (classification.critical, *_material(classification))
    types = tuple(_type(each, facts) for each in criteria if each.met is Met.YES)
    sheet.add("2.5", f"{at}.classificationTypes", "Criteria that are met", types)
    sheet.add("2.7", f"{at}.incidentDiscovery", "How it was discovered", report.discovery)
    sheet.add("2.8", f"{at}.originatesFromThirdPartyProvider", "Third party it comes from",
              report.third_party, required=False)  # fmt: skip
    sheet.add("2.9", f"{at}.isBusinessContinuityActivated", "Continuity plan activated",
              facts.duties.continuity_plan, required=False)  # fmt: skip
    sheet.add("2.10", f"{at}.otherInformation", "Other information", report.other, required=False)


def _material(classification: Classification) -> tuple[Criterion, ...]:
    """Return the thresholds' criteria, data losses also where access alone meets them."""
    found = list(classification.thresholds)
    if classification.access.met is Met.YES:
        for place, each in enumerate(found):
            if each.name == "data_losses" and each.met is not Met.YES:
                found[place] = Criterion(
                    name=each.name, source=each.source, title=each.title, met=Met.YES,
                    conditions=each.conditions,
                )  # fmt: skip
    return tuple(found)


def _type(each: Criterion, facts: Facts) -> dict[str, object]:
    """Return one entry of 2.5, with what the template asks about that criterion."""
    found: dict[str, object] = {"classificationCriterion": each.name}
    if each.name == "geographical_spread":
        found["countryCodeMaterialityThresholds"] = facts.geography.member_states
        found["memberStatesImpactTypeDescription"] = facts.geography.description
    elif each.name == "data_losses":
        parts = [part.name for part in each.conditions if part.met is Met.YES]
        found["dataLosseMaterialityThresholds"] = parts
        found["dataLossesDescription"] = facts.data.description
    elif each.name == "reputational_impact":
        met = {part.name for part in each.conditions if part.met is Met.YES}
        found["reputationalImpactType"] = [words for name, words in _MEDIA.items() if name in met]
        found["reputationalImpactDescription"] = facts.reputation.description
    elif each.name == "economic_impact":
        found["economicImpactMaterialityThreshold"] = each.conditions[0].value
    elif each.name == CRITICAL:
        return found
    return {name: value for name, value in found.items() if value}


def _described(incident: IncidentLine) -> str:
    """Return what the journal says of an incident, in order."""
    what = incident.title_en or _template_words(incident.kind, incident.facts)
    lines = [f"{what}. Severity {incident.severity}; opened {iso(incident.opened_ns)}."]
    if incident.services:
        lines.append(f"Services: {', '.join(incident.services)}.")
    if incident.dependencies:
        lines.append(f"Dependencies: {', '.join(incident.dependencies)}.")
    for each in sorted(incident.updates, key=lambda update: update.number):
        words = each.words_en or _template_words(each.kind, each.facts)
        lines.append(f"{iso(each.at_ns)} {each.phase}: {words}")
    if incident.resolved_ns:
        lines.append(f"Resolved {iso(incident.resolved_ns)}.")
    return "\n".join(lines)


def _template_words(kind: str, facts: dict[str, str]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in sorted(facts.items()))
    return kind.replace("_", " ") + (f" ({told})" if told else "")


def _impact(sheet: _Sheet, facts: Facts, classification: Classification, now_ns: int) -> None:
    report, moments = facts.report, facts.moments
    sheet.add("3.1", "incident.competentAuthorityCode", "Reference of the authority",
              report.authority_reference, _M, required=False)  # fmt: skip
    occurred = moments.occurred
    sheet.add("3.2", "incident.incidentOccurrenceDateTime", "Occurred",
              None if occurred is None else iso(nanoseconds(occurred)), _M)  # fmt: skip
    at = "impactAssessment"
    restored = moments.recovered
    sheet.add("3.3", f"{at}.serviceImpact.serviceRestorationDateTime", "Regular activities back",
              None if restored is None else iso(nanoseconds(restored)), _M,
              required=restored is not None)  # fmt: skip
    assets = f"{at}.affectedAssets"
    _parties(sheet, ("3.4", "3.5"), f"{assets}.affectedClients", "Clients affected", facts.clients)
    _parties(sheet, ("3.6", "3.7"), f"{assets}.affectedFinancialCounterparts",
             "Financial counterparts affected", facts.counterparts)  # fmt: skip
    relevant = (facts.clients.relevant, facts.counterparts.relevant)
    sheet.add("3.8", f"{at}.hasImpactOnRelevantClients", "Relevant clients or counterparts",
              True if True in relevant else (None if None in relevant else False), _M)  # fmt: skip
    moved = facts.transactions
    sheet.add("3.9", f"{assets}.affectedTransactions.number", "Transactions affected",
              moved.affected, _M)  # fmt: skip
    sheet.add("3.10", f"{assets}.affectedTransactions.percentage", "Of a day's average, in percent",
              _percent(sheet, "3.10", moved.affected, moved.daily_average), _M)  # fmt: skip
    sheet.add("3.11", f"{assets}.valueOfAffectedTransactions", "Value of those", moved.amount, _M)
    sheet.add(
        "3.12", f"{assets}.numbersActualEstimate", "Actual or estimated", _exactness(facts), _M
    )
    _times(sheet, facts, now_ns)
    sheet.add("3.22", f"{at}.criticalServicesAffected", "Critical services affected",
              facts.services.description, _M,
              required=classification.critical.met is Met.YES)  # fmt: skip
    _nature(sheet, facts)


def _parties(
    sheet: _Sheet, numbers: tuple[str, str], path: str, title: str, parties: Parties
) -> None:
    sheet.add(numbers[0], f"{path}.number", title, parties.affected, _M)
    sheet.add(numbers[1], f"{path}.percentage", f"{title}, in percent",
              _percent(sheet, numbers[1], parties.affected, parties.total), _M)  # fmt: skip


def _percent(sheet: _Sheet, number: str, part: int | None, whole: int | None) -> Decimal | None:
    """Return a share as the template has it: 0 to 100, here with two decimals."""
    if part is None or not whole:
        return None
    if part > whole:
        sheet.notes.append(f"{number} is {part:,} of {whole:,}; the template ends at 100.")
        return Decimal(100)
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _exactness(facts: Facts) -> tuple[str, ...]:
    found = []
    for name, affected, estimated in (
        ("clients", facts.clients.affected, facts.clients.estimated),
        ("financial_counterparts", facts.counterparts.affected, facts.counterparts.estimated),
        ("transactions", facts.transactions.affected, facts.transactions.estimated),
    ):
        if affected == 0:
            found.append(f"no_impact_on_{name}")
        elif affected is not None:
            found.append(f"{'estimates' if estimated else 'actual_figures'}_for_{name}_affected")
    return tuple(found)


def _times(sheet: _Sheet, facts: Facts, now_ns: int) -> None:
    moments = facts.moments
    start = moments.occurred or moments.detected
    duration = None
    if start is not None:
        end_ns = now_ns if moments.resolved is None else nanoseconds(moments.resolved)
        duration = _days(max(end_ns - nanoseconds(start), 0))
        if moments.resolved is None:
            sheet.notes.append("3.15 is up to now: the incident is not stated as resolved.")
    sheet.add("3.15", "incident.incidentDuration", "Duration (days:hours:minutes)", duration, _M)
    downtime = None
    if moments.down_from is not None:
        end_ns = now_ns if moments.down_until is None else nanoseconds(moments.down_until)
        downtime = _days(max(end_ns - nanoseconds(moments.down_from), 0))
        if moments.down_until is None:
            sheet.notes.append("3.16 is up to now: the end of the downtime is not stated.")
    sheet.add("3.16", "impactAssessment.serviceImpact.serviceDowntime",
              "Downtime (days:hours:minutes)", downtime, _M, required=False)  # fmt: skip
    actual = None not in (moments.occurred, moments.resolved, moments.down_from, moments.down_until)
    exactness = "actual_figures" if actual else "estimates"
    sheet.add("3.17", "informationDurationServiceDowntimeActualOrEstimate",
              "Times actual or estimated", exactness, _M)  # fmt: skip


def _nature(sheet: _Sheet, facts: Facts) -> None:
    report = facts.report
    kind, at = "incident.incidentType", "impactAssessment"
    cyber = "cybersecurity-related" in report.types
    sheet.add("3.23", f"{kind}.incidentClassification", "Type of incident", report.types, _M)
    sheet.add("3.25", f"{kind}.threatTechniques", "Techniques of the attacker",
              report.threat_techniques, _M, required=cyber)  # fmt: skip
    sheet.add("3.27", f"{at}.affectedFunctionalAreas", "Functional areas",
              report.functional_areas, _M)  # fmt: skip
    sheet.add("3.28", f"{at}.isAffectedInfrastructureComponents", "Infrastructure affected",
              report.infrastructure, _M)  # fmt: skip
    sheet.add("3.29", f"{at}.affectedInfrastructureComponents", "Which infrastructure",
              report.infrastructure_description, _M,
              required=report.infrastructure == "yes")  # fmt: skip
    sheet.add("3.30", f"{at}.isImpactOnFinancialInterest", "Clients' financial interests affected",
              report.financial_interest, _M)  # fmt: skip
    sheet.add("3.31", "reportingToOtherAuthorities", "Other authorities told",
              report.other_authorities, _M)  # fmt: skip
    impact = f"{at}.serviceImpact"
    sheet.add("3.33", f"{impact}.isTemporaryActionsMeasuresForRecovery", "Temporary measures",
              report.temporary_measures, _M)  # fmt: skip
    sheet.add("3.34", f"{impact}.descriptionOfTemporaryActionsMeasuresForRecovery",
              "Which temporary measures", report.temporary_measures_description, _M,
              required=report.temporary_measures is True)  # fmt: skip
    sheet.add("3.35", f"{kind}.indicatorsOfCompromise", "Indicators of compromise",
              report.indicators, _M, required=cyber)  # fmt: skip


def _cause(sheet: _Sheet, facts: Facts) -> None:
    report, moments = facts.report, facts.moments
    at = "incident"
    sheet.add("4.1", f"{at}.rootCauseHLClassification", "Root causes", report.root_causes, _F)
    sheet.add("4.2", f"{at}.rootCausesDetailedClassification", "Root causes in detail",
              report.root_causes_detailed, _F)  # fmt: skip
    sheet.add("4.3", f"{at}.rootCausesAdditionalClassification", "Root causes, further classes",
              report.root_causes_additional, _F)  # fmt: skip
    sheet.add("4.5", f"{at}.rootCausesInformation", "About the root causes",
              report.root_causes_description, _F)  # fmt: skip
    sheet.add(
        "4.6", f"{at}.incidentResolutionSummary", "How it was resolved", report.resolution, _F
    )
    for number, name, title, found in (
        (
            "4.7",
            "rootCauseAddressingDateTime",
            "Root cause addressed",
            moments.root_cause_addressed,
        ),
        ("4.8", "incidentResolutionDateTime", "Resolved", moments.resolved),
    ):
        value = None if found is None else iso(nanoseconds(found))
        sheet.add(number, f"{at}.{name}", title, value, _F)
    sheet.add("4.9", f"{at}.incidentResolutionVsPlannedImplementation", "Against the plan",
              report.resolution_against_plan, _F)  # fmt: skip
    sheet.add("4.10", f"{at}.assessmentOfRiskToCriticalFunctions", "Risk to critical functions",
              report.resolution_risk, _F, required=False)  # fmt: skip
    sheet.add("4.11", f"{at}.informationRelevantToResolutionAuthorities",
              "For resolution authorities", report.resolution_authorities, _F,
              required=False)  # fmt: skip
    sheet.add("4.13", f"{at}.grossAmountIndirectDirectCosts", "Gross costs and losses, EUR",
              facts.economy.loss_eur, _F)  # fmt: skip
    sheet.add("4.14", f"{at}.financialRecoveriesAmount", "Recoveries, EUR",
              facts.economy.recoveries_eur, _F)  # fmt: skip
    recurring = facts.recurring
    sheet.add("4.15", f"{at}.recurringNonMajorIncidentsDescription", "Recurring incidents",
              recurring.description, _F, required=False)  # fmt: skip
    sheet.add("4.16", f"{at}.recurringIncidentDate", "First of those",
              None if recurring.first is None else iso(nanoseconds(recurring.first)), _F,
              required=bool(recurring.description))  # fmt: skip


def _days(lasted_ns: int) -> str:
    """Return `days:hours:minutes`, a begun minute counting as one."""
    minutes = -(-lasted_ns // (60 * 10**9))
    return f"{minutes // 1_440}:{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def prepare(kind: Kind, incident: IncidentLine, facts: Facts, now_ns: int) -> Draft:
    """Return a draft from an incident and its facts alone: class, clocks and fields as of now."""
    classification = classify(incident, facts, now_ns)
    timers = deadlines(incident, facts, classification, now_ns)
    return draft(kind, incident, facts, classification, timers, now_ns)
