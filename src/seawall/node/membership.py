"""A node's part in a cluster: a replica and a forwarder for each cell, and the links.  The rule: it
joins them and decides nothing.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import structlog
from msgspec import Struct

from seawall.journal.port import Journal
from seawall.model.commands import Command
from seawall.model.topology import Topology
from seawall.node.agreed_clock import AgreedClock
from seawall.node.cell import Record
from seawall.node.clock import Clock
from seawall.node.cluster_metrics import ReplicaNumbers
from seawall.node.driver import CellDriver, Committed
from seawall.node.errors import NodeError, NotLeadingError, UnavailableError
from seawall.node.forwarding import LOOK_S, CellForwarder
from seawall.node.leadership import Leadership, Terms
from seawall.node.peer_messages import (
    AskDigest,
    AskLead,
    Digest,
    Forward,
    Leading,
    Message,
    Refused,
    TakeOver,
)
from seawall.node.replica import Replica

FRESH_S: Final = 2.0
"""A replica of which it was not known for so long that nothing is missing is stale."""
FOLLOWED_S: Final = 3.0
"""How long a hand-over may take until another leads."""
TELL_S: Final = 1.0
"""How often a leader tells the others that it leads."""
OFF_S: Final = 1.0
"""A clock that is off by more is logged."""

_log = structlog.get_logger("seawall.node")


class AsOf(Struct, frozen=True, kw_only=True):
    """How old what a node shows may be."""

    sequence: int
    at_ns: int
    """Journal time of the newest entry that is applied."""
    stale_s: float | None
    """Since when it is not known whether something is missing; None: it was never known."""
    leader: str
    """Empty while nobody is known to lead."""
    quorum: bool
    """Whether the journal answers."""

    @property
    def fresh(self) -> bool:
        return self.stale_s is not None and self.stale_s <= FRESH_S


class Peers(Protocol):
    """The links to the other nodes, as `Links` has them."""

    on_message: Callable[[str, Message], None]
    on_link: Callable[[str], None]
    on_time: Callable[[str, int], None]
    clock: Clock

    @property
    def linked(self) -> list[str]: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def send(self, node: str, message: Message) -> bool: ...


class Membership:
    """One node among the others of its topology."""

    def __init__(
        self, topology: Topology, name: str, links: Peers, terms: Terms | None = None
    ) -> None:
        self.topology = topology
        self.name = name
        self.replicas: dict[str, Replica] = {}
        self.on_role: Callable[[str], None] = lambda _cell: None
        """Called with the cell when its leader changed."""
        self.on_digest: Callable[[str, str, int, str], None] = lambda *_: None
        """Called with node, cell, sequence and the digest that was asked for."""
        self._forwarders: dict[str, CellForwarder] = {}
        self._links = links
        self._terms = terms
        self._life = secrets.token_hex(4)
        self._timer: asyncio.TimerHandle | None = None
        self._asking: set[asyncio.Task[Any]] = set()
        self._voting: dict[str, asyncio.Future[Committed]] = {}
        self._tell_at_s = 0.0
        self._clock: AgreedClock | None = None
        self._off = False

    def agree_on_time(self, machine: Clock) -> Clock:
        """Return the clock that dates entries: this machine's, held against the others'."""
        clock = self._clock = AgreedClock(machine, asyncio.get_running_loop().time)
        self._links.clock = _Own(clock)
        self._links.on_time = clock.heard
        return clock

    @property
    def clock_off_s(self) -> float:
        """How far this machine's clock is from what most nodes say."""
        return self._clock.off_s() if self._clock is not None else 0.0

    @property
    def voters(self) -> int:
        """How many nodes have a replica of every cell."""
        return len(self.topology.node)

    def add(self, driver: CellDriver, journal: Journal, on_failed: Callable[[str], None]) -> None:
        """Take a cell that was replayed; it follows once `start` is called."""
        loop_s = asyncio.get_running_loop().time
        cell = driver.cell.name
        leadership = Leadership(
            self.name,
            self.topology.preference(cell),
            loop_s(),
            self._terms,
            epoch=driver.cell.state.epoch,
        )
        replica = Replica(driver, journal, leadership, loop_s)
        forwarder = CellForwarder(self.name, self._life, replica, journal, self._links, loop_s)
        replica.on_applied = partial(self._applied, replica, forwarder)
        replica.on_failed = on_failed
        replica.on_role = self._role_changed
        self.replicas[cell] = replica
        self._forwarders[cell] = forwarder
        driver.metrics.replica = partial(self._numbers, cell)

    async def start(self) -> None:
        """Listen to the others, and follow or lead; raises OSError if it cannot listen."""
        self._links.on_message = self._on_message
        self._links.on_link = self._on_link
        await self._links.start()
        for replica in self.replicas.values():
            replica.start()
        self._look()

    async def close(self, reason: str) -> None:
        """Hand over what this node leads, answer what was taken, and go."""
        for cell, replica in self.replicas.items():
            if replica.leads:
                try:
                    await self.hand_over(cell)
                except (NotLeadingError, UnavailableError) as error:
                    _log.warning("closed while leading", cell=cell, why=str(error))
        if self._timer is not None:
            self._timer.cancel()
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        for cell, replica in self.replicas.items():
            await self._forwarders[cell].close(reason)
            await replica.close(reason)
        await self._links.close()

    def submit(
        self, cell: str, command: Command, command_id: str = ""
    ) -> "asyncio.Future[Committed]":
        """Bring a command to the cell's leader; the future brings what came of it."""
        return self._forwarders[cell].submit(command, command_id)

    def leads(self, cell: str) -> bool:
        return self.replicas[cell].leads

    def as_of(self, cell: str) -> AsOf:
        """Return how old the cell's state here may be."""
        replica = self.replicas[cell]
        state = replica.driver.cell.state
        return AsOf(
            sequence=state.sequence,
            at_ns=state.at_ns,
            stale_s=replica.stale_s(),
            leader=replica.leadership.leader,
            quorum=replica.quorum,
        )

    def serves(self, cell: str) -> bool:
        """Whether the cell has a leader as far as is known here, and nothing is missing."""
        return self.status(cell)[0] in ("leading", "following")

    def status(self, cell: str) -> tuple[str, str]:
        """Return the replica's status, and why if it is none that serves."""
        replica, as_of = self.replicas[cell], self.as_of(cell)
        if replica.failed:
            return "stopped", replica.failed
        disputed = replica.driver.checkpoints.disputed
        if disputed:
            return "disputed", disputed
        if not as_of.quorum or not as_of.fresh:
            age = "never" if as_of.stale_s is None else f"{as_of.stale_s:.1f} s ago"
            return "no_quorum", f"the journal does not answer; last known current {age}"
        if replica.leads:
            return "leading", ""
        if as_of.leader in ("", self.name):
            return "no_leader", "nobody leads yet"
        return "following", ""

    @property
    def linked(self) -> list[str]:
        return self._links.linked

    def links(self) -> dict[str, bool]:
        """Return each other node, and whether it can be sent to."""
        linked = self._links.linked
        others = (place.name for place in self.topology.node if place.name != self.name)
        return {name: name in linked for name in others}

    def _numbers(self, cell: str) -> ReplicaNumbers:
        replica = self.replicas[cell]
        return ReplicaNumbers(
            status=self.status(cell)[0],
            leads=replica.leads,
            epoch=replica.leadership.epoch,
            silence_s=replica.leadership.silent_s(asyncio.get_running_loop().time()),
            stale_s=replica.stale_s(),
            quorum=replica.quorum,
            lag_entries=max(replica.end - replica.sequence, 0),
            pending=self._forwarders[cell].pending,
        )

    async def confirm(self, cell: str) -> bool:
        """Wait until all that was durable at the call is applied here; False if unknown."""
        return await self.replicas[cell].confirm()

    async def hand_over(self, cell: str, to: str = "") -> str:
        """Give the cell's lead to another node, the most preferred that is linked unless named.

        Returns who leads then.  Raises NotLeadingError if this node does not lead it, and
        UnavailableError if there is nobody to take it; this node then goes on.
        """
        replica = self.replicas[cell]
        preferred = [name for name in self.topology.preference(cell) if name != self.name]
        able = [name for name in preferred if name in self._links.linked]
        target = to or (able[0] if able else "")
        if target not in able:
            raise UnavailableError(f"{target or 'nobody'} can take the lead of {cell} now")
        epoch = replica.leadership.epoch
        sequence = await replica.hand_over(f"handed over to {target}")
        self._links.send(target, TakeOver(cell=cell, epoch=epoch, sequence=sequence))
        until_s = asyncio.get_running_loop().time() + FOLLOWED_S
        while replica.leadership.epoch == epoch:
            if asyncio.get_running_loop().time() > until_s:
                raise UnavailableError(f"{target} has not taken the lead of {cell} yet")
            await asyncio.sleep(LOOK_S)
        replica.driver.metrics.part.handovers += 1
        return replica.leadership.leader

    def ask_digests(self, sequences: Mapping[str, int]) -> None:
        """Ask every node, this one too, for its digests after entries that are to come."""
        for cell, sequence in sequences.items():
            self._take_digest(self.name, cell, sequence)
            for node in self._links.linked:
                self._links.send(node, AskDigest(cell=cell, sequence=sequence))

    def _take_digest(self, asker: str, cell: str, sequence: int) -> None:
        def tell(at: int, digest: str) -> None:
            if asker == self.name:
                self.on_digest(self.name, cell, at, digest)
            else:
                self._links.send(asker, Digest(cell=cell, sequence=at, digest=digest))

        self.replicas[cell].driver.checkpoints.ask(sequence, tell)

    # What comes from others

    def _on_message(self, node: str, message: Message) -> None:
        match message:
            case Forward(cell=cell) if cell in self._forwarders:
                self._forwarders[cell].on_forward(node, message)
            case Refused(cell=cell) if cell in self._forwarders:
                self._forwarders[cell].on_refused(message)
            case TakeOver(cell=cell, epoch=epoch) if cell in self.replicas:
                self.replicas[cell].take_over(epoch)
            case Leading(cell=cell, epoch=epoch) if cell in self.replicas:
                self.replicas[cell].leadership.on_told(epoch, node)
            case AskLead(cell=cell) if cell in self.replicas:
                self._asked(cell, node)
            case AskDigest(cell=cell, sequence=sequence) if cell in self.replicas:
                self._take_digest(node, cell, sequence)
            case Digest(cell=cell, sequence=sequence, digest=digest):
                self.on_digest(node, cell, sequence, digest)
            case _:
                _log.warning("unknown message", peer=node, message=type(message).__name__)

    def _asked(self, cell: str, node: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.replicas[cell].leads and self.replicas[cell].leadership.gives(node, now_s):
            task = asyncio.get_running_loop().create_task(self._give(cell, node))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _give(self, cell: str, node: str) -> None:
        try:
            await self.hand_over(cell, node)
        except (NotLeadingError, UnavailableError) as error:
            _log.warning("lead not given back", cell=cell, to=node, why=str(error))

    def _applied(
        self, replica: Replica, forwarder: CellForwarder, record: Record, committed: Committed
    ) -> None:
        if self._clock is not None and not replica.leads:
            self._clock.read(record.at_ns)
        forwarder.on_applied(record, committed)

    def _on_link(self, node: str) -> None:
        for forwarder in self._forwarders.values():
            forwarder.on_link(node)

    def _role_changed(self, replica: Replica) -> None:
        self.on_role(replica.name)

    def _look(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for cell, forwarder in self._forwarders.items():
            forwarder.look()
            leadership = self.replicas[cell].leadership
            if leadership.wants_back(now_s) and self.as_of(cell).fresh:
                leadership.on_asked_back(now_s)
                self._links.send(leadership.leader, AskLead(cell=cell))
            self._vote(cell)
        if now_s >= self._tell_at_s:
            self._tell_at_s = now_s + TELL_S
            self._tell()
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _tell(self) -> None:
        for cell, replica in self.replicas.items():
            if replica.leads:
                for node in self._links.linked:
                    self._links.send(node, Leading(cell=cell, epoch=replica.leadership.epoch))
        off = abs(self.clock_off_s) > OFF_S
        if off and not self._off:
            _log.error("this machine's clock is wrong", off_s=round(self.clock_off_s, 1))
        self._off = off

    def _vote(self, cell: str) -> None:
        """Say in the journal what this replica's digest is, if others differ."""
        due = self.replicas[cell].driver.checkpoints.due()
        if due is not None and cell not in self._voting:
            future = self._voting[cell] = self.submit(cell, due)
            future.add_done_callback(partial(self._voted, cell))

    def _voted(self, cell: str, future: "asyncio.Future[Committed]") -> None:
        del self._voting[cell]
        if not future.cancelled() and isinstance(future.exception(), NodeError):
            _log.warning("vote not written", cell=cell, why=str(future.exception()))


class _Own:
    """What this node tells the others of the time."""

    def __init__(self, clock: AgreedClock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        return self._clock.own_ns()
