"""A control cell with watchers at three providers.  The rule: a refused command changes nothing.

Each entry runs what the machine runs for verdicts and the lease, in its order.
"""

from collections.abc import Mapping

from seawall.core.control import lease, posture, reports, runbook, services, verdicts
from seawall.core.control.state import (
    ControlState,
    digest_control,
    dump_control,
    load_control,
)
from seawall.lib.invariants import invariant
from seawall.model import control_commands as c
from seawall.model.control_events import VerdictChanged
from seawall.model.events import CommandRejected, Event
from seawall.model.rejections import Rejection
from seawall.model.signals import Signal, SignalKind, WatchReport
from seawall.model.watch_facts import Health

SECOND_NS = 1_000_000_000
START_NS = 1_000_000 * SECOND_NS
KEY = "ab" * 32
SAM = "sam"

RUNBOOK = """
version = "test-1"

[signals]
fresh_s = 5
skew_s = 10

[[dependency]]
name = "cell/spot"
quorum = 2
down_after_s = 1
ok_after_s = 20

[[dependency]]
name = "rpc/*"
quorum = 2
down_after_s = 1
ok_after_s = 20

[[dependency]]
name = "own/*"
quorum = 1
down_after_s = 1
ok_after_s = 20
"""

WATCHERS = {"a1": "amber", "a2": "amber", "b": "blue", "c": "coral"}

Command = (
    c.AdoptRunbook
    | c.RegisterWatcher
    | c.RemoveWatcher
    | c.DefineServices
    | c.TakeReport
    | c.ObservePosture
)


class WatchDesk:
    """The state, and the clock of its journal."""

    def __init__(self, text: str = RUNBOOK, watchers: Mapping[str, str] | None = None) -> None:
        self.state = ControlState()
        self.state.book.at_ns = START_NS
        self.state.book.epoch = 1
        self.numbers: dict[str, int] = {}
        self.do(c.AdoptRunbook(text=text, person=SAM))
        for watcher, provider in (WATCHERS if watchers is None else watchers).items():
            self.register(watcher, provider)

    @property
    def now_ns(self) -> int:
        return self.state.at_ns

    def do(self, command: Command | None, after_ns: int = 1_000) -> list[Event]:
        """Apply one entry; None is a tick."""
        book = self.state.book
        book.sequence += 1
        book.at_ns += after_ns
        lapsed = lease.lapse(self.state)
        events: list[Event] = [lapsed] if lapsed is not None else []
        before = dump_control(self.state)
        told = self._decide(command)
        if told and isinstance(told[0], CommandRejected):
            assert dump_control(self.state) == before, "a refusal changes nothing"
        events += told
        verdicts.judge(self.state, events)
        lease.extend(self.state)
        return events

    def _decide(self, command: Command | None) -> list[Event]:
        match command:
            case None:
                return []
            case c.AdoptRunbook():
                return runbook.adopt_runbook(self.state, command)
            case c.RegisterWatcher():
                return reports.register_watcher(self.state, command)
            case c.RemoveWatcher():
                return reports.remove_watcher(self.state, command)
            case c.DefineServices():
                return services.define_services(self.state, command)
            case c.TakeReport():
                return reports.take_report(self.state, command)
            case c.ObservePosture():
                return posture.observe_posture(self.state, command)

    def register(self, watcher: str, provider: str, key: str = KEY) -> list[Event]:
        return self.do(c.RegisterWatcher(watcher=watcher, provider=provider, key=key, person=SAM))

    def remove(self, watcher: str) -> list[Event]:
        return self.do(c.RemoveWatcher(watcher=watcher, person=SAM))

    def say(
        self,
        watcher: str,
        *told: tuple[str, Health] | tuple[str, Health, SignalKind],
        after_ns: int = 1_000,
        number: int | None = None,
        skew_ns: int = 0,
        detail: str = "",
    ) -> list[Event]:
        """Let a watcher report; its clock is `skew_ns` ahead of the journal's."""
        observed_ns = self.now_ns + after_ns + skew_ns
        signals = tuple(
            Signal(
                dependency=each[0],
                kind=each[2] if len(each) > 2 else SignalKind.PROBE,
                health=each[1],
                detail=detail,
            )
            for each in told
        )
        report = WatchReport(
            watcher=watcher,
            number=observed_ns if number is None else number,
            observed_ns=observed_ns,
            signals=signals,
        )
        return self.do(c.TakeReport(report=report), after_ns)

    def health(self, dependency: str) -> Health:
        return self.state.book.verdicts[dependency].health

    def reload(self) -> None:
        """Go on from a dump of the state."""
        data = dump_control(self.state)
        digest = digest_control(self.state)
        self.state = load_control(data)
        invariant(dump_control(self.state) == data, "a loaded state dumps as it was")
        invariant(digest_control(self.state) == digest, "and digests as it was")


def refusal(events: list[Event]) -> Rejection | None:
    """Return why the command was refused, if it was."""
    for event in events:
        if isinstance(event, CommandRejected):
            return event.reason
    return None


def changes(events: list[Event]) -> list[tuple[str, Health]]:
    """Return the verdicts that changed."""
    return [
        (event.dependency, event.health) for event in events if isinstance(event, VerdictChanged)
    ]
