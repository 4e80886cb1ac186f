"""Tells everybody of each update.  The rule: each once, in order, and nobody waits for another.

A notice counts as sent when the other side took it.  A crash between the two sends it again, with
the same key, so that the other side can know.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from seawall.model.status_document import StatusDocument
from seawall.status.moments import SECOND_NS
from seawall.status.notices import Notice, notices
from seawall.status.ports import Context, NotSentError, Port
from seawall.status.sent import Sent

_log = structlog.get_logger("seawall.status")

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 300.0
REFUSALS_MOST: Final = 4
"""After so many refusals of one message the next has its turn."""
LATE_NS: Final = 24 * 3_600 * SECOND_NS
"""What is older is told no more: the site has it."""
BEFORE_NS: Final = 15 * 60 * SECOND_NS
"""Of what happened so shortly before a recipient was named, he is told too."""


class Notifier:
    """All ports."""

    def __init__(
        self, ports: Sequence[Port], sent: Sent, *, url: str, now_ns: Callable[[], int]
    ) -> None:
        self.lanes = [
            Lane(port, recipient, sent, url=url, now_ns=now_ns)
            for port in ports
            for recipient in port.recipients
        ]

    def offer(self, document: StatusDocument) -> None:
        """Have everybody told of what is new in it."""
        for lane in self.lanes:
            lane.offer(document)


class Lane:
    """One recipient of one port."""

    def __init__(
        self, port: Port, recipient: str, sent: Sent, *, url: str, now_ns: Callable[[], int]
    ) -> None:
        self.name = f"{port.name}/{recipient}" if recipient else port.name
        self.fault = ""
        self._port = port
        self._recipient = recipient
        self._sent = sent
        self._url = url
        self._now_ns = now_ns
        self._since_ns = sent.known_since(self.name, now_ns())
        self._done = set(sent.done(self.name))
        self._document: StatusDocument | None = None
        self._wake = asyncio.Event()
        self._refusals = 0
        self._failures = 0

    def offer(self, document: StatusDocument) -> None:
        self._document = document
        self._wake.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (notice := self.next_notice()) is not None:
                wait_s = await self.send(notice)
                if wait_s:
                    await asyncio.sleep(wait_s)

    def next_notice(self) -> Notice | None:
        """Return the oldest notice that is still to be sent; what comes too late is noted so."""
        if self._document is None:
            return None
        now_ns = self._now_ns()
        for notice in notices(self._document):
            if notice.key in self._done:
                continue
            if notice.at_ns < self._since_ns - BEFORE_NS:
                self._note(notice, "before")
            elif notice.at_ns < now_ns - LATE_NS:
                self._note(notice, "late")
            else:
                return notice
        return None

    async def send(self, notice: Notice) -> float:
        """Try once; return how long to wait before the next try, of this or another."""
        document = self._document
        if document is None:
            return 0.0
        context = Context(exchange=document.exchange, url=self._url, sequence=document.sequence)
        try:
            await self._port.send(notice, self._recipient, context)
        except NotSentError as error:
            return self._failed(notice, error)
        self._note(notice, "sent")
        if self.fault:
            _log.info("notices go out again", to=self.name)
        self.fault, self._refusals, self._failures = "", 0, 0
        return 0.0

    def _failed(self, notice: Notice, error: NotSentError) -> float:
        if self.fault != str(error):
            _log.error("notice not sent", to=self.name, key=notice.key, error=str(error))
        self.fault = str(error)
        self._failures += 1
        self._refusals = self._refusals + 1 if error.refused else 0
        if self._refusals >= REFUSALS_MOST:
            _log.error("notice refused for good", to=self.name, key=notice.key, error=str(error))
            self._note(notice, f"refused: {error}")
            self._refusals = self._failures = 0
            return FIRST_WAIT_S
        usual_s = min(FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 16), LONGEST_WAIT_S)
        return max(usual_s, error.wait_s)

    def _note(self, notice: Notice, outcome: str) -> None:
        self._sent.note(self.name, notice.key, self._now_ns(), outcome)
        self._done.add(notice.key)
