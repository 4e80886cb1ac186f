"""The lease that withdrawals run on: extended while enough is heard, taken back at once if not."""

from seawall.core.control.machine import commit_control
from seawall.core.control.state import ControlState
from seawall.model import control_commands as c
from seawall.model.commands import Lead, Tick
from seawall.model.control_events import IncidentChanged, LeaseLapsed
from seawall.model.events import CommandRejected, Event
from seawall.model.ids import Epoch
from seawall.model.posture import Posture
from seawall.model.signals import WatchReport

S = 1_000_000_000
FRESH_S = 3
LEASE_S = 4
LAPSE_S = 30
RUNBOOK = f"""
version = "lease-1"

[signals]
fresh_s = {FRESH_S}

[lease]
seconds = {LEASE_S}
lapse_s = {LAPSE_S}
witnesses = 2

[[withdrawal.stage]]
stage = "paused"

[[withdrawal.stage]]
stage = "open"
approvals = 1

[[market.stage]]
stage = "cancel_only"

[[market.stage]]
stage = "post_only"

[[market.stage]]
stage = "open"

[[other.stage]]
stage = "paused"

[[other.stage]]
stage = "open"
"""
WITHDRAWALS = "withdrawal/ETH/ETH"


class Desk:
    """A control cell that is watched from three providers."""

    def __init__(self) -> None:
        self.state = ControlState()
        self.at_ns = 1_000_000 * S
        self.number = 0
        self.do(Lead(epoch=Epoch(1), node="n"))
        self.do(c.AdoptRunbook(text=RUNBOOK, person="sam"))
        for name in ("amber", "blue", "coral"):
            self.do(c.RegisterWatcher(watcher=name, provider=name, key="ab" * 32, person="sam"))
        self.do(c.DefineServices(services=(WITHDRAWALS,)))

    def do(self, command: c.ControlCommand, after_ns: int = S // 100) -> list[Event]:
        self.at_ns += after_ns
        told = commit_control(
            self.state, command, sequence=self.state.sequence + 1, at_ns=self.at_ns
        )
        refused = [event for event in told if isinstance(event, CommandRejected)]
        assert not refused, (refused[0].reason, refused[0].detail)
        return told

    def second(self, *watchers: str) -> list[Event]:
        """Let a second pass in which these are heard."""
        found = self.do(Tick(), S)
        for name in watchers:
            self.number += 1
            report = WatchReport(
                watcher=name, number=self.number, observed_ns=self.at_ns, signals=()
            )
            found += self.do(c.TakeReport(report=report))
        return found

    @property
    def alive(self) -> bool:
        return self.state.book.lease.until_ns > self.at_ns


def test_nobody_heard_no_lease_and_two_of_three_are_enough() -> None:
    desk = Desk()
    assert not desk.alive
    assert "0 of 2" in desk.state.book.lease.refused
    desk.second("amber")
    assert not desk.alive, "one witness is no quorum"
    desk.second("amber", "coral")
    assert desk.alive
    number = desk.state.book.lease.number
    desk.second("amber", "coral")
    assert desk.state.book.lease.number > number
    assert desk.state.book.lease.until_ns == desk.at_ns + LEASE_S * S


def test_silence_of_the_watch_takes_the_lease_back_within_five_seconds() -> None:
    desk = Desk()
    for _ in range(3):
        desk.second("amber", "blue", "coral")
    last_ns = desk.at_ns
    while desk.alive:
        desk.second("blue")
    assert desk.at_ns - last_ns <= 5 * S
    granted = desk.state.book.lease
    assert granted.until_ns <= desk.at_ns, "taken back, not left to run out"
    number = granted.number
    desk.second()
    assert desk.state.book.lease.number == number, "refused once, not each second"


def test_a_short_silence_resumes_and_a_long_one_comes_back_in_stages() -> None:
    for silent_s, posture in ((10, Posture.OPEN), (LAPSE_S + 1, Posture.PAUSED)):
        desk = Desk()
        for _ in range(2):
            desk.second("amber", "blue")
        for _ in range(silent_s):
            desk.second()
        told = desk.second("amber", "blue")
        assert any(isinstance(event, LeaseLapsed) for event in told)
        assert desk.alive
        assert desk.state.book.services[WITHDRAWALS].posture is posture
        assert any(isinstance(event, IncidentChanged) for event in told) is (
            posture is Posture.PAUSED
        )


def test_silence_of_control_itself_is_a_lapse_too() -> None:
    desk = Desk()
    desk.second("amber", "blue")
    told = desk.do(Tick(), (LAPSE_S + 5) * S)
    assert any(isinstance(event, LeaseLapsed) for event in told)
    assert desk.state.book.services[WITHDRAWALS].posture is Posture.PAUSED
