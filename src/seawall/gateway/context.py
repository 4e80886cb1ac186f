"""What every method works with.  The rule: REST and the WebSocket API share one `Method` each.

A handler is `async def handler(context, caller, params) -> object`; what it returns goes out as
JSON, as it is over REST and inside `result` over WebSocket.  A refusal is raised as `ApiError`.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from seawall.gateway import errors
from seawall.gateway.auth import KeyRing
from seawall.gateway.metrics import Metrics
from seawall.gateway.money_index import MoneyIndex
from seawall.gateway.params import Params
from seawall.gateway.sealing import Sealer
from seawall.gateway.settings import GatewaySettings
from seawall.gateway.throttle import Throttle
from seawall.gateway.treasury_port import DepositAddresses, Reconciling
from seawall.model.ids import FUNDING, SPOT
from seawall.model.limits import COMMAND_ID_CHARS, CURRENT_S
from seawall.node.node import Node

_CURRENT_NS = CURRENT_S * 1_000_000_000


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

    def is_current(self, cell: str = SPOT) -> bool:
        """Return whether what the cell knows is surely the present.

        A cell that has stopped may have been overtaken, and one whose journal has not answered
        for long as well; one whose journal is full still knows all that ever happened.
        """
        node = self.node
        if not node.ready:
            health = next(each for each in node.health().cells if each.cell == cell)
            if health.status != "leading":
                return health.status == "full"
        at_ns = node.funding.at_ns if cell == FUNDING else node.spot.at_ns
        return not node.settings.ticks or self.now_ns() - at_ns <= _CURRENT_NS

    def need_current(self, cell: str = SPOT) -> None:
        """Refuse to answer from what may be old."""
        if not self.is_current(cell):
            raise errors.unavailable()

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
    summary: str = ""
