"""Drives the enactor.  The rule: what changed nothing is not tried again before the next second.

Every node looks after each entry of the cells concerned and once a second, and submits what is due
in cells that it leads.  One round at a time; entries that come meanwhile make one round more.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from seawall.model.commands import Command, ListMarket, SetMarketStatus, SetTransfers
from seawall.model.events import CommandRejected, Event
from seawall.model.funding_commands import OfferAsset, ReportReconciliation, SetService
from seawall.model.ids import CONTROL
from seawall.node.driver import Committed
from seawall.node.enactor import Proposal
from seawall.node.errors import NodeError

EACH_S: Final = 1.0
_MOVING: Final = (
    ListMarket, SetMarketStatus, SetTransfers, OfferAsset, SetService, ReportReconciliation
)  # fmt: skip
_log = structlog.get_logger("seawall.node")

Submit = Callable[[str, Command], "asyncio.Future[Committed]"]


class EnactorDriver:
    """Brings control's orders to the cells that this node leads."""

    def __init__(
        self,
        propose: Callable[[], list[Proposal]],
        submit: Submit,
        leads: Callable[[str], bool],
    ) -> None:
        self._propose = propose
        self._submit = submit
        self._leads = leads
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._again_s: dict[str, float] = {}
        """What was proposed lately, and when it may be tried again: progress has another name."""

    def start(self) -> None:
        self._news.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def look(self) -> None:
        self._news.set()

    def on_entry(
        self, cell: str, _sequence: int, _at_ns: int, command: Command, _events: list[Event]
    ) -> None:
        """Look again after what may order, or move, a service; the rest waits for the second."""
        if cell == CONTROL or isinstance(command, _MOVING):
            self._news.set()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(EACH_S):
                    await self._news.wait()
            self._news.clear()
            try:
                await self._round()
            except Exception:  # noqa: BLE001  (withdrawals stop by themselves if it cannot go on)
                _log.exception("orders were not carried out")
                await asyncio.sleep(EACH_S)

    async def _round(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._again_s = {about: at_s for about, at_s in self._again_s.items() if at_s > now_s}
        due = [
            proposal
            for proposal in self._propose()
            if proposal.about not in self._again_s and self._leads(proposal.cell)
        ]
        self._again_s |= {proposal.about: now_s + EACH_S for proposal in due}
        futures = [self._submit(proposal.cell, proposal.command) for proposal in due]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        for proposal, outcome in zip(due, outcomes, strict=True):
            self._settle(proposal, outcome)

    def _settle(self, proposal: Proposal, outcome: "Committed | BaseException") -> None:
        if isinstance(outcome, BaseException):
            if not isinstance(outcome, NodeError):
                raise outcome
            why = str(outcome)
        elif isinstance(outcome.answer, CommandRejected):
            why = f"{outcome.answer.reason.value} {outcome.answer.detail}".strip()
        else:
            return
        _log.warning("not carried out", cell=proposal.cell, what=proposal.about, why=why)
