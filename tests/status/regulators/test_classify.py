"""Classes of incidents.  The rule: what is worse never weighs less, and unknown is never minor."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.status.regulators.facts import NOW_NS, facts, incident, ns

from seawall.status.regulators.classify import ORDER, Classification, Outcome, classify
from seawall.status.regulators.conditions import Met
from seawall.status.regulators.facts import Facts

MEDIA: dict[str, Any] = {"reputation.media": True}


def told(found: Facts, now_ns: int = NOW_NS) -> Classification:
    return classify(incident(), found, now_ns)


def met(found: Facts, now_ns: int = NOW_NS) -> dict[str, Met]:
    """Return which conditions hold, by name."""
    verdict = told(found, now_ns)
    return {each.name: each.met for criterion in verdict.criteria for each in criterion.conditions}


def test_all_that_is_stated_and_calm_is_not_major() -> None:
    verdict = told(facts())
    assert verdict.outcome is Outcome.NOT_MAJOR
    assert verdict.deciding == ()


@pytest.mark.parametrize(
    "condition, changes, expected",
    [
        ("clients_share", {"clients.affected": 100}, Met.NO),
        ("clients_share", {"clients.affected": 101}, Met.YES),
        ("clients_number", {"clients.affected": 100_000, "clients.total": 10**7}, Met.NO),
        ("clients_number", {"clients.affected": 100_001, "clients.total": 10**7}, Met.YES),
        ("clients_share", {"clients.affected": 100_001, "clients.total": 10**7}, Met.NO),
        ("counterparts_share", {"counterparts.affected": 3}, Met.NO),
        ("counterparts_share", {"counterparts.affected": 4}, Met.YES),
        ("transactions_number", {"transactions.affected": 100}, Met.NO),
        ("transactions_number", {"transactions.affected": 101}, Met.YES),
        ("transactions_amount", {"transactions.amount": Decimal("100.00")}, Met.NO),
        ("transactions_amount", {"transactions.amount": Decimal("100.0000000000000001")}, Met.YES),
        ("relevant", {"counterparts.relevant": True}, Met.YES),
        ("relevant", {"counterparts.relevant": None}, Met.UNKNOWN),
        ("media", MEDIA, Met.YES),
        ("duration", {"moments.resolved": "2026-05-08T10:00:00Z"}, Met.NO),
        ("duration", {"moments.resolved": "2026-05-08T10:00:00.000001Z"}, Met.YES),
        ("downtime", {"moments.down_until": "2026-05-07T12:00:00Z"}, Met.NO),
        ("downtime", {"moments.down_until": "2026-05-07T12:00:00.000001Z"}, Met.YES),
        (
            "downtime",
            {"moments.down_until": "2026-05-07T20:00:00Z", "services.critical_function": False},
            Met.NO,
        ),
        ("member_states", {"geography.member_states": ["DE"]}, Met.NO),
        ("member_states", {"geography.member_states": ["DE", "DE"]}, Met.NO),
        ("member_states", {"geography.member_states": ["DE", "FR"]}, Met.YES),
        ("integrity", {"data.integrity": True}, Met.YES),
        ("loss", {"economy.loss_eur": Decimal("100000.00")}, Met.NO),
        ("loss", {"economy.loss_eur": Decimal("100000.01")}, Met.YES),
        ("clients_share", {"clients.total": None}, Met.NO),
        ("clients_share", {"clients.affected": 5, "clients.total": None}, Met.UNKNOWN),
        ("clients_share", {"clients.affected": 1, "clients.total": 1}, Met.YES),
    ],
)  # fmt: skip
def test_exactly_at_a_threshold_is_not_above_it(
    condition: str, changes: dict[str, Any], expected: Met
) -> None:
    assert met(facts(changes))[condition] is expected


ONE: dict[str, dict[str, Any]] = {
    "clients": {"clients.affected": 200},
    "reputation": MEDIA,
    "duration": {"moments.down_until": "2026-05-07T19:00:00Z"},
    "geography": {"geography.member_states": ["DE", "FR"]},
    "data": {"data.availability": True},
    "economy": {"economy.loss_eur": Decimal(200_000)},
}
NOT_CRITICAL = {"services.critical_function": False, "services.authorised": False}


@pytest.mark.parametrize("first", ONE)
@pytest.mark.parametrize("second", ONE)
def test_two_thresholds_make_it_major_and_one_does_not(first: str, second: str) -> None:
    found = told(facts(ONE[first] | ONE[second])).outcome
    assert found is (Outcome.NOT_MAJOR if first == second else Outcome.MAJOR)


def test_all_points_of_the_first_threshold_are_one() -> None:
    crowd = {
        "clients.affected": 200_000, "clients.total": 200_000, "clients.relevant": True,
        "counterparts.affected": 10, "transactions.affected": 5_000,
        "transactions.amount": Decimal(10**9),
    }  # fmt: skip
    assert told(facts(crowd)).outcome is Outcome.NOT_MAJOR


def test_without_critical_services_nothing_is_major() -> None:
    everything = {key: value for one in ONE.values() for key, value in one.items()}
    assert told(facts(everything | NOT_CRITICAL)).outcome is Outcome.NOT_MAJOR


def test_malicious_access_that_may_lose_data_is_enough_alone() -> None:
    access = {"access.malicious": True, "access.may_lose_data": True}
    assert told(facts(access | NOT_CRITICAL)).outcome is Outcome.MAJOR
    # That data did suffer does not make it less.
    assert told(facts(access | {"data.confidentiality": True})).outcome is Outcome.MAJOR
    harmless = {"access.malicious": True, "access.may_lose_data": False}
    assert told(facts(harmless)).outcome is Outcome.NOT_MAJOR


def test_without_facts_it_cannot_be_told_and_all_that_decide_are_named() -> None:
    verdict = told(Facts())
    assert verdict.outcome is Outcome.CANNOT_TELL
    assert {"services.authorised", "clients.affected", "economy.loss_eur"} <= set(verdict.deciding)
    some = told(facts({"reputation.media": None, "geography.member_states": ["DE", "FR"]}))
    assert (some.outcome, some.deciding) == (Outcome.CANNOT_TELL, ("reputation.media",))


def test_one_unknown_that_cannot_make_two_leaves_it_not_major() -> None:
    verdict = told(facts({"reputation.media": None}))
    assert (verdict.outcome, verdict.deciding) == (Outcome.NOT_MAJOR, ())


def test_a_running_incident_is_not_known_to_be_short() -> None:
    running = {"moments.resolved": None, "moments.down_until": None}
    early = met(facts(running), ns("2026-05-07T11:00:00Z"))
    assert (early["duration"], early["downtime"]) == (Met.UNKNOWN, Met.UNKNOWN)
    later = met(facts(running), ns("2026-05-08T11:00:00Z"))
    assert (later["duration"], later["downtime"]) == (Met.YES, Met.YES)


def test_without_its_beginning_an_incident_is_not_known_to_be_short() -> None:
    hidden = facts({"moments.occurred": None})
    assert met(hidden)["duration"] is Met.UNKNOWN
    sure = facts({"moments.occurred": None, "moments.occurred_unknowable": True})
    assert met(sure)["duration"] is Met.NO
    long = {"moments.occurred": None, "moments.resolved": "2026-05-08T10:03:00Z"}
    assert met(facts(long))["duration"] is Met.YES


ROW = {
    "recurring.count_6_months": 2, "recurring.same_root_cause": True,
    "recurring.critical_together": True, "recurring.thresholds_together": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    "changes, outcome",
    [
        ({}, Outcome.MAJOR),
        ({"recurring.count_6_months": 1}, Outcome.NOT_MAJOR),
        ({"recurring.same_root_cause": False}, Outcome.NOT_MAJOR),
        ({"recurring.thresholds_together": 1}, Outcome.CANNOT_TELL),
        (
            {"recurring.thresholds_together": 1, "recurring.access_together": False},
            Outcome.NOT_MAJOR,
        ),
        (
            {"recurring.thresholds_together": 0, "recurring.access_together": True},
            Outcome.MAJOR,
        ),
        ({"recurring.same_root_cause": None}, Outcome.CANNOT_TELL),
        ({"recurring.count_6_months": None}, Outcome.CANNOT_TELL),
        ({"entity.recurring_exempt": True}, Outcome.NOT_MAJOR),
    ],
)
def test_incidents_in_a_row(changes: dict[str, Any], outcome: Outcome) -> None:
    assert told(facts(ROW | changes)).outcome is outcome


# Unknown facts

CHOICES: dict[str, tuple[Any, ...]] = {
    "services.critical_function": (False, True),
    "services.authorised": (False, True),
    "access.malicious": (False, True),
    "access.may_lose_data": (False, True),
    "reputation.complaints": (False, True),
    "geography.member_states": ([], ["DE", "FR"]),
    "data.integrity": (False, True),
    "economy.loss_eur": (0, 200_000),
}


@given(
    st.fixed_dictionaries(
        {key: st.sampled_from((None, *values)) for key, values in CHOICES.items()}
    )
)
@settings(deadline=None, max_examples=40)
def test_it_cannot_be_told_exactly_if_the_unknown_facts_decide(partial: dict[str, Any]) -> None:
    unknown = [key for key, value in partial.items() if value is None]
    possible = {
        told(facts(partial | dict(zip(unknown, values, strict=True)))).outcome
        for values in product(*(CHOICES[key] for key in unknown))
    }
    verdict = told(facts(partial))
    if len(possible) == 1:
        assert verdict.outcome in possible
    else:
        assert possible == {Outcome.MAJOR, Outcome.NOT_MAJOR}
        assert verdict.outcome is Outcome.CANNOT_TELL
        assert set(verdict.deciding) <= set(unknown)
        assert verdict.deciding


ADVERSE: dict[str, tuple[Any, ...]] = {
    # From good to bad; unknown lies between the two.
    "services.critical_function": (False, None, True),
    "services.authorised": (False, None, True),
    "access.malicious": (False, None, True),
    "access.may_lose_data": (False, None, True),
    "clients.affected": (0, 100, None, 101, 1_000),
    "clients.relevant": (False, None, True),
    "counterparts.affected": (0, 3, None, 4),
    "transactions.affected": (0, 100, None, 101),
    "transactions.amount": (0, 100, None, 101),
    "reputation.media": (False, None, True),
    "reputation.clients_lost": (False, None, True),
    "moments.resolved": ("2026-05-07T11:00:00Z", None, "2026-05-09T11:00:00Z"),
    "moments.down_until": ("2026-05-07T11:00:00Z", None, "2026-05-07T13:00:00Z"),
    "geography.member_states": ([], ["DE"], None, ["DE", "FR"]),
    "data.confidentiality": (False, None, True),
    "economy.loss_eur": (0, 100_000, None, 100_001),
    "recurring.count_6_months": (1, None, 2),
    "recurring.same_root_cause": (False, None, True),
    "recurring.critical_together": (False, None, True),
    "recurring.thresholds_together": (0, None, 2),
}


@given(
    places=st.fixed_dictionaries(
        {key: st.integers(0, len(steps) - 1) for key, steps in ADVERSE.items()}
    ),
    worse=st.sampled_from(sorted(ADVERSE)),
)
@settings(deadline=None, max_examples=120)
def test_a_worse_fact_never_lowers_the_class(places: dict[str, int], worse: str) -> None:
    steps = ADVERSE[worse]
    outcomes = []
    for place in range(places[worse], len(steps)):
        given_facts = {key: ADVERSE[key][at] for key, at in places.items()} | {worse: steps[place]}
        outcomes.append(ORDER.index(told(facts(given_facts), ns("2026-05-07T11:30:00Z")).outcome))
    assert outcomes == sorted(outcomes)


# Other rules


def duty(name: str, changes: dict[str, Any]) -> tuple[Met, tuple[str, ...]]:
    found = next(each for each in told(facts(changes)).duties if each.name == name)
    return found.met, found.missing


@pytest.mark.parametrize(
    "name, changes, expected",
    [
        ("vara_notice", {}, Met.NO),
        ("vara_notice", {"duties.continuity_plan": True}, Met.NO),
        (
            "vara_notice",
            {"duties.continuity_plan": True, "duties.material_to_operations": True},
            Met.YES,
        ),
        ("vara_notice", {"cyber.event": True, "duties.material_to_operations": True}, Met.YES),
        (
            "vara_notice",
            {"duties.continuity_plan": None, "duties.material_to_operations": True},
            Met.UNKNOWN,
        ),
        (
            "vara_notice",
            {"cyber.event": True, "duties.material_to_operations": True, "regimes.vara": False},
            Met.NO,
        ),
        ("nydfs_disruption", {"duties.significant_adverse_effect": True}, Met.YES),
        ("nydfs_disruption", {"duties.obligations_at_risk": None}, Met.UNKNOWN),
        ("nydfs_cyber", {"duties.material_to_operations": True}, Met.NO),
        ("nydfs_cyber", {"cyber.event": True}, Met.UNKNOWN),
        ("nydfs_cyber", {"cyber.event": True, "cyber.ransomware": True}, Met.YES),
        ("nydfs_extortion", {}, Met.NO),
        ("nydfs_extortion", {"moments.extortion_paid": "2026-05-08T10:00:00Z"}, Met.YES),
        ("mica_clients", {"duties.permissionless_ledger": True}, Met.YES),
    ],
)
def test_duties_of_other_rules(name: str, changes: dict[str, Any], expected: Met) -> None:
    found, missing = duty(name, changes)
    assert found is expected
    assert bool(missing) == (expected is Met.UNKNOWN)


def test_whether_one_is_under_a_rule_is_a_fact_too() -> None:
    assert duty("vara_notice", {"regimes.vara": None}) == (Met.NO, ("regimes.vara",))
    assert told(facts({"regimes.dora": None})).under_dora is Met.UNKNOWN
