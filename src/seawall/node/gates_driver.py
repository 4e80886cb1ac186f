"""Drives the gate checkers.  The rule: measured while a way back waits for it, told when news.

The node that leads control measures: at once when a plan begins, and each second while it runs.
The node that leads funding has its treasury compare chain and ledger meanwhile.  What is the same
as before is told again only so often that it stays fresh, and anew after each stage.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from seawall.model.commands import Command
from seawall.model.control_commands import GateReading, RecordStatement, ReportGates
from seawall.model.control_events import PlanChanged, StageEntered
from seawall.model.events import Event
from seawall.model.ids import CELLS, CONTROL, FUNDING, SPOT
from seawall.model.posture import ServiceKind
from seawall.model.runbook import GateName
from seawall.node import gates
from seawall.node.between import disagreements, sight_of_funding, sight_of_spot
from seawall.node.digests import DigestRound, Pace
from seawall.node.errors import NodeError
from seawall.node.statement import (
    STATEMENT_KEY,
    AssetLine,
    JournalLine,
    Signed,
    StatementBody,
    StatementKey,
    asset_lines,
    problems,
    reconciliation_lines,
)

if TYPE_CHECKING:
    from seawall.node.node import Node

EACH_S: Final = 1.0
IDLE_S: Final = 60.0
"""Between two looks while no plan runs."""
SHARE: Final = 50
"""Measuring takes at most one part in so many of the time."""
AGAIN_NS: Final = 10_000_000_000
"""A reading that says the same is told again after so long."""
STATEMENT_NS: Final = 30_000_000_000
"""Between two statements while withdrawals come back; else STATEMENT_IDLE_NS."""
STATEMENT_IDLE_NS: Final = 3_600_000_000_000
STATEMENT_FRESH_NS: Final = 60_000_000_000
COVER_NS: Final = 10_000_000_000
RECONCILE_S: Final = 15.0
COMPARE_S: Final = 30.0
"""What a chain does not answer in this time is asked anew."""
MEASURE_S: Final = 20.0
"""So long one look may wait for cells that have no leader; then the next one begins."""
LOOKS: Final = 5
"""Two cells of a cluster are seen at different moments: only what stays so is a disagreement."""
BETWEEN_LOOKS_S: Final = 0.2
_SELDOM: Final = (GateName.CHAIN_RECONCILED, GateName.CANARY_SETTLED, GateName.STATEMENT_SIGNED)
"""Measured seldom: each measurement is told."""

_log = structlog.get_logger("seawall.node")


class GatesDriver:
    """Measures for one node."""

    def __init__(self, node: "Node") -> None:
        self.reconcile: Callable[[], Awaitable[None]] | None = None
        """Has the treasury compare chain and ledger; None where none runs here."""
        self.budget: Callable[[], gates.Budget | None] = lambda: None
        """What the gateway answered lately."""
        self._node = node
        self._news = asyncio.Event()
        self._entered = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._key: StatementKey | None = None
        self._told: dict[tuple[str, str], tuple[GateReading, int]] = {}
        """By gate and scope: what was told last, and when."""
        self._round: DigestRound | None = None
        self._pace = Pace()
        self._stated_ns = 0
        self._covered_ns = 0
        self._busy_s = 0.0
        """How long the last look held the loop."""

    def start(self) -> None:
        self._key = StatementKey.open(self._node.settings.data / STATEMENT_KEY)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._keep_reconciled())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @property
    def public_key(self) -> str:
        """What statements of this node are signed with."""
        return "" if self._key is None else self._key.public

    def on_entry(
        self, cell: str, _sequence: int, _at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        """Measure at once when a plan begins or moves on."""
        if cell != CONTROL:
            return
        for event in events:
            if isinstance(event, StageEntered):
                # Gates want readings from within the stage.
                self._told.clear()
                self._stated_ns = 0
                self._news.set()
                self._entered.set()
            elif isinstance(event, PlanChanged):
                self._news.set()

    def on_digest(self, node: str, cell: str, sequence: int, digest: str) -> None:
        if self._round is not None:
            self._round.on_digest(node, cell, sequence, digest)

    # The loops

    async def _run(self) -> None:
        while True:
            self._news.clear()
            self._busy_s = 0.0
            try:
                if self._node.leads(CONTROL):
                    async with asyncio.timeout(MEASURE_S):
                        await self._measure()
            except (NodeError, TimeoutError) as error:
                _log.warning("readings not told", why=str(error) or "no answer in time")
            except Exception:  # noqa: BLE001  (a gate without a reading does not pass)
                _log.exception("gates were not measured")
            running = bool(gates.running_plans(self._node.control.book))
            await asyncio.sleep(max(EACH_S, SHARE * self._busy_s) if running else 0)
            if not running:
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):
                        await self._news.wait()

    async def _keep_reconciled(self) -> None:
        """Have chain and ledger compared while withdrawals are on their way back."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_S):
                    await self._entered.wait()
            self._entered.clear()
            if self.reconcile is None or not self._withdrawals_return():
                continue
            if self._node.leads(FUNDING):
                try:
                    async with asyncio.timeout(COMPARE_S):
                        await self.reconcile()
                except Exception as error:  # noqa: BLE001  (whatever a chain does, ask it again)
                    _log.warning("not reconciled", why=str(error) or "no answer in time")

    def _withdrawals_return(self) -> bool:
        control = self._node.control.book
        return bool(gates.planned_services(control, ServiceKind.WITHDRAWAL))

    # Measuring

    async def _measure(self) -> None:
        node = self._node
        control = node.control.book
        now_ns = node.clock.now_ns()
        if now_ns - self._covered_ns >= COVER_NS:
            self._covered_ns = now_ns
            for cover in gates.covers(node.funding, now_ns):
                await node.submit_control(cover)
        every_ns = STATEMENT_NS if self._withdrawals_return() else STATEMENT_IDLE_NS
        readings = await self._state() if now_ns - self._stated_ns >= every_ns else []
        if gates.running_plans(control):
            readings += await self._readings()
        news = [each for each in readings if self._is_news(each, now_ns)]
        if news:
            await node.submit_control(
                ReportGates(reporter=node.settings.name, readings=tuple(news))
            )

    async def _readings(self) -> list[GateReading]:
        node = self._node
        control, spot, funding = node.control.book, node.spot, node.funding
        wrong = await self._disagreements()
        now_ns = node.clock.now_ns()
        found = [
            *gates.chain_reconciled(control, funding),
            *gates.canary_settled(control, funding),
            *gates.auction_ready(control, spot, now_ns),
        ]
        lines = self._asset_lines()
        more = (gates.ledger_zero_sum(lines, wrong, now_ns), self._replicas(now_ns))
        found += [reading for reading in more if reading is not None]
        budget = self.budget()
        if budget is not None:
            terms = node.settings.gates
            found += gates.within_budget(
                budget, errors_ppm=terms.errors_ppm, p99_us=terms.p99_us, measured_ns=now_ns
            )
        return found

    def _is_news(self, reading: GateReading, now_ns: int) -> bool:
        key = (reading.gate, reading.scope)
        told, told_ns = self._told.get(key, (None, 0))
        if told is not None and told.passed == reading.passed:
            seldom = reading.gate in _SELDOM and reading.measured_ns != told.measured_ns
            if not seldom and now_ns - told_ns < AGAIN_NS:
                return False
        self._told[key] = (reading, now_ns)
        return True

    async def _disagreements(self) -> list[str]:
        """Return how funding and spot contradict each other, in look after look."""
        node = self._node
        found: list[str] | None = None
        for _ in range(LOOKS):
            funding, spot = sight_of_funding(node.funding), sight_of_spot(node.spot)
            seen = [*disagreements(funding, spot), *disagreements(spot, funding)]
            found = seen if found is None else [each for each in found if each in seen]
            if not found:
                break
            await asyncio.sleep(BETWEEN_LOOKS_S)
            await node.confirm(FUNDING)
            await node.confirm(SPOT)
        return list(dict.fromkeys(found or []))

    def _replicas(self, now_ns: int) -> GateReading | None:
        """Begin to ask for digests, or tell what was answered."""
        node = self._node
        if node.membership is None:
            own = [
                gates.Replica(
                    node=node.settings.name,
                    cell=line.cell,
                    sequence=line.sequence,
                    digest=line.state_digest,
                )
                for line in self._journals()
            ]
            return gates.replicas_equal(own, 1, len(CELLS), now_ns)
        now_s = asyncio.get_running_loop().time()
        answered = self._round
        if answered is not None and not answered.over(now_s):
            return None
        sequences = self._pace.next_sequences(
            {name: driver.head.sequence for name, driver in node.drivers.items()}, now_s
        )
        nodes = [node.settings.name, *node.membership.linked]
        self._round = DigestRound(sequences, nodes, now_s)
        node.membership.ask_digests(sequences)
        if answered is None:
            return None
        voters = node.membership.voters
        return gates.replicas_equal(answered.replicas, voters, len(CELLS), now_ns)

    # Statements

    async def _state(self) -> list[GateReading]:
        """Make, check and journal a statement."""
        node = self._node
        if self._key is None or not node.funding.book.listings:
            return []
        now_ns = node.clock.now_ns()
        membership = node.membership
        body = StatementBody(
            exchange=node.settings.name if membership is None else membership.topology.name,
            node=node.settings.name,
            at_ns=now_ns,
            assets=self._asset_lines(),
            reconciliations=reconciliation_lines(node.funding),
            journals=tuple(self._journals()),
        )
        signed: Signed = self._key.sign(body)
        wrong = problems(signed, now_ns, STATEMENT_FRESH_NS)
        self._stated_ns = now_ns
        if not wrong:
            await node.submit_control(
                RecordStatement(
                    statement=signed.text,
                    signature=signed.signature,
                    public_key=signed.public_key,
                    measured_ns=now_ns,
                )
            )
        return [gates.statement_signed(signed, wrong, now_ns)]

    def _asset_lines(self) -> tuple[AssetLine, ...]:
        """Add up all accounts, which nothing else can run beside."""
        began_s = time.perf_counter()
        lines = asset_lines(self._node.spot, self._node.funding)
        self._busy_s += time.perf_counter() - began_s
        return lines

    def _journals(self) -> list[JournalLine]:
        began_s = time.perf_counter()
        lines = [
            JournalLine(
                cell=name,
                sequence=driver.head.sequence,
                epoch=driver.head.epoch,
                chain_hash=driver.head.hash.hex(),
                state_digest=driver.cell.digest(),
            )
            for name, driver in self._node.drivers.items()
        ]
        self._busy_s += time.perf_counter() - began_s
        return lines
