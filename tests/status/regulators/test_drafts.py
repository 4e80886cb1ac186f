"""Drafts of reports.  The rule: what was not stated stays empty and is named."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from tests.status.regulators.facts import NOW_NS, facts, incident

from seawall.status.regulators.drafts import Draft, prepare
from seawall.status.regulators.facts import Facts, Kind
from seawall.status.regulators.render import render_html, render_json
from seawall.status.regulators.sources import NO_ADVICE, SOURCES

STATED: dict[str, Any] = {
    "entity.name": "Example & Sons", "entity.lei": "529900EXAMPLE0000042",
    "entity.contact": {"name": "A. Person", "email": "a@exchange.example", "phone": "+491"},
    "moments.classified": "2026-05-07T11:00:00Z", "moments.recovered": "2026-05-07T10:30:00Z",
    "reputation.media": True, "reputation.complaints": True,
    "geography.member_states": ["DE", "FR"], "data.integrity": True,
    "clients.affected": 333, "transactions.affected": 2_000, "clients.estimated": True,
    "economy.loss_eur": Decimal("100000.10"), "report.discovery": "monitoring_systems",
}  # fmt: skip


def made(kind: Kind, found: Facts) -> Draft:
    return prepare(kind, incident(), found, NOW_NS)


def as_json(kind: Kind, found: Facts) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(render_json(made(kind, found)), parse_float=Decimal)
    return content


def test_the_initial_notification_holds_what_was_stated() -> None:
    content = as_json(Kind.INITIAL, facts(STATED))
    report = content["report"]
    assert report["incidentSubmission"] == "initial_notification"
    assert report["affectedEntity"] == [{
        "entityType": "AFFECTED_ENTITY", "name": "Example & Sons", "LEI": "529900EXAMPLE0000042",
        "affectedEntityType": ["crypto-asset_service_provider"],
    }]  # fmt: skip
    found = report["incident"]
    assert found["detectionDateTime"] == "2026-05-07T10:02:00.000Z"
    assert found["classificationDateTime"] == "2026-05-07T11:00:00.000Z"
    types = {each["classificationCriterion"]: each for each in found["classificationTypes"]}
    assert set(types) == {
        "critical_services_affected", "reputational_impact", "geographical_spread", "data_losses",
        "clients_financial_counterparts_and_transactions_affected", "economic_impact",
    }  # fmt: skip
    assert types["geographical_spread"]["countryCodeMaterialityThresholds"] == ["DE", "FR"]
    assert types["data_losses"]["dataLosseMaterialityThresholds"] == ["integrity"]
    assert len(types["reputational_impact"]["reputationalImpactType"]) == 2
    assert "market/BTCUSDT" in found["incidentDescription"]
    assert "impactAssessment" not in report
    assert content["missing"] == []


def test_the_intermediate_and_final_reports_hold_numbers_and_times() -> None:
    content = as_json(Kind.INTERMEDIATE, facts(STATED))
    impact = content["report"]["impactAssessment"]
    assets = impact["affectedAssets"]
    assert assets["affectedClients"] == {"number": 333, "percentage": Decimal("33.30")}
    assert assets["affectedTransactions"] == {"number": 2_000, "percentage": 100}
    assert any("3.10 is 2,000 of 1,000" in note for note in content["notes"])
    assert "estimates_for_clients_affected" in assets["numbersActualEstimate"]
    assert "no_impact_on_financial_counterparts" in assets["numbersActualEstimate"]
    assert content["report"]["incident"]["incidentDuration"] == "0:01:00"
    assert impact["serviceImpact"]["serviceDowntime"] == "0:00:30"
    assert "grossAmountIndirectDirectCosts" not in content["report"]["incident"]
    final = as_json(Kind.FINAL, facts(STATED))
    assert final["report"]["incident"]["grossAmountIndirectDirectCosts"] == Decimal("100000.10")
    assert any(each.startswith("4.1 ") for each in final["missing"])


def test_what_was_not_stated_is_missing_and_nothing_is_made_up() -> None:
    content = as_json(Kind.FINAL, Facts())
    missing = {each.split(" ")[0] for each in content["missing"]}
    assert {"1.5", "1.6", "1.7", "2.3", "2.5", "2.7", "3.2", "3.4", "3.9", "4.1", "4.13"} <= missing
    report = content["report"]
    assert (
        "affectedAssets"
        not in report["impactAssessment" if "impactAssessment" in report else "incident"]
    )
    assert content["classification"]["outcome"] == "cannot_tell"
    assert content["classification"]["deciding"]
    assert set(report["incident"]) == {
        "financialEntityCode", "detectionDateTime", "incidentDescription",
    }  # fmt: skip
    assert any("moments.detected is not stated" in note for note in content["notes"])


@pytest.mark.parametrize("kind", Kind)
def test_the_page_says_all_that_people_must_see(kind: Kind) -> None:
    found = facts(STATED | {"regimes.dora": None})
    page = render_html(made(kind, found))
    assert NO_ADVICE in page
    assert "<script" not in page
    assert "We &lt;b&gt;look&lt;/b&gt; into it." in page
    assert "Example &amp; Sons" in page
    for each in SOURCES:
        assert each.name in page
    assert 'data-outcome="major"' in page
    assert "regimes.dora" in page
    assert len(re.findall("<tr", page)) == len(re.findall("</tr>", page))
    assert not re.search(r"(src|href)=", page)


def test_the_page_of_unknown_facts_lists_those_that_decide() -> None:
    page = render_html(made(Kind.INITIAL, Facts()))
    assert "Cannot be told yet" in page
    listed = re.search(r'<ul id="deciding">(.*?)</ul>', page, re.DOTALL)
    assert listed is not None
    assert "services.critical_function" in listed[1]


def test_the_same_facts_give_the_same_bytes() -> None:
    first, second = (render_json(made(Kind.FINAL, facts(STATED))) for _ in range(2))
    assert first == second
