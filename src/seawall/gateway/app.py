"""The gateway as one ASGI application.  The rule: hot paths never pass through a framework.

The route table's paths go straight to `Rest`, sockets to the `Hub`; everything asked for seldom
(metrics, health, the operator's calls, the first page) goes through Starlette.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from seawall.gateway import errors
from seawall.gateway.budgets import Budgets
from seawall.gateway.cluster import ClusterDesk
from seawall.gateway.context import Context
from seawall.gateway.control_operator import ControlDesk
from seawall.gateway.funding_operator import FundingDesk
from seawall.gateway.operator import Operator, json_response
from seawall.gateway.routes import Receive, Rest, Scope, Send, allowed_verbs, find_route
from seawall.gateway.sealing import Sealer
from seawall.gateway.settings import GatewaySettings
from seawall.gateway.sockets import Hub
from seawall.gateway.status_routes import StatusDesk
from seawall.gateway.throttle import Throttle
from seawall.gateway.treasury_port import DepositAddresses, Reconciling
from seawall.gateway.user_reports import ReportDesk
from seawall.gateway.watch_reports import WatchDesk
from seawall.model.commands import Command
from seawall.model.events import Event, Traded
from seawall.node.node import Node

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Page: TypeAlias = Callable[[Application], Application]
"""Puts the first page's files in front of the cold routes."""

MASTER_KEY = Path("secrets") / "master.key"


class App:
    """Takes every connection of the gateway's one port."""

    def __init__(self, context: Context, page: Page | None = None) -> None:
        self.context = context
        self.settings = context.settings
        self.hub = Hub(context)
        self.registry = CollectorRegistry()
        self.registry.register(context.metrics)
        self.registry.register(context.node.metrics)
        self._rest = Rest(context)
        context.node.add_listener(self._count_fills)
        self._help_measure()
        self._proxies = frozenset(context.settings.trusted_proxies)
        cold: Application = Starlette(routes=self._cold_routes())
        self._cold = cold if page is None else page(cold)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if self._proxies and kind != "lifespan":
            self._believe_proxy(scope)
        if kind == "http":
            method = find_route(scope)
            if method is not None:
                await self._rest.serve(method, scope, receive, send)
            else:
                await self._cold(scope, receive, send)
        elif kind == "websocket":
            await self.hub.serve(scope, receive, send)
        else:
            await self._lifespan(receive, send)

    async def close(self) -> None:
        """Stop the streams; the node belongs to whoever opened it."""
        await self.hub.stop()

    def _count_fills(
        self, _cell: str, _sequence: int, _at_ns: int, _command: Command, events: list[Event]
    ) -> None:
        """Tell the throttle of each order's first fill, partial or not."""
        for event in events:
            if isinstance(event, Traded):
                throttle, now_ns = self.context.throttle, self.context.now_ns()
                if event.taker_filled_lots == event.size_lots:
                    throttle.order_filled(event.taker.user_id, now_ns)
                if event.maker_filled_lots == event.size_lots:
                    throttle.order_filled(event.maker.user_id, now_ns)

    def _help_measure(self) -> None:
        """Give the gate checkers what only the gateway knows, or is told."""
        context, measuring = self.context, self.context.node.controlling.gates
        budgets = Budgets(context.metrics)
        measuring.budget = lambda: budgets.look(context.now_ns())
        if context.reconciling is not None:
            measuring.reconcile = context.reconciling.reconcile

    def _believe_proxy(self, scope: Scope) -> None:
        """Take a trusted proxy's word for who is behind it: the last address it added."""
        client = scope.get("client")
        if not client or client[0] not in self._proxies:
            return
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                address = value.decode("latin-1").rpartition(",")[2].strip()
                scope["client"] = (address, client[1])

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    # Cold routes

    def _cold_routes(self) -> list[BaseRoute]:
        operator = Operator(self.context)
        return [
            Route("/metrics", self._metrics),
            Route("/health/live", self._live),
            Route("/health/ready", self._ready),
            *operator.routes(),
            *FundingDesk(self.context, operator).routes(),
            *ClusterDesk(self.context, operator).routes(),
            *ControlDesk(self.context, operator).routes(),
            *WatchDesk(self.context).routes(),
            *StatusDesk(self.context).routes(),
            *ReportDesk(self.context, operator).routes(),
            Mount("/", app=_nothing_here),
        ]

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    async def _live(self, _: Request) -> Response:
        return PlainTextResponse("live\n")

    async def _ready(self, _: Request) -> Response:
        """Ready while every cell takes commands and what is answered is current."""
        node = self.context.node
        ready = node.ready and self.context.is_current()
        return json_response(
            {"ready": ready, "spot": node.spot.sequence, "identity": node.identity.sequence},
            200 if ready else errors.UNAVAILABLE,
        )


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a path that does not exist, or not with this verb, as JSON."""
    verbs = allowed_verbs(scope["path"])
    error = errors.method_not_allowed() if verbs else errors.not_found()
    response = json_response(error.body(), error.status)
    if verbs:
        response.headers["allow"] = ", ".join(sorted(verbs))
    await response(scope, receive, send)


def create_app(
    node: Node,
    settings: GatewaySettings,
    page: Page | None = None,
    *,
    addresses: DepositAddresses | None = None,
    reconciling: Reconciling | None = None,
) -> App:
    """Return the gateway over a node; secrets and tokens are made on the first start."""
    context = Context(
        node=node,
        settings=settings,
        throttle=Throttle(settings.throttle),
        sealer=Sealer.open(settings.data / MASTER_KEY),
        addresses=addresses,
        reconciling=reconciling,
    )
    return App(context, page)
