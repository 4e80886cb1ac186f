"""Counts what users report at this node.  The rule: sans-I/O, and memory bounded whatever they do.

One reporter counts once per topic and window.  A user who is signed in is a reporter of his own and
uses up his address too, so that he does not count a second time without signing in; many users
behind one address count each.
"""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import islice
from typing import Final

from seawall.model.user_reports import (
    SUMMARY_HOURS,
    SUMMARY_REPORTS,
    WINDOW_S,
    CountedReport,
    ReportSummary,
    Topic,
    TopicCount,
)

REPORTERS_MOST: Final = 50_000
"""Reporters remembered per topic; past these the oldest is forgotten."""
_LISTED_MOST: Final = SUMMARY_REPORTS // len(Topic)
_SECOND_NS: Final = 1_000_000_000
_HOUR_NS: Final = 3_600 * _SECOND_NS
_ADDRESS_BITS: Final = 64
"""Of an IPv6 address: whoever has one has the whole network of that length."""


class Reporters:
    """The pseudonyms of a caller."""

    def __init__(self, pseudonym: Callable[[str], str], user_id: int, ip: str) -> None:
        self.address = pseudonym(f"address|{_place(ip)}")
        self.name = pseudonym(f"user|{user_id}") if user_id else self.address


class ReportCounts:
    """All topics."""

    def __init__(self, now_ns: int, window_s: int = WINDOW_S) -> None:
        self.since_ns = now_ns
        self._window_ns = window_s * _SECOND_NS
        self._topics = {topic: _TopicCounts() for topic in Topic}

    def add(self, topic: Topic, reporters: Reporters, now_ns: int) -> bool:
        """Count a report; False if the reporter was counted within the window."""
        counts = self._topics[topic]
        counts.forget(now_ns - self._window_ns)
        if reporters.name in counts.listed or reporters.name in counts.used:
            return False
        counts.add(reporters, now_ns)
        return True

    def summary(self, node: str, now_ns: int, *, reports: bool) -> ReportSummary:
        """Return the counts and, for operators and watchers, who was counted in the window."""
        listed: list[CountedReport] = []
        topics, cut = [], False
        for topic, counts in self._topics.items():
            counts.forget(now_ns - self._window_ns)
            topics.append(
                TopicCount(
                    topic=topic, last_window=len(counts.listed), hours=counts.by_hour(now_ns)
                )
            )
            cut = cut or counts.overflowed or len(counts.listed) > _LISTED_MOST
            if reports:
                # Each topic has its share: a flood on one hides nothing of another.
                newest = list(islice(reversed(counts.listed.items()), _LISTED_MOST))
                listed += [
                    CountedReport(topic=topic, reporter=reporter, time=at_ns // 1_000_000)
                    for reporter, at_ns in reversed(newest)
                ]
        return ReportSummary(
            node=node,
            now=now_ns // 1_000_000,
            since=self.since_ns // 1_000_000,
            window_seconds=self._window_ns // _SECOND_NS,
            topics=tuple(topics),
            reports=tuple(listed) if reports else None,
            cut=cut,
        )


class _TopicCounts:
    """One topic."""

    def __init__(self) -> None:
        # A plain dict is slow to find its first key again once many before it are gone.
        self.listed: OrderedDict[str, int] = OrderedDict()
        """When each reporter was counted, the oldest first."""
        self.used: OrderedDict[str, int] = OrderedDict()
        """Addresses of those who were signed in."""
        self.overflowed = False
        self._hours: dict[int, int] = {}

    def add(self, reporters: Reporters, now_ns: int) -> None:
        self.listed[reporters.name] = now_ns
        if reporters.address != reporters.name:
            self.used.setdefault(reporters.address, now_ns)
        for table in (self.listed, self.used):
            if len(table) > REPORTERS_MOST:
                table.popitem(last=False)
                self.overflowed = True
        hour = now_ns // _HOUR_NS
        self._hours[hour] = self._hours.get(hour, 0) + 1

    def by_hour(self, now_ns: int) -> tuple[int, ...]:
        present = now_ns // _HOUR_NS
        return tuple(self._hours.get(present - each, 0) for each in range(SUMMARY_HOURS))

    def forget(self, until_ns: int) -> None:
        """Forget who was counted up to then; a clock that went back forgets nobody too soon."""
        for table in (self.listed, self.used):
            while table:
                first = next(iter(table))
                if table[first] > until_ns:
                    break
                del table[first]
        if not self.listed:
            self.overflowed = False
        oldest = until_ns // _HOUR_NS - SUMMARY_HOURS
        while self._hours and next(iter(self._hours)) < oldest:
            del self._hours[next(iter(self._hours))]


def _place(ip: str) -> str:
    """Return what an address stands for: itself or, with IPv6, its network."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _ADDRESS_BITS), strict=False))
