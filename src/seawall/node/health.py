"""How a node says that it is.  The rule: a word for the machine, a reason for people."""

from msgspec import Struct


class CellHealth(Struct, frozen=True, kw_only=True):
    """How one cell is."""

    cell: str
    status: str
    """leading, following, no_leader, no_quorum, disputed, full or stopped"""
    reason: str
    sequence: int
    at_ns: int
    epoch: int
    waiting: int


class Health(Struct, frozen=True, kw_only=True):
    """How the node is; `ok` when every cell takes commands."""

    ok: bool
    cells: list[CellHealth]
