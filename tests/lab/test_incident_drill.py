"""The incident drill: what it promises is measured, and a broken promise is seen.

The drill itself takes minutes on a machine that other tests share: `make drill DRILL=incident`.
"""

from collections.abc import Callable
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from seawall.cli.commands.drill import Scenario
from seawall.lab.drills.base import DrillReport
from seawall.lab.drills.incident_audit import Record, Signing
from seawall.lab.drills.incident_report import Happened, Ran, incident_report
from seawall.lab.drills.incident_scenarios import SCENARIOS, SHORT
from seawall.lab.drills.incident_seen import Seen
from seawall.lab.drills.incident_users import Asked, Moment, Notes
from seawall.model.control_rows import ControlBook, GateResult, Plan, StageRow
from seawall.model.funding_rows import FundingBook
from seawall.model.posture import PlanStatus, Posture, ServiceKind, Stage

NS = 1_000_000_000
HURT_S = 100.0
HURT_NS = 5_000 * NS
LADDERS = {
    "market": (Stage.CANCEL_ONLY, Stage.POST_ONLY, Stage.AUCTION, Stage.OPEN_COLLARED, Stage.OPEN),
    "withdrawal": (
        Stage.PAUSED,
        Stage.VERIFY,
        Stage.CANARY,
        Stage.LIMITED,
        Stage.WIDER,
        Stage.OPEN,
    ),
}


def plan(number: int, kind: str, service: str) -> Plan:
    """Return a plan that went up its ladder, two seconds a rung."""
    stages = []
    for place, stage in enumerate(LADDERS[kind]):
        gates = [GateResult(gate="ledger_zero_sum", passed=True, value="0")] if place else []
        people = ["ada", "ben"] if stage in (Stage.WIDER, Stage.OPEN) else []
        stages.append(
            StageRow(
                stage=stage,
                entered_ns=HURT_NS + (2 + 2 * place) * NS,
                gates=gates,
                approvals=people if kind == "withdrawal" else [],
            )
        )
    return Plan(
        plan_id=number,
        incident=1,
        services=[service],
        kind=kind,
        status=PlanStatus.DONE,
        begun_ns=HURT_NS + NS,
        stages=stages,
    )


def signing(number: int, after_s: float) -> Signing:
    at_ns = HURT_NS + int(after_s * NS)
    return Signing(withdrawal_id=number, at_ns=at_ns, lease_until_ns=at_ns + 3 * NS)


def seen(after_s: float, service: str, kind: ServiceKind, posture: Posture) -> Seen:
    return Seen(
        at_s=HURT_S + after_s, service=service, kind=kind, posture=posture, stage=None, reason=""
    )


def good() -> Ran:
    """Return a run in which every promise was kept."""
    market, withdrawal = "market/BTCUSDC", "withdrawal/ETH/ETH"
    record = Record(
        control=ControlBook(
            plans={1: plan(1, "market", market), 2: plan(2, "withdrawal", withdrawal)}
        ),
        funding=FundingBook(),
        # Before the fault, just after it, and after the limited stage was entered.
        signings=(signing(1, -3.0), signing(2, 1.5), signing(3, 8.5)),
        entries=100,
    )
    happened = (
        Happened(at_s=HURT_S, at_ns=HURT_NS, kind="fault", text="amber is cut off"),
        Happened(at_s=HURT_S + 14, at_ns=HURT_NS, kind="end", text="all services are open"),
    )
    return Ran(
        scenario=SCENARIOS[SHORT],
        seed=1,
        started_at="2026-11-22T00:00:00Z",
        began_s=HURT_S - 5,
        ended_s=HURT_S + 20,
        hurt_s=HURT_S,
        hurt_ns=HURT_NS,
        happened=happened,
        changes=(
            seen(-4, market, ServiceKind.MARKET, Posture.OPEN),
            seen(-4, withdrawal, ServiceKind.WITHDRAWAL, Posture.OPEN),
            seen(1, market, ServiceKind.MARKET, Posture.CANCEL_ONLY),
            seen(1, withdrawal, ServiceKind.WITHDRAWAL, Posture.PAUSED),
            seen(10, market, ServiceKind.MARKET, Posture.OPEN),
            seen(13, withdrawal, ServiceKind.WITHDRAWAL, Posture.OPEN),
        ),
        posted_s={"one": HURT_S + 2.5, "two": HURT_S + 3.0},
        notes=Notes(
            moments=[
                Moment(at_s=HURT_S + 0.5, gateway="blue", what="withdraw", taken=True),
                Moment(at_s=HURT_S + 2.0, gateway="blue", what="withdraw", taken=False, code=-4019),
            ],
            orders={"t": ["t-1", "t-2"]},
            withdrawals=[Asked(name="s-1", address="0x1", number="1")],
        ),
        record=record,
        lost=(),
    )


