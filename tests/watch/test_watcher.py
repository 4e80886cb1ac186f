"""A watcher in a world of made-up time: what it says of cuts, of its own too."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.control.runbook_checks import is_name
from seawall.model import limits
from seawall.model.signals import Signal, SignalKind
from seawall.model.watch_facts import Doubt, Fact, Health, Reading, Uncertain, conclude
from seawall.watch import clocks
from seawall.watch.probes.outcome import CellLook, Outcome, answered, failed, unable
from seawall.watch.standing import SECOND_NS, Aim
from seawall.watch.watcher import GATEWAY, Watcher, WatcherTerms, explaining

PROVIDERS = ("amber", "blue", "coral")
TIMEOUT_NS = 1_200_000_000
STEP_NS = 100_000_000
START_NS = 10**15
LANDMARKS = ("192.0.2.1:443", "192.0.2.2:443", "192.0.2.3:443")


def aims(landmarks: Sequence[str] = ()) -> list[Aim]:
    found = []
    for name in PROVIDERS:
        for dependency, facet in ((f"node/{name}", GATEWAY), (f"etcd/{name}", "member")):
            found.append(
                Aim(dependency=dependency, facet=facet, every_ns=SECOND_NS, timeout_ns=TIMEOUT_NS,
                    provider=name, deciding=True)
            )  # fmt: skip
    found += [
        Aim(dependency="", facet=each, every_ns=SECOND_NS, timeout_ns=TIMEOUT_NS)
        for each in landmarks
    ]
    return found


class World:
    """Answers looks, each aim's in its own phase, until something is cut."""

    def __init__(
        self,
        provider: str = "amber",
        landmarks: Sequence[str] = (),
        phases: Sequence[int] = (),
    ) -> None:
        self.aims = aims(landmarks)
        terms = WatcherTerms(name="w", provider=provider, providers=PROVIDERS)
        self.watcher = Watcher(terms, self.aims)
        self.now_ns = START_NS
        self.cut_off: set[str] = set()
        """Providers, or landmarks, that do not answer."""
        self.killed: set[str] = set()
        """Providers whose machines refuse connections."""
        self.no_leader: set[str] = set()
        """Nodes that know no leader."""
        self.stopped = False
        self._next = {
            aim.key: START_NS + (phases[place % len(phases)] if phases else place * 100_000_000)
            for place, aim in enumerate(self.aims)
        }
        self._waiting: dict[str, int] = {}
        self.seen: list[tuple[int, dict[str, Signal]]] = []

    def run(self, seconds: float) -> None:
        until_ns = self.now_ns + int(seconds * SECOND_NS)
        while self.now_ns < until_ns:
            self.now_ns += STEP_NS
            if not self.stopped:
                self._looks()
                signals = self.watcher.signals(self.now_ns)
                self.seen.append((self.now_ns, {each.dependency: each for each in signals}))

    def health(self, dependency: str) -> Health:
        return self.seen[-1][1][dependency].health

    def said(self, dependency: str, since_ns: int = 0) -> set[Health]:
        return {told[dependency].health for at_ns, told in self.seen if at_ns > since_ns}

    def _looks(self) -> None:
        for aim in self.aims:
            if (began_ns := self._waiting.get(aim.key)) is not None:
                if self.now_ns - began_ns >= TIMEOUT_NS:
                    silent = failed("no answer", reached=False)
                    self.watcher.take(aim.key, silent, began_ns, self.now_ns)
                    del self._waiting[aim.key]
                    self._next[aim.key] = self.now_ns
            elif self._next[aim.key] <= self.now_ns:
                self._look(aim)

    def _look(self, aim: Aim) -> None:
        began_ns = self.now_ns
        self._next[aim.key] += SECOND_NS
        self.watcher.begin(aim.key, began_ns)
        where = aim.provider or aim.facet
        if where in self.cut_off:
            self._waiting[aim.key] = began_ns
        elif where in self.killed:
            refused = failed("refused", reached=True)
            self.watcher.take(aim.key, refused, began_ns, self.now_ns)
        else:
            self.watcher.take(aim.key, self._good(aim), began_ns, self.now_ns)

    def _good(self, aim: Aim) -> Outcome:
        if aim.facet != GATEWAY:
            return answered(Health.OK, "well", latency_ns=3_000_000)
        good = aim.provider not in self.no_leader
        look = CellLook(cell="spot", good=good, detail="blue leads" if good else "nobody leads")
        return Outcome(health=Health.OK, detail="well", latency_ns=5_000_000, cells=(look,))


