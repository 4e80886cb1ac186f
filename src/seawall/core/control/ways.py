"""Postures, what is less, and how a service gets from one to another.  The rule: less at once, more
by stages: what is not in the table is never ordered.

docs/operating/postures.md is drawn from this table.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from seawall.model.posture import Posture, ServiceKind, Stage


class Way(StrEnum):
    """What a move between two postures takes."""

    LESS = "less"
    """Towards less: a rule, a person or a failing gate orders it at once."""
    STAGE = "stage"
    """Towards more: only as a step of a plan, once its gates have passed."""
    PERSON = "person"
    """Towards more, past a stage: control never orders it; a person may do it in the cell."""


_CLOSABLE: Final = (Posture.OPEN, Posture.PAUSED)

POSTURES: Final[Mapping[ServiceKind, tuple[Posture, ...]]] = MappingProxyType({
    ServiceKind.MARKET: (
        Posture.OPEN, Posture.AUCTION, Posture.POST_ONLY, Posture.CANCEL_ONLY, Posture.HALTED,
    ),
    ServiceKind.DEPOSIT: _CLOSABLE,
    ServiceKind.WITHDRAWAL: (Posture.OPEN, Posture.LIMITED, Posture.PAUSED),
    ServiceKind.TRANSFERS: _CLOSABLE,
    ServiceKind.SIGN_IN: _CLOSABLE,
})  # fmt: skip
"""The postures that a kind of service takes, from the most to the least."""

# fmt: off
_MARKET: Final = {
    (Posture.OPEN,        Posture.AUCTION):     Way.LESS,
    (Posture.OPEN,        Posture.POST_ONLY):   Way.LESS,
    (Posture.OPEN,        Posture.CANCEL_ONLY): Way.LESS,
    (Posture.OPEN,        Posture.HALTED):      Way.LESS,
    (Posture.AUCTION,     Posture.OPEN):        Way.STAGE,
    (Posture.AUCTION,     Posture.CANCEL_ONLY): Way.LESS,
    (Posture.AUCTION,     Posture.HALTED):      Way.LESS,
    (Posture.POST_ONLY,   Posture.OPEN):        Way.STAGE,
    (Posture.POST_ONLY,   Posture.AUCTION):     Way.STAGE,
    (Posture.POST_ONLY,   Posture.CANCEL_ONLY): Way.LESS,
    (Posture.POST_ONLY,   Posture.HALTED):      Way.LESS,
    (Posture.CANCEL_ONLY, Posture.OPEN):        Way.PERSON,
    (Posture.CANCEL_ONLY, Posture.AUCTION):     Way.STAGE,
    (Posture.CANCEL_ONLY, Posture.POST_ONLY):   Way.STAGE,
    (Posture.CANCEL_ONLY, Posture.HALTED):      Way.LESS,
    (Posture.HALTED,      Posture.OPEN):        Way.PERSON,
    (Posture.HALTED,      Posture.AUCTION):     Way.STAGE,
    (Posture.HALTED,      Posture.CANCEL_ONLY): Way.STAGE,
}
_WITHDRAWAL: Final = {
    (Posture.OPEN,        Posture.LIMITED):     Way.LESS,
    (Posture.OPEN,        Posture.PAUSED):      Way.LESS,
    (Posture.LIMITED,     Posture.OPEN):        Way.STAGE,
    (Posture.LIMITED,     Posture.PAUSED):      Way.LESS,
    (Posture.PAUSED,      Posture.OPEN):        Way.STAGE,
    (Posture.PAUSED,      Posture.LIMITED):     Way.STAGE,
}
_OTHER: Final = {
    (Posture.OPEN,        Posture.PAUSED):      Way.LESS,
    (Posture.PAUSED,      Posture.OPEN):        Way.STAGE,
}
# fmt: on

WAYS: Final[Mapping[ServiceKind, Mapping[tuple[Posture, Posture], Way]]] = MappingProxyType(
    {
        ServiceKind.MARKET: MappingProxyType(_MARKET),
        ServiceKind.DEPOSIT: MappingProxyType(_OTHER),
        ServiceKind.WITHDRAWAL: MappingProxyType(_WITHDRAWAL),
        ServiceKind.TRANSFERS: MappingProxyType(_OTHER),
        ServiceKind.SIGN_IN: MappingProxyType(_OTHER),
    }
)

STAGE_POSTURES: Final[Mapping[Stage, Posture]] = MappingProxyType(
    {
        Stage.CANCEL_ONLY: Posture.CANCEL_ONLY,
        Stage.POST_ONLY: Posture.POST_ONLY,
        Stage.AUCTION: Posture.AUCTION,
        Stage.OPEN_COLLARED: Posture.OPEN,
        Stage.PAUSED: Posture.PAUSED,
        Stage.VERIFY: Posture.PAUSED,
        Stage.CANARY: Posture.PAUSED,
        Stage.LIMITED: Posture.LIMITED,
        Stage.WIDER: Posture.LIMITED,
        Stage.OPEN: Posture.OPEN,
    }
)
"""The posture of a service in each stage.  The canary is the exchange's own money."""


def is_less(kind: ServiceKind, posture: Posture, than: Posture) -> bool:
    """Whether a posture allows less than another of the same kind."""
    order = POSTURES[kind]
    return order.index(posture) > order.index(than)


def towards_less(kind: ServiceKind, now: Posture, wanted: Posture) -> Posture | None:
    """Return the posture to order so that the service does no more than wanted.

    None if it already does no more.  Where no move leads there (an auction does not become
    post-only), the next lesser posture that one leads to.
    """
    order = POSTURES[kind]
    if not is_less(kind, wanted, now):
        return None
    for posture in order[order.index(wanted) :]:
        if WAYS[kind].get((now, posture)) is Way.LESS:
            return posture
    return None
