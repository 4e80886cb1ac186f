"""One watcher's picture of everything it looks at.  The rule: it says what it saw, and no more.

No I/O and no clock: looks come in, a report goes out whenever one is asked for.  A watcher that is
cut off sees everybody else gone; so what is silent counts against it only if most providers, or
most of the watcher's landmarks elsewhere, were heard of after it had fallen silent.  Otherwise it
is unknown, and the report says why.  Time in which this process stood still is nobody's silence.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, structs

from seawall.model import limits
from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.watch_facts import TROUBLE, Health, Reading, gravest
from seawall.watch import clocks
from seawall.watch.accrual import Latencies
from seawall.watch.probes.outcome import DETAIL_CHARS, CellLook, Outcome, failed, shortened
from seawall.watch.probes.outcome import answered as well
from seawall.watch.standing import SECOND_NS, Aim, Judged, Standing

PAUSE_NS: Final = 600_000_000
"""Between two ticks: in a longer time this process or machine did not run as it should."""
GATEWAY: Final = "gateway"
CLOCK: Final = "clock"


class WatcherTerms(Struct, frozen=True, kw_only=True):
    """Who watches."""

    name: str
    provider: str = ""
    """Where it stands; empty: at none of the topology's providers."""
    providers: tuple[str, ...]
    clock_ms: int = 500
    every_ns: int = SECOND_NS
    timeout_ns: int = 1_200_000_000


class Row(Struct, frozen=True, kw_only=True):
    """One dependency, as people are shown it."""

    signal: Signal
    p50_ms: float
    p99_ms: float


