"""The status document: what stands in it, and what its history adds up to."""

from seawall.core.control.state import ControlState
from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.model.control_rows import (
    ClosedTime,
    ControlBook,
    GateResult,
    Incident,
    Plan,
    ServiceRow,
    StageRow,
)
from seawall.model.funding import Listing, Network, NetworkKind, ServiceStatus
from seawall.model.funding_rows import ListingState, NetworkState, ServiceState
from seawall.model.ids import AssetCode
from seawall.model.instruments import Asset
from seawall.model.posture import PlanStatus, Posture, Severity, Stage
from seawall.model.status_document import DayLine, StatusDocument
from seawall.views.closed_days import HISTORY_DAYS, first_day, history
from seawall.views.control_view import LEASE_RUN_OUT, Sources, build_document
from seawall.views.interruptions import LASTING, Interruption

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOW = 20_000 * DAY + 3_600 * SECOND
WITHDRAWAL = "withdrawal/ETH/ETH"


def _span(service: str, from_ns: int, until_ns: int, *, closed: bool = True) -> ClosedTime:
    return ClosedTime(
        service=service, from_ns=from_ns, until_ns=until_ns, closed=closed, incident=3
    )


def test_spans_are_cut_at_midnight_and_at_the_window() -> None:
    midnight = 20_000 * DAY
    book = ControlBook(
        at_ns=NOW,
        closed=[
            _span("transfers", midnight - 120 * DAY, midnight - 119 * DAY),
            _span("transfers", midnight - 90 * SECOND, midnight + 30 * SECOND),
            _span("transfers", midnight + 40 * SECOND, midnight + 50 * SECOND + 1, closed=False),
            _span("sign_in", NOW - 10 * SECOND, 0),
        ],
    )
    assert history(book) == (
        DayLine(service="transfers", day="2024-10-03", closed_s=90, incidents=(3,)),
        DayLine(service="sign_in", day="2024-10-04", closed_s=10, incidents=(3,)),
        DayLine(service="transfers", day="2024-10-04", limited_s=11, closed_s=30, incidents=(3,)),
    )
    assert first_day(book) == "2024-07-07", f"{HISTORY_DAYS} days, today among them"


def _funding() -> FundingState:
    """Return one listing, whose withdrawals are limited."""
    funding = FundingState()
    eth = AssetCode("ETH")
    funding.book.assets["ETH"] = Asset(code=eth, name="Ether", decimals=18)
    network = Network(
        code="ETH",
        name="Ethereum",
        kind=NetworkKind.EVM,
        chain_id=1,
        finality=3,
        native=eth,
        native_decimals=18,
        block_ms=12_000,
    )
    funding.book.networks["ETH"] = NetworkState(network=network, number=1)
    terms = Listing(
        asset=eth,
        network="ETH",
        chain_decimals=18,
        contract="",
        min_deposit=1,
        min_withdrawal=1,
        withdrawal_fee=0,
        approval_above=10**20,
        limited_max=10**18,
        hot_floor=0,
    )
    limited = ServiceState(
        status=ServiceStatus.LIMITED, reason="reopened", order=4, per_withdrawal=5 * 10**17
    )
    funding.book.listings["ETH/ETH"] = ListingState(
        listing=terms, deposit=ServiceState(), withdrawal=limited
    )
    funding.index.rebuild(funding.book)
    funding.book.lease_number, funding.book.lease_until_ns = 8, NOW + 3 * SECOND
    return funding


def _control() -> ControlState:
    """Return an incident, and the plan that leads the listing's withdrawals back."""
    control = ControlState()
    book = control.book
    book.sequence, book.at_ns = 77, NOW
    book.services[WITHDRAWAL] = ServiceRow(
        service=WITHDRAWAL, posture=Posture.LIMITED, order=4, stage=Stage.PAUSED, incident=1, plan=1
    )
    book.incidents[1] = Incident(
        number=1, severity=Severity.MAJOR, kind="provider_lost", opened_ns=NOW - DAY
    )
    book.incidents[2] = Incident(
        number=2,
        severity=Severity.MINOR,
        kind="words",
        opened_ns=NOW - 100 * DAY,
        resolved_ns=NOW - 99 * DAY,
    )
    book.plans[1] = Plan(
        plan_id=1,
        incident=1,
        services=[WITHDRAWAL],
        kind="withdrawal",
        status=PlanStatus.APPROVAL,
        begun_ns=NOW - DAY,
        stages=[StageRow(stage=Stage.PAUSED, entered_ns=NOW - 60 * SECOND)],
        gates=[GateResult(gate="a", passed=True), GateResult(gate="b")],
        approvals={"ann": "operator"},
    )
    return control


def _document(made_ns: int = NOW + SECOND) -> StatusDocument:
    interruptions = [
        Interruption("BTCUSDT", 0, NOW - 3 * DAY, "not listed"),
        Interruption("BTCUSDT", NOW - 3 * DAY, NOW - 2 * DAY, "halted"),
        Interruption("", NOW - 60 * SECOND, NOW - 30 * SECOND, "exchange down"),
        Interruption("BTCUSDT", NOW - 40 * SECOND, LASTING, "cancel_only"),
    ]
    sources = Sources(_control(), SpotState(), _funding(), interruptions)
    return build_document(sources, exchange="reef", node="amber", made_ns=made_ns)


def test_what_stands_in_the_document() -> None:
    document = _document()
    assert (document.sequence, document.at_ns, document.node) == (77, NOW, "amber")
    (service,) = document.services
    assert (service.posture, service.stage, service.reason) == ("limited", "paused", "reopened")
    assert [each.number for each in document.incidents] == [1], "of the last ninety days"
    (plan,) = document.plans
    assert (plan.next_stage, plan.approvals, plan.approvals_needed) == ("open", ("operator",), 1)
    (queue,) = document.queues
    assert (queue.posture, queue.per_withdrawal_max) == ("limited", "0.500000000000000000")
    assert (queue.next_gate, queue.waiting, queue.waiting_amount) == (
        "b",
        0,
        "0.000000000000000000",
    )
    assert [(each.market, each.until_ns) for each in document.candles] == [
        ("", NOW - 30 * SECOND),
        ("BTCUSDT", 0),
    ]


def test_withdrawals_without_a_lease_are_told_as_paused() -> None:
    document = _document(made_ns=NOW + 4 * SECOND)
    assert document.services[0].posture is Posture.PAUSED
    assert document.services[0].reason == document.queues[0].reason == LEASE_RUN_OUT
    assert document.queues[0].posture is Posture.PAUSED
