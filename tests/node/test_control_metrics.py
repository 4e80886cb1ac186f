"""What incident control stands at, as numbers; nothing is made up where there is nothing."""

from prometheus_client.metrics_core import Metric

from seawall.core.control.state import ControlState
from seawall.core.funding_state import FundingState
from seawall.model.control_rows import (
    Cover,
    Incident,
    Lease,
    Plan,
    ServiceRow,
    Statement,
    Verdict,
    Watcher,
)
from seawall.model.posture import IncidentPhase, PlanStatus, Posture, Severity
from seawall.model.watch_facts import Health
from seawall.node.control_metrics import control_families

SECOND = 1_000_000_000
NOW = 1_000 * SECOND


def _values(control: ControlState, funding: FundingState) -> dict[str, float]:
    """Return what is not 0, by the name of the metric and the values of its labels."""
    families: list[Metric] = list(control_families(control, funding, NOW))
    return {
        " ".join([sample.name.removeprefix("seawall_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
        if sample.value
    }


def _incident(number: int, severity: Severity, due_s: int, *, resolved: bool = False) -> Incident:
    return Incident(
        number=number,
        severity=severity,
        kind="test",
        opened_ns=1,
        phase=IncidentPhase.RESOLVED if resolved else IncidentPhase.IDENTIFIED,
        next_update_ns=0 if resolved else NOW + due_s * SECOND,
        missed_updates=number,
    )


def test_a_cluster_in_trouble_is_told() -> None:
    control, funding = ControlState(), FundingState()
    book = control.book
    book.lease = Lease(number=9, until_ns=NOW - 2 * SECOND, refused="nobody is heard")
    funding.book.lease_number = 8
    funding.book.lease_until_ns = NOW + 3 * SECOND
    for name, posture in (
        ("market/BTCUSDT", Posture.HALTED),
        ("market/ETHUSDT", Posture.HALTED),
        ("transfers", Posture.OPEN),
    ):
        book.services[name] = ServiceRow(service=name, posture=posture)
    for row in (
        _incident(1, Severity.MAJOR, 40),
        _incident(2, Severity.MAJOR, -5),
        _incident(4, Severity.CRITICAL, 0, resolved=True),
    ):
        book.incidents[row.number] = row
    for number, status, held in (
        (1, PlanStatus.APPROVAL, ""),
        (2, PlanStatus.WAITING, "by hand"),
        (3, PlanStatus.DONE, "by hand"),
    ):
        book.plans[number] = Plan(
            plan_id=number, incident=1, services=[], kind="market", status=status, held=held,
            begun_ns=1,
        )  # fmt: skip
    book.watchers["amber"] = Watcher(
        watcher="amber", provider="amber", key="", observed_ns=NOW - 7 * SECOND
    )
    book.watchers["blue"] = Watcher(watcher="blue", provider="blue", key="")
    book.verdicts["node/amber"] = Verdict(health=Health.DOWN)
    book.statement = Statement(
        statement="", signature="", public_key="", measured_ns=NOW - 60 * SECOND, at_ns=NOW
    )
    assert _values(control, funding) == {
        "lease_seconds control": -2,
        "lease_seconds funding": 3,
        "lease_refused": 1,
        "services market halted": 2,
        "services transfers open": 1,
        "incidents major": 2,
        "update_due_seconds": -5,
        "missed_updates": 3,
        "plans waiting": 1,
        "plans approval": 1,
        "held_plans": 1,
        "watcher_silence_seconds amber": 7,
        "watcher_silence_seconds blue": float("inf"),
        "dependencies down": 1,
        "statement_age_seconds": 60,
    }


def test_what_a_hot_wallet_lacks_is_told_in_whole_coins() -> None:
    control = ControlState()
    for key, hot, queued, asked in (
        ("BTC/BITCOIN", 150, 400, 0),
        ("ETH/ETHEREUM", 150, 100, 700),
        ("LTC/LITECOIN", 150, 100, 0),
    ):
        control.book.covers[key] = Cover(
            hot_atoms=hot, queued_atoms=queued, queued_count=1, usual_atoms_per_hour=0,
            measured_ns=1, decimals=2, top_up_atoms=asked,
        )  # fmt: skip
    found = _values(control, FundingState())
    assert {name: value for name, value in found.items() if name.startswith("top_up")} == {
        "top_up_wanted BTC BITCOIN": 2.5,
        "top_up_wanted ETH ETHEREUM": 7,
    }
    assert found["hot_wallet ETH ETHEREUM"] == 1.5
    assert found["queued_withdrawals BTC BITCOIN"] == 4


def test_where_nothing_was_told_nothing_is_made_up() -> None:
    assert _values(ControlState(), FundingState()) == {}
    names = {family.name for family in control_families(ControlState(), FundingState(), NOW)}
    assert {"seawall_lease_seconds", "seawall_statement_age_seconds"} <= names
