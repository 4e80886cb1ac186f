"""Drives the relay.  The rule: one round at a time; it looks again when something was committed.

A round submits what `relay.proposals` names and waits for all of it.  What could not be submitted
is proposed again a little later, for as long as the node lives.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from seawall.model.commands import Command
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import TransferState
from seawall.model.funding_events import MessageDelivered, TransferRequested, TransferSettled
from seawall.model.mailbox import Mailbox, Transfer
from seawall.node.driver import Committed
from seawall.node.errors import NodeError, UnavailableError
from seawall.node.relay import Proposal, proposals

RETRY_S: Final = 0.5
_log = structlog.get_logger("seawall.node")

Submit = Callable[[str, Command], "asyncio.Future[Committed]"]
_NEWS: Final = (TransferRequested, MessageDelivered)


class RelayDriver:
    """Carries messages between the cells of one node."""

    def __init__(
        self,
        mailboxes: Callable[[], Mapping[str, Mailbox]],
        submit: Submit,
        leads: Callable[[str], bool] = lambda _cell: True,
    ) -> None:
        self._mailboxes = mailboxes
        self._submit = submit
        self._leads = leads
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[tuple[str, int], list[asyncio.Future[None]]] = {}

    def start(self) -> None:
        """Begin; what waits from an earlier life is carried first."""
        self._news.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def look(self) -> None:
        """Look again what there is to carry: who leads what has changed."""
        self._news.set()

    async def stop(self) -> None:
        """Carry no more; what waits stays in its outbox."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def on_entry(
        self, cell: str, _sequence: int, _at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        """Take note of an entry that moved a message, and tell who waits for a transfer's end."""
        for event in events:
            if isinstance(event, _NEWS):
                self._news.set()
            elif isinstance(event, TransferSettled):
                for future in self._waiting.pop((cell, event.transfer.transfer_id), ()):
                    if not future.done():
                        future.set_result(None)

    async def settled(self, cell: str, transfer: Transfer, timeout_s: float) -> bool:
        """Wait until a transfer has ended; return whether it has."""
        if transfer.state is not TransferState.PENDING:
            return True
        key = (cell, transfer.transfer_id)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            left = [each for each in self._waiting.pop(key, []) if each is not future]
            if left:
                self._waiting[key] = left
            return False
        return True

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while found := self._own(proposals(self._mailboxes())):
                    await self._carry(found)
            except NodeError as error:
                _log.warning("messages wait", error=str(error))
                self._news.set()
                await asyncio.sleep(RETRY_S)

    def _own(self, found: list[Proposal]) -> list[Proposal]:
        """Return what is this node's to propose: what goes to a cell that it leads."""
        return [proposal for proposal in found if self._leads(proposal.cell)]

    async def _carry(self, found: list[Proposal]) -> None:
        futures = [self._submit(proposal.cell, proposal.command) for proposal in found]
        # All of them, so that no failure is left unread; the first is then raised.
        for outcome in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
            if isinstance(outcome.answer, CommandRejected):
                raise UnavailableError(f"a message was refused: {outcome.answer.reason}")
