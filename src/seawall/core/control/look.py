"""What one entry's look at the state shares.  The rule: asked for once, then remembered.

A look ends with its entry, so nothing here is part of the state.
"""

from seawall.core.control.patterns import is_literal, matches
from seawall.core.control.runbook import ladder_name
from seawall.core.control.state import ControlState
from seawall.model.control_rows import Plan, ServiceRow, Verdict, Word
from seawall.model.events import Event
from seawall.model.posture import PlanStatus, service_kind
from seawall.model.runbook import Ladder
from seawall.model.watch_facts import Health

SECOND = 1_000_000_000


class Need:
    """How the dependencies of one pattern are: the first that is not well, or the last to be so."""

    def __init__(self, dependency: str, verdict: Verdict) -> None:
        self.dependency = dependency
        self.health = verdict.health
        self.since_ns = verdict.since_ns
        self.doubted = verdict.pending_ns != 0
        """What is said of it now is not what the verdict says, or nothing is."""


class Look:
    """The state at one entry, and what has happened in it so far."""

    def __init__(self, state: ControlState, events: list[Event], before_ns: int) -> None:
        self.state = state
        self.book = state.book
        self.runbook = state.runbook
        self.events = events
        self.now = state.book.at_ns
        self.before_ns = before_ns
        """Moment of the entry before this one."""
        self._needs: dict[str, Need] = {}

    def begin(self) -> None:
        """Look at what the command has left."""
        self.runbook = self.state.runbook
        self._needs = {}

    def need(self, pattern: str) -> Need:
        """Return how the dependencies are that a pattern names; what nobody knows is unknown."""
        found = self._needs.get(pattern)
        if found is None:
            found = self._find(pattern)
            self._needs[pattern] = found
        return found

    def _find(self, pattern: str) -> Need:
        if is_literal(pattern):
            return Need(pattern, self.book.verdicts.get(pattern) or Verdict())
        last: Need | None = None
        for name, verdict in self.book.verdicts.items():
            if not matches(pattern, name):
                continue
            if verdict.health is not Health.OK:
                return Need(name, verdict)
            found = Need(name, verdict)
            if last is None or (found.doubted, found.since_ns) > (last.doubted, last.since_ns):
                last = found
        return last or Need(pattern, Verdict())

    def told(self, prefix: str) -> list[tuple[str, dict[str, Word]]]:
        """Return what watchers say of dependencies so named, with or without a verdict."""
        named = [
            (name, verdict.words)
            for name, verdict in self.book.verdicts.items()
            if name.startswith(prefix)
        ]
        named += [each for each in self.book.unconfirmed.items() if each[0].startswith(prefix)]
        return named

    def plan_of(self, row: ServiceRow) -> Plan | None:
        """Return the plan that leads a service back now, if one does."""
        plan = self.book.plans.get(row.plan)
        return plan if plan is not None and runs(plan) else None

    def ladder(self, kind: str) -> Ladder:
        """Return the ladder of a plan's kind."""
        if kind == "market":
            return self.runbook.market
        return self.runbook.withdrawal if kind == "withdrawal" else self.runbook.other

    def running(self) -> list[Plan]:
        """Return the plans that have not ended, oldest first."""
        return [plan for plan in self.book.plans.values() if runs(plan)]


def runs(plan: Plan) -> bool:
    return plan.status not in (PlanStatus.DONE, PlanStatus.ABANDONED)


def ladder_kind(service: str) -> str:
    """Return by which of the runbook's ladders a service comes back."""
    return ladder_name(service_kind(service))
