"""Orders to services, and what their cells did without.  The rule: each order has a number of its
own, which only rises; what is less counts from anybody, what is more only from a person.

The moves there are stand in ways.py.
"""

from typing import Final

from seawall.core.control.state import ControlState
from seawall.core.control.ways import POSTURES, WAYS, Way, is_less, towards_less
from seawall.lib.invariants import invariant
from seawall.model import limits as maxima
from seawall.model.control_commands import ObservePosture
from seawall.model.control_events import PostureOrdered
from seawall.model.control_rows import ClosedTime, Limits, ServiceRow
from seawall.model.events import CommandRejected, Event
from seawall.model.posture import Posture, Stage, service_kind
from seawall.model.rejections import Rejection

DAY_NS: Final = 86_400_000_000_000

NO_PERSON: Final = ("", "enactor", "gates", "watch", "cell", "reconciliation")
"""Who moves services without being a person."""


def order_posture(
    state: ControlState,
    service: ServiceRow,
    posture: Posture,
    *,
    reason: str,
    person: str = "",
    incident: int = 0,
    plan: int = 0,
    stage: Stage | None = None,
    limits: Limits | None = None,
    collar_bps: int = 0,
) -> PostureOrdered:
    """Give the service its next order; its cell moves when the enactor has told it."""
    kind = service_kind(service.service)
    way = WAYS[kind].get((service.posture, posture))
    invariant(
        posture is service.posture or way in {Way.LESS, Way.STAGE},
        "control orders only moves of the table",
    )
    service.order = state.book.next_order
    state.book.next_order += 1
    previous = service.posture
    service.limits = limits if limits is not None else Limits()
    service.stage = stage
    service.incident = incident
    service.plan = plan
    _stand(state, service, posture, reason=reason, person=person, collar_bps=collar_bps)
    return PostureOrdered(service, previous)


def observe_posture(state: ControlState, command: ObservePosture) -> list[Event]:
    """Adopt what a cell's service was moved to without control; or order it back.

    Towards less always counts, whoever did it.  Towards more counts only from a person.
    """
    service = state.book.services.get(command.service)
    if service is None:
        return [CommandRejected(Rejection.UNKNOWN_SERVICE, command.service)]
    kind = service_kind(service.service)
    if command.posture not in POSTURES[kind]:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "posture")]
    if command.order < service.order:
        return [CommandRejected(Rejection.STALE_ORDER, f"{command.order} < {service.order}")]
    if command.order >= state.book.next_order:
        return [CommandRejected(Rejection.STALE_ORDER, f"{command.order} was never given")]
    others = [row for row in state.book.services.values() if row is not service]
    if command.order and any(row.order == command.order for row in others):
        return [CommandRejected(Rejection.STALE_ORDER, f"{command.order} is another service's")]
    if command.posture is service.posture:
        return []
    # A service that was delisted and is back begins anew here, while its cell still knows.
    service.order = command.order
    previous = service.posture
    less = is_less(kind, command.posture, previous)
    _leave_plan(service)
    if less or command.by not in NO_PERSON:
        _stand(state, service, command.posture, reason=command.reason, person=command.by)
        return [PostureOrdered(service, previous)]
    back = towards_less(kind, command.posture, previous)
    invariant(back is not None, "from every posture a move leads to all that is less")
    service.order = state.book.next_order
    state.book.next_order += 1
    _stand(state, service, back or previous, reason="moved_without_a_person", person="")
    return [PostureOrdered(service, previous)]


def _leave_plan(service: ServiceRow) -> None:
    """Take the service out of its stage: its plan sees that, and steps back or ends."""
    service.stage = None
    service.limits = Limits()
    service.canary = ""


def _stand(
    state: ControlState,
    service: ServiceRow,
    posture: Posture,
    *,
    reason: str,
    person: str,
    collar_bps: int = 0,
) -> None:
    """Let the service stand so from now on, and keep the history of the time it was not open."""
    was_full = is_full(service)
    moved = posture is not service.posture
    service.posture = posture
    service.reason = reason
    service.person = person
    service.collar_bps = collar_bps
    if moved:
        service.since_ns = state.at_ns
    if posture is Posture.OPEN:
        service.closed_since_ns = 0
    elif not service.closed_since_ns:
        service.closed_since_ns = state.at_ns
    if not (was_full and is_full(service)):
        note_closed(state, service, was_full=was_full)


def is_full(service: ServiceRow) -> bool:
    """Whether the service is open without limits."""
    return service.posture is Posture.OPEN and not service.collar_bps


def note_closed(state: ControlState, service: ServiceRow, *, was_full: bool) -> None:
    """End the span that runs, and begin the next, unless the service is open in full."""
    spans = state.book.closed
    closed = service.posture not in {Posture.OPEN, Posture.LIMITED}
    if not was_full:
        for span in reversed(spans):
            if span.service == service.service and not span.until_ns:
                if span.closed == closed and not is_full(service):
                    span.incident = span.incident or service.incident
                    return
                span.until_ns = state.at_ns
                break
    if not is_full(service):
        spans.append(
            ClosedTime(
                service=service.service,
                from_ns=state.at_ns,
                closed=closed,
                incident=service.incident,
            )
        )
    forget_closed(state)


def forget_closed(state: ControlState) -> None:
    """Forget spans that ended before the history begins, and the oldest beyond the maximum."""
    spans = state.book.closed
    oldest_ns = state.at_ns - maxima.CLOSED_DAYS * DAY_NS
    ended = next((span for span in spans if span.until_ns), None)
    is_old = ended is not None and ended.until_ns < oldest_ns
    if len(spans) <= maxima.CLOSED_TIMES and not is_old:
        return
    kept = [span for span in spans if not span.until_ns or span.until_ns >= oldest_ns]
    if len(kept) > maxima.CLOSED_TIMES:
        # An eighth at once, so that not every order has to look through all of them.
        surplus = len(kept) - maxima.CLOSED_TIMES * 7 // 8
        bounded: list[ClosedTime] = []
        for span in kept:
            if surplus > 0 and span.until_ns:
                surplus -= 1
            else:
                bounded.append(span)
        kept = bounded
    state.book.closed = kept
