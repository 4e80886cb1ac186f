"""What watchers report to the control cell.  The rule: a signal is what one saw, no verdict.

A report carries all that a watcher saw in one round.  Its number only rises, and its moment is the
watcher's own: an old report that somebody sends again, or one from a wrong clock, is refused.
"""

from enum import StrEnum

from msgspec import Struct

from seawall.model.watch_facts import Health


class SignalKind(StrEnum):
    """Where a signal comes from.  Only probes and what the exchange knows of itself decide."""

    PROBE = "probe"
    OWN = "own"
    """What a node knows of itself: leadership, quorum, disk, lag."""
    FEED = "feed"
    VENUE = "venue"
    CHAIN = "chain"
    USERS = "users"


DECIDING = (SignalKind.PROBE, SignalKind.OWN)
"""The rest explains and adds to the evidence, but makes no verdict by itself."""


class Signal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one dependency looks to one watcher."""

    dependency: str
    """As the runbook names it: `provider/amber`, `node/amber`, `etcd/blue`, `rpc/ETH/one`,
    `cell/spot`, `service/withdrawals`, ..."""
    kind: SignalKind
    health: Health
    detail: str = ""
    """In plain words, for the record: what was asked and what came."""
    suspicion_milli: int = 0
    """Phi of the accrual detector, in thousandths; 0 where there is none."""
    latency_us: int = 0
    """Of the last answer; 0 where none came."""
    evidence: str = ""
    """SHA-256 of what it rests on, where something is kept."""


class WatchReport(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One round of one watcher."""

    watcher: str
    number: int
    """Rises with each report of this watcher for ever; a clock in nanoseconds serves."""
    observed_ns: int
    signals: tuple[Signal, ...]


class SignedReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report on its way: the bytes that were signed, and Ed25519's signature over them."""

    report: str
    """JSON of the `WatchReport`, exactly as it was signed."""
    signature: str
    """Hexadecimal."""
