"""The clocks.  The rule: never before what they run from, nor later than strictly due."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.status.regulators.facts import HOUR_NS, NOW_NS, SECOND_NS, facts, incident, ns

from seawall.status.moments import iso
from seawall.status.regulators.classify import classify
from seawall.status.regulators.clocks import Timer, TimerState, deadlines, month_later
from seawall.status.regulators.conditions import Met

MAJOR: dict[str, Any] = {"reputation.media": True, "geography.member_states": ["DE", "FR"]}


def timers(changes: dict[str, Any], now_ns: int = NOW_NS) -> dict[str, Timer]:
    found = facts(changes)
    line = incident()
    all_of_them = deadlines(line, found, classify(line, found, now_ns), now_ns)
    return {each.name: each for each in all_of_them}


def sent(*reports: tuple[str, str]) -> list[dict[str, Any]]:
    base = facts({"submitted": []})
    assert base.submitted == ()
    return [{"kind": kind, "at": at} for kind, at in reports]


@pytest.mark.parametrize(
    "classified, due",
    [
        ("2026-05-07T11:00:00Z", "2026-05-07T15:00:00.000Z"),
        # Aware at 10:05: the day ends before the four hours.
        ("2026-05-08T07:00:00Z", "2026-05-08T10:05:00.000Z"),
        ("2026-05-08T10:05:00Z", "2026-05-08T10:05:00.000Z"),
        # Later than a day from awareness: four hours, Art. 5(2).
        ("2026-05-08T10:05:01Z", "2026-05-08T14:05:01.000Z"),
        ("2026-06-01T00:00:00Z", "2026-06-01T04:00:00.000Z"),
        (None, "2026-05-08T10:05:00.000Z"),
    ],
)
def test_the_initial_notification(classified: str | None, due: str) -> None:
    found = timers(MAJOR | {"moments.classified": classified})["initial"]
    assert iso(found.due_ns) == due
    assert found.state is TimerState.RUNNING
    assert found.left_ns == found.due_ns - NOW_NS
    assert found.needed is Met.YES


def test_what_is_major_and_not_handed_in_is_overdue_after_a_day() -> None:
    late = timers(MAJOR, ns("2026-05-08T10:05:01Z"))["initial"]
    assert (late.state, late.left_ns) == (TimerState.OVERDUE, 0)


def test_a_late_classification_is_waited_for() -> None:
    unknown = {"reputation.media": True, "geography.member_states": None}
    early = timers(unknown)["initial"]
    assert (early.state, early.needed) == (TimerState.RUNNING, Met.UNKNOWN)
    late = timers(unknown, ns("2026-05-09T00:00:00Z"))["initial"]
    assert (late.state, late.due_ns, late.left_ns) == (TimerState.WAITING, 0, 0)


def test_not_major_has_no_clock_unless_it_was_reported() -> None:
    assert "initial" not in timers({})
    assert timers({"moments.classified": "2026-05-07T11:00:00Z"})["initial"].needed is Met.UNKNOWN
    assert "initial" not in timers(MAJOR | {"regimes.dora": False})
    assert timers(MAJOR | {"regimes.dora": None})["initial"].needed is Met.UNKNOWN


def test_the_intermediate_runs_from_the_submission_and_not_from_the_limit() -> None:
    base = MAJOR | {"moments.classified": "2026-05-07T11:00:00Z"}
    projected = timers(base)["intermediate"]
    assert iso(projected.due_ns) == "2026-05-10T15:00:00.000Z"
    assert (projected.projected, projected.state) == (True, TimerState.WAITING)
    handed = timers(base | {"submitted": sent(("initial", "2026-05-07T12:30:00Z"))})
    assert handed["initial"].state is TimerState.DONE
    assert iso(handed["intermediate"].due_ns) == "2026-05-10T12:30:00.000Z"
    assert handed["intermediate"].projected is False
    late = timers(base | {"submitted": sent(("initial", "2026-05-07T15:00:01Z"))})
    assert late["initial"].state is TimerState.DONE_LATE


def test_the_final_runs_from_the_latest_intermediate() -> None:
    reports = sent(
        ("initial", "2026-05-07T12:30:00Z"),
        ("intermediate", "2026-05-09T12:00:00Z"),
        ("intermediate", "2026-05-31T09:00:00+02:00"),
    )
    found = timers(MAJOR | {"moments.recovered": "2026-05-20T00:00:00Z", "submitted": reports})
    assert iso(found["final"].due_ns) == "2026-06-30T07:00:00.000Z"
    assert found["intermediate"].state is TimerState.DONE
    assert found["updated"].state is TimerState.DONE
    early = timers(MAJOR | {"moments.recovered": "2026-05-20T00:00:00Z", "submitted": reports[:2]})
    assert early["updated"].state is TimerState.NO_LIMIT


@pytest.mark.parametrize(
    "at, due",
    [
        ("2026-01-31T10:00:00Z", "2026-02-28T10:00:00.000Z"),
        ("2028-01-31T10:00:00Z", "2028-02-29T10:00:00.000Z"),
        ("2028-02-29T10:00:00Z", "2028-03-29T10:00:00.000Z"),
        ("2100-01-30T10:00:00Z", "2100-02-28T10:00:00.000Z"),
        ("2026-03-31T23:59:59Z", "2026-04-30T23:59:59.000Z"),
        ("2026-12-31T00:00:00Z", "2027-01-31T00:00:00.000Z"),
        ("2026-05-15T00:00:00Z", "2026-06-15T00:00:00.000Z"),
    ],
)
def test_a_month_later(at: str, due: str) -> None:
    assert iso(month_later(ns(at))) == due


@given(st.integers(0, 250_000_000_000 * SECOND_NS))
def test_a_month_is_28_to_31_days_to_the_nanosecond(at_ns: int) -> None:
    later_ns = month_later(at_ns)
    days, rest = divmod(later_ns - at_ns, 24 * HOUR_NS)
    assert (28 <= days <= 31, rest) == (True, 0)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "classified": st.integers(0, 10**6),
            "initial": st.integers(0, 10**7),
            "intermediate": st.integers(0, 10**7),
            "final": st.integers(0, 10**7),
            "extortion": st.integers(0, 10**7),
        },
    ),
    st.integers(0, 10**8),
)
def test_no_clock_is_negative_or_before_its_beginning(after: dict[str, int], now_s: int) -> None:
    def moment(name: str) -> str:
        return iso(ns("2026-05-07T10:05:00Z") + after[name] * SECOND_NS)

    changes = dict(MAJOR) | {"cyber.event": True}
    if "classified" in after:
        changes["moments.classified"] = moment("classified")
    if "extortion" in after:
        changes["moments.extortion_paid"] = moment("extortion")
    changes["submitted"] = sent(
        *((kind, moment(kind)) for kind in ("initial", "intermediate", "final") if kind in after)
    )
    for each in timers(changes, ns("2026-05-07T10:05:00Z") + now_s * SECOND_NS).values():
        assert each.left_ns >= 0
        assert not each.due_ns or each.due_ns >= each.from_ns > 0
        if each.state is TimerState.OVERDUE:
            assert not each.done_ns


def test_other_rules_have_their_clocks() -> None:
    hit = {
        "cyber.event": True, "duties.material_to_operations": True,
        "duties.obligations_at_risk": True, "moments.cyber_determined": "2026-05-07T18:00:00Z",
        "moments.extortion_paid": "2026-05-08T00:00:00Z",
    }  # fmt: skip
    found = timers(hit)
    assert iso(found["vara_notice"].due_ns) == "2026-05-10T10:02:00.000Z"
    assert iso(found["nydfs_cyber"].due_ns) == "2026-05-10T18:00:00.000Z"
    assert iso(found["nydfs_extortion"].due_ns) == "2026-05-09T00:00:00.000Z"
    assert (found["nydfs_disruption"].state, found["nydfs_disruption"].due_ns) == (
        TimerState.NO_LIMIT, 0,
    )  # fmt: skip
    without = timers(hit | {"moments.cyber_determined": None, "moments.detected": None})
    assert without["nydfs_cyber"].state is TimerState.WAITING
    assert "opened" in without["vara_notice"].note
    assert timers(hit | {"regimes.vara": None})["vara_notice"].needed is Met.UNKNOWN
    assert "vara_notice" not in timers(hit | {"regimes.vara": False})
