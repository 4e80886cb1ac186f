"""How one thing stands after many looks.  The rule: one bad look proves nothing, unless it is sure.

What a thing says of itself counts at once.  Where no fit answer comes, suspicion grows with the
silence, also while a look still waits: what was known stays until it is likely wrong, then it is
unknown, then down.  So a slow answer is an answer, and only silence is not.  A look that could not
be made, or none at all, is unknown too.
"""

from typing import Final

from msgspec import Struct

from seawall.model.watch_facts import Health
from seawall.watch.accrual import Accrual, AccrualTerms, Latencies
from seawall.watch.probes.outcome import Outcome

SECOND_NS: Final = 1_000_000_000
SUSPECT_PHI: Final = 5.0
DOWN_PHI: Final = 8.0
MISSES: Final = 3
FLOOR_SHARE: Final = 4
"""The deviation's floor is this part of the pace: 250 ms for a look each second."""
LONGEST_PACES: Final = 3
UNSEEN_PACES: Final = 3
PATIENCE_SHARE: Final = 0.7
"""Of the pace: who is heard of so long after a look began that is still not answered was heard
after that answer had failed to come."""


class Aim(Struct, frozen=True, kw_only=True):
    """One probe, and what its answers speak of."""

    dependency: str
    """Empty for a landmark: only whether it answers counts."""
    facet: str
    """What of the dependency is looked at; one word."""
    every_ns: int
    timeout_ns: int
    provider: str = ""
    """At whom it stands; empty: at none of the topology's."""
    deciding: bool = False
    """Whether its silence may mean that the whole provider is gone."""
    misses: int = MISSES
    """So many looks in a row without a fit answer are enough; 0: only the silence counts."""

    @property
    def key(self) -> str:
        return f"{self.dependency} {self.facet}"


class Judged(Struct, frozen=True, kw_only=True):
    """How it stands at a moment."""

    health: Health
    detail: str
    phi: float = 0.0
    latency_ns: int = 0
    silent_ns: int | None = None
    """Since when nothing came from its machine, where that is all there is against it: the fault
    may be on our side."""


class Standing:
    """One aim's answers so far."""

    def __init__(self, aim: Aim) -> None:
        self.aim = aim
        self.latencies = Latencies()
        self.last: Outcome | None = None
        self._seen_ns = 0
        self._heard_ns: int | None = None
        """When anything at all came from its machine."""
        self._good: Outcome | None = None
        self._missed = 0
        self._asked_ns: int | None = None
        """When the first look began that nothing has come back from since."""
        self._detector = Accrual(
            AccrualTerms(
                expected_ns=aim.every_ns,
                deviation_floor_ns=max(aim.every_ns // FLOOR_SHARE, 1),
                longest_ns=LONGEST_PACES * aim.every_ns,
            )
        )

    def begin(self, at_ns: int) -> None:
        """Take the beginning of a look."""
        self._seen_ns = at_ns
        if self._asked_ns is None:
            self._asked_ns = at_ns

    def take(self, outcome: Outcome, at_ns: int) -> None:
        """Take the outcome of one look."""
        self.last = outcome
        self._seen_ns = at_ns
        if outcome.reached:
            self._heard_ns = at_ns
            self._asked_ns = None
        if outcome.health is Health.UNKNOWN:
            return
        if outcome.health is Health.DOWN and not outcome.sure:
            self._missed += 1
            return
        self._missed = 0
        if outcome.health is Health.DOWN:
            return
        self._good = outcome
        self._detector.arrived(at_ns)
        if outcome.latency_ns:
            self.latencies.add(outcome.latency_ns)

    def forgive(self, gap_ns: int) -> None:
        """Leave out a time in which nobody looked."""
        self._detector.forgive(gap_ns)
        self._seen_ns += gap_ns
        if self._asked_ns is not None:
            self._asked_ns += gap_ns
        if self._heard_ns is not None:
            self._heard_ns += gap_ns

    def heard(self, now_ns: int, since_ns: int = 0) -> bool:
        """Whether its machine was heard of lately, and after that moment."""
        if self._heard_ns is None or self._heard_ns <= since_ns:
            return False
        return now_ns - self._heard_ns <= UNSEEN_PACES * self.aim.every_ns + self.aim.timeout_ns

    def judge(self, now_ns: int) -> Judged:
        """Return how it stands."""
        last = self.last
        phi = self._detector.phi(now_ns)
        if last is None:
            return Judged(health=Health.UNKNOWN, detail="not asked yet")
        if now_ns - self._seen_ns > UNSEEN_PACES * (self.aim.every_ns + self.aim.timeout_ns):
            age_s = (now_ns - self._seen_ns) / SECOND_NS
            return Judged(health=Health.UNKNOWN, detail=f"not looked at for {age_s:.0f} s")
        waiting = self._asked_ns is not None and phi >= SUSPECT_PHI
        if last.health is Health.UNKNOWN or (last.sure and not waiting):
            return Judged(
                health=last.health, detail=last.detail, phi=phi, latency_ns=last.latency_ns
            )
        return self._suspected(last, phi, now_ns)

    def _suspected(self, last: Outcome, phi: float, now_ns: int) -> Judged:
        silence_s = self._detector.silence_ns(now_ns) / SECOND_NS
        told = last.detail if last.health is Health.DOWN else "no answer"
        silent_ns = (
            None
            if self._asked_ns is None
            else self._asked_ns + int(PATIENCE_SHARE * self.aim.every_ns)
        )
        if phi >= DOWN_PHI or (self.aim.misses and self._missed >= self.aim.misses):
            since = f", for {silence_s:.1f} s" if self._good is not None else ", and never was well"
            return Judged(health=Health.DOWN, detail=f"{told}{since}", phi=phi, silent_ns=silent_ns)
        if self._good is None:
            return Judged(health=Health.UNKNOWN, detail=f"not answered yet: {told}")
        if phi >= SUSPECT_PHI:
            detail = f"{told}, for {silence_s:.1f} s"
            return Judged(health=Health.UNKNOWN, detail=detail, phi=phi)
        detail = f"{self._good.detail}; then {told}"
        return Judged(health=self._good.health, detail=detail, phi=phi)
