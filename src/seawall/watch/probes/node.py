"""A node of the exchange, by what it tells everybody.  The rule: it is believed of its own state.

`GET /seawall/v1/cluster` says who leads each cell and how old the node's knowledge is; what one
node says of a cell is one voice, and `watcher.py` hears them all.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct, field

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import Answer, Asker, NoAnswerError, judge_status, ms
from seawall.watch.probes.outcome import CellLook, Outcome, answered, shortened

PATH: Final = "/seawall/v1/cluster"
TIME: Final = "/api/v3/time"
SERVING: Final = ("leading", "following", "ok")
WRONG: Final = ("stopped", "disputed")
"""A replica that failed, or that most others contradict: the node's own trouble."""
MS_NS: Final = 1_000_000


class CellTold(Struct, frozen=True, kw_only=True):
    """One cell, as far as it is read here."""

    cell: str
    status: str
    leader: str = ""
    reason: str = ""
    fresh: bool = False
    quorum: bool = False
    stale_s: float | None = field(default=None, name="staleSeconds")


class ClusterTold(Struct, frozen=True, kw_only=True):
    """The whole answer, as far as it is read here."""

    node: str
    ready: bool
    cells: tuple[CellTold, ...]


class NodeProbe:
    """One node's gateway."""

    def __init__(self, asker: Asker, name: str) -> None:
        self._asker = asker
        self._name = name

    async def close(self) -> None:
        await self._asker.close()

    async def look(self) -> Outcome:
        try:
            found = await self._asker.ask("GET", PATH)
        except NoAnswerError as error:
            return error.outcome
        wrong = judge_status(found)
        return wrong or self._judge(found)

    def _judge(self, found: Answer) -> Outcome:
        try:
            told = msgspec.json.decode(found.body, type=ClusterTold)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return answered(Health.DOWN, "what answers is no node of Seawall")
        if told.node != self._name:
            return answered(Health.DOWN, f"what answers there is {told.node}, not {self._name}")
        health, detail = _health(told, found.latency_ns)
        return Outcome(
            health=health,
            detail=detail,
            latency_ns=found.latency_ns,
            cells=tuple(_look(self._name, cell) for cell in told.cells),
        )


def _health(told: ClusterTold, latency_ns: int) -> tuple[Health, str]:
    for cell in told.cells:
        if cell.status in WRONG:
            return Health.DEGRADED, shortened(f"{cell.cell} {cell.status}: {cell.reason}")
    # A moment without a leader is the cell's trouble; without the journal, the node's.
    cut = [cell.cell for cell in told.cells if not cell.quorum]
    if cut:
        return Health.DEGRADED, f"it has no majority of the journal for {', '.join(cut)}"
    return Health.OK, f"answers in {ms(latency_ns)}" + ("" if told.ready else "; not ready")


def _look(node: str, cell: CellTold) -> CellLook:
    good = bool(cell.leader) and cell.fresh and cell.quorum and cell.status in SERVING
    if good:
        detail = f"{cell.leader} leads, as {node} sees it"
    elif not cell.quorum:
        detail = f"{node} has no majority of its journal"
    elif not cell.leader:
        detail = f"nobody leads, as {node} sees it"
    else:
        age = "at all" if cell.stale_s is None else f"for {cell.stale_s:.1f} s"
        why = cell.reason or f"nothing was heard {age}"
        detail = f"{node} is {cell.status}: {why}"
    return CellLook(cell=cell.cell, good=good, detail=shortened(detail))


class ClockProbe:
    """How far a node's clock is from this machine's; the watcher compares all of them."""

    def __init__(self, asker: Asker, *, wall_ns: Callable[[], int]) -> None:
        self._asker = asker
        self._wall_ns = wall_ns

    async def close(self) -> None:
        await self._asker.close()

    async def look(self) -> Outcome:
        before_ns = self._wall_ns()
        try:
            found = await self._asker.ask("GET", TIME)
        except NoAnswerError as error:
            return error.outcome
        after_ns = self._wall_ns()
        if wrong := judge_status(found):
            return wrong
        try:
            told_ms = msgspec.json.decode(found.body, type=TimeTold).server_ms
        except (msgspec.DecodeError, UnicodeDecodeError):
            return answered(Health.DOWN, "it does not tell the time")
        # It read its clock between the two moments, and told whole milliseconds.
        low_ns, high_ns = told_ms * MS_NS - after_ns, (told_ms + 1) * MS_NS - before_ns
        if high_ns < low_ns:
            low_ns, high_ns = high_ns, low_ns
        middle_ms = (low_ns + high_ns) / 2 / MS_NS
        return Outcome(
            health=Health.OK,
            detail=f"its clock is {middle_ms:+.0f} ms from here, ± {(high_ns - low_ns) / 2e6:.0f}",
            latency_ns=found.latency_ns,
            offset_ns=(low_ns, high_ns),
        )


class TimeTold(Struct, frozen=True, kw_only=True):
    server_ms: int = field(name="serverTime")
