"""Carries out what the control cell ordered.  The rule: it keeps nothing, and proposes only.

Control's state says where each service is to stand, under a number that rises with each order; the
cell that runs the service says what number it applied last.  Where the two differ, the difference
is proposed.  The cell refuses a number below its last one, so that whatever comes late or twice
changes nothing; and whoever proposes may die at any moment, for the next one sees the same
difference.  Where the number is the same but the service stands otherwise, somebody moved it
there, and control is told.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.model.commands import Command, SetMarketStatus, SetTransfers
from seawall.model.control_commands import DefineServices, ObservePosture
from seawall.model.control_rows import ControlBook, ServiceRow
from seawall.model.funding import Service as FundingService
from seawall.model.funding import ServiceStatus
from seawall.model.funding_commands import GrantLease, OrderCanary, SetService
from seawall.model.ids import CONTROL, FUNDING, AssetCode, Symbol
from seawall.model.posture import SIGN_IN, Posture, ServiceKind, service_kind
from seawall.model.trading import MarketStatus
from seawall.views.standings import Standing, standings

ENACTOR: Final = "control"
"""Who answers in the target cell for what no person ordered."""
LEASE_STEP_NS: Final = 500_000_000
"""A lease is handed on once it is longer by so much: not with each of control's entries."""

_BETWEEN: Final[Mapping[tuple[str, str], MarketStatus]] = {
    ("halted", "open"): MarketStatus.AUCTION,
    ("halted", "post_only"): MarketStatus.CANCEL_ONLY,
    ("auction", "post_only"): MarketStatus.CANCEL_ONLY,
    ("cancel_only", "open"): MarketStatus.AUCTION,
}
"""Where a market cannot, or (cancel-only to open) may not by itself, go straight."""


class Proposal(Struct, frozen=True, kw_only=True):
    """A command that is due in a cell; `about` names what it would settle."""

    cell: str
    about: str
    command: Command


def proposals(control: ControlBook, spot: SpotState, funding: FundingState) -> list[Proposal]:
    """Return all that is due, in each cell; only its leader should submit it."""
    if control.sequence == 0:
        return []
    found = standings(spot, funding)
    return [
        *_defined(control, found),
        *_ordered(control, found),
        *_observed(control, found),
        *_lease(control, funding),
        *_canaries(control, funding),
    ]


def _defined(control: ControlBook, found: Mapping[str, list[Standing]]) -> Iterator[Proposal]:
    """Name to control what it does not know yet.

    Never less than it knows: a replica that is behind does not know everything, and nothing in
    this release takes a listing away.
    """
    new = [name for name in (*found, SIGN_IN) if name not in control.services]
    if new:
        postures = {name: found[name][0].posture for name in new if name in found}
        command = DefineServices(services=(*control.services, *new), postures=postures)
        yield Proposal(cell=CONTROL, about="services", command=command)


def _ordered(control: ControlBook, found: Mapping[str, list[Standing]]) -> Iterator[Proposal]:
    for row in control.services.values():
        for standing in found.get(row.service, ()):
            if row.order > standing.order:
                command = _order(row, standing)
                about = f"{standing.cell} {row.service} {row.order} from {standing.posture}"
                yield Proposal(cell=standing.cell, about=about, command=command)


def _order(row: ServiceRow, standing: Standing) -> Command:
    """Return the next step to where control wants the service."""
    kind = service_kind(row.service)
    _, *parts = row.service.split("/")
    match kind:
        case ServiceKind.MARKET:
            return _market_order(row, standing, Symbol(parts[0]))
        case ServiceKind.WITHDRAWAL | ServiceKind.DEPOSIT:
            return SetService(
                asset=AssetCode(parts[0]),
                network=parts[1],
                service=FundingService(kind.value),
                status=ServiceStatus(row.posture.value),
                reason=row.reason or ENACTOR,
                person=row.person or ENACTOR,
                order=row.order,
                per_withdrawal=row.limits.per_withdrawal,
                per_user=row.limits.per_user,
                total=row.limits.total,
            )
        case _:
            return SetTransfers(
                paused=row.posture is not Posture.OPEN,
                reason=row.reason or ENACTOR,
                person=row.person or ENACTOR,
                order=row.order,
            )


def _market_order(row: ServiceRow, standing: Standing, symbol: Symbol) -> SetMarketStatus:
    between = _BETWEEN.get((standing.posture, row.posture))
    if between is None:
        return SetMarketStatus(
            symbol=symbol,
            status=MarketStatus(row.posture.value),
            reason=row.reason or ENACTOR,
            automatic=True,
            order=row.order,
            collar_bps=row.collar_bps,
        )
    # A step on the way is not the order itself, and too late once that is applied.  A market that
    # needs one has missed an order, whose number is free, or was moved by a person: then 0.
    number = row.order - 1
    return SetMarketStatus(
        symbol=symbol,
        status=between,
        reason=row.reason or ENACTOR,
        automatic=True,
        order=number if number > standing.order else 0,
    )


def _observed(control: ControlBook, found: Mapping[str, list[Standing]]) -> Iterator[Proposal]:
    """Tell control what stands otherwise than it thinks, by no order of its own."""
    for row in control.services.values():
        for standing in found.get(row.service, ()):
            if row.order == standing.order and row.posture is not standing.posture:
                command = ObservePosture(
                    service=row.service,
                    posture=standing.posture,
                    reason=standing.reason,
                    by=standing.by,
                    order=standing.order,
                )
                about = f"{row.service} is {standing.posture} at {standing.order}"
                yield Proposal(cell=CONTROL, about=about, command=command)
                break


def _lease(control: ControlBook, funding: FundingState) -> Iterator[Proposal]:
    ours = control.lease
    longer_ns = ours.until_ns - funding.book.lease_until_ns
    if ours.number > funding.book.lease_number and (longer_ns >= LEASE_STEP_NS or longer_ns < 0):
        command = GrantLease(number=ours.number, until_ns=ours.until_ns)
        yield Proposal(cell=FUNDING, about=f"lease {ours.number}", command=command)


def _canaries(control: ControlBook, funding: FundingState) -> Iterator[Proposal]:
    for row in control.services.values():
        if row.canary and row.canary not in funding.book.canaries:
            _, asset, network = row.service.split("/")
            command = OrderCanary(asset=AssetCode(asset), network=network, key=row.canary)
            about = f"canary {row.canary}"
            yield Proposal(cell=FUNDING, about=about, command=command)
