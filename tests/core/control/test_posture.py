"""Postures: the table, orders that rise, what cells do by themselves, and the history of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.control.watch_desk import SECOND_NS, WatchDesk, refusal

from seawall.core.control.posture import DAY_NS, order_posture
from seawall.core.control.services import find
from seawall.core.control.ways import (
    POSTURES,
    STAGE_POSTURES,
    WAYS,
    Way,
    is_less,
    towards_less,
)
from seawall.core.market_status import TRANSITIONS, Move
from seawall.lib.invariants import InvariantError
from seawall.model import limits as maxima
from seawall.model.control_commands import DefineServices, ObservePosture
from seawall.model.control_events import PostureOrdered, ServicesDefined
from seawall.model.control_rows import Limits
from seawall.model.posture import Posture, ServiceKind, Stage
from seawall.model.rejections import Rejection
from seawall.model.trading import MarketStatus

BTC = "market/BTCUSDT"
ETH_OUT = "withdrawal/ETH/ETHEREUM"
SERVICES = (BTC, "market/ETHUSDT", ETH_OUT, "deposit/ETH/ETHEREUM", "transfers", "sign_in")


def desk_of_services() -> WatchDesk:
    desk = WatchDesk()
    desk.do(DefineServices(services=SERVICES))
    return desk


def order(desk: WatchDesk, service: str, posture: Posture, **more: object) -> PostureOrdered:
    row = desk.state.book.services[service]
    desk.do(None, SECOND_NS)
    incident = more.get("incident", 0)
    assert isinstance(incident, int)
    collar = more.get("collar_bps", 0)
    assert isinstance(collar, int)
    return order_posture(
        desk.state, row, posture, reason="story", incident=incident, collar_bps=collar
    )


def observe(desk: WatchDesk, service: str, posture: Posture, by: str, at: int) -> Rejection | None:
    command = ObservePosture(service=service, posture=posture, reason="seen", by=by, order=at)
    return refusal(desk.do(command))


def test_what_control_may_order_of_markets_is_what_markets_accept() -> None:
    """The two tables are kept apart, since one is of this cell and one of another."""
    ours = {
        (MarketStatus(now.value), MarketStatus(then.value)): way
        for (now, then), way in WAYS[ServiceKind.MARKET].items()
    }
    # Anew in the same status, a market takes another collar: for control that is no move.
    assert sorted(ours) == sorted(move for move in TRANSITIONS if move[0] is not move[1])
    for move, way in ours.items():
        assert (TRANSITIONS[move] is Move.BY_PERSON) == (way is Way.PERSON)


@pytest.mark.parametrize("kind", list(ServiceKind))
def test_the_tables_agree_with_the_order_of_less(kind: ServiceKind) -> None:
    order = POSTURES[kind]
    for (now, then), way in WAYS[kind].items():
        assert (way is Way.LESS) == is_less(kind, then, now)
    for now in order:
        # From everywhere there is a way to the least, at once, and back by stages.
        assert now is order[-1] or WAYS[kind][now, order[-1]] is Way.LESS
        for wanted in order:
            reached = towards_less(kind, now, wanted)
            if order.index(wanted) <= order.index(now):
                assert reached is None
            else:
                assert reached is not None
                assert WAYS[kind][now, reached] is Way.LESS
                assert not is_less(kind, wanted, reached)
    assert towards_less(ServiceKind.MARKET, Posture.AUCTION, Posture.POST_ONLY) is (
        Posture.CANCEL_ONLY
    )
    assert list(STAGE_POSTURES) == list(Stage)


def test_each_order_has_a_number_of_its_own_which_only_rises() -> None:
    desk = desk_of_services()
    first = order(desk, BTC, Posture.CANCEL_ONLY, incident=3)
    second = order(desk, ETH_OUT, Posture.PAUSED)
    third = order(desk, BTC, Posture.HALTED)
    assert (first.posture, first.previous, first.order) == (Posture.CANCEL_ONLY, Posture.OPEN, 1)
    assert (second.order, third.order) == (2, 3)
    assert desk.state.book.services[BTC].order == 3
    row = desk.state.book.services[ETH_OUT]
    order_posture(
        desk.state, row, Posture.LIMITED, reason="x", stage=Stage.LIMITED, limits=Limits(total=9)
    )
    assert (row.stage, row.limits.total, row.order) == (Stage.LIMITED, 9, 4)
    order_posture(desk.state, row, Posture.PAUSED, reason="x")
    assert (row.stage, row.limits.total) == (None, 0)


def test_control_never_opens_a_market_past_its_stages() -> None:
    desk = desk_of_services()
    order(desk, BTC, Posture.CANCEL_ONLY)
    with pytest.raises(InvariantError, match="only moves of the table"):
        order(desk, BTC, Posture.OPEN)
    with pytest.raises(InvariantError, match="only moves of the table"):
        order(desk, ETH_OUT, Posture.HALTED)


def test_what_a_cell_did_towards_less_is_adopted_whoever_did_it() -> None:
    desk = desk_of_services()
    order(desk, ETH_OUT, Posture.PAUSED)
    order(desk, BTC, Posture.CANCEL_ONLY)
    assert observe(desk, BTC, Posture.HALTED, "reconciliation", 1) is Rejection.STALE_ORDER
    assert observe(desk, BTC, Posture.HALTED, "reconciliation", 9) is Rejection.STALE_ORDER
    assert observe(desk, BTC, Posture.HALTED, "reconciliation", 2) is None
    row = desk.state.book.services[BTC]
    # The cell stands there already: it needs no order.
    assert (row.posture, row.order, row.person) == (Posture.HALTED, 2, "reconciliation")
    assert desk.state.book.next_order == 3
    assert observe(desk, "market/NONE", Posture.HALTED, "sam", 0) is Rejection.UNKNOWN_SERVICE
    assert observe(desk, BTC, Posture.PAUSED, "sam", 2) is Rejection.INVALID_DEFINITION


def test_towards_more_only_a_person_counts_and_all_else_is_ordered_back() -> None:
    desk = desk_of_services()
    order(desk, ETH_OUT, Posture.PAUSED)
    assert observe(desk, ETH_OUT, Posture.OPEN, "", 1) is None
    row = desk.state.book.services[ETH_OUT]
    assert (row.posture, row.order) == (Posture.PAUSED, 2)
    assert observe(desk, ETH_OUT, Posture.OPEN, "sam", 2) is None
    assert (row.posture, row.order, row.person) == (Posture.OPEN, 2, "sam")
    order(desk, BTC, Posture.POST_ONLY)
    assert observe(desk, BTC, Posture.AUCTION, "enactor", 3) is None
    # An auction does not become post-only: the next lesser posture that there is a move to.
    assert desk.state.book.services[BTC].posture is Posture.CANCEL_ONLY


def test_the_history_tells_how_long_each_service_was_not_open() -> None:
    desk = desk_of_services()
    order(desk, ETH_OUT, Posture.PAUSED, incident=7)
    order(desk, ETH_OUT, Posture.LIMITED)
    order(desk, ETH_OUT, Posture.OPEN)
    order(desk, BTC, Posture.HALTED)
    order(desk, BTC, Posture.CANCEL_ONLY)
    order(desk, BTC, Posture.POST_ONLY)
    order(desk, BTC, Posture.OPEN, collar_bps=100)
    assert desk.state.book.services[BTC].closed_since_ns == 0
    order(desk, BTC, Posture.OPEN)
    told = [
        (span.service, span.closed, (span.until_ns - span.from_ns) // SECOND_NS, span.incident)
        for span in desk.state.book.closed
    ]
    assert told == [
        (ETH_OUT, True, 1, 7),
        (ETH_OUT, False, 1, 0),
        (BTC, True, 3, 0),
        (BTC, False, 1, 0),
    ]


moves = st.tuples(st.sampled_from(SERVICES[:3]), st.integers(0, 4), st.integers(0, 20))


@given(st.lists(moves, max_size=60))
@settings(max_examples=80)
def test_at_most_one_span_of_a_service_runs_and_none_is_lost(
    played: list[tuple[str, int, int]],
) -> None:
    desk = desk_of_services()
    closed_ns = dict.fromkeys(SERVICES, 0)
    for service, chosen, after_s in played:
        for name, row in desk.state.book.services.items():
            if row.posture is not Posture.OPEN:
                closed_ns[name] += (after_s + 1) * SECOND_NS
        desk.do(None, after_s * SECOND_NS + 1)
        desk.state.book.at_ns -= 1
        row = desk.state.book.services[service]
        kind = ServiceKind.MARKET if service in SERVICES[:2] else ServiceKind.WITHDRAWAL
        wanted = POSTURES[kind][chosen % len(POSTURES[kind])]
        if WAYS[kind].get((row.posture, wanted)) in {Way.LESS, Way.STAGE}:
            order(desk, service, wanted)
        else:
            desk.do(None, SECOND_NS)
        desk.reload()
    for name, row in desk.state.book.services.items():
        spans = [span for span in desk.state.book.closed if span.service == name]
        running = [span for span in spans if not span.until_ns]
        assert len(running) == (row.posture is not Posture.OPEN)
        assert bool(row.closed_since_ns) == bool(running)
        total_ns = sum((span.until_ns or desk.now_ns) - span.from_ns for span in spans)
        assert total_ns == closed_ns[name]


def test_the_history_ends_after_its_days_and_at_its_maximum() -> None:
    desk = desk_of_services()
    order(desk, "transfers", Posture.PAUSED)
    for _ in range(3):
        order(desk, ETH_OUT, Posture.PAUSED)
        order(desk, ETH_OUT, Posture.OPEN)
    desk.do(None, maxima.CLOSED_DAYS * DAY_NS)
    order(desk, BTC, Posture.HALTED)
    # What still runs is kept however long.
    assert [span.service for span in desk.state.book.closed] == ["transfers", BTC]
    for _ in range(maxima.CLOSED_TIMES * 5 // 8):
        row = desk.state.book.services[ETH_OUT]
        order_posture(desk.state, row, Posture.PAUSED, reason="x")
        order_posture(desk.state, row, Posture.LIMITED, reason="x")
        order_posture(desk.state, row, Posture.OPEN, reason="x")
    spans = desk.state.book.closed
    assert maxima.CLOSED_TIMES * 7 // 8 <= len(spans) <= maxima.CLOSED_TIMES
    assert [span.service for span in spans[:2]] == ["transfers", BTC]


def test_services_are_defined_all_at_once() -> None:
    desk = WatchDesk()
    postures = {ETH_OUT: Posture.PAUSED}
    events = desk.do(DefineServices(services=SERVICES, postures=postures))
    assert [event.added for event in events if isinstance(event, ServicesDefined)] == [
        list(SERVICES)
    ]
    assert desk.do(DefineServices(services=SERVICES)) == []
    assert [row.service for row in find(desk.state, "*ETH*")] == list(SERVICES[1:4])
    assert desk.state.book.services[ETH_OUT].posture is Posture.PAUSED
    order(desk, BTC, Posture.HALTED)
    events = desk.do(DefineServices(services=SERVICES[1:], postures=postures))
    assert [event.removed for event in events if isinstance(event, ServicesDefined)] == [[BTC]]
    assert all(span.until_ns for span in desk.state.book.closed if span.service == BTC)
    # Listed again it begins anew; its cell still knows the order that it had.
    desk.do(DefineServices(services=SERVICES))
    assert desk.state.book.services[BTC].order == 0
    assert observe(desk, BTC, Posture.HALTED, "", 1) is None
    assert desk.state.book.services[BTC].order == 1


def test_services_that_cannot_be() -> None:
    desk = desk_of_services()
    for services, postures in (
        ((), {}),
        (("market/A", "market/A"), {}),
        (("market",), {}),
        (("market/*",), {}),
        (("withdrawal/ETH",), {}),
        (("futures/BTC",), {}),
        (("market/A",), {"market/A": Posture.PAUSED}),
        (tuple(f"market/{at}" for at in range(maxima.SERVICES + 1)), {}),
    ):
        command = DefineServices(services=services, postures=postures)
        assert refusal(desk.do(command)) is Rejection.INVALID_DEFINITION
    command = DefineServices(services=("transfers",), postures={"sign_in": Posture.PAUSED})
    assert refusal(desk.do(command)) is Rejection.UNKNOWN_SERVICE
