"""What users say that they cannot do.  The rule: a reporter is a pseudonym, and nothing more.

A gateway counts; a watcher reads the summaries of all gateways and judges.  Where no user is signed
in, the reporter stands for an address.  The pseudonym is the same at each node of one exchange, so
that who reports at three nodes is one.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

WINDOW_S: Final = 3_600
"""Further reports of one reporter on one topic within this time are not counted."""
SUMMARY_HOURS: Final = 24
SUMMARY_REPORTS: Final = 20_000
"""Reports that one summary lists; more than these in a window are trouble however many they are."""


class Topic(StrEnum):
    """What does not work, in the order in which the form asks."""

    WITHDRAWALS = "withdrawals"
    DEPOSITS = "deposits"
    SIGN_IN = "sign_in"
    BALANCES = "balances"
    TRADING = "trading"
    CANCELS = "cancels"


class TopicCount(Struct, frozen=True, kw_only=True, rename="camel"):
    """One topic at one node: different reporters by hour, the present hour first."""

    topic: Topic
    last_window: int
    """Counted in the window that ends now."""
    hours: tuple[int, ...]


class CountedReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """One report that counted."""

    topic: Topic
    reporter: str
    time: int
    """Milliseconds."""


class ReportSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one node was told.  Only operators and watchers are given `reports`."""

    node: str
    now: int
    """Milliseconds, as all moments here."""
    since: int
    """When this node began to count: what came before is not known to it."""
    window_seconds: int
    topics: tuple[TopicCount, ...]
    reports: tuple[CountedReport, ...] | None = None
    cut: bool = False
    """Whether there are more reports in the window than are listed, or than could be counted."""


def dependency(topic: Topic) -> str:
    """Return the name that runbooks know a topic by."""
    return f"users/{topic}"
