"""Names a wallet's silence, and tells it from a node's.  The rule: unknown is never healthy.

Sans-I/O.  A driver brings looks (an endpoint's head together with the wallet's nonce after that
block) and what was sent when; `assess` says what is known now.  An unchanged nonce proves that no
block up to the head holds an outgoing transaction, so a look after a node's return covers all that
was missed.

Silence is measured in the chain's time, from the last transaction to the newest block that proves
that none followed.  A node that stopped proves nothing more, so the probability stands still.
`activity` has the probability's formula, `pulse` that of the node's.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from seawall.watch.activity import (
    ACTIVE_BINS_MIN,
    HISTORY_MIN_S,
    Activity,
    Rates,
    Sent,
    hour_of_week,
)
from seawall.watch.pulse import Health, Look, Moment, Pulse

THRESHOLD: Final = 1e-4
WEEKS: Final = 4


class Verdict(StrEnum):
    """What is said of a wallet; only `ACTIVE` is good."""

    ACTIVE = "active"
    WALLET_SILENT = "wallet_silent"
    NODE_STALLED = "node_stalled"
    NODE_BEHIND = "node_behind"
    ENDPOINTS_DISAGREE = "endpoints_disagree"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why so; empty where the verdict says it all."""

    NONE = ""
    LEARNING = "learning"
    """History is still being read."""
    SHORT_HISTORY = "short_history"
    SELDOM = "seldom"
    """It sends too seldom for a silence to say anything."""
    UNREACHED = "unreached"
    CATCHING_UP = "catching_up"
    """The nonce moved; when, is being looked up."""
    CLOCK = "clock"
    """Blocks come from the future."""
    ONE_STALLED = "one_stalled"
    """Some endpoints are current, others not."""
    CONFLICT = "conflict"
    """Current endpoints contradict each other."""


