"""Whether an incident is major.  The rule: it is not called minor because nobody knows.

DORA's two-criteria rule, (EU) 2024/1772 Art. 8(1): critical services are affected, and either
malicious access may lose data, or two of the six other thresholds are met.  "Not major" needs facts
that leave no way to "major"; until then the answer is that it cannot be told, and by which facts it
would be.  Recurring incidents, Art. 8(2), count together.
"""

from enum import StrEnum

from msgspec import Struct

from seawall.model.status_document import IncidentLine
from seawall.status.regulators.conditions import (
    Condition,
    Criterion,
    Met,
    all_of,
    any_of,
    criterion,
    known,
    missing_of,
)
from seawall.status.regulators.duties import Duty, duties
from seawall.status.regulators.facts import Facts
from seawall.status.regulators.sources import NO_ADVICE, SOURCES, Source
from seawall.status.regulators.thresholds import (
    RTS,
    critical_services,
    malicious_access,
    thresholds,
)

NEEDED = 2
"""Of the six thresholds."""


class Outcome(StrEnum):
    """From the lightest."""

    NOT_MAJOR = "not_major"
    CANNOT_TELL = "cannot_tell"
    MAJOR = "major"


ORDER = tuple(Outcome)


class Classification(Struct, frozen=True, kw_only=True):
    """What can be said of an incident from what is known."""

    incident: int
    at_ns: int
    under_dora: Met
    outcome: Outcome
    because: str
    critical: Criterion
    access: Criterion
    thresholds: tuple[Criterion, ...]
    recurring: Criterion
    deciding: tuple[str, ...]
    """Facts that would decide it; empty unless it cannot be told."""
    duties: tuple[Duty, ...]
    """Of other rules."""
    sources: tuple[Source, ...] = SOURCES
    note: str = NO_ADVICE

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        return (self.critical, self.access, *self.thresholds, self.recurring)


def classify(incident: IncidentLine, facts: Facts, now_ns: int) -> Classification:
    """Return the class of an incident, as of now."""
    critical, access = critical_services(facts), malicious_access(facts)
    found = thresholds(incident, facts, now_ns)
    recurring = _recurring(facts)
    alone = _alone(critical, access, found)
    outcome, because, deciding = _outcome(critical, access, found, recurring, alone)
    under = facts.regimes.dora
    return Classification(
        incident=incident.number,
        at_ns=now_ns,
        under_dora=Met.UNKNOWN if under is None else (Met.YES if under else Met.NO),
        outcome=outcome,
        because=because,
        critical=critical,
        access=access,
        thresholds=found,
        recurring=recurring,
        deciding=deciding,
        duties=duties(facts),
    )


def _alone(critical: Criterion, access: Criterion, found: tuple[Criterion, ...]) -> Met:
    """Whether Art. 8(1) holds."""
    met = sum(each.met is Met.YES for each in found)
    possible = met + sum(each.met is Met.UNKNOWN for each in found)
    enough = Met.UNKNOWN if met < NEEDED <= possible else known(met >= NEEDED)
    return all_of((critical.met, any_of((access.met, enough))))


def _outcome(
    critical: Criterion,
    access: Criterion,
    found: tuple[Criterion, ...],
    recurring: Criterion,
    alone: Met,
) -> tuple[Outcome, str, tuple[str, ...]]:
    met = [each.title.lower() for each in found if each.met is Met.YES]
    counted = f"{len(met)} of the six thresholds are met" + (f" ({'; '.join(met)})" if met else "")
    if alone is Met.YES:
        why = "malicious access may lose data" if access.met is Met.YES else counted
        return Outcome.MAJOR, f"Critical services are affected, and {why}: {RTS} Art. 8(1).", ()
    if recurring.met is Met.YES:
        return Outcome.MAJOR, f"With others of the same cause: {RTS} Art. 8(2).", ()
    if alone is Met.NO and recurring.met is Met.NO:
        if critical.met is Met.NO:
            why = "No critical service is affected"
        else:
            why = f"Only {counted}, and no malicious access may lose data"
        return Outcome.NOT_MAJOR, f"{why}; nor is it one of a row: {RTS} Art. 8.", ()
    open_ones: list[Condition] = []
    if alone is Met.UNKNOWN:
        for each in (critical, access, *found):
            if each.met is Met.UNKNOWN:
                open_ones += each.conditions
    if recurring.met is Met.UNKNOWN:
        open_ones += recurring.conditions
    state = {Met.YES: "are", Met.NO: "are not", Met.UNKNOWN: "may be"}[critical.met]
    because = f"Critical services {state} affected, {counted}; other facts are not stated."
    return Outcome.CANNOT_TELL, because, missing_of(open_ones)


def _recurring(facts: Facts) -> Criterion:
    """Art. 8(2): at least twice within six months, of one cause, and major when taken together."""
    found, article = facts.recurring, f"{RTS} Art. 8(2)"
    often = Met.UNKNOWN
    if found.count_6_months is not None:
        often = Met.YES if found.count_6_months >= 2 else Met.NO
    enough = Met.UNKNOWN
    if found.thresholds_together is not None:
        enough = Met.YES if found.thresholds_together >= NEEDED else Met.NO
    parts = {
        "recurring.count_6_months": often,
        "recurring.same_root_cause": known(found.same_root_cause),
        "recurring.critical_together": known(found.critical_together),
    }
    together = {
        "recurring.access_together": known(found.access_together),
        "recurring.thresholds_together": enough,
    }
    met = all_of((*parts.values(), any_of(together.values())))
    if facts.entity.recurring_exempt:
        met = Met.NO
    value = "exempt" if facts.entity.recurring_exempt else ""
    if not value and found.count_6_months is not None:
        value = f"{found.count_6_months} within six months"
    missing: tuple[str, ...] = ()
    if met is Met.UNKNOWN:
        missing = tuple(key for key, each in (parts | together).items() if each is Met.UNKNOWN)
    condition = Condition(
        name="recurring", source=article, met=met, value=value, missing=missing,
        text="at least twice within 6 months, of the same apparent root cause, major together",
    )  # fmt: skip
    return criterion("recurring", article, "Recurring incidents", condition)
