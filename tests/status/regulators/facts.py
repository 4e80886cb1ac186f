"""Incidents and facts for the tests.  The rule: all is stated, unless a test takes it out."""

import tomllib
from decimal import Decimal
from typing import Any

import msgspec

from seawall.model.posture import IncidentPhase, Severity
from seawall.model.status_document import IncidentLine, UpdateLine
from seawall.status.regulators.facts import Facts

SECOND_NS = 10**9
HOUR_NS = 3_600 * SECOND_NS

CALM = """
[entity]
recurring_exempt = false
[regimes]
dora = true
mica = true
vara = true
nydfs = true
[moments]
occurred = 2026-05-07T10:00:00Z
detected = 2026-05-07T10:02:00Z
aware = 2026-05-07T10:05:00Z
down_from = 2026-05-07T10:00:00Z
down_until = 2026-05-07T10:30:00Z
resolved = 2026-05-07T11:00:00Z
[services]
critical_function = true
authorised = true
[access]
malicious = false
may_lose_data = false
[clients]
affected = 0
total = 1000
relevant = false
[counterparts]
affected = 0
total = 10
relevant = false
[transactions]
affected = 0
daily_average = 1000
amount = 0
daily_average_amount = 1000
[reputation]
media = false
complaints = false
requirements = false
clients_lost = false
[geography]
member_states = []
[data]
availability = false
authenticity = false
integrity = false
confidentiality = false
[economy]
loss_eur = 0
[recurring]
count_6_months = 1
[cyber]
event = false
[duties]
continuity_plan = false
material_to_operations = false
obligations_at_risk = false
significant_adverse_effect = false
permissionless_ledger = false
"""
"""All is stated, and nothing is bad: not major."""


def ns(text: str) -> int:
    """Return an RFC 3339 moment as the journal counts."""
    moment = tomllib.loads(f"at = {text}")["at"]
    return int(moment.timestamp()) * SECOND_NS


def facts(changes: dict[str, Any] | None = None, base: str = CALM) -> Facts:
    """Return the facts with some changed, as `clients.affected`; None takes one out."""
    content: dict[str, Any] = tomllib.loads(base, parse_float=Decimal)
    for path, value in (changes or {}).items():
        section, _, key = path.partition(".")
        if not key:
            content[section] = value
        elif value is None:
            content.get(section, {}).pop(key, None)
        else:
            moment = isinstance(value, str) and section == "moments"
            read = tomllib.loads(f"at = {value}")["at"] if moment else value
            content.setdefault(section, {})[key] = read
    return msgspec.convert(content, Facts)


def incident(**changes: Any) -> IncidentLine:
    line = IncidentLine(
        number=7,
        severity=Severity.CRITICAL,
        phase=IncidentPhase.RESOLVED,
        kind="provider_lost",
        facts={"provider": "amber"},
        services=("market/BTCUSDT", "withdrawal/ETH/ETHEREUM"),
        dependencies=("provider/amber",),
        opened_ns=ns("2026-05-07T10:02:00Z"),
        updates=(
            UpdateLine(
                number=1, at_ns=ns("2026-05-07T10:03:00Z"), phase=IncidentPhase.INVESTIGATING,
                kind="opened", words_en="We <b>look</b> into it.",
            ),
        ),
    )  # fmt: skip
    return msgspec.structs.replace(line, **changes)


NOW_NS = ns("2026-05-07T12:00:00Z")