class EndpointState(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    health: Health
    block: int | None
    block_at_s: int | None
    stood_s: float
    interval_s: float
    trouble: str


class Assessment(Struct, frozen=True, kw_only=True, rename="camel"):
    """All that is known at one moment; numbers that are not known are None, never 0."""

    verdict: Verdict
    reason: Reason
    nonce: int | None
    last_sent_s: float | None
    proved_until_s: float | None
    """Until when blocks were seen; silence is measured until here."""
    silence_s: float | None
    probability: float | None
    threshold: float
    alarm_at_s: float | None
    """When the probability falls below the threshold if nothing is sent."""
    silent_since_s: float | None
    """When it fell below; kept while the node is what stopped."""
    expected_per_hour: float | None
    stretch: float | None
    false_alarms_per_year: float | None
    endpoints: tuple[EndpointState, ...]

    @property
    def healthy(self) -> bool:
        return self.verdict is Verdict.ACTIVE


class Detector:
    """One wallet, seen through one or more endpoints."""

    def __init__(
        self, endpoints: Iterable[str], *, threshold: float = THRESHOLD, weeks: int = WEEKS
    ) -> None:
        self.threshold = threshold
        self.activity = Activity(weeks)
        self.pulses = {name: Pulse(name) for name in endpoints}
        self.nonce: int | None = None
        self._learned = False
        self._last_sent_s: float | None = None
        self._proved_until_s: float | None = None
        self._alarm: tuple[float, Rates, float | None] | None = None

    # What the driver brings

    def on_look(self, name: str, look: Look, now: Moment) -> None:
        """Take an endpoint's answer."""
        self.pulses[name].on_look(look, now)
        self._prove(now)

    def on_trouble(self, name: str, words: str) -> None:
        """Take that an endpoint did not answer."""
        self.pulses[name].on_trouble(words)

    def on_history(self, since_s: float, nonce: int, sent: Iterable[Sent]) -> None:
        """Take what was read of the past, up to the given nonce."""
        self.activity.begin(since_s)
        self._learned = True
        self.on_sent(nonce, sent)

    def on_sent(self, nonce: int, sent: Iterable[Sent]) -> None:
        """Take what was sent since, up to the given nonce."""
        for each in sent:
            self.activity.add(each)
            self._last_sent_s = max(each.until_s, self._last_sent_s or each.until_s)
        self.nonce = nonce
        self._proved_until_s = max(
            (each for each in (self._proved_until_s, self._last_sent_s) if each), default=None
        )

    def on_last(self, at_s: float) -> None:
        """Take the time of the last transaction, exactly."""
        self._last_sent_s = at_s

    def wanted(self, now: Moment) -> str | None:
        """Return the endpoint that knows of a nonce which is not accounted for, if there is one."""
        if not self._learned or self._conflict(now):
            return None
        newest = self._newest(now)
        if newest is None or newest.look is None or newest.look.nonce == self.nonce:
            return None
        return newest.name

    # What follows

    def assess(self, now: Moment) -> Assessment:
        """Say what is known."""
        self._prove(now)
        rates = self.activity.rates() if self._learned else None
        begin_s, end_s = self._last_sent_s, self._proved_until_s
        surprise = alarm_at_s = silence_s = None
        if begin_s is not None and end_s is not None:
            silence_s = max(end_s - begin_s, 0.0)
            if rates is not None:
                surprise = rates.surprise(begin_s, end_s)
                alarm_at_s = self._alarm_at(begin_s, rates)
        silent = alarm_at_s is not None and end_s is not None and end_s >= alarm_at_s
        verdict, reason = self._judge(rates, silent=silent, now=now)
        return Assessment(
            verdict=verdict,
            reason=reason,
            nonce=self.nonce,
            last_sent_s=begin_s,
            proved_until_s=end_s,
            silence_s=silence_s,
            probability=None if surprise is None else math.exp(-surprise),
            threshold=self.threshold,
            alarm_at_s=alarm_at_s,
            silent_since_s=alarm_at_s if silent else None,
            expected_per_hour=(
                None if rates is None or end_s is None else rates.per_hour[hour_of_week(end_s)]
            ),
            stretch=None if rates is None else rates.stretch,
            false_alarms_per_year=(
                None if rates is None else self.threshold * self.activity.silences_per_year()
            ),
            endpoints=tuple(_state(pulse, now) for pulse in self.pulses.values()),
        )

    def _judge(self, rates: Rates | None, *, silent: bool, now: Moment) -> tuple[Verdict, Reason]:
        healths = [pulse.health(now) for pulse in self.pulses.values()]
        if self._conflict(now):
            return Verdict.ENDPOINTS_DISAGREE, Reason.CONFLICT
        if Health.CURRENT not in healths:
            return _of_nodes(healths)
        if not self._learned:
            return Verdict.UNKNOWN, Reason.LEARNING
        if self.wanted(now) is not None:
            return Verdict.UNKNOWN, Reason.CATCHING_UP
        if silent:
            return Verdict.WALLET_SILENT, Reason.NONE
        if rates is None:
            return Verdict.UNKNOWN, self._why_unknown()
        if any(health is not Health.CURRENT for health in healths):
            return Verdict.ENDPOINTS_DISAGREE, Reason.ONE_STALLED
        return Verdict.ACTIVE, Reason.NONE

    def _why_unknown(self) -> Reason:
        seen_s = (self._proved_until_s or 0) - (self.activity.since_s or 0)
        if seen_s < HISTORY_MIN_S or self.activity.active_bins >= ACTIVE_BINS_MIN:
            return Reason.SHORT_HISTORY
        return Reason.SELDOM

    def _alarm_at(self, begin_s: float, rates: Rates) -> float | None:
        kept = self._alarm
        if kept is None or kept[0] != begin_s or kept[1] is not rates:
            kept = (begin_s, rates, rates.reaches(begin_s, -math.log(self.threshold)))
            self._alarm = kept
        return kept[2]

    # Evidence

    def _prove(self, now: Moment) -> None:
        """Extend what is proved to the newest block after which the nonce is the known one."""
        if self._conflict(now):
            return
        for pulse in self._living(now):
            look = pulse.look
            if look is not None and look.nonce == self.nonce:
                self._proved_until_s = max(self._proved_until_s or look.at_s, look.at_s)

    def _living(self, now: Moment) -> list[Pulse]:
        dead = {Health.STALLED, Health.UNREACHED}
        return [pulse for pulse in self.pulses.values() if pulse.health(now) not in dead]

    def _newest(self, now: Moment) -> Pulse | None:
        heads = [(p.look.number, p) for p in self._living(now) if p.look is not None]
        return max(heads, key=lambda head: head[0])[1] if heads else None

    def _conflict(self, now: Moment) -> bool:
        """Whether living endpoints contradict each other.

        A nonce never falls from block to block, and a number has one block.  A reorganisation makes
        this true for the moment until both have seen it.
        """
        looks = [pulse.look for pulse in self._living(now) if pulse.look is not None]
        return any(
            (one.number <= other.number and one.nonce > other.nonce)
            or (one.number == other.number and one.id != other.id)
            for one in looks
            for other in looks
        )


def _of_nodes(healths: list[Health]) -> tuple[Verdict, Reason]:
    """Return the verdict where no endpoint is current."""
    if Health.BEHIND in healths:
        return Verdict.NODE_BEHIND, Reason.NONE
    if Health.STALLED in healths:
        return Verdict.NODE_STALLED, Reason.NONE
    if Health.AHEAD in healths:
        return Verdict.UNKNOWN, Reason.CLOCK
    return Verdict.UNKNOWN, Reason.UNREACHED


def _state(pulse: Pulse, now: Moment) -> EndpointState:
    return EndpointState(
        name=pulse.name,
        health=pulse.health(now),
        block=None if pulse.look is None else pulse.look.number,
        block_at_s=None if pulse.look is None else pulse.look.at_s,
        stood_s=0.0 if pulse.look is None else pulse.stood_s(now),
        interval_s=pulse.interval_s,
        trouble=pulse.trouble,
    )
