"""What every method works with.  The rule: REST and the WebSocket API share one `Method` each.

A handler is `async def handler(context, caller, params) -> object`; what it returns goes out as
JSON, as it is over REST and inside `result` over WebSocket.  A refusal is raised as `ApiError`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from seawall.gateway import errors
from seawall.gateway.auth import KeyRing
from seawall.gateway.freshness import Freshness
from seawall.gateway.metrics import Metrics
from seawall.gateway.money_index import MoneyIndex
from seawall.gateway.params import Params
from seawall.gateway.sealing import Sealer
from seawall.gateway.settings import GatewaySettings
from seawall.gateway.throttle import Throttle
from seawall.gateway.treasury_port import DepositAddresses, Reconciling
from seawall.model.ids import IDENTITY, SPOT
from seawall.model.limits import COMMAND_ID_CHARS, CURRENT_S
from seawall.model.posture import SIGN_IN, Posture
from seawall.node.node import Node

_CURRENT_NS = CURRENT_S * 1_000_000_000
_REACH_S = 2.0
"""How long a node that is behind a client's last entry is waited for."""


class Context:
    """Everything that outlives a request."""

    def __init__(
        self,
        *,
        node: Node,
        settings: GatewaySettings,
        throttle: Throttle,
        sealer: Sealer,
        addresses: DepositAddresses | None = None,
        reconciling: Reconciling | None = None,
    ) -> None:
        self.node = node
        self.settings = settings
        self.throttle = throttle
        self.sealer = sealer
        self.keys = KeyRing(node, sealer)
        self.metrics = Metrics()
        self.addresses = addresses
        """None while no treasury runs: then nothing comes in and nothing goes out."""
        self.reconciling = reconciling
        self.money = MoneyIndex(node)
        self.clustered = node.membership is not None

    def is_current(self, cell: str = SPOT) -> bool:
        """Return whether what the cell knows is surely the present.

        A cell that has stopped may have been overtaken, and one whose journal has not answered
        for long as well; one whose journal is full still knows all that ever happened.
        """
        node = self.node
        if node.membership is not None:
            return not node.membership.replicas[cell].failed and node.as_of(cell).fresh
        if not node.ready:
            health = next(each for each in node.health().cells if each.cell == cell)
            if health.status != "leading":
                return health.status == "full"
        at_ns = node.drivers[cell].cell.state.at_ns
        return not node.settings.ticks or self.now_ns() - at_ns <= _CURRENT_NS

    def need_current(self, cell: str = SPOT) -> None:
        """Refuse to answer from what may be old."""
        if self.is_current(cell):
            return
        if self.clustered:
            raise errors.not_current(self.freshness((cell,), current=False).words())
        raise errors.unavailable()

    async def need_present(self, cell: str = SPOT) -> None:
        """Refuse unless all that was durable at the call is known here."""
        if not self.clustered:
            self.need_current(cell)
        elif not await self.confirm((cell,)):
            raise errors.not_current(self.freshness((cell,), current=False).words())

    async def confirm(self, cells: tuple[str, ...]) -> bool:
        """Wait until all that was durable at the call is applied here; False if that is unknown.

        Where the journal has been silent for long it is not waited for: a node of the cluster asks
        it all the time, and will know when it answers again.
        """
        node = self.node
        self.need_sound(cells)
        for cell in cells:
            as_of = node.as_of(cell)
            if not (as_of.quorum or as_of.fresh) or not await node.confirm(cell):
                return False
        return True

    def need_sound(self, cells: tuple[str, ...]) -> None:
        """Refuse to tell of a cell whose state is in doubt: that is not even last known."""
        membership = self.node.membership
        if membership is not None and any(membership.replicas[cell].failed for cell in cells):
            raise errors.unavailable()

    def sequence(self, cells: tuple[str, ...]) -> int:
        """Return how far the first of the cells is here; the spot cell if there is none."""
        sequence: int = self.node.drivers[cells[0] if cells else SPOT].cell.state.sequence
        return sequence

    def freshness(self, cells: tuple[str, ...], *, current: bool | None = None) -> Freshness:
        """Return what an answer from these cells is true of; unless told, whether it is current."""
        node = self.node
        sequences = []
        at_ns, stale_s, known = -1, 0.0, True
        fresh = True
        for cell in cells:
            as_of = node.as_of(cell)
            sequences.append(as_of.sequence)
            at_ns = as_of.at_ns if at_ns < 0 else min(at_ns, as_of.at_ns)
            known = known and as_of.stale_s is not None
            stale_s = max(stale_s, as_of.stale_s or 0.0)
            fresh = fresh and self.is_current(cell)
        if not self.clustered and not fresh:
            # Alone it is the silence of the journal that counts, or that it stopped.
            stale_s, known = max(self.now_ns() - at_ns, 0) / 1e9, True
        return Freshness(
            cell=cells[0],
            sequence=sequences[0],
            at_ns=at_ns,
            current=fresh if current is None else current,
            stale_s=stale_s if known else None,
        )

    async def learn_listen_keys(self, names: Iterable[str]) -> None:
        """Catch up if one of the listen keys is not known here."""
        if self.clustered and any(name not in self.node.identity.listen_keys for name in names):
            await self.confirm((IDENTITY,))

    async def reach(self, sequence: int) -> None:
        """Wait a little until this node has applied the spot cell's entry."""
        membership = self.node.membership
        if membership is not None and self.node.spot.sequence < sequence:
            await membership.replicas[SPOT].wait_applied(sequence, _REACH_S)

    async def learn_key(self, api_key: str) -> None:
        """Catch up if a key is not known here: another node may have made it a moment ago."""
        if self.clustered and api_key not in self.node.identity.keys:
            await self.confirm((IDENTITY,))

    def need_sign_in(self) -> None:
        """Refuse to begin a session while signing in is paused; sessions that run go on."""
        row = self.node.control.book.services.get(SIGN_IN)
        if row is not None and row.posture is not Posture.OPEN:
            raise errors.sign_in_paused(row.reason)

    def now_ns(self) -> int:
        """Return the node's time, which tests and replays may steer."""
        return self.node.clock.now_ns()


