"""`/seawall/v1/cluster`: who leads, how current this node is, and handing a lead over.

The rule: what anybody may read names no address and no user.
"""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.gateway.context import Context
from seawall.gateway.encode import encode_json
from seawall.gateway.errors import CONFLICT, UNAVAILABLE, ApiError
from seawall.gateway.operator import Operator
from seawall.model.ids import CELLS
from seawall.node.errors import NotLeadingError, UnavailableError
from seawall.node.membership import Membership

REFUSED = -1130
LATER = -1001

CLUSTER_CALLS = (
    (
        "POST /seawall/v1/operator/cells/{cell}/handover",
        '{"to"}',
        "gives the lead of a cell from this node to the most preferred that is there, or to `to`",
    ),
)
"""Request, body and effect of each call, for the reference."""


class Handover(Struct, forbid_unknown_fields=True):
    to: str = ""


class ClusterDesk:
    """What is told of the cluster, and what an operator may do with it."""

    def __init__(self, context: Context, operator: Operator) -> None:
        self._node = context.node
        self._operator = operator

    def routes(self) -> list[Route]:
        return [
            Route("/seawall/v1/cluster", self._tell, methods=["GET"]),
            Route(
                "/seawall/v1/operator/cells/{cell}/handover",
                self._operator.guarded(self._hand_over),
                methods=["POST"],
            ),
        ]

    async def _tell(self, _: Request) -> Response:
        membership = self._node.membership
        content = {
            "cluster": membership.topology.name if membership else "",
            "node": self._node.settings.name,
            "linked": membership.linked if membership else [],
            "ready": self._node.ready,
            "cells": [self._cell(membership, name) for name in CELLS],
        }
        return Response(encode_json(content), media_type="application/json")

    def _cell(self, membership: Membership | None, name: str) -> dict[str, object]:
        as_of = self._node.as_of(name)
        health = next(each for each in self._node.health().cells if each.cell == name)
        prefer = membership.topology.preference(name) if membership else ()
        return {
            "cell": name,
            "status": health.status,
            "reason": health.reason,
            "leader": as_of.leader,
            "prefer": prefer,
            "epoch": health.epoch,
            "sequence": as_of.sequence,
            "asOf": as_of.at_ns // 1_000_000,
            "staleSeconds": None if as_of.stale_s is None else round(as_of.stale_s, 3),
            "fresh": as_of.fresh,
            "quorum": as_of.quorum,
        }

    async def _hand_over(self, request: Request) -> object:
        cell = request.path_params["cell"]
        wanted = await self._operator.read(request, Handover)
        membership = self._node.membership
        if membership is None:
            raise ApiError(
                CONFLICT, REFUSED, "This exchange is one node; nobody can take its lead."
            )
        if cell not in CELLS:
            raise ApiError(CONFLICT, REFUSED, f"There is no cell {cell[:32]}.")
        if wanted.to == membership.name and membership.leads(cell):
            return {"cell": cell, "leader": wanted.to}
        try:
            leader = await membership.hand_over(cell, wanted.to)
        except NotLeadingError:
            leads = membership.as_of(cell).leader or "nobody"
            raise ApiError(CONFLICT, REFUSED, f"{leads} leads {cell}; ask that node.") from None
        except UnavailableError as error:
            raise ApiError(UNAVAILABLE, LATER, f"Not handed over: {error}.") from None
        return {"cell": cell, "leader": leader}
