"""DORA's criteria and their thresholds.  The rule: "more than" is more than, and exact.

Delegated Regulation (EU) 2024/1772: Article 6 says what a critical service is, Article 9 what is
material.  Shares are compared by multiplying, so nothing is rounded.
"""

from decimal import Decimal
from typing import Final

from seawall.model.status_document import IncidentLine
from seawall.status.regulators.conditions import (
    Condition,
    Criterion,
    Met,
    all_of,
    any_of,
    criterion,
    known,
    stated,
)
from seawall.status.regulators.facts import Facts, nanoseconds

RTS: Final = "(EU) 2024/1772"
CLIENTS_MOST: Final = 100_000
DURATION_MOST_NS: Final = 24 * 3_600 * 10**9
DOWNTIME_MOST_NS: Final = 2 * 3_600 * 10**9
MEMBER_STATES: Final = 2
LOSS_MOST_EUR: Final = Decimal(100_000)

CRITICAL: Final = "critical_services_affected"
ACCESS: Final = "malicious_access"


def critical_services(facts: Facts) -> Criterion:
    """Article 6: without one of these no incident is major."""
    return criterion(
        CRITICAL,
        f"{RTS} Art. 6",
        "Critical services affected",
        stated(
            "functions",
            f"{RTS} Art. 6(a)",
            "systems that support critical or important functions",
            "services.critical_function",
            facts.services.critical_function,
        ),
        stated(
            "services",
            f"{RTS} Art. 6(b)",
            "services that are authorised, registered or supervised",
            "services.authorised",
            facts.services.authorised,
        ),
        stated(
            "access",
            f"{RTS} Art. 6(c)",
            "successful, malicious and unauthorised access",
            "access.malicious",
            facts.access.malicious,
        ),
    )


def malicious_access(facts: Facts) -> Criterion:
    """Article 9(5)(b), which is enough alone.

    It speaks of access that point (a) does not cover.  Here it counts beside (a) all the same: that
    data did suffer cannot make the access weigh less.
    """
    article = f"{RTS} Art. 9(5)(b)"
    both = {
        "access.malicious": facts.access.malicious,
        "access.may_lose_data": facts.access.may_lose_data,
    }
    met = all_of(known(fact) for fact in both.values())
    condition = Condition(
        name="access",
        source=article,
        met=met,
        text="successful, malicious and unauthorised access that may result in data losses",
        value=", ".join(f"{key} {_words(fact)}" for key, fact in both.items() if fact is not None),
        missing=tuple(key for key, fact in both.items() if fact is None)
        if met is Met.UNKNOWN
        else (),
    )
    return criterion(ACCESS, article, "Malicious access that may lose data", condition)


def thresholds(incident: IncidentLine, facts: Facts, now_ns: int) -> tuple[Criterion, ...]:
    """Return the six of which two are needed."""
    return (
        _clients(facts),
        _reputation(facts),
        _duration(incident, facts, now_ns),
        _geography(facts),
        _data(facts),
        _economy(facts),
    )


def _clients(facts: Facts) -> Criterion:
    clients, counterparts, moved = facts.clients, facts.counterparts, facts.transactions
    article = f"{RTS} Art. 9(1)"
    return criterion(
        "clients_financial_counterparts_and_transactions_affected",
        article,
        "Clients, financial counterparts and transactions",
        _share(
            "clients_share",
            f"{article}(a)",
            "more than 10 % of all clients of the service",
            ("clients.affected", clients.affected),
            ("clients.total", clients.total),
            10,
        ),
        _more(
            "clients_number",
            f"{article}(b)",
            "more than 100,000 clients",
            "clients.affected",
            clients.affected,
            CLIENTS_MOST,
        ),
        _share(
            "counterparts_share",
            f"{article}(c)",
            "more than 30 % of all financial counterparts",
            ("counterparts.affected", counterparts.affected),
            ("counterparts.total", counterparts.total),
            30,
        ),
        _share(
            "transactions_number",
            f"{article}(d)",
            "more than 10 % of a day's average number",
            ("transactions.affected", moved.affected),
            ("transactions.daily_average", moved.daily_average),
            10,
        ),
        _share(
            "transactions_amount",
            f"{article}(e)",
            "more than 10 % of a day's average amount",
            ("transactions.amount", moved.amount),
            ("transactions.daily_average_amount", moved.daily_average_amount),
            10,
        ),
        _relevant(facts, f"{article}(f), 1(3)"),
    )


