"""When more users than usual say that something does not work.  The rule: one user is one report.

Sans-I/O.  A watcher hands in the summaries of all gateways; each topic has a baseline by hour of
the week and a CUSUM over minutes.  Who reports again, at whatever node, within the window counts
once.  What users say explains a verdict and is one of the gates of a way back; alone it decides
nothing, since whoever owns many addresses can be many users.

- DEGRADED: the sum has reached `h`.  DOWN: it stands at its most, and the last ten minutes had ten
  times the usual.
- OK: at least one gateway's summary is fresh and the sum is low.  That nobody reports anything is
  OK, for the form is known to work: that is what the summary shows.
- UNKNOWN: no fresh summary, so nobody knows what users would say.  An alarm that stands is kept.
- Back to OK only when the sum has decayed to `clear`, and a whole window has passed since it last
  stood at `h`: those who reported are not counted again within it, so their silence proves nothing.

A summary lists the whole last window, so it tells of the minutes before it too.  A minute that none
tells of was not seen: it neither raises the sum nor lowers it, and is not learned.
"""

import math
from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import Struct, field

from seawall.model.signals import Signal, SignalKind
from seawall.model.user_reports import WINDOW_S, CountedReport, ReportSummary, Topic, dependency
from seawall.model.watch_facts import Health
from seawall.watch.cusum import Cusum, CusumTerms
from seawall.watch.report_baseline import Baseline, BaselineTerms, hour_of_week

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
RECENT_MINUTES: Final = 10
REPORTERS_MOST: Final = 100_000
"""Reporters remembered per topic; past these the oldest is forgotten."""
_GAP_MINUTES: Final = 24 * 60


class ReportTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How users' reports are judged."""

    window_s: int = WINDOW_S
    fresh_s: int = 90
    """So long after its summary a gateway is known to take reports."""
    clear: float = 2.5
    """The sum at which an alarm may end."""
    down_times: float = 10.0
    """Times the usual, over ten minutes, that make a standing alarm DOWN."""
    cusum: CusumTerms = field(default_factory=CusumTerms)
    baseline: BaselineTerms = field(default_factory=BaselineTerms)

    def __post_init__(self) -> None:
        if not (self.window_s >= 60 and self.fresh_s >= 1 and 0 <= self.clear < self.cusum.h):
            raise ValueError("a window has a minute at least, and clear lies below h")


class TopicState(Struct, kw_only=True):
    """What is kept of a topic from one start to the next."""

    total: float = 0.0
    raised_ns: int = 0
    """Since when there is an alarm; 0 is none."""
    above_ns: int = 0
    """When the sum last stood at `h`."""
    minutes: dict[int, int] = {}
    """Reports of the minutes that are not closed, and of the last ten closed ones."""
    hour_reports: int = 0
    hour_minutes: int = 0
    hour_alarm: bool = False
    reporters: dict[str, int] = {}
    """When each was last counted, the oldest first."""
    baseline_reports: tuple[float, ...] = ()
    baseline_hours: tuple[float, ...] = ()
    scatter: float = 0.0
    scatter_hours: float = 0.0


class State(Struct, kw_only=True):
    """All that a restart would lose."""

    closed_minute: int = 0
    topics: dict[Topic, TopicState] = {}