def broken(report: DrillReport) -> list[str]:
    return [promise.name for promise in report.promises if not promise.held]


def test_a_good_day_has_its_times_and_every_gate() -> None:
    report = incident_report(good())
    assert broken(report) == []
    numbers = report.numbers
    assert numbers["suspension_s"] == 1.5, "the last that was signed, not the last that was asked"
    assert numbers["first_post_s"] == 3.0, "both places, not the first of them"
    assert (numbers["cancel_only_s"], numbers["trading_s"]) == (1.0, 10.0)
    assert (numbers["withdrawals_first_s"], numbers["withdrawals_full_s"]) == (8.5, 13.0)
    assert len(numbers["gates"]) == 9
    assert numbers["lost"] == 0
    document = msgspec.json.decode(report.to_json())
    keys = "suspension_s first_post_s cancel_only_s trading_s withdrawals_first_s"
    assert set(keys.split()) <= set(document)


def _late_signing(ran: Ran) -> Ran:
    assert ran.record is not None
    more = (*ran.record.signings, signing(4, 6.0))
    return replace(ran, record=replace(ran.record, signings=more))


def _without_lease(ran: Ran) -> Ran:
    assert ran.record is not None
    bare = Signing(withdrawal_id=5, at_ns=HURT_NS + 9 * NS, lease_until_ns=HURT_NS)
    return replace(ran, record=replace(ran.record, signings=(*ran.record.signings, bare)))


def _late_request(ran: Ran) -> Ran:
    late = Moment(at_s=HURT_S + 5.5, gateway="coral", what="withdraw", taken=True)
    ran.notes.moments.append(late)
    return ran


def _gate_open(ran: Ran) -> Ran:
    assert ran.record is not None
    ran.record.control.plans[2].stages[3].gates[0].passed = None
    return ran


def _one_person(ran: Ran) -> Ran:
    assert ran.record is not None
    ran.record.control.plans[2].stages[4].approvals = ["ada", "Ada"]
    return ran


def _no_auction(ran: Ran) -> Ran:
    assert ran.record is not None
    del ran.record.control.plans[1].stages[2]
    return ran


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_late_signing, "five seconds"),
        (_without_lease, "five seconds"),
        (_late_request, "five seconds"),
        (lambda ran: replace(ran, lost=("order t-1",)), "acknowledged"),
        (lambda ran: replace(ran, posted_s={"one": HURT_S + 61}), "within a minute"),
        (lambda ran: replace(ran, posted_s={}), "within a minute"),
        (_gate_open, "every gate"),
        (_one_person, "every gate"),
        (_no_auction, "its ladder"),
        (lambda ran: replace(ran, happened=ran.happened[:1]), "open again"),
    ],
)
def test_a_broken_promise_is_seen(spoil: Callable[[Ran], Ran], what: str) -> None:
    assert [name for name in broken(incident_report(spoil(good()))) if what in name]


def test_a_run_that_failed_keeps_no_promise_of_what_it_did_not_compare() -> None:
    ran = replace(good(), record=None, failure="TimeoutError")
    assert len(broken(incident_report(ran))) >= 4


def test_the_command_names_every_scenario() -> None:
    assert get_args(Scenario) == tuple(SCENARIOS)