def _relevant(facts: Facts, article: str) -> Condition:
    both = {
        "clients.relevant": facts.clients.relevant,
        "counterparts.relevant": facts.counterparts.relevant,
    }
    met = any_of(known(fact) for fact in both.values())
    return Condition(
        name="relevant",
        source=article,
        met=met,
        text="clients or counterparts that were identified as relevant",
        value=", ".join(f"{key} {_words(fact)}" for key, fact in both.items() if fact is not None),
        missing=tuple(key for key, fact in both.items() if fact is None)
        if met is Met.UNKNOWN
        else (),
    )


def _reputation(facts: Facts) -> Criterion:
    found, article = facts.reputation, f"{RTS} Art. 9(2), 2"
    return criterion(
        "reputational_impact",
        f"{RTS} Art. 9(2)",
        "Reputational impact",
        stated("media", f"{article}(a)", "reflected in the media", "reputation.media", found.media),
        stated(
            "complaints",
            f"{article}(b)",
            "repetitive complaints of different clients or counterparts",
            "reputation.complaints",
            found.complaints,
        ),
        stated(
            "requirements",
            f"{article}(c)",
            "regulatory requirements not met, or likely not",
            "reputation.requirements",
            found.requirements,
        ),
        stated(
            "clients_lost",
            f"{article}(d)",
            "clients or counterparts lost, or likely, with a material impact",
            "reputation.clients_lost",
            found.clients_lost,
        ),
    )


def _duration(incident: IncidentLine, facts: Facts, now_ns: int) -> Criterion:
    article = f"{RTS} Art. 9(3)"
    return criterion(
        "duration_and_service_downtime",
        article,
        "Duration and service downtime",
        _longer_than_a_day(incident, facts, now_ns, f"{article}(a), 3"),
        _longer_than_two_hours(facts, now_ns, f"{article}(b), 3"),
    )


def _longer_than_a_day(
    incident: IncidentLine, facts: Facts, now_ns: int, article: str
) -> Condition:
    moments = facts.moments
    if moments.occurred is not None:
        start_ns = nanoseconds(moments.occurred)
    else:
        # It was there when it was seen, whatever was before: it lasted at least so long.
        start_ns = incident.opened_ns
        if moments.detected is not None:
            start_ns = min(start_ns, nanoseconds(moments.detected))
    sure = moments.occurred is not None or moments.occurred_unknowable
    end_ns = nanoseconds(moments.resolved) if moments.resolved is not None else now_ns
    lasted_ns = max(end_ns - start_ns, 0)
    missing: list[str] = []
    if lasted_ns > DURATION_MOST_NS:
        met = Met.YES
    else:
        if not sure:
            missing.append("moments.occurred")
        if moments.resolved is None:
            missing.append("moments.resolved")
        met = Met.UNKNOWN if missing else Met.NO
    return Condition(
        name="duration",
        source=article,
        text="longer than 24 hours",
        met=met,
        value=("" if sure and moments.resolved is not None else "at least ") + span(lasted_ns),
        missing=tuple(missing),
    )