class Caller(Struct, frozen=True):
    """Who asks; `user_id` 0 is nobody."""

    user_id: int = 0
    api_key: str = ""
    permissions: frozenset[str] = frozenset()
    ip: str = ""
    command_id: str = ""
    """Of X-Seawall-Command-Id or `commandId`: a repeat of the command is answered, not executed."""


_USER_PREFIX_CHARS = 20
"""Kept free in a journaled command id for the user it belongs to."""


def checked_command_id(text: str, name: str) -> str:
    """Return a caller's command id, or refuse it under the name it was sent by."""
    short = len(text) <= COMMAND_ID_CHARS - _USER_PREFIX_CHARS
    if not (short and text.isascii() and text.isprintable()):
        raise errors.invalid_value(name)
    return text


class Security(StrEnum):
    """What a method asks of its caller."""

    NONE = "NONE"
    USER_STREAM = "USER_STREAM"
    """A known API key, unsigned."""
    USER_DATA = "USER_DATA"
    """Signed, with the `read` permission."""
    TRADE = "TRADE"
    """Signed, with the `trade` permission."""
    WITHDRAW = "WITHDRAW"
    """Signed, with the `withdraw` permission."""


COMMANDS = frozenset({Security.TRADE, Security.USER_STREAM, Security.WITHDRAW})
"""What changes something, or may."""

PERMISSIONS: Mapping[Security, str] = {
    Security.USER_DATA: "read",
    Security.TRADE: "trade",
    Security.WITHDRAW: "withdraw",
}
"""What a key must permit where a request is signed."""

Handler: TypeAlias = Callable[[Context, Caller, Params], Awaitable[object]]


class Method(Struct, frozen=True, kw_only=True):
    """One thing the API can do, under one name for both transports."""

    name: str
    """As the WebSocket API names it, or in that manner."""
    rest: tuple[str, ...] = ()
    """Verb and path, as in `GET /api/v3/time`."""
    websocket: bool = False
    """Whether `/ws-api/v3` offers it."""
    handler: Handler
    security: Security = Security.NONE
    weight: int = 1
    weigh: Callable[[Params], int] | None = None
    """Replaces `weight` where that depends on the parameters."""
    order_count: int = 0
    """How many orders a call counts for in the ORDERS limits."""
    params: frozenset[str] = frozenset()
    """The parameters it reads; others are refused."""
    lenient: bool = False
    """Whether other parameters are let through unread."""
    always: bool = False
    """Whether it is answered even where what the exchange knows may be old: it says so itself, or
    does not depend on it.  Commands are always tried: the node answers for them."""
    cells: tuple[str, ...] = (SPOT,)
    """What it is answered from; empty where it does not depend on any cell."""
    quotes: bool = False
    """Whether it tells of the present in a form that cannot say otherwise: a node of a cluster
    that does not know the present refuses, unless the last known is asked for by name."""
    dated: bool = False
    """Whether its answer, an object, always says what it is true of."""
    summary: str = ""
