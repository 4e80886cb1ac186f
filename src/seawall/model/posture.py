"""Postures, stages and words of incidents.  The rule: closed sets; their tables are the core's.

A service is named by a path: `market/BTCUSDT`, `withdrawal/ETH/ETHEREUM` (asset, network),
`deposit/ETH/ETHEREUM`, `transfers`, `sign_in`.
"""

from enum import StrEnum
from typing import Final, NewType

Service = NewType("Service", str)

TRANSFERS: Final = Service("transfers")
SIGN_IN: Final = Service("sign_in")


class ServiceKind(StrEnum):
    MARKET = "market"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFERS = "transfers"
    SIGN_IN = "sign_in"


class Posture(StrEnum):
    """What a service does.  Markets take all but `limited` and `paused`; the others `open`,
    `limited` (withdrawals only) and `paused`.
    """

    OPEN = "open"
    POST_ONLY = "post_only"
    AUCTION = "auction"
    CANCEL_ONLY = "cancel_only"
    HALTED = "halted"
    LIMITED = "limited"
    PAUSED = "paused"


class Stage(StrEnum):
    """Steps of the two ladders, in their order."""

    # of markets
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    AUCTION = "auction"
    OPEN_COLLARED = "open_collared"
    """Open, with orders kept near the auction's price."""
    # of withdrawals
    PAUSED = "paused"
    VERIFY = "verify"
    CANARY = "canary"
    LIMITED = "limited"
    WIDER = "wider"
    # of both, and of all else
    OPEN = "open"


class Severity(StrEnum):
    """From the lightest."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class IncidentPhase(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class PlanStatus(StrEnum):
    WAITING = "waiting"
    """For what made it necessary to end."""
    CHECKING = "checking"
    """For the gates of the next stage."""
    APPROVAL = "approval"
    """All gates have passed; people are asked."""
    DONE = "done"
    ABANDONED = "abandoned"
    """Its services are gone, or a newer incident made another plan."""


def service_kind(service: str) -> ServiceKind:
    """Return the kind of a service, or raise ValueError."""
    head, _, rest = service.partition("/")
    parts = rest.split("/") if rest else []
    kind = ServiceKind(head)
    wanted = {ServiceKind.MARKET: 1, ServiceKind.DEPOSIT: 2, ServiceKind.WITHDRAWAL: 2}
    if len(parts) != wanted.get(kind, 0) or not all(parts):
        message = f"{service!r} is no service: market/SYMBOL, withdrawal/ASSET/NETWORK, ..."
        raise ValueError(message)
    return kind


def market_service(symbol: str) -> Service:
    return Service(f"{ServiceKind.MARKET}/{symbol}")


def withdrawal_service(asset: str, network: str) -> Service:
    return Service(f"{ServiceKind.WITHDRAWAL}/{asset}/{network}")


def deposit_service(asset: str, network: str) -> Service:
    return Service(f"{ServiceKind.DEPOSIT}/{asset}/{network}")
