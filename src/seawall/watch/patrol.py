"""One watcher at work: its probes run, its picture goes out.  The rule: nothing waits for a probe.

A report leaves at once when a health changes, and otherwise once a round.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.watch_facts import Health, Reading
from seawall.watch.aims import Target
from seawall.watch.probes.looking import Looking
from seawall.watch.probes.outcome import Outcome
from seawall.watch.watcher import Row, Watcher, WatcherTerms, explaining

TICK_S: Final = 0.2
EXPLAIN_S: Final = 1.0

log = structlog.stdlib.get_logger(__name__)


class Explaining(Protocol):
    """Feeds and venues: `FeedWatch` and `VenueWatch`."""

    def readings(self) -> tuple[Reading, ...]:
        """Return the newest."""

    async def run(self) -> None:
        """Look for ever."""

    async def close(self) -> None:
        """Leave nothing open."""


class Telling(Protocol):
    """What speaks in signals of its own: `ReportReader`."""

    def signals(self) -> tuple[Signal, ...]:
        """Return what it has to say now."""

    async def run(self) -> None:
        """Look for ever."""

    async def close(self) -> None:
        """Leave nothing open."""


class Patrol:
    """Everything of one watcher but its way to the exchange."""

    def __init__(
        self,
        terms: WatcherTerms,
        targets: Sequence[Target],
        *,
        number: Callable[[], int],
        send: Callable[[WatchReport], None],
        explaining_by: Sequence[tuple[SignalKind, Explaining]] = (),
        users: Telling | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.watcher = Watcher(terms, [target.aim for target in targets])
        self._terms = terms
        self._number = number
        self._send = send
        self._explaining_by = explaining_by
        self._users = users
        self._wall_ns = wall_ns
        self._now_ns = now_ns
        self._lookings = {target.aim.key: _looking(target, now_ns) for target in targets}
        self._said: dict[str, Health] = {}

    async def run(self) -> None:
        """Work until canceled."""
        async with asyncio.TaskGroup() as group:
            step_s = self._terms.every_ns / 1e9 / max(1, len(self._lookings))
            for place, (key, looking) in enumerate(self._lookings.items()):
                group.create_task(self._follow(key, looking, place * step_s))
            for kind, each in self._explaining_by:
                group.create_task(self._again(str(kind), each.run))
            if self._users is not None:
                group.create_task(self._again("users", self._users.run))
            group.create_task(self._again("feeds, venues and users", self._explain))
            group.create_task(self._rounds())

    async def close(self) -> None:
        await asyncio.gather(
            *(looking.close() for looking in self._lookings.values()),
            *(each.close() for _, each in self._explaining_by),
            *(() if self._users is None else (self._users.close(),)),
            return_exceptions=True,
        )

    def rows(self) -> list[Row]:
        """Return the picture as it is now."""
        return self.watcher.rows(self._now_ns())

    async def _follow(self, key: str, looking: Looking, delay_s: float) -> None:
        def took(outcome: Outcome, began_ns: int, ended_ns: int) -> None:
            self.watcher.take(key, outcome, began_ns, ended_ns)

        def begins(at_ns: int) -> None:
            self.watcher.begin(key, at_ns)

        await looking.run(took, delay_s, begins)

    async def _again(self, what: str, work: Callable[[], object]) -> None:
        """Run what only explains; its end is no end of the watch."""
        while True:
            try:
                found = work()
                if asyncio.iscoroutine(found):
                    await found
            except Exception as error:  # noqa: BLE001 - whatever breaks there, probes must go on
                log.warning("what explains has failed", what=what, error=repr(error))
            await asyncio.sleep(EXPLAIN_S)

    def _explain(self) -> None:
        # Users first: should a report grow too long, they are a gate's, and feeds are nobody's.
        found = [] if self._users is None else list(self._users.signals())
        for kind, each in self._explaining_by:
            found += explaining(kind, each.readings())
        self.watcher.explain(found)

    async def _rounds(self) -> None:
        sent_ns: int | None = None
        while True:
            now_ns = self._now_ns()
            signals = self.watcher.signals(now_ns)
            changed = self._changed(signals)
            if changed or sent_ns is None or now_ns - sent_ns >= self._terms.every_ns:
                report = WatchReport(
                    watcher=self._terms.name, number=self._number(),
                    observed_ns=self._wall_ns(), signals=signals,
                )  # fmt: skip
                self._send(report)
                sent_ns = now_ns
            await asyncio.sleep(TICK_S)

    def _changed(self, signals: Sequence[Signal]) -> bool:
        """Log what has changed; return whether anything has."""
        now = {signal.dependency: signal.health for signal in signals}
        changed = False
        for signal in signals:
            before = self._said.get(signal.dependency)
            if before is not signal.health:
                changed = True
                log.info(
                    "health", dependency=signal.dependency, health=str(signal.health),
                    before=str(before or "none"), detail=signal.detail,
                )  # fmt: skip
        self._said = now
        return changed


def _looking(target: Target, now_ns: Callable[[], int]) -> Looking:
    aim = target.aim
    return Looking(
        target.probe,
        every_s=aim.every_ns / 1e9,
        timeout_s=aim.timeout_ns / 1e9,
        retry_s=target.retry_s,
        now_ns=now_ns,
    )
