"""Parts of long lists.  The rule: newest first, as Binance's wallet answers."""

from collections.abc import Callable
from typing import TypeVar

from seawall.gateway.params import Params
from seawall.model.limits import QUERY_ROWS

T = TypeVar("T")


def page(rows: list[T], params: Params, at_ns: Callable[[T], int]) -> list[T]:
    """Return what `startTime`, `endTime`, `offset` and `limit` ask for of rows, oldest first."""
    from_ns = params.moment_ns("startTime") or 0
    until_ns = params.moment_ns("endTime")
    offset = params.integer("offset") or 0
    limit = params.limit(QUERY_ROWS, QUERY_ROWS)
    within = [
        row
        for row in reversed(rows)
        if from_ns <= at_ns(row)
        and (until_ns is None or at_ns(row) // 1_000_000 <= until_ns // 1_000_000)
    ]
    return within[offset : offset + limit]