FEWER = settings(max_examples=max(20, settings().max_examples // 5))
"""Each example is half a minute of a watch's life."""
PHASES = st.lists(st.integers(0, SECOND_NS), min_size=6, max_size=9)


@FEWER
@given(phases=PHASES, after=st.floats(5, 8))
def test_a_provider_that_is_cut_is_down_within_three_seconds_and_nobody_else(
    phases: list[int], after: float
) -> None:
    world = World(phases=phases)
    world.run(after)
    assert {signal.health for signal in world.seen[-1][1].values()} == {Health.OK}
    world.cut_off = {"coral"}
    cut_ns = world.now_ns
    world.run(6)
    down_ns = next(at for at, told in world.seen if told["provider/coral"].health is Health.DOWN)
    assert down_ns - cut_ns <= 3 * SECOND_NS
    assert world.said("provider/coral", down_ns) == {Health.DOWN}
    for name in ("amber", "blue"):
        for dependency in (f"provider/{name}", f"node/{name}", f"etcd/{name}"):
            assert world.said(dependency, cut_ns) == {Health.OK}
    assert world.health("cell/spot") is Health.OK
    world.cut_off = set()
    world.run(2)
    assert world.health("provider/coral") is Health.OK


@FEWER
@given(phases=PHASES, provider=st.sampled_from(["", "amber"]), landmarked=st.booleans())
def test_a_watcher_that_is_cut_off_never_says_that_others_are_down(
    phases: list[int], provider: str, landmarked: bool
) -> None:
    world = World(provider, LANDMARKS if landmarked else (), phases)
    world.run(6)
    world.cut_off = {*PROVIDERS, *LANDMARKS} - {provider}
    world.no_leader = {"amber"}
    cut_ns = world.now_ns
    world.run(8)
    for name in set(PROVIDERS) - {provider}:
        for dependency in (f"provider/{name}", f"node/{name}", f"etcd/{name}"):
            assert world.said(dependency, cut_ns) == {Health.OK, Health.UNKNOWN}
            assert world.health(dependency) is Health.UNKNOWN
    assert Health.DOWN not in world.said("cell/spot", cut_ns)
    assert world.health("cell/spot") is Health.UNKNOWN
    if provider:
        assert world.said("provider/amber", cut_ns) == {Health.OK}


def test_landmarks_elsewhere_tell_a_watcher_that_two_providers_are_really_gone() -> None:
    alone, sure = World(), World(landmarks=LANDMARKS)
    for world in (alone, sure):
        world.run(6)
        world.cut_off = {"blue", "coral", LANDMARKS[0]}
        world.run(6)
    assert alone.health("provider/blue") is Health.UNKNOWN
    assert "1 of 3 providers" in alone.seen[-1][1]["provider/blue"].detail
    assert sure.health("provider/blue") is Health.DOWN


def test_what_was_down_is_unknown_once_the_watcher_itself_is_cut_off() -> None:
    world = World()
    world.run(6)
    world.cut_off = {"coral"}
    world.run(6)
    assert world.health("provider/coral") is Health.DOWN
    world.cut_off = {"blue", "coral"}
    world.run(8)
    assert world.health("provider/coral") is Health.UNKNOWN
    assert world.health("provider/blue") is Health.UNKNOWN


def test_processes_killed_everywhere_are_down_for_their_machines_still_speak() -> None:
    world = World(provider="")
    world.run(6)
    world.killed = set(PROVIDERS)
    world.run(6)
    assert {world.health(f"provider/{name}") for name in PROVIDERS} == {Health.DOWN}


def test_one_lost_packet_is_no_outage() -> None:
    world = World()
    world.run(10)
    for _ in range(10):
        world.cut_off = {"coral"}
        world.run(0.9)
        world.cut_off = set()
        world.run(3)
    assert Health.DOWN not in world.said("provider/coral")
    assert world.health("provider/coral") is Health.OK


@pytest.mark.parametrize("stopped_s", [2, 5, 60, 3_600])
def test_time_in_which_the_watcher_stood_still_is_nobodys_silence(stopped_s: int) -> None:
    """And the looks that waited meanwhile all run out of time at once."""
    world = World()
    world.run(6)
    world.stopped = True
    world.run(stopped_s)
    world.stopped = False
    for aim in world.aims:
        world.watcher.take(
            aim.key, failed("no answer", reached=False), world.now_ns - 2 * SECOND_NS, world.now_ns
        )
        world._next[aim.key] = world.now_ns + 300_000_000
    resumed_ns = world.now_ns
    world.run(5)
    assert {h for name in PROVIDERS for h in world.said(f"provider/{name}", resumed_ns)} == {
        Health.OK
    }


def test_a_cell_is_down_when_every_node_that_answers_says_so_for_long() -> None:
    world = World()
    world.run(6)
    world.no_leader = {"blue"}
    began_ns = world.now_ns
    world.run(6)
    assert world.said("cell/spot", began_ns) == {Health.OK}, "one node is one voice"
    world.no_leader = set(PROVIDERS)
    began_ns = world.now_ns
    world.run(1.2)
    assert Health.DOWN not in world.said("cell/spot", began_ns), "a change of the leader"
    world.run(3)
    signal = world.seen[-1][1]["cell/spot"]
    assert (signal.kind, signal.health) == (SignalKind.OWN, Health.DOWN)
    world.cut_off = {"blue", "coral"}
    world.run(8)
    assert world.health("cell/spot") is Health.UNKNOWN


def test_a_probe_that_cannot_tell_is_unknown_and_none_that_never_looked_is_healthy() -> None:
    watcher = Watcher(WatcherTerms(name="w", providers=PROVIDERS), aims())
    assert {each.health for each in watcher.signals(START_NS)} == {Health.UNKNOWN}
    for key in ("node/amber gateway", "etcd/amber member"):
        watcher.take(key, unable("no network here"), START_NS, START_NS)
    told = {each.dependency: each for each in watcher.signals(START_NS)}
    assert told["provider/amber"].health is Health.UNKNOWN
    assert "no network here" in told["node/amber"].detail


def test_what_is_not_looked_at_any_more_is_not_healthy_for_ever() -> None:
    world = World()
    world.run(6)
    for _ in range(40):
        # Time goes by, and no probe comes back.
        world.now_ns += SECOND_NS // 4
        told = world.watcher.signals(world.now_ns)
    assert {each.health for each in told} == {Health.UNKNOWN}


def test_what_a_dependency_says_of_itself_counts_at_once_and_the_gravest_facet_counts() -> None:
    certificate = Aim(dependency="node/blue", facet="certificate", every_ns=30 * SECOND_NS,
                      timeout_ns=SECOND_NS, provider="blue")  # fmt: skip
    world = World()
    world.watcher = Watcher(world.watcher.terms, [*world.aims, certificate])
    world.watcher.take(certificate.key, answered(Health.DEGRADED, "ends in 3 days"), 0, START_NS)
    world.run(3)
    signal = world.seen[-1][1]["node/blue"]
    assert (signal.health, signal.detail) == (Health.DEGRADED, "certificate: ends in 3 days")
    assert world.health("provider/blue") is Health.OK, "a certificate is no provider's outage"
    world.watcher.take("etcd/blue member", answered(Health.DOWN, "corrupt"), world.now_ns,
                       world.now_ns)  # fmt: skip
    told = {each.dependency: each.health for each in world.watcher.signals(world.now_ns)}
    assert told["etcd/blue"] is Health.DOWN
    assert told["provider/blue"] is Health.DEGRADED


def test_a_report_has_its_number_and_the_distribution_of_latencies_is_kept() -> None:
    world = World()
    world.run(6)
    report = world.watcher.report(world.now_ns, number=7, wall_ns=9)
    assert (report.watcher, report.number, report.observed_ns) == ("w", 7, 9)
    assert len({each.dependency for each in report.signals}) == len(report.signals)
    row = next(
        row for row in world.watcher.rows(world.now_ns) if row.signal.dependency == "node/amber"
    )
    assert (row.p50_ms, row.p99_ms, row.signal.latency_us) == (5.0, 5.0, 5_000)


def test_feeds_explain_and_decide_nothing() -> None:
    world = World()
    fact = Fact(feed="f", party="P", incident_id="1", title="power lost", health=Health.DOWN)
    ill = conclude(feed="f", party="P", at_ns=1, facts=(fact,), doubts=(), payload="ab")
    doubt = Uncertain(doubt=Doubt.STALE, detail="yesterday's page")
    unread: Reading = conclude(feed="g", party="P", at_ns=1, facts=(), doubts=(doubt,))
    world.watcher.explain(explaining(SignalKind.FEED, (ill, unread)))
    world.run(3)
    told = world.seen[-1][1]
    assert (told["feed/f"].kind, told["feed/f"].health) == (SignalKind.FEED, Health.DOWN)
    assert (told["feed/f"].detail, told["feed/f"].evidence) == ("power lost", "ab")
    assert told["feed/g"].health is Health.UNKNOWN
    assert told["provider/amber"].health is Health.OK
    looks = [
        conclude(feed=f"v/{what}", party="P", at_ns=1, facts=(fact,) * (what == "book"), doubts=())
        for what in ("book", "candles")
    ]
    (venue,) = explaining(SignalKind.VENUE, looks)
    assert (venue.dependency, venue.health) == ("venue/v", Health.DOWN)


def test_no_name_and_no_number_of_signals_spoils_a_report() -> None:
    """The control cell refuses a report whole for one name that it does not take."""
    world = World()
    readings = [
        conclude(feed=f"AWS Tōkyō, {place}", party="P", at_ns=1, facts=(), doubts=())
        for place in range(400)
    ]
    world.watcher.explain(explaining(SignalKind.FEED, readings))
    world.run(3)
    names = list(world.seen[-1][1])
    assert len(names) == limits.SIGNALS_PER_REPORT
    assert all(is_name(name) and len(name) <= limits.DEPENDENCY_CHARS for name in names)
    assert {"provider/coral", "etcd/coral", "cell/spot", "feed/AWS-T-ky---0"} <= set(names)


@given(
    offsets=st.lists(st.integers(-(10**10), 10**10), min_size=2, max_size=6),
    widths=st.lists(st.integers(0, 10**9), min_size=6, max_size=6),
    own_ns=st.integers(-(10**12), 10**12),
)
def test_when_this_clock_is_wrong_it_is_the_one_that_is_told(
    offsets: list[int], widths: list[int], own_ns: int
) -> None:
    bounds = {
        str(place): (offset - own_ns - widths[place], offset - own_ns + widths[place])
        for place, offset in enumerate(offsets)
    }
    found = clocks.off_ns("own", bounds)
    spread_ns = max(0, *offsets, *(-offset for offset in offsets)) * 2 + max(widths)
    # However wrong this one is, the others are told to differ by no more than they do.
    if len(offsets) > 2:
        assert all(abs(found[name]) <= spread_ns for name in bounds)
    assert found["own"] == 0 or abs(found["own"]) <= abs(own_ns) + spread_ns


def clocked(*offsets_ms: int) -> dict[str, Signal]:
    machine = Aim(dependency="machine/w", facet="disk", every_ns=SECOND_NS, timeout_ns=TIMEOUT_NS)
    looks = [
        Aim(dependency=f"node/{name}", facet="clock", every_ns=10 * SECOND_NS,
            timeout_ns=TIMEOUT_NS, provider=name)
        for name in PROVIDERS
    ]  # fmt: skip
    watcher = Watcher(WatcherTerms(name="w", providers=PROVIDERS, clock_ms=500), [machine, *looks])
    watcher.take(machine.key, answered(Health.OK, "disk well"), START_NS, START_NS)
    for aim, offset_ms in zip(looks, offsets_ms, strict=True):
        near = (offset_ms * 1_000_000 - 2_000_000, offset_ms * 1_000_000 + 2_000_000)
        outcome = Outcome(health=Health.OK, detail="told", offset_ns=near)
        watcher.take(aim.key, outcome, START_NS, START_NS)
    return {each.dependency: each for each in watcher.signals(START_NS)}


def test_the_clock_that_differs_from_most_is_degraded() -> None:
    told = clocked(3, -2, 4_000)
    assert [told[f"node/{name}"].health for name in PROVIDERS] == [
        Health.OK, Health.OK, Health.DEGRADED,
    ]  # fmt: skip
    assert "+3998 ms" in told["node/coral"].detail
    told = clocked(-4_000, -4_001, -4_002)
    assert {told[f"node/{name}"].health for name in PROVIDERS} == {Health.OK}
    assert told["machine/w"].health is Health.DEGRADED