class Watcher:
    """All that one watcher knows.  Moments are nanoseconds of a clock that only rises."""

    def __init__(self, terms: WatcherTerms, aims: Sequence[Aim]) -> None:
        self.terms = terms
        self._standings = {aim.key: Standing(aim) for aim in aims}
        self._cells: dict[str, Standing] = {}
        self._ticked_ns: int | None = None
        self._resumed_ns = 0
        self._explaining: tuple[Signal, ...] = ()

    def tick(self, now_ns: int) -> None:
        """Tell that time goes by.  It is to be told several times a second."""
        if self._ticked_ns is not None and now_ns - self._ticked_ns > PAUSE_NS:
            gap_ns = now_ns - self._ticked_ns
            for standing in (*self._standings.values(), *self._cells.values()):
                standing.forgive(gap_ns)
            self._resumed_ns = now_ns
        self._ticked_ns = now_ns

    def begin(self, key: str, at_ns: int) -> None:
        """Tell that a look begins."""
        self.tick(at_ns)
        standing = self._standings[key]
        standing.begin(at_ns)
        if standing.aim.facet == GATEWAY:
            for cell in self._cells.values():
                cell.begin(at_ns)

    def take(self, key: str, outcome: Outcome, began_ns: int, at_ns: int) -> None:
        """Take what one look found."""
        self.tick(at_ns)
        standing = self._standings[key]
        if began_ns < self._resumed_ns and not outcome.reached:
            # It waited for its answer while this process stood still.
            return
        standing.take(outcome, at_ns)
        if standing.aim.facet == GATEWAY:
            self._take_cells(outcome.cells, at_ns)

    def explain(self, signals: Iterable[Signal]) -> None:
        """Take what feeds and venues tell now: it goes along, and decides nothing."""
        self._explaining = tuple(signals)

    def report(self, now_ns: int, *, number: int, wall_ns: int) -> WatchReport:
        """Return the picture as it is now."""
        return WatchReport(
            watcher=self.terms.name, number=number, observed_ns=wall_ns,
            signals=self.signals(now_ns),
        )  # fmt: skip

    def signals(self, now_ns: int) -> tuple[Signal, ...]:
        """Return what is to be told: providers first, then all that was looked at."""
        self.tick(now_ns)
        judged = {
            key: self._doubted(each.judge(now_ns), now_ns) for key, each in self._standings.items()
        }
        found = self._providers(judged)
        by_name: dict[str, list[tuple[str, Judged]]] = {}
        for key, each in judged.items():
            aim = self._standings[key].aim
            if aim.dependency:
                by_name.setdefault(aim.dependency, []).append((aim.facet, each))
        for name, each in self._clocks(now_ns).items():
            if name in by_name:
                by_name[name].append((CLOCK, each))
        found += [_signal(name, SignalKind.PROBE, facets) for name, facets in by_name.items()]
        found += self._cell_signals(now_ns)
        # One too many, and the whole report would be refused: what explains gives way.
        return (*found, *self._explaining)[: limits.SIGNALS_PER_REPORT]

    def rows(self, now_ns: int) -> list[Row]:
        """Return the picture with the distribution of the answers' times."""
        found = []
        for signal in self.signals(now_ns):
            times = self._latencies(signal.dependency) or Latencies()
            p50, p99 = (round(times.quantile(share) / 1e6, 3) for share in (0.5, 0.99))
            found.append(Row(signal=signal, p50_ms=p50, p99_ms=p99))
        return found

    def alone(self, now_ns: int, since_ns: int = 0) -> str:
        """Return why this watcher may be the one that is cut off; empty if it is not."""
        landmarks = [each for each in self._standings.values() if not each.aim.dependency]
        answering = sum(each.heard(now_ns, since_ns) for each in landmarks)
        if landmarks and 2 * answering > len(landmarks):
            return ""
        # Where it stands itself it always is.
        reached = {self.terms.provider}
        for each in self._standings.values():
            if each.heard(now_ns, since_ns):
                reached.add(each.aim.provider)
        count = len(reached.intersection(self.terms.providers))
        if 2 * count > len(self.terms.providers):
            return ""
        told = f"this watcher hears of {count} of {len(self.terms.providers)} providers only"
        return told + (f" and {answering} of {len(landmarks)} landmarks" if landmarks else "")

    def _doubted(self, judged: Judged, now_ns: int) -> Judged:
        """Return what can be said of it by a watcher that may be the one that is cut off.

        In a cut that hits this watcher nobody is heard of after the silence has begun.
        """
        if judged.silent_ns is None:
            return judged
        alone = self.alone(now_ns, judged.silent_ns)
        if not alone:
            return judged
        detail = f"{alone}; {judged.detail}"
        return structs.replace(judged, health=Health.UNKNOWN, detail=detail, silent_ns=None)

    def _take_cells(self, looks: Sequence[CellLook], at_ns: int) -> None:
        for look in looks:
            standing = self._cells.get(look.cell)
            if standing is None:
                # Several nodes speak of it in each round: only the silence of all counts.
                aim = Aim(
                    dependency=f"cell/{look.cell}", facet="", misses=0,
                    every_ns=self.terms.every_ns, timeout_ns=self.terms.timeout_ns,
                )  # fmt: skip
                standing = self._cells[look.cell] = Standing(aim)
            if look.good:
                standing.take(well(Health.OK, look.detail), at_ns)
            else:
                # What nodes say that are cut off together with this watcher is no verdict.
                standing.begin(at_ns)
                standing.take(failed(look.detail, reached=False), at_ns)

    def _cell_signals(self, now_ns: int) -> list[Signal]:
        found = []
        for standing in self._cells.values():
            each = self._doubted(standing.judge(now_ns), now_ns)
            found.append(_signal(standing.aim.dependency, SignalKind.OWN, [("", each)]))
        return found

    def _providers(self, judged: Mapping[str, Judged]) -> list[Signal]:
        """Derive each provider: it is gone if all that decides there is gone."""
        found = []
        for provider in self.terms.providers:
            members = [
                (self._standings[key].aim, each)
                for key, each in judged.items()
                if self._standings[key].aim.provider == provider
                and self._standings[key].aim.deciding
            ]
            if members:
                each = _together(members)
                found.append(_signal(f"provider/{provider}", SignalKind.PROBE, [("", each)]))
        return found

    def _clocks(self, now_ns: int) -> dict[str, Judged]:
        """Judge each clock against most of them."""
        known = {
            standing.aim.dependency: standing.last.offset_ns
            for standing in self._standings.values()
            if standing.last is not None
            and standing.last.offset_ns is not None
            and standing.heard(now_ns)
        }
        own = f"machine/{self.terms.name}"
        found = {}
        for name, off_ns in clocks.off_ns(own, known).items():
            late = abs(off_ns) > self.terms.clock_ms * 1_000_000
            if late:
                detail = f"its clock differs from most by {off_ns / 1e6:+.0f} ms"
                found[name] = Judged(health=Health.DEGRADED, detail=detail)
        return found

    def _latencies(self, dependency: str) -> Latencies | None:
        for standing in self._standings.values():
            if standing.aim.dependency == dependency and standing.latencies.count:
                return standing.latencies
        return None


