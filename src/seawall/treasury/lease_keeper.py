"""The node's part in the signer's lease.  The rule: renewed only while the journal itself goes on.

A renewal is numbered by the journal entry that it rests on, so a node whose journal no longer takes
entries (it is cut off, or another leads) has nothing to renew with; and it lasts no longer than the
lease that funding holds from the control cell, by this node's clock.  Whoever is gone, control, the
quorum or this node, the signer stops paying users by itself.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from seawall.core.funding_state import FundingState
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signer.messages import Answer, LeaseLeft, RenewLease, Request

RENEW_S: Final = 1.0
VALID_MS: Final = 4_000
"""The most that one renewal asks for; where control grants no leases, all that bounds it."""
_MILLISECOND_NS: Final = 1_000_000

_log = structlog.get_logger()


class Asker(Protocol):
    """The signer, as it is asked."""

    async def ask(self, request: Request) -> Answer: ...


class LeaseKeeper:
    """Renews the signer's lease while this node leads the funding cell."""

    def __init__(
        self,
        signer: Asker,
        state: Callable[[], FundingState],
        now_ns: Callable[[], int],
        on_renewed: Callable[[], None],
    ) -> None:
        self._signer = signer
        self._state = state
        self._now_ns = now_ns
        self._on_renewed = on_renewed
        self._number = 0

    async def run(self) -> None:
        """Renew each second until canceled."""
        while True:
            await self.renew()
            await asyncio.sleep(RENEW_S)

    async def renew(self) -> None:
        """Renew once, if there is something to renew with."""
        due = self.due()
        if due is None:
            return
        try:
            answer = await self._signer.ask(due)
        except SignerSilentError as error:
            # The treasury itself tells of a silent signer; the next renewal is soon due.
            _log.debug("treasury.lease_not_renewed", detail=str(error))
            return
        self._number = due.number
        if isinstance(answer, LeaseLeft) and answer.needed and answer.left_ms:
            self._on_renewed()

    def due(self) -> RenewLease | None:
        """Return the renewal that may be asked for now, or None."""
        state = self._state()
        if state.sequence <= self._number:
            return None
        valid_ms = VALID_MS
        if state.book.lease_number:
            left_ns = state.book.lease_until_ns - self._now_ns()
            valid_ms = min(left_ns // _MILLISECOND_NS, VALID_MS)
        if valid_ms <= 0:
            return None
        return RenewLease(number=state.sequence, valid_ms=valid_ms)
