"""The signer's own lease.  The rule: unrenewed, no user is paid, whatever the node may say.

It runs on the signer's monotonic clock, which nobody sets and which goes on while the machine
sleeps.  A renewal says for how long, never until when, and its number must rise: one that comes
again, or late, does nothing.  Numbers are not kept over a restart, and need not be: a signer begins
without a lease, and a renewal still under way then died with its connection.
"""

import time
from collections.abc import Callable
from typing import Final

from seawall.treasury.signer.messages import LeaseLeft, RenewLease

SECOND_NS: Final = 1_000_000_000
_MILLISECOND_NS: Final = 1_000_000


def boot_clock_ns() -> int:
    """Return the time since the machine started, its sleep included where the system can tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


class SignerLease:
    """Says whether users may be paid now; `lease_s` 0 asks for no renewals."""

    def __init__(self, lease_s: int, now_ns: Callable[[], int] = boot_clock_ns) -> None:
        self._lease_ns = lease_s * SECOND_NS
        self._now_ns = now_ns
        self._number = 0
        self._until_ns = 0

    def renew(self, request: RenewLease) -> LeaseLeft:
        """Take a newer renewal, for no longer than the settings allow; tell what is left."""
        if request.number > self._number:
            self._number = request.number
            valid_ns = max(request.valid_ms, 0) * _MILLISECOND_NS
            self._until_ns = self._now_ns() + min(valid_ns, self._lease_ns)
        return LeaseLeft(
            needed=self._lease_ns > 0,
            number=self._number,
            left_ms=max(self._until_ns - self._now_ns(), 0) // _MILLISECOND_NS,
        )

    def lives(self) -> bool:
        return self._lease_ns == 0 or self._now_ns() < self._until_ns