def _together(members: Sequence[tuple[Aim, Judged]]) -> Judged:
    healths = [each.health for _, each in members]
    count = sum(health is Health.DOWN for health in healths)
    phi = min(each.phi for _, each in members)
    if count == len(healths):
        named = ", ".join(f"{aim.dependency} {aim.facet}" for aim, _ in members)
        return Judged(
            health=Health.DOWN, detail=f"all is gone: {named}; {members[0][1].detail}", phi=phi
        )
    unknown = [each.detail for _, each in members if each.health is Health.UNKNOWN]
    ill = [
        f"{aim.dependency} {aim.facet}: {each.detail}"
        for aim, each in members
        if each.health in TROUBLE
    ]
    if unknown and (not ill or Health.OK not in healths):
        return Judged(health=Health.UNKNOWN, detail=unknown[0], phi=phi)
    if ill:
        return Judged(health=Health.DEGRADED, detail=ill[0], phi=phi)
    return Judged(health=Health.OK, detail=f"all {len(healths)} answer there", phi=phi)


def _signal(name: str, kind: SignalKind, facets: Sequence[tuple[str, Judged]]) -> Signal:
    """Join what was seen of one dependency: the gravest counts."""
    health = gravest([each.health for _, each in facets])
    told = [
        f"{facet}: {each.detail}" if facet else each.detail
        for facet, each in facets
        if each.health is health
    ]
    # Of what is well, the first is told; of trouble, everything.
    detail = told[0] if health is Health.OK else "; ".join(told)
    return Signal(
        dependency=name, kind=kind, health=health, detail=detail[:DETAIL_CHARS],
        suspicion_milli=int(1000 * max(each.phi for _, each in facets)),
        latency_us=next((each.latency_ns // 1000 for _, each in facets if each.latency_ns), 0),
    )  # fmt: skip


def explaining(kind: SignalKind, readings: Iterable[Reading]) -> list[Signal]:
    """Return feeds' or venues' readings as signals: one for each name before the slash."""
    by_name: dict[str, list[Reading]] = {}
    for reading in readings:
        by_name.setdefault(reading.feed.partition("/")[0], []).append(reading)
    prefix = "feed" if kind is SignalKind.FEED else "venue"
    return [_explaining(f"{prefix}/{named(name)}", kind, each) for name, each in by_name.items()]


def named(text: str) -> str:
    """Return a name as the control cell takes it: one that it does not spoils a whole report."""
    shown = "".join(
        char if char.isascii() and (char.isalnum() or char in "._:@-") else "-" for char in text
    )
    return shown[: limits.DEPENDENCY_CHARS // 2]


def _explaining(name: str, kind: SignalKind, readings: Sequence[Reading]) -> Signal:
    health = gravest([each.health for each in readings])
    titles = [fact.title for each in readings for fact in each.facts if fact.lasts(each.at_ns)] or [
        doubt.detail for each in readings for doubt in each.doubts
    ]
    return Signal(
        dependency=name, kind=kind, health=health, detail=shortened("; ".join(titles[:3])),
        evidence=next((each.payload for each in readings if each.payload), ""),
    )  # fmt: skip