def _longer_than_two_hours(facts: Facts, now_ns: int, article: str) -> Condition:
    moments, critical = facts.moments, facts.services.critical_function
    missing: list[str] = []
    value = ""
    if critical is None:
        missing.append("services.critical_function")
    if moments.down_from is None:
        missing.append("moments.down_from")
        longer = Met.UNKNOWN
    else:
        end_ns = nanoseconds(moments.down_until) if moments.down_until is not None else now_ns
        lasted_ns = max(end_ns - nanoseconds(moments.down_from), 0)
        value = ("" if moments.down_until is not None else "at least ") + span(lasted_ns)
        longer = Met.YES if lasted_ns > DOWNTIME_MOST_NS else Met.NO
        if longer is Met.NO and moments.down_until is None:
            missing.append("moments.down_until")
            longer = Met.UNKNOWN
    if critical is False or longer is Met.NO:
        met = Met.NO
    else:
        met = Met.UNKNOWN if critical is None else longer
    return Condition(
        name="downtime",
        source=article,
        met=met,
        value=value,
        text="downtime longer than 2 hours of what supports critical or important functions",
        missing=tuple(missing) if met is Met.UNKNOWN else (),
    )


def _geography(facts: Facts) -> Criterion:
    states, article = facts.geography.member_states, f"{RTS} Art. 9(4)"
    met = Met.UNKNOWN
    if states is not None:
        met = Met.YES if len(dict.fromkeys(states)) >= MEMBER_STATES else Met.NO
    condition = Condition(
        name="member_states",
        source=article,
        text="an impact in two or more Member States",
        met=met,
        value="" if states is None else (", ".join(states) or "none"),
        missing=("geography.member_states",) if met is Met.UNKNOWN else (),
    )
    return criterion("geographical_spread", article, "Geographical spread", condition)


def _data(facts: Facts) -> Criterion:
    found, article = facts.data, f"{RTS} Art. 9(5)(a), 5"
    parts = {
        "availability": found.availability, "authenticity": found.authenticity,
        "integrity": found.integrity, "confidentiality": found.confidentiality,
    }  # fmt: skip
    return criterion(
        "data_losses",
        f"{RTS} Art. 9(5)(a)",
        "Data losses",
        *(
            stated(
                name, article, f"an adverse impact through the {name} of data", f"data.{name}", fact
            )
            for name, fact in parts.items()
        ),
    )


def _economy(facts: Facts) -> Criterion:
    article = f"{RTS} Art. 9(6)"
    return criterion(
        "economic_impact",
        article,
        "Economic impact",
        _more(
            "loss",
            article,
            "costs and losses of more than EUR 100,000, incurred or likely",
            "economy.loss_eur",
            facts.economy.loss_eur,
            LOSS_MOST_EUR,
        ),
    )


def _share(
    name: str,
    source: str,
    text: str,
    part: tuple[str, int | Decimal | None],
    whole: tuple[str, int | Decimal | None],
    percent: int,
) -> Condition:
    (part_key, found), (whole_key, total) = part, whole
    missing: tuple[str, ...] = ()
    if found is not None and total is not None:
        met = Met.YES if found * 100 > total * percent else Met.NO
    elif found == 0:
        met = Met.NO
    else:
        met = Met.UNKNOWN
        missing = tuple(key for key, fact in (part, whole) if fact is None)
    value = ", ".join(
        f"{key} {fact:,}"
        for key, fact in ((part_key, found), (whole_key, total))
        if fact is not None
    )
    return Condition(name=name, source=source, text=text, met=met, value=value, missing=missing)


def _more(
    name: str, source: str, text: str, key: str, found: int | Decimal | None, most: int | Decimal
) -> Condition:
    if found is None:
        return Condition(name=name, source=source, text=text, met=Met.UNKNOWN, missing=(key,))
    met = Met.YES if found > most else Met.NO
    return Condition(name=name, source=source, text=text, met=met, value=f"{key} {found:,}")


def span(lasted_ns: int) -> str:
    """Return a time as `1 d 03:30:05`."""
    seconds = lasted_ns // 10**9
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3_600:02d}:{rest % 3_600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


def _words(fact: bool) -> str:  # a fact that is stated
    return "yes" if fact else "no"
