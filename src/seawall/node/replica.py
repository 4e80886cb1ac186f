"""One cell on one node of several: it follows, campaigns, leads, steps down.  The rule: the journal
alone says who leads.

The loop is thin: `Leadership` decides when to try, the journal decides whether it worked, and
`CellDriver` applies what is durable, its own and others'.  A replica whose state is in doubt stops
for good and says why; one that only lost the lead follows.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from seawall.journal.port import (
    Journal,
    JournalClosedError,
    JournalDamagedError,
    JournalError,
)
from seawall.model.commands import Lead, Tick
from seawall.model.ids import Epoch
from seawall.node.cell import Record
from seawall.node.driver import CellDriver, Committed
from seawall.node.errors import NodeError, NotLeadingError
from seawall.node.lane import in_lane
from seawall.node.leadership import Leadership

LOOK_S: Final = 0.15
"""How often the journal is asked where it ends."""
ANSWER_S: Final = 1.0
"""What a journal that has a majority takes at most to answer."""
ABSENT_S: Final = 3.0
"""A look takes at most ANSWER_S; one that took so long says that the process stood still."""
STALL_S: Final = 3.0
"""A tail that brings nothing for so long though there is something is opened anew."""
_ENDS: Final = 64
_FINAL: Final = (JournalDamagedError, JournalClosedError)

_log = structlog.get_logger("seawall.node")


class Replica:
    """One cell of this node, in whatever role the journal gives it."""

    def __init__(
        self,
        driver: CellDriver,
        journal: Journal,
        leadership: Leadership,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.driver = driver
        self.leadership = leadership
        self.failed = ""
        """Why this replica stopped for good; empty while it did not."""
        self.on_failed: Callable[[str], None] | None = None
        self.on_role: Callable[[Replica], None] | None = None
        """Called when the leader changed, or this node began or ceased to lead."""
        self.current_s: float | None = None
        """When it was last known that nothing durable was missing here; None: never."""
        self.quorum = False
        """Whether the journal answered when last asked."""
        self.end = 0
        """The last entry that the journal named as durable."""
        self._journal = journal
        self._now_s = now_s
        self._wake = asyncio.Event()
        self._applied = asyncio.Event()
        self._looking: asyncio.Task[int | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._stood_at = 0
        self._stood_since_s = 0.0
        self._ends: deque[tuple[int, float]] = deque(maxlen=_ENDS)
        """Ends that the journal named and this replica has not reached, and when it was asked."""
        driver.follows = True
        driver.on_entry = self._on_entry
        driver.on_stop = self._fail
        self.on_applied: Callable[[Record, Committed], None] | None = None

    @property
    def name(self) -> str:
        return self.driver.cell.name

    @property
    def leads(self) -> bool:
        """Whether this node leads, as far as it knows."""
        leadership = self.leadership
        # A term that is only tried for may be one more of this node's: it does not lead it yet.
        return self.driver.leading and leadership.leads and leadership.epoch == self.driver.epoch

    @property
    def sequence(self) -> int:
        return int(self.driver.cell.state.sequence)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, reason: str) -> None:
        """Answer what was taken, then neither lead nor follow."""
        task, self._task = self._task, None
        if task is not None:
            if self.driver.leading:
                await self.driver.resign(reason)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def hand_over(self, reason: str) -> int:
        """Settle what flies, lead no more; return the sequence from which another may lead."""
        if not self.leads:
            raise NotLeadingError(f"this node does not lead {self.name}")
        self.leadership.on_resigned(self._now_s())
        await self.driver.resign(reason)
        return self.sequence

    def take_over(self, epoch: int) -> None:
        """Try to take the lead after this epoch's leader, as soon as everything is applied."""
        self.leadership.on_hand_over(epoch)
        self._wake.set()

    def stale_s(self) -> float | None:
        """Return for how long it is not known whether something durable is missing here."""
        return None if self.current_s is None else max(self._now_s() - self.current_s, 0.0)

    async def confirm(self) -> bool:
        """Wait until all that was durable when this was called is applied; False if unknown.

        The journal is asked once for all who wait; whoever comes later waits for the next answer.
        """
        looking = self._looking
        if looking is not None:
            # It asked before this was called, so its answer may be too old.
            await asyncio.wait([looking])
        sequence = await self._look()
        return sequence is not None and await self.wait_applied(sequence, ANSWER_S)

    async def wait_applied(self, sequence: int, timeout_s: float) -> bool:
        """Wait until the entry is applied here; False if it was not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.sequence < sequence:
                    self._applied.clear()
                    await self._applied.wait()
        except TimeoutError:
            return False
        return True

    # The roles

    async def _run(self) -> None:
        try:
            while not self.failed:
                await self._follow_until_due()
                if await self._campaign():
                    await self._lead()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it was, the state may be in doubt)
            _log.exception("replica broke", cell=self.name)
            self._fail(f"{self.name}: {error!r}")

    async def _follow_until_due(self) -> None:
        self.driver.follow()
        tail = asyncio.get_running_loop().create_task(self._tail())
        try:
            while not tail.done():
                looked_s = self._now_s()
                end = await self._look()
                if self._now_s() - looked_s > ABSENT_S:
                    # Every wait here is shorter: this process was stopped meanwhile.
                    self.leadership.on_absence(self._now_s())
                if tail.done():
                    # An entry that cannot be applied ends this replica; it never leads again.
                    break
                if self.current_s is not None and self.leadership.campaigns(self._now_s()):
                    return
                if self._stalls(end):
                    _log.warning("tail stalls", cell=self.name, end=end, sequence=self.sequence)
                    await _ended(tail)
                    tail = asyncio.get_running_loop().create_task(self._tail())
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_S)
            self._fail(f"{self.name}: {tail.exception()}")
        finally:
            await _ended(tail)

    def _stalls(self, end: int | None) -> bool:
        """Whether entries that are known to be there have not come for long."""
        now_s = self._now_s()
        if end is None or end <= self.sequence or self.sequence != self._stood_at:
            self._stood_at, self._stood_since_s = self.sequence, now_s
        if now_s - self._stood_since_s < STALL_S:
            return False
        self._stood_since_s = now_s
        return True

    async def _tail(self) -> None:
        """Apply what others write; a journal that does not answer is asked again."""
        while True:
            try:
                async with contextlib.aclosing(self._journal.tail(self.sequence + 1)) as tail:
                    async for entries in tail:
                        self.driver.apply(entries)
                raise JournalClosedError("the journal was closed")
            except _FINAL:
                raise
            except JournalError as error:
                _log.warning("tail lost", cell=self.name, error=str(error))
                await asyncio.sleep(LOOK_S)

    async def _look(self) -> int | None:
        """Ask where the journal ends, or wait for the answer that somebody waits for."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._ask())
        return await asyncio.shield(self._looking)

    async def _ask(self) -> int | None:
        """Return the journal's last sequence, or None if it does not answer."""
        asked_s = self._now_s()
        try:
            async with asyncio.timeout(ANSWER_S):
                head = await self._journal.head()
        except _FINAL as error:
            self._fail(f"{self.name}: {error}")
            return None
        except (JournalError, TimeoutError) as error:
            if self.quorum:
                _log.warning("journal does not answer", cell=self.name, error=str(error))
            self.quorum = False
            self.leadership.on_no_answer(self._now_s())
            return None
        finally:
            self._looking = None
        self.quorum = True
        self.end = head.sequence
        self.leadership.on_answer(self._now_s())
        self._ends.append((head.sequence, asked_s))
        self._note_current()
        return head.sequence

    def _note_current(self) -> None:
        """Once an end that the journal named is applied, nothing was missing when it was asked."""
        while self._ends and self._ends[0][0] <= self.sequence:
            self.current_s = self._ends.popleft()[1]

    async def _campaign(self) -> bool:
        """Try to take the lead; whether it worked is what the journal says."""
        if self.failed:
            return False
        try:
            async with asyncio.timeout(ANSWER_S):
                head = await self._journal.head()
        except (JournalError, TimeoutError):
            self.leadership.on_no_answer(self._now_s())
            return False
        # What came meanwhile may have been another's Lead.
        due = self.leadership.campaigns(self._now_s())
        if not due or head.sequence != self.sequence:
            return False
        epoch = head.epoch + 1
        self.driver.start(head, epoch)
        try:
            await self.driver.submit(Lead(epoch=Epoch(epoch), node=self.leadership.node))
        except NodeError as error:
            _log.info("lead not taken", cell=self.name, epoch=epoch, why=str(error))
            self.driver.metrics.part.campaigns_lost += 1
            await self._settle_term()
            return False
        _log.info("lead taken", cell=self.name, epoch=epoch)
        self.driver.metrics.part.terms += 1
        return True

    async def _lead(self) -> None:
        """Lead until the journal, or the operator, says otherwise."""
        over = asyncio.ensure_future(self.driver.term_over())
        try:
            while not over.done():
                end = await self._look()
                quiet_s = self.driver.quiet_s()
                # An entry that this leader did not write: its next append finds and adopts it.
                missing = end is not None and end > self.sequence and quiet_s >= LOOK_S
                if missing or quiet_s >= self.leadership.terms.tick_s:
                    self.driver.submit_own(Tick())
                await asyncio.wait([over], timeout=LOOK_S)
        finally:
            over.cancel()
        await self._settle_term()

    async def _settle_term(self) -> None:
        await self.driver.term_over()
        if self.driver.broken:
            self._fail(self.driver.stopped)
        self.driver.follow()
        self._tell_role()

    def _on_entry(self, record: Record, committed: Committed) -> None:
        now_s = self._now_s()
        command = record.command
        if not in_lane(command):
            # A cancel may be anybody's, so it does not say that the leader lives.
            self.leadership.on_entry(now_s)
        if isinstance(command, Lead):
            self.leadership.on_lead(command.epoch, command.node, now_s)
            self._tell_role()
        if self.on_applied is not None:
            self.on_applied(record, committed)
        self._note_current()
        self._applied.set()

    def _tell_role(self) -> None:
        if self.on_role is not None:
            self.on_role(self)

    def _fail(self, reason: str) -> None:
        if not self.failed:
            self.failed = reason
            _log.error("replica stopped", cell=self.name, reason=reason)
            if self.on_failed is not None:
                self.on_failed(reason)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