class _TopicWatch:
    """One topic's baseline and sum."""

    def __init__(self, topic: Topic, terms: ReportTerms, state: TopicState) -> None:
        self.topic = topic
        self._terms = terms
        self._window_ns = terms.window_s * SECOND_NS
        self.state = state
        self.baseline = Baseline(
            terms.baseline,
            state.baseline_reports,
            state.baseline_hours,
            state.scatter,
            state.scatter_hours,
        )
        self._cusum = Cusum(terms.cusum, state.total)
        # A plain dict is slow to find its first key again once many before it are gone.
        self._reporters = OrderedDict(state.reporters)

    def count(self, reporter: str, at_ns: int, closed_minute: int) -> bool:
        """Count a report; False if the reporter was counted within the window."""
        state = self.state
        last_ns = self._reporters.get(reporter)
        if last_ns is not None and abs(at_ns - last_ns) < self._window_ns:
            return False
        self._reporters.pop(reporter, None)
        if len(self._reporters) >= REPORTERS_MOST:
            self._reporters.popitem(last=False)
        self._reporters[reporter] = at_ns
        # A report of a minute that is closed came late: it is counted in the first that is not.
        minute = max(at_ns // MINUTE_NS, closed_minute + 1)
        state.minutes[minute] = state.minutes.get(minute, 0) + 1
        return True

    def close(self, minute: int, *, seen: bool) -> None:
        """Take a minute that is over."""
        state = self.state
        count = state.minutes.get(minute, 0)
        state.minutes.pop(minute - RECENT_MINUTES, None)
        if seen or count:
            state.total = self._cusum.step(count, self._expected(minute), self.baseline.spread)
            self._judge((minute + 1) * MINUTE_NS, state.total)
            state.hour_reports += count
            state.hour_minutes += 1
            state.hour_alarm = state.hour_alarm or state.raised_ns > 0
        if minute % 60 == 59:
            self._learn(hour_of_week(minute))

    def _expected(self, minute: int) -> float:
        return self.baseline.per_hour(hour_of_week(minute)) / 60

    def _judge(self, at_ns: int, total: float) -> None:
        state, terms = self.state, self._terms
        if total >= terms.cusum.h:
            state.above_ns = at_ns
            state.raised_ns = state.raised_ns or at_ns
        elif total <= terms.clear and at_ns - state.above_ns >= self._window_ns:
            state.raised_ns = 0

    def _learn(self, hour: int) -> None:
        state = self.state
        if state.hour_minutes and (self.baseline.short or not state.hour_alarm):
            self.baseline.learn(hour, state.hour_reports, state.hour_minutes / 60)
        state.hour_reports, state.hour_minutes, state.hour_alarm = 0, 0, False

    def forget(self, now_ns: int) -> None:
        """Forget the oldest reporters.  Twice the window, since gateways' clocks differ."""
        reporters = self._reporters
        while reporters:
            first = next(iter(reporters))
            if now_ns - reporters[first] < 2 * self._window_ns:
                return
            del reporters[first]

    def skip(self, until_minute: int) -> None:
        """Step over a long time without summaries; an hour that was begun is not learned."""
        state = self.state
        state.minutes = {at: count for at, count in state.minutes.items() if at >= until_minute}
        state.hour_reports, state.hour_minutes, state.hour_alarm = 0, 0, False

    def look(self, now_ns: int, closed_minute: int) -> float:
        """Return the sum with the minutes that are still open; it may raise the alarm at once."""
        total = Cusum(self._terms.cusum, self.state.total)
        present = now_ns // MINUTE_NS
        for minute in sorted(self.state.minutes):
            if closed_minute < minute <= present:
                total.step(self.state.minutes[minute], self._expected(minute), self.baseline.spread)
        if total.value >= self._terms.cusum.h:
            self._judge(now_ns, total.value)
        return total.value

    def signal(self, now_ns: int, closed_minute: int, *, fresh: int, nodes: int) -> Signal:
        total = self.look(now_ns, closed_minute)
        present = now_ns // MINUTE_NS
        minutes = range(present - RECENT_MINUTES + 1, present + 1)
        count = sum(self.state.minutes.get(minute, 0) for minute in minutes)
        floor = self._terms.cusum.floor_per_minute
        usual = sum(max(self._expected(minute), floor) for minute in minutes)
        if self.state.raised_ns:
            at_most = total >= self._terms.cusum.most
            much = count >= self._terms.down_times * usual
            health = Health.DOWN if at_most and much else Health.DEGRADED
        else:
            health = Health.OK if fresh else Health.UNKNOWN
        detail = (
            f"{count} users reported in {RECENT_MINUTES} minutes, {usual:.1f} are usual;"
            f" sum {total:.1f} of {self._terms.cusum.h:g}"
        )
        if fresh < nodes or not nodes:
            detail += f"; {fresh} of {nodes} gateways told"
        return Signal(
            dependency=dependency(self.topic), kind=SignalKind.USERS, health=health, detail=detail
        )

    def kept(self) -> TopicState:
        state = self.state
        state.reporters = dict(self._reporters)
        state.baseline_reports = tuple(self.baseline.reports)
        state.baseline_hours = tuple(self.baseline.hours)
        state.scatter = self.baseline.scatter
        state.scatter_hours = self.baseline.scatter_hours
        return state


class UserReports:
    """All topics."""

    def __init__(
        self,
        *,
        terms: ReportTerms | None = None,
        nodes: tuple[str, ...] = (),
        saved: bytes = b"",
    ) -> None:
        """Begin with what `dump` returned; ValueError if `saved` is something else."""
        self._terms = terms or ReportTerms()
        state = _decode(saved) if saved else State()
        self._closed_minute = state.closed_minute
        self._topics = {
            topic: _TopicWatch(topic, self._terms, state.topics.get(topic) or TopicState())
            for topic in Topic
        }
        self._told_ns: dict[str, int] = dict.fromkeys(nodes, 0)

    def on_summary(self, node: str, summary: ReportSummary, now_ns: int) -> int:
        """Take what a gateway answered; return how many reports counted.

        One without `reports` (the watcher was not let in as an operator) tells nothing of who
        reported, so it does not count as telling.
        """
        if summary.reports is None:
            return 0
        counted = 0
        for report in summary.reports:
            counted += self._count(report, now_ns)
        self.on_told(node, now_ns, since_ns=summary.since * 1_000_000)
        return counted

    def on_report(self, topic: Topic, reporter: str, at_ns: int) -> bool:
        """Take one report; False if it does not count."""
        return self._topics[topic].count(reporter, at_ns, self._closed_minute)

    def on_told(self, node: str, now_ns: int, *, since_ns: int) -> None:
        """Take note that all was told of which a gateway knows since then; close what is over."""
        self._told_ns[node] = now_ns
        seen_ns = max(now_ns - self._terms.window_s * SECOND_NS, since_ns)
        last = now_ns // MINUTE_NS - 1
        # What nobody told of before that was not seen; an hour that ended in it is still learned.
        first = max(self._closed_minute + 1, last - _GAP_MINUTES)
        if first > self._closed_minute + 1:
            for each in self._topics.values():
                each.skip(first)
        for minute in range(first, last + 1):
            for each in self._topics.values():
                each.close(minute, seen=minute * MINUTE_NS >= seen_ns)
            self._closed_minute = minute
        for each in self._topics.values():
            each.forget(now_ns)

    def signals(self, now_ns: int) -> tuple[Signal, ...]:
        """Return one signal per topic."""
        fresh_ns = self._terms.fresh_s * SECOND_NS
        fresh = sum(
            at_ns > 0 and 0 <= now_ns - at_ns <= fresh_ns for at_ns in self._told_ns.values()
        )
        return tuple(
            each.signal(now_ns, self._closed_minute, fresh=fresh, nodes=len(self._told_ns))
            for each in self._topics.values()
        )

    def relearn(self, topic: Topic) -> None:
        """Forget what is usual of a topic, and its alarm: for people, when the usual has changed
        for good, as after the exchange has grown many times over.
        """
        self._topics[topic] = _TopicWatch(topic, self._terms, TopicState())

    def dump(self) -> bytes:
        topics = {topic: each.kept() for topic, each in self._topics.items()}
        state = State(closed_minute=self._closed_minute, topics=topics)
        return msgspec.json.encode(state)

    def _count(self, report: CountedReport, now_ns: int) -> bool:
        at_ns = report.time * 1_000_000
        if now_ns - at_ns >= self._terms.window_s * SECOND_NS:
            return False
        # A gateway's clock may be ahead; what it was told was told by now.
        return self._topics[report.topic].count(
            report.reporter, min(at_ns, now_ns), self._closed_minute
        )


def _decode(saved: bytes) -> State:
    try:
        state = msgspec.json.decode(saved, type=State)
    except msgspec.MsgspecError as error:
        raise ValueError(f"these are no users' reports: {error}") from None
    for each in state.topics.values():
        numbers = (*each.baseline_reports, *each.baseline_hours, each.total, each.scatter)
        lengths = {len(each.baseline_reports), len(each.baseline_hours)}
        sound = all(math.isfinite(number) and number >= 0 for number in numbers)
        if not sound or lengths not in ({0}, {168}):
            raise ValueError("these are no users' reports: a baseline has 168 rates")
    return state
