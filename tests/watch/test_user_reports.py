"""Users' reports.  The rule: a crowd is heard within minutes, one voice never is."""

import math
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert

from seawall.model.signals import SignalKind
from seawall.model.user_reports import CountedReport, ReportSummary, Topic
from seawall.model.watch_facts import Health
from seawall.watch.cusum import Cusum, CusumTerms, false_alarms, rise
from seawall.watch.report_baseline import Baseline, BaselineTerms, hour_of_week
from seawall.watch.report_store import ReportStore
from seawall.watch.user_reports import MINUTE_NS, SECOND_NS, ReportTerms, UserReports

START_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01, a Thursday."""
HOUR_NS = 60 * MINUTE_NS
HOURLY = {
    Topic.WITHDRAWALS: 60.0, Topic.DEPOSITS: 20.0, Topic.SIGN_IN: 6.0,
    Topic.BALANCES: 2.0, Topic.TRADING: 200.0, Topic.CANCELS: 0.2,
}  # fmt: skip


def summary(*reports: CountedReport, since_ns: int = START_NS) -> ReportSummary:
    return ReportSummary(
        node="amber", now=0, since=since_ns // 1_000_000, window_seconds=3_600, topics=(),
        reports=reports,
    )  # fmt: skip


def report(reporter: str, at_ns: int, topic: Topic = Topic.WITHDRAWALS) -> CountedReport:
    return CountedReport(topic=topic, reporter=reporter, time=at_ns // 1_000_000)


def healths(reports: UserReports, now_ns: int) -> dict[Topic, Health]:
    signals = reports.signals(now_ns)
    assert all(each.kind is SignalKind.USERS for each in signals)
    return {Topic(each.dependency.removeprefix("users/")): each.health for each in signals}


def poisson(chance: Random, mean: float) -> int:
    floor, count, product = math.exp(-mean), 0, chance.random()
    while product > floor:
        count += 1
        product *= chance.random()
    return count


class Crowd:
    """Users who come at random, by the hour of the day."""

    def __init__(self, reports: UserReports, seed: int) -> None:
        self.reports = reports
        self.chance = Random(seed)
        self.number = 0

    def live(self, minute: int, topic: Topic, per_hour: float, *, clump: int = 1) -> None:
        wave = 1 + 0.8 * math.sin(2 * math.pi * (minute % 1_440) / 1_440)
        for _ in range(poisson(self.chance, per_hour * wave / 60 / clump)):
            at_ns = START_NS + minute * MINUTE_NS + self.chance.randrange(MINUTE_NS)
            for _ in range(clump):
                self.number += 1
                self.reports.on_report(topic, f"user-{self.number}", at_ns)

    def tell(self, minute: int) -> int:
        now_ns = START_NS + (minute + 1) * MINUTE_NS
        self.reports.on_told("amber", now_ns, since_ns=START_NS)
        return now_ns


def learned(days: int = 15, seed: int = 1) -> tuple[UserReports, Crowd, int]:
    """Return reports that have seen some calm days, and the minute after them."""
    reports = UserReports(nodes=("amber",))
    crowd = Crowd(reports, seed)
    for minute in range(days * 1_440):
        for topic, per_hour in HOURLY.items():
            crowd.live(minute, topic, per_hour)
        if minute % 30 == 29:
            crowd.tell(minute)
    return reports, crowd, days * 1_440


@pytest.fixture(scope="module")
def saved() -> bytes:
    return learned()[0].dump()


# How often it is wrong, and how soon it is right


def test_the_allowance_is_that_of_a_fourfold_rise() -> None:
    assert rise(CusumTerms().k) == pytest.approx(4, rel=1e-3)
    assert false_alarms(CusumTerms()) == pytest.approx(525_600 * 4**-10, rel=0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_calm_months_of_six_topics_raise_next_to_nothing() -> None:
    """Thirty days of six topics are half a year of one, whose bound is a quarter of an alarm; as
    many in clumps of three would be an alarm each day, had their clumping not been learned.
    """
    for clump, most in ((1, 1), (3, 1)):
        reports = UserReports(nodes=("amber",))
        crowd = Crowd(reports, 7)
        raised, alarms = dict.fromkeys(Topic, False), 0
        for minute in range(45 * 1_440):
            for topic, per_hour in HOURLY.items():
                crowd.live(minute, topic, per_hour, clump=clump)
            if minute % 10 < 9:
                continue
            now = healths(reports, crowd.tell(minute))
            for topic, health in now.items():
                trouble = health is not Health.OK
                # The first two weeks are for learning.
                alarms += trouble and not raised[topic] and minute >= 15 * 1_440
                raised[topic] = trouble
        assert alarms <= most, f"in clumps of {clump}"


@pytest.mark.parametrize("topic, minutes", [(Topic.TRADING, 4), (Topic.WITHDRAWALS, 6)])
def test_ten_times_the_usual_is_found_within_minutes(
    saved: bytes, topic: Topic, minutes: int
) -> None:
    took = []
    for seed in range(5):
        reports = UserReports(nodes=("amber",), saved=saved)
        crowd = Crowd(reports, seed)
        first = 15 * 1_440 + 600
        for minute in range(first, first + 60):
            crowd.live(minute, topic, 10 * HOURLY[topic])
            if healths(reports, crowd.tell(minute))[topic] is not Health.OK:
                took.append(minute - first + 1)
                break
    assert len(took) == 5
    assert max(took) <= minutes


def test_a_crowd_in_a_quiet_place_is_found_in_the_minute_that_it_comes(saved: bytes) -> None:
    reports = UserReports(nodes=("amber",), saved=saved)
    now_ns = START_NS + 15 * 1_440 * MINUTE_NS + 20 * SECOND_NS
    crowd = [report(f"u{each}", now_ns, Topic.CANCELS) for each in range(40)]
    reports.on_summary("amber", summary(*crowd), now_ns)
    found = healths(reports, now_ns)
    assert found.pop(Topic.CANCELS) is Health.DOWN
    assert set(found.values()) == {Health.OK}


# One user is one report


@given(
    seconds=st.lists(st.integers(0, 3_599), min_size=1, max_size=200),
    nodes=st.integers(1, 3),
)
@settings(deadline=None, max_examples=30)
def test_one_reporter_counts_once_at_whatever_nodes(seconds: list[int], nodes: int) -> None:
    reports = UserReports()
    counted = 0
    for at_s in sorted(seconds):
        now_ns = START_NS + at_s * SECOND_NS
        for node in range(nodes):
            counted += reports.on_summary(f"n{node}", summary(report("eve", now_ns)), now_ns)
    assert counted == 1


def test_ten_thousand_reports_of_one_change_nothing(saved: bytes) -> None:
    quiet, loud = (UserReports(nodes=("amber",), saved=saved) for _ in range(2))
    start_ns = START_NS + 15 * 1_440 * MINUTE_NS
    for each in range(10_000):
        now_ns = start_ns + each * 360_000_000
        loud.on_summary("amber", summary(report("eve", now_ns)), now_ns)
        if each == 0:
            quiet.on_summary("amber", summary(report("eve", now_ns)), now_ns)
        elif each % 100 == 0:
            quiet.on_summary("amber", summary(), now_ns)
            assert set(healths(loud, now_ns).values()) == {Health.OK}
    assert quiet.signals(now_ns) == loud.signals(now_ns)


def test_the_same_user_counts_again_after_the_window() -> None:
    reports = UserReports()
    assert reports.on_report(Topic.TRADING, "eve", START_NS)
    assert not reports.on_report(Topic.TRADING, "eve", START_NS + HOUR_NS - 1)
    assert reports.on_report(Topic.DEPOSITS, "eve", START_NS + 1)
    assert reports.on_report(Topic.TRADING, "eve", START_NS + HOUR_NS)


def test_a_gateway_ahead_of_the_clock_does_not_count_twice() -> None:
    reports = UserReports()
    ahead = report("eve", START_NS + 300 * SECOND_NS)
    counted = sum(
        reports.on_summary("amber", summary(ahead), START_NS + each * MINUTE_NS)
        for each in range(90)
    )
    assert counted == 1


# What is known, and what is not


def test_no_reports_with_a_working_form_is_ok_and_without_one_unknown() -> None:
    reports = UserReports(nodes=("amber", "blue"))
    assert set(healths(reports, START_NS).values()) == {Health.UNKNOWN}
    reports.on_summary("amber", summary(), START_NS)
    assert set(healths(reports, START_NS + 60 * SECOND_NS).values()) == {Health.OK}
    assert "1 of 2 gateways told" in reports.signals(START_NS)[0].detail
    assert set(healths(reports, START_NS + 120 * SECOND_NS).values()) == {Health.UNKNOWN}


def test_a_summary_without_reporters_tells_nothing() -> None:
    reports = UserReports(nodes=("amber",))
    shut = ReportSummary(node="amber", now=0, since=0, window_seconds=3_600, topics=())
    assert reports.on_summary("amber", shut, START_NS) == 0
    assert set(healths(reports, START_NS).values()) == {Health.UNKNOWN}


def test_an_alarm_ends_only_a_window_after_the_crowd(saved: bytes) -> None:
    reports = UserReports(nodes=("amber",), saved=saved)
    topic = Topic.WITHDRAWALS
    start = 15 * 1_440
    for minute in range(start, start + 20):
        for each in range(60):
            at_ns = START_NS + minute * MINUTE_NS + each * SECOND_NS
            reports.on_report(topic, f"{minute}/{each}", at_ns)
        last_ns = START_NS + (minute + 1) * MINUTE_NS
        reports.on_told("amber", last_ns, since_ns=START_NS)
    assert healths(reports, last_ns)[topic] is Health.DOWN
    calm_ns = 0
    for minute in range(start + 20, start + 240):
        now_ns = START_NS + (minute + 1) * MINUTE_NS
        reports.on_told("amber", now_ns, since_ns=START_NS)
        if healths(reports, now_ns)[topic] is Health.OK:
            calm_ns = now_ns
            break
    assert HOUR_NS <= calm_ns - last_ns <= 3 * HOUR_NS


def test_an_alarm_outlives_the_gateways(saved: bytes) -> None:
    reports = UserReports(nodes=("amber",), saved=saved)
    now_ns = START_NS + 15 * 1_440 * MINUTE_NS
    for each in range(100):
        reports.on_report(Topic.SIGN_IN, f"u{each}", now_ns)
    assert healths(reports, now_ns)[Topic.SIGN_IN] is not Health.OK
    later = healths(reports, now_ns + HOUR_NS)
    assert later[Topic.SIGN_IN] is Health.DEGRADED
    assert later[Topic.TRADING] is Health.UNKNOWN


def test_an_outage_of_two_days_is_not_learned(saved: bytes) -> None:
    reports = UserReports(nodes=("amber",), saved=saved)
    crowd = Crowd(reports, 3)
    start = 15 * 1_440
    for minute in range(start, start + 2 * 1_440):
        crowd.live(minute, Topic.WITHDRAWALS, 30 * HOURLY[Topic.WITHDRAWALS])
        now_ns = crowd.tell(minute)
    assert healths(reports, now_ns)[Topic.WITHDRAWALS] is not Health.OK
    before = UserReports(saved=saved)
    for hour in range(168):
        was = before._topics[Topic.WITHDRAWALS].baseline.per_hour(hour)
        assert reports._topics[Topic.WITHDRAWALS].baseline.per_hour(hour) <= 1.2 * was + 1
    reports.relearn(Topic.WITHDRAWALS)
    assert healths(reports, now_ns)[Topic.WITHDRAWALS] is Health.OK


# The parts


@given(
    counts=st.lists(st.tuples(st.integers(0, 50), st.floats(0, 20)), max_size=100),
    more=st.integers(0, 99),
)
def test_a_sum_stays_within_its_bounds_and_rises_with_each_report(
    counts: list[tuple[int, float]], more: int
) -> None:
    terms = CusumTerms()
    less, greater = Cusum(terms), Cusum(terms)
    for at, (count, expected) in enumerate(counts):
        less.step(count, expected)
        greater.step(count + (at == more), expected)
        assert 0 <= less.value <= greater.value <= terms.most


@given(st.lists(st.tuples(st.integers(0, 167), st.integers(0, 500)), max_size=400))
@settings(deadline=None, max_examples=30)
def test_rates_lie_between_the_prior_and_what_was_seen(hours: list[tuple[int, int]]) -> None:
    baseline = Baseline(BaselineTerms(short_hours=1e9))
    for hour, count in hours:
        baseline.learn(hour, count, 1.0)
    seen = [count for _, count in hours] + [2]
    for hour in range(168):
        assert min(seen) - 1e-9 <= baseline.per_hour(hour) <= max(seen) + 1e-9


def test_the_week_begins_on_monday() -> None:
    monday = 1_767_571_200 // 60
    assert hour_of_week(monday) == 0
    assert hour_of_week(monday - 1) == 167


def test_an_hour_of_the_week_is_learned_apart_from_the_others() -> None:
    baseline = Baseline(BaselineTerms())
    for _ in range(12):
        for hour in range(168):
            baseline.learn(hour, 100 if hour == 20 else 5, 1.0)
    # It leans on the other days, and is told little by little what chance would not bring.
    assert baseline.per_hour(20) > 40
    assert baseline.per_hour(21) < 8


# Time that passes


def test_a_month_away_is_stepped_over_and_teaches_nothing(saved: bytes) -> None:
    reports = UserReports(nodes=("amber",), saved=saved)
    before = [each.baseline.seen_hours for each in reports._topics.values()]
    start_ns = START_NS + (15 * 1_440 + 30) * MINUTE_NS
    reports.on_report(Topic.TRADING, "eve", start_ns)
    reports.on_told("amber", start_ns, since_ns=START_NS)
    back_ns = start_ns + 30 * 24 * HOUR_NS
    reports.on_told("amber", back_ns, since_ns=back_ns)
    assert set(healths(reports, back_ns).values()) == {Health.OK}
    after = [each.baseline.seen_hours for each in reports._topics.values()]
    assert after == before
    # A clock that went back closes nothing, and nothing twice.
    reports.on_told("amber", start_ns, since_ns=START_NS)
    assert [each.baseline.seen_hours for each in reports._topics.values()] == before


def test_a_flood_of_reporters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seawall.watch.user_reports.REPORTERS_MOST", 50)
    reports = UserReports(nodes=("amber",))
    for each in range(500):
        reports.on_report(Topic.TRADING, f"u{each}", START_NS + each)
    assert healths(reports, START_NS + 500)[Topic.TRADING] is Health.DOWN
    assert len(reports._topics[Topic.TRADING]._reporters) == 50


# A restart


def test_a_restart_goes_on_where_it_was(tmp_path: Path, saved: bytes) -> None:
    store = ReportStore(tmp_path / "watch" / "reports.json")
    reports = UserReports(nodes=("amber",), saved=saved)
    now_ns = START_NS + 15 * 1_440 * MINUTE_NS
    for each in range(25):
        reports.on_report(Topic.BALANCES, f"u{each}", now_ns)
    reports.on_told("amber", now_ns, since_ns=START_NS)
    store.save(reports)
    again = store.load(nodes=("amber",))
    for each in range(25):
        assert not again.on_report(Topic.BALANCES, f"u{each}", now_ns + MINUTE_NS)
    for one in (reports, again):
        one.on_told("amber", now_ns + 5 * MINUTE_NS, since_ns=START_NS)
    later_ns = now_ns + 5 * MINUTE_NS
    assert again.signals(later_ns) == reports.signals(later_ns)
    assert again.dump() == reports.dump()


@pytest.mark.parametrize(
    "damage",
    [b"{", b"[]", b'{"topics":{"weather":{}}}', b'{"topics":{"trading":{"baseline_hours":[1.0]}}}',
     b'{"topics":{"trading":{"total":-1.0}}}'],
)  # fmt: skip
def test_what_is_damaged_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "reports.json"
    path.write_bytes(damage)
    reports = ReportStore(path).load(nodes=("amber",))
    assert set(healths(reports, START_NS).values()) == {Health.UNKNOWN}
    assert not path.exists()
    assert path.with_name("reports.json.damaged").read_bytes() == damage


def test_terms_that_make_no_sense_are_refused() -> None:
    for bad in ({"window_s": 0}, {"clear": 11.0}, {"fresh_s": 0}):
        with pytest.raises(ValueError):
            convert(bad, ReportTerms)
    with pytest.raises(ValueError):
        CusumTerms(h=0)
    with pytest.raises(ValueError):
        BaselineTerms(keep=1.0)
