"""A runbook as it stands once read.  The rule: every time is in seconds, every name a pattern.

`*` in a pattern stands for any text, slashes too.  core/control/runbook.py reads and checks it.
"""

from enum import StrEnum

from msgspec import Struct

from seawall.model.posture import Posture, Severity, Stage
from seawall.model.watch_facts import Health


class Term(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts share: the way they are written."""


class SignalTerms(Term, frozen=True, kw_only=True):
    fresh_s: int = 10
    """A watcher's word counts so long."""
    skew_s: int = 30
    """Reports whose moment is further from the journal's are refused."""


class LeaseTerms(Term, frozen=True, kw_only=True):
    seconds: int = 4
    """Withdrawals run so long without word of the control cell."""
    lapse_s: int = 30
    """After a longer silence of the control cell withdrawals come back in stages only."""
    witnesses: int = 0
    """Providers whose watchers must have been heard within `fresh_s`; with fewer there is no lease:
    what nobody sees is not well."""


class DependencyTerms(Term, frozen=True, kw_only=True):
    """How a verdict on dependencies is reached; the first that matches a name counts."""

    name: str
    quorum: int = 2
    """Witnesses (watchers at different providers) who must say the same."""
    down_after_s: int = 1
    """They must have said so for so long."""
    ok_after_s: int = 30
    """The way back is slower, so that what flaps stays down."""
    part_of: tuple[str, ...] = ()
    """Dependencies whose trouble explains this one's; no circles."""


class Move(Term, frozen=True, kw_only=True):
    services: str
    to: Posture


class Rule(Term, frozen=True, kw_only=True):
    """When a dependency is so, services move, and an incident says why."""

    name: str
    when: str
    states: tuple[Health, ...] = (Health.DOWN,)
    severity: Severity = Severity.MAJOR
    kind: str = "dependency_trouble"
    """Template of the incident's title; see the status site's words."""
    move: tuple[Move, ...] = ()


class GateName(StrEnum):
    DEPENDENCIES_HEALTHY = "dependencies_healthy"
    USERS_HAD_ACCESS = "users_had_access"
    """The stage has lasted its time."""
    USER_REPORTS_CALM = "user_reports_calm"
    REPLICAS_EQUAL = "replicas_equal"
    LEDGER_ZERO_SUM = "ledger_zero_sum"
    CHAIN_RECONCILED = "chain_reconciled"
    HOT_WALLET_COVERS = "hot_wallet_covers"
    STATEMENT_SIGNED = "statement_signed"
    CANARY_SETTLED = "canary_settled"
    ERRORS_WITHIN_BUDGET = "errors_within_budget"
    LATENCY_WITHIN_BUDGET = "latency_within_budget"
    AUCTION_READY = "auction_ready"


class StageTerms(Term, frozen=True, kw_only=True):
    """One rung of a ladder: what it takes to be entered, and how wide it is."""

    stage: Stage
    gates: tuple[GateName, ...] = ()
    """Must have passed before it is entered."""
    approvals: int = 0
    """Different people who must agree before it is entered."""
    at_least_s: int = 0
    """How long it lasts at the least, before the next may be entered."""
    by_outage: tuple[tuple[int, int], ...] = ()
    """Pairs (outage of at least so many seconds, the stage lasts so many): the last that applies
    counts instead of `at_least_s`."""
    keep: tuple[GateName, ...] = ()
    """Must go on passing while it lasts; a failure steps back to the ladder's first stage."""
    per_withdrawal_ppm: int = 0
    """Of what the hot wallet can pay, the most that one withdrawal may take; 0 is no limit."""
    per_user_ppm: int = 0
    total_ppm: int = 0
    collar_bps: int = 0
    """How far from the auction's price orders may stand; 0 is no collar."""


class Ladder(Term, frozen=True, kw_only=True):
    """The way back of one kind of service."""

    needs: tuple[str, ...] = ()
    """Dependencies that must be well; `{asset}` and `{network}` stand for the service's own."""
    healthy_s: int = 60
    """So long they must have been."""
    fresh_s: int = 120
    """A reading counts so long."""
    stage: tuple[StageTerms, ...] = ()


class Surge(Term, frozen=True, kw_only=True):
    """The run on withdrawals to be expected after an outage."""

    hours: int = 10
    """Bybit, February 2025: ten hours; see docs/operating/reopening.md."""
    factor: int = 10
    """Times the usual outflow."""
    cover_ppm: int = 1_000_000
    """Share of queue and forecast that the hot wallet must cover before the next wider stage."""


class Cadence(Term, frozen=True, kw_only=True):
    """How often something is said of an open incident."""

    critical_s: int = 900
    major_s: int = 1_800
    minor_s: int = 3_600


class Runbook(Term, frozen=True, kw_only=True):
    version: str
    signals: SignalTerms = SignalTerms()
    lease: LeaseTerms = LeaseTerms()
    dependency: tuple[DependencyTerms, ...] = ()
    rule: tuple[Rule, ...] = ()
    market: Ladder = Ladder()
    withdrawal: Ladder = Ladder()
    other: Ladder = Ladder()
    """Deposits, transfers, sign-in."""
    surge: Surge = Surge()
    cadence: Cadence = Cadence()
